package placement

import (
	"fmt"
	"math"
	"time"

	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/sim/pipeline"
)

// Transfer is what a channel of a plan's pipeline moves for one micro-batch in
// each direction, and through which ports.
type Transfer struct {
	Class             LinkClass
	Forward, Backward Move
}

// Move is one direction of a Transfer.
type Move struct {
	Bytes float64
	Time  time.Duration // latency and measured transfer times, beside bytes
}

// LinkClass is a set of ports of a stage.
type LinkClass = linkClass

// The link classes, for package sim.
const (
	NIC         = nicClass
	Peer        = peerClass
	HostLink    = hostClass
	LinkClasses = linkClasses
)

// PortRate returns the bandwidth of all ports of a class that k devices of a
// pool have towards pool other, in B/s and in each direction.
func (p *Problem) PortRate(pool, other, k int) float64 {
	l := &p.links[pool*p.pools+other]
	units := k
	if l.class == nicClass {
		units = p.ports(pool, k)
	}
	beta := p.CommParallel
	return l.from / (1 - beta + beta/float64(units))
}

// FetchTime returns the time in which the slot tables of stage i of a plan get
// the rows of a round: target parameters (misses) and victims to write back, with
// unique rows planned. See Evaluator.fetchTime; counts are those of one round.
func (p *Problem) FetchTime(st *Stage, unique, misses, writeBacks, bytesIn, bytesOut float64) (time.Duration, error) {
	pool := &p.Cluster.Pools[st.Pool]
	plan := unique / float64(pool.Device.Gather.Rows) / float64(st.Devices)
	host := pool.Host.Gather.Seconds(misses+writeBacks, bytesIn+bytesOut) / (float64(p.ports(st.Pool, st.Devices)) * p.host[st.Pool])
	copies := 0.0
	if bw := p.hostLink[st.Pool]; bw > 0 {
		copies = max(bytesIn, bytesOut) / (float64(st.Devices) * bw)
	}
	latency := 0.0
	if misses > 0 {
		latency = pool.Node.HostLink.Latency.Seconds()
	}
	return unit.Seconds(plan + latency + max(host, copies))
}

// Pipeline times every part of a feasible plan as if it ran alone. Transfers
// describes its channels, index by index. It errs when a time exceeds the clock.
func (p *Problem) Pipeline(pl *Plan) (*pipeline.Pipeline, []Transfer, error) {
	b := pipelineBuilder{p: p, pl: pl}
	b.segments()
	b.channels()
	b.sync()
	if b.err != nil {
		return nil, nil, b.err
	}
	return &b.out, b.transfers, b.out.Validate()
}

type pipelineBuilder struct {
	p         *Problem
	pl        *Plan
	out       pipeline.Pipeline
	transfers []Transfer
	err       error
}

// duration converts float seconds and keeps the first error.
func (b *pipelineBuilder) duration(s float64, what string, args ...any) time.Duration {
	d, err := unit.Seconds(s)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%s: %w", fmt.Sprintf(what, args...), err)
	}
	return d
}

func (b *pipelineBuilder) segments() {
	p, pl := b.p, b.pl
	b.out = pipeline.Pipeline{
		Stages: len(pl.Stages), Microbatches: p.Microbatches, Schedule: p.Schedule, ForwardOnly: p.Inference,
	}
	n := pl.Segment[len(pl.Segment)-1] + 1
	b.out.Segments = make([]pipeline.Segment, n)
	forward, backward := make([]float64, n), make([]float64, n)
	for l, t := range pl.Scheme {
		g, s := pl.Segment[l], pl.StageOf[l]
		c := &p.costs[int(t)*p.layers+l]
		scale := c.serial + c.parallel/float64(pl.Stages[s].Devices)
		b.out.Segments[g].Stage = s
		forward[g] += scale * c.forwardShare
		backward[g] += scale * (1 - c.forwardShare)
	}
	for g := range n {
		b.out.Segments[g].Forward = b.duration(forward[g], "forward pass of segment %d", g)
		b.out.Segments[g].Backward = b.duration(backward[g], "backward pass of segment %d", g)
	}
}

// channels joins all edges between two segments into one channel: their tensors
// travel together.
func (b *pipelineBuilder) channels() {
	p, pl := b.p, b.pl
	n := len(b.out.Segments)
	index := map[int]int{} // from*n + to -> channel, in order of first edge
	var loads []channelLoad
	for i := range p.edges {
		e := &p.edges[i]
		f, t := pl.Segment[e.from], pl.Segment[e.to]
		if f == t {
			continue
		}
		c, ok := index[f*n+t]
		if !ok {
			c = len(loads)
			index[f*n+t] = c
			loads = append(loads, channelLoad{})
			b.out.Channels = append(b.out.Channels, pipeline.Channel{From: f, To: t})
		}
		loads[c].forward.add(e)
		if e.gradient {
			loads[c].backward.add(e)
		}
	}
	b.transfers = make([]Transfer, len(loads))
	for c := range loads {
		b.channel(c, &loads[c])
	}
}

// channelLoad is what a channel moves for one micro-batch.
type channelLoad struct{ forward, backward laneLoad }

type laneLoad struct {
	bytes, seconds float64
}

func (l *laneLoad) add(e *edgeCost) {
	if e.seconds > 0 {
		l.seconds += e.seconds
	} else {
		l.bytes += e.bytes
	}
}

func (b *pipelineBuilder) channel(i int, load *channelLoad) {
	p, pl := b.p, b.pl
	c := &b.out.Channels[i]
	from, to := b.out.Segments[c.From].Stage, b.out.Segments[c.To].Stage
	if from == to { // data stays in place
		return
	}
	a, z := &pl.Stages[from], &pl.Stages[to]
	l := &p.links[a.Pool*p.pools+z.Pool]
	rate := min(p.PortRate(a.Pool, z.Pool, a.Devices), p.PortRate(z.Pool, a.Pool, z.Devices))
	move := func(lane laneLoad) (Move, time.Duration) {
		m := Move{Bytes: lane.bytes, Time: b.duration(lane.seconds, "measured time of transfer %d", i)}
		if lane.bytes > 0 {
			m.Time += b.duration(l.latency, "latency of transfer %d", i)
		}
		return m, m.Time + b.duration(lane.bytes/rate, "transfer %d", i)
	}
	tr := &b.transfers[i]
	tr.Class = l.class
	tr.Forward, c.Forward = move(load.forward)
	tr.Backward, c.Backward = move(load.backward)
}

// sync times the synchronisation of each stage's dense gradients.
func (b *pipelineBuilder) sync() {
	p, pl := b.p, b.pl
	b.out.Sync = make([]time.Duration, len(pl.Stages))
	if p.Inference || p.Sync == NoSync {
		return
	}
	for i := range pl.Stages {
		st := &pl.Stages[i]
		pool := &p.Cluster.Pools[st.Pool]
		if st.Weights == 0 {
			continue
		}
		seconds := 0.0
		if p.Sync == Server {
			nic := pool.Node.NIC
			ports := p.ports(st.Pool, st.Devices)
			seconds = network.PushPull(float64(st.Weights), st.Devices, ports, nic.Bandwidth, nic.Latency)
		} else {
			bandwidth, latency := pool.Node.NIC.Bandwidth, pool.Node.NIC.Latency
			if peer := pool.Node.PeerLink; st.Devices <= pool.Node.Devices && peer.Bandwidth > 0 {
				bandwidth, latency = peer.Bandwidth, peer.Latency
			}
			seconds = network.RingAllReduce(float64(st.Weights), st.Devices, bandwidth, latency)
		}
		b.out.Sync[i] = b.duration(seconds, "gradient synchronisation of stage %d", i)
	}
}

// Recurrence returns the fitness of a scheme by the exact makespan of one step,
// nothing contending, with the devices that the closed form provisions. Floors
// and caps are judged by the recurrence's throughput.
func (ev *Evaluator) Recurrence(s Scheme) Fitness {
	pl := ev.Plan(s)
	if !pl.Fitness.Feasible {
		return pl.Fitness
	}
	f, err := ev.p.RecurrenceOf(pl)
	if err != nil {
		return violation(2)
	}
	return f
}

// RecurrenceOf is Recurrence for a plan whose devices are decided.
func (p *Problem) RecurrenceOf(pl *Plan) (Fitness, error) {
	pipe, _, err := p.Pipeline(pl)
	if err != nil {
		return Fitness{}, err
	}
	step := pipeline.NewRecurrence(pipe).Step().Seconds()
	fetch := 0.0
	for i := range pl.Stages {
		fetch = max(fetch, pl.Stages[i].Fetch)
	}
	if p.Lookahead > 0 {
		step = max(step, fetch)
	} else {
		step += fetch
	}
	if step <= 0 {
		return Fitness{}, fmt.Errorf("the scheme takes no time: no layer has any cost")
	}
	f := pl.Fitness
	f.Throughput = float64(p.Batch) / step
	f.Cost = costOf(f.Price, f.Throughput)
	f.Value = p.value(f.Throughput, f.Cost)
	if f.Throughput < p.MinThroughput*(1-1e-12) || (p.MaxCost > 0 && f.Cost > p.MaxCost) {
		by := 0.0
		if p.MinThroughput > 0 {
			by = math.Max(by, 1-f.Throughput/p.MinThroughput)
		}
		if p.MaxCost > 0 {
			by = math.Max(by, 1-p.MaxCost/f.Cost)
		}
		v := violation(min(by, 0.999))
		f.Value, f.Feasible = v.Value, false
	}
	return f, nil
}

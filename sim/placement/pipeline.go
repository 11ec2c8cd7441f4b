package placement

import (
	"fmt"
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
	Bytes   float64
	Time    time.Duration // latency and measured transfer times, beside bytes
	Latency time.Duration // the part of Time that is the links'
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

// PortRate returns the bandwidth of all ports of a class that k replicas of a
// pool have towards pool other, in B/s and in each direction.
func (p *Problem) PortRate(pool, other, k int) float64 {
	l := &p.links[pool*p.pools+other]
	sh := p.share(pool, k)
	if l.class == nicClass {
		return l.from / sh.ports
	}
	return l.from / sh.links
}

// Pipeline times every part of a provisioned plan as if it ran alone. Transfers
// describes its channels, index by index. It errs when a time exceeds the clock.
func (p *Problem) Pipeline(pl *Plan) (*pipeline.Pipeline, []Transfer, error) {
	b, err := p.built(pl)
	if err != nil {
		return nil, nil, err
	}
	return &b.out, b.transfers, nil
}

// built is the builder of a plan's pipeline when it is done.
func (p *Problem) built(pl *Plan) (*builder, error) {
	if len(pl.Stages) == 0 {
		return nil, fmt.Errorf("the scheme has no stages: %s", pl.Reason)
	}
	b := &builder{before: p.before}
	if p.seated(pl) {
		b.routed = p.newRouted()
	}
	b.plan(p, pl)
	if err := b.build(); err != nil {
		return nil, err
	}
	return b, b.out.Validate()
}

// plan takes a plan.
func (b *builder) plan(p *Problem, pl *Plan) {
	b.begin(p, pl.Scheme, pl.StageOf, pl.Segment, pl.Segment[len(pl.Segment)-1]+1)
	b.servers = pl.Servers
	for i := range pl.Stages {
		b.place(pl.Stages[i].Pool, pl.Stages[i].Replicas, float64(pl.Stages[i].Weights))
	}
}

// builder makes the pipeline of a merged and provisioned scheme. Its memory is
// used again by the next one.
type builder struct {
	p                *Problem
	scheme           Scheme
	stageOf, segment []int // per layer
	stages           []placed
	servers          int     // parameter servers; 0: none are provisioned
	routed           *routed // nil: stages have ports of their own
	before           []int   // devices of each pool before those of the stages

	out       pipeline.Pipeline
	transfers []Transfer
	loads     []channelLoad
	sent      []sent // scratch per stage
	channelTo []int  // per segment: 1 + the last channel that leads to it
	forward   []float64
	backward  []float64
	weight    []float64
	gather    []float64 // per segment: seconds of gathering its parameters for a pass
	update    []float64 // per stage: seconds of its optimizer
	err       error
}

// placed is one stage with its replicas.
type placed struct {
	pool, replicas int
	weights        float64 // bytes of dense parameters that each device works with
}

// channelLoad is what a channel moves for one micro-batch.
type channelLoad struct{ forward, backward laneLoad }

type laneLoad struct {
	bytes, seconds float64
}

// zeroed returns s with n zero elements, in the same memory if it suffices.
func zeroed[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// begin takes the result of merging; place then adds its stages in order.
func (b *builder) begin(p *Problem, s Scheme, stageOf, segment []int, segments int) {
	b.p, b.scheme, b.stageOf, b.segment, b.err = p, s, stageOf, segment, nil
	b.stages, b.loads = b.stages[:0], b.loads[:0]
	b.out = pipeline.Pipeline{
		Segments: zeroed(b.out.Segments, segments), Channels: b.out.Channels[:0], Sync: b.out.Sync, Lead: b.out.Lead, Update: b.out.Update,
		Microbatches: p.Microbatches, Schedule: p.Schedule, ForwardOnly: p.Inference,
	}
	b.channelTo = zeroed(b.channelTo, segments)
	b.forward, b.backward, b.weight = zeroed(b.forward, segments), zeroed(b.backward, segments), zeroed(b.weight, segments)
	b.gather = zeroed(b.gather, segments)
}

func (b *builder) place(pool, replicas int, weights float64) {
	b.stages = append(b.stages, placed{pool, replicas, weights})
}

// build fills in b.out and b.transfers.
func (b *builder) build() error {
	b.out.Stages = len(b.stages)
	if b.routed != nil {
		b.seat()
	}
	b.segments()
	b.channels()
	b.sync()
	b.updates()
	return b.err
}

// seat gives the stages their places in the network.
func (b *builder) seat() {
	b.routed.begin(b.before)
	for i := range b.stages {
		b.routed.seat(b.stages[i].pool, b.stages[i].replicas*b.p.unit(b.stages[i].pool))
	}
	b.routed.settle(b.servers)
}

// duration converts float seconds and keeps the first error; what and i say
// what takes that long.
func (b *builder) duration(s float64, what string, i int) time.Duration {
	d, err := unit.Seconds(s)
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%s %d: %w", what, i, err)
	}
	return d
}

func (b *builder) segments() {
	p := b.p
	for l, t := range b.scheme {
		g, s := b.segment[l], b.stageOf[l]
		c := &p.costs[int(t)*p.layers+l]
		seconds := c.serial + c.parallel/p.parts(b.stages[s].replicas)
		b.out.Segments[g].Stage = s
		b.forward[g] += seconds * c.forwardShare
		b.backward[g] += seconds * (1 - c.forwardShare)
		b.weight[g] += seconds * (1 - c.forwardShare) * c.weightShare
		if c.gathered > 0 {
			b.gather[g] += p.gatherParams(b.stages[s].pool, b.stages[s].replicas, c.gathered)
		}
	}
	for g := range b.out.Segments {
		b.forward[g], b.backward[g] = p.gathered(b.forward[g], b.gather[g]), p.gathered(b.backward[g], b.gather[g])
		b.out.Segments[g].Forward = b.duration(b.forward[g], "forward pass of segment", g)
		b.out.Segments[g].Backward = b.duration(b.backward[g], "backward pass of segment", g)
		if p.Schedule.Delay != nil {
			b.out.Segments[g].Weight = min(b.out.Segments[g].Backward, b.duration(b.weight[g], "gradients of weights of segment", g))
		}
	}
}

// channels joins all edges between two segments into one channel: their tensors
// travel together. Edges come by source layer, so those of one segment follow
// each other, and the last channel to a segment is the only candidate. A stage
// gets a layer's output once: its first segment that reads it takes it in, and
// later ones what that left.
func (b *builder) channels() {
	p := b.p
	b.sent = zeroed(b.sent, len(b.stages))
	for i := 0; i < len(p.edges); {
		fan := p.edges[i : i+int(p.edges[i].fan)]
		i += len(fan)
		for j := range fan {
			b.join(&fan[j])
		}
		for j := range fan {
			b.sent[b.stageOf[fan[j].to]] = sent{}
		}
	}
	b.transfers = zeroed(b.transfers, len(b.loads))
	for c := range b.loads {
		b.channel(c)
	}
}

// join adds an edge to its channel: what its stage has not yet got of the layer.
func (b *builder) join(e *edgeCost) {
	f, t := b.segment[e.from], b.segment[e.to]
	if f == t {
		return
	}
	c := b.channelTo[t] - 1
	if c < 0 || b.out.Channels[c].From != f {
		c = len(b.out.Channels)
		b.channelTo[t] = c + 1
		b.out.Channels = append(b.out.Channels, pipeline.Channel{From: f, To: t})
		b.loads = append(b.loads, channelLoad{})
	}
	all := &b.sent[b.stageOf[e.to]]
	had := *all
	all.add(e, b.p.output[e.from])
	load := &b.loads[c]
	load.forward.bytes += all.bytes - had.bytes
	load.forward.seconds += all.seconds - had.seconds
	if e.gradient {
		load.backward.bytes += all.bytes - had.bytes
		load.backward.seconds += all.seconds - had.seconds
	}
}

// channel times what channel i moves, at the rate of its slower end.
func (b *builder) channel(i int) {
	p, c := b.p, &b.out.Channels[i]
	from, to := b.out.Segments[c.From].Stage, b.out.Segments[c.To].Stage
	if from == to { // data stays in place
		return
	}
	near, far := &b.stages[from], &b.stages[to]
	l := &p.links[near.pool*p.pools+far.pool]
	tr, load := &b.transfers[i], &b.loads[i]
	there, back := b.ways(from, to, load)
	tr.Class = l.class
	if l.class == nicClass {
		load.forward.seconds += p.gatherParts(far, load.forward.bytes)
		load.backward.seconds += p.gatherParts(near, load.backward.bytes)
	}
	tr.Forward, c.Forward = b.move(i, load.forward, there)
	tr.Backward, c.Backward = b.move(i, load.backward, back)
	c.Blocking = p.Blocking && max(load.forward.bytes/p.senders(near), load.backward.bytes/p.senders(far)) > p.Eager
}

// gatherParts returns how long the devices that compute a replica's layers together take
// to give each other the parts of a micro-batch of bytes in all that they have received:
// half of an all-reduce. Each was sent a part alone, so that no tensor crosses the network
// twice (Narayanan et al., Megatron-LM, SC 2021, section 4.1). With sequence parallelism it
// is the parts that they want.
func (p *Problem) gatherParts(to *placed, bytes float64) float64 {
	team := p.Team(to.pool)
	if team == 1 || bytes == 0 || p.SequenceParallel {
		return 0
	}
	replicas := to.replicas * p.Cluster.Pools[to.pool].Group()
	return p.teamSeconds(to.pool, bytes/float64(replicas)) / 2
}

// senders returns how many devices send a stage's micro-batch on, each its part.
func (p *Problem) senders(st *placed) float64 { return float64(st.replicas * p.unit(st.pool)) }

// way is what transfers from one stage to another take: seconds, and B/s.
type way struct{ latency, rate float64 }

// ways are those between two stages, there and back, for the load of their channel: over
// the ports of the slower end, or the routes of the network.
func (b *builder) ways(from, to int, load *channelLoad) (there, back way) {
	if r := b.routed; r != nil {
		over := func(f *flow, lane laneLoad) way {
			r.carry(f, lane.bytes, float64(b.p.Microbatches))
			return way{f.cost.Latency, 1 / r.perByte(f)}
		}
		return over(r.move(from, to), load.forward), over(r.move(to, from), load.backward)
	}
	near, far := &b.stages[from], &b.stages[to]
	l := &b.p.links[near.pool*b.p.pools+far.pool]
	rate := min(b.p.PortRate(near.pool, far.pool, near.replicas), b.p.PortRate(far.pool, near.pool, far.replicas))
	return way{l.latency, rate}, way{l.latency, rate}
}

func (b *builder) move(i int, lane laneLoad, w way) (Move, time.Duration) {
	m := Move{Bytes: lane.bytes, Time: b.duration(lane.seconds, "measured time of transfer", i)}
	if lane.bytes > 0 {
		m.Latency = b.duration(w.latency, "latency of transfer", i)
		m.Time += m.Latency
	}
	return m, m.Time + b.duration(lane.bytes/w.rate, "transfer", i)
}

// sync times the synchronisation of each stage's dense gradients.
func (b *builder) sync() {
	p := b.p
	b.out.Sync = zeroed(b.out.Sync, len(b.stages))
	if p.Inference || p.Sync == NoSync {
		return
	}
	for i := range b.stages {
		if b.stages[i].weights > 0 {
			b.out.Sync[i] = b.duration(p.routedSync(b.routed, i, &b.stages[i], b.servers), "gradient synchronisation of stage", i)
		}
	}
	b.leads()
}

// updates times the optimizer of each stage, and its hosts behind it. What ZeRO has
// replicas divide, each of them updates its part of.
func (b *builder) updates() {
	p := b.p
	if !p.updates {
		return
	}
	b.update = zeroed(b.update, len(b.stages))
	for l, t := range b.scheme {
		b.update[b.stageOf[l]] += p.costs[int(t)*p.layers+l].update
	}
	b.out.Update = zeroed(b.out.Update, len(b.stages))
	for i, seconds := range b.update {
		if p.Zero > 0 {
			seconds /= float64(b.stages[i].replicas * p.Cluster.Pools[b.stages[i].pool].Group())
		}
		b.out.Update[i] = b.duration(seconds+p.StepOverhead, "update of stage", i)
	}
}

// routedSync is syncSeconds of stage i of a scheme, on its routes if they count and
// gradients go over them.
func (p *Problem) routedSync(r *routed, i int, st *placed, servers int) float64 {
	if r != nil {
		if f := r.sync(i); f.loads != nil {
			return r.carry(f, st.weights, 1)
		}
	}
	return p.syncSeconds(st, servers)
}

// SyncLatency returns the part of a stage's gradient synchronisation that no bandwidth
// shortens.
func (p *Problem) SyncLatency(st *Stage) time.Duration {
	d, err := unit.Seconds(p.syncSeconds(&placed{pool: st.Pool, replicas: st.Replicas}, 0))
	if err != nil { // there is none, or it would have been refused
		return 0
	}
	return d
}

// syncSeconds returns the time in which the replicas of a stage agree on its
// gradients: by allReduce, of which ZeRO's third stage leaves the second half, the
// gathering of parameters, to the passes; or by parameter servers behind the network
// ports, whose own ports count too when the problem names their pool.
func (p *Problem) syncSeconds(st *placed, servers int) float64 {
	if p.Sync != Server {
		seconds := p.allReduce(st.pool, st.replicas, st.weights)
		if p.Zero == 3 {
			seconds /= 2
		}
		return seconds
	}
	link := &p.Cluster.Pools[st.pool].Node.NIC
	own := network.PushPull(st.weights, st.replicas, p.ports(st.pool, st.replicas), link.Bandwidth, link.Latency)
	if servers == 0 {
		return own
	}
	bytes := 2 * st.weights * float64(st.replicas)
	return max(own, p.serverTime(bytes, servers)+2*p.Cluster.Pools[p.servers].Node.NIC.Latency.Seconds())
}

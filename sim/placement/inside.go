package placement

import (
	"fmt"
	"math"
	"slices"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/workloads"
)

// Recompute says which activations are dropped in the forward pass and computed again
// before the backward pass.
type Recompute string

// The ways to recompute (Korthikanti et al. 2022, arXiv:2205.05198). Full keeps what
// comes into each layer and runs its forward pass again; Selective drops only the cores
// of layers, those of attention, which are large and quickly computed. Layers with Keep
// are never computed again.
const (
	KeepAll   Recompute = "none"
	Selective Recompute = "selective"
	Full      Recompute = "full"
)

// Recomputes lists the ways to recompute in the order of help.
func Recomputes() []string { return []string{string(KeepAll), string(Selective), string(Full)} }

// Shares is how unlike devices share samples.
type Shares string

// The ways to share: Even gives each as many samples, BySpeed as many as have the slowest
// one done first, over all layers of the model.
const (
	Even    Shares = "even"
	BySpeed Shares = "by-speed"
)

// SharesNames lists the ways to share in the order of help.
func SharesNames() []string { return []string{string(BySpeed), string(Even)} }

// The ways in which stages send each other activations and their gradients: beside
// computing, or waiting for it.
const (
	OverlappedTransfers = "overlapped"
	BlockingTransfers   = "blocking"
)

// TransfersNames lists them in the order of help.
func TransfersNames() []string { return []string{OverlappedTransfers, BlockingTransfers} }

// Inside is how the devices of a stage share its work and memory. The zero value is
// that of replicas that keep everything.
type Inside struct {
	// Tensor is for each pool how many devices compute every layer of a replica
	// together; nil: 1 on all pools. They are in one node, or fill some.
	Tensor []int
	// SequenceParallel has them divide what tensor parallelism leaves whole, too.
	SequenceParallel bool
	Recompute        Recompute // "": KeepAll
	// Zero is the stage of ZeRO (Rajbhandari et al. 2020, arXiv:1910.02054): replicas
	// divide the optimizer's state (1), gradients too (2), parameters too (3).
	Zero int
	// OverlapSync synchronises gradients beside the last backward pass, layer by layer;
	// the parameters that Zero = 3 gathers come beside the passes.
	OverlapSync bool
	// ReplicaBatch is how many samples of a micro-batch a replica takes at a time: layers
	// are timed for so many. 0: its share, which is timed as part of the whole
	// micro-batch.
	ReplicaBatch int
	// Shares is how the unlike devices of a group share a replica's samples.
	Shares Shares // "": BySpeed
	// ReservedMemory is what of every accelerator's memory contexts, libraries and buffers
	// of the framework take.
	ReservedMemory unit.Bytes
	// Blocking has stages wait while they send to and receive from each other what is more
	// than Eager bytes from one device; what is less goes beside computing.
	Blocking bool
	Eager    float64
	// StepOverhead is the seconds between two steps in which the hosts have every device
	// wait: the framework, input that is not ahead. It follows the synchronisation of gradients.
	StepOverhead float64
	// Calibrated takes all-reduces inside nodes to be as fast as measured ones
	// (hw.AllReduces) where there are any for the device type.
	Calibrated bool
}

// checkInside needs the spec's other numbers checked.
func (p *Problem) checkInside() error {
	s := &p.Spec
	trained := s.Zero != 0 || s.OverlapSync || s.recomputes()
	switch {
	case s.Recompute != "" && !slices.Contains(Recomputes(), string(s.Recompute)):
		return fmt.Errorf("recompute = %q: one of %q", s.Recompute, Recomputes())
	case s.Shares != "" && !slices.Contains(SharesNames(), string(s.Shares)):
		return fmt.Errorf("shares = %q: one of %q", s.Shares, SharesNames())
	case s.Zero < 0 || s.Zero > 3:
		return fmt.Errorf("zero = %d: a stage from 1 to 3, or 0 for none", s.Zero)
	case !amount(s.StepOverhead):
		return fmt.Errorf("step_overhead = %v: seconds from 0 to MaxAmount = %g", s.StepOverhead, MaxAmount)
	case s.StepOverhead > 0 && s.Inference:
		return fmt.Errorf("step_overhead: inference has no steps")
	case trained && s.Inference:
		return fmt.Errorf("inference has no backward passes: recompute, zero and overlap_sync are for training")
	case s.Zero > 0 && s.Sync != Ring:
		return fmt.Errorf("zero = %d divides memory among replicas that synchronise by collectives: it needs sync = %q, not %q", s.Zero, Ring, s.Sync)
	case s.Zero == 3 && s.Collective == network.TreeAlgorithm:
		return fmt.Errorf("zero = 3 with collective = %q: trees sum up whole buffers, and its replicas need parts; take another collective", s.Collective)
	case s.recomputes() && s.Schedule.Delay != nil:
		return fmt.Errorf("recompute = %q: schedule %q puts off gradients of weights, which would keep what was computed again; take another schedule", s.Recompute, s.Schedule.Name)
	case s.ReplicaBatch < 0 || s.ReplicaBatch > 0 && s.Batch/s.Microbatches%s.ReplicaBatch != 0:
		return fmt.Errorf("replica_batch = %d: a divisor of the %d samples of a micro-batch (batch / microbatches)", s.ReplicaBatch, s.Batch/s.Microbatches)
	case s.Blocking && s.Schedule.Staleness > 0:
		return fmt.Errorf("transfers = %q: schedule %q does not flush, and is not modelled with transfers that block; take another schedule", BlockingTransfers, s.Schedule.Name)
	case s.Blocking && slices.ContainsFunc(s.Lookups, func(l LayerLookups) bool { return l.Slots > 0 }):
		return fmt.Errorf("transfers = %q: they are not modelled beside rows in slots; leave one of them out", BlockingTransfers)
	case !amount(s.Eager):
		return fmt.Errorf("eager = %v: bytes from 0 to MaxAmount = %g", s.Eager, MaxAmount)
	case s.ReservedMemory < 0:
		return fmt.Errorf("reserved_memory = %v: 0 or more", s.ReservedMemory)
	case s.Tensor != nil && len(s.Tensor) != len(s.Cluster.Pools):
		return fmt.Errorf("tensor_parallel for %d pools of %d", len(s.Tensor), len(s.Cluster.Pools))
	}
	for t := range s.Cluster.Pools {
		if err := CheckTeam(&s.Cluster.Pools[t], s.Team(t), s.Sync); err != nil {
			return fmt.Errorf("tensor_parallel = %w", err)
		}
		if err := CheckGroup(&s.Cluster.Pools[t], s.Team(t), s.Sync); err != nil {
			return err
		}
	}
	return nil
}

// CheckTeam checks that n devices of a pool can compute a replica's layers together. Its
// error begins with n.
func CheckTeam(pool *hw.Pool, n int, sync Sync) error {
	switch {
	case n == 1:
		return nil
	case n < 1 || pool.Node.Devices%n != 0 && n%pool.Node.Devices != 0:
		return fmt.Errorf("%d: on pool %q a node has %d devices, and a replica is a part of a node or fills some: a divisor of that, or a multiple", n, pool.Name, pool.Node.Devices)
	case n > pool.Count:
		return fmt.Errorf("%d: pool %q has %d devices", n, pool.Name, pool.Count)
	case !pool.Device.Kind.Accelerator():
		return fmt.Errorf("%d: pool %q has no accelerators, which alone compute layers together", n, pool.Name)
	case sync == Server:
		return fmt.Errorf("%d: with sync = %q replicas push and pull as one device each; take sync = %q", n, Server, Ring)
	}
	return nil
}

// recomputes reports whether anything is computed again.
func (s *Inside) recomputes() bool { return s.Recompute == Selective || s.Recompute == Full }

// Team returns how many devices of a pool compute every layer together: its tensor
// parallel degree.
func (s *Inside) Team(pool int) int {
	if s.Tensor == nil {
		return 1
	}
	return s.Tensor[pool]
}

// unit returns how many devices of a pool are provisioned together: those of a replica,
// or a group of unlike ones. Everything else in this package counts a pool's devices by
// these.
func (p *Problem) unit(pool int) int { return p.Team(pool) * p.Cluster.Pools[pool].Group() }

// part returns what one of team devices does or keeps of an amount of which some is
// divided. The rest it does whole, or divides too.
func part(whole, split float64, team int, rest bool) float64 {
	switch {
	case team == 1:
		return whole
	case rest:
		return whole / float64(team)
	}
	return whole - split + split/float64(team)
}

// own returns the amounts of a layer on one device of a replica: what goes through a
// sample's pass. Parameters are whole numbers.
func (s *Inside) own(l *workloads.Layer, team int) workloads.Amounts {
	rest := s.SequenceParallel && l.Divided()
	return workloads.Amounts{
		FLOPs:   part(l.FLOPs, l.Split.FLOPs, team, rest),
		Traffic: part(l.Traffic, l.Split.Traffic, team, rest),
		Params:  math.Ceil(part(float64(l.Params), l.Split.Params, team, false)),
		Stored:  part(l.Stored, l.Split.Stored, team, rest),
	}
}

// ownCore is own for what selective recomputation computes again.
func (s *Inside) ownCore(l *workloads.Layer, team int) workloads.Amounts {
	rest := s.SequenceParallel && l.Divided()
	return workloads.Amounts{
		FLOPs:   part(l.Core.FLOPs, min(l.Core.FLOPs, l.Split.FLOPs), team, rest),
		Traffic: part(l.Core.Traffic, min(l.Core.Traffic, l.Split.Traffic), team, rest),
		Stored:  part(l.Core.Stored, min(l.Core.Stored, l.Split.Stored), team, rest),
	}
}

// kept returns the elements per sample that a device keeps of a layer until its backward
// pass, and those that are there while it runs, beside them.
func (p *Problem) kept(l, team int) (kept, again float64) {
	layer := &p.Model.Layers[l]
	stored := p.own(layer, team).Stored
	if layer.Keep || layer.Backward == 0 {
		return stored, 0
	}
	switch p.Recompute {
	case Selective:
		again = p.ownCore(layer, team).Stored
	case Full: // what comes in is whole, unless the sequence is divided
		again = max(0, stored-part(p.reads[l], 0, team, p.SequenceParallel && layer.Divided()))
	}
	return stored - again, again
}

// passes are the seconds of a layer's passes on one replica, for a whole micro-batch.
type passes struct {
	forward, backward float64 // computing
	again             float64 // computing before the backward pass
	reduce, back      float64 // collectives among the devices of the replica, in a forward and a backward pass
	latency           float64 // the part of both that more replicas do not shorten
	update            float64 // the optimizer's, after a step
}

// passes returns what layer l takes on pool t. Its error says why the pool cannot run
// it.
func (p *Problem) passes(t, l int) (c passes, err error) {
	layer, team := &p.Model.Layers[l], p.Team(t)
	if c.forward, c.backward, err = p.layerTime(layer, t); err != nil {
		return c, err
	}
	c.update = p.updateSeconds(layer, t)
	reduce, back := layer.Reduce, layer.ReduceBack
	if p.together(layer, t) { // they are in the measured times
		reduce, back = workloads.Reduction{}, workloads.Reduction{}
	}
	var latency float64
	c.reduce, latency = p.reduceSeconds(t, reduce)
	c.latency = latency
	if p.Inference {
		return c, nil
	}
	c.back, latency = p.reduceSeconds(t, back)
	c.latency += latency
	if layer.Keep || layer.Backward == 0 {
		return c, nil
	}
	switch _, again := p.kept(l, team); {
	case again == 0:
	case p.Recompute == Full:
		_, latency = p.reduceSeconds(t, reduce)
		c.again, c.back, c.latency = c.forward, c.back+c.reduce, c.latency+latency
	case p.Recompute == Selective:
		c.again = p.coreSeconds(layer, t, team, c.forward)
	}
	return c, nil
}

// coreSeconds returns what computing the core of a layer again takes: of a measured
// layer its part of the FLOPs, else by roofline.
func (p *Problem) coreSeconds(l *workloads.Layer, t, team int, forward float64) float64 {
	core, most := p.ownCore(l, team), 0.0
	for _, m := range p.workers(t) {
		seconds := 0.0
		if profileOf(l, m.pool.Device, team) != nil {
			if l.FLOPs > 0 {
				seconds = forward * l.Core.FLOPs / l.FLOPs
			}
		} else {
			own, err := p.againTime(l, core, m.pool, team, m.samples)
			if err != nil {
				panic(err) // the layer itself has been timed
			}
			seconds = own * p.micro / p.chunk()
		}
		most = max(most, seconds)
	}
	return min(forward, most)
}

// againTime returns the seconds of the core of a layer for so many samples: as one, or its
// operations one after the other.
func (p *Problem) againTime(l *workloads.Layer, core workloads.Amounts, pool *hw.Pool, team int, samples float64) (float64, error) {
	if l.Calls == nil {
		return pool.Device.Compute(core.FLOPs*samples, core.Traffic*samples*float64(elementBytes(p.Precision)), p.Precision)
	}
	sum := 0.0
	for i := range l.Calls {
		if !l.Calls[i].Core {
			continue
		}
		seconds, err := p.callTime(l, &l.Calls[i], pool, team, samples)
		if err != nil {
			return 0, err
		}
		sum += seconds
	}
	return sum, nil
}

// chunk is how many samples layers are timed for.
func (s *Spec) chunk() float64 {
	if s.ReplicaBatch > 0 {
		return float64(s.ReplicaBatch)
	}
	return float64(s.Batch) / float64(s.Microbatches)
}

// reduceSeconds returns what the devices of a replica on pool t take to sum up a
// micro-batch's elements, and the part of it that more replicas do not shorten. With
// sequence parallelism a reduce-scatter and an all-gather stand for each all-reduce;
// they take as long.
func (p *Problem) reduceSeconds(t int, r workloads.Reduction) (seconds, latency float64) {
	team := p.Team(t)
	if team == 1 || r.Times == 0 {
		return 0, 0
	}
	chunk := p.chunk()
	pieces := float64(r.Times) * p.micro / chunk
	each := r.Elements * chunk * float64(elementBytes(p.Precision)) / float64(r.Times)
	seconds = pieces * p.teamSeconds(t, each)
	if p.ReplicaBatch == 0 {
		latency = pieces * p.teamSeconds(t, 0)
	}
	return seconds, latency
}

// teamSeconds returns how long the devices of a replica on pool t take to sum up
// buffers of bytes, over the links inside their node or the ports of their nodes.
func (p *Problem) teamSeconds(t int, bytes float64) float64 {
	pool, team := &p.Cluster.Pools[t], p.Team(t)
	inside := team <= pool.Node.Devices
	if inside {
		if s, ok := p.measured(t, team, bytes); ok {
			return s
		}
	}
	if !p.rings() && (!inside || pool.Node.PeerLink.Bandwidth > 0) {
		return p.teamCost(t).Seconds(bytes)
	}
	link := &pool.Node.PeerLink
	switch {
	case !inside:
		link = &pool.Node.NIC
	case link.Bandwidth == 0:
		link = &pool.Node.HostLink // through the host
	}
	return network.RingAllReduce(bytes, team, link.Bandwidth, link.Latency)
}

// measured returns the time of an all-reduce among ranks of one node, if such were
// measured and the problem asks for them.
func (p *Problem) measured(t, ranks int, bytes float64) (float64, bool) {
	if !p.Calibrated {
		return 0, false
	}
	a, err := hw.AllReduceOf(p.Cluster.Pools[t].Device.Name)
	if err != nil {
		return 0, false
	}
	return a.Seconds(bytes, ranks)
}

// ByTime reports whether the gradients of a stage of so many replicas are synchronised
// in a measured time, whatever else is on the links.
func (p *Problem) ByTime(pool, replicas int) bool {
	if p.Sync != Ring || replicas > p.perNode[pool] {
		return false
	}
	_, ok := p.measured(pool, replicas, 0)
	return ok
}

// gatherParams returns how long replicas take to gather parameters of bytes on each of
// their devices, of which each of them has its part: half of an all-reduce, whose other
// half is the reduce-scatter (Rajbhandari et al. 2020, section 7).
func (p *Problem) gatherParams(pool, replicas int, bytes float64) float64 {
	return p.allReduce(pool, replicas, bytes) / 2
}

// allReduce returns the seconds in which the replicas of a stage sum up buffers of bytes
// on each of their devices: over the links inside the node when all are in one, else
// over its network ports, which the devices of a replica share.
func (p *Problem) allReduce(pool, replicas int, bytes float64) float64 {
	node := &p.Cluster.Pools[pool].Node
	inside := replicas <= p.perNode[pool]
	ranks := replicas * p.Cluster.Pools[pool].Group()
	if inside {
		if s, ok := p.measured(pool, ranks, bytes); ok {
			return s
		}
	}
	if !p.rings() {
		return p.collective(pool, replicas).Seconds(bytes)
	}
	if inside && node.PeerLink.Bandwidth > 0 {
		return network.RingAllReduce(bytes, ranks, node.PeerLink.Bandwidth, node.PeerLink.Latency)
	}
	return network.RingAllReduce(bytes*float64(p.inNode(pool)), ranks, node.NIC.Bandwidth, node.NIC.Latency)
}

// inNode returns how many devices of a replica are in one node.
func (p *Problem) inNode(pool int) int { return min(p.Team(pool), p.Cluster.Pools[pool].Node.Devices) }

package placement

import (
	"time"

	"stowage/hw/unit"
	"stowage/workloads"
)

// SharedPass is a pass of a micro-batch through a segment in which devices send each
// other something beyond their nodes, so that it takes as long as the links let it. Its
// time in the pipeline is that on idle links.
type SharedPass struct {
	Compute time.Duration
	Sums    Collectives // all-reduces among the devices of each replica, after computing
	Gather  Collectives // of parameters among the replicas
	Beside  bool        // parameters are gathered beside computing; else before it
}

// Collectives are some that come one after the other. The zero value is none.
type Collectives struct {
	Bytes float64 // of all buffers together
	Times float64 // how many: each pays its latencies
}

func (c *Collectives) add(bytes, times float64) {
	c.Bytes += bytes
	c.Times += times
}

// spansNodes reports whether the devices of a replica are in several nodes.
func (p *Problem) spansNodes(pool int) bool { return p.Team(pool) > p.Cluster.Pools[pool].Node.Devices }

// SharedPasses returns the forward pass through segment g at 2g, and the backward pass
// behind it. A pass that stays inside nodes is the zero value; nil: all do. It errs when
// a time exceeds the clock.
func (p *Problem) SharedPasses(pl *Plan) ([]SharedPass, error) {
	n, shared := 2*(pl.Segment[len(pl.Segment)-1]+1), false
	all, compute := make([]SharedPass, n), make([]float64, n)
	for l, t := range pl.Scheme {
		st, g := &pl.Stages[pl.StageOf[l]], 2*pl.Segment[l]
		c := &p.costs[int(t)*p.layers+l]
		parts := p.parts(st.Replicas)
		seconds := c.serial + c.parallel/parts
		compute[g] += seconds * c.forwardShare
		back := seconds * (1 - c.forwardShare)
		if p.Schedule.Delay != nil { // gradients of weights are computed apart, and send nothing
			back *= 1 - c.weightShare
		}
		compute[g+1] += back
		if p.spansNodes(st.Pool) {
			shared = true
			p.addSums(all[g:g+2], compute[g:g+2], st.Pool, l, parts)
		}
		if c.gathered > 0 && st.Replicas > p.perNode[st.Pool] {
			shared = true
			all[g].Gather.add(c.gathered, 1)
			all[g+1].Gather.add(c.gathered, 1)
		}
	}
	if !shared {
		return nil, nil
	}
	for i := range all {
		d, err := unit.Seconds(max(0, compute[i]))
		if err != nil {
			return nil, err
		}
		all[i].Compute, all[i].Beside = d, p.OverlapSync
	}
	return all, nil
}

// addSums adds the all-reduces of layer l to the passes, and takes their times on idle
// links off what the passes compute.
func (p *Problem) addSums(of []SharedPass, compute []float64, pool, l int, parts float64) {
	layer := &p.Model.Layers[l]
	if p.together(layer, pool) { // they are in the measured times
		return
	}
	pieces := p.micro / p.chunk()
	if p.ReplicaBatch > 0 { // replicas have whole pieces of a micro-batch each
		pieces /= parts
	}
	add := func(i, times int, elements float64) {
		seconds, latency := p.reduceSeconds(pool, workloads.Reduction{Times: times, Elements: elements})
		compute[i] -= (seconds-latency)/parts + latency
		if times > 0 {
			of[i].Sums.add(elements*p.micro*float64(elementBytes(p.Precision))/parts, float64(times)*pieces)
		}
	}
	add(0, layer.Reduce.Times, layer.Reduce.Elements)
	if p.Inference {
		return
	}
	add(1, layer.ReduceBack.Times, layer.ReduceBack.Elements)
	if _, again := p.kept(l, p.Team(pool)); again > 0 && p.Recompute == Full { // the forward pass once more
		add(1, layer.Reduce.Times, layer.Reduce.Elements)
	}
}

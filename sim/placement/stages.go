package placement

import "slices"

// stage is the work of one stage of a scheme, summed over its layers.
type stage struct {
	pool        int
	first, last int // layers
	segments    int

	serial, parallel                  float64 // seconds per micro-batch
	weights, table, act               float64 // bytes; act is weighted by micro-batches in flight
	plan, hostTime, bytesIn, bytesOut float64
	out, in                           [linkClasses]float64 // seconds per step through one port
	measured                          float64              // seconds per step of measured transfers
}

// Evaluator computes fitness. It holds scratch memory, so that nothing is
// allocated per scheme; use one for each goroutine.
type Evaluator struct {
	p *Problem

	stages  []stage
	stageOf []int // per layer
	segment []int // per layer
	poolSeg []int // by-type: stage of a pool + 1

	k, best []int     // devices per stage
	times   []float64 // time of a step per stage at k
	free    []int     // devices left per pool

}

// NewEvaluator returns an evaluator of p.
func NewEvaluator(p *Problem) *Evaluator {
	n := p.layers
	return &Evaluator{
		p: p, stages: make([]stage, 0, n),
		stageOf: make([]int, n), segment: make([]int, n), poolSeg: make([]int, p.pools),
		k: make([]int, n), best: make([]int, n), times: make([]float64, n), free: make([]int, p.pools),
	}
}

// merge forms the stages of a scheme: layers on one pool are combined, runs of
// consecutive layers (Contiguous) or all of them (ByType). It returns the number
// of a layer that its pool refuses, or -1.
func (ev *Evaluator) merge(s Scheme) (refused int) {
	p := ev.p
	ev.stages = ev.stages[:0]
	clear(ev.poolSeg)
	segments, previous := 0, -1
	for l, t := range s {
		if int(t) != previous {
			previous = int(t)
			segments++
			ev.open(int(t), l)
		} else {
			ev.stageOf[l] = ev.stageOf[l-1]
		}
		ev.segment[l] = segments - 1
		st := &ev.stages[ev.stageOf[l]]
		st.last = l
		c := &p.costs[int(t)*p.layers+l]
		if c.refused {
			return l
		}
		st.serial += c.serial
		st.parallel += c.parallel
		st.weights += c.weights
		if c.table > 0 {
			st.table += c.table
			st.plan += c.plan
			st.hostTime += c.hostTime
			st.bytesIn += c.bytesIn
			st.bytesOut += c.bytesOut
		}
	}
	ev.activations(s, segments)
	ev.cut(s)
	return -1
}

// open finds or makes the stage of a segment that begins with layer l on pool t.
func (ev *Evaluator) open(t, l int) {
	if ev.p.Merge == ByType && ev.poolSeg[t] > 0 {
		ev.stageOf[l] = ev.poolSeg[t] - 1
		ev.stages[ev.stageOf[l]].segments++
		return
	}
	ev.stages = append(ev.stages, stage{pool: t, first: l, segments: 1})
	ev.stageOf[l] = len(ev.stages) - 1
	ev.poolSeg[t] = len(ev.stages)
}

// activations weighs what each layer keeps by the micro-batches that the
// schedule holds in its segment at once.
func (ev *Evaluator) activations(s Scheme, segments int) {
	p := ev.p
	window, last := 1.0, -1
	for l, t := range s {
		if g := ev.segment[l]; g != last && !p.Inference {
			last = g
			window = float64(min(p.Microbatches, max(1, p.Schedule.Window(g, segments, p.Microbatches))))
		}
		ev.stages[ev.stageOf[l]].act += window * p.costs[int(t)*p.layers+l].act
	}
}

// cut charges every edge between two stages to the ports at both its ends:
// activations forward, gradients backward.
func (ev *Evaluator) cut(s Scheme) {
	p := ev.p
	m := float64(p.Microbatches)
	for i := range p.edges {
		e := &p.edges[i]
		if ev.segment[e.from] == ev.segment[e.to] {
			continue
		}
		// Segments of one stage hand data over in place.
		if ev.stageOf[e.from] == ev.stageOf[e.to] {
			continue
		}
		a, b := &ev.stages[ev.stageOf[e.from]], &ev.stages[ev.stageOf[e.to]]
		if e.seconds > 0 {
			d := m * e.seconds
			if e.gradient {
				d *= 2
			}
			a.measured += d
			b.measured += d
			continue
		}
		l := &p.links[int(s[e.from])*p.pools+int(s[e.to])]
		bytes := m * e.bytes
		a.out[l.class] += bytes / l.from
		b.in[l.class] += bytes / l.to
		if e.gradient {
			b.out[l.class] += bytes / l.to
			a.in[l.class] += bytes / l.from
		}
	}
}

// stepTime returns the seconds that stage i needs for one step on k devices when
// nothing makes it wait: ET = max(CT, DT) of the published cost model (HeterPS,
// arXiv:2111.10635, cost model; seeds: CT(k) = OCT (1 - alpha + alpha/k), DT(k) =
// ODT (1 - beta + beta/k), both for a whole batch), with the fetch of embedding
// rows as a third resource. Network ports come one a node, so DT falls by nodes.
func (ev *Evaluator) stepTime(i, k int) float64 {
	p, st := ev.p, &ev.stages[i]
	n := float64(k)
	compute := float64(p.Microbatches) * (st.serial + st.parallel/n)
	fetch := ev.fetchTime(i, k)
	if p.Lookahead == 0 {
		compute += fetch
		fetch = 0
	}
	return max(compute, ev.commTime(i, k), fetch)
}

// commTime is DT: the busiest of the stage's ports, each full duplex.
func (ev *Evaluator) commTime(i, k int) float64 {
	p, st := ev.p, &ev.stages[i]
	beta := p.CommParallel
	perDevice := 1 - beta + beta/float64(k)
	nic := max(st.out[nicClass], st.in[nicClass])
	if nic > 0 {
		nic *= 1 - beta + beta/float64(p.ports(st.pool, k))
	}
	peer := max(st.out[peerClass], st.in[peerClass]) * perDevice
	host := max(st.out[hostClass], st.in[hostClass]) * perDevice
	return max(nic, peer, host) + st.measured
}

// fetchTime is the time in which the rows that a round misses reach their slots:
// planning on the devices' index, then gathering in host memory and copying over
// the host links, which overlap.
func (ev *Evaluator) fetchTime(i, k int) float64 {
	p, st := ev.p, &ev.stages[i]
	if st.plan == 0 {
		return 0
	}
	n, bw := float64(k), p.hostLink[st.pool]
	host := st.hostTime / (float64(p.ports(st.pool, k)) * p.host[st.pool])
	copies := 0.0
	if bw > 0 {
		copies = max(st.bytesIn, st.bytesOut) / (n * bw)
	}
	return st.plan/n + max(host, copies)
}

// ports returns how many nodes k devices of a pool occupy.
func (p *Problem) ports(pool, k int) int {
	n := p.perNode[pool]
	return (k + n - 1) / n
}

// memoryFloor returns the smallest number of devices on which stage i fits, or 0
// when its replicated part alone exceeds a device.
func (ev *Evaluator) memoryFloor(i int) int {
	st := &ev.stages[i]
	room := ev.p.memory[st.pool] - st.weights
	shared := st.table + st.act
	if room < 0 || (room == 0 && shared > 0) {
		return 0
	}
	if shared <= room {
		return 1
	}
	k := int(shared / room)
	for float64(k)*room < shared {
		k++
	}
	return k
}

// usedLayers lists the layers of stage i in model order.
func (ev *Evaluator) usedLayers(i int) []int {
	var ls []int
	for l, s := range ev.stageOf {
		if s == i {
			ls = append(ls, l)
		}
	}
	return slices.Clip(ls)
}

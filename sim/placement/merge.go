package placement

// stage is the work of one stage of a scheme, summed over its layers.
type stage struct {
	common
	rare
}

// common is what every stage has.
type common struct {
	pool        int
	first, last int // layers

	serial, parallel    float64 // seconds per step on one device: serial + parallel / k
	weights, table, act float64 // bytes; act is weighted by micro-batches in flight
	crossed

	// What the above comes to, once the stage is complete.
	nic, direct float64 // the busier direction of the network ports; of all other links
	computeOnly bool    // no port and no fetch counts
}

// rare is zero unless the problem has slot tables or divides parameters.
type rare struct {
	sharded, gathered, scratch   float64 // bytes, as in layerCost: of all layers; of the largest
	most, mostOf                 int     // devices that can divide its slots, and the layer that says so; 0: any number
	backing                      float64 // bytes of rows in host memory behind slot tables
	rows                         rowWork // of a round
	gatherSerial, gatherParallel float64 // of serial and parallel: reading rows in the device's own memory
}

// crossed is what edges that cross the border of a stage take.
type crossed struct {
	out, in  [linkClasses]float64 // seconds per step through one port
	measured float64              // seconds per step of measured transfers
}

// join adds what other edges take.
func (c *crossed) join(o *crossed) {
	for k := range c.out {
		c.out[k] += o.out[k]
		c.in[k] += o.in[k]
	}
	c.measured += o.measured
}

// Evaluator computes fitness. It holds scratch memory, so that nothing is
// allocated per scheme; use one for each goroutine.
type Evaluator struct {
	p    *Problem
	jump int // devices from which provisioning bisects: jumpDevices, except in tests

	stages   []stage
	stageOf  []int // per layer
	segment  []int // per layer
	segments int
	poolSeg  []int // one stage a pool: the stage of a pool + 1

	sent []sent // scratch per stage

	k, best []int     // devices per stage
	times   []float64 // seconds per step of every stage at k
	free    []int     // devices left per pool

	fit, trial []int   // devices per stage with which ev.fitsIn is reached; scratch
	fitsIn     float64 // seconds per step; +Inf: fit is of another scheme

	load    []float64 // scratch per pool
	servers int       // parameter servers, with best

	pipe builder // of Recurrence

	counts    []int      // replicas of each pool that provisioning may take
	routed    *routed    // nil: stages have ports of their own
	rerouting *rerouting // same
}

// NewEvaluator returns an evaluator of p.
func NewEvaluator(p *Problem) *Evaluator {
	n := p.layers
	ev := &Evaluator{
		p: p, jump: jumpDevices, stages: make([]stage, 0, n),
		stageOf: make([]int, n), segment: make([]int, n), poolSeg: make([]int, p.pools), sent: make([]sent, n),
		k: make([]int, n), best: make([]int, n), times: make([]float64, n),
		fit: make([]int, n), trial: make([]int, n),
		free: make([]int, p.pools), load: make([]float64, p.pools), counts: p.count,
	}
	if ev.routed = p.newRouted(); ev.routed != nil {
		ev.rerouting = p.newRerouting()
		ev.pipe.routed, ev.pipe.before = ev.routed, p.before
	}
	return ev
}

// merge forms the stages of a scheme: layers on one pool are combined, runs of
// consecutive layers (Contiguous) or all of them (ByType, Convex). It returns how many
// layers their pools refuse, and the first of them; with any, stages are not
// complete.
func (ev *Evaluator) merge(s Scheme) (refused, first int) {
	p := ev.p
	if p.plain && ev.mergeRuns(s) {
		return 0, 0
	}
	ev.stages = ev.stages[:0]
	if p.byPool {
		clear(ev.poolSeg)
	}
	g, previous, at := -1, -1, 0
	for l, t := range s {
		if int(t) != previous {
			previous = int(t)
			g++
			at = ev.open(int(t), l)
		}
		ev.segment[l], ev.stageOf[l] = g, at
		w := &p.work[int(t)*p.layers+l]
		if w.refused {
			if refused++; refused == 1 {
				first = l
			}
			continue
		}
		st := &ev.stages[at]
		st.last = l
		st.serial += w.serial
		st.parallel += w.parallel
		st.weights += w.weights
		st.table += w.table
		if w.slotted {
			st.addRows(&p.costs[int(t)*p.layers+l], float64(p.Microbatches))
			st.limit(p.costs[int(t)*p.layers+l].most, l)
		}
		if p.divides {
			st.divide(&p.costs[int(t)*p.layers+l])
		}
	}
	ev.segments = g + 1
	if refused > 0 {
		return refused, first
	}
	ev.activations(s)
	ev.cut()
	for i := range ev.stages {
		ev.stages[i].settle()
	}
	return 0, 0
}

// mergeRuns is merge where every run of layers is a stage that has the common parts
// alone. It is false where a layer is refused.
func (ev *Evaluator) mergeRuns(s Scheme) bool {
	p := ev.p
	n := 1
	for l := 1; l < len(s); l++ {
		if s[l] != s[l-1] {
			n++
		}
	}
	ev.stages, ev.segments = ev.stages[:n], n // there is room for a stage a layer
	var row []float64
	if n < len(p.windows) {
		row = p.windows[n]
	}
	for g, l := 0, 0; l < len(s); g++ {
		t, first := s[l], l
		var window float64
		if row != nil {
			window = row[g]
		} else {
			window = p.window(g, n)
		}
		work := p.work[int(t)*p.layers:]
		var serial, parallel, weights, table, act float64
		for ; l < len(s) && s[l] == t; l++ {
			w := &work[l]
			if w.refused {
				return false
			}
			ev.segment[l], ev.stageOf[l] = g, g
			serial += w.serial
			parallel += w.parallel
			weights += w.weights
			table += w.table
			act += window * w.act
		}
		ev.stages[g].common = common{
			pool: int(t), first: first, last: l - 1,
			serial: serial, parallel: parallel, weights: weights, table: table, act: act,
		}
	}
	ev.cut()
	for i := range ev.stages {
		ev.stages[i].settle()
	}
	return true
}

// open finds or makes the stage of a segment that begins with layer l on pool t.
func (ev *Evaluator) open(t, l int) int {
	if ev.p.byPool {
		if at := ev.poolSeg[t]; at > 0 {
			return at - 1
		}
		ev.poolSeg[t] = len(ev.stages) + 1
	}
	at := len(ev.stages)
	ev.stages = ev.stages[:at+1] // there is room for a stage a layer
	st := &ev.stages[at]
	st.common = common{pool: t, first: l}
	if ev.p.rare {
		st.rare = rare{}
	}
	return at
}

// limit heeds that layer l can be on so many devices at most; 0: on any number.
func (st *stage) limit(most, l int) {
	if most > 0 && (st.most == 0 || most < st.most) {
		st.most, st.mostOf = most, l
	}
}

// divide adds what replicas divide of a layer's parameters, and heeds what is there only
// while it runs: one layer after the other.
func (st *stage) divide(c *layerCost) {
	st.sharded += c.sharded
	st.gathered, st.scratch = max(st.gathered, c.gathered), max(st.scratch, c.scratch)
}

// addRows adds what a layer behind a slot table asks of hosts and links.
func (st *stage) addRows(c *layerCost, microbatches float64) {
	st.backing += c.backing
	st.rows.add(&c.rows)
	serial, parallel := c.gatherParts()
	st.gatherSerial += microbatches * serial
	st.gatherParallel += microbatches * parallel
}

// activations weighs what each layer keeps by the micro-batches that the
// schedule holds in its segment at once. In inference nothing is kept for a
// backward pass: the largest layer counts.
func (ev *Evaluator) activations(s Scheme) {
	p, n := ev.p, ev.segments
	if p.Inference {
		for l, t := range s {
			st := &ev.stages[ev.stageOf[l]]
			st.act = max(st.act, p.work[int(t)*p.layers+l].act)
		}
		return
	}
	if p.Schedule.Chunked && n > len(ev.stages) {
		ev.chunkActivations(s)
		return
	}
	var row []float64
	if n < len(p.windows) {
		row = p.windows[n]
	}
	for l, g := 0, 0; l < len(s); g++ {
		window, work := 0.0, p.work[int(s[l])*p.layers:]
		if row != nil {
			window = row[g]
		} else {
			window = p.window(g, n)
		}
		sum := &ev.stages[ev.stageOf[l]].act
		for ; l < len(s) && ev.segment[l] == g; l++ {
			*sum += window * work[l].act
		}
	}
}

// chunkActivations is activations for stages of several segments whose schedule says
// how many micro-batches each holds.
func (ev *Evaluator) chunkActivations(s Scheme) {
	p := ev.p
	stageOf := make([]int, ev.segments)
	for l := range s {
		stageOf[ev.segment[l]] = ev.stageOf[l]
	}
	held := p.Schedule.HeldBy(stageOf, p.Microbatches)
	for l, t := range s {
		ev.stages[ev.stageOf[l]].act += float64(held[ev.segment[l]]) * p.work[int(t)*p.layers+l].act
	}
}

// settle works out what stepTime needs. Ports are full duplex: the busier
// direction counts.
func (st *stage) settle() {
	st.nic = larger(st.out[nicClass], st.in[nicClass])
	st.direct = larger(larger(st.out[peerClass], st.in[peerClass]), larger(st.out[hostClass], st.in[hostClass]))
	st.computeOnly = st.nic == 0 && st.direct == 0 && st.measured == 0 && st.rows.plan == 0
}

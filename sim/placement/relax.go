package placement

import "math"

// relaxation is what `exact` and the bounds solve in place of a problem with
// contiguous stages: every scheme of the problem is a route of the relaxation
// that takes no longer and costs no more, so that the best route bounds all
// schemes. A route leaves open where more than its neighbours decide what a
// stage costs; on chains, and on graphs whose pools reach all others alike,
// nothing is left open and the best route is the optimum.
//
// Left open, and taken for the least that it can be:
//   - what an edge to or from a stage that is not a neighbour costs, when the
//     pool at the other end could make a difference, but for one edge over each
//     cut, of which routes keep track (skip);
//   - to how many stages a layer sends its output, if to several layers, but for
//     what follows from that edge;
//   - how many micro-batches a stage holds, when the schedule says more than how
//     many stages follow.
type relaxation struct {
	p      *Problem
	domain []uint64 // per layer: the pools that it may be on, as bits

	// lanes makes times bound those of the recurrence, which knows channels between
	// two stages rather than ports: a stage whose layers run one after the other takes
	// no less than the busiest channel to a neighbour. With stages that may be
	// scattered, communication counts for nothing.
	lanes bool

	// computeOnly leaves all communication between stages out: then times bound
	// those of the recurrence too, which knows channels rather than ports.
	computeOnly bool

	face    []int    // [pool*pools + other]: which of the pool's faces is towards other
	near    []int    // per pool: how many of its faces, the first ones, are towards others
	faces   [][]face // per pool: the different ways in which it reaches others
	inEdges [][]int  // per layer: indices of edges that lead to it
	outAt   []int    // per layer: its first edge in p.edges, which are by source

	live    [][]int     // per cut: the layers before it that send to layers behind it, the last one first
	skips   []skip      // per cut; nil: routes keep track of none
	flows   [][]outflow // [(pool*(layers+1)+cut)*variantKinds + kind], by prepare
	mostOut []crossed   // [pool*(layers+1) + cut], same: no less than what goes over it

	window float64 // the least that any segment has
	known  []sent  // scratch

	follow bool // windows follow from how many stages come after
	ev     *Evaluator
}

// face is how one end of a link looks from a pool: seconds per step of one byte
// per micro-batch that it sends or gets over it.
type face struct {
	class     linkClass
	send, get float64
}

// newRelaxation relaxes a problem for the closed form or the recurrence.
func newRelaxation(p *Problem, f Fidelity) *relaxation {
	rec := f == Recurrence
	r := &relaxation{p: p, lanes: rec && p.Merge == Contiguous && p.routes == nil, computeOnly: rec && (p.Merge != Contiguous || p.routes != nil), face: make([]int, p.pools*p.pools), faces: make([][]face, p.pools), ev: NewEvaluator(p)}
	r.ev.stages = make([]stage, 1)
	r.domain = make([]uint64, p.layers)
	for l := range r.domain {
		for t := range p.pools {
			if !p.work[t*p.layers+l].refused {
				r.domain[l] |= 1 << t
			}
		}
	}
	r.near = make([]int, p.pools)
	for t := range p.pools {
		for i := range p.pools { // itself last
			u := (t + 1 + i) % p.pools
			if u == t {
				r.near[t] = max(1, len(r.faces[t]))
			}
			f := face{p.links[t*p.pools+u].class, p.links[t*p.pools+u].fromStep, p.links[u*p.pools+t].toStep}
			if r.computeOnly {
				f = face{}
			}
			r.face[t*p.pools+u] = r.addFace(t, f)
		}
	}
	r.inEdges, r.outAt = make([][]int, p.layers), make([]int, p.layers+1)
	for i := range p.edges {
		r.inEdges[p.edges[i].to] = append(r.inEdges[p.edges[i].to], i)
		r.outAt[p.edges[i].from+1]++
	}
	for l := range p.layers {
		r.outAt[l+1] += r.outAt[l]
	}
	r.live = make([][]int, p.layers+1)
	for f := p.layers - 1; f >= 0; f-- {
		if r.outAt[f] < r.outAt[f+1] {
			for b := f + 1; b <= p.edges[r.outAt[f+1]-1].to; b++ {
				r.live[b] = append(r.live[b], f)
			}
		}
	}
	if r.tracks() {
		if r.skips = r.track(); r.spanCount() > trackedSpans {
			r.skips = nil
		}
	}
	r.follow, r.window = p.windowsFollow(), r.leastWindow()
	return r
}

// prepare lists what crosses each cut, once the domain is decided.
func (r *relaxation) prepare() {
	r.flows = make([][]outflow, r.p.pools*(r.p.layers+1)*variantKinds)
	if r.computeOnly {
		return
	}
	for t := range r.p.pools {
		for b := 1; b < r.p.layers; b++ {
			flows := r.flows[(t*(r.p.layers+1)+b)*variantKinds:]
			loosely := r.outflows(t, b)
			if flows[whole] = loosely; r.tracked(b) {
				flows[whole], flows[apart], flows[loose] = r.skipFlows(t, b, whole), r.skipFlows(t, b, apart), loosely
				flows[closing] = flows[whole]
			}
		}
	}
	if r.skips != nil {
		r.mostOut = make([]crossed, r.p.pools*(r.p.layers+1))
		for i := range r.mostOut {
			r.mostOut[i] = r.mostOver(i/(r.p.layers+1), i%(r.p.layers+1))
		}
	}
}

// crossing returns what crosses the cut at the end of a span.
func (s *span) crossing(kind int) []outflow {
	return s.r.flows[(s.pool*(s.r.p.layers+1)+s.end)*variantKinds+kind]
}

func (r *relaxation) addFace(t int, f face) int {
	for i, g := range r.faces[t] {
		if f == g {
			return i
		}
	}
	r.faces[t] = append(r.faces[t], f)
	return len(r.faces[t]) - 1
}

// windowsFollow reports whether a segment's window is a function of how many
// segments come after it, as in every schedule without interleaving.
func (p *Problem) windowsFollow() bool {
	if p.Inference {
		return true
	}
	for n := 1; n <= min(p.layers, tabulated); n++ {
		for g := range n {
			if p.window(g, n) != p.window(0, n-g) {
				return false
			}
		}
	}
	return true
}

// windowAfter returns the window of a segment that so many follow, or the least
// that it can be.
func (r *relaxation) windowAfter(following int) float64 {
	p := r.p
	if r.follow {
		return p.window(0, following+1)
	}
	least := math.Inf(1)
	for n := following + 1; n <= min(p.layers, following+tabulated); n++ {
		least = min(least, p.window(n-1-following, n))
	}
	return least
}

// knownFace returns the face of pool t towards layer l, or -1 when the pools that
// l may be on have different ones.
func (r *relaxation) knownFace(t, l int) int {
	if len(r.faces[t]) == 1 || r.p.byPool && r.near[t] == 1 {
		return 0
	}
	known := -1
	for u := range r.p.pools {
		if r.domain[l]&(1<<u) == 0 || r.p.byPool && u == t { // its layers are one stage
			continue
		}
		f := r.face[t*r.p.pools+u]
		if known >= 0 && known != f {
			return -1
		}
		known = f
	}
	return known
}

// outflow is what a layer sends over a cut to layers behind it.
type outflow struct {
	from     int
	face     int // or near, or over
	sent     sent
	gradient bool
}

// outflows lists what crosses the cut before layer b from a pool, the last layer
// first. Layers behind the cut are taken for one stage wherever they may be: more
// stages would get no less. Under Added that is exact, a layer pays once.
func (r *relaxation) outflows(pool, b int) []outflow {
	p := r.p
	var flows []outflow
	if r.lanes {
		return r.lane(b)
	}
	for _, f := range r.live[b] {
		known := make([]sent, len(r.faces[pool]))
		var all, next sent
		for i := r.outAt[f]; i < r.outAt[f+1]; i++ {
			e := &p.edges[i]
			if e.to < b {
				continue
			}
			all.add(e, p.output[f])
			if k := r.knownFace(pool, e.to); k >= 0 {
				known[k].add(e, p.output[f])
			} else if e.to == b {
				next.add(e, p.output[f])
			}
		}
		gradient := p.edges[r.outAt[f]].gradient
		if p.added {
			flows = append(flows, outflow{f, 0, all, gradient})
			continue
		}
		sum := 0.0
		for k, v := range known {
			if v.bytes > 0 {
				flows = append(flows, outflow{f, k, sent{bytes: v.bytes}, gradient})
				sum += v.bytes
			}
		}
		// The next layer's stage may be one of the known ones.
		if rest := min(next.bytes, p.output[f]-sum); rest > 0 {
			flows = append(flows, outflow{f, near, sent{bytes: rest}, gradient})
		}
		if all.seconds > 0 {
			flows = append(flows, outflow{f, 0, sent{seconds: all.seconds}, gradient})
		}
	}
	return flows
}

// lane is outflows where only the channel to the next stage counts.
func (r *relaxation) lane(b int) []outflow {
	var flows []outflow
	for i := len(r.inEdges[b]) - 1; i >= 0; i-- {
		e := &r.p.edges[r.inEdges[b][i]]
		flows = append(flows, outflow{e.from, near, sent{e.bytes, e.seconds}, e.gradient})
	}
	return flows
}

// fewest returns the fewest devices, at least so many, with which a stage needs at most
// t seconds and fits its memory, or 0 if no number of the pool's does.
func (r *relaxation) fewest(st *stage, t float64, least int) int {
	ev, count := r.ev, r.p.count[st.pool]
	ev.stages = ev.stages[:1]
	ev.stages[0] = *st
	lo := least
	if r.p.need(st, 1) > r.p.memory[st.pool] || st.backing > 0 {
		floor := ev.memoryFloor(0)
		if floor == 0 || floor > count || st.most > 0 && floor > st.most {
			return 0
		}
		lo = max(lo, floor)
	}
	if ev.stepTime(0, lo) <= t {
		return lo
	}
	if over := t - st.serial; over > 0 && st.parallel/over < float64(count) {
		if k := int(st.parallel / over); k > lo && !(ev.stepTime(0, k) <= t) {
			lo = k
		}
	}
	hi := lo + 1
	for hi < count && !(ev.stepTime(0, hi) <= t) {
		lo, hi = hi, min(count, hi+(hi-lo)*2)
	}
	if hi > count || !(ev.stepTime(0, hi) <= t) {
		return 0
	}
	for lo+1 < hi {
		if mid := (lo + hi) / 2; ev.stepTime(0, mid) <= t {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// hopeless reports that the span needs more than t seconds or more memory than
// there is, whatever it still grows by.
func (r *relaxation) hopeless(s *span, t float64) bool {
	p := r.p
	return s.st.weights >= p.memory[s.pool] || s.st.serial+s.st.parallel*p.share(s.pool, p.count[s.pool]).device > t
}

package placement

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"stowage/hw"
)

// assignment is a search for the best scheme whose stages are all layers of a
// pool, wherever they are: depth first over the layers, each on every pool, cut
// where a bound shows that nothing better comes.
//
// Computation is a sum over a stage's layers at any number of devices, and what
// stages send each other only grows as layers are placed. So with all devices of
// every pool, and weights w >= 0 on pools that add up to 1, a step takes at least
//
//	sum over pools of w (load of layers placed) + sum over the others of min over pools of w load
//
// which is the dual of spreading layers over pools in parts. The devices of a stage
// cost at least p (serial + parallel) for its time, so a step costs at least the sum
// of that.
type assignment struct {
	s    *search
	p    *Problem
	r    *relaxation
	sc   Scheme
	like []int // per pool: the pool before it that is alike, or -1

	load, paid []float64   // [layer*pools + pool]: seconds on all devices; USD/h x s at least
	dual       []weighting // bounds
	least      []float64   // per layer: paid of it and those behind it
	whole      *packing    // a bound on whole layers; nil: too many are unlike

	at    []laid   // per layer and pool: the pool's stage before the layer is placed
	got   []sent   // [layer*pools + pool]: what the layer sends to the pool's stage
	undo  []undone // of got
	cost  float64
	nodes int
}

// weighting is weights on pools, and what they make of each layer and those behind
// it at least.
type weighting struct{ weight, rest []float64 }

// exactNodes is after how many layers placed `exact` gives up on by-type stages.
var exactNodes = 1 << 23 // tests lower it

// errNodes ends a search that placed exactNodes layers.
var errNodes = budgetError(fmt.Sprintf("exactNodes = %d layers placed", exactNodes))

// exactByType finds the best scheme and proves it, or what it can within exactNodes.
func (s *search) exactByType() error {
	if err := s.incumbent(); err != nil {
		return err
	}
	a := s.newAssignment()
	var err error
	if a.whole == nil || a.whole.fits(a.limit()) {
		err = a.place(0)
	}
	switch {
	case err != nil:
		s.prove(a.root(), fmt.Sprintf("no scheme is better than this bound: layers spread over all devices in parts; %d were placed", a.nodes))
	case s.fitness.Feasible:
		s.prove(s.fitness.Value, fmt.Sprintf("optimal to one part in 10^9: no other scheme is better, after %d layers placed", a.nodes))
	default:
		s.certificate = fmt.Sprintf("no scheme fits, after %d layers placed", a.nodes)
	}
	return err
}

// incumbent looks for a good scheme: the best convex one, if that is quickly
// found, then local search, then swaps of two layers.
func (s *search) incumbent() error {
	if !exactClimbs {
		return nil
	}
	if x, err := newProof(s); err == nil && x.ideals != nil {
		x.limit, x.scout = 1, true
		if err := x.run(); err != nil && s.stopped() != nil {
			return err
		}
	}
	if err := s.local(); err != nil {
		return err
	}
	return s.swaps()
}

// swaps exchanges the pools of two layers as long as that is better.
func (s *search) swaps() error {
	sc := slices.Clone(s.best)
	for again := true; again; {
		again = false
		for i := range sc {
			if err := s.stopped(); err != nil {
				return err
			}
			for j := range i {
				if sc[i] == sc[j] {
					continue
				}
				was := s.fitness
				sc[i], sc[j] = sc[j], sc[i]
				if s.evaluate(sc); better(s.fitness, was) {
					again = true
				} else {
					sc[i], sc[j] = sc[j], sc[i]
				}
			}
		}
	}
	return nil
}

func (s *search) newAssignment() *assignment {
	p := s.p
	a := &assignment{
		s: s, p: p, r: newRelaxation(p, s.opt.Fidelity), sc: make(Scheme, p.layers), like: make([]int, p.pools),
		load: make([]float64, p.layers*p.pools), paid: make([]float64, p.layers*p.pools), least: make([]float64, p.layers+1),
		at: make([]laid, (p.layers+1)*p.pools), got: make([]sent, p.layers*p.pools),
	}
	for t := range p.pools {
		a.like[t] = -1
	}
	for _, kind := range a.r.kinds() {
		for i := 1; i < len(kind); i++ {
			if p.linked(kind[i-1], kind[i]) {
				a.like[kind[i]] = kind[i-1]
			}
		}
	}
	for l := range p.layers {
		for t := range p.pools {
			w := &p.work[t*p.layers+l]
			a.load[l*p.pools+t], a.paid[l*p.pools+t] = math.Inf(1), math.Inf(1)
			if !w.refused {
				a.load[l*p.pools+t] = w.serial + w.parallel*p.share(t, p.count[t]).device
				a.paid[l*p.pools+t] = p.price[t] * (w.serial + w.parallel)
			}
		}
	}
	for l := p.layers - 1; l >= 0; l-- {
		a.least[l] = a.least[l+1] + slices.Min(a.paid[l*p.pools:(l+1)*p.pools])
	}
	a.weigh()
	a.whole = newPacking(a)
	return a
}

// linked reports whether two pools are alike in all their links, and so at the
// recurrence's fidelity too, whose relaxation leaves communication out.
func (p *Problem) linked(t, u int) bool {
	a, b := &p.Cluster.Pools[t], &p.Cluster.Pools[u]
	if a.Inside != b.Inside || !sameLink(&a.Node.NIC, &b.Node.NIC) || !sameLink(&a.Node.PeerLink, &b.Node.PeerLink) {
		return false
	}
	for v := range p.pools {
		if v != t && v != u && (p.links[t*p.pools+v] != p.links[u*p.pools+v] || p.links[v*p.pools+t] != p.links[v*p.pools+u]) {
			return false
		}
	}
	return p.links[t*p.pools+u] == p.links[u*p.pools+t]
}

func sameLink(a, b *hw.Link) bool { return a.Bandwidth == b.Bandwidth && a.Latency == b.Latency }

// weigh finds weights by raising those of pools that get more than the others when
// every layer takes the pool where it weighs least. It keeps the best and some on
// the way to them.
func (a *assignment) weigh() {
	p := a.p
	weight := make([]float64, p.pools)
	for t := range weight {
		weight[t] = 1 / float64(p.pools)
	}
	best := -1.0
	for round := range 512 {
		load, most, sum := make([]float64, p.pools), 0.0, 0.0
		for l := range p.layers {
			_, at := a.lightest(l, weight)
			load[at] += a.load[l*p.pools+at]
		}
		w := a.weighting(slices.Clone(weight))
		if w.rest[0] > best || round&(round+1) == 0 {
			best = max(best, w.rest[0])
			a.dual = append(a.dual, w)
		}
		for _, v := range load {
			most = max(most, v)
		}
		if !positive(most) {
			break
		}
		for t := range weight {
			weight[t] *= math.Exp(load[t] / most / math.Sqrt(float64(round+1)))
			sum += weight[t]
		}
		for t := range weight {
			weight[t] /= sum
		}
	}
	slices.SortStableFunc(a.dual, func(v, w weighting) int { return cmp.Compare(w.rest[0], v.rest[0]) })
	a.dual = a.dual[:min(len(a.dual), 6)]
}

// lightest returns the least that a layer weighs, and on which pool.
func (a *assignment) lightest(l int, weight []float64) (least float64, at int) {
	least = math.Inf(1)
	for t, w := range weight {
		if v := w * a.load[l*a.p.pools+t]; v < least {
			least, at = v, t
		}
	}
	return least, at
}

func (a *assignment) weighting(weight []float64) weighting {
	w := weighting{weight, make([]float64, a.p.layers+1)}
	for l := a.p.layers - 1; l >= 0; l-- {
		v, _ := a.lightest(l, weight)
		w.rest[l] = w.rest[l+1] + v
	}
	return w
}

// root returns the bound before any layer is placed, as a fitness.
func (a *assignment) root() float64 {
	seconds := 0.0
	for _, w := range a.dual {
		seconds = max(seconds, w.rest[0])
	}
	if a.whole != nil {
		seconds = a.whole.least(seconds)
	}
	return a.p.best(a.s.opt.Fidelity, max(seconds, a.p.fluidTime()), a.least[0])
}

// best returns the fitness that a step of at least so many seconds and USD/h x s
// can have at most; 0: no bound.
func (p *Problem) best(f Fidelity, seconds, paid float64) float64 {
	if f == Recurrence {
		seconds -= p.rounding()
		paid -= p.rounded()
	}
	if p.Objective == Cost {
		if cost := p.costOf(paid, 1) * (1 - slack); cost > 0 {
			return 1 / cost
		}
		return 0
	}
	if seconds *= 1 - slack; !(seconds > 0) {
		return 0
	}
	if p.Objective == Time {
		return 1 / seconds
	}
	return float64(p.Batch) / seconds
}

// rounded is what a step is rounded by at most at the fidelity of the recurrence, in
// USD/h x s of all devices.
func (p *Problem) rounded() float64 {
	sum := 0.0
	for t, n := range p.count {
		sum += p.rounding() * p.price[t] * float64(n)
	}
	return sum
}

// limit is the step time that a better scheme must be below.
func (a *assignment) limit() float64 {
	p, f := a.p, a.s.fitness
	t := math.Inf(1)
	if p.MinThroughput > 0 {
		t = float64(p.Batch) / (p.MinThroughput * (1 - slack))
	}
	if p.Objective != Cost && f.Feasible {
		t = min(t, float64(p.Batch)/f.Throughput)
	}
	t *= 1 - exactTolerance/2
	if a.s.opt.Fidelity == Recurrence {
		t += p.rounding()
	}
	return t
}

// place puts layer l and those behind it on pools in every way that may be better.
func (a *assignment) place(l int) error {
	p := a.p
	if l == p.layers {
		a.s.evaluate(a.sc)
		return a.s.stopped()
	}
	var room [MaxPools]choice
	choices := room[:0]
	at := a.at[l*p.pools : (l+1)*p.pools]
	for t := range p.pools {
		if math.IsInf(a.load[l*p.pools+t], 1) || a.like[t] >= 0 && at[t].layers == 0 && at[a.like[t]].layers == 0 {
			continue
		}
		choices = append(choices, choice{t, at[t].compute + a.load[l*p.pools+t]})
	}
	slices.SortStableFunc(choices, func(x, y choice) int { return cmp.Compare(x.load, y.load) })
	cost, undo := a.cost, len(a.undo)
	for _, c := range choices {
		if a.nodes++; a.nodes > exactNodes {
			return errNodes
		}
		if a.nodes%4096 == 0 {
			if err := a.s.stopped(); err != nil {
				return err
			}
		}
		a.put(l, c.pool)
		var err error
		if a.promising(l + 1) {
			err = a.place(l + 1)
		}
		for len(a.undo) > undo {
			last := a.undo[len(a.undo)-1]
			a.got[last.at] = last.was
			a.undo = a.undo[:len(a.undo)-1]
		}
		a.cost = cost
		if err != nil {
			return err
		}
	}
	return nil
}

type choice struct {
	pool int
	load float64
}

type undone struct {
	at  int
	was sent
}

// laid is what the layers placed make of a stage on all devices of its pool.
type laid struct {
	layers              int
	compute, measured   float64 // seconds per step
	weights, act, table float64 // bytes, as in stage, act at least
	sharded, gathered   float64
	scratch             float64
	out, in             [linkClasses]float64
}

// bytes is need for n replicas, before rounding up, of the device that has the least to do.
func (st *laid) bytes(p *Problem, pool int, n float64) float64 {
	group := float64(p.Cluster.Pools[pool].Group())
	return st.weights + st.gathered + ((st.act+st.scratch)*p.least[pool]+(st.table+st.sharded-st.gathered)/group)/n
}

// put places layer l on a pool: a.at of the next layer is as a.at of this one, with it.
func (a *assignment) put(l, pool int) {
	p := a.p
	at := a.at[(l+1)*p.pools : (l+2)*p.pools]
	copy(at, a.at[l*p.pools:(l+1)*p.pools])
	a.sc[l] = uint8(pool)
	w, st := &p.work[pool*p.layers+l], &at[pool]
	st.layers++
	st.compute += a.load[l*p.pools+pool]
	st.weights += w.weights
	if p.Inference {
		st.act = max(st.act, w.act)
	} else {
		st.act += w.act * a.r.window
	}
	st.table += w.table
	if p.divides {
		c := &p.costs[pool*p.layers+l]
		st.sharded += c.sharded
		st.gathered, st.scratch = max(st.gathered, c.gathered), max(st.scratch, c.scratch)
	}
	a.cost += a.paid[l*p.pools+pool]
	if a.r.computeOnly {
		return
	}
	for _, i := range a.r.inEdges[l] {
		if e := &p.edges[i]; int(a.sc[e.from]) != pool {
			a.send(at, e, pool)
		}
	}
}

// send charges what an edge adds to what its first layer sends to a pool's stage.
func (a *assignment) send(at []laid, e *edgeCost, pool int) {
	p, source := a.p, int(a.sc[e.from])
	i := e.from*p.pools + pool
	was := a.got[i]
	a.undo = append(a.undo, undone{i, was})
	a.got[i].add(e, p.output[e.from])
	more := sent{a.got[i].bytes - was.bytes, a.got[i].seconds - was.seconds}
	if p.added {
		a.pay(&at[pool], pool, more, e.gradient)
		// Out of its stage it goes once, for whoever reads most of it.
		a.undo = append(a.undo, undone{e.from*p.pools + source, a.got[e.from*p.pools+source]})
		gone := &a.got[e.from*p.pools+source]
		less := sent{max(0, a.got[i].bytes-gone.bytes), max(0, a.got[i].seconds-gone.seconds)}
		gone.bytes, gone.seconds = gone.bytes+less.bytes, gone.seconds+less.seconds
		a.pay(&at[source], source, less, e.gradient)
		return
	}
	d := stepSeconds(p, more.seconds, e.gradient)
	at[source].measured += d
	at[pool].measured += d
	l := &p.links[source*p.pools+pool]
	at[source].out[l.class] += more.bytes * l.fromStep
	at[pool].in[l.class] += more.bytes * l.toStep
	if e.gradient {
		at[pool].out[l.class] += more.bytes * l.toStep
		at[source].in[l.class] += more.bytes * l.fromStep
	}
}

func (a *assignment) pay(st *laid, pool int, v sent, gradient bool) {
	full := crossed{measured: st.measured, out: st.out}
	a.r.pay(&full, pool, v, gradient)
	st.measured, st.out = full.measured, full.out
}

// promising reports whether placing the layers from l on may still lead to a
// better scheme.
func (a *assignment) promising(l int) bool {
	p, limit := a.p, a.limit()
	at := a.at[l*p.pools : (l+1)*p.pools]
	var loads [MaxPools]float64
	for t := range at {
		st := &at[t]
		if st.layers == 0 {
			continue
		}
		n := p.count[t]
		sh := p.share(t, n)
		nic := max(st.out[nicClass], st.in[nicClass])
		direct := max(st.out[peerClass], st.in[peerClass], st.out[hostClass], st.in[hostClass])
		comm := max(direct*sh.links, nic*sh.ports) + st.measured
		loads[t] = st.compute
		if p.added {
			loads[t] += comm
		}
		if max(loads[t], comm) > limit || st.bytes(p, t, float64(n)) > p.memory[t]*(1+slack) {
			return false
		}
	}
	for i := range a.dual {
		w := &a.dual[i]
		sum := w.rest[l]
		for t, v := range w.weight {
			sum += v * loads[t]
		}
		if sum*(1-slack) > limit {
			return false
		}
	}
	paid, f := a.cost+a.least[l], a.s.fitness
	if a.s.opt.Fidelity == Recurrence {
		paid -= p.rounded()
	}
	cost := p.costOf(paid, 1) * (1 - slack)
	if p.MaxCost > 0 && cost > p.MaxCost*(1+slack) {
		return false
	}
	return p.Objective != Cost || !f.Feasible || cost < f.Cost*(1-exactTolerance/2)
}

package placement

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// unroll is a search for the best scheme with contiguous stages at the fidelity of
// the recurrence: depth first from the last stage to the first, cut where bounds
// show that no scheme with these last stages is better than a threshold.
//
// Where every layer reads the one before it, micro-batches pass the stages one
// after the other. Stage i spends f on a micro-batch's forward pass and b on its
// backward pass, links c and d between it and the stage behind, and its devices y on
// agreeing on gradients; M micro-batches, w of them in flight. A step takes
//
//	at least  p + M (f + b) + q  and  p + M f + (M - w + 1) b + r + q  by any stage i
//	with      p = sum over j < i of (f + c), r = sum over j > i of (f + b + c + d before it)
//	and       q = max(y, b + d + q of the stage before):
//
// the first micro-batch comes through the stages before i, and the last one goes
// back through them; before the last forward pass, M - w backward passes are done,
// and it goes through all stages behind. Stages that are not yet known take as long
// as their layers do on all devices of the fastest pool.
//
// A stage that takes M t <= T has at least the devices that the closed form asks for
// at T, so the router's bounds on devices hold here too.
type unroll struct {
	s *search
	p *Problem
	o *router
	m float64

	chained bool      // and the schedule is plain
	front   []float64 // per layer: forward passes of those before it, at least
	back    []float64 // same, backward
	fill    []float64 // [layer*pools + pool]: forward and backward passes before a stage that begins there, and links, at least
	paid    []float64 // per layer: USD/h x s of those before it, at least
	sums    []timeSums
	lag     []lag // [(layer*pools + from)*pools + to]: of a cut before the layer, at least

	sc        Scheme
	stages    []unrolled // the last first
	taken     float64    // by them and links, of a micro-batch
	part      float64    // of a layer's passes that the backward one can be, at most
	levels    []unrollLevel
	threshold float64 // fitness that a scheme must exceed
	time      float64 // step time that has it; +Inf: of no use
	nodes     int
	most      int
}

// unrolled is a stage of the search.
type unrolled struct {
	pool, first, end int
	devices          int // at least
	f, b, sync       float64
	lag              lag // towards the stage behind
}

// exactUnrolls is after how many stages placed `exact` gives up at the fidelity of
// the recurrence.
const exactUnrolls = 1 << 28

// errUnrolls ends a search that placed exactUnrolls stages.
var errUnrolls = budgetError(fmt.Sprintf("exactUnrolls = %d stages placed", exactUnrolls))

// exactUnrolled finds the best scheme at the recurrence's fidelity and proves it, or
// how far from the best it can be.
func (s *search) exactUnrolled() error {
	if err := s.p.exactable(); err != nil {
		return err
	}
	if err := s.local(); err != nil {
		return err
	}
	s.bounded(true)                          // by computation alone
	if s.bound == 0 && s.certificate != "" { // nothing fits
		return nil
	}
	u := s.newUnroll()
	err := u.prove(0, exactUnrolls/4*3)
	if err == nil && !s.fitness.Feasible {
		s.bound, s.certificate = 0, fmt.Sprintf("no scheme fits, after %d stages placed", u.nodes)
		return nil
	}
	if err == nil {
		s.prove(s.fitness.Value, fmt.Sprintf("optimal to one part in 10^9: no other scheme is better, after %d stages placed", u.nodes))
		return nil
	}
	// The proof is too long. Say that no scheme is much better.
	for range 3 {
		if err != errUnrolls || !s.fitness.Feasible {
			return err
		}
		goal := s.fitness.Value + (s.bound-s.fitness.Value)/2
		if err = u.prove(goal, exactUnrolls/12); err == nil {
			s.prove(max(goal, s.fitness.Value), fmt.Sprintf("no scheme is better than this bound, after %d stages placed", u.nodes))
			err = errUnrolls
		} else if err == errUnrolls {
			break
		}
	}
	return err
}

// prove searches for schemes whose fitness exceeds goal. It errs when it gives up,
// after placing most stages.
func (u *unroll) prove(goal float64, most int) error {
	u.most = u.nodes + most
	for {
		u.aim(max(goal, u.s.fitness.Value, 0))
		if none, err := u.bind(); none || err != nil {
			return err
		}
		u.fronts()
		if err := u.before(u.p.layers, -1, label{}); err != errBetter {
			return err
		}
	}
}

// bind computes what stages need for the present step time, and the router's bounds
// for it and for shorter ones: what the stages placed take of a step, those before
// them cannot. It reports whether there is no route at all.
func (u *unroll) bind() (none bool, err error) {
	u.levels = u.levels[:0]
	for q := unrollLevels - 1; q >= 0; q-- {
		if q > 0 && math.IsInf(u.time, 1) {
			continue
		}
		t := u.time + u.p.rounding() // what a stage may seem to take
		if q > 0 {                   // t may be without end
			t -= float64(q) * u.time / unrollShare
		}
		_, none, err := u.o.bind(t*(1+exactTolerance/4), u.p.priceCap(), false)
		if err != nil && !errors.Is(err, errNone) {
			return false, err
		}
		var l unrollLevel
		if none && q == 0 {
			return true, nil
		}
		if !none {
			for _, b := range u.o.bounds {
				l.bounds = append(l.bounds, bound{slices.Clone(b.price), b.limit, u.leastBefore(b.value)})
			}
		}
		u.levels = append(u.levels, l)
	}
	slices.Reverse(u.levels)
	return false, nil
}

// leastBefore returns a bound's values by layer and pool, whatever is before them.
func (u *unroll) leastBefore(value []float64) []float64 {
	p, o := u.p, u.o
	least := make([]float64, (p.layers+1)*p.pools)
	for a := range p.layers + 1 {
		for t := range p.pools {
			v := math.Inf(1)
			for before := range o.r.near[t] {
				v = min(v, value[a*o.nodes+o.node[t]+before])
			}
			least[a*p.pools+t] = v
		}
	}
	return least
}

// unrollLevel is the router's bounds for one step time; none: no whole route has it,
// which says nothing about its first stages.
type unrollLevel struct{ bounds []bound }

// The step times for which unroll keeps bounds: T, and less by so many parts of
// unrollShare each.
const (
	unrollLevels = 32
	unrollShare  = 256
)

// errBetter ends a pass that found a scheme so much better than its threshold that
// a new one is worth its while.
var errBetter = errors.New("a better scheme")

// aim sets the threshold.
func (u *unroll) aim(goal float64) {
	p := u.p
	u.threshold, u.time = goal, math.Inf(1)
	if p.MinThroughput > 0 {
		u.time = float64(p.Batch) / (p.MinThroughput * (1 - slack))
	}
	switch p.Objective {
	case Throughput:
		u.time = min(u.time, float64(p.Batch)/goal)
	case Time:
		u.time = min(u.time, 1/goal)
	}
	u.time *= 1 - exactTolerance/2
}

// before places stages that end where those placed begin, at layer end, on pools
// other than behind. Label counts the devices of those placed.
func (u *unroll) before(end, behind int, l label) error {
	p, o := u.p, u.o
	if end == 0 {
		was := max(0, u.s.fitness.Value)
		if u.s.evaluate(u.sc); u.s.fitness.Value > was*1.001 {
			return errBetter
		}
		return u.s.stopped()
	}
	for t := range p.pools {
		if t == behind {
			continue
		}
		for a := end - 1; a >= 0 && o.r.domain[a]&(1<<t) != 0; a-- {
			if end > o.needs.reach[t*p.layers+a] { // a longer span needs more time yet
				break
			}
			k := u.fewest(t, a, end, behind)
			if k == 0 {
				continue
			}
			if u.nodes++; u.nodes > u.most {
				return errUnrolls
			}
			if u.nodes%1024 == 0 {
				if err := u.s.stopped(); err != nil {
					return err
				}
			}
			next := l
			if !u.add(&next, t, k) || !u.affords(&next, a, t, 0) || !u.extend(a, end, t, k) {
				continue
			}
			if a > 0 && u.chained && !u.affords(&next, a, t, u.kept(a)) {
				u.stages = u.stages[:len(u.stages)-1]
				continue
			}
			for i := a; i < end; i++ {
				u.sc[i] = uint8(t)
			}
			err := u.before(a, t, next)
			u.stages = u.stages[:len(u.stages)-1]
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// fewest returns the devices that a stage of layers [a, end) needs before one on
// another pool, whatever is before it; 0: no number is enough.
func (u *unroll) fewest(pool, a, end, behind int) int {
	r, least := u.o.r, 0
	face := 0
	if behind >= 0 {
		face = r.face[pool*u.p.pools+behind]
	}
	for before := range r.near[pool] {
		if k := int(u.o.needs.row(pool, before, face, a)[end-a-1]); k > 0 && (least == 0 || k < least) {
			least = k
		}
	}
	return least
}

// add counts k devices and reports whether the pools have them.
func (u *unroll) add(l *label, pool, k int) bool {
	l.counts[pool/4] += uint64(k) << (16 * (pool % 4))
	return u.o.within(&l.counts, &u.o.limits)
}

// affords reports whether the router's bounds leave devices for stages before the
// layers placed, which begin with layer a on a pool and take fill seconds of a step.
func (u *unroll) affords(l *label, a, pool int, fill float64) bool {
	q := 0
	if fill > 0 && !math.IsInf(u.time, 1) {
		q = min(int((fill-u.p.rounding())/u.time*unrollShare*(1-1e-9)), len(u.levels)-1)
	}
	for q = max(q, 0); q > 0 && len(u.levels[q].bounds) == 0; q-- { // the stages placed may be what no route has
	}
	level := &u.levels[q]
	for i := range level.bounds {
		b := &level.bounds[i]
		sum := b.value[a*u.p.pools+pool]
		for t, each := range b.price {
			sum += each * float64(l.counts[t/4]>>(16*(t%4))&MaxExactDevices)
		}
		if sum > b.limit*(1+1e-11) {
			return false
		}
	}
	return true
}

// extend adds a stage unless no scheme that ends in these stages can be better.
func (u *unroll) extend(a, end, pool, k int) bool {
	st := unrolled{pool: pool, first: a, end: end, devices: k}
	if end < u.p.layers {
		st.lag = u.lag[(end*u.p.pools+pool)*u.p.pools+u.stages[len(u.stages)-1].pool]
	}
	st.sync = u.least(pool, a, end, k)
	u.stages = append(u.stages, st)
	if u.promising() {
		return true
	}
	u.stages = u.stages[:len(u.stages)-1]
	return false
}

func (s *search) newUnroll() *unroll {
	p := s.p
	u := &unroll{s: s, p: p, o: newRouter(s.ctx, newRelaxation(p, Recurrence), s.stopped), m: float64(p.Microbatches), chained: p.chained() && p.Schedule.Plain(), sc: make(Scheme, p.layers)}
	u.o.all = true
	u.front, u.back, u.paid = make([]float64, p.layers+1), make([]float64, p.layers+1), make([]float64, p.layers+1)
	u.sums, u.fill = make([]timeSums, p.pools), make([]float64, (p.layers+1)*p.pools)
	for t := range u.sums {
		u.sums[t] = timeSums{make([]float64, p.layers+1), make([]float64, p.layers+1), make([]float64, p.layers+1), make([]float64, p.layers+1)}
	}
	u.lag = make([]lag, (p.layers+1)*p.pools*p.pools)
	for l := range p.layers {
		front, back, cheapest := math.Inf(1), math.Inf(1), math.Inf(1)
		for t := range p.pools {
			c, m := &p.costs[t*p.layers+l], &u.sums[t]
			m.fs[l+1], m.fp[l+1] = m.fs[l]+c.serial*c.forwardShare, m.fp[l]+c.parallel*c.forwardShare
			m.bs[l+1], m.bp[l+1] = m.bs[l]+c.serial*(1-c.forwardShare), m.bp[l]+c.parallel*(1-c.forwardShare)
			if !p.work[t*p.layers+l].refused {
				all := c.serial + c.parallel*p.share(t, p.count[t]).device
				u.part = max(u.part, 1-c.forwardShare)
				front, back = min(front, all*c.forwardShare), min(back, all*(1-c.forwardShare))
				cheapest = min(cheapest, p.price[t]*u.m*(c.serial+c.parallel))
			}
		}
		u.front[l+1], u.back[l+1], u.paid[l+1] = u.front[l]+front, u.back[l]+back, u.paid[l]+cheapest
	}
	if !u.chained {
		clear(u.front)
		return u
	}
	for i := range p.edges {
		if e := &p.edges[i]; e.to == e.from+1 {
			u.lags(e)
		}
	}
	return u
}

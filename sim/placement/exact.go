package placement

import (
	"container/heap"
	"errors"
	"fmt"
	"math"
)

// exactTolerance is the part of a fitness to which `exact` proves: sums of floats
// in another order differ by less.
const exactTolerance = 1e-9

// runExact finds the best scheme and proves that none is better. What its bounds
// cannot tell it enumerates, if that is not too much.
func runExact(s *search) error {
	for _, sc := range s.p.starts() {
		s.evaluate(sc)
	}
	few := math.Pow(float64(s.p.pools), float64(s.p.layers)) <= float64(exactEnumerates)
	if few && (s.opt.Fidelity == Recurrence || s.p.Merge != Contiguous || s.p.routes != nil) {
		return s.enumerate()
	}
	if s.p.Merge == ByType {
		return s.exactByType()
	}
	if s.p.Merge == Contiguous && s.opt.Fidelity == Recurrence && s.p.routes == nil {
		return s.exactUnrolled()
	}
	x, err := newProof(s)
	if err != nil {
		return err
	}
	x.limit = s.p.branches()
	if err := x.run(); err != nil {
		return err
	}
	if err := x.cheaper(); err != nil {
		return err
	}
	x.settle()
	return nil
}

// exactEnumerates is up to how many schemes `exact` evaluates all of them where its
// relaxations leave something out.
var exactEnumerates = 1 << 17 // tests lower it

// exactClimbs says that `exact` begins its longer proofs with a local search.
var exactClimbs = true // tests turn it off, to see that proofs find what it would

// exactRough says that `exact` first sees how far it gets without keeping track of skips.
var exactRough = true // tests turn it off, to see that all else is right

// local looks for a good scheme to begin a proof with.
func (s *search) local() error {
	if !exactClimbs {
		return nil
	}
	s.opt.Seed = 0 // the answer must not depend on it
	return runLocal(s)
}

// branches is after how many branches `exact` gives up: a problem of more spans of
// layers gets fewer.
func (p *Problem) branches() int {
	return max(8, exactWork/max(1, p.pools*p.layers*p.layers/2))
}

// exactWork is how many spans of layers the branches of `exact` may have in all.
const exactWork = 1 << 19

// enumerate evaluates every scheme.
func (s *search) enumerate() error {
	if err := runExhaustive(s); err != nil {
		return err
	}
	if s.fitness.Feasible {
		s.prove(s.fitness.Value, fmt.Sprintf("optimal: all %d schemes were evaluated", s.evaluations))
	} else {
		s.certificate = fmt.Sprintf("no scheme fits: all %d schemes were evaluated", s.evaluations)
	}
	return nil
}

// proof is a search by branch and bound for the best scheme with contiguous
// stages: relaxations bound, and where the best route of one is not as good as
// the relaxation says, one of its layers is fixed to its pool in one branch and
// kept off it in the other.
type proof struct {
	s      *search
	p      *Problem
	best   float64
	ideals *ideals // of convex stages; nil: stages are runs of layers
	open   proofHeap
	made   int  // branches, beside the first
	limit  int  // of them; 0: none
	scout  bool // it looks for good schemes among some only: its bounds are not for all
	rough  bool // routes keep track of no skips yet: that is less work, and often enough
}

func newProof(s *search) (*proof, error) {
	x := &proof{s: s, p: s.p, best: math.Inf(-1), rough: exactRough}
	if s.fitness.Feasible {
		x.best = s.fitness.Value
	}
	if s.p.Merge == Contiguous {
		return x, s.p.exactable()
	}
	r := newRelaxation(s.p, x.s.opt.Fidelity)
	var err error
	x.ideals, err = newIdeals(s.p, r.kinds())
	return x, err
}

// relax returns the relaxation of all schemes.
func (x *proof) relax() *relaxation {
	r := newRelaxation(x.p, x.s.opt.Fidelity)
	if x.rough {
		r.skips = nil
	}
	return r
}

// refine reports whether relaxations will say more from now on.
func (x *proof) refine() bool {
	was := x.rough
	x.rough = false
	return was && x.relax().skips != nil
}

// oracle returns what solves a relaxation.
func (x *proof) oracle(r *relaxation) oracle {
	if x.ideals != nil {
		return newConvexRouter(x.s.ctx, r, x.ideals, x.s.stopped)
	}
	o := newRouter(x.s.ctx, r, x.s.stopped)
	o.effort = &x.s.effort
	return o
}

// settle says what a search that came to its end has proven.
func (x *proof) settle() {
	if !x.s.fitness.Feasible {
		x.s.certificate = fmt.Sprintf("no scheme fits: %d branches were all closed", x.made+1)
		return
	}
	x.s.prove(x.best, fmt.Sprintf("optimal to one part in 10^9: %d branches were all closed", x.made+1))
}

// branch is a set of schemes: those that the domain allows.
type branch struct {
	domain []uint64
	bound  float64 // fitness that none of them exceeds
	made   int     // order of creation, for ties
}

type proofHeap []*branch

func (h proofHeap) Len() int { return len(h) }
func (h proofHeap) Less(i, j int) bool {
	if h[i].bound != h[j].bound {
		return h[i].bound > h[j].bound
	}
	return h[i].made < h[j].made
}
func (h proofHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *proofHeap) Push(x any)   { *h = append(*h, x.(*branch)) }
func (h *proofHeap) Pop() any {
	old := *h
	b := old[len(old)-1]
	*h = old[:len(old)-1]
	return b
}

// run searches until the gap is closed.
func (x *proof) run() error {
	x.open = proofHeap{&branch{bound: math.Inf(1)}}
	climbed := x.scout
	for len(x.open) > 0 {
		b := heap.Pop(&x.open).(*branch)
		if x.closed(b.bound) {
			return nil
		}
		err := x.expand(b)
		if err == nil && !climbed && len(x.open) > 0 { // not closed at once
			climbed, err = true, x.climb()
		}
		if err == nil && x.limit > 0 && x.made >= x.limit {
			err = budgetError(fmt.Sprintf("exactWork / spans = %d branches", x.limit))
			b = x.widest()
		}
		if err != nil {
			// What was proven of this branch may be below what others may have.
			if bound := max(x.best, b.bound, x.widest().bound); !x.scout && !math.IsInf(bound, 1) {
				x.s.prove(bound, fmt.Sprintf("no scheme is better than this bound: of %d branches, %d were open at the end", x.made+1, len(x.open)+1))
			}
			return err
		}
	}
	return nil
}

// cheaper looks for a scheme that is as good as the best at a lower price.
func (x *proof) cheaper() error {
	r := x.relax()
	t := r.timeOf(x.best)
	if math.IsInf(t, 1) || math.IsInf(x.best, -1) {
		return nil
	}
	o, cap := x.oracle(r), x.p.priceCap()
	if o, ok := o.(*router); ok && r.skips != nil {
		o.most, cap = cheaperLabels, min(cap, x.s.fitness.Price*(1-1e-12))
	}
	rt, err := o.cheapest(t*(1+1e-12), cap, false)
	switch {
	case err == nil:
		x.seen(rt)
	case !errors.Is(err, errNone) && !errors.Is(err, errLabels):
		return err
	}
	return nil
}

// cheaperLabels is how many labels a cheaper route is worth where routes keep track of
// skips.
const cheaperLabels = 1 << 16

// climb looks for a better scheme than relaxations came by.
func (x *proof) climb() error {
	if err := x.s.local(); err != nil {
		return err
	}
	if f := x.s.fitness; f.Feasible {
		x.best = max(x.best, f.Value)
	}
	return nil
}

// widest returns the open branch with the highest bound.
func (x *proof) widest() *branch {
	if len(x.open) == 0 {
		return &branch{bound: x.best}
	}
	return x.open[0]
}

// closed reports whether a bound is as good as reached.
func (x *proof) closed(bound float64) bool {
	return bound <= x.best+math.Abs(x.best)*exactTolerance
}

// expand solves a branch's relaxation and splits it if that leaves something open.
func (x *proof) expand(b *branch) error {
	r := x.relax()
	if b.domain != nil {
		r.domain = b.domain
	}
	rt, bound, err := r.solve(x.oracle(r), x.best, x.seen)
	if err == nil {
		err = x.s.over // a route was not evaluated
	}
	if (err == nil && rt != nil && !x.closed(bound) || errors.Is(err, errLabels)) && x.refine() {
		heap.Push(&x.open, &branch{bound: min(b.bound, bound)})
		return nil
	}
	if err != nil {
		b.bound = min(b.bound, bound)
		return err
	}
	if rt == nil || x.closed(bound) {
		return nil
	}
	return x.split(b, r, rt, min(b.bound, bound))
}

// seen evaluates the scheme of a route and returns the best fitness so far.
func (x *proof) seen(rt *route) float64 {
	if f := x.s.evaluate(rt.sc); f.Feasible && f.Value > x.best {
		x.best = f.Value
	}
	return x.best
}

// split makes two branches of one by a layer of its best route. Layers at the
// ends of edges that are left open come first.
func (x *proof) split(b *branch, r *relaxation, rt *route, bound float64) error {
	at, sc := -1, rt.sc
	for i := range x.p.edges {
		e := &x.p.edges[i]
		if e.to == e.from+1 && x.ideals == nil {
			continue
		}
		for _, l := range [2]int{e.from, e.to} {
			if at < 0 && r.domain[l]&(r.domain[l]-1) != 0 && (e.fan > 1 || r.knownFace(int(sc[e.from]), e.to) < 0 || r.knownFace(int(sc[e.to]), e.from) < 0) {
				at = l
			}
		}
	}
	for l := 0; at < 0 && l < x.p.layers; l++ {
		if r.domain[l]&(r.domain[l]-1) != 0 {
			at = l
		}
	}
	if at < 0 {
		return nil // one scheme, and it was evaluated
	}
	bit := uint64(1) << sc[at]
	for _, mask := range [2]uint64{bit, r.domain[at] &^ bit} {
		d := append([]uint64(nil), r.domain...)
		d[at] = mask
		x.made++
		heap.Push(&x.open, &branch{domain: d, bound: bound, made: x.made})
	}
	return nil
}

// exactable says why `exact` cannot count a problem's devices or keep its spans.
func (p *Problem) exactable() error {
	if p.pools > MaxExactPools {
		return fmt.Errorf("exact counts the devices of at most MaxExactPools = %d pools; the cluster has %d", MaxExactPools, p.pools)
	}
	for t, n := range p.count {
		if n > MaxExactDevices {
			return fmt.Errorf("exact counts at most MaxExactDevices = %d devices of a pool; %q has %d", MaxExactDevices, p.Cluster.Pools[t].Name, n)
		}
	}
	if n := newRelaxation(p, ClosedForm).spanCount(); n > MaxSpans {
		return fmt.Errorf("exact would keep %d spans of layers; its limit MaxSpans is %d: use genetic, or fewer layers or pools", n, MaxSpans)
	}
	return nil
}

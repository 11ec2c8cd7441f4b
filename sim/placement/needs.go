package placement

import (
	"context"
	"runtime"
	"sync"
)

// needs are the fewest devices with which each span of layers reaches one step
// time, by pool, first layer, end and variants.
type needs struct {
	r      *relaxation
	time   float64
	layers int
	fewest [][]uint16 // per pool: [(in*variants+out) * triangle + span]; 0: no number of devices, or not a leg
	reach  []int      // [pool*layers + first]: the last end that any span has
}

// MaxSpans bounds the spans that `exact` keeps, each with its pool and faces.
const MaxSpans = 1 << 27

// MaxExactDevices is the most devices of a pool that `exact` counts with: two of
// them must not reach a label's guard bit.
const MaxExactDevices = 1<<14 - 1

// spanCount returns how many spans needs keeps.
func (r *relaxation) spanCount() int {
	n := 0
	for t := range r.p.pools {
		n += r.variants(t) * r.variants(t)
	}
	return n * r.p.layers * (r.p.layers + 1) / 2
}

// at returns the index of span [a, b) among those of one pair of faces.
func (n *needs) at(a, b int) int { return a*n.layers - a*(a-1)/2 + b - a - 1 }

func newNeeds(r *relaxation) *needs {
	n := &needs{r: r, layers: r.p.layers, fewest: make([][]uint16, r.p.pools), reach: make([]int, r.p.pools*r.p.layers)}
	for t := range n.fewest {
		n.fewest[t] = make([]uint16, r.variants(t)*r.variants(t)*n.triangle())
	}
	return n
}

func (n *needs) triangle() int { return n.layers * (n.layers + 1) / 2 }

// row returns the needs of the spans of a pool from layer a with these variants, by
// end - a - 1.
func (n *needs) row(t, in, out, a int) []uint16 {
	at := (in*n.r.variants(t)+out)*n.triangle() + n.at(a, a+1)
	return n.fewest[t][at : at+n.layers-a]
}

// fill computes all needs for one step time, on all cores. It errs when ctx ends.
func (n *needs) fill(ctx context.Context, t float64) error {
	n.time = t
	workers := min(runtime.GOMAXPROCS(0), n.r.p.pools)
	if n.layers*n.r.p.pools < 64 {
		workers = 1
	}
	var wg sync.WaitGroup
	for w := range workers {
		r := *n.r
		r.ev = NewEvaluator(n.r.p)
		r.ev.stages = make([]stage, 1)
		wg.Go(func() {
			var s span
			for a := w; a < n.layers && ctx.Err() == nil; a += workers {
				for pool := range r.p.pools {
					n.from(&r, &s, pool, a)
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// from fills the spans of one pool from one layer.
func (n *needs) from(r *relaxation, s *span, pool, a int) {
	variants := r.variants(pool)
	window := r.windowAfter(0)
	for i := range variants * variants {
		clear(n.row(pool, i/variants, i%variants, a))
	}
	n.reach[pool*n.layers+a] = a
	s.begin(r, pool, a)
	var e variety
	var st stage
	for b := a + 1; b <= n.layers && s.grow() && !r.hopeless(s, n.time); b++ {
		n.reach[pool*n.layers+a] = b
		if r.tracked(a) || r.tracked(b) {
			n.each(r, s, &e, window)
			continue
		}
		for in := range r.near[pool] {
			for out := range r.near[pool] {
				s.settle(&st, variant{face: in}, variant{face: out}, window)
				n.row(pool, in, out, a)[b-a-1] = uint16(min(r.fewest(&st, n.time, 1), MaxExactDevices))
			}
		}
	}
}

// variety is the variants that a span can have at either end, and what crosses there.
type variety struct {
	before, behind []int
	comes, goes    []crossed
}

// each fills the needs of one span whose variants are many. Most times they make no
// difference: then those of the dearest are those of the span alone.
func (n *needs) each(r *relaxation, s *span, e *variety, window float64) {
	var st stage
	s.alone(&st, window)
	st.settle()
	least := r.fewest(&st, n.time, 1)
	if least == 0 {
		return
	}
	most := s.most()
	all := st
	all.join(&most)
	all.settle()
	if r.fewest(&all, n.time, least) == least {
		n.same(r, s, least)
		return
	}
	e.list(s)
	for i, in := range e.before {
		for j, out := range e.behind {
			one := st
			one.join(&e.comes[i])
			one.join(&e.goes[j])
			one.settle()
			n.row(s.pool, in, out, s.first)[s.end-s.first-1] = uint16(min(r.fewest(&one, n.time, least), MaxExactDevices))
		}
	}
}

// same fills the needs of one span that are k whatever its variants.
func (n *needs) same(r *relaxation, s *span, k int) {
	variants := r.variants(s.pool)
	for in := range variants {
		if !r.startsAs(s.first, s.end, r.variant(s.pool, in).kind) {
			continue
		}
		for out := range variants {
			if r.endsAs(s.first, s.end, r.variant(s.pool, out).kind) {
				n.row(s.pool, in, out, s.first)[s.end-s.first-1] = uint16(min(k, MaxExactDevices))
			}
		}
	}
}

package placement

import (
	"context"
	"runtime"
	"sync"
)

// needs are the fewest devices with which each span of layers reaches one step
// time, by pool, first layer, end and faces.
type needs struct {
	r      *relaxation
	time   float64
	layers int
	fewest [][]uint16 // per pool: [(before*faces+behind) * triangle + span]; 0: no number of devices
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
		n += r.near[t] * r.near[t]
	}
	return n * r.p.layers * (r.p.layers + 1) / 2
}

// at returns the index of span [a, b) among those of one pair of faces.
func (n *needs) at(a, b int) int { return a*n.layers - a*(a-1)/2 + b - a - 1 }

func newNeeds(r *relaxation) *needs {
	n := &needs{r: r, layers: r.p.layers, fewest: make([][]uint16, r.p.pools), reach: make([]int, r.p.pools*r.p.layers)}
	for t := range n.fewest {
		n.fewest[t] = make([]uint16, r.near[t]*r.near[t]*n.triangle())
	}
	return n
}

func (n *needs) triangle() int { return n.layers * (n.layers + 1) / 2 }

// row returns the needs of the spans of a pool from layer a with these faces, by
// end - a - 1.
func (n *needs) row(t, before, behind, a int) []uint16 {
	at := (before*n.r.near[t]+behind)*n.triangle() + n.at(a, a+1)
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
	faces := r.near[pool]
	window := r.windowAfter(0)
	for i := range faces * faces {
		clear(n.row(pool, i/faces, i%faces, a))
	}
	n.reach[pool*n.layers+a] = a
	s.begin(r, pool, a)
	for b := a + 1; b <= n.layers && s.grow() && !r.hopeless(s, n.time); b++ {
		n.reach[pool*n.layers+a] = b
		flows := r.crossing(s)
		for before := range faces {
			for behind := range faces {
				st := s.settled(before, behind, flows, window)
				n.row(pool, before, behind, a)[b-a-1] = uint16(min(r.fewest(&st, n.time), MaxExactDevices))
			}
		}
	}
}

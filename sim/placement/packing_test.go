package placement

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestPacking: layers fit in a time exactly when some way to put each on a pool says so.
func TestPacking(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		layers, pools := rapid.IntRange(1, 7).Draw(t, "layers"), rapid.IntRange(1, 3).Draw(t, "pools")
		a := &assignment{p: &Problem{layers: layers, pools: pools}}
		load := rapid.SampledFrom([]float64{0, 0.1, 0.3, 1, 1, 1, 2.5, math.Inf(1)})
		for range layers {
			if n := len(a.load); n > 0 && rapid.Bool().Draw(t, "alike") {
				a.load = append(a.load, a.load[n-pools:n]...)
				continue
			}
			for range pools {
				a.load = append(a.load, load.Draw(t, "load"))
			}
		}
		least := shortestPacking(a, make([]float64, pools), 0)
		k := newPacking(a)
		switch {
		case math.IsInf(least, 1):
			if k.fits(1e9) {
				t.Fatal("layers fit that no pool takes")
			}
		case !k.fits(least):
			t.Fatalf("layers do not fit in %v", least)
		case least > 0 && k.fits(least*(1-1e-9)):
			t.Fatalf("layers fit in less than %v", least)
		case least > 0:
			if got := k.least(least / 3); got > least || got < least*(1-1e-9) {
				t.Fatalf("they fit in no less than %v, want %v", got, least)
			}
		}
	})
}

// shortestPacking tries every way.
func shortestPacking(a *assignment, sum []float64, l int) float64 {
	if l == a.p.layers {
		most := 0.0
		for _, v := range sum {
			most = max(most, v)
		}
		return most
	}
	least := math.Inf(1)
	for t := range sum {
		was := sum[t]
		sum[t] += a.load[l*a.p.pools+t]
		least = min(least, shortestPacking(a, sum, l+1))
		sum[t] = was
	}
	return least
}

package placement

import (
	"flag"
	"math"
	"slices"
	"testing"
)

var long = flag.Bool("long", false, "search with as many seeds and instances as the claims of the README are made for: minutes")

// evaluationsTo returns how many evaluations a search took to come within so many per
// cent of a fitness; the largest int: more than it made.
func evaluationsTo(out *Outcome, fitness, percent float64) int {
	for _, g := range out.History {
		if g.Best > 0 && 100*(fitness/g.Best-1) <= percent {
			return g.Evaluations
		}
	}
	return math.MaxInt
}

func median[T int | float64](v []T) T {
	slices.Sort(v)
	return v[len(v)/2]
}

// TestGeneticGap: on random instances of 10 to 16 layers on 3 or 4 pools the median
// gap of `genetic` at its defaults to the best scheme known is at most 1 %. On the
// median instance it is there after fewer evaluations than `random` needs to come
// within 5 %; there are instances on which luck comes that close at once. The best known is that
// of `exact`, or a better one that any search here found.
func TestGeneticGap(t *testing.T) {
	instances, seeds := uint64(8), int64(5)
	if *long {
		instances, seeds = 40, 30
	} else if testing.Short() {
		instances, seeds = 4, 3
	}
	var genetics, randoms []int
	for i := range instances {
		p := randomProblem(t, 200+i, 10+2*int(i%4))
		best := mustSearch(t, "exact", p, Options{}).Fitness.Value
		var genetic, random []*Outcome
		for seed := range seeds {
			genetic = append(genetic, mustSearch(t, "genetic", p, Options{Seed: seed}))
			random = append(random, mustSearch(t, "random", p, Options{Seed: seed, Budget: Budget{Evaluations: 20000}}))
			best = max(best, genetic[seed].Fitness.Value, random[seed].Fitness.Value)
		}
		var gaps []float64
		var near, drawn []int
		for seed := range seeds {
			gaps = append(gaps, 100*(best/genetic[seed].Fitness.Value-1))
			near = append(near, evaluationsTo(genetic[seed], best, 1))
			drawn = append(drawn, evaluationsTo(random[seed], best, 5))
		}
		gap, needs, draws := median(gaps), median(near), median(drawn)
		t.Logf("instance %d (%d layers, %d pools, %s, %s): median gap %.3f %%, within 1 %% after %d evaluations, random within 5 %% after %d",
			i, p.layers, p.pools, p.Objective, p.Merge, gap, needs, draws)
		if gap > 1 {
			t.Errorf("instance %d: median gap %.3f %%", i, gap)
		}
		genetics, randoms = append(genetics, needs), append(randoms, draws)
	}
	if needs, draws := median(genetics), median(randoms); needs > draws {
		t.Errorf("within 1 %% after %d evaluations; random is within 5 %% after %d", needs, draws)
	}
}

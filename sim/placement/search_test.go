package placement

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
)

// TestMemoIsAMap: visits against a map, with take-backs and a memo that fills up.
func TestMemoIsAMap(t *testing.T) {
	p := mustProblem(t, spec(randomModel(rand.New(rand.NewPCG(1, 2)), 11), cluster(cpuPool("a", 3, 1), gpuPool("b", 2, 2))))
	m := NewMemo(p)
	m.most = 900
	m.begin(p)
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[string]int{}
	for n := range 6000 {
		sc := randomScheme(r, 11, 2, 1)
		want, ok := seen[string(sc)]
		at, fresh := m.visit(sc)
		switch {
		case ok && (at != want || fresh):
			t.Fatalf("%v is entry %d, fresh %v; it was %d", sc, at, fresh, want)
		case !ok && !fresh:
			t.Fatalf("%v is not new", sc)
		case !ok && len(seen) >= m.most:
			if at >= 0 {
				t.Fatalf("entry %d of a full memo", at)
			}
		case !ok && n%5 == 0:
			m.leave(at)
		case !ok:
			m.put(at, Fitness{Value: float64(at + 1)})
			seen[string(sc)] = at
		}
	}
	if len(seen) != m.most || m.Len() != m.most {
		t.Errorf("%d and %d entries", len(seen), m.Len())
	}
	for sc, at := range seen {
		if !slices.Equal(m.scheme(at), Scheme(sc)) || m.fitness[at].Value != float64(at+1) {
			t.Errorf("entry %d is %v: %+v", at, m.scheme(at), m.fitness[at])
		}
	}
}

// TestMemoDoesNotAllocate on a scheme that it knows.
func TestMemoDoesNotAllocate(t *testing.T) {
	s := newSearch(context.Background(), benchLike(t), Options{})
	schemes := make([]Scheme, 100)
	for i := range schemes {
		schemes[i] = randomScheme(rand.New(rand.NewPCG(1, uint64(i))), 16, 4, 0.3)
		s.evaluate(schemes[i])
	}
	if n := testing.AllocsPerRun(10, func() {
		for _, sc := range schemes {
			s.evaluate(sc)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestEvaluateAll: as one after the other, in any grouping, on any number of
// workers, with repeats and with a budget that ends in the middle.
func TestEvaluateAll(t *testing.T) {
	p := benchLike(t)
	r := rand.New(rand.NewPCG(9, 9))
	schemes := make([]Scheme, 1000)
	for i := range schemes {
		schemes[i] = randomScheme(r, 16, 4, 0.05) // many twice
	}
	for _, budget := range []int{0, 1, 137, 200} {
		one := newSearch(context.Background(), p, Options{Budget: Budget{Evaluations: budget}})
		want := make([]Fitness, len(schemes))
		for i, sc := range schemes {
			want[i] = one.evaluate(sc)
		}
		if one.evaluations+one.repeats > len(schemes) || one.repeats < 50 && budget == 0 || (budget > 0 && one.evaluations != budget) {
			t.Fatalf("%d evaluations, %d repeats", one.evaluations, one.repeats)
		}
		for _, workers := range []int{1, 2, 5} {
			all := newSearch(context.Background(), p, Options{Workers: workers, Budget: Budget{Evaluations: budget}})
			got := make([]Fitness, len(schemes))
			for from := 0; from < len(schemes); {
				to := min(len(schemes), from+1+r.IntN(400))
				all.evaluateAll(schemes[from:to], got[from:to])
				from = to
			}
			known := slices.Index(got, unknown) // beyond the budget, batches are not looked at
			if budget == 0 {
				known = len(got)
			}
			if d := gocmp.Diff(want[:known], got[:known]); d != "" {
				t.Errorf("budget %d, %d workers: %s", budget, workers, d)
			}
			if d := gocmp.Diff(one.history, all.history); d != "" || all.evaluations != one.evaluations || all.fitness != one.fitness || !slices.Equal(all.best, one.best) {
				t.Errorf("budget %d, %d workers: %d evaluations, %+v, want %d, %+v; %s", budget, workers, all.evaluations, all.fitness, one.evaluations, one.fitness, d)
			}
			if d := gocmp.Diff(one.pareto, all.pareto); d != "" {
				t.Errorf("budget %d, %d workers: pareto: %s", budget, workers, d)
			}
		}
	}
}

// TestPareto: the archive holds exactly the feasible schemes that no other beats.
func TestPareto(t *testing.T) {
	for seed := range uint64(20) {
		p := smallProblem(t, seed, Throughput)
		out := mustSearch(t, "exhaustive", p, Options{})
		var all []Fitness
		ev, sc := NewEvaluator(p), make(Scheme, p.layers)
		for range out.Evaluations {
			if f := ev.ClosedForm(sc); f.Feasible {
				all = append(all, f)
			}
			p.increment(sc)
		}
		beats := func(a, b Fitness) bool {
			return a.Throughput >= b.Throughput && a.Cost <= b.Cost && (a.Throughput > b.Throughput || a.Cost < b.Cost)
		}
		want := map[[2]float64]bool{}
		for _, f := range all {
			if !slices.ContainsFunc(all, func(g Fitness) bool { return beats(g, f) }) {
				want[[2]float64{f.Throughput, f.Cost}] = true
			}
		}
		for i, pt := range out.Pareto {
			if !want[[2]float64{pt.Fitness.Throughput, pt.Fitness.Cost}] || ev.ClosedForm(pt.Scheme) != pt.Fitness {
				t.Errorf("seed %d: point %+v", seed, pt)
			}
			if i > 0 && pt.Fitness.Cost <= out.Pareto[i-1].Fitness.Cost {
				t.Errorf("seed %d: not by cost", seed)
			}
		}
		if len(out.Pareto) != len(want) {
			t.Errorf("seed %d: %d points, want %d", seed, len(out.Pareto), len(want))
		}
	}
}

// TestBudgets: both end a search without an error, and it says which.
func TestBudgets(t *testing.T) {
	p := benchLike(t)
	out := mustSearch(t, "genetic", p, Options{Budget: Budget{Evaluations: 100}})
	if out.Evaluations != 100 || out.Stopped != "evaluations = 100" || !out.Fitness.Feasible {
		t.Errorf("%+v", out)
	}
	out = mustSearch(t, "random", p, Options{Budget: Budget{Time: 1}})
	if out.Stopped != "time = 1ns" || out.Evaluations == 0 {
		t.Errorf("%+v", out)
	}
	if out := mustSearch(t, "greedy", p, Options{Budget: Budget{Evaluations: 1, Time: time.Hour}}); out.Stopped != "" {
		t.Errorf("%+v", out)
	}
}

// TestProve: the lowest bound stays, with its reason; exhaustive proves its best.
func TestProve(t *testing.T) {
	p := smallProblem(t, 3, Throughput)
	out := mustSearch(t, "exhaustive", p, Options{})
	if out.Bound != out.Fitness.Value || out.Gap != 0 || out.Certificate == "" {
		t.Errorf("%+v", out)
	}
	s := newSearch(context.Background(), p, Options{})
	s.evaluate(p.uniform(0))
	for i, v := range []float64{9, 7, 8, 7} {
		s.prove(v*s.fitness.Value, string(rune('a'+i)))
	}
	if out := s.outcome(); out.Bound != 7*s.fitness.Value || out.Gap < 599.999 || out.Gap > 600.001 || out.Certificate != "b" {
		t.Errorf("%+v", out)
	}
}

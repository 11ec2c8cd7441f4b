package placement

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The schemes that a search keeps are the best that it saw: against a sort of all of
// them, and the first is the best found.
func TestKeep(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := mustProblem(t, spec(randomModel(r, 6), cluster(cpuPool("cpu", 1+r.IntN(3), 1), gpuPool("gpu", 1+r.IntN(4), 5))))
		pol, _ := LookupPolicy("exhaustive")
		n := 1 + r.IntN(30)
		out, err := pol.Search(t.Context(), p, Options{Keep: n, Fidelity: Recurrence})
		if err != nil {
			t.Fatal(err)
		}
		var all []Point
		ev := NewEvaluator(p)
		for code := range 1 << 6 {
			sc := make(Scheme, 6)
			for l := range sc {
				sc[l] = uint8(code >> (5 - l) & 1)
			}
			if f := ev.Recurrence(sc); f.Feasible {
				all = append(all, Point{sc, f})
			}
		}
		slices.SortStableFunc(all, func(a, b Point) int {
			switch {
			case outranks(a.Fitness, b.Fitness):
				return -1
			case outranks(b.Fitness, a.Fitness):
				return 1
			}
			return 0
		})
		all = all[:min(n, len(all))]
		if !slices.EqualFunc(all, out.Finalists, func(a, b Point) bool { return slices.Equal(a.Scheme, b.Scheme) && a.Fitness == b.Fitness }) {
			t.Fatalf("seed %d: kept %v\nwant %v", seed, out.Finalists, all)
		}
		if len(all) > 0 && out.Finalists[0].Fitness != out.Fitness {
			t.Errorf("seed %d: the first is %v, the best found %v", seed, out.Finalists[0].Fitness, out.Fitness)
		}
	}
}

// A scheme that comes again after a memo forgot it is kept once.
func TestKeepOnce(t *testing.T) {
	s := &search{p: &Problem{}, opt: Options{Keep: 3}}
	f := Fitness{Value: 1, Price: 1, Feasible: true}
	for range 3 {
		s.keep(Scheme{0, 1}, f)
		s.keep(Scheme{1, 0}, f)
	}
	s.keep(Scheme{1, 1}, Fitness{Value: 2})
	if len(s.finalists) != 2 || s.finalists[0].Scheme[0] != 0 {
		t.Errorf("%v", s.finalists)
	}
}

// exact sees few schemes: neighbours of the best fill up, and change neither the answer
// nor the figures of the search.
func TestExactKeeps(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 3))
	p := mustProblem(t, spec(randomModel(r, 30), cluster(cpuPool("cpu", 3, 1), gpuPool("gpu", 4, 5))))
	pol, _ := LookupPolicy("exact")
	alone, err := pol.Search(t.Context(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	out, err := pol.Search(t.Context(), p, Options{Keep: 12})
	if err != nil {
		t.Fatal(err)
	}
	if out.Fitness != alone.Fitness || out.Evaluations != alone.Evaluations || out.Repeats != alone.Repeats || !slices.Equal(out.Plan.Scheme, alone.Plan.Scheme) {
		t.Errorf("keeping changes the search: %+v %d, alone %+v %d", out.Fitness, out.Evaluations, alone.Fitness, alone.Evaluations)
	}
	if alone.Evaluations >= 12 || len(out.Finalists) != 12 || out.Finalists[0].Fitness != out.Fitness {
		t.Errorf("%d schemes seen, %d kept, the first worth %v of %v", alone.Evaluations, len(out.Finalists), out.Finalists[0].Fitness, out.Fitness)
	}
	for i, f := range out.Finalists {
		for _, g := range out.Finalists[:i] {
			if slices.Equal(f.Scheme, g.Scheme) || outranks(f.Fitness, g.Fitness) {
				t.Errorf("finalist %d, %v %v, after %v %v", i, f.Scheme, f.Fitness, g.Scheme, g.Fitness)
			}
		}
	}
}

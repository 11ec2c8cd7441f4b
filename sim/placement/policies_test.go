package placement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"stowage/hw"
)

// searching are the policies that search without a promise to find the optimum.
var searching = []string{"random", "genetic", "local", "annealing", "tabu", "beam", "bayesian", "reinforce-lstm", "reinforce-rnn"}

// quick are knobs with which every policy is done in milliseconds.
func quick() Options {
	o := Options{Knobs: DefaultKnobs()}
	o.Genetic.Population, o.Genetic.Generations = 16, 12
	o.Local.Restarts = 4
	o.Annealing.Steps = 60
	o.Tabu.Steps = 12
	o.Beam.Width = 8
	o.Bayesian.Points = 60
	o.Reinforce.Iterations, o.Reinforce.Hidden = 12, 6
	return o
}

// randomProblem is an instance on 3 or 4 pools, with the objectives, the readings
// of merge and a price cap in turn.
func randomProblem(t testing.TB, seed uint64, layers int) *Problem {
	r := rand.New(rand.NewPCG(seed, 77))
	pools := []hw.Pool{
		cpuPool("c1", 2+r.IntN(16), 0.2+r.Float64()), gpuPool("g1", 1+r.IntN(16), 1+3*r.Float64()), gpuPool("g2", 1+r.IntN(8), 2+3*r.Float64()),
	}
	if r.IntN(2) == 0 {
		pools = append(pools, cpuPool("c2", 1+r.IntN(8), 0.5+r.Float64()))
	}
	s := spec(randomModel(r, layers), cluster(pools...))
	s.Objective = []Objective{Throughput, Cost, Time}[r.IntN(3)]
	if r.IntN(2) == 0 {
		s.Merge = ByType
	}
	if r.IntN(3) == 0 {
		s.MaxPrice = 5 + 20*r.Float64()
	}
	return mustProblem(t, s)
}

// TestPoliciesFindTheOptimum of small instances in nearly all seeds, and never
// return an infeasible scheme when a feasible one was seen.
func TestPoliciesFindTheOptimum(t *testing.T) {
	instances, seeds := uint64(6), int64(2)
	if testing.Short() {
		instances, seeds = 3, 1
	}
	found, runs := map[string]int{}, 0
	for i := range instances {
		p := randomProblem(t, 100+i, 6+int(i%2))
		want := mustSearch(t, "exhaustive", p, Options{})
		for seed := range seeds {
			runs++
			for _, name := range searching {
				got := mustSearch(t, name, p, Options{Seed: seed})
				if got.Fitness.Value > want.Fitness.Value*(1+1e-12) {
					t.Errorf("instance %d: %s %+v beats exhaustive %+v", i, name, got.Fitness, want.Fitness)
				}
				if got.Fitness.Feasible != (len(got.Pareto) > 0) {
					t.Errorf("instance %d: %s returns feasible = %v and saw %d feasible schemes that no other beats", i, name, got.Fitness.Feasible, len(got.Pareto))
				}
				if got.Fitness.Value >= want.Fitness.Value*(1-1e-12) {
					found[name]++
				}
			}
		}
	}
	for _, name := range searching {
		t.Logf("%-15s %d of %d", name, found[name], runs)
		least := 80
		if name == "random" || testing.Short() {
			least = 50
		}
		if 100*found[name] < least*runs {
			t.Errorf("%s finds the optimum in %d of %d searches", name, found[name], runs)
		}
	}
}

// TestPoliciesRepeat: the same seed gives the same outcome on any number of
// processors; another seed searches otherwise, but where there is nothing to draw.
func TestPoliciesRepeat(t *testing.T) {
	p := randomProblem(t, 3, 12)
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	for _, name := range searching {
		for _, fidelity := range []Fidelity{ClosedForm, Recurrence} {
			opt := quick()
			opt.Seed, opt.Fidelity = 5, fidelity
			var first *Outcome
			for _, n := range []int{1, 2, 7} {
				runtime.GOMAXPROCS(n)
				out := mustSearch(t, name, p, opt)
				if first == nil {
					first = out
				} else if d := gocmp.Diff(first, out); d != "" {
					t.Errorf("%s, %s, GOMAXPROCS = %d: %s", name, fidelity, n, d)
				}
			}
			opt.Seed = 6
			other := mustSearch(t, name, p, opt)
			if fidelity == Recurrence {
				continue // its plateaus leave little to choose
			}
			if same := gocmp.Equal(first.History, other.History) && first.Evaluations == other.Evaluations; same && name != "beam" || !same && name == "beam" {
				t.Errorf("%s, %s: seeds 5 and 6 take the same way: %v", name, fidelity, same)
			}
		}
	}
}

// TestPoliciesResume: a search that was stopped after any number of evaluations
// and gets its memo goes on as if nothing had happened, whatever stopped it.
func TestPoliciesResume(t *testing.T) {
	p := randomProblem(t, 8, 7)
	r := rand.New(rand.NewPCG(1, 1))
	for _, name := range append([]string{"exhaustive", "exact", "all-gpu", "heuristic", "greedy"}, searching...) {
		policy, _ := LookupPolicy(name)
		opt := quick()
		want := mustSearch(t, name, p, opt)
		for n := range 4 {
			opt.Memo = NewMemo(p)
			opt.Budget = Budget{Evaluations: 1 + r.IntN(want.Evaluations)}
			var ctx context.Context = t.Context()
			if n == 3 {
				left := 3
				ctx, opt.Budget = countdown{t.Context(), &left}, Budget{}
			}
			stopped, err := policy.Search(ctx, p, opt)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if n < 3 && stopped.Evaluations != opt.Evaluations || opt.Memo.Len() != stopped.Evaluations {
				t.Errorf("%s: %d of %d evaluations, a memo of %d", name, stopped.Evaluations, opt.Evaluations, opt.Memo.Len())
			}
			opt.Budget = Budget{}
			if d := gocmp.Diff(want, mustSearch(t, name, p, opt)); d != "" {
				t.Errorf("%s, resumed after %d of %d evaluations: %s", name, stopped.Evaluations, want.Evaluations, d)
			}
			if opt.Memo.Len() != want.Evaluations {
				t.Errorf("%s: a memo of %d after %d evaluations", name, opt.Memo.Len(), want.Evaluations)
			}
		}
	}
}

// TestPoliciesStop: at a budget of evaluations exactly, and at the end of a
// context, with the best of what they saw.
func TestPoliciesStop(t *testing.T) {
	p := randomProblem(t, 4, 12)
	for _, name := range searching {
		policy, _ := LookupPolicy(name)
		opt := quick()
		full := mustSearch(t, name, p, opt)
		for _, n := range []int{1, 2, 17, full.Evaluations / 2} {
			opt.Budget = Budget{Evaluations: n}
			out := mustSearch(t, name, p, opt)
			if out.Evaluations != n || (out.Stopped != fmt.Sprintf("evaluations = %d", n) && name != "random") || out.Fitness.Value > full.Fitness.Value && name != "random" {
				t.Errorf("%s: %d of %d evaluations, stopped by %q, %+v", name, out.Evaluations, n, out.Stopped, out.Fitness)
			}
			best := 0.0
			for _, pt := range out.Pareto {
				best = max(best, pt.Fitness.Value)
			}
			if out.Fitness.Feasible != (best > 0) || out.Fitness.Feasible && out.Fitness.Value != best {
				t.Errorf("%s after %d: %+v, and %v was seen", name, n, out.Fitness, best)
			}
		}
		opt.Budget = Budget{}
		left := 2
		out, err := policy.Search(countdown{context.Background(), &left}, p, opt)
		if !errors.Is(err, context.Canceled) || out == nil || out.Stopped != "interrupted" || out.Evaluations >= full.Evaluations {
			t.Errorf("%s, cancelled: %+v, %v", name, out, err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if out, err := policy.Search(ctx, p, opt); out != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled before: %v, %v", name, out, err)
		}
	}
}

// TestPoliciesOnOnePool: with nothing to choose there is one scheme.
func TestPoliciesOnOnePool(t *testing.T) {
	p := mustProblem(t, spec(clickModel(), cluster(cpuPool("c", 8, 0.5))))
	for _, name := range searching {
		if out := mustSearch(t, name, p, quick()); out.Evaluations != 1 || !out.Fitness.Feasible {
			t.Errorf("%s: %d evaluations, %+v", name, out.Evaluations, out.Fitness)
		}
	}
}

// TestKnobs: defaults are fine, and each wrong knob is named.
func TestKnobs(t *testing.T) {
	if k := DefaultKnobs(); k.Check() != nil {
		t.Fatal(k.Check())
	}
	for _, c := range []struct {
		change  func(*Knobs)
		section string
		want    string
	}{
		{func(k *Knobs) { k.Local.Descent = "x" }, "local", `descent = "x": one of ["first" "steepest"]`},
		{func(k *Knobs) { k.Local.Restarts = -1 }, "local", "restarts = -1: from 0 to MaxRestarts = 1048576"},
		{func(k *Knobs) { k.Local.Kick = 0 }, "local", "kick = 0: from 1"},
		{func(k *Knobs) { k.Local.Neighbours = 0 }, "local", "neighbours = 0: from 1"},
		{func(k *Knobs) { k.Annealing.Chains = 0 }, "annealing", "chains = 0: from 1"},
		{func(k *Knobs) { k.Annealing.Steps = 0 }, "annealing", "steps = 0: from 1"},
		{func(k *Knobs) { k.Annealing.Sample = 0 }, "annealing", "sample = 0: from 1"},
		{func(k *Knobs) { k.Annealing.Accept = math.NaN() }, "annealing", "accept = NaN: a number above 0 and below 1"},
		{func(k *Knobs) { k.Annealing.Cooling = 0 }, "annealing", "cooling = 0: a number"},
		{func(k *Knobs) { k.Tabu.Steps = 0 }, "tabu", "steps = 0: from 1"},
		{func(k *Knobs) { k.Tabu.Tenure = -1 }, "tabu", "tenure = -1: from 0"},
		{func(k *Knobs) { k.Tabu.Patience = 0 }, "tabu", "patience = 0: from 1"},
		{func(k *Knobs) { k.Tabu.Neighbours = 0 }, "tabu", "neighbours = 0: from 1"},
		{func(k *Knobs) { k.Beam.Width = MaxWidth + 1 }, "beam", "width = 65537: from 1 to MaxWidth = 65536"},
		{func(k *Knobs) { k.Bayesian.Points = 1 }, "bayesian", "points = 1: from 2"},
		{func(k *Knobs) { k.Bayesian.Initial = 321 }, "bayesian", "initial = 321: from 1 to points = 320"},
		{func(k *Knobs) { k.Bayesian.Batch = 0 }, "bayesian", "batch = 0: from 1"},
		{func(k *Knobs) { k.Bayesian.Candidates = 0 }, "bayesian", "candidates = 0: from 1"},
		{func(k *Knobs) { k.Bayesian.Parents = 0 }, "bayesian", "parents = 0: from 1"},
		{func(k *Knobs) { k.Reinforce.Iterations = 0 }, "reinforce", "iterations = 0: from 1"},
		{func(k *Knobs) { k.Reinforce.Samples = 0 }, "reinforce", "samples = 0: from 1"},
		{func(k *Knobs) { k.Reinforce.Hidden = 2000 }, "reinforce", "hidden = 2000: from 1 to MaxHidden = 1024"},
		{func(k *Knobs) { k.Reinforce.Rate = 1 }, "reinforce", "learning_rate = 1: a number above 0 and below 1"},
		{func(k *Knobs) { k.Reinforce.Smoothing = 0 }, "reinforce", "smoothing = 0: a number above 0"},
		{func(k *Knobs) { k.Reinforce.Entropy = -1 }, "reinforce", "entropy = -1: a number from 0 to 1"},
	} {
		k := DefaultKnobs()
		c.change(&k)
		wrong := k.Check()
		if len(wrong) != 1 || wrong[0].Section != c.section || !strings.HasPrefix(wrong[0].Err.Error(), c.want) {
			t.Errorf("%v, want %s: %s", wrong, c.section, c.want)
		}
		policy := c.section
		if policy == "reinforce" {
			policy = "reinforce-rnn"
		}
		pol, _ := LookupPolicy(policy)
		if _, err := pol.Search(t.Context(), smallProblem(t, 1, Throughput), Options{Knobs: k}); err == nil || !strings.HasPrefix(err.Error(), c.section+": "+c.want) {
			t.Errorf("%s: %v, want %q", policy, err, c.want)
		}
	}
}

// TestMoves: against a dumb twin that compares all pairs of schemes.
func TestMoves(t *testing.T) {
	p := mustProblem(t, spec(randomModel(rand.New(rand.NewPCG(1, 1)), 5), cluster(cpuPool("a", 3, 1), gpuPool("b", 2, 2), cpuPool("c", 1, 3))))
	neighbours := func(x, y Scheme) bool {
		first, last, n := -1, -1, 0
		for l := range x {
			if x[l] != y[l] {
				if first < 0 {
					first = l
				}
				last = l
				n++
			}
		}
		if n == 0 {
			return false
		}
		a, b := x.runAt(first)
		c, d := x.runAt(last)
		one := n == last-first+1 && len(y[first:last+1].runs(nil)) == 2 && a == c && (first == a || last == b-1 || n == 1)
		swap := a != c && n == (b-a)+(d-c) && first == a && last == d-1 && len(y[a:b].runs(nil)) == 2 && len(y[c:d].runs(nil)) == 2 && y[a] == x[c] && y[c] == x[a]
		return one || swap
	}
	x := make(Scheme, 5)
	for range 243 {
		got := map[string]int{}
		for _, m := range p.moves(x, nil) {
			y := slices.Clone(x)
			m.apply(y)
			got[string(y)]++
		}
		y, want := make(Scheme, 5), 0
		for range 243 {
			if neighbours(x, y) {
				want++
				if got[string(y)] == 0 {
					t.Fatalf("%v is no neighbour of %v", y, x)
				}
			}
			p.increment(y)
		}
		if want != len(got) {
			t.Fatalf("%v has %d neighbours, want %d", x, len(got), want)
		}
		for y, n := range got {
			if n > 1 {
				t.Errorf("%v is a neighbour of %v %d times", Scheme(y), x, n)
			}
		}
		p.increment(x)
	}
}

// TestAnnealingTemperature: of worse changes by d alone, accept are accepted.
func TestAnnealingTemperature(t *testing.T) {
	s := newSearch(t.Context(), benchLike(t), Options{})
	at := Fitness{Value: 100, Feasible: true}
	around := []Fitness{{Value: 50, Feasible: true}, {Value: 50, Feasible: true}, {Value: 900, Feasible: true}}
	if got := math.Exp(-math.Log(2) / s.temperature(at, around, 0.3)); math.Abs(got-0.3) > 1e-12 {
		t.Errorf("a change to half the value is accepted with probability %v", got)
	}
	if s.temperature(at, nil, 0.3) <= 0 {
		t.Error("no temperature")
	}
}

// TestScore: any infeasible scheme is below all feasible ones that were seen, and
// the order of values is kept.
func TestScore(t *testing.T) {
	s := newSearch(t.Context(), benchLike(t), Options{})
	bad, worse := Fitness{Value: -1.2}, Fitness{Value: -3.4}
	if !(s.score(bad) > s.score(worse)) {
		t.Error("without a feasible scheme")
	}
	low, high := Fitness{Value: 1e-9, Feasible: true}, Fitness{Value: 1e9, Feasible: true}
	s.count(s.p.uniform(0), high)
	s.count(s.p.uniform(1), low)
	if !(s.score(high) > s.score(low) && s.score(low) > s.score(bad) && s.score(bad) > s.score(worse)) || !math.IsInf(s.score(unknown), -1) {
		t.Errorf("%v %v %v %v", s.score(high), s.score(low), s.score(bad), s.score(worse))
	}
}

// TestSteepestDescent: it ends where no neighbour is better.
func TestSteepestDescent(t *testing.T) {
	for _, descent := range Descents {
		p := randomProblem(t, 5, 9)
		o := Options{Knobs: DefaultKnobs()}
		o.Local.Restarts, o.Local.Descent = 0, descent
		out := mustSearch(t, "local", p, o)
		ev := NewEvaluator(p)
		for _, m := range p.moves(out.Plan.Scheme, nil) {
			y := slices.Clone(out.Plan.Scheme)
			m.apply(y)
			if f := ev.ClosedForm(y); better(f, out.Fitness) {
				t.Errorf("%s: %v of %+v is better than %v of %+v", descent, y, f, out.Plan.Scheme, out.Fitness)
			}
		}
	}
}

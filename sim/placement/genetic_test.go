package placement

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// smallProblem is a random instance of 2 pools and 6 to 12 layers.
func smallProblem(t testing.TB, seed uint64, o Objective) *Problem {
	r := rand.New(rand.NewPCG(seed, 7))
	s := spec(randomModel(r, 6+r.IntN(7)), cluster(cpuPool("c", 2+r.IntN(15), 0.2+r.Float64()), gpuPool("g", 1+r.IntN(16), 1+3*r.Float64())))
	s.Objective = o
	if r.IntN(2) == 0 {
		s.Merge = ByType
	}
	if r.IntN(2) == 0 {
		s.MaxPrice = 3 + 20*r.Float64()
	}
	return mustProblem(t, s)
}

// TestGeneticFindsTheOptimum: with default settings, in at least 95 of 100 random
// instances for each objective.
func TestGeneticFindsTheOptimum(t *testing.T) {
	instances := 100
	if testing.Short() {
		instances = 20
	}
	for _, o := range []Objective{Throughput, Cost} {
		for _, seeds := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/seeds=%v", o, seeds), func(t *testing.T) {
				found, fits := 0, 0
				for i := range uint64(instances) {
					p := smallProblem(t, i, o)
					want := mustSearch(t, "exhaustive", p, Options{})
					g := DefaultGenetic()
					g.Seeds = seeds
					got := mustSearch(t, "genetic", p, Options{Seed: int64(i), Knobs: Knobs{Genetic: g}})
					if got.Fitness.Value > want.Fitness.Value*(1+1e-12) {
						t.Fatalf("instance %d: genetic %+v beats exhaustive %+v", i, got.Fitness, want.Fitness)
					}
					if want.Fitness.Feasible {
						fits++
					}
					if got.Fitness.Value >= want.Fitness.Value*(1-1e-12) {
						found++
					}
				}
				if 100*found < 95*instances || 100*fits < 90*instances {
					t.Errorf("found the optimum of %d of %d instances, %d of them feasible", found, instances, fits)
				}
			})
		}
	}
}

// TestGeneticRepeats: the same seed gives the same outcome on any number of
// processors; another seed searches otherwise.
func TestGeneticRepeats(t *testing.T) {
	p := benchLike(t)
	was := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(was)
	var first *Outcome
	for _, n := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(n)
		out := mustSearch(t, "genetic", p, Options{Seed: 5})
		if first == nil {
			first = out
		} else if d := gocmp.Diff(first, out); d != "" {
			t.Errorf("GOMAXPROCS=%d: %s", n, d)
		}
	}
	if other := mustSearch(t, "genetic", p, Options{Seed: 6}); gocmp.Equal(first.History, other.History) {
		t.Error("seeds 5 and 6 take the same way")
	}
}

func benchLike(t testing.TB) *Problem {
	return mustProblem(t, spec(randomModel(rand.New(rand.NewPCG(1, 2)), 16), cluster(
		cpuPool("c1", 16, 0.4), cpuPool("c2", 8, 0.9), gpuPool("g1", 16, 2.5), gpuPool("g2", 8, 4))))
}

// TestGeneticHistory: the best never falls, evaluations add up, and the search
// stops after Patience generations without a better scheme, or at Generations.
func TestGeneticHistory(t *testing.T) {
	for _, change := range []func(*Genetic){
		func(*Genetic) {},
		func(g *Genetic) { g.Selection = "roulette" },
		func(g *Genetic) { g.Crossover = "one-point" },
		func(g *Genetic) { g.Crossover, g.Elite = "uniform", 0 },
		func(g *Genetic) { g.Generations, g.Seeds = 5, false },
		func(g *Genetic) { g.Patience, g.Mutation = 3, 0 },
		func(g *Genetic) { g.Population, g.Elite, g.Tournament, g.CrossRate = 8, 7, 8, 0 },
	} {
		g := DefaultGenetic()
		g.Repair, g.Refine, g.Renewal = 0, 0, 0
		change(&g)
		out := mustSearch(t, "genetic", benchLike(t), Options{Seed: 3, Knobs: Knobs{Genetic: g}})
		h := out.History
		improved := 0
		for i := range h {
			if h[i].Generation != i || h[i].Evaluations > g.Population+i*(g.Population-g.Elite) || (i > 0 && h[i].Evaluations < h[i-1].Evaluations) {
				t.Errorf("%+v: history %d is %+v", g, i, h[i])
			}
			if i > 0 && h[i].Best < h[i-1].Best {
				t.Errorf("%+v: the best falls from %v to %v", g, h[i-1].Best, h[i].Best)
			}
			if i > 0 && h[i].Best > h[i-1].Best {
				improved = i
			}
			if h[i].Mean > h[i].Best || h[i].Feasible < 0 || h[i].Feasible > 1 {
				t.Errorf("%+v: %+v", g, h[i])
			}
		}
		if last := len(h) - 1; last != min(g.Generations, improved+g.Patience) {
			t.Errorf("%+v: it stops at generation %d; the last better scheme came in %d", g, last, improved)
		}
		if all := g.Population + (len(h)-1)*(g.Population-g.Elite); out.Evaluations+out.Repeats != all {
			t.Errorf("%+v: %d evaluations and %d repeats of %d schemes", g, out.Evaluations, out.Repeats, all)
		}
		if out.Fitness.Value != h[len(h)-1].Best || out.Evaluations != h[len(h)-1].Evaluations {
			t.Errorf("%+v: %+v after %+v", g, out.Fitness, h[len(h)-1])
		}
	}
}

// TestElitesLive: the best schemes of a generation are in the next one.
func TestElitesLive(t *testing.T) {
	p := benchLike(t)
	g := DefaultGenetic()
	s := newSearch(context.Background(), p, Options{})
	pop, next := s.newPopulation(g), s.newPopulation(g)
	if err := s.begin(pop, g); err != nil {
		t.Fatal(err)
	}
	for gen := range 20 {
		s.rank(pop)
		if !slices.IsSortedFunc(pop, func(a, b individual) int { return cmp.Compare(b.value, a.value) }) {
			t.Fatal("not ranked")
		}
		if err := s.succeed(next, pop, gen+1, g, map[uint64]struct{}{}); err != nil {
			t.Fatal(err)
		}
		for i := range g.Elite {
			if !slices.Equal(next[i].scheme, pop[i].scheme) || next[i].value != pop[i].value {
				t.Fatalf("elite %d of generation %d is gone", i, gen)
			}
		}
		if pop[0].value != s.fitnessOf(pop[0].scheme) || s.fitness.Value < pop[0].value {
			t.Fatalf("generation %d: the best is worth %v, the search keeps %v", gen, pop[0].value, s.fitness.Value)
		}
		pop, next = next, pop
	}
}

func (s *search) fitnessOf(sc Scheme) float64 { return NewEvaluator(s.p).ClosedForm(sc).Value }

func TestGeneticValidate(t *testing.T) {
	if err := DefaultGenetic().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(*Genetic)
		want   string
	}{
		{func(g *Genetic) { g.Population = 1 }, "population = 1: from 2 to MaxPopulation = 65536"},
		{func(g *Genetic) { g.Population = 1 << 17 }, "population = 131072: from 2"},
		{func(g *Genetic) { g.Generations = 0 }, "generations = 0: from 1 to MaxGenerations = 1048576"},
		{func(g *Genetic) { g.Patience = 0 }, "patience = 0: at least 1"},
		{func(g *Genetic) { g.Tournament = 65 }, "tournament = 65: from 1 to population = 32"},
		{func(g *Genetic) { g.Elite = 64 }, "elite = 64: from 0 to population - 1 = 31"},
		{func(g *Genetic) { g.Elite = -1 }, "elite = -1: from 0"},
		{func(g *Genetic) { g.Selection = "best" }, `selection = "best": one of ["tournament" "roulette"]`},
		{func(g *Genetic) { g.Crossover = "none" }, `crossover = "none": one of ["two-point" "one-point" "uniform"]`},
		{func(g *Genetic) { g.Duplicates = "never" }, `duplicates = "never": one of ["generation" "ever" "keep"]`},
		{func(g *Genetic) { g.Repair = -1 }, "repair = -1: from 0 to MaxLayers = "},
		{func(g *Genetic) { g.Refine = 33 }, "refine = 33: from 0 to population = 32"},
		{func(g *Genetic) { g.Renewal = -1 }, "renewal = -1: from 0 to MaxGenerations"},
		{func(g *Genetic) { g.CrossRate = math.NaN() }, "crossover_rate = NaN: from 0 to 1"},
		{func(g *Genetic) { g.Mutation = -1 }, "mutation = -1: a number from 0"},
		{func(g *Genetic) { g.Mutation = math.Inf(1) }, "mutation = +Inf: a number from 0"},
	} {
		g := DefaultGenetic()
		c.change(&g)
		if err := g.Validate(); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

// TestOperators: crossover takes genes of its parents only, a boundary is found
// going round, and roulette prefers the better by rank.
func TestOperators(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, kind := range Crossovers {
		changes, mixed := 0, false
		for range 200 {
			child, other := Scheme{0, 0, 0, 0, 0, 0, 0, 0}, Scheme{1, 1, 1, 1, 1, 1, 1, 1}
			cross(child, other, kind, r)
			n := 0
			for l := 1; l < len(child); l++ {
				if child[l] != child[l-1] {
					n++
				}
			}
			changes = max(changes, n)
			mixed = mixed || n > 0
		}
		limit := map[string]int{"one-point": 1, "two-point": 2, "uniform": 7}[kind]
		if !mixed || changes > limit || (kind != "one-point" && changes < 2) {
			t.Errorf("%s makes up to %d boundaries", kind, changes)
		}
	}
	for l, want := range map[int][2]int{0: {2, 0}, 1: {1, 1}, 2: {2, 0}, 3: {3, 2}, 5: {1, 1}} {
		if at, to := boundary(Scheme{0, 0, 1, 1, 2, 2}, l); at != want[0] || int(to) != want[1] {
			t.Errorf("from %d: boundary %d, pool %d", l, at, to)
		}
	}
	if at, to := boundary(Scheme{3, 3}, 1); at != 1 || to != 3 {
		t.Errorf("no boundary: %d, %d", at, to)
	}
	pop, count := make([]individual, 4), [4]int{}
	for range 40000 {
		count[pick(pop, Genetic{Selection: "roulette"}, r)]++
	}
	for i, n := range count { // 4 : 3 : 2 : 1
		if want := 4000 * (4 - i); math.Abs(float64(n-want)) > 5*math.Sqrt(float64(want)) {
			t.Errorf("roulette picks rank %d %d times of 40000, want about %d", i, n, want)
		}
	}
}

// TestRepair: layers leave pools that refuse them, then runs get fewer one by one,
// the shortest first, until one is left.
func TestRepair(t *testing.T) {
	s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
	s.Only = []int{1, 0, 2, 0}
	p := mustProblem(t, s)
	for _, c := range []struct{ sc, want Scheme }{
		{Scheme{1, 1, 0, 0}, Scheme{0, 1, 1, 0}}, // 0 to the first pool that runs it, 2 to that of 1
		{Scheme{0, 1, 1, 0}, Scheme{1, 1, 1, 0}}, // of equal runs the first; that it is refused there shows next
		{Scheme{0, 0, 1, 1}, Scheme{1, 1, 1, 1}},
	} {
		if got := slices.Clone(c.sc); !p.repair(got) || !slices.Equal(got, c.want) {
			t.Errorf("%v is repaired to %v, want %v", c.sc, got, c.want)
		}
	}
	s.Only = nil
	p = mustProblem(t, s)
	for _, c := range []struct{ sc, want Scheme }{
		{Scheme{0, 0, 1, 0}, Scheme{0, 0, 0, 0}},
		{Scheme{1, 0, 0, 1}, Scheme{0, 0, 0, 1}},
		{Scheme{1, 1, 0, 1}, Scheme{1, 1, 1, 1}},
		{Scheme{1, 1, 1, 1}, nil},
	} {
		got := slices.Clone(c.sc)
		if changed := p.repair(got); changed != (c.want != nil) || changed && !slices.Equal(got, c.want) {
			t.Errorf("%v is repaired to %v, want %v", c.sc, got, c.want)
		}
	}
}

// TestRepairFindsWhatFits: where hardly any scheme fits, because pools have few
// devices and each stage takes one, repair makes more of a population fit.
func TestRepairFindsWhatFits(t *testing.T) {
	fits := [2]float64{}
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := mustProblem(t, spec(randomModel(r, 16), cluster(cpuPool("a", 2, 1), cpuPool("b", 1, 1), gpuPool("c", 1, 2))))
		for k, repair := range []int{0, 6} {
			g := DefaultGenetic()
			g.Seeds, g.Repair, g.Generations = false, repair, 1
			fits[k] += mustSearch(t, "genetic", p, Options{Seed: int64(seed), Knobs: Knobs{Genetic: g}}).History[0].Feasible / 10
		}
	}
	if !(fits[1] > 1.5*fits[0] && fits[0] > 0) {
		t.Errorf("%v of the first generation fit, repaired %v", fits[0], fits[1])
	}
}

// TestRefineAndRenewal: both help against populations that have become too alike:
// over seeds, the best that is found is not worse without doubt.
func TestRefineAndRenewal(t *testing.T) {
	sum := [2]float64{}
	for seed := range int64(10) {
		p := randomProblem(t, 209, 12) // a trap: with all layers on one pool every neighbour is worse
		for k, change := range []func(*Genetic){
			func(g *Genetic) { g.Refine, g.Renewal = 0, 0 },
			func(g *Genetic) {},
		} {
			g := DefaultGenetic()
			change(&g)
			sum[k] += mustSearch(t, "genetic", p, Options{Seed: seed, Knobs: Knobs{Genetic: g}}).Fitness.Value
		}
	}
	if !(sum[1] > 1.005*sum[0]) {
		t.Errorf("mean fitness %v, without refinement and renewal %v", sum[1]/10, sum[0]/10)
	}
}

package placement

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Genetic are the knobs of `genetic`, the search of US20230206075A1 as we read
// it: the target number of schemes is the population, a layer is a gene, a pool
// an allele, the adaptive value the fitness.
type Genetic struct {
	Population  int     `toml:"population"`     // target number of schemes a generation; default 64
	Generations int     `toml:"generations"`    // at most; default 200
	Patience    int     `toml:"patience"`       // stop after so many generations without a better scheme; default 40
	Selection   string  `toml:"selection"`      // "tournament" (default) or "roulette"
	Tournament  int     `toml:"tournament"`     // schemes drawn for one tournament; default 3
	Crossover   string  `toml:"crossover"`      // "two-point" (default), "one-point", "uniform"
	CrossRate   float64 `toml:"crossover_rate"` // share of children with two parents; default 0.9
	Mutation    float64 `toml:"mutation"`       // expected changes per child; default 1
	Elite       int     `toml:"elite"`          // best schemes that live on unchanged; default 2
	Seeds       bool    `toml:"seeds"`          // start also from the baselines, not from random schemes only; default true
}

// DefaultGenetic returns the defaults.
func DefaultGenetic() Genetic {
	return Genetic{
		Population: 64, Generations: 200, Patience: 40, Selection: "tournament", Tournament: 3,
		Crossover: "two-point", CrossRate: 0.9, Mutation: 1, Elite: 2, Seeds: true,
	}
}

// The largest population, number of generations and expected changes per child.
const (
	MaxPopulation  = 1 << 16
	MaxGenerations = 1 << 20
	MaxMutation    = MaxLayers
)

// Selections and Crossovers name the operators of `genetic`.
var (
	Selections = []string{"tournament", "roulette"}
	Crossovers = []string{"two-point", "one-point", "uniform"}
)

// Validate checks the knobs. Errors begin with the key, as in "elite = 99: …".
func (g Genetic) Validate() error {
	switch {
	case g.Population < 2 || g.Population > MaxPopulation:
		return fmt.Errorf("population = %d: from 2 to MaxPopulation = %d", g.Population, MaxPopulation)
	case g.Generations < 1 || g.Generations > MaxGenerations:
		return fmt.Errorf("generations = %d: from 1 to MaxGenerations = %d", g.Generations, MaxGenerations)
	case g.Patience < 1:
		return fmt.Errorf("patience = %d: at least 1", g.Patience)
	case g.Tournament < 1 || g.Tournament > g.Population:
		return fmt.Errorf("tournament = %d: from 1 to population = %d", g.Tournament, g.Population)
	case g.Elite < 0 || g.Elite >= g.Population:
		return fmt.Errorf("elite = %d: from 0 to population - 1 = %d", g.Elite, g.Population-1)
	case !slices.Contains(Selections, g.Selection):
		return fmt.Errorf("selection = %q: one of %q", g.Selection, Selections)
	case !slices.Contains(Crossovers, g.Crossover):
		return fmt.Errorf("crossover = %q: one of %q", g.Crossover, Crossovers)
	case !(g.CrossRate >= 0 && g.CrossRate <= 1):
		return fmt.Errorf("crossover_rate = %v: from 0 to 1", g.CrossRate)
	case !(g.Mutation >= 0 && g.Mutation <= MaxMutation):
		return fmt.Errorf("mutation = %v: a number from 0 to MaxMutation = %d", g.Mutation, MaxMutation)
	}
	return nil
}

type individual struct {
	scheme Scheme
	value  float64
	ok     bool // feasible
}

// runGenetic evolves a population. Every random choice of child i of generation
// g comes from a generator seeded for it, so that no choice depends on how many
// numbers another one drew.
func runGenetic(s *search) error {
	g := s.opt.Genetic
	if g == (Genetic{}) {
		g = DefaultGenetic()
	}
	if err := g.Validate(); err != nil {
		return fmt.Errorf("genetic: %w", err)
	}
	s.population = true
	pop, next := s.newPopulation(g), s.newPopulation(g)
	if err := s.begin(pop, g); err != nil {
		s.rank(pop)
		s.record(0, pop)
		return err
	}
	s.rank(pop)
	s.record(0, pop)
	seen := make(map[uint64]struct{}, g.Population)
	for gen, since := 1, 0; gen <= g.Generations && since < g.Patience; gen++ {
		was := s.fitness.Value
		clear(seen)
		err := s.succeed(next, pop, gen, g, seen)
		pop, next = next, pop
		s.rank(pop)
		s.record(gen, pop)
		if err != nil {
			return err
		}
		since++
		if s.fitness.Value > was {
			since = 0
		}
	}
	return nil
}

// succeed fills the next generation: the elite unchanged, then children.
func (s *search) succeed(next, pop []individual, gen int, g Genetic, seen map[uint64]struct{}) error {
	for i := range next {
		child := next[i].scheme
		if i < g.Elite {
			copy(child, pop[i].scheme)
			next[i].value, next[i].ok = pop[i].value, pop[i].ok
			seen[child.hash()] = struct{}{}
			continue
		}
		r := s.rng(2 + uint64(gen)<<20 + uint64(i))
		s.breed(child, pop, g, r)
		s.distinct(child, seen, r)
	}
	return s.judge(next[g.Elite:])
}

// judge evaluates individuals.
func (s *search) judge(pop []individual) error {
	scs, out := make([]Scheme, len(pop)), make([]Fitness, len(pop))
	for i := range pop {
		scs[i] = pop[i].scheme
	}
	err := s.evaluateOr(scs, out)
	for i, f := range out {
		pop[i].value, pop[i].ok = f.Value, f.Feasible
	}
	return err
}

func (s *search) newPopulation(g Genetic) []individual {
	pop := make([]individual, g.Population)
	for i := range pop {
		pop[i].scheme = make(Scheme, s.p.layers)
	}
	return pop
}

// begin fills the first generation: at most half of it with the schemes that a
// person would try first if Seeds, the rest with schemes of random runs.
func (s *search) begin(pop []individual, g Genetic) error {
	var seeds []Scheme
	if g.Seeds {
		seeds = s.p.starts()
	}
	for i := range pop {
		if i < len(seeds) && i < (len(pop)+1)/2 {
			copy(pop[i].scheme, seeds[i])
		} else {
			s.p.draw(pop[i].scheme, s.rng(2+uint64(i)))
		}
	}
	return s.judge(pop)
}

// rank sorts by fitness, best first; equals keep their order.
func (s *search) rank(pop []individual) {
	slices.SortStableFunc(pop, func(a, b individual) int { return cmp.Compare(b.value, a.value) })
}

func (s *search) record(gen int, pop []individual) {
	h := Generation{Generation: gen, Evaluations: s.evaluations}
	n := 0
	for _, in := range pop {
		if in.ok {
			h.Mean += in.value
			n++
		}
	}
	if n > 0 {
		h.Mean /= float64(n)
		h.Feasible = float64(n) / float64(len(pop))
	}
	if s.fitness.Feasible {
		h.Best = s.fitness.Value
		h.Mean = min(h.Mean, h.Best) // equal values may add up to a little more
	}
	s.history = append(s.history, h)
}

// breed makes a child of one or two selected parents and mutates it.
func (s *search) breed(child Scheme, pop []individual, g Genetic, r *rand.Rand) {
	copy(child, pop[pick(pop, g, r)].scheme)
	if r.Float64() < g.CrossRate {
		cross(child, pop[pick(pop, g, r)].scheme, g.Crossover, r)
	}
	for n := g.Mutation; n > 0; n-- {
		if n >= 1 || r.Float64() < n {
			s.p.perturb(child, r)
		}
	}
}

// pick selects a parent. Roulette weighs by rank, since fitness may be negative:
// the best of n is n times as likely as the worst (linear ranking, Baker 1985).
func pick(pop []individual, g Genetic, r *rand.Rand) int {
	n := len(pop)
	if g.Selection == "roulette" {
		at := r.IntN(n * (n + 1) / 2)
		for i := range n {
			if at -= n - i; at < 0 {
				return i
			}
		}
	}
	best := n
	for range g.Tournament {
		best = min(best, r.IntN(n)) // ranked: the smallest index wins
	}
	return best
}

// cross overwrites part of child with the genes of other.
func cross(child, other Scheme, kind string, r *rand.Rand) {
	n := len(child)
	switch kind {
	case "uniform":
		for l := range child {
			if r.IntN(2) == 1 {
				child[l] = other[l]
			}
		}
	case "one-point":
		at := r.IntN(n + 1)
		copy(child[at:], other[at:])
	default:
		a, b := r.IntN(n+1), r.IntN(n+1)
		copy(child[min(a, b):max(a, b)], other[min(a, b):max(a, b)])
	}
}

// distinct mutates a child that its generation has already, a few times at most.
// Two schemes with one hash, if ever, cost a needless mutation, no more.
func (s *search) distinct(child Scheme, seen map[uint64]struct{}, r *rand.Rand) {
	h := child.hash()
	for range 8 {
		if _, ok := seen[h]; !ok {
			break
		}
		s.p.perturb(child, r)
		h = child.hash()
	}
	seen[h] = struct{}{}
}

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
	Population  int     // target number of schemes a generation; default 64
	Generations int     // at most; default 200
	Patience    int     // stop after so many generations without a better scheme; default 40
	Selection   string  // "tournament" (default) or "roulette"
	Tournament  int     // schemes drawn for one tournament; default 3
	Crossover   string  // "two-point" (default), "one-point", "uniform"
	CrossRate   float64 // share of children with two parents; default 0.9
	Mutation    float64 // expected changes per child; default 1
	Elite       int     // best schemes that live on unchanged; default 2
	NoSeeds     bool    // start from random schemes only, not also from the baselines
}

// DefaultGenetic returns the defaults.
func DefaultGenetic() Genetic {
	return Genetic{
		Population: 64, Generations: 200, Patience: 40, Selection: "tournament", Tournament: 3,
		Crossover: "two-point", CrossRate: 0.9, Mutation: 1, Elite: 2,
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

// begin fills the first generation: the baselines unless NoSeeds, then schemes
// of random runs. A run of random length on one pool is far likelier to be
// feasible than a scheme whose every layer is drawn alone, which has as many
// stages as layers.
func (s *search) begin(pop []individual, g Genetic) error {
	var seeds []Scheme
	if !g.NoSeeds {
		for t := range s.p.pools {
			seeds = append(seeds, s.p.uniform(t))
		}
		seeds = append(append(seeds, s.p.heuristics()...), s.p.greedy())
	}
	for i := range pop {
		sc := pop[i].scheme
		if i < len(seeds) && i < (len(pop)+1)/2 {
			copy(sc, seeds[i])
		} else {
			r := s.rng(2 + uint64(i))
			change := r.Float64()
			for l := range sc {
				if sc[l] = uint8(r.IntN(s.p.pools)); l > 0 && r.Float64() > change {
					sc[l] = sc[l-1]
				}
			}
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
			s.mutate(child, r)
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

// mutate makes one of three changes: a layer goes to another pool; the boundary
// of a stage moves (a layer joins its neighbour); a whole run of layers goes to
// another pool. The last two keep the number of stages small, which single
// layers cannot do without passing through worse schemes.
func (s *search) mutate(sc Scheme, r *rand.Rand) {
	if s.p.pools < 2 {
		return
	}
	n, l := len(sc), r.IntN(len(sc))
	other := func() uint8 { return uint8((int(sc[l]) + 1 + r.IntN(s.p.pools-1)) % s.p.pools) }
	switch r.IntN(3) {
	case 0:
		sc[l] = other()
	case 1:
		at, to := boundary(sc, l)
		sc[at] = to
	default:
		a, b := l, l
		for a > 0 && sc[a-1] == sc[l] {
			a--
		}
		for b < n-1 && sc[b+1] == sc[l] {
			b++
		}
		if r.IntN(2) == 0 { // part of the run
			a = l
		}
		for t := other(); a <= b; a++ {
			sc[a] = t
		}
	}
}

// boundary returns the first layer at or after l, going round, whose left
// neighbour is on another pool, and that pool; without any boundary, l itself.
func boundary(sc Scheme, l int) (at int, to uint8) {
	for i := range sc {
		if k := (l + i) % len(sc); k > 0 && sc[k] != sc[k-1] {
			return k, sc[k-1]
		}
	}
	return l, sc[l]
}

// distinct mutates a child that its generation has already, a few times at most.
// Two schemes with one hash, if ever, cost a needless mutation, no more.
func (s *search) distinct(child Scheme, seen map[uint64]struct{}, r *rand.Rand) {
	h := child.hash()
	for range 8 {
		if _, ok := seen[h]; !ok {
			break
		}
		s.mutate(child, r)
		h = child.hash()
	}
	seen[h] = struct{}{}
}

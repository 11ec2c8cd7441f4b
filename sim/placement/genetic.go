package placement

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// Genetic are the knobs of `genetic`, the search of US20230206075A1 as we read
// it: the target number of schemes is the population, a layer is a gene, a pool
// an allele, the adaptive value the fitness (Holland, Adaptation in Natural and
// Artificial Systems, 1975; Goldberg, Genetic Algorithms, 1989). The abstract names
// none of the operators; these are ours:
//
//   - The first generation: the schemes that a person would try first (Seeds), in
//     at most half of it, and schemes of random runs of layers.
//   - Selection: the best of a few drawn schemes (tournament), or by rank (roulette:
//     linear ranking, since fitness may be negative).
//   - Crossover of two parents: the layers between two cuts, those after one cut, or
//     each layer by the toss of a coin (uniform).
//   - Mutation: a layer goes to another pool, a boundary moves, a run or a part of it
//     goes to another pool, two runs swap their pools.
//   - Duplicates: a child that came before is mutated again, up to 8 times.
//   - Repair of a scheme that does not fit: layers leave pools that cannot run them;
//     then the shortest run joins the longer one beside it. The repaired scheme takes
//     the place of the child if it is nearer to fitting.
//   - Elitism: the best schemes live on unchanged.
//   - Refinement of a population that has become too alike: its best schemes climb.
//   - Renewal, if that does not help: a new random population; every second time the
//     best of those given up meet in it.
type Genetic struct {
	Population  int     `toml:"population"`     // target number of schemes a generation; default 32
	Generations int     `toml:"generations"`    // at most; default 400
	Patience    int     `toml:"patience"`       // stop after so many generations without a better scheme; default 80
	Selection   string  `toml:"selection"`      // "tournament" (default) or "roulette"
	Tournament  int     `toml:"tournament"`     // schemes drawn for one tournament; default 3
	Crossover   string  `toml:"crossover"`      // "two-point" (default), "one-point", "uniform"
	CrossRate   float64 `toml:"crossover_rate"` // share of children with two parents; default 0.9
	Mutation    float64 `toml:"mutation"`       // expected changes per child; default 1
	Elite       int     `toml:"elite"`          // best schemes that live on unchanged; default 2
	Duplicates  string  `toml:"duplicates"`     // "generation" (default): a child that its generation has is changed again; "ever": one that was evaluated before; "keep"
	Repair      int     `toml:"repair"`         // attempts to make a scheme that does not fit fit; default 2
	Renewal     int     `toml:"renewal"`        // generations in which a population does not get better, after which a new one is drawn; 0: never; default 4
	Refine      int     `toml:"refine"`         // best schemes of a population that climb before it is given up; 0: none; default 4
	Seeds       bool    `toml:"seeds"`          // start also from the baselines, not from random schemes only; default true
}

// DefaultGenetic returns the defaults.
func DefaultGenetic() Genetic {
	return Genetic{
		Population: 32, Generations: 400, Patience: 80, Selection: "tournament", Tournament: 3,
		Crossover: "two-point", CrossRate: 0.9, Mutation: 1, Elite: 2, Duplicates: "generation", Repair: 2,
		Renewal: 4, Refine: 4, Seeds: true,
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
	Duplicates = []string{"generation", "ever", "keep"}
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
	case !slices.Contains(Duplicates, g.Duplicates):
		return fmt.Errorf("duplicates = %q: one of %q", g.Duplicates, Duplicates)
	case g.Renewal < 0 || g.Renewal > MaxGenerations:
		return fmt.Errorf("renewal = %d: from 0 to MaxGenerations = %d", g.Renewal, MaxGenerations)
	case g.Refine < 0 || g.Refine > g.Population:
		return fmt.Errorf("refine = %d: from 0 to population = %d", g.Refine, g.Population)
	case g.Repair < 0 || g.Repair > MaxLayers:
		return fmt.Errorf("repair = %d: from 0 to MaxLayers = %d", g.Repair, MaxLayers)
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
	return newEvolution(s, g).run()
}

// evolution is a population on its way.
type evolution struct {
	s         *search
	g         Genetic
	pop, next []individual // ranked, the best first; room for the next generation
	seen      map[uint64]struct{}
	climber   *climber

	stale int      // generations since the population got better
	drawn int      // populations that were given up
	fame  []Scheme // the best of each of them
}

func newEvolution(s *search, g Genetic) *evolution {
	s.population = true
	return &evolution{
		s: s, g: g, pop: s.newPopulation(g), next: s.newPopulation(g),
		seen: make(map[uint64]struct{}, g.Population), climber: newClimber(s, refineNeighbours),
	}
}

func (e *evolution) run() error {
	err := e.s.begin(e.pop, e.g)
	e.s.rank(e.pop)
	e.s.record(0, e.pop)
	for gen, since := 1, 0; err == nil && gen <= e.g.Generations && since < e.g.Patience; gen++ {
		was := e.s.fitness.Value
		err = e.generation(gen)
		e.s.record(gen, e.pop)
		if since++; e.s.fitness.Value > was {
			since = 0
		}
	}
	return err
}

// generation replaces the population by its children, or by a new one when it has
// not become better for long; before that, its best schemes climb.
func (e *evolution) generation(gen int) error {
	top := e.pop[0].value
	var err error
	if e.g.Renewal > 0 && e.stale >= e.g.Renewal {
		err = e.renew(gen)
		top, e.stale = math.Inf(-1), 0
	} else {
		clear(e.seen)
		err = e.s.succeed(e.next, e.pop, gen, e.g, e.seen)
	}
	e.pop, e.next = e.next, e.pop
	e.s.rank(e.pop)
	e.stale++
	if err == nil && e.stale == e.g.refineAfter() && e.pop[0].value <= top {
		err = e.refine()
	}
	if e.pop[0].value > top {
		e.stale = 0
	}
	return err
}

// refineAfter is how many generations a population does not get better before its
// best schemes climb: one less than before it is given up.
func (g *Genetic) refineAfter() int {
	if g.Renewal == 0 {
		return 3
	}
	return max(1, g.Renewal-1)
}

// refineNeighbours is how many neighbours of a scheme that climbs are looked at.
const refineNeighbours = 4096

// refine lets the best schemes climb to where no neighbour is better, as memetic
// algorithms do (Moscato, 1989).
func (e *evolution) refine() error {
	c := e.climber
	for i := range e.pop[:e.g.Refine] {
		in := &e.pop[i]
		copy(c.at, in.scheme)
		c.f = Fitness{Value: in.value, Feasible: in.ok}
		for better := true; better; {
			var err error
			if better, err = c.firstBetter(); err != nil {
				return err
			}
		}
		copy(in.scheme, c.at)
		in.value, in.ok = c.f.Value, c.f.Feasible
	}
	e.s.rank(e.pop)
	return nil
}

// fameOf is how many schemes of a population that is given up are remembered.
const fameOf = 4

// renew fills the next generation anew and forgets the elite: the population had
// become too alike to go on. Every second time the best of those given up before
// meet again, in at most half of it.
func (e *evolution) renew(gen int) error {
	for i := range min(fameOf, len(e.pop)) {
		e.fame = append(e.fame, slices.Clone(e.pop[i].scheme))
	}
	e.drawn++
	meet := 0
	if e.drawn%2 == 0 {
		meet = min(len(e.fame), (len(e.next)+1)/2)
	}
	for i := range e.next {
		if i < meet {
			copy(e.next[i].scheme, e.fame[len(e.fame)-1-i])
		} else {
			e.s.p.draw(e.next[i].scheme, e.s.rng(2+uint64(gen)<<20+uint64(i)))
		}
	}
	return e.s.judge(e.next, e.g)
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
		s.distinct(child, seen, g.Duplicates, r)
	}
	return s.judge(next[g.Elite:], g)
}

// judge evaluates individuals, and repairs those that do not fit.
func (s *search) judge(pop []individual, g Genetic) error {
	scs, out := make([]Scheme, len(pop)), make([]Fitness, len(pop))
	for i := range pop {
		scs[i] = pop[i].scheme
	}
	err := s.evaluateOr(scs, out)
	for i, f := range out {
		pop[i].value, pop[i].ok = f.Value, f.Feasible
	}
	for n := 0; n < g.Repair && err == nil; n++ {
		err = s.repairAll(pop)
	}
	return err
}

// repairAll makes one attempt to make each scheme that does not fit fit. What it
// becomes takes its place if it is nearer to fitting.
func (s *search) repairAll(pop []individual) error {
	var broken []int
	var scs []Scheme
	for i := range pop {
		if pop[i].ok {
			continue
		}
		if sc := slices.Clone(pop[i].scheme); s.p.repair(sc) {
			broken, scs = append(broken, i), append(scs, sc)
		}
	}
	out := make([]Fitness, len(scs))
	err := s.evaluateOr(scs, out)
	for j, i := range broken {
		if f := out[j]; f.Value > pop[i].value {
			copy(pop[i].scheme, scs[j])
			pop[i].value, pop[i].ok = f.Value, f.Feasible
		}
	}
	return err
}

// repair changes a scheme towards one that fits: every layer that its pool cannot
// run joins the layer before it, or the first pool that can run it; without such
// layers, the shortest run joins the longer one beside it, so that there is a stage
// less to give devices. It is false when nothing is left to change.
func (p *Problem) repair(sc Scheme) bool {
	moved := false
	for l, t := range sc {
		if !p.work[int(t)*p.layers+l].refused {
			continue
		}
		if l > 0 && !p.work[int(sc[l-1])*p.layers+l].refused {
			sc[l], moved = sc[l-1], true
			continue
		}
		for u := range p.pools {
			if !p.work[u*p.layers+l].refused {
				sc[l], moved = uint8(u), true
				break
			}
		}
	}
	if moved {
		return true
	}
	at := sc.runs(nil)
	if len(at) < 3 {
		return false
	}
	length := func(i int) int {
		if i < 0 || i+1 >= len(at) {
			return 0
		}
		return at[i+1] - at[i]
	}
	short := 0
	for i := range len(at) - 1 {
		if length(i) < length(short) {
			short = i
		}
	}
	to := short - 1
	if length(short+1) > length(to) {
		to = short + 1
	}
	m := move{from: at[short], to: at[short+1], pool: sc[at[to]]}
	m.apply(sc)
	return true
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
	return s.judge(pop, g)
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

// distinct changes a child that comes a second time, a few times at most. Two
// schemes with one hash, if ever, cost a needless change, no more.
func (s *search) distinct(child Scheme, seen map[uint64]struct{}, kind string, r *rand.Rand) {
	h := child.hash()
	for range 8 {
		_, twice := seen[h]
		if twice = twice || kind == "ever" && s.memo.seen(child); !twice || kind == "keep" {
			break
		}
		s.p.perturb(child, r)
		h = child.hash()
	}
	seen[h] = struct{}{}
}

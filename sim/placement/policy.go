package placement

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Fidelity is how a policy computes fitness while it searches.
type Fidelity string

// The fidelities of a search; a run then simulates the target scheme.
const (
	ClosedForm Fidelity = "closed-form"
	Recurrence Fidelity = "recurrence"
)

// Options steer a search. Zero values mean the defaults named with each field.
type Options struct {
	Seed        int64
	Fidelity    Fidelity // default closed-form
	Evaluations int      // of `random`; default DefaultEvaluations
	Scheme      Scheme   // of `fixed`
	Devices     []int    // of `fixed`, per stage; nil: provisioned
	Genetic     Genetic  // the zero value: DefaultGenetic()
}

// DefaultEvaluations is how many schemes `random` draws.
const DefaultEvaluations = 5000

// Generation is the state of a search after some evaluations.
type Generation struct {
	Generation, Evaluations int
	Best                    float64 // best fitness so far; 0 while nothing is feasible
	Mean                    float64 // of the feasible part of the population
	Feasible                float64 // share of the population
}

// Outcome is the target scheme that a policy chose. When no scheme that it saw
// fits, Fitness is infeasible and Plan.Reason says why the nearest does not.
type Outcome struct {
	Plan        *Plan
	Fitness     Fitness // at the search's fidelity
	Evaluations int
	History     []Generation
}

// Policy is a placement policy: a search algorithm over schemes.
type Policy struct {
	Name  string
	Title string
	run   func(*search) error
}

// Policies lists every placement policy in the order of help and comparisons.
var Policies = []Policy{
	{"fixed", "the scheme written in the scenario", runFixed},
	{"all-cpu", "every layer on one CPU pool: the best of them", runAllCPU},
	{"all-gpu", "every layer on one accelerator pool: the best of them", runAllGPU},
	{"heuristic", "sparse and input layers on CPUs, the rest on accelerators (as AIBox)", runHeuristic},
	{"greedy", "each layer on the pool where it alone is best", runGreedy},
	{"random", "the best of uniformly drawn schemes", runRandom},
	{"genetic", "a population of schemes under selection, crossover and mutation", runGenetic},
	{"exhaustive", "every scheme: the true optimum, small problems only", runExhaustive},
}

// PolicyNames returns the names of Policies.
func PolicyNames() []string {
	names := make([]string, len(Policies))
	for i, p := range Policies {
		names[i] = p.Name
	}
	return names
}

// LookupPolicy returns the policy of that name.
func LookupPolicy(name string) (Policy, bool) {
	i := slices.IndexFunc(Policies, func(p Policy) bool { return p.Name == name })
	if i < 0 {
		return Policy{}, false
	}
	return Policies[i], true
}

// Search runs a policy. When ctx ends it returns the best found so far together
// with ctx's error.
func (pol Policy) Search(ctx context.Context, p *Problem, opt Options) (*Outcome, error) {
	if opt.Fidelity == "" {
		opt.Fidelity = ClosedForm
	}
	if opt.Fidelity != ClosedForm && opt.Fidelity != Recurrence {
		return nil, fmt.Errorf("fitness = %q: %q or %q", opt.Fidelity, ClosedForm, Recurrence)
	}
	s := &search{ctx: ctx, p: p, opt: opt, ev: NewEvaluator(p), best: make(Scheme, p.layers)}
	err := pol.run(s)
	if err != nil && (ctx.Err() == nil || s.evaluations == 0) {
		return nil, err
	}
	out := &Outcome{Plan: s.plan, Fitness: s.fitness, Evaluations: s.evaluations, History: s.history}
	if out.Plan == nil {
		out.Plan = s.ev.Plan(s.best)
	}
	if out.Plan.Fitness.Feasible && !out.Fitness.Feasible {
		out.Plan.Reason = fmt.Sprintf("by %s %s", opt.Fidelity, p.shortfall(out.Fitness))
	}
	return out, err
}

// search is one run of a policy.
type search struct {
	ctx context.Context
	p   *Problem
	opt Options
	ev  *Evaluator

	best        Scheme
	plan        *Plan // of devices that were given; nil: of best
	fitness     Fitness
	evaluations int
	history     []Generation
	population  bool // the policy writes its own history

	pcg  *rand.PCG
	rand *rand.Rand
}

// evaluate returns the fitness of a scheme and keeps the best: of equal values
// the cheaper, of equal prices the first.
func (s *search) evaluate(sc Scheme) Fitness {
	var f Fitness
	if s.opt.Fidelity == Recurrence {
		f = s.ev.Recurrence(sc)
	} else {
		f = s.ev.ClosedForm(sc)
	}
	s.evaluations++
	if s.evaluations == 1 || f.Value > s.fitness.Value || (f.Value == s.fitness.Value && f.Feasible && f.Price < s.fitness.Price) {
		s.fitness = f
		copy(s.best, sc)
		if !s.population && f.Feasible {
			s.history = append(s.history, Generation{Generation: len(s.history), Evaluations: s.evaluations, Best: f.Value})
		}
	}
	return f
}

// stopped returns the context's error once it has ended, asking now and then.
func (s *search) stopped() error {
	if s.evaluations%64 != 0 {
		return nil
	}
	return s.ctx.Err()
}

// rng returns the generator for one purpose of a search, good until the next one.
func (s *search) rng(purpose uint64) *rand.Rand {
	if s.rand == nil {
		s.pcg = rand.NewPCG(0, 0)
		s.rand = rand.New(s.pcg)
	}
	s.pcg.Seed(uint64(s.opt.Seed), purpose)
	return s.rand
}

// uniform returns the scheme with every layer on pool t.
func (p *Problem) uniform(t int) Scheme {
	sc := make(Scheme, p.layers)
	for l := range sc {
		sc[l] = uint8(t)
	}
	return sc
}

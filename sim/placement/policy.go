package placement

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Fidelity is how a policy computes fitness while it searches.
type Fidelity string

// The fidelities of a search; a run then simulates the target scheme.
const (
	ClosedForm Fidelity = "closed-form"
	Recurrence Fidelity = "recurrence"
)

// Budget ends a search early; zeros: no limit. A budget of evaluations gives the
// same answer on every machine, one of time does not.
type Budget struct {
	Evaluations int // distinct schemes
	Time        time.Duration
}

// Progress is what a search tells while it runs.
type Progress struct {
	Evaluations, Repeats int
	Best                 Fitness
	Bound                float64 // fitness that no scheme can exceed; 0: none proven yet
	Elapsed              time.Duration
}

// Options steer a search. Zero values mean the defaults named with each field.
type Options struct {
	Seed     int64
	Fidelity Fidelity // default closed-form
	Budget
	Workers  int            // goroutines that evaluate; 0: GOMAXPROCS. Nothing but the time depends on them
	Progress func(Progress) // told now and then, by the goroutine that searches; nil: nobody
	Keep     int            // how many of the best distinct schemes seen Outcome.Finalists has; 0: none
	Memo     *Memo          // schemes evaluated before, as of a search that was stopped; grows. nil: a new one
	Scheme   Scheme         // of `fixed`
	Devices  []int          // of `fixed`, per stage; nil: provisioned
	terse    bool           // nobody asks why nothing fits
	Knobs
}

// Knobs are those of each policy. The zero value of one means its defaults.
type Knobs struct {
	Genetic   Genetic   `toml:"genetic"`
	Local     Local     `toml:"local"`
	Annealing Annealing `toml:"annealing"`
	Tabu      Tabu      `toml:"tabu"`
	Beam      Beam      `toml:"beam"`
	Bayesian  Bayesian  `toml:"bayesian"`
	Reinforce Reinforce `toml:"reinforce"` // of both networks
}

// DefaultKnobs returns the defaults of all policies.
func DefaultKnobs() Knobs {
	return Knobs{DefaultGenetic(), DefaultLocal(), DefaultAnnealing(), DefaultTabu(), DefaultBeam(), DefaultBayesian(), DefaultReinforce()}
}

// KnobError is what is wrong in the section of one policy.
type KnobError struct {
	Section string // as in [placement.genetic]
	Err     error  // begins with the key, as in "elite = 99: …"
}

// Check validates the knobs of all policies.
func (k *Knobs) Check() (wrong []KnobError) {
	for _, c := range []KnobError{
		{"genetic", k.Genetic.Validate()}, {"local", k.Local.Validate()}, {"annealing", k.Annealing.Validate()},
		{"tabu", k.Tabu.Validate()}, {"beam", k.Beam.Validate()}, {"bayesian", k.Bayesian.Validate()},
		{"reinforce", k.Reinforce.Validate()},
	} {
		if c.Err != nil {
			wrong = append(wrong, c)
		}
	}
	return wrong
}

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
	Evaluations int     // distinct schemes
	Repeats     int     // times that a policy came back to one of them
	History     []Generation

	Bound       float64 // fitness that no scheme can exceed; 0: none is proven
	Gap         float64 // 100 (Bound / Fitness.Value - 1), per cent; 0 without a bound or a feasible scheme
	Certificate string  // what was proven, in words; "": nothing
	Pareto      []Point // of the feasible schemes seen, those that no other beats in throughput and in cost, cheapest first
	Finalists   []Point // the best feasible schemes seen, the best first, at most Options.Keep
	Stopped     string  // which budget or interrupt ended the search; "": it ended by itself
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
	{"local", "hill climbing from several starts", runLocal},
	{"annealing", "random changes, worse ones accepted ever more rarely", runAnnealing},
	{"tabu", "the best neighbour, even if worse, but not back for a while", runTabu},
	{"beam", "layer by layer, the best partial schemes kept", runBeam},
	{"bayesian", "a Gaussian process says which schemes to try next", runBayesian},
	{"reinforce-lstm", "an LSTM learns to draw schemes (as HeterPS)", runReinforceLSTM},
	{"reinforce-rnn", "a plain recurrent network learns to draw schemes", runReinforceRNN},
	{"exhaustive", "every scheme: the true optimum, small problems only", runExhausted},
	{"exact", "the true optimum with its proof, by dynamic programming and bounds", runExactKeeping},
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

// Search runs a policy. A budget ends it with the best found so far; so does the
// end of ctx, and then with ctx's error too.
func (pol Policy) Search(ctx context.Context, p *Problem, opt Options) (*Outcome, error) {
	if opt.Fidelity == "" {
		opt.Fidelity = ClosedForm
	}
	if opt.Fidelity != ClosedForm && opt.Fidelity != Recurrence {
		return nil, fmt.Errorf("fitness = %q: %q or %q", opt.Fidelity, ClosedForm, Recurrence)
	}
	if opt.Evaluations < 0 {
		return nil, fmt.Errorf("evaluations = %d: at least 1, or 0 for no limit", opt.Evaluations)
	}
	if opt.Time < 0 {
		return nil, fmt.Errorf("time = %v: more than 0, or 0 for no limit", opt.Time)
	}
	if opt.Fidelity == Recurrence && p.added {
		return nil, fmt.Errorf("fitness = %q: %s", Recurrence, OnlyClosedForm)
	}
	if opt.Keep < 0 || opt.Keep > MaxKeep {
		return nil, fmt.Errorf("keep = %d: from 0 to MaxKeep = %d schemes", opt.Keep, MaxKeep)
	}
	s := newSearch(ctx, p, opt)
	err := pol.run(s)
	if _, ok := err.(budgetError); ok && s.evaluations > 0 {
		s.ended, err = err.Error(), nil
	}
	if err != nil && (ctx.Err() == nil || s.evaluations == 0) {
		return nil, err
	}
	if err != nil {
		s.ended = "interrupted"
	} else if s.over != nil { // a policy that does not ask
		s.ended = s.over.Error()
	}
	s.bounded(err == nil)
	s.tell()
	return s.outcome(), err
}

// outcome is what the search found.
func (s *search) outcome() *Outcome {
	out := &Outcome{
		Plan: s.plan, Fitness: s.fitness, Evaluations: s.evaluations, Repeats: s.repeats, History: s.history,
		Pareto: s.pareto, Finalists: s.finalists, Stopped: s.ended, Bound: s.bound, Certificate: s.certificate,
	}
	if s.bound > 0 && s.fitness.Feasible {
		out.Gap = 100 * (s.bound/s.fitness.Value - 1)
	}
	if out.Plan == nil {
		out.Plan = s.ev.Plan(s.best)
	}
	if out.Plan.Fitness.Feasible && !out.Fitness.Feasible {
		out.Plan.Reason = fmt.Sprintf("by %s %s", s.opt.Fidelity, s.p.shortfall(out.Fitness))
	}
	switch {
	case out.Fitness.Feasible:
	case s.most != "":
		out.Plan.Reason += "; no scheme comes to " + s.most
	default:
		out.Plan.Reason += s.reached.say(s.p, s.p.throughputBound(s.bound))
	}
	return out
}

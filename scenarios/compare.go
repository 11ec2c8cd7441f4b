package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"stowage/sim"
	"stowage/sim/engine"
	"stowage/sim/placement"
	"stowage/sim/slots"
)

// MaxCompareSeeds bounds the seeds of a comparison.
const MaxCompareSeeds = 10_000

// Comparing says how an experiment is compared under several policies.
type Comparing struct {
	Policies []string // known names, each once
	Seeds    int      // from the scenario's on; 0: 1
	Version  string
	// Progress is told, by one goroutine at a time, when a run begins and ends, and now
	// and then while it searches; nil: no one is.
	Progress func(CompareProgress)
}

// CompareProgress is how far a comparison is.
type CompareProgress struct {
	Done, All int
	Policy    string // of the run that there is news of
	Seed      int64
	Search    placement.Progress // of that run; zero: it has not begun, or is over
}

// ComparePlacements searches the target scheme of the experiment by each placement
// policy and seed, and simulates it. The seed is that of the search alone: the lookups
// are those of the scenario's seed, so that all policies and seeds are about one and the
// same problem. A policy that draws nothing runs once. Policies that do not apply are
// among the skipped.
//
// Runs share the processors; what they give does not depend on how many there are.
// When ctx ends, the finished runs are returned together with ctx's error.
func (s *Scenario) ComparePlacements(ctx context.Context, how Comparing) (*sim.Comparison, error) {
	set, err := s.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	of := s.simulated(ctx, set)
	return s.compare(ctx, how, comparison{
		by: sim.Placements,
		draws: func(policy string) bool {
			pol, _ := placement.LookupPolicy(policy)
			return pol.Stochastic()
		},
		do: func(run *sim.ComparedRun, tell func(placement.Progress)) error {
			one := *s
			if err := one.SetPlacement(run.Policy); err != nil {
				return err
			}
			one.SetSeed(run.Seed)
			one.Search.Progress = tell
			one.Search.Workers = 1 // runs share the processors
			return one.comparePlacement(ctx, how, of, run)
		},
	})
}

// comparePlacement fills in a run of the scenario's policy and seed.
func (s *Scenario) comparePlacement(ctx context.Context, how Comparing, of func(*Scenario) (*simulations, error), run *sim.ComparedRun) error {
	simulated, err := of(s)
	if err != nil {
		return err
	}
	set := simulated.set
	begin := time.Now()
	outcome, err := s.Policy.Search(ctx, set.problem, s.Search)
	run.Elapsed = time.Since(begin)
	if err != nil {
		return err
	}
	searched(run, outcome)
	if !outcome.Fitness.Feasible {
		run.Infeasible = outcome.Plan.Reason
		return nil
	}
	return s.conclude(ctx, how, set, outcome, simulated.run, run)
}

// conclude simulates the target scheme of a search and fills in what came out.
func (s *Scenario) conclude(ctx context.Context, how Comparing, set *prepared, outcome *placement.Outcome, train trainer, run *sim.ComparedRun) error {
	chosen, err := s.decide(ctx, set, outcome, train)
	if err != nil {
		return err
	}
	run.Result = s.summarize(set, s.job(set, chosen.plan), chosen, outcome, how.Version)
	run.Result.Rounds = nil
	run.Metrics = run.Result.Metrics
	run.Target = &sim.FrontPoint{Throughput: chosen.fitness.Throughput, Cost: chosen.fitness.Cost}
	return nil
}

// CompareReplacements runs the experiment under each replacement policy and seed. The
// seed is that of the lookups too: policies meet the same lookups under the same seed.
// It returns as ComparePlacements does.
func (s *Scenario) CompareReplacements(ctx context.Context, how Comparing) (*sim.Comparison, error) {
	if s.Slots == nil {
		return nil, fmt.Errorf("the scenario %s has no section slots", s.Name)
	}
	return s.compare(ctx, how, comparison{
		by:    sim.Replacements,
		draws: func(string) bool { return true },
		do: func(run *sim.ComparedRun, tell func(placement.Progress)) error {
			one := *s
			one.Sweep, one.Search.Progress = nil, tell
			if err := one.SetReplacement(run.Policy); err != nil {
				return err
			}
			one.SetSeed(run.Seed)
			begin := time.Now()
			err := one.compareReplacement(ctx, how, run)
			run.Elapsed = time.Since(begin)
			return err
		},
	})
}

// compareReplacement fills in a run of the scenario's replacement policy and seed.
func (s *Scenario) compareReplacement(ctx context.Context, how Comparing, run *sim.ComparedRun) error {
	set, err := s.prepare(ctx)
	if err != nil {
		return err
	}
	outcome, err := s.Policy.Search(ctx, set.problem, s.Search)
	if err != nil {
		return fmt.Errorf("placement %s: %w", s.Policy.Name, err)
	}
	searched(run, outcome)
	if !outcome.Fitness.Feasible {
		run.Infeasible = outcome.Plan.Reason
		return nil
	}
	return s.conclude(ctx, how, set, outcome, func(ctx context.Context, plan *placement.Plan) (*sim.Run, error) {
		return set.train(ctx, s.job(set, plan))
	}, run)
}

// searched fills in what a search found.
func searched(run *sim.ComparedRun, outcome *placement.Outcome) {
	run.Evaluations = outcome.Evaluations
	run.Metrics = sim.Metrics{{Name: "evaluations", Value: float64(outcome.Evaluations), Unit: "schemes"}}
	run.Bound = outcome.Bound
	for _, p := range outcome.Pareto {
		run.Front = append(run.Front, sim.FrontPoint{Throughput: p.Fitness.Throughput, Cost: p.Fitness.Cost})
	}
}

// comparison is what compares one sort of policies.
type comparison struct {
	by    string
	draws func(policy string) bool // seeds matter
	do    func(run *sim.ComparedRun, tell func(placement.Progress)) error
}

// compare does every run of a comparison.
func (s *Scenario) compare(ctx context.Context, how Comparing, by comparison) (*sim.Comparison, error) {
	if s.Seed > math.MaxInt64-int64(max(how.Seeds, 1)-1) {
		return nil, fmt.Errorf("%s: %d seeds from %d on: the last would be above %d", s.Name, how.Seeds, s.Seed, int64(math.MaxInt64))
	}
	out, runs := s.planned(how, by)
	tell := teller(how.Progress, len(runs))
	errs := make([]error, len(runs))
	_ = parallel(len(runs), func(i int) error { // every error has its place in errs
		errs[i] = by.one(ctx, &runs[i], tell)
		return nil
	})
	return s.compared(ctx, out, runs, errs)
}

// planned lists the runs of a comparison, policy by policy, seeds rising.
func (s *Scenario) planned(how Comparing, by comparison) (*sim.Comparison, []sim.ComparedRun) {
	out := &sim.Comparison{
		Scenario: s.Name, Title: s.Title, Version: how.Version, By: by.by,
		Objective: string(s.Problem.Objective), Fidelity: string(s.fidelity()), Seeds: max(1, how.Seeds),
	}
	var runs []sim.ComparedRun
	for _, policy := range how.Policies {
		draws := by.draws(policy)
		for i := range out.Seeds {
			if i == 0 || draws {
				runs = append(runs, sim.ComparedRun{Policy: policy, Seed: s.Seed + int64(i), Once: !draws})
			}
		}
	}
	return out, runs
}

// one does one run, unless ctx has ended, and tells of it.
func (by *comparison) one(ctx context.Context, run *sim.ComparedRun, tell func(*sim.ComparedRun) news) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	told := tell(run)
	defer told.end()
	return finding(run, by.do(run, told.search))
}

// compared gathers what the runs of a comparison gave.
func (s *Scenario) compared(ctx context.Context, out *sim.Comparison, runs []sim.ComparedRun, errs []error) (*sim.Comparison, error) {
	gather(out, runs, errs)
	if err := ctx.Err(); err != nil && len(out.Runs) < len(runs) {
		out.Stopped = fmt.Sprintf("stopped after %d of %d runs", len(out.Runs), len(runs))
		return out, fmt.Errorf("%s: stopped after %d of %d runs: %w", s.Name, len(out.Runs), len(runs), err)
	}
	if len(out.Runs) == 0 {
		return out, nothingCompared(s.Name, out)
	}
	return out, nil
}

// fidelity is the one at which placement policies search.
func (s *Scenario) fidelity() placement.Fidelity {
	if s.Search.Fidelity == "" {
		return placement.ClosedForm
	}
	return s.Search.Fidelity
}

// news passes on what there is to tell of one run.
type news struct {
	search func(placement.Progress) // nil: nobody wants to know
	end    func()
}

// teller returns a function that tells of the begin of a run and returns what tells the
// rest.
func teller(progress func(CompareProgress), all int) func(run *sim.ComparedRun) news {
	if progress == nil {
		return func(*sim.ComparedRun) news { return news{end: func() {}} }
	}
	var mu sync.Mutex
	total := 0
	return func(run *sim.ComparedRun) news {
		at := CompareProgress{All: all, Policy: run.Policy, Seed: run.Seed}
		tell := func(done int, search placement.Progress) {
			mu.Lock()
			defer mu.Unlock()
			total += done
			at.Done, at.Search = total, search
			progress(at)
		}
		tell(0, placement.Progress{})
		return news{
			search: func(p placement.Progress) { tell(0, p) },
			end:    func() { tell(1, placement.Progress{}) },
		}
	}
}

// finding turns an error that is something found out about the experiment into a run
// that is infeasible.
func finding(run *sim.ComparedRun, err error) error {
	var (
		short    *slots.ShortageError
		limit    *engine.LimitError
		deadlock *engine.DeadlockError
	)
	if errors.As(err, &short) || errors.As(err, &limit) || errors.As(err, &deadlock) || errors.Is(err, engine.ErrTooLong) {
		run.Infeasible, run.Result = err.Error(), nil
		return nil
	}
	return err
}

// gather keeps the runs that are finished, and puts aside the policies that could not be
// applied.
func gather(out *sim.Comparison, runs []sim.ComparedRun, errs []error) {
	refused := map[string]bool{}
	for i, err := range errs {
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || refused[runs[i].Policy] {
			continue
		}
		refused[runs[i].Policy] = true
		out.Skipped = append(out.Skipped, sim.SkippedPolicy{Policy: runs[i].Policy, Reason: err.Error()})
	}
	for i, err := range errs {
		if err == nil && !refused[runs[i].Policy] {
			out.Runs = append(out.Runs, runs[i])
		}
	}
}

// nothingCompared is the error of a comparison whose policies all do not apply.
func nothingCompared(scenario string, c *sim.Comparison) error {
	var why []string
	for _, s := range c.Skipped {
		why = append(why, s.Policy+": "+s.Reason)
	}
	return fmt.Errorf("%s: nothing to compare: %s", scenario, strings.Join(why, "; "))
}

// simulated returns what simulates plans of the scenario's experiment for each placement
// policy. It is one, prepared in set, unless other jobs that are searched leave room for a
// fixed scheme, which is only there under the policy `fixed`.
func (s *Scenario) simulated(ctx context.Context, set *prepared) func(one *Scenario) (*simulations, error) {
	own := &simulations{of: s, set: set}
	return func(one *Scenario) (*simulations, error) {
		if !s.searchesBeside() || one.settled() == s.settled() {
			return own, nil
		}
		return own.otherwise(ctx, one.Policy)
	}
}

// otherwise are the simulations under policies for which other jobs are planned
// otherwise; policy is one of them.
func (c *simulations) otherwise(ctx context.Context, policy placement.Policy) (*simulations, error) {
	c.unlike.Do(func() {
		again := *c.of // with its own seed, which is that of the lookups
		again.Policy = policy
		set, err := again.prepare(ctx)
		c.other, c.otherErr = &simulations{of: c.of, set: set}, err
	})
	return c.other, c.otherErr
}

// simulations simulates plans of one experiment, equal ones once.
type simulations struct {
	of  *Scenario
	set *prepared

	mu   sync.Mutex
	done map[string]*simulation

	unlike   sync.Once
	other    *simulations
	otherErr error
}

// simulation is a run of one plan.
type simulation struct {
	once sync.Once
	run  *sim.Run
	err  error
}

// run returns the training run of a plan, which is shared and must not be changed.
func (c *simulations) run(ctx context.Context, plan *placement.Plan) (*sim.Run, error) {
	one := c.entry(planKey(plan))
	one.once.Do(func() { one.run, one.err = c.set.train(ctx, c.of.job(c.set, plan)) })
	return one.run, one.err
}

func (c *simulations) entry(key string) *simulation {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = map[string]*simulation{}
	}
	if c.done[key] == nil {
		c.done[key] = &simulation{}
	}
	return c.done[key]
}

// planKey is the same for plans that are run alike.
func planKey(plan *placement.Plan) string {
	key := []byte(fmt.Sprint(plan.Scheme))
	for i := range plan.Stages {
		key = fmt.Appendf(key, " %d", plan.Stages[i].Devices)
	}
	return string(key)
}

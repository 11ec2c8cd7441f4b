package scenarios

import (
	"context"
	"errors"
	"fmt"

	"stowage/sim"
	"stowage/sim/placement"
)

// MaxFinalists bounds placement.finalists.
const MaxFinalists = 256

// trainer simulates a plan.
type trainer func(ctx context.Context, plan *placement.Plan) (*sim.Run, error)

// target is the scheme that is run.
type target struct {
	plan    *placement.Plan
	fitness placement.Fitness // at the search's fidelity
	run     *sim.Run
	levels  *sim.Levels // nil: the search decided
}

// decide simulates the target scheme. Without finalists it is the best that the search
// found; else the best few are simulated, and improved if that is asked for, and the best
// simulated one is the target: of equals the one that the search ranked higher. An error comes with the run of the
// rounds that are over, if there is one.
func (s *Scenario) decide(ctx context.Context, set *prepared, outcome *placement.Outcome, train trainer) (target, error) {
	if len(outcome.Finalists) == 0 {
		run, err := train(ctx, outcome.Plan)
		return target{plan: outcome.Plan, fitness: outcome.Fitness, run: run}, err
	}
	all := make([]finalist, len(outcome.Finalists))
	err := parallel(len(all), func(i int) error {
		all[i].plan = placement.NewEvaluator(set.problem).Plan(outcome.Finalists[i].Scheme)
		return all[i].simulate(ctx, train)
	})
	if err != nil {
		return target{}, fmt.Errorf("simulating the finalists: %w", err)
	}
	best := -1
	for i := range all {
		if all[i].run == nil {
			continue
		}
		all[i].simulated = set.problem.Measured(all[i].plan, s.warmStep(all[i].run))
		if best < 0 || all[i].simulated.Value > all[best].simulated.Value {
			best = i
		}
	}
	if best < 0 {
		return target{}, fmt.Errorf("none of the %d finalists can be simulated: %w", len(all), all[0].refused)
	}
	out := target{fitness: outcome.Finalists[best].Fitness}
	simulations := 0
	if s.Improve > 0 {
		better, n, err := s.improve(ctx, set, all, best, train)
		if err != nil {
			return target{}, err
		}
		if simulations = n; better.run != nil {
			best, all = len(all), append(all, better)
			out.fitness = better.plan.Fitness
		}
	}
	out.plan, out.run = all[best].plan, all[best].run
	out.levels = levelsOf(set.problem, all, best)
	out.levels.Simulations = simulations
	for i := len(outcome.Finalists); i < len(all); i++ {
		out.levels.Finalists[i].Improved = true
	}
	return out, nil
}

// finalist is a scheme that may become the target.
type finalist struct {
	plan      *placement.Plan
	run       *sim.Run
	refused   error // why it cannot be simulated
	simulated placement.Fitness
}

// simulate runs the finalist. That it cannot be run is something found out about it; the
// end of ctx is an error.
func (f *finalist) simulate(ctx context.Context, train trainer) error {
	run, err := train(ctx, f.plan)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err == nil {
		f.run = run
	} else if f.refused = err; !isFinding(err) {
		return err
	}
	return nil
}

// warmStep is the mean time of a round, in seconds, over the rounds in which slot tables
// are warm: a training run is longer than a simulated one. Beside other jobs it is that of
// all rounds, as those may be over before.
func (s *Scenario) warmStep(run *sim.Run) float64 {
	if len(run.Beside) > 0 {
		return run.End.Seconds() / float64(len(run.Rounds))
	}
	pass := 0
	if s.Slots != nil {
		pass = s.Slots.Feed.Pass
	}
	from := sim.WarmFrom(len(run.Rounds), pass)
	return (run.End - run.Rounds[from].Start).Seconds() / float64(len(run.Rounds)-from)
}

// levelsOf tells what each finalist is worth at each fidelity.
func levelsOf(p *placement.Problem, all []finalist, best int) *sim.Levels {
	l := &sim.Levels{Finalists: make([]sim.Finalist, len(all))}
	_, l.Unit = sim.Natural(string(p.Objective), 1)
	for i := range all {
		f := &all[i]
		out := &l.Finalists[i]
		out.Target = i == best
		for _, t := range f.plan.Scheme {
			out.Layers = append(out.Layers, p.Cluster.Pools[t].Device.Name)
		}
		for k := range f.plan.Stages {
			st := &f.plan.Stages[k]
			out.Devices = append(out.Devices, st.Devices)
			out.Stages = append(out.Stages, stageInWords(p, st))
		}
		out.ClosedForm = levelOf(p, f.plan.Fitness)
		if r, err := p.RecurrenceOf(f.plan); err == nil {
			out.Recurrence = levelOf(p, r)
		}
		if f.run != nil {
			out.Simulated = levelOf(p, f.simulated)
		} else {
			out.Infeasible = f.refused.Error()
		}
	}
	l.Rank()
	return l
}

// stageInWords names the devices of a stage and its first and last layer.
func stageInWords(p *placement.Problem, st *placement.Stage) string {
	layers := fmt.Sprint(st.First)
	if st.Last > st.First {
		layers = fmt.Sprintf("%d-%d", st.First, st.Last)
	}
	return fmt.Sprintf("%d %s: %s", st.Devices, p.Cluster.Pools[st.Pool].Name, layers)
}

// levelOf is a fitness as a level; nil: there is none, because no time was measured.
func levelOf(p *placement.Problem, f placement.Fitness) *sim.Level {
	if f.Throughput <= 0 {
		return nil
	}
	l := &sim.Level{Fitness: f.Value, Misses: !f.Feasible}
	switch p.Objective {
	case placement.Cost:
		l.Value = f.Cost
	case placement.Time:
		l.Value = float64(p.Batch) / f.Throughput
	default:
		l.Value = f.Throughput
	}
	return l
}

// isFinding reports whether an error of a simulation is something found out about the
// experiment.
func isFinding(err error) bool {
	var run sim.ComparedRun
	return err != nil && !errors.Is(err, context.Canceled) && finding(&run, err) == nil
}

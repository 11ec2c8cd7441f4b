package placement

import (
	"stowage/sim/pipeline"
)

// Recurrence returns the fitness of a scheme by the exact makespan of one step,
// nothing contending, with the devices that the closed form provisions. The
// floor and the caps are judged by the recurrence's throughput. Beside what the
// pipeline's recurrence itself needs, it allocates nothing.
func (ev *Evaluator) Recurrence(s Scheme) Fitness {
	f := ev.ClosedForm(s)
	if !f.Feasible {
		return f
	}
	b := &ev.pipe
	b.begin(ev.p, s, ev.stageOf, ev.segment, ev.segments)
	fetch, beside := 0.0, 0.0
	for i := range ev.stages {
		k := ev.best[i]
		b.place(ev.stages[i].pool, k, float64(ev.denseBytes(i)))
		extract, update := ev.besideTimes(i, k)
		fetch, beside = max(fetch, ev.fetchTime(i, k)), max(beside, extract+update)
	}
	if b.build() != nil {
		return infeasible(endless, 0)
	}
	return ev.p.stepFitness(&b.out, fetch, beside, f.Price)
}

// RecurrenceOf is Recurrence for a plan whose devices are decided. It errs when
// a time exceeds the simulator's clock.
func (p *Problem) RecurrenceOf(pl *Plan) (Fitness, error) {
	pipe, _, err := p.Pipeline(pl)
	if err != nil {
		return Fitness{}, err
	}
	fetch, beside := 0.0, 0.0
	for i := range pl.Stages {
		fetch, beside = max(fetch, pl.Stages[i].Fetch), max(beside, pl.Stages[i].Extract+pl.Stages[i].Update)
	}
	return p.stepFitness(pipe, fetch, beside, pl.Fitness.Price), nil
}

// stepFitness is the fitness of one step of a pipeline. Rows are fetched before
// it, or beside the step before when there is a look-ahead; devices extract them at
// its begin, and update them at its end; reading samples goes on beside it.
func (p *Problem) stepFitness(pipe *pipeline.Pipeline, fetch, beside, price float64) Fitness {
	step := pipeline.NewRecurrence(pipe).Step().Seconds() + beside
	if p.Lookahead > 0 {
		step = max(step, fetch)
	} else {
		step += fetch
	}
	if p.Sequential {
		step += p.Input
	} else {
		step = max(step, p.Input)
	}
	if !positive(step) { // below the clock's nanosecond
		return infeasible(timeless, 1)
	}
	return p.fitness(step, price)
}

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
	b.servers = ev.servers
	var rows stepRows
	for i := range ev.stages {
		k := ev.best[i]
		b.place(ev.stages[i].pool, k, float64(ev.denseBytes(i)))
		extract, update := ev.besideTimes(i, k)
		once, each := ev.fetchTimes(i, k)
		rows.add(once, each, extract+update)
	}
	if b.build() != nil {
		return infeasible(endless, 0)
	}
	return ev.p.stepFitness(b, rows, f.Price)
}

// RecurrenceOf is Recurrence for a plan whose devices are decided. It errs when
// a time exceeds the simulator's clock.
func (p *Problem) RecurrenceOf(pl *Plan) (Fitness, error) {
	b, err := p.built(pl)
	if err != nil {
		return Fitness{}, err
	}
	var rows stepRows
	for i := range pl.Stages {
		st := &pl.Stages[i]
		rows.add(st.Fetch, st.Cycle, st.Extract+st.Update)
	}
	return p.stepFitness(b, rows, pl.Fitness.Price), nil
}

// stepRows are the seconds that the embedding rows of a step take, of the slowest stage
// each: see fetchTimes, and besideTimes.
type stepRows struct{ fetch, cycle, beside float64 }

func (r *stepRows) add(fetch, cycle, beside float64) {
	r.fetch, r.cycle, r.beside = max(r.fetch, fetch), max(r.cycle, cycle), max(r.beside, beside)
}

// stepFitness is the fitness of one step of a pipeline. Rows are fetched before
// it, or beside the steps before when there is a look-ahead; devices extract them at
// its begin, and update them at its end; reading samples goes on beside it.
func (p *Problem) stepFitness(b *builder, rows stepRows, price float64) Fitness {
	step := p.pace(b.seconds()+rows.beside, rows.fetch, rows.cycle)
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

// seconds is how long a step of the pipeline takes: its recurrence, in which nothing
// contends, and no less than any link of the network needs for what goes over it.
func (b *builder) seconds() float64 {
	step := pipeline.StepTime(&b.out).Seconds()
	if b.routed != nil {
		step = max(step, b.routed.bound())
	}
	return step
}

// rounding is how much shorter than the sum of its times a step can be, in seconds.
// The recurrence counts whole nanoseconds: a pass through a segment may lose half of
// one, a transfer three halves (measured time, latency and bytes are rounded each).
// The paths by which bounds go are those of one micro-batch through all segments and
// back, and of all others through one stage, which has several segments where it is
// all layers of a pool, or over one link in one direction.
func (p *Problem) rounding() float64 {
	segments := 1
	if p.byPool {
		segments = (p.layers + 1) / 2
	}
	return 0.5e-9 * float64(p.Microbatches*max(2*segments, 3)+8*p.layers)
}

package sim

import (
	"fmt"
	"slices"
	"time"

	"stowage/sim/engine"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/rounds"
)

// troubled is what trouble makes of a job.
type troubled struct {
	straggle  *straggling   // nil: no stage has a straggler
	weakening *weakening    // nil: all links are whole
	recovery  *recovery     // nil: nothing is lost or saved
	scope     *engine.Scope // of the job since it last began; nil without recovery
	base      int           // the round that it began with
	from      time.Duration // when it began, or went on after a checkpoint
	reached   int           // the last round that a stage has finished
	fault     error         // why it could not begin anew
}

// meetTrouble prepares for what goes wrong in a job.
func (t *training) meetTrouble() (err error) {
	tr := t.job.Trouble
	if tr == nil {
		return nil
	}
	t.straggle = newStraggling(tr, t.seats)
	if t.weakening, err = newWeakening(t); err != nil {
		return err
	}
	if t.weakening != nil {
		t.weakening.start()
	}
	if tr.recovers() {
		t.recovery = newRecovery(t)
		t.recovery.start()
	}
	t.idleTrouble()
	return nil
}

// idleTrouble says which trouble is about devices that the scheme does not use.
func (t *training) idleTrouble() {
	tr := t.job.Trouble
	check := func(kind string, d *Devices) {
		if d.count(t.seats) == 0 {
			t.unchanged("the %s of %s changes nothing: the target scheme does not use it", kind, t.describe(d))
		}
	}
	for i := range tr.Stragglers {
		check("straggling", &tr.Stragglers[i].Devices)
	}
	for i := range tr.Losses {
		check("loss", &tr.Losses[i].Devices)
	}
}

// takes is how long an operation takes with stragglers.
func (t *training) takes(stage, round int, _ pipeline.Op, d time.Duration) time.Duration {
	return t.straggle.takes(stage, t.base+round, t.e.Now(), d)
}

// hookTrouble lets trouble have its say in the pipeline's hooks.
func (t *training) hookTrouble(h *pipeline.Hooks) {
	if t.straggle != nil {
		h.Takes = t.takes
	}
	if t.weakening != nil && t.weakening.syncs != nil {
		h.Sync = t.weakening.sync
	}
}

// roundDone is called at the end of every round.
func (t *training) roundDone() {
	if t.recovery != nil {
		t.recovery.roundDone()
	}
	if t.done == t.job.Rounds {
		t.over()
	}
}

// allOver is called when all jobs are: no link changes any more.
func (t *training) allOver() {
	if t.weakening != nil {
		t.weakening.scope.End()
	}
}

// stop ends what the job has under way. Rounds from saved on are lost.
func (t *training) stop(saved int) {
	for i := range t.feeds {
		t.run.Usage[i] = t.run.Usage[i].Add(t.exec.Cut(i))
	}
	t.collect(min(saved, t.done))
	t.scope.End()
	t.wires.net.Drop(t.scope)
	t.exec, t.feeds = nil, make([]*rounds.Feed, t.pipe.Stages)
}

// forget takes back the rounds from saved on.
func (t *training) forget(saved int) {
	for r := saved; r <= t.reached; r++ {
		redone := t.rounds[r].Redone
		if r < t.done {
			redone++
			t.run.Redone++
			if len(t.run.LostRounds) < MaxIncidents {
				t.run.LostRounds = append(t.run.LostRounds, t.rounds[r])
			}
		}
		t.rounds[r], t.waiting[r] = Round{Redone: redone}, t.pipe.Stages
	}
	t.done = saved
}

// regroup gives the job the replicas that take part, by a plan of so many.
func (t *training) regroup(plan *placement.Plan, r *roster) {
	at, same := slices.Clone(t.seats), true
	for i := range at {
		same = same && at[i].counts(0, at[i].devices) == at[i].devices && !slices.Contains(r.stages[i].active, false)
		at[i].active = slices.Clone(r.stages[i].active)
	}
	if same {
		return
	}
	pipe, transfers, err := t.job.Problem.Pipeline(plan)
	t.job.Plan, t.pipe, t.seats = plan, pipe, at
	if err == nil {
		t.wires, err = newWires(t.fabric, &t.job, pipe, transfers, at, t.wires)
	}
	if t.fault = err; err != nil {
		return
	}
	if t.straggle != nil {
		for i := range at {
			t.straggle.stages[i].count(&at[i])
		}
	}
	if t.weakening != nil {
		t.weakening.regroup(t.wires)
	}
}

// again lets the job begin anew.
func (t *training) again(base int) {
	if t.fault == nil {
		t.fault = t.begin(base)
	}
	if t.fault != nil {
		t.recovery.scope.End()
	}
}

// unchanged notes once that something does not make the difference that it might.
func (t *training) unchanged(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(t.run.Notes, text) {
		t.run.Notes = append(t.run.Notes, text)
	}
}

// account closes the books of trouble when the run is over.
func (t *training) account() {
	run := t.run
	if t.recovery != nil {
		run.Lost = t.recovery.times(run.Elapsed)
		run.Down, run.Shrunk = t.recovery.down(), t.recovery.shrunk
	}
	for i := range run.LostRounds {
		rd := &run.LostRounds[i]
		rd.Throughput = float64(t.job.Problem.Batch) / rd.StepTime.Seconds()
	}
	t.incidents()
	t.lateTrouble()
}

// lateTrouble says which trouble would have come after the end of a whole run.
func (t *training) lateTrouble() {
	tr, run := t.job.Trouble, t.run
	if tr == nil || t.done < t.job.Rounds {
		return
	}
	check := func(what string, at time.Duration) {
		if at >= run.Elapsed {
			t.unchanged("the %s at %v changes nothing: the run was over at %v; raise training.rounds", what, at, run.Elapsed)
		}
	}
	for i := range tr.Stragglers {
		check("straggling of "+t.describe(&tr.Stragglers[i].Devices), tr.Stragglers[i].From)
	}
	for i := range tr.Links {
		check("weakness of "+t.describeLink(&tr.Links[i]), tr.Links[i].From)
	}
	for i := range tr.Losses {
		check("loss of "+t.describe(&tr.Losses[i].Devices), tr.Losses[i].At)
	}
}

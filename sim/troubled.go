package sim

import (
	"fmt"
	"time"

	"stowage/sim/engine"
	"stowage/sim/pipeline"
	"stowage/sim/rounds"
)

// troubled is what trouble makes of a job.
type troubled struct {
	seats     []seat
	straggle  *straggling   // nil: no stage has a straggler
	weakening *weakening    // nil: all links are whole
	recovery  *recovery     // nil: nothing is lost or saved
	scope     *engine.Scope // of the job since it last began; nil without recovery
	restart   engine.Event
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
	t.seats, _ = seats(t.job.Problem, t.job.Plan, t.job.Taken)
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
			t.run.Notes = append(t.run.Notes, fmt.Sprintf("the %s of %s changes nothing: the target scheme does not use it", kind, t.describe(d)))
		}
	}
	for i := range tr.Stragglers {
		check("straggling", &tr.Stragglers[i].Devices)
	}
	for i := range tr.Losses {
		check("loss", &tr.Losses[i].Devices)
	}
}

// hookTrouble lets trouble have its say in the pipeline's hooks.
func (t *training) hookTrouble(h *pipeline.Hooks) {
	if t.straggle != nil {
		h.Takes = func(stage, round int, _ pipeline.Op, d time.Duration) time.Duration {
			return t.straggle.takes(stage, t.base+round, t.e.Now(), d)
		}
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

// giveUp ends what the job has under way. Rounds from saved on are lost.
func (t *training) giveUp(saved int) {
	for i := range t.feeds {
		t.run.Usage[i] = t.run.Usage[i].Add(t.exec.Cut(i))
	}
	t.collect(min(saved, t.done))
	t.scope.End()
	t.wires.net.Drop(t.scope)
	t.exec, t.feeds = nil, make([]*rounds.Feed, t.pipe.Stages)
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

// again lets the job begin anew.
func (t *training) again(base int) {
	if err := t.begin(base); err != nil {
		t.fault = err
		t.recovery.scope.End()
	}
}

// account closes the books of trouble when the run is over.
func (t *training) account() {
	run := t.run
	if t.recovery != nil {
		run.Lost = t.recovery.times(run.Elapsed)
		run.Down = t.recovery.lost[LostToWaiting] + t.recovery.lost[LostToRestart]
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
			run.Notes = append(run.Notes, fmt.Sprintf("the %s at %v changes nothing: the run was over at %v; raise training.rounds", what, at, run.Elapsed))
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

package sim

import (
	"math"
	"math/rand/v2"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// recovery is what a job does about lost devices: it checkpoints, and begins anew from
// the last checkpoint when it has all its devices again. It keeps account of the time.
//
// A job is in one phase at a time. The work of training phases counts until a device is
// lost before it was saved.
type recovery struct {
	t     *training
	spec  *Trouble
	scope *engine.Scope // of losses and repairs to come

	phase phase
	since time.Duration // in the phase

	worked  time.Duration // in training phases that count
	saved   mark          // by the last checkpoint that can be relied upon
	due     mark          // when the next one is
	writes  bool          // one is being written in the background
	writing engine.Event  // its end

	missing, spares int // devices
	lost            [lossCauses]time.Duration
	count           [lossCauses]int
	chances         []chance
}

// mark is a state of the job: rounds done, and work up to there.
type mark struct {
	rounds int
	worked time.Duration
	at     time.Duration
}

type phase int

const (
	working phase = iota
	checkpointing
	waiting
	restarting
	over
)

// chance is a loss that comes by chance, again and again.
type chance struct {
	loss    *Loss
	devices int
	rng     *rand.Rand
}

func newRecovery(t *training) *recovery {
	return &recovery{t: t, spec: t.job.Trouble, spares: t.job.Trouble.Recovery.Spares}
}

// start schedules the losses.
func (r *recovery) start() {
	e := r.t.e
	r.scope = e.NewScope()
	defer e.Enter(e.Enter(r.scope))
	for i := range r.spec.Losses {
		l := &r.spec.Losses[i]
		n := l.count(r.t.seats)
		switch {
		case n == 0:
		case l.MTBF == 0:
			e.After(l.At, func() { r.fail(l, 0) })
		default:
			r.chances = append(r.chances, chance{l, n, random(r.spec.Seed, "loss", i)})
		}
	}
	for i := range r.chances {
		r.next(&r.chances[i])
	}
}

// next schedules the next loss of a chance: n devices fail n times as often as one. One
// beyond the clock's range never comes.
func (r *recovery) next(c *chance) {
	d, err := unit.Seconds(c.rng.ExpFloat64() * c.loss.MTBF / float64(c.devices))
	if err != nil || d > unit.MaxTime-r.t.e.Now() {
		return
	}
	r.t.e.After(d, func() {
		r.fail(c.loss, c.rng.IntN(c.devices))
		r.next(c)
	})
}

// enter ends the present phase at this instant and begins another.
func (r *recovery) enter(p phase) {
	now := r.t.e.Now()
	d := now - r.since
	if d > 0 {
		switch r.phase {
		case working:
			r.worked += d
		case checkpointing:
			r.lose(LostToCheckpoint, SpanCheckpoint, d)
		case waiting:
			r.lose(LostToWaiting, SpanWaiting, d)
			r.t.run.note("waiting", r.since, now, "until a lost device is repaired")
		case restarting:
			r.lose(LostToRestart, SpanRestart, d)
			r.t.run.note("restart", r.since, now, "from round %d", r.saved.rounds)
		}
	}
	r.phase, r.since = p, now
}

// lose books time until now.
func (r *recovery) lose(c LossCause, kind SpanKind, d time.Duration) {
	r.lost[c] += d
	r.count[c]++
	if r.t.recorder != nil {
		r.t.recorder.trouble(kind, r.t.e.Now()-d)
	}
}

// roundDone takes a checkpoint if one is due.
func (r *recovery) roundDone() {
	done, c := r.t.done, r.spec.Checkpoint
	if done == r.t.job.Rounds {
		r.enter(over)
		r.scope.End()
		r.writing.Cancel()
		return
	}
	if c == nil || r.writes || r.phase != working {
		return
	}
	if c.Every > 0 && r.t.e.Now()-r.due.at < c.Every || c.Rounds > 0 && done-r.due.rounds < c.Rounds {
		return
	}
	if c.Background && c.Pause == 0 {
		r.write(r.t.e.Now())
		return
	}
	r.enter(checkpointing)
	r.t.exec.Pause()
	begun, pause := r.t.e.Now(), c.Write
	if c.Background {
		pause = c.Pause
	}
	r.t.e.After(pause, func() {
		r.enter(working)
		if c.Background {
			r.write(begun)
		} else {
			r.save(begun, mark{done, r.worked, 0})
		}
		r.t.from = r.t.e.Now()
		r.t.exec.Resume()
	})
}

// write saves in the background what is done now.
func (r *recovery) write(begun time.Duration) {
	r.writes = true
	// In this phase since some time: its work is not in worked yet.
	m := mark{rounds: r.t.done, worked: r.worked + r.t.e.Now() - r.since}
	r.writing = r.t.e.After(r.spec.Checkpoint.Write, func() {
		r.writes = false
		r.save(begun, m)
	})
}

// save notes that a checkpoint is through.
func (r *recovery) save(begun time.Duration, m mark) {
	now := r.t.e.Now()
	m.at = now
	r.t.run.note("checkpoint", begun, now, "after round %d", m.rounds-1)
	r.saved, r.due = m, m
	r.t.run.Checkpoints++
}

// fail takes a device from the job: the which-th of those that may be lost.
func (r *recovery) fail(l *Loss, which int) {
	now := r.t.e.Now()
	r.t.run.Losses++
	r.t.run.note("loss", now, now, "%s", r.t.device(l, which))
	r.giveUp()
	r.missing++
	if r.spares > 0 {
		r.spares--
		r.missing--
	}
	r.t.e.After(r.spec.Recovery.Repair, r.repaired)
	r.goOn()
}

// giveUp ends what the job is doing. Its work since the last checkpoint is lost.
func (r *recovery) giveUp() {
	was := r.phase
	r.enter(waiting)
	if was == working || was == checkpointing {
		if d := r.worked - r.saved.worked; d > 0 {
			r.lose(LostToRedoing, SpanLost, d)
		}
		r.worked = r.saved.worked
		r.writes = false
		r.t.giveUp(r.saved.rounds)
	}
	if was == restarting {
		r.t.restart.Cancel()
	}
}

// repaired brings a device back.
func (r *recovery) repaired() {
	if r.missing == 0 {
		r.spares++
		return
	}
	r.missing--
	r.goOn()
}

// goOn restarts the job if it has all devices.
func (r *recovery) goOn() {
	if r.missing > 0 {
		return
	}
	r.enter(restarting)
	r.t.restart = r.t.e.After(r.spec.Recovery.Restart, func() {
		r.enter(working)
		r.due = mark{r.saved.rounds, r.worked, r.t.e.Now()}
		r.t.again(r.saved.rounds)
	})
}

// times returns what was lost of the time elapsed, the present phase included.
func (r *recovery) times(elapsed time.Duration) (lost []LostTime) {
	if r.phase != over {
		r.enter(over)
	}
	for c, d := range r.lost {
		if r.count[c] > 0 || d > 0 {
			lost = append(lost, LostTime{LossCause(c).String(), d, share(d, elapsed), r.count[c]})
		}
	}
	return lost
}

func share(d, of time.Duration) float64 {
	if of <= 0 {
		return 0
	}
	return math.Min(1, float64(d)/float64(of))
}

package sim

import (
	"cmp"
	"math"
	"math/rand/v2"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/placement"
)

// recovery is what a job does about lost devices: it checkpoints, and begins anew from
// the last checkpoint when it has all its devices again, or goes on with the replicas
// that are left. It keeps account of the time.
//
// A job is in one phase at a time. The work of training phases counts until a device is
// lost before it was saved, or before other replicas had done their part of it.
type recovery struct {
	t     *training
	spec  *Trouble
	scope *engine.Scope // of losses and repairs to come

	phase phase
	since time.Duration // in the phase
	next  engine.Event  // the end of the phase, where that is known

	worked  time.Duration // in training phases that count
	saved   mark          // by the last checkpoint that can be relied upon
	held    mark          // by the replicas: at the end of the last round
	due     mark          // when the next checkpoint is
	writes  bool          // one is being written in the background
	writing engine.Event  // its end

	missing []place // devices, in the order in which they were lost
	spares  int
	lost    [lossCauses]time.Duration
	count   [lossCauses]int
	chances []chance

	elastic
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
	detecting
	waiting
	restarting
	reconfiguring
	transferring
	over
)

// booked says to which causes the times of phases are lost.
var booked = map[phase]struct {
	cause LossCause
	span  SpanKind
}{
	checkpointing: {LostToCheckpoint, SpanCheckpoint}, detecting: {LostToDetection, SpanDetection},
	waiting: {LostToWaiting, SpanWaiting}, restarting: {LostToRestart, SpanRestart},
	reconfiguring: {LostToReconfiguration, SpanReconfiguration}, transferring: {LostToTransfer, SpanTransfer},
}

// chance is a loss that comes by chance, again and again.
type chance struct {
	loss    *Loss
	devices int
	rng     *rand.Rand
}

func newRecovery(t *training) *recovery {
	r := &recovery{t: t, spec: t.job.Trouble, spares: t.job.Trouble.Recovery.Spares}
	if r.spec.shrinks() {
		r.roster = newRoster(&t.job)
	}
	return r
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
		r.draw(&r.chances[i])
	}
}

// draw schedules the next loss of a chance: n devices fail n times as often as one. One
// beyond the clock's range never comes.
func (r *recovery) draw(c *chance) {
	d, err := unit.Seconds(c.rng.ExpFloat64() * c.loss.MTBF / float64(c.devices))
	if err != nil || d > unit.MaxTime-r.t.e.Now() {
		return
	}
	r.t.e.After(d, func() {
		r.fail(c.loss, c.rng.IntN(c.devices))
		r.draw(c)
	})
}

// enter ends the present phase at this instant and begins another.
func (r *recovery) enter(p phase) {
	now := r.t.e.Now()
	if d := now - r.since; d > 0 {
		if b, ok := booked[r.phase]; ok {
			r.lose(b.cause, b.span, d)
			r.say(b.cause.String(), now)
		} else if r.phase == working {
			r.worked += d
		}
	}
	r.phase, r.since = p, now
}

// say keeps the present phase, which ends now, as an incident. Of checkpoints those are
// kept that can be relied upon.
func (r *recovery) say(kind string, now time.Duration) {
	run := r.t.run
	switch r.phase {
	case detecting:
		run.note(kind, r.since, now, "until the loss is noticed")
	case waiting:
		run.note(kind, r.since, now, "until a lost device is repaired%s", r.why)
	case restarting:
		run.note(kind, r.since, now, "from round %d", r.saved.rounds)
	case reconfiguring:
		run.note(kind, r.since, now, "%s", cmp.Or(r.roster.shortage(), "all replicas"))
	case transferring:
		run.note(kind, r.since, now, "of the state, to devices that are new or back")
	}
}

// lose books time until now.
func (r *recovery) lose(c LossCause, kind SpanKind, d time.Duration) {
	r.lost[c] += d
	r.count[c]++
	if r.t.recorder != nil {
		r.t.recorder.trouble(kind, r.t.e.Now()-d)
	}
}

// fail takes a device from the job: the which-th of those that may be lost.
func (r *recovery) fail(l *Loss, which int) {
	at, ok := r.victim(l, which)
	if !ok {
		return
	}
	now := r.t.e.Now()
	r.t.run.Losses++
	r.t.run.note("loss", now, now, "%s", r.t.device(at))
	stops := r.takes(at)
	if stops {
		r.giveUp()
	}
	if r.spares > 0 {
		r.spares--
	} else {
		r.missing = append(r.missing, at)
	}
	r.t.e.After(r.spec.Recovery.Repair, r.repaired)
	switch {
	case !stops:
	case r.phase == detecting:
		r.next = r.t.e.After(r.spec.Recovery.Detect, r.goOn)
	default:
		r.goOn()
	}
}

// giveUp ends what the job is doing. Its work since the last checkpoint is lost, or, if
// replicas hold it, since the last round.
func (r *recovery) giveUp() {
	was, to := r.phase, r.saved
	if r.roster != nil && !r.reload {
		to = r.held
	}
	if was == waiting || r.spec.Recovery.Detect == 0 {
		r.enter(waiting)
	} else {
		r.enter(detecting)
	}
	r.endShrunk()
	if d := r.worked - to.worked; d > 0 {
		r.lose(LostToRedoing, SpanLost, d)
	}
	r.worked, r.held = to.worked, to
	r.writes = false
	r.writing.Cancel()
	r.next.Cancel()
	r.endTransfer()
	if was == working || was == checkpointing {
		r.t.stop(to.rounds)
	}
	r.t.forget(to.rounds)
}

// repaired brings a device back.
func (r *recovery) repaired() {
	if len(r.missing) == 0 {
		r.spares++
		return
	}
	r.returns(r.missing[0])
	r.missing = r.missing[1:]
	if r.phase == waiting {
		r.goOn()
	}
}

// goOn ends the time that is lost for a device, as soon as the job can go on.
func (r *recovery) goOn() {
	switch {
	case r.roster != nil:
		r.regroup()
	case len(r.missing) == 0:
		r.restart(r.t.job.Plan)
	case r.phase != waiting:
		r.enter(waiting)
	}
}

// restart begins anew from the last checkpoint.
func (r *recovery) restart(plan *placement.Plan) {
	r.enter(restarting)
	r.next = r.t.e.After(r.spec.Recovery.Restart, func() {
		r.enter(working)
		r.due = mark{r.saved.rounds, r.worked, r.t.e.Now()}
		r.resume(plan, r.saved.rounds)
	})
}

// times returns what was lost of the time elapsed, the present phase included.
func (r *recovery) times(elapsed time.Duration) (lost []LostTime) {
	if r.phase != over {
		r.enter(over)
		r.endShrunk()
	}
	for c, d := range r.lost {
		if r.count[c] > 0 || d > 0 {
			lost = append(lost, LostTime{LossCause(c).String(), d, share(d, elapsed), r.count[c]})
		}
	}
	return lost
}

// down is the time in which nothing was trained, checkpoints apart.
func (r *recovery) down() (d time.Duration) {
	for _, c := range []LossCause{LostToDetection, LostToWaiting, LostToRestart, LostToReconfiguration, LostToTransfer} {
		d += r.lost[c]
	}
	return d
}

func share(d, of time.Duration) float64 {
	if of <= 0 {
		return 0
	}
	return math.Min(1, float64(d)/float64(of))
}

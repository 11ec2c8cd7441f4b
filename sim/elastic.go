package sim

import (
	"time"

	"stowage/sim/engine"
	"stowage/sim/placement"
)

// elastic is what a recovery needs that goes on without lost devices. Without the roster
// it waits for them.
type elastic struct {
	roster *roster
	reload bool          // what was learned since the last checkpoint is on no device
	why    string        // it waits all the same, with what stands before the reason
	moving *engine.Scope // of what was learned, on its way to devices that are new or back

	shrunk      time.Duration // trained with replicas missing
	shrunkSince time.Duration
	shrunkWhat  string // "": all replicas take part
}

// victim is the which-th of the devices that may be lost, if it can be lost: one that is
// not there does not fail, and a loss at a time is of the next one that is.
func (r *recovery) victim(l *Loss, which int) (place, bool) {
	at := l.nth(r.t.seats, which)
	gone := func(at place) bool { return r.roster.stages[at.stage].gone[at.device] }
	if r.roster == nil || !gone(at) {
		return at, true
	}
	for n := range l.count(r.t.seats) {
		if next := l.nth(r.t.seats, n); l.MTBF == 0 && !gone(next) {
			return next, true
		}
	}
	if l.MTBF == 0 {
		r.t.unchanged("the loss of %s at %v changes nothing: it was lost already", r.t.describe(&l.Devices), l.At)
	}
	return at, false
}

// takes has the roster heed that a device is lost, and returns whether that stops the
// job or whatever it is about to do.
func (r *recovery) takes(at place) bool {
	if r.roster == nil {
		return true
	}
	stops, forgets := r.roster.lose(at, r.spares > 0)
	r.reload = r.reload || forgets
	return stops || r.phase == waiting
}

// returns heeds that a device is back.
func (r *recovery) returns(at place) {
	if r.roster != nil {
		r.roster.stages[at.stage].gone[at.device] = false
	}
}

// regroup has the replicas go on that are there, or the job wait until they can.
func (r *recovery) regroup() {
	plan, why := r.roster.lineup()
	r.roster.join(plan != nil)
	switch {
	case plan == nil:
		if r.phase != waiting {
			r.enter(waiting)
		}
		r.why = ": " + why
		r.t.unchanged("mode = \"shrink\" could not go on without the lost devices, and waited: %s", why)
	case r.reload:
		r.restart(plan)
	default:
		r.reconfigure(plan)
	}
}

// rejoins reports whether a replica waits to take part again.
func (r *recovery) rejoins() bool {
	if r.roster == nil || !r.roster.grows() {
		return false
	}
	plan, _ := r.roster.lineup()
	return plan != nil
}

// rejoin lets them, at the end of a round, the execution being paused. What stages had
// begun of the next one is done again.
func (r *recovery) rejoin() {
	e := r.t.e
	defer e.Enter(e.Enter(r.scope))
	r.endShrunk()
	r.t.stop(r.t.done)
	r.t.forget(r.t.done)
	r.regroup()
}

// reconfigure lets the replicas of a plan go on after the last round that they hold.
func (r *recovery) reconfigure(plan *placement.Plan) {
	r.enter(reconfiguring)
	r.next = r.t.e.After(r.spec.Recovery.Reconfigure, func() {
		r.enter(transferring)
		r.moving = r.t.e.NewScope()
		defer r.t.e.Enter(r.t.e.Enter(r.moving))
		r.t.wires.teach(r.roster, plan, func() {
			r.moving = nil
			r.enter(working)
			r.resume(plan, r.held.rounds)
		})
	})
}

// endTransfer takes back what is on its way to devices that are new or back.
func (r *recovery) endTransfer() {
	if r.moving == nil {
		return
	}
	r.moving.End()
	r.t.wires.net.Drop(r.moving)
	r.moving = nil
}

// resume begins a round with the replicas of a plan.
func (r *recovery) resume(plan *placement.Plan, base int) {
	r.reload = false
	if r.roster != nil {
		r.roster.learned()
		r.shrunkSince, r.shrunkWhat = r.t.e.Now(), r.roster.shortage()
		r.t.regroup(plan, r.roster)
	}
	r.t.again(base)
}

// endShrunk ends the time in which replicas are missing.
func (r *recovery) endShrunk() {
	if r.shrunkWhat == "" {
		return
	}
	now := r.t.e.Now()
	r.shrunk += now - r.shrunkSince
	r.t.run.note("shrunk", r.shrunkSince, now, "%s", r.shrunkWhat)
	r.shrunkWhat = ""
}

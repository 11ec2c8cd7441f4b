package sim

import "time"

// roundDone takes a checkpoint if one is due, and has devices that are back take part.
func (r *recovery) roundDone() {
	done := r.t.done
	if done == r.t.job.Rounds {
		r.enter(over)
		r.endShrunk()
		r.scope.End()
		return
	}
	r.held = r.mark()
	if r.phase != working {
		return
	}
	if r.checkpointDue() {
		if c := r.spec.Checkpoint; !c.Background || c.Pause > 0 {
			r.pause()
			return
		}
		r.write(r.t.e.Now())
	}
	if r.rejoins() {
		r.t.exec.Pause()
		r.rejoin()
	}
}

// mark is what is done now.
func (r *recovery) mark() mark {
	m := mark{rounds: r.t.done, worked: r.worked}
	if r.phase == working { // since some time: its work is not in worked yet
		m.worked += r.t.e.Now() - r.since
	}
	return m
}

func (r *recovery) checkpointDue() bool {
	c := r.spec.Checkpoint
	if c == nil || r.writes {
		return false
	}
	if c.Every > 0 {
		return r.t.e.Now()-r.due.at >= c.Every
	}
	return r.t.done-r.due.rounds >= c.Rounds
}

// pause lets rounds wait for a checkpoint, or for the copy that one in the background is
// written from.
func (r *recovery) pause() {
	c, done := r.spec.Checkpoint, r.t.done
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
		if r.rejoins() {
			r.rejoin()
			return
		}
		r.t.from = r.t.e.Now()
		r.t.exec.Resume()
	})
}

// write saves in the background what is done now. Replicas may come back meanwhile.
func (r *recovery) write(begun time.Duration) {
	e := r.t.e
	defer e.Enter(e.Enter(r.scope))
	r.writes = true
	m := r.mark()
	r.writing = e.After(r.spec.Checkpoint.Write, func() {
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

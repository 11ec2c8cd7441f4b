package pipeline

// Pause lets no stage begin an operation, or the synchronisation of its gradients, until
// Resume. What is under way goes on to its end.
func (x *Exec) Pause() {
	x.paused = true
	now := x.e.Now()
	for i := range x.stages {
		st := &x.stages[i]
		st.heldAt = now
		if st.waiting {
			st.usage.Sync += now - st.waitAt
		}
		if st.stalled {
			st.usage.Stall += now - st.stallAt
			if x.h.Stalled != nil {
				_, round := x.next(st)
				x.h.Stalled(i, round, st.stallAt)
			}
		}
	}
}

// Resume ends a pause.
func (x *Exec) Resume() {
	x.paused = false
	now := x.e.Now()
	for i := range x.stages {
		st := &x.stages[i]
		if !st.running {
			st.usage.Held += now - st.heldAt
		}
		st.waitAt, st.stallAt = now, now // where it waits or is stalled: again from here
	}
	for i := range x.stages {
		x.try(i)
	}
}

// free notes that a stage has nothing under way any more, not even sending.
func (x *Exec) free(st *execStage) {
	st.running = false
	st.heldAt, st.freeAt = x.e.Now(), x.e.Now()
}

// Cut returns how a stage has spent its time until now, when the execution is given up:
// of what is under way only what is over counts.
func (x *Exec) Cut(stage int) Usage {
	st, now := &x.stages[stage], x.e.Now()
	u := st.usage
	passing := st.running && (x.flows() || st.position < st.ops)
	switch {
	case passing && st.open:
		u.Busy += now - st.until
	case passing:
		u.Busy -= max(0, st.until-now)
	case st.updating:
		u.Sync -= max(0, st.until-now)
	case !st.syncing || !st.running || x.flows(): // or beside the passes
	case st.early != nil:
		u.Sync += now - st.doneAt
	case x.h.Sync != nil:
		u.Sync += now - st.syncAt
	default:
		u.Sync -= max(0, st.syncAt+x.p.Sync[stage]-now)
	}
	if st.waiting && !x.paused {
		u.Sync += now - st.waitAt
	}
	if st.stalled && !x.paused {
		u.Stall += now - st.stallAt
	}
	if x.paused && !st.running {
		u.Held += now - st.heldAt
	}
	return u
}

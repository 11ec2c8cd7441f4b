package rounds

import (
	"errors"
	"time"

	"stowage/sim/engine"
	"stowage/sim/slots"
)

// readAll reads the samples of one unit after the other.
func (f *Feed) readAll(p *engine.Process) {
	for u := range f.units {
		if q := u - f.spec.Queue; q >= 0 {
			f.await(p, queueBound, f.units[q].unique)
		}
		if f.spec.Sequential && u > 0 {
			p.Wait(f.units[u-1].ended)
		}
		if f.spec.Rebuild && u > 0 {
			p.Wait(f.units[u-1].fetched) // a pass is loaded while the one before is trained
		}
		f.sleep(p, f.spec.Costs.Read*float64(f.spec.Batch*(f.tables.ends[u]-f.firstOf[u])))
		f.unitLogs[u].note(WaitInput, p.Now())
		f.units[u].read.Fire()
	}
}

// uniqueAll makes lookups unique.
func (f *Feed) uniqueAll(p *engine.Process) {
	for u := range f.units {
		p.Wait(f.units[u].read)
		if q := u - f.spec.Queue; q >= 0 {
			f.await(p, queueBound, f.units[q].planned)
		}
		if f.spec.Scope != NoUnique {
			f.sleep(p, f.spec.Costs.Unique*float64(f.tables.lookups(u)))
		}
		f.unitLogs[u].note(WaitInput, p.Now())
		f.units[u].unique.Fire()
	}
}

// planAll decides which rows move.
func (f *Feed) planAll(p *engine.Process) {
	for u := range f.units {
		log := &f.unitLogs[u]
		p.Wait(f.units[u].unique)
		if before := u - 1 - f.spec.Lookahead; before >= 0 {
			if !f.spec.releasesEarly() {
				f.await(p, planAfterRelease, f.rounds[f.tables.ends[before]-1].computed)
				log.note(WaitOrder, p.Now())
			}
			f.await(p, planAfterRelease, f.units[before].released)
		}
		f.noteRelease(log, u-1-f.spec.Lookahead, p.Now())
		if err := f.plan(p, u); err != nil {
			f.fail(err)
			return
		}
		log.note(WaitSlots, p.Now())
		f.sleep(p, f.work[u].index)
		log.note(WaitIndex, p.Now())
		f.units[u].planned.Fire()
	}
}

// noteRelease notes what the release of a unit that was computed has waited for: the
// phases of its last round's update. Where rows are released before the backward pass,
// it is the order alone.
func (f *Feed) noteRelease(log *phaseLog, unit int, now time.Duration) {
	if unit >= 0 && !f.spec.releasesEarly() {
		log.follow(f.updates[f.tables.ends[unit]-1], (*log)[len(*log)-1].end)
	}
	log.note(WaitOrder, now)
}

// plan plans unit u; where the rule says so, it waits for slots.
func (f *Feed) plan(p *engine.Process, u int) error {
	for {
		w, err := f.tables.plan(u)
		if err == nil {
			f.work[u], f.plannedN = w, u+1
			f.released[u] = u + 1 - f.tables.inFlight()
			f.see(planned, u)
			return nil
		}
		var short *slots.ShortageError
		oldest := u - f.tables.inFlight()
		waits := errors.Is(err, errParts) || errors.As(err, &short) && f.tables.mayWait()
		if !waits || oldest == u {
			return err
		}
		f.tables.waits++
		p.Wait(f.units[oldest].released)
		f.tables.release()
	}
}

// stageAll brings rows from the tiers below into host memory.
func (f *Feed) stageAll(p *engine.Process) {
	for u := range f.units {
		p.Wait(f.units[u].planned)
		if seconds := f.work[u].storeUp; seconds > 0 {
			if u > 0 {
				f.await(p, stageAfterWriteBack, f.units[u-1].landed)
			}
			f.see(stageStarts, u)
			p.Sleep(f.store.take(p.Now(), f.duration(seconds)) - p.Now())
		}
		f.unitLogs[u].note(f.below(), p.Now())
		f.units[u].staged.Fire()
	}
}

// below is the cause of waits for what is below host memory.
func (f *Feed) below() Cause {
	if f.spec.Costs.Remote {
		return WaitRemote
	}
	return WaitSSD
}

// backAll writes the rows back that leave.
func (f *Feed) backAll(p *engine.Process) {
	for u := range f.units {
		p.Wait(f.units[u].planned)
		if n := f.released[u]; n > 0 {
			f.await(p, moveAfterUpdate, f.units[n-1].ended)
		}
		f.see(leave, u)
		f.move(p, f.work[u].back, false)
		if seconds := f.work[u].storeDown; seconds > 0 {
			p.Wait(f.units[u].staged) // what computes waits for reads, not for writes
			p.Sleep(f.store.take(p.Now(), f.duration(seconds)) - p.Now())
		}
		f.see(backEnds, u)
		f.units[u].landed.Fire()
	}
}

// fetchAll brings the missing rows into their slots.
func (f *Feed) fetchAll(p *engine.Process) {
	for u := range f.units {
		log := &f.unitLogs[u]
		p.Wait(f.units[u].staged)
		if u > 0 {
			f.await(p, fillAfterWriteBack, f.units[u-1].landed)
		}
		log.note(WaitHost, p.Now())
		if n := f.released[u]; n > 0 {
			f.await(p, moveAfterUpdate, f.units[n-1].ended)
			if f.spec.WriteBack == Eager {
				f.await(p, fillAfterEager, f.rounds[f.tables.ends[n-1]-1].wrote)
			}
		}
		log.note(WaitOrder, p.Now())
		f.see(fillStarts, u)
		log.note(f.move(p, f.work[u].fill, true), p.Now())
		f.see(fillEnds, u)
		f.units[u].fetched.Fire()
	}
}

// extractAll lets the devices read the rows of a round, each those that it looks
// up. It takes max(T_cpu, T_remote + T_local), see doc.go: bypassed rows come
// from host memory; at the same time others' rows come over the links between the
// devices, and then the own memory is read, which also has what the others sent. What
// of T_local the host does not hide is left to the computing side.
func (f *Feed) extractAll(p *engine.Process) {
	for r := range f.rounds {
		u := f.unitOf[r]
		log := &f.roundLogs[r]
		f.await(p, extractAfterFill, f.units[u].fetched)
		if r > 0 {
			f.await(p, extractAfterUpdate, f.rounds[r-1].updated)
		}
		if r > 0 {
			there := f.unitLogs[u]
			log.follow(f.updates[r-1], there[len(there)-1].end)
		}
		log.note(WaitOrder, p.Now())
		f.see(extracts, r)
		x := &f.tables.trades[r]
		others := f.exchange(x.pull, x.pullNodes)
		cause := f.move(p, f.work[u].serve, true)
		hosts := p.Now()
		if there := others.await(p); there > hosts {
			cause = WaitDevices
		} else {
			f.ahead[r] = min(hosts-there, f.duration(f.spec.Costs.Local))
		}
		log.note(cause, p.Now())
		f.readyN = r + 1
		f.h.Ready(r)
	}
}

package rounds

import (
	"stowage/sim/engine"
)

// updateAll applies the updates of one round after the other.
func (f *Feed) updateAll(p *engine.Process) {
	for r := range f.rounds {
		u := f.unitOf[r]
		p.Wait(f.rounds[r].computed)
		if !f.spec.ReadOnly {
			f.update(p, r, u)
		}
		f.see(updateEnds, r)
		f.rounds[r].updated.Fire()
		if f.tables.ends[u] == r+1 {
			f.endUnit(p, u)
		}
	}
}

func (f *Feed) update(p *engine.Process, r, u int) {
	log := &f.updates[r]
	f.awaitFills(p, u)
	log.note(WaitOrder, p.Now())
	f.exchange(f.tables.trades[r].push, f.tables.trades[r].pushNodes).await(p)
	log.note(WaitDevices, p.Now())
	log.note(f.move(p, f.work[u].serve, false), p.Now())
	state, _ := f.tables.state(r)
	log.note(f.move(p, state, true), p.Now())
	log.note(f.move(p, state, false), p.Now())
	f.awaitFills(p, u) // of units planned since
	log.note(WaitOrder, p.Now())
}

// awaitFills waits for the rows of all units that were planned before unit u was
// released. Those planned later wait for it.
func (f *Feed) awaitFills(p *engine.Process, u int) {
	if f.work[u].Counts.Bypasses == 0 {
		return
	}
	for v := u + 1; v < f.plannedN; v++ {
		if f.released[v] <= u {
			f.await(p, updateAfterFill, f.units[v].fetched)
		}
	}
}

// endUnit releases a unit's rows, after writing all of them back where that is the
// rule.
func (f *Feed) endUnit(p *engine.Process, u int) {
	if f.spec.Rebuild && !f.spec.Sequential && u+1 < len(f.units) {
		p.Wait(f.units[u+1].unique) // the end of a pass and the build of the next are not hidden
	}
	if f.spec.dumps() {
		w := f.tables.dump()
		f.work[u].Out += w.Out
		f.work[u].Counts.WriteBacks += w.Counts.WriteBacks
		log := &f.updates[f.tables.ends[u]-1]
		log.note(WaitOrder, p.Now())
		log.note(f.move(p, w.back, false), p.Now())
		if w.storeDown > 0 {
			p.Sleep(f.store.take(p.Now(), f.duration(w.storeDown)) - p.Now())
		}
		log.note(f.below(), p.Now())
		f.see(dumpEnds, u)
	}
	f.units[u].ended.Fire()
	f.units[u].released.Fire()
}

// eagerAll writes the rows of every round back once they are updated.
func (f *Feed) eagerAll(p *engine.Process) {
	for r := range f.rounds {
		p.Wait(f.rounds[r].updated)
		w := &f.work[f.unitOf[r]]
		if m, bytes, rows := f.tables.updated(r, w.Counts.Bypasses); rows > 0 && !f.spec.ReadOnly {
			w.Out += bytes
			w.Counts.WriteBacks += rows
			f.move(p, m, false)
		}
		f.see(eagerEnds, r)
		f.rounds[r].wrote.Fire()
	}
}

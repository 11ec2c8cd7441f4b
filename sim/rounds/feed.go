package rounds

import (
	"errors"
	"fmt"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/slots"
)

// Hooks connect a feed to what computes.
type Hooks struct {
	// Ready is called when the rows of a round are in place and it may compute.
	Ready func(round int)

	// Transfer moves bytes over the links between hosts and devices, all links of
	// the group together, and calls done when they have arrived. nil: the links
	// carry nothing else.
	Transfer func(toDevice bool, bytes float64, done func())
}

// Feed brings the rows of one group of accelerators into place, round after round,
// as events. The computing side calls Backward and Computed; the feed calls
// Hooks.Ready.
//
// Every phase is a process that takes the units in order. What is in the slots when
// a unit is planned depends on the lookups, the tables and the look-ahead alone,
// never on timing: the tables release a unit just before they plan the one that
// has to wait for it.
type Feed struct {
	spec   Spec
	e      *engine.Engine
	h      Hooks
	tables *tables

	units     []phases // a round, or the rounds of a pass
	unitOf    []int    // per round
	firstOf   []int    // per unit
	rounds    []steps
	plannedN  int    // units planned
	released  []int  // per unit: how many had been released when it was planned
	work      []Work // per unit
	readyN    int    // rounds whose rows are in place
	failure   error
	store     server // below the hosts' memory
	host      server // of all hosts: each gathers its share
	down, up  server // the links, where Hooks.Transfer is nil
	unitLogs  []phaseLog
	roundLogs []phaseLog
	stalls    []Stalls // per round

	cut    map[dependency]bool
	shadow func(s step, i int)
}

// phases are the signals of a unit.
type phases struct {
	read, unique, planned, staged, fetched *engine.Signal

	landed   *engine.Signal // rows that left for it are in host memory
	released *engine.Signal // its rows need no pins
	ended    *engine.Signal // its updates are done, and its dump where it has one
}

// steps are the signals of a round.
type steps struct {
	computed, updated *engine.Signal
	wrote             *engine.Signal // Eager: its rows are in host memory
}

// server serves one after another, in the order in which they come.
type server struct{ free time.Duration }

// take occupies the server for d from now on, or when it is free, and returns the
// end.
func (s *server) take(now, d time.Duration) time.Duration {
	s.free = max(now, s.free) + d
	return s.free
}

// New makes a feed on an engine. The error says what is wrong with the spec.
func New(e *engine.Engine, spec Spec, h Hooks) (*Feed, error) {
	if err := spec.complete(); err != nil {
		return nil, err
	}
	t, err := newTables(&spec)
	if err != nil {
		return nil, err
	}
	n := len(t.ends)
	f := &Feed{
		spec: spec, e: e, h: h, tables: t,
		units: make([]phases, n), firstOf: make([]int, n), work: make([]Work, n), released: make([]int, n), unitLogs: make([]phaseLog, n),
		unitOf: make([]int, spec.Rounds), rounds: make([]steps, spec.Rounds), roundLogs: make([]phaseLog, spec.Rounds),
		stalls: make([]Stalls, spec.Rounds),
	}
	t.spec = &f.spec
	first := 0
	for u, end := range t.ends {
		f.units[u], f.firstOf[u] = f.newPhases(u), first
		for ; first < end; first++ {
			f.unitOf[first] = u
			f.rounds[first] = f.newSteps(first)
		}
	}
	return f, nil
}

func (f *Feed) newPhases(u int) phases {
	what := "round"
	if f.spec.Pass > 1 {
		what = "pass"
	}
	signal := func(is string) *engine.Signal {
		return f.e.Signal(fmt.Sprintf("%s: rows of %s %d %s", f.spec.Name, what, u, is))
	}
	return phases{
		read: signal("read"), unique: signal("unique"), planned: signal("planned"), staged: signal("in host memory"),
		fetched: signal("in their slots"), landed: signal("made room for"), released: signal("released"), ended: signal("updated"),
	}
}

func (f *Feed) newSteps(r int) steps {
	signal := func(is string) *engine.Signal {
		return f.e.Signal(fmt.Sprintf("%s: round %d %s", f.spec.Name, r, is))
	}
	return steps{computed: signal("computed"), updated: signal("updated"), wrote: signal("written back")}
}

// Start begins all phases at the engine's present time.
func (f *Feed) Start() {
	phases := []struct {
		name string
		body func(p *engine.Process)
	}{
		{"read", f.readAll}, {"unique", f.uniqueAll}, {"plan", f.planAll}, {"stage", f.stageAll}, {"write back", f.backAll},
		{"fetch", f.fetchAll}, {"extract", f.extractAll}, {"update", f.updateAll},
	}
	for _, ph := range phases {
		f.e.Go(f.spec.Name+": "+ph.name, ph.body)
	}
	if f.spec.WriteBack == Eager {
		f.e.Go(f.spec.Name+": write back at once", f.eagerAll)
	}
}

// Ready reports whether the rows of a round are in place.
func (f *Feed) Ready(round int) bool { return f.readyN > round }

// Backward says that the backward pass of a round begins.
func (f *Feed) Backward(round int) {
	u := f.unitOf[round]
	if f.spec.releasesEarly() && f.tables.ends[u] == round+1 {
		f.units[u].released.Fire()
	}
}

// Computed says that a round has computed: its rows may be updated.
func (f *Feed) Computed(round int) {
	f.Backward(round) // where there is no backward pass
	f.rounds[round].computed.Fire()
}

// Failed returns why the feed cannot go on, nil if it can. Rounds that are not ready
// then never are.
func (f *Feed) Failed() error { return f.failure }

// fail ends the calling process's work for good.
func (f *Feed) fail(err error) {
	if f.failure == nil {
		f.failure = err
	}
}

// sleep lets a computed time pass. What takes no time leaves no trace in the order
// of events.
func (f *Feed) sleep(p *engine.Process, seconds float64) {
	if d := f.duration(seconds); d > 0 {
		p.Sleep(d)
	}
}

func (f *Feed) duration(seconds float64) time.Duration {
	d, err := unit.Seconds(seconds)
	if err != nil {
		f.fail(fmt.Errorf("%s: embedding rows: %w", f.spec.Name, err))
		return unit.MaxTime // the engine ends there
	}
	return d
}

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
		f.sleep(p, f.spec.Costs.Read*float64(f.tables.lookups(u)))
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
		log.note(f.releasing(), p.Now())
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

// releasing is what takes time between computing and releasing. Where rows are
// released before the backward pass, it is the order alone.
func (f *Feed) releasing() Cause {
	switch {
	case f.spec.releasesEarly():
		return WaitOrder
	case f.spec.dumps():
		return WaitHost
	}
	return WaitDevices
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
		cause := WaitSSD
		if f.spec.Costs.Remote {
			cause = WaitRemote
		}
		f.unitLogs[u].note(cause, p.Now())
		f.units[u].staged.Fire()
	}
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
// up: its own in its slots, others' over the links between the devices, bypassed
// ones in host memory at the same time.
func (f *Feed) extractAll(p *engine.Process) {
	for r := range f.rounds {
		u := f.unitOf[r]
		log := &f.roundLogs[r]
		f.await(p, extractAfterFill, f.units[u].fetched)
		if r > 0 {
			f.await(p, extractAfterUpdate, f.rounds[r-1].updated)
		}
		log.note(WaitDevices, p.Now())
		f.see(extracts, r)
		start := p.Now()
		cause := f.move(p, f.work[u].serve, true)
		if rest := f.duration(f.tables.trades[r].pull) - (p.Now() - start); rest > 0 {
			p.Sleep(rest)
			cause = WaitDevices
		}
		log.note(cause, p.Now())
		f.readyN = r + 1
		f.h.Ready(r)
	}
}

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
	f.awaitFills(p, u)
	f.sleep(p, f.tables.trades[r].push)
	f.move(p, f.work[u].serve, false)
	state := f.tables.state(r)
	f.move(p, state, true)
	f.move(p, state, false)
	f.awaitFills(p, u) // of units planned since
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
		f.move(p, w.back, false)
		f.sleep(p, w.storeDown)
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

// move gathers rows in host memory while they cross the links, and returns which of
// the two took longer.
func (f *Feed) move(p *engine.Process, m rowMove, toDevice bool) Cause {
	if m == (rowMove{}) {
		return WaitLink
	}
	f.sleep(p, f.spec.Costs.Link.Latency.Seconds())
	arrived := f.e.Signal(f.spec.Name + ": rows in transit")
	var at time.Duration
	f.transfer(toDevice, m.link, func() {
		at = f.e.Now()
		arrived.Fire()
	})
	gathered := f.host.take(p.Now(), f.duration(m.host))
	if d := gathered - p.Now(); d > 0 {
		p.Sleep(d)
	}
	p.Wait(arrived)
	if at > gathered {
		return WaitLink
	}
	return WaitHost
}

// transfer moves bytes over the links of the group.
func (f *Feed) transfer(toDevice bool, bytes float64, done func()) {
	if f.h.Transfer != nil {
		f.h.Transfer(toDevice, bytes, done)
		return
	}
	link := &f.up
	if toDevice {
		link = &f.down
	}
	d := time.Duration(0)
	if bw := float64(f.spec.Costs.Link.Bandwidth); bw > 0 {
		d = f.duration(bytes / (bw * float64(f.spec.Devices)))
	}
	f.e.After(link.take(f.e.Now(), d)-f.e.Now(), done)
}

// Stalled says that what computes waited for the rows of a round from one time to
// another, when they were ready.
func (f *Feed) Stalled(round int, from, to time.Duration) {
	var s Stalls
	log := append(append(phaseLog{}, f.unitLogs[f.unitOf[round]]...), f.roundLogs[round]...)
	log.during(from, to, &s)
	f.stalls[round] = f.stalls[round].Add(s)
}

// Round returns what unit work was planned with a round: that of its unit with the
// unit's first round, nothing with the others.
func (f *Feed) Round(round int) Work {
	u := f.unitOf[round]
	if f.firstOf[u] != round {
		return Work{}
	}
	return f.work[u]
}

// StallsOf returns how long what computes waited for the rows of a round, by cause.
func (f *Feed) StallsOf(round int) Stalls { return f.stalls[round] }

// Splits returns how often a unit was cut into parts.
func (f *Feed) Splits() int { return f.tables.splits }

// Waits returns how often a unit waited for slots.
func (f *Feed) Waits() int { return f.tables.waits }

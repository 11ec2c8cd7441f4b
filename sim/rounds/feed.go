package rounds

import (
	"fmt"
	"time"

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

	// Exchange moves what nodes send each other, bytes[from*nodes+to], over the
	// cluster's network, and calls done when all has arrived. nil: nothing else is on
	// the network. Spec.Crossing says whether there is one.
	Exchange func(nodes int, bytes []float64, done func())
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
	plannedN  int             // units planned
	released  []int           // per unit: how many had been released when it was planned
	work      []Work          // per unit
	readyN    int             // rounds whose rows are in place
	ahead     []time.Duration // per round: see Ahead
	failure   error
	store     server // below the hosts' memory
	host      server // of all hosts: each gathers its share
	down, up  server // the links, where Hooks.Transfer is nil
	unitLogs  []phaseLog
	roundLogs []phaseLog
	updates   []phaseLog // per round: what its update waited for or used
	stalls    []Stalls   // per round

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
		unitOf: make([]int, spec.Rounds), rounds: make([]steps, spec.Rounds), roundLogs: make([]phaseLog, spec.Rounds), updates: make([]phaseLog, spec.Rounds),
		stalls: make([]Stalls, spec.Rounds), ahead: make([]time.Duration, spec.Rounds),
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

// Ahead returns how much of Costs.Local was over when a round became ready: what its
// devices read in their own memory while bypassed rows still came from the host. It is
// to be taken off the time that the round computes.
func (f *Feed) Ahead(round int) time.Duration { return f.ahead[round] }

// Failed returns why the feed cannot go on, nil if it can. Rounds that are not ready
// then never are.
func (f *Feed) Failed() error { return f.failure }

// fail ends the calling process's work for good.
func (f *Feed) fail(err error) {
	if f.failure == nil {
		f.failure = err
	}
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
// unit's first round; with the others the slots that stay in use, and nothing else.
func (f *Feed) Round(round int) Work {
	u := f.unitOf[round]
	if f.firstOf[u] != round {
		return Work{Counts: slots.Counts{Used: f.work[u].Counts.Used}}
	}
	return f.work[u]
}

// StallsOf returns how long what computes waited for the rows of a round, by cause.
func (f *Feed) StallsOf(round int) Stalls { return f.stalls[round] }

// Splits returns how often a unit was cut into parts.
func (f *Feed) Splits() int { return f.tables.splits }

// Waits returns how often a unit waited for slots.
func (f *Feed) Waits() int { return f.tables.waits }

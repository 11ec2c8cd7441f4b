package rounds

import "stowage/sim/engine"

// dependency is one of the orders between phases of different rounds that keep rows
// right. For each there is a test that goes wrong without it.
type dependency int

const (
	// A queue between two phases holds Queue units.
	queueBound dependency = iota

	// Unit u is planned once unit u-1-Lookahead has released its rows: before, its
	// rounds look them up, and find them in the mapping.
	planAfterRelease

	// A unit's rows are read in the store once the rows that left for earlier units
	// are home: one of them may be read again.
	stageAfterWriteBack

	// The same of its rows in host memory. It also makes the unit's own victims leave
	// their slots before its rows come: write-back has by then begun with them.
	fillAfterWriteBack

	// The same of rows that were written back at once, and left their slots clean.
	fillAfterEager

	// A unit's victims leave, and its rows come, once the units that had been
	// released when it was planned have updated theirs. Where rows are released
	// before the backward pass, a victim would else leave without an update, or an
	// update reach host memory after the row was read for its slot (FBGEMM: prefetch
	// of batch i+2 waits for the backward pass of batch i).
	moveAfterUpdate

	// A round updates its rows once every unit that was planned meanwhile is in its
	// slots: a row that this round bypassed may be among them, and is updated in
	// its slot (FBGEMM: the backward pass of batch i waits for the prefetch of batch
	// i+1, and locations are computed anew).
	updateAfterFill

	// A round reads its rows once they are in their slots.
	extractAfterFill

	// A round reads its rows once the round before has updated them.
	extractAfterUpdate
)

// await waits for what a dependency asks, unless a test has cut it.
func (f *Feed) await(p *engine.Process, d dependency, s *engine.Signal) {
	if !f.cut[d] {
		p.Wait(s)
	}
}

// step is a moment at which rows are read or written, for tests.
type step int

const (
	planned     step = iota // unit: the mapping is now what it needs
	leave                   // unit: its victims are read out of their slots
	backEnds                // unit: its victims are in host memory
	stageStarts             // unit: its rows are read in the store
	fillStarts              // unit: its rows are read in host memory
	fillEnds                // unit: they are in their slots
	extracts                // round: its rows are read by the devices
	updateEnds              // round: its rows are updated
	eagerEnds               // round: its rows are in host memory too
	dumpEnds                // unit: all rows are in host memory
)

// see tells a test that something happens.
func (f *Feed) see(s step, i int) {
	if f.shadow != nil {
		f.shadow(s, i)
	}
}

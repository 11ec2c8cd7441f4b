package rounds

import (
	"testing"

	"stowage/sim/slots"
)

// Rows 0, 0, 1 on one slot, 100 bytes each: below the slots is no copy of a row that
// is in one, so that eager write-backs move nothing, and row 0 moves when it leaves.
func TestEagerAboveExclusive(t *testing.T) {
	spec := oneLayer(t, 1, 0, 0, 1)
	spec.WriteBack = Eager
	spec.Layers[0].BelowSlots = Exclusive
	g := newRig(t, spec)
	g.mustRun()
	if w, _ := g.total(); w.Out != 100 {
		t.Errorf("%v bytes out, want 100", w.Out)
	}
}

// The rows of a pass stay in their slots in all of its rounds.
func TestUsedInAPass(t *testing.T) {
	spec := batches(t, 2, 4, 0, 1, 2, 3, 0, 1, 0, 1)
	spec.Pass = 2
	g := newRig(t, spec)
	g.mustRun()
	for r := range 4 {
		if used := g.feed.Round(r).Counts.Used; used != 4 {
			t.Errorf("round %d: %d slots in use, want 4", r, used)
		}
	}
	if c := g.feed.Round(1).Counts; c.Unique != 0 {
		t.Errorf("round 1 counts what was planned with round 0: %+v", c)
	}
}

// One device, one slot, rows 0 and 1, optimizer state on the host. Round 1 is planned
// once that of round 0 has crossed the link, 1 us down and 1 us up; row 0 leaves in
// 1 us and row 1 comes in another: the devices have no part in it.
func TestStateStallsOnTheLink(t *testing.T) {
	spec := oneLayer(t, 1, 0, 1)
	spec.Layers[0].StateBytes = 8
	g := newSlowRig(t, spec, us)
	g.forward = always(10 * us)
	g.mustRun()
	s := g.feed.StallsOf(1)
	if s[WaitLink] < 3*us || s[WaitDevices] != 0 || s.Total() != g.ready[1]-g.ends[0] {
		t.Errorf("stalls %v, %v in all", s, g.ready[1]-g.ends[0])
	}
}

// A feed reads whole samples, however many of their lookups are its own: 2 rounds of a
// pass x 3 samples x 1 us.
func TestReadingIsPerSample(t *testing.T) {
	spec := batches(t, 6, 12, 0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5)
	spec.Batch, spec.Pass = 3, 2
	spec.Costs.Read = 1e-6
	g := newRig(t, spec)
	g.mustRun()
	if g.ready[0] != 6*us {
		t.Errorf("ready at %v, want 6us", g.ready[0])
	}
}

// A round of four rows beside a replicated one, on two slots of either device, is cut
// into parts. The slots of the copies are in use in all of them.
func TestSplitKeepsReplicatedRows(t *testing.T) {
	spec := batches(t, 8, 4, 0, 0, 0, 0, 2, 1, 4, 3)
	spec.Devices, spec.Costs.PerNode = 2, 2
	spec.Replicated = 1.0 / 64
	spec.Layers[0].Slots.Shortage = slots.Split
	g := newRig(t, spec)
	g.mustRun()
	if c := g.feed.Round(0).Counts; g.feed.Splits() != 1 || c.Used != 4 {
		t.Errorf("%d splits, %+v; want one, and 4 slots in use", g.feed.Splits(), c)
	}
}

// Rows that go up may push dirty ones out of host memory: it gathers those too.
func TestHostGathersWhatItPushesOut(t *testing.T) {
	spec := batches(t, 1, 1, 0)
	l := newLoad(&spec)
	l.up(0, Traffic{StoreReads: 2, HostFills: 2, StoreWrites: 1}, &spec.Layers[0])
	if got := l.fill[0].host.n; got != 5 {
		t.Errorf("host memory gathers %v rows, want 5", got)
	}
}

// Optimizer state that stays below the slots comes from the store with its row.
func TestStoreMovesStateToo(t *testing.T) {
	spec := batches(t, 1, 1, 0)
	spec.Layers[0].StateBytes = 20
	l := newLoad(&spec)
	l.up(0, Traffic{StoreReads: 2, StoreWrites: 1}, &spec.Layers[0])
	if up, down := l.storeUp[0].bytes, l.storeDown[0].bytes; up != 240 || down != 120 {
		t.Errorf("%v bytes read and %v written, want 240 and 120", up, down)
	}
}

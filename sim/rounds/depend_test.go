package rounds

import (
	"strings"
	"testing"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/slots"
)

const us = time.Microsecond

// oneLayer is a feed of one device and one table under LRU, whose rounds each look
// one row up. Nothing but what a test sets takes time.
func oneLayer(t tester, size int, keys ...uint32) Spec {
	t.Helper()
	return batches(t, 1, size, keys...)
}

// batches is oneLayer with rounds of some samples, of one lookup each.
func batches(t tester, batch, size int, keys ...uint32) Spec {
	t.Helper()
	trace, layout := rawTrace(t, 64, batch, 1, keys)
	return Spec{
		Name: "stage 0", Rounds: len(keys) / batch, Batch: batch, Devices: 1,
		Layers: []Layer{{
			Name: "items", Trace: trace, Rows: 64, Layout: layout, RowBytes: 100, OutBytes: 100,
			Slots: slots.Config{Slots: size, Rows: 64, Policy: "lru"},
		}},
		Costs: Costs{PerNode: 1, Sockets: 1},
	}
}

// For each dependency a run by hand that is right with it and wrong without it.
// Rows come down in 1 us; what else takes time is in the case.
func TestDependencies(t *testing.T) {
	for d, c := range map[dependency]struct {
		spec              func(s *Spec)
		size              int
		keys              []uint32
		slow              time.Duration // what comes up takes
		forward, backward time.Duration
		wrong             string // without the dependency
	}{
		// Row 0 comes at 1 us. Row 1 is given its slot in the mapping at 0.
		planAfterRelease: {
			size: 1, keys: []uint32{0, 1}, forward: 10 * us, slow: us,
			wrong: "at 1µs: round 0 reads row 0 in slot 0, where it is not",
		},
		// One row in host memory: round 0 reads row 0 from the store until 1 ms, round 1
		// row 1 until 2.011, when row 0, dirty, makes room and is on its way to the store.
		// Round 2 begins to read it there at 2.022 ms; at 2.032 it has just left its slot.
		stageAfterWriteBack: {
			spec: func(s *Spec) {
				s.Layers[0].Hosted = 1
				s.Costs.Store = Tier{Gather: hw.Gather{Rows: 1000}}
			},
			size: 1, keys: []uint32{0, 1, 0}, forward: 10 * us, slow: 5000 * us,
			wrong: "at 2.022ms: unit 2 reads row 0 below host memory, which is on its way there since unit 1",
		},
		// Row 0 leaves at 11 us and is home at 111. Round 1 is over at 22.
		fillAfterWriteBack: {
			size: 1, keys: []uint32{0, 1, 0}, forward: 10 * us, slow: 100 * us,
			wrong: "at 23µs: unit 2 writes row 0 into slot 0, where row 1 still is",
		},
		// Row 0 leaves clean at 11 us, while its update is on its way until 111.
		fillAfterEager: {
			spec: func(s *Spec) { s.WriteBack = Eager },
			size: 1, keys: []uint32{0, 1, 0}, forward: 10 * us, slow: 100 * us,
			wrong: "at 23µs: round 2 reads version 0 of row 0, want 1",
		},
		// Released at 11 us, row 0 leaves. At 31 its update finds it gone.
		moveAfterUpdate: {
			spec: func(s *Spec) { s.Release = BeforeBackward },
			size: 1, keys: []uint32{0, 1}, forward: 10 * us, backward: 20 * us, slow: us,
			wrong: "at 31µs: round 0 updates row 0 in slot 0, where it is not",
		},
		// Round 1 bypasses row 1, since round 0 holds the only slot. Round 2 gives it the
		// slot when round 0 is over, at 2 us; finding it there takes 1 us, then it is read
		// in host memory, and in its slot at 4. Round 1 updates it at 3.5, once
		// row 0 and then its own row have come up.
		updateAfterFill: {
			spec: func(s *Spec) {
				s.Lookahead = 1
				s.Layers[0].Slots.Shortage = slots.Bypass
				s.Costs.Index = 1e6
			},
			size: 1, keys: []uint32{0, 1, 1}, slow: us / 4,
			wrong: "at 4µs: round 2 reads version 0 of row 1, want 1",
		},
		extractAfterFill: {
			size: 1, keys: []uint32{0}, slow: us,
			wrong: "at 0s: round 0 reads row 0 in slot 0, where it is not",
		},
		// Round 1 has its row at 1 us, round 0 updates it at 11.
		extractAfterUpdate: {
			spec: func(s *Spec) { s.Lookahead = 1 },
			size: 1, keys: []uint32{0, 0}, forward: 10 * us, slow: us,
			wrong: "at 1µs: round 1 reads version 0 of row 0, want 1",
		},
	} {
		run := func(cut bool) string {
			spec := oneLayer(t, c.size, c.keys...)
			if c.spec != nil {
				c.spec(&spec)
			}
			g := newSlowRig(t, spec, c.slow)
			g.forward, g.backward = always(c.forward), always(c.backward)
			g.feed.cut = map[dependency]bool{d: cut}
			m := watch(g.feed)
			g.mustRun()
			return m.end()
		}
		if wrong := run(false); wrong != "" {
			t.Errorf("dependency %d kept: %s", d, wrong)
		}
		if wrong := run(true); !strings.HasPrefix(wrong, c.wrong) {
			t.Errorf("dependency %d cut: %q, want %q", d, wrong, c.wrong)
		}
	}
}

// A row that round 1 bypasses and round 2 is given a slot for, before round 1 updates
// it: the update lands in the slot (FBGEMM computes locations anew before the
// backward pass). It is dirty there: when it leaves, it is written back.
func TestRelocatedUpdate(t *testing.T) {
	spec := oneLayer(t, 1, 0, 1, 1, 2, 3)
	spec.Lookahead = 1
	spec.Layers[0].Slots.Shortage = slots.Bypass
	g := newSlowRig(t, spec, us)
	g.forward = always(10 * us)
	m := watch(g.feed)
	g.mustRun()
	if wrong := m.end(); wrong != "" || m.moved != 1 {
		t.Errorf("%d updates were relocated, want 1: %s", m.moved, wrong)
	}
}

// The update of a bypassed row waits twice for the units that were planned before it:
// when it begins, for those that were planned while it was computed (FBGEMM), and when
// it ends, for those planned since. In both runs round 2 gives row 1 a slot.
func TestUpdateWaitsForFills(t *testing.T) {
	for _, c := range []struct {
		name                   string
		read, index            float64
		forward, slow, updated time.Duration
	}{
		// See TestDependencies: the slot is filled at 4 us, then the update takes 1/4.
		{"before", 0, 1e6, 0, us / 4, 4250 * time.Nanosecond},
		// Round 1 updates from 29.25 to 30.5 us. Round 2 is read at 30 and filled at 31.
		{"meanwhile", 1e-5, 0, 8250 * time.Nanosecond, 1250 * time.Nanosecond, 31 * us},
	} {
		spec := oneLayer(t, 1, 0, 1, 1)
		spec.Lookahead = 1
		spec.Layers[0].Slots.Shortage = slots.Bypass
		spec.Costs.Read, spec.Costs.Index = c.read, unit.RowRate(c.index)
		g := newSlowRig(t, spec, c.slow)
		g.forward = always(c.forward)
		m := watch(g.feed)
		var at time.Duration
		g.feed.rounds[1].updated.OnFire(func() { at = g.e.Now() })
		g.mustRun()
		if wrong := m.end(); wrong != "" || at != c.updated {
			t.Errorf("%s: round 1 is updated at %v, want %v; %s", c.name, at, c.updated, wrong)
		}
	}
}

// No queue holds more than Queue units, however slow the phase behind it; without
// the dependency it does.
func TestQueueBound(t *testing.T) {
	for queue := 1; queue <= 3; queue++ {
		for _, cut := range []bool{false, true} {
			keys := make([]uint32, 20)
			spec := oneLayer(t, 1, keys...)
			spec.Queue = queue
			spec.Costs.Read, spec.Costs.Unique = 1e-6, 5e-6
			g := newRig(t, spec)
			g.forward = always(20 * us)
			g.feed.cut = map[dependency]bool{queueBound: cut}
			var held, most [2]int
			for u := range g.feed.units {
				ph := &g.feed.units[u]
				ph.read.OnFire(func() { held[0]++; most[0] = max(most[0], held[0]) })
				ph.unique.OnFire(func() { held[0]--; held[1]++; most[1] = max(most[1], held[1]) })
				ph.planned.OnFire(func() { held[1]-- })
			}
			g.mustRun()
			if within := most[0] <= queue && most[1] <= queue; within == cut {
				t.Errorf("queue = %d, cut %v: held %v", queue, cut, most)
			}
			if !cut && most != [2]int{queue, queue} {
				t.Errorf("queue = %d: held %v only", queue, most)
			}
		}
	}
}

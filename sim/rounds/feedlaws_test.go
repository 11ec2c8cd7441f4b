package rounds

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"stowage/hw"
	"stowage/sim/slots"
)

// Paddle GPUPS (ps_gpu_wrapper.cc): a pass takes max(load + dedup of pass n+1, train
// of pass n) + BuildPull + BuildGPU + EndPass dump; without overlap the sum of all.
// A row costs 1 us in host memory, 0.25 us in the index; a transfer has 5 us.
func TestPassLaw(t *testing.T) {
	const perPass, batch = 2, 4
	for _, read := range []time.Duration{us, 20 * us} { // 24 us and 176 us for a pass
		for _, sequential := range []bool{false, true} {
			rng := rand.New(rand.NewPCG(1, 2))
			keys := make([]uint32, 6*perPass*batch)
			for i := range keys {
				keys[i] = rng.Uint32N(12)
			}
			spec := batches(t, batch, 12, keys...)
			spec.Pass, spec.Rebuild, spec.WriteBack, spec.Sequential = perPass, true, EndOfPass, sequential
			spec.Costs.Read, spec.Costs.Unique = read.Seconds(), 2e-6
			spec.Costs.Index, spec.Costs.Host = 4e6, hw.Gather{Rows: 1e6}
			spec.Costs.Link.Latency = 5 * us
			g := newRig(t, spec)
			g.forward, g.backward = always(10*us), always(20*us)
			m := watch(g.feed)
			g.mustRun()
			if wrong := m.end(); wrong != "" {
				t.Fatal(wrong)
			}
			load := perPass * batch * (read + 2*us)
			train := perPass * 30 * us
			for n := range len(g.feed.units) - 1 {
				before, after := g.feed.work[n].Counts, g.feed.work[n+1].Counts
				if after.Hits != 0 || before.WriteBacks != before.Unique {
					t.Errorf("pass %d leaves something to the next: %+v, %+v", n, before, after)
				}
				rows := time.Duration(after.Unique)
				end, pull, index := 5*us+time.Duration(before.Unique)*us, 5*us+rows*us, rows*us/4
				want := max(load, train) + end + pull + index
				if sequential {
					want = load + train + end + pull + index
				}
				if got := g.ready[perPass*(n+1)] - g.ready[perPass*n]; got != want {
					t.Errorf("read %v, sequential %v: pass %d takes %v, want %v", read, sequential, n, got, want)
				}
			}
		}
	}
}

// Two rounds of two rows on two slots. Round 1 is planned when round 0 has released
// its rows: computed at 11 us, with 2 us for the optimizer state on the host. These
// 2 us the computing side waits for slots.
func TestWaitByHand(t *testing.T) {
	spec := batches(t, 2, 2, 0, 1, 2, 3)
	spec.Lookahead = 1
	spec.Layers[0].StateBytes = 8
	spec.Layers[0].Slots.Shortage = slots.Wait
	g := newSlowRig(t, spec, us)
	g.forward = always(10 * us)
	g.mustRun()
	if g.ready[1] != 14*us || g.feed.Waits() != 1 {
		t.Errorf("round 1 is ready at %v after %d waits, want 14us after one", g.ready[1], g.feed.Waits())
	}
	if s, want := g.feed.StallsOf(1), (Stalls{WaitSlots: 2 * us, WaitLink: us}); s != want {
		t.Errorf("stalls %v, want %v", s, want)
	}
	spec.Layers[0].Slots.Shortage = slots.Evict
	if err := newRig(t, spec).run(); err == nil || !strings.Contains(err.Error(), "give it at least 4 slots") {
		t.Errorf("evict: %v", err)
	}
}

// One round of four rows on two slots: two parts. Each fills 2 rows, the second
// moves 2 out: 4 us and 2 us of host memory, 400 and 200 bytes.
func TestSplitByHand(t *testing.T) {
	spec := batches(t, 4, 2, 0, 1, 2, 3)
	spec.Layers[0].Slots.Shortage = slots.Split
	spec.Costs.Host = hw.Gather{Rows: 1e6}
	g := newRig(t, spec)
	g.mustRun()
	w := g.feed.Round(0)
	if c := w.Counts; g.feed.Splits() != 1 || c.Misses != 4 || c.Evictions != 2 || c.WriteBacks != 2 || c.Used != 2 {
		t.Errorf("%d splits, %+v", g.feed.Splits(), c)
	}
	if !near(w.fill.host, 4e-6) || !near(w.back.host, 2e-6) || w.In != 400 || w.Out != 200 {
		t.Errorf("moved %+v", w)
	}
	if g.ready[0] != 6*us {
		t.Errorf("ready at %v, want 6us", g.ready[0])
	}
}

// A unit that is cut into parts takes slots from all units before it: it waits until
// they have released theirs, however far it might be planned ahead: round 0 is over
// at 12 us, 4 keys of index and a fill later round 1 is ready.
func TestSplitWaitsForTheRest(t *testing.T) {
	spec := batches(t, 4, 2, 0, 0, 0, 0, 0, 1, 2, 3)
	spec.Lookahead = 1
	spec.Layers[0].Slots.Shortage = slots.Split
	spec.Costs.Index = 1e6
	g := newSlowRig(t, spec, us)
	g.forward = always(10 * us)
	g.mustRun()
	if g.ready[1] != 17*us || g.feed.Waits() != 1 {
		t.Errorf("round 1 is ready at %v after %d waits, want 17us after one", g.ready[1], g.feed.Waits())
	}
}

// ColossalAI (cache_mgr.py): more unique rows than slots are an error; only the batch
// itself is protected; rows are written back whether they have changed or not.
func TestColossalAI(t *testing.T) {
	colossal := func(keys ...uint32) Spec {
		spec := batches(t, 2, 2, keys...)
		cfg := &spec.Layers[0].Slots
		cfg.Shortage, cfg.Policy, cfg.NoDirtyBit = slots.Fail, "lfu", true
		return spec
	}
	g := newRig(t, colossal(0, 1, 2, 3))
	g.mustRun()
	if c := g.feed.Round(1).Counts; c.Evictions != 2 || c.WriteBacks != 2 {
		t.Errorf("%+v", c)
	}
	spec := batches(t, 3, 2, 0, 1, 2)
	spec.Layers[0].Slots.Shortage = slots.Fail
	var short *slots.ShortageError
	if err := newRig(t, spec).run(); !errors.As(err, &short) || !strings.Contains(err.Error(), "give it at least 3 slots, or take a smaller batch") {
		t.Errorf("three rows on two slots: %v", err)
	}
	spec = colossal(0, 1)
	spec.Lookahead = 1
	if _, err := tryRig(t, spec, 0); err == nil || !strings.Contains(err.Error(), "want 0") {
		t.Errorf("look-ahead 1: %v", err)
	}
}

// FBGEMM: 32 ways, bypassed when they do not suffice, released before the backward
// pass, no dirty bit. 33 new rows of the one set are one conflict miss, which crosses
// the links by itself, there and back; the slots then serve 32 hits.
func TestFBGEMM(t *testing.T) {
	keys := make([]uint32, 2*33)
	for i := range keys {
		keys[i] = uint32(i % 33)
	}
	spec := batches(t, 33, 32, keys...)
	spec.Release, spec.Lookahead = BeforeBackward, 1
	cfg := &spec.Layers[0].Slots
	cfg.Ways, cfg.Shortage, cfg.NoDirtyBit = 32, slots.Bypass, true
	g := newRig(t, spec)
	g.forward, g.backward = always(10*us), always(10*us)
	m := watch(g.feed)
	g.mustRun()
	if wrong := m.end(); wrong != "" {
		t.Error(wrong)
	}
	w := g.feed.Round(0)
	if c := w.Counts; c.Misses != 33 || c.Bypasses != 1 || c.Used != 32 {
		t.Errorf("round 0: %+v", c)
	}
	if w.In != 3200 || w.serve.link != 100 {
		t.Errorf("%v bytes into slots and %v past them, want 3200 and 100", w.In, w.serve.link)
	}
	if c := g.feed.Round(1).Counts; c.Hits != 32 || c.Bypasses != 1 {
		t.Errorf("round 1: %+v", c)
	}
}

// Released before the backward pass, rows leave the mapping then, so that the index
// of the next round is hidden; they move when their update is done.
func TestReleaseBeforeBackward(t *testing.T) {
	for release, want := range map[Release]time.Duration{
		BeforeBackward: 32 * us, // planned from 11 to 16, moved at 31
		AfterUpdate:    37 * us, // planned from 31 to 36
	} {
		spec := oneLayer(t, 1, 0, 1)
		spec.Release = release
		spec.Costs.Index = 1 / 5e-6
		g := newSlowRig(t, spec, us)
		g.forward, g.backward = always(5*us), always(20*us)
		g.mustRun()
		if g.ready[0] != 6*us || g.ready[1] != want {
			t.Errorf("%s: ready at %v, want %v", release, g.ready, want)
		}
	}
}

// Rows 0, 0, 1 on one slot, 100 bytes each.
func TestWriteBackBytes(t *testing.T) {
	for _, c := range []struct {
		rule  WriteBack
		noBit bool
		out   float64
	}{
		{OnEvict, false, 100}, // row 0 leaves; row 1 stays
		{OnEvict, true, 100},
		{Eager, false, 300},     // after every round
		{Eager, true, 400},      // and when row 0 leaves
		{EndOfPass, false, 300}, // every round is a pass
		{EndOfPass, true, 400},
	} {
		spec := oneLayer(t, 1, 0, 0, 1)
		spec.WriteBack = c.rule
		spec.Layers[0].Slots.NoDirtyBit = c.noBit
		g := newRig(t, spec)
		g.mustRun()
		if w, _ := g.total(); w.Out != c.out || float64(w.Counts.WriteBacks) != c.out/100 || w.In != 200 {
			t.Errorf("%s, no dirty bit %v: %v bytes out, %v in, %d rows; want %v", c.rule, c.noBit, w.Out, w.In, w.Counts.WriteBacks, c.out)
		}
	}
}

// Of two rows on one slot one is bypassed: it is in host memory already.
func TestEagerBypass(t *testing.T) {
	spec := batches(t, 2, 1, 0, 1)
	spec.WriteBack = Eager
	spec.Layers[0].Slots.Shortage = slots.Bypass
	g := newRig(t, spec)
	g.mustRun()
	if w := g.feed.Round(0); w.Out != 100 || w.Counts.WriteBacks != 1 {
		t.Errorf("%v bytes out, %d rows; want 100 and 1", w.Out, w.Counts.WriteBacks)
	}
}

// Eight rows of four devices, 1 us each on a device's link: the busiest owner decides.
func TestBusiestOwner(t *testing.T) {
	for _, c := range []struct {
		keys []uint32
		want time.Duration
	}{
		{[]uint32{0, 1, 2, 3, 4, 5, 6, 7}, 2 * us},
		{[]uint32{0, 4, 8, 12, 16, 20, 24, 28}, 8 * us},
		{[]uint32{0, 4, 8, 1, 5, 2, 3, 7}, 3 * us},
	} {
		spec := batches(t, 8, 32, c.keys...)
		spec.Devices, spec.Costs.PerNode = 4, 4
		spec.Costs.Link.Bandwidth = 100e6
		g := newRig(t, spec)
		g.mustRun()
		if g.ready[0] != c.want {
			t.Errorf("rows %v come in %v, want %v", c.keys, g.ready[0], c.want)
		}
	}
}

// Two devices look row 0 up twice each, and row 2 once: both belong to device 0.
func TestScopes(t *testing.T) {
	for scope, want := range map[Scope]struct{ rows, index float64 }{
		NoUnique:  {6, 6}, // every lookup
		PerDevice: {2, 4}, // each device asks for both
		PerBatch:  {2, 2},
	} {
		spec := batches(t, 6, 32, 0, 0, 2, 2, 0, 0)
		spec.Devices, spec.Costs.PerNode = 2, 2
		spec.Scope = scope
		spec.Costs.Index = 1
		g := newRig(t, spec)
		g.mustRun()
		if w := g.feed.Round(0); w.In != 100*want.rows || w.index != want.index {
			t.Errorf("%s: %v bytes, %v keys in the index of the busiest; want %v and %v", scope, w.In, w.index, 100*want.rows, want.index)
		}
	}
}

package rounds

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/slots"
)

// drawSpec draws a feed of a few rounds. Costs are odd numbers of very different
// sizes, so that every phase is at times the slowest.
func drawSpec(t *rapid.T) Spec {
	s := Spec{
		Name:      "stage 0",
		Rounds:    rapid.IntRange(1, 14).Draw(t, "rounds"),
		Devices:   rapid.IntRange(1, 4).Draw(t, "devices"),
		Lookahead: rapid.IntRange(0, 3).Draw(t, "look-ahead"),
		Queue:     rapid.IntRange(0, 3).Draw(t, "queue"),
		Pass:      rapid.SampledFrom([]int{1, 1, 2, 3, 4}).Draw(t, "pass"),
		Scope:     rapid.SampledFrom([]Scope{"", NoUnique, PerDevice, PerBatch}).Draw(t, "scope"),
		Release:   rapid.SampledFrom(Releases()).Draw(t, "release"),
		WriteBack: rapid.SampledFrom(WriteBacks()).Draw(t, "write-back"),
		Exchange:  rapid.SampledFrom(Collectives()).Draw(t, "exchange"),
		Rebuild:   rapid.IntRange(0, 5).Draw(t, "rebuild") == 0,
		ReadOnly:  rapid.IntRange(0, 7).Draw(t, "read only") == 0,
	}
	if s.Pass > 1 {
		s.Scope = PerPass
	}
	if s.Devices > 1 && rapid.IntRange(0, 4).Draw(t, "replicate") == 0 {
		s.Replicated = 0.1
	}
	shortage := rapid.SampledFrom(slots.ShortageRules()).Draw(t, "shortage")
	if shortage == slots.Bypass {
		s.Pass, s.Scope = 1, PerDevice
	}
	if s.dumps() || shortage == slots.Fail {
		s.Lookahead = 0
	}
	s.Sequential = s.Lookahead == 0 && rapid.IntRange(0, 3).Draw(t, "sequential") == 0
	batch := rapid.IntRange(1, 4).Draw(t, "batch")
	s.Batch = batch
	for range rapid.IntRange(1, 3).Draw(t, "layers") {
		s.Layers = append(s.Layers, drawLayer(t, &s, shortage, batch))
	}
	s.Costs = drawCosts(t)
	return s
}

func drawLayer(t *rapid.T, s *Spec, shortage slots.Shortage, batch int) Layer {
	rows := rapid.IntRange(1, 30).Draw(t, "rows")
	perSample := rapid.IntRange(1, 3).Draw(t, "lookups")
	n := s.Rounds * batch * perSample
	keys := rapid.SliceOfN(rapid.Uint32Range(0, uint32(rows-1)), n, n).Draw(t, "keys")
	trace, layout := rawTrace(t, int64(rows), batch, perSample, keys)
	l := Layer{
		Name: "items", Trace: trace, Rows: int64(rows), Layout: layout,
		RowBytes: 64, OutBytes: 32,
		Hosted:     int64(rapid.SampledFrom([]int{0, 0, 5, 12}).Draw(t, "hosted")),
		BelowSlots: rapid.SampledFrom([]Rule{"", Inclusive, Exclusive}).Draw(t, "below slots"),
		BelowHosts: rapid.SampledFrom([]Rule{"", Inclusive, Exclusive}).Draw(t, "below hosts"),
		StateBytes: unit.Bytes(rapid.SampledFrom([]int{0, 0, 16}).Draw(t, "state")),
		Slots: slots.Config{
			Slots: s.Devices * rapid.IntRange(1, 16).Draw(t, "slots"), Rows: int64(rows), Shortage: shortage,
			NoDirtyBit: rapid.Bool().Draw(t, "no dirty bit"),
		},
	}
	policies := []string{"lru", "fifo", "lfu", "min"}
	if shortage != slots.Split {
		l.Slots.Ways = rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "ways")
	} else {
		policies = policies[:3]
	}
	if l.Slots.Ways == 0 {
		policies = append(policies, "sieve", "s3-fifo", "w-tinylfu")
	}
	l.Slots.Policy = rapid.SampledFrom(policies).Draw(t, "policy")
	return l
}

func drawCosts(t *rapid.T) Costs {
	rate := func(what string) float64 {
		return float64(rapid.SampledFrom([]int{0, 1, 31, 977}).Draw(t, what))
	}
	per := func(what string) float64 { // seconds each; rates are their inverses
		return rate(what) * 1e-6
	}
	inverse := func(s float64) float64 {
		if s == 0 {
			return 0
		}
		return 1 / s
	}
	return Costs{
		Read: per("read"), Unique: per("unique"), Index: unit.RowRate(inverse(per("index"))),
		Host:    hw.Gather{Rows: unit.RowRate(inverse(per("host rows"))), Bandwidth: unit.Rate(64 * inverse(per("host")))},
		Sockets: float64(rapid.IntRange(0, 2).Draw(t, "sockets")),
		PerNode: rapid.IntRange(1, 4).Draw(t, "per node"),
		Link:    hw.Link{Bandwidth: unit.Rate(64 * inverse(per("link"))), Latency: time.Duration(rate("latency")) * time.Microsecond},
		Store:   Tier{Name: "ssd", Gather: hw.Gather{Bandwidth: unit.Rate(64 * inverse(per("store")))}},
		Remote:  rapid.Bool().Draw(t, "remote"),
		Peer:    hw.Link{Bandwidth: unit.Rate(32 * inverse(per("peer"))), Latency: time.Duration(rate("peer latency")) * time.Microsecond},
		NIC:     hw.Link{Bandwidth: unit.Rate(32 * inverse(per("nic")))},
	}
}

// drawRig is a rig of a drawn spec with drawn times to compute, nil where the spec
// is refused or short of slots at once.
func drawRig(t *rapid.T, spec Spec) *rig {
	g, err := tryRig(t, spec, time.Duration(rapid.SampledFrom([]int{0, 0, 1, 10_000}).Draw(t, "slow"))*time.Microsecond)
	if err != nil {
		return nil
	}
	times := func(what string) func(int) time.Duration {
		ds := make([]time.Duration, spec.Rounds)
		for r := range ds {
			ds[r] = time.Duration(rapid.SampledFrom([]int{0, 1, 50, 3000}).Draw(t, what)) * time.Microsecond
		}
		return func(r int) time.Duration { return ds[r] }
	}
	g.forward, g.backward = times("forward"), times("backward")
	return g
}

// A run ends; every round becomes ready once and in order; every round reads what
// was committed last and no update is lost; stalls are those of the computing side;
// counters add up; and a run with other costs and times has the same counters.
func TestFeed(t *testing.T) { rapid.Check(t, checkFeed) }

func FuzzFeed(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkFeed)) }

func checkFeed(t *rapid.T) {
	spec := drawSpec(t)
	g := drawRig(t, spec)
	if g == nil {
		t.Skip("a spec that is refused")
	}
	m := watch(g.feed)
	err := g.run()
	other := spec
	other.Costs = drawCosts(t)
	h := drawRig(t, other)
	again := h.run()
	var short *slots.ShortageError
	if errors.As(err, &short) {
		if again == nil || again.Error() != err.Error() {
			t.Fatalf("with other costs %v, not %v", again, err)
		}
		if !strings.Contains(err.Error(), "give ") && !strings.Contains(err.Error(), "take ") {
			t.Fatalf("%v does not say what to do", err)
		}
		return
	}
	if err != nil || again != nil {
		t.Fatal(err, again)
	}
	if wrong := m.end(); g.feed.Splits() == 0 && wrong != "" {
		t.Fatal(wrong)
	}
	inOrder(t, g)
	inOrder(t, h)
	sums(t, g)
	for r := range spec.Rounds {
		if a, b := counted(g.feed, r), counted(h.feed, r); a != b {
			t.Fatalf("round %d: %+v, with other costs %+v", r, a, b)
		}
	}
	if g.feed.Waits() != h.feed.Waits() || g.feed.Splits() != h.feed.Splits() {
		t.Fatalf("%d waits and %d splits, with other costs %d and %d", g.feed.Waits(), g.feed.Splits(), h.feed.Waits(), h.feed.Splits())
	}
}

// The same run has the same times, to the last event.
func TestFeedRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		a := drawRig(t, spec)
		if a == nil {
			t.Skip("a spec that is refused")
		}
		b, err := tryRig(t, spec, a.slow)
		if err != nil {
			t.Fatal(err)
		}
		b.forward, b.backward = a.forward, a.backward
		if x, y := a.run(), b.run(); (x == nil) != (y == nil) {
			t.Fatal(x, y)
		}
		if !slices.Equal(a.ready, b.ready) || !slices.Equal(a.ends, b.ends) || a.e.Events() != b.e.Events() {
			t.Fatalf("ready %v and %v, over %v and %v", a.ready, b.ready, a.ends, b.ends)
		}
	})
}

// counted is the work of a round without its times.
func counted(f *Feed, r int) Work {
	w := f.Round(r)
	return Work{Counts: w.Counts, In: w.In, Out: w.Out, Traded: w.Traded, StoreReads: w.StoreReads, StoreWrites: w.StoreWrites}
}

// inOrder checks what the computing side saw.
func inOrder(t *rapid.T, g *rig) {
	for i, r := range g.readies {
		if i != r {
			t.Fatalf("rounds become ready in the order %v", g.readies)
		}
	}
	if n := g.feed.spec.Rounds; len(g.readies) != n || len(g.ends) != n {
		t.Fatalf("%d of %d rounds became ready, %d are over", len(g.readies), n, len(g.ends))
	}
	_, s := g.total()
	if s.Total() != g.stalled {
		t.Fatalf("stalls by cause %v add up to %v, computing saw %v", s, s.Total(), g.stalled)
	}
	if s[WaitDevices] > 0 && g.feed.spec.Devices == 1 {
		t.Fatalf("one device waits %v for others: %v", s[WaitDevices], s)
	}
	if s[WaitSlots] > 0 && g.feed.Waits() == 0 {
		t.Fatalf("%v of waiting for slots, and never a wait", s[WaitSlots])
	}
}

// sums checks what the counters of all rounds must add up to.
func sums(t *rapid.T, g *rig) {
	w, _ := g.total()
	c := w.Counts
	spec := &g.feed.spec
	wanted, held, room := 0, 0, 0
	for i := range g.feed.tables.layers {
		l := &g.feed.tables.layers[i]
		for r := range spec.Rounds {
			wanted += l.Trace.Round(r).Lookups
		}
		for _, table := range l.tables {
			held += table.Used()
			room += table.Slots()
		}
		room += spec.Devices * l.owners.Replicated()
	}
	if c.Lookups != wanted {
		t.Fatalf("%d lookups counted, the rounds have %d", c.Lookups, wanted)
	}
	if c.Unique != c.Hits+c.Misses {
		t.Fatalf("unique rows are not hits and misses: %+v", c)
	}
	if !spec.Rebuild && c.Fills()-c.Evictions != held {
		t.Fatalf("%d fills and %d evictions leave %d rows, the tables hold %d", c.Fills(), c.Evictions, c.Fills()-c.Evictions, held)
	}
	if spec.ReadOnly && c.WriteBacks > 0 {
		t.Fatalf("%d write-backs of rows that are only read", c.WriteBacks)
	}
	for r := range spec.Rounds {
		if used := g.feed.Round(r).Counts.Used; used > room {
			t.Fatalf("round %d uses %d slots of %d", r, used, room)
		}
	}
}

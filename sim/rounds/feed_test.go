package rounds

import (
	"errors"
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
// was committed last and no update is lost; stalls are those of the computing side.
func TestFeed(t *testing.T) {
	refused, short, parts, whole := 0, 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		g := drawRig(t, drawSpec(t))
		if g == nil {
			refused++
			return
		}
		m := watch(g.feed)
		err := g.run()
		var shortage *slots.ShortageError
		if errors.As(err, &shortage) {
			short++
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if g.feed.Splits() > 0 {
			parts++
		} else if wrong := m.end(); wrong != "" {
			t.Fatal(wrong)
		}
		whole++
		for i, r := range g.readies {
			if i != r {
				t.Fatalf("rounds become ready in the order %v", g.readies)
			}
		}
		if len(g.ends) != g.feed.spec.Rounds {
			t.Fatalf("%d of %d rounds are over", len(g.ends), g.feed.spec.Rounds)
		}
		if _, s := g.total(); s.Total() != g.stalled {
			t.Fatalf("stalls by cause %v add up to %v, computing saw %v", s, s.Total(), g.stalled)
		}
	})
	t.Logf("%d refused, %d short, %d in parts, %d run", refused, short, parts, whole)
}

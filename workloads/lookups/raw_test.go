package lookups

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads"
)

// drawRaw records a few rounds of two tables with their lookups.
func drawRaw(t *rapid.T) (*Trace, Layout) {
	tables := []workloads.Table{
		{Name: "a", Rows: rapid.Int64Range(1, 30).Draw(t, "rows of a"), Lookups: rapid.IntRange(1, 3).Draw(t, "lookups of a")},
		{Name: "b", Rows: rapid.Int64Range(1, 30).Draw(t, "rows of b"), Lookups: rapid.IntRange(0, 2).Draw(t, "lookups of b")},
	}
	batch := rapid.IntRange(1, 12).Draw(t, "batch")
	s, err := NewStream(tables, Spec{Generator: Uniform}, batch, rapid.Uint64().Draw(t, "seed"), 0)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := RecordRaw(s, rapid.IntRange(1, 6).Draw(t, "rounds"), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return trace, NewLayout(tables, batch)
}

// tally counts the lookups of every key of a round.
func tally(r Round, rename func(uint32) uint32) map[uint32]int {
	m := map[uint32]int{}
	for i, k := range r.Keys {
		m[rename(k)] += int(r.Counts[i])
	}
	return m
}

func add(into, m map[uint32]int) {
	for k, n := range m {
		into[k] += n
	}
}

// TestSharesMakeTheRound: the samples' shares, each made unique, add up to the
// round, also when keys are renumbered.
func TestSharesMakeTheRound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace, layout := drawRaw(t)
		if rapid.Bool().Draw(t, "compact") {
			trace = trace.Compact()
		}
		devices := rapid.IntRange(1, 5).Draw(t, "devices")
		same := func(k uint32) uint32 { return k }
		u := NewUniquer(trace.Rows())
		for i := range trace.Rounds() {
			got := map[uint32]int{}
			for d := range devices {
				from, to := layout.Share(d, devices)
				add(got, tally(u.Unique(layout.Slice(nil, trace.Raw(i), from, to)), same))
			}
			if want := tally(trace.Round(i), same); !maps.Equal(got, want) {
				t.Fatalf("round %d: the shares count %v, the round %v", i, got, want)
			}
		}
	})
}

// TestCompactKeepsOrigins: a compact trace is the same trace under Original.
func TestCompactKeepsOrigins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace, _ := drawRaw(t)
		c := trace.Compact().Compact()
		for i := range trace.Rounds() {
			for j, k := range c.Raw(i) {
				if got, want := c.Original(k), trace.Raw(i)[j]; got != want {
					t.Fatalf("round %d, lookup %d: row %d, want %d", i, j, got, want)
				}
			}
			for j, k := range c.Round(i).Keys {
				if got, want := c.Original(k), trace.Round(i).Keys[j]; got != want {
					t.Fatalf("round %d, key %d: row %d, want %d", i, j, got, want)
				}
			}
		}
	})
}

// TestOwnersDivide: every row has one owner, and the owners' traces add up to the
// trace.
func TestOwnersDivide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace, _ := drawRaw(t)
		trace = trace.Compact()
		n := rapid.IntRange(1, 5).Draw(t, "owners")
		ts := NewOwners(trace, n).Traces()
		for i := range trace.Rounds() {
			got, lookups := map[uint32]int{}, 0
			for w, own := range ts {
				r := own.Round(i)
				lookups += r.Lookups
				for k := range tally(r, own.Original) {
					if int(k)%n != w {
						t.Fatalf("owner %d of %d has row %d", w, n, k)
					}
				}
				add(got, tally(r, own.Original))
			}
			if want := tally(trace.Round(i), trace.Original); !maps.Equal(got, want) || lookups != trace.Round(i).Lookups {
				t.Fatalf("round %d: the owners count %v (%d lookups), the round %v (%d)", i, got, lookups, want, trace.Round(i).Lookups)
			}
		}
	})
}

// TestPasses: a pass holds what its rounds hold.
func TestPasses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace, _ := drawRaw(t)
		n := rapid.IntRange(1, 4).Draw(t, "rounds of a pass")
		var ends []int
		for end := 0; end < trace.Rounds(); {
			end = min(end+n, trace.Rounds())
			ends = append(ends, end)
		}
		p := trace.Passes(ends)
		if p.Rounds() != len(ends) {
			t.Fatalf("%d passes, want %d", p.Rounds(), len(ends))
		}
		for i := range p.Rounds() {
			want, lookups := map[uint32]int{}, 0
			for r := i * n; r < min((i+1)*n, trace.Rounds()); r++ {
				add(want, tally(trace.Round(r), trace.Original))
				lookups += trace.Round(r).Lookups
			}
			r := p.Round(i)
			keys := slices.Clone(r.Keys)
			slices.Sort(keys)
			if got := tally(r, p.Original); !maps.Equal(got, want) || r.Lookups != lookups || len(slices.Compact(keys)) != len(r.Keys) {
				t.Fatalf("pass %d: %v in %d lookups, want %v in %d", i, got, r.Lookups, want, lookups)
			}
		}
	})
}

func TestRawLimit(t *testing.T) {
	tables := []workloads.Table{{Name: "a", Rows: 10, Lookups: 1}}
	s, err := NewStream(tables, Spec{Generator: Uniform}, 4, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := RecordRaw(s, 3, 0, 8)
	var limit *LimitError
	if !errors.As(err, &limit) || trace.Rounds() != 2 || len(trace.Raw(1)) != 4 {
		t.Errorf("error %v with %d rounds, want a limit after 2", err, trace.Rounds())
	}
}

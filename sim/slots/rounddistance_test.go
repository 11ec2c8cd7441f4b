package slots

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// orderedLRU is LRU in rounds whose order within a round is the round's own, as
// plainly as possible: resident keys, oldest first.
type orderedLRU struct {
	slots int
	order []uint32
}

// plan returns the missing keys of a round, and the lookups of them.
func (l *orderedLRU) plan(r lookups.Round) (unique, looked int64) {
	for i, k := range r.Keys {
		if !slices.Contains(l.order, k) {
			unique++
			looked += int64(r.Counts[i])
		}
	}
	for _, k := range r.Keys {
		if i := slices.Index(l.order, k); i >= 0 {
			l.order = slices.Delete(l.order, i, i+1)
		}
	}
	l.order = append(l.order, r.Keys...)
	l.order = l.order[max(0, len(l.order)-l.slots):]
	return unique, looked
}

func roundDistances(t failer, trace *lookups.Trace, warmup int) *RoundDistances {
	t.Helper()
	s, err := NewRoundDistances(trace.Rows(), warmup)
	if err != nil {
		t.Fatal(err)
	}
	for r := range trace.Rounds() {
		s.Add(trace.Round(r))
	}
	return s
}

// TestRoundCurveIsOrderedLRU: the theorem in RoundDistances' comment.
func TestRoundCurveIsOrderedLRU(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 40, drawRounds(t, 40, 60, 12))
		warmup := rapid.IntRange(0, trace.Rounds()).Draw(t, "warm-up")
		s := roundDistances(t, trace, warmup)
		if got, want := s.Least(), MinSlots(trace, 0); got != want {
			t.Fatalf("the curve holds from %d slots on, the table from %d", got, want)
		}
		unique, looked := s.Unique(), s.Lookups()
		for slots := s.Least(); slots <= 41; slots++ {
			twin := orderedLRU{slots: slots}
			var wantUnique, wantLooked int64
			for r := range trace.Rounds() {
				u, l := twin.plan(trace.Round(r))
				if r >= warmup {
					wantUnique += u
					wantLooked += l
				}
			}
			if unique.Misses(slots) != wantUnique || looked.Misses(slots) != wantLooked {
				t.Fatalf("%d slots: %d keys and %d lookups miss, want %d and %d", slots,
					unique.Misses(slots), looked.Misses(slots), wantUnique, wantLooked)
			}
		}
	})
}

// TestTableIsNoStackAlgorithm: with 3 slots key 0 misses in the fifth round and is
// filled behind its hits; with 4 it hits and is touched before them, so that it
// is the one that makes room in the sixth. In the seventh, only the smaller table
// has it. In the order of the round, both have lost it.
func TestTableIsNoStackAlgorithm(t *testing.T) {
	trace := record(t, 6, [][]uint32{{0}, {1}, {2}, {3}, {0, 1, 2}, {4, 5}, {0}})
	misses := func(slots int) (m []int) {
		counts, err := roundCounts(trace, Config{Slots: slots, Policy: "lru"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			m = append(m, c.Misses)
		}
		return m
	}
	if got, want := misses(3), []int{1, 1, 1, 1, 1, 2, 0}; !slices.Equal(got, want) {
		t.Errorf("3 slots: misses %v, want %v", got, want)
	}
	if got, want := misses(4), []int{1, 1, 1, 1, 0, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("4 slots: misses %v, want %v", got, want)
	}
	c := roundDistances(t, trace, 0).Unique()
	if c.Misses(3) != 8 || c.Misses(4) != 7 {
		t.Errorf("in the order of the rounds: %d and %d misses, want 8 and 7", c.Misses(3), c.Misses(4))
	}
}

// TestRoundCurveBoundsTable: the table may differ from the curve in the keys of
// the round that is being evicted, no others.
func TestRoundCurveBoundsTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 40, drawRounds(t, 40, 60, 12))
		for slots := MinSlots(trace, 0); slots <= 41; slots++ {
			counts, err := roundCounts(trace, Config{Slots: slots, Policy: "lru"}, 0)
			if err != nil {
				t.Fatal(err)
			}
			last := map[uint32]int{} // the round of each key's last use
			for r := range trace.Rounds() {
				keys := trace.Round(r).Keys
				least, most := 0, 0
				for _, k := range keys {
					newer, same := newerKeys(last, k)
					if newer >= slots {
						least++
					}
					if newer+same > slots {
						most++
					}
				}
				if m := counts[r].Misses; m < least || m > most {
					t.Fatalf("%d slots, round %d: the table misses %d keys, want %d to %d", slots, r, m, least, most)
				}
				for _, k := range keys {
					last[k] = r
				}
			}
		}
	})
}

// TestRoundCurveNearTable: on Zipf rounds the curve and the table, which orders
// rounds otherwise, differ by up to 1.3 % of the misses, most where a few rounds fill the
// slots. The table misses more.
func TestRoundCurveNearTable(t *testing.T) {
	trace := inRounds(t, 1e5, intZipf(1e5, 1e6), 8192)
	c := roundDistances(t, trace, 0).Unique()
	for _, slots := range []int{MinSlots(trace, 0), 5000, 10000, 20000, 40000, 1e5} {
		counts, err := roundCounts(trace, Config{Slots: slots, Policy: "lru"}, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, want := float64(c.Misses(slots)), float64(sum(t, counts).Misses)
		t.Logf("%d slots: %.0f misses, the table %.0f: %+.2f %%", slots, got, want, 100*(got/want-1))
		if math.Abs(got/want-1) > 0.015 {
			t.Errorf("%d slots: %.0f misses, the table %.0f", slots, got, want)
		}
	}
}

// newerKeys returns how many keys were last used in a later round than k, and how
// many in the same one; for a first use, more than any table holds.
func newerKeys(last map[uint32]int, k uint32) (newer, same int) {
	q, ok := last[k]
	if !ok {
		return math.MaxInt32, 0
	}
	for _, p := range last {
		if p > q {
			newer++
		} else if p == q {
			same++
		}
	}
	return newer, same
}

// TestRoundOfOneCurve: rounds of one lookup are single lookups.
func TestRoundOfOneCurve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 20, 200)
		var rounds [][]uint32
		for i := range keys {
			rounds = append(rounds, keys[i:i+1])
		}
		got, want := roundDistances(t, record(t, 20, rounds), 0).Unique(), lruCurve(t, keys, 20, 0)
		if got.Lookups() != want.Lookups() || got.Cold() != want.Cold() || !slices.Equal(got.hits, want.hits) {
			t.Fatalf("rounds of one: %+v, single lookups %+v", got, want)
		}
	})
}

// TestRoundTwicePanics: a round that is not unique is a broken promise.
func TestRoundTwicePanics(t *testing.T) {
	s, err := NewRoundDistances(4, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	s.Add(lookups.Round{Lookups: 2, Keys: []uint32{1, 1}, Counts: []uint32{1, 1}})
}

// inRounds makes a trace of consecutive lookups in rounds of n.
func inRounds(t failer, rows int64, keys []uint32, n int) *lookups.Trace {
	t.Helper()
	var rounds [][]uint32
	for ; len(keys) > 0; keys = keys[min(n, len(keys)):] {
		rounds = append(rounds, keys[:min(n, len(keys))])
	}
	return record(t, rows, rounds)
}

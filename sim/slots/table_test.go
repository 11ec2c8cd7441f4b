package slots

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// TestReplayByHand replays short traces whose misses are worked out by hand.
func TestReplayByHand(t *testing.T) {
	const a, b, c, d, e = 0, 1, 2, 3, 4
	tests := []struct {
		policy string
		slots  int
		keys   []uint32
		misses int
		why    string
	}{
		{"fifo", 2, []uint32{a, b, a, c, a}, 4, "a is the oldest in spite of its hit"},
		{"lru", 2, []uint32{a, b, a, c, a}, 3, "b is the least recently used"},
		{"clock", 2, []uint32{a, b, a, c, a}, 3, "a's bit gives it another turn"},
		{"clock", 2, []uint32{a, b, a, b, c, a}, 4, "both bits set: the hand clears both and takes a"},
		{"lfu", 2, []uint32{a, a, b, c, a, b}, 4, "b leaves for c with count 1, then c for b"},
		{"lfu", 3, []uint32{a, b, c, a, b, c, d, c, b}, 4, "all at 2: a got there first"},
		{"min", 2, []uint32{a, b, c, a, b}, 4, "c pushes b out: a comes sooner"},
		{"min", 3, []uint32{a, b, c, d, a, b, e, a, b, c, d, e}, 7, "Belady's example: 7 faults with 3 frames"},
		{"fifo", 3, []uint32{a, b, c, d, a, b, e, a, b, c, d, e}, 9, "Belady's anomaly: 9 faults with 3 frames …"},
		{"fifo", 4, []uint32{a, b, c, d, a, b, e, a, b, c, d, e}, 10, "… and 10 with 4"},
		{"lru", 3, []uint32{a, b, c, d, a, b, e, a, b, c, d, e}, 10, "the same trace under LRU"},
	}
	for _, test := range tests {
		table := newTable(t, Config{Slots: test.slots, Rows: 5, Policy: test.policy})
		if got := table.Replay(test.keys); got != test.misses {
			t.Errorf("%s, %d slots, %v: %d misses, want %d (%s)", test.policy, test.slots, test.keys, got, test.misses, test.why)
		}
	}
}

// TestPlanStory follows one LRU table of four slots through four rounds with one
// round in flight.
func TestPlanStory(t *testing.T) {
	table := newTable(t, Config{Slots: 4, Rows: 10, Policy: "lru"})
	plan := func(r lookups.Round, want Counts, evictions ...Move) {
		t.Helper()
		got, err := table.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		if !slices.Equal(table.Evictions(), evictions) {
			t.Errorf("evictions %+v, want %+v", table.Evictions(), evictions)
		}
	}
	round := func(keys ...uint32) lookups.Round { return lookups.NewUniquer(10).Unique(keys) }

	plan(round(7, 3, 7), Counts{Lookups: 3, Unique: 2, Misses: 2, Used: 2})
	plan(round(3, 5), Counts{Lookups: 2, Unique: 2, Hits: 1, HitLookups: 1, Misses: 1, Used: 3})
	if table.Pinned() != 3 || table.Remaining() != 1 || table.InFlight() != 2 {
		t.Errorf("pinned %d, remaining %d, in flight %d, want 3, 1, 2", table.Pinned(), table.Remaining(), table.InFlight())
	}
	table.Release() // round 0: 7 and 3 become dirty; 3 and 5 stay pinned by round 1
	if table.Pinned() != 2 {
		t.Errorf("pinned %d, want 2", table.Pinned())
	}
	// 1 takes the free slot, 2 that of 7, the only row that is not pinned.
	plan(round(1, 2), Counts{Lookups: 2, Unique: 2, Misses: 2, Evictions: 1, WriteBacks: 1, Used: 4},
		Move{Key: 7, Slot: 0, Dirty: true})

	var short *ShortageError
	if _, err := table.Plan(round(7)); !errors.As(err, &short) {
		t.Fatalf("error %v, want a shortage", err)
	}
	want := ShortageError{Rule: Evict, Round: 3, Unique: 1, InFlight: 2, Pinned: 4, Need: 5, Slots: 4}
	if *short != want {
		t.Errorf("shortage %+v, want %+v", *short, want)
	}
	if !strings.Contains(short.Error(), "at least 5 slots") {
		t.Errorf("the message does not say how many slots would do: %s", short)
	}
	table.Release()
	plan(round(7), Counts{Lookups: 1, Unique: 1, Misses: 1, Evictions: 1, WriteBacks: 1, Used: 4},
		Move{Key: 3, Slot: 1, Dirty: true})
	table.Release()
	table.Release()
	// 5, 1, 2 and 7 are in slots, all released and dirty.
	if got := table.Flush(); got != 4 {
		t.Errorf("flush wrote %d rows back, want 4", got)
	}
	if got := table.Flush(); got != 0 {
		t.Errorf("a second flush wrote %d rows back", got)
	}
}

func TestReadOnlyWritesNothingBack(t *testing.T) {
	trace := record(t, 6, [][]uint32{{0, 1}, {2, 3}, {4, 5}, {0, 1}})
	counts, err := roundCounts(trace, Config{Slots: 4, Policy: "fifo", ReadOnly: true}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(t, counts); got.Evictions != 4 || got.WriteBacks != 0 {
		t.Errorf("%d evictions and %d write-backs, want 4 and 0", got.Evictions, got.WriteBacks)
	}
}

func TestNewErrors(t *testing.T) {
	future := record(t, 10, [][]uint32{{1}})
	tests := []struct {
		cfg  Config
		want string
	}{
		{Config{Slots: 0, Rows: 1, Policy: "lru"}, "slots = 0: want 1 to"},
		{Config{Slots: 1 << 31, Rows: 1, Policy: "lru"}, "slots = 2147483648: want 1 to 2147483647"},
		{Config{Slots: 1, Rows: 0, Policy: "lru"}, "rows = 0: want 1 to 4294967295"},
		{Config{Slots: 1, Rows: 1 << 32, Policy: "lru"}, "rows = 4294967296: want"},
		{Config{Slots: 1, Rows: 1, Policy: "clok"}, "did you mean clock?"},
		{Config{Slots: 1, Rows: 1, Policy: ""}, "want one of lru, fifo, lfu, "},
		{Config{Slots: 1, Rows: 9, Policy: "min", Future: future}, "the future trace has 10 rows"},
	}
	for _, test := range tests {
		_, err := New(test.cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want … %s …", test.cfg, err, test.want)
		}
	}
}

func TestPlanErrors(t *testing.T) {
	one := func(k uint32) lookups.Round {
		return lookups.Round{Lookups: 1, Keys: []uint32{k}, Counts: []uint32{1}}
	}
	future := record(t, 4, [][]uint32{{1}, {2}})
	planned := func(cfg Config, rounds ...uint32) *Table {
		table := newTable(t, cfg)
		for _, k := range rounds {
			if _, err := table.Plan(one(k)); err != nil {
				t.Fatal(err)
			}
		}
		return table
	}
	min := Config{Slots: 4, Rows: 4, Policy: "min", Future: future}
	tests := []struct {
		table *Table
		round lookups.Round
		want  string
	}{
		{planned(Config{Slots: 4, Rows: 4, Policy: "lru"}), one(4), "key 4 is not below the 4 rows"},
		{planned(Config{Slots: 4, Rows: 4, Policy: "lru"}), lookups.Round{Keys: []uint32{1}}, "0 counts for 1 keys"},
		{planned(Config{Slots: 4, Rows: 4, Policy: "min"}), one(1), "no future trace"},
		{planned(min), one(2), "round 0 is not that of the future"},
		{planned(min, 1, 2), one(1), "beyond the 2 rounds"},
		{planned(Config{Slots: 1, Rows: 4, Policy: "lru"}), lookups.NewUniquer(4).Unique([]uint32{0, 1, 2}), "3 unique rows, the table 1 slots: give it at least 3"},
	}
	for _, test := range tests {
		used, pinned, flying := test.table.Used(), test.table.Pinned(), test.table.InFlight()
		_, err := test.table.Plan(test.round)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want … %s …", err, test.want)
		}
		if used != test.table.Used() || pinned != test.table.Pinned() || flying != test.table.InFlight() {
			t.Errorf("%v: the table changed", err)
		}
	}
}

// TestMisuse: what only a broken caller can do panics.
func TestMisuse(t *testing.T) {
	round := lookups.Round{Lookups: 2, Keys: []uint32{1, 1}, Counts: []uint32{1, 1}}
	one := lookups.Round{Lookups: 1, Keys: []uint32{1}, Counts: []uint32{1}}
	for name, f := range map[string]func(*Table){
		"release without a round": func(t *Table) { t.Release() },
		"round not unique":        func(t *Table) { _, _ = t.Plan(round) },
		"flush in flight":         func(t *Table) { _, _ = t.Plan(one); t.Flush() },
		"replay after plan":       func(t *Table) { _, _ = t.Plan(one); t.Replay(nil) },
		"plan after replay":       func(t *Table) { t.Replay([]uint32{1}); _, _ = t.Plan(one) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(newTable(t, Config{Slots: 4, Rows: 4, Policy: "lru"}))
		})
	}
}

func TestPlanDoesNotAllocate(t *testing.T) {
	var rounds [][]uint32
	for r := range uint32(64) {
		rounds = append(rounds, []uint32{r % 7, 7 + r%11, 20 + r%13, 40 + r})
	}
	trace := record(t, 128, rounds)
	for _, p := range Policies() {
		table := newTable(t, Config{Slots: 24, Rows: 128, Policy: p.Name, Future: trace})
		r := 0
		step := func() {
			for table.InFlight() > 2 {
				table.Release()
			}
			if _, err := table.Plan(trace.Round(r)); err != nil {
				t.Fatal(err)
			}
			r++
		}
		for range 20 {
			step()
		}
		if n := testing.AllocsPerRun(30, step); n > 0 {
			t.Errorf("%s: %v allocations per round", p.Name, n)
		}
	}
}

// TestTotals: the counts of rounds by hand.
func TestTotals(t *testing.T) {
	// Four rounds of two rows; with two slots every round misses both, with four
	// the last two rounds hit.
	trace := record(t, 8, [][]uint32{{0, 1, 1}, {2, 3}, {0, 1, 1}, {2, 3, 3}})
	for slots, want := range map[int]Counts{
		4: {Lookups: 11, Unique: 8, Hits: 4, HitLookups: 6, Misses: 4, Used: 4},
		2: {Lookups: 11, Unique: 8, Misses: 8, Evictions: 6, WriteBacks: 6, Used: 2},
	} {
		got, err := total(trace, Config{Policy: "lru"}, slots, 0)
		if err != nil || got != want {
			t.Errorf("%d slots: %+v, %v; want %+v", slots, got, err, want)
		}
		if r := got.HitRatio(); slots == 4 && r != 6.0/11 {
			t.Errorf("hit ratio %v, want 6/11", r)
		}
		if r := got.UniqueHitRatio(); slots == 4 && r != 0.5 {
			t.Errorf("unique hit ratio %v, want 1/2", r)
		}
	}
	if r := (Counts{}).HitRatio(); r != 0 {
		t.Errorf("hit ratio without lookups %v, want 0", r)
	}
}

// TestCountsAddUp: write-backs are dirty evictions: with updates and no flush, all
// evictions; and what came in and did not leave is there.
func TestCountsAddUp(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		trace := record(rt, 24, drawRounds(rt, 24, 12, 8))
		ahead := rapid.IntRange(0, 2).Draw(rt, "look-ahead")
		cfg := Config{Policy: drawPolicy(rt)}
		for slots := MinSlots(trace, ahead); slots < 28; slots += 3 {
			c, err := total(trace, cfg, slots, ahead)
			if err != nil {
				rt.Fatal(err)
			}
			filled := 0
			if cfg.Policy == "static" {
				filled = min(slots, 24) // before the first round
			}
			if c.WriteBacks != c.Evictions || filled+c.Fills()-c.Evictions != c.Used {
				rt.Fatalf("%d slots: counts do not add up: %+v", slots, c)
			}
		}
	})
}

// TestMinSlots: one slot fewer is a shortage, as many are none; and the number is
// that of a window counted with a set.
func TestMinSlots(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 24, drawRounds(t, 24, 12, 8))
		ahead := rapid.IntRange(0, 4).Draw(t, "look-ahead")
		want := 0
		for r := range trace.Rounds() {
			rows := map[uint32]bool{}
			for q := max(0, r-ahead); q <= r; q++ {
				for _, k := range trace.Round(q).Keys {
					rows[k] = true
				}
			}
			want = max(want, len(rows))
		}
		got := MinSlots(trace, ahead)
		if got != want {
			t.Fatalf("%d slots, want %d", got, want)
		}
		if _, err := total(trace, Config{Policy: "lru"}, got, ahead); err != nil {
			t.Fatal(err)
		}
		var short *ShortageError
		if got > 1 {
			if _, err := total(trace, Config{Policy: "lru"}, got-1, ahead); !errors.As(err, &short) {
				t.Fatalf("error %v, want a shortage", err)
			}
		}
	})
}

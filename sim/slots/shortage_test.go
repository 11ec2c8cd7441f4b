package slots

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// roundOf is a round that looks every key up once.
func roundOf(keys ...uint32) lookups.Round { return lookups.NewUniquer(64).Unique(keys) }

// TestRulesDiffer puts every rule into the same straits: four slots, of which a
// round in flight pins two.
func TestRulesDiffer(t *testing.T) {
	type outcome struct {
		short    bool
		waits    bool // the caller releases and plans again
		bypasses int
		message  string
	}
	beside := "round 1 and the 1 rounds in flight before it use 5 distinct rows, the table has 4 slots: give it at least 5 slots"
	alone := "round 2 has 5 unique rows, the table 4 slots: give it at least 5 slots"
	company := `round 1 is planned with 1 rounds in flight: shortage = "fail" protects the rows of one round only: take a look-ahead of 0`
	tests := []struct {
		rule    Shortage
		fits    outcome // two more rows beside the round in flight
		crowded outcome // three more
		lone    outcome // five rows, nothing in flight
	}{
		{"", outcome{}, outcome{short: true, message: beside}, outcome{short: true, message: alone}},
		{Evict, outcome{}, outcome{short: true, message: beside}, outcome{short: true, message: alone}},
		{Wait, outcome{}, outcome{short: true, waits: true, message: beside}, outcome{short: true, message: alone}},
		{Split, outcome{}, outcome{short: true, waits: true, message: beside}, outcome{short: true, message: alone}},
		{Bypass, outcome{}, outcome{bypasses: 1}, outcome{bypasses: 1}},
		{Fail, outcome{short: true, message: company}, outcome{short: true, message: company}, outcome{short: true, message: alone}},
	}
	for _, test := range tests {
		check := func(table *Table, what string, r lookups.Round, want outcome) {
			t.Helper()
			c, err := table.Plan(r)
			var e *ShortageError
			if errors.As(err, &e) != want.short || err != nil && !want.short {
				t.Errorf("%q, %s: error %v", test.rule, what, err)
				return
			}
			if e != nil && (e.Waits() != want.waits || !strings.Contains(e.Error(), want.message)) {
				t.Errorf("%q, %s: waits %v, %v; want %v, … %s …", test.rule, what, e.Waits(), e, want.waits, want.message)
			}
			if c.Bypasses != want.bypasses {
				t.Errorf("%q, %s: %d bypasses, want %d", test.rule, what, c.Bypasses, want.bypasses)
			}
		}
		busy := func() *Table {
			table := newTable(t, Config{Slots: 4, Rows: 64, Policy: "lru", Shortage: test.rule})
			if _, err := table.Plan(roundOf(1, 2)); err != nil {
				t.Fatal(err)
			}
			return table
		}
		check(busy(), "beside", roundOf(3, 4), test.fits)
		check(busy(), "crowded", roundOf(3, 4, 5), test.crowded)
		table := busy()
		table.Release()
		if _, err := table.Plan(roundOf(3)); err != nil {
			t.Fatal(err)
		}
		table.Release()
		check(table, "alone", roundOf(1, 2, 3, 4, 5), test.lone)
	}
}

// TestFailAsksFirst: Fail counts unique rows against slots even where the policy or
// sets would leave some without.
func TestFailAsksFirst(t *testing.T) {
	table := newTable(t, Config{Slots: 4, Ways: 2, Rows: 64, Policy: "lfu", Shortage: Fail})
	_, err := table.Plan(roundOf(1, 2, 3, 4, 5))
	var e *ShortageError
	if !errors.As(err, &e) || e.Rule != Fail || e.Need != 5 || e.Slots != 4 || e.Ways != 0 {
		t.Errorf("error %v, want 5 rows for 4 slots", err)
	}
	if _, err := table.Plan(roundOf(1, 2, 3, 4)); err != nil {
		t.Errorf("4 rows for 4 slots: %v; lfu leaves those that a set has no way for", err)
	}
	table.Unpin() // its rows are not protected, so the next round may be planned
	if _, err := table.Plan(roundOf(5)); err != nil {
		t.Error(err)
	}
}

// TestBypassByHand: hits stay, misses beyond the slots are bypassed in order, and with
// every slot pinned all of them.
func TestBypassByHand(t *testing.T) {
	table := newTable(t, Config{Slots: 3, Rows: 64, Policy: "lru", Shortage: Bypass})
	plan := func(want Counts, bypassed []uint32, keys ...uint32) {
		t.Helper()
		c, err := table.Plan(roundOf(keys...))
		if err != nil {
			t.Fatal(err)
		}
		if c != want || !slices.Equal(table.Bypassed(), bypassed) {
			t.Errorf("round %v: %+v, bypassed %v; want %+v, %v", keys, c, table.Bypassed(), want, bypassed)
		}
	}
	// A round larger than the table: the first three of its five rows get slots.
	plan(Counts{Lookups: 7, Unique: 5, Misses: 5, Used: 3, Bypasses: 2, BypassLookups: 4}, []uint32{4, 5}, 1, 2, 3, 4, 5, 4, 5)
	// All slots are pinned: a hit hits, everything that misses is bypassed.
	plan(Counts{Lookups: 4, Unique: 3, Hits: 1, HitLookups: 2, Misses: 2, Used: 3, Bypasses: 2, BypassLookups: 2}, []uint32{9, 4}, 2, 9, 4, 2)
	if got := table.Release(); got != (Landed{Slots: 3, Below: 2}) {
		t.Errorf("round 0 landed %+v", got)
	}
	// 1 and 3 are free of pins, 2 is not: two of three misses get in.
	plan(Counts{Lookups: 3, Unique: 3, Misses: 3, Evictions: 2, WriteBacks: 2, Used: 3, Bypasses: 1, BypassLookups: 1}, []uint32{6}, 4, 5, 6)
	// Row 4, bypassed in round 1, has come into a slot in round 2: its update lands
	// there, where it counts; 9 stays below.
	if got := table.Release(); got != (Landed{Slots: 2, Below: 1, Moved: 1}) {
		t.Errorf("round 1 landed %+v, want 2 in place and 4 moved, 9 below", got)
	}
	if got := table.Release(); got != (Landed{Slots: 2, Below: 1}) {
		t.Errorf("round 2 landed %+v", got)
	}
}

// TestUnpinBeforeCommit follows a row that leaves between Unpin and Commit, and one
// that comes back into another slot.
func TestUnpinBeforeCommit(t *testing.T) {
	for _, eager := range []bool{false, true} {
		table := newTable(t, Config{Slots: 2, Rows: 64, Policy: "fifo", Eager: eager})
		plan := func(keys ...uint32) {
			t.Helper()
			if _, err := table.Plan(roundOf(keys...)); err != nil {
				t.Fatal(err)
			}
		}
		landed := func(want Landed) {
			t.Helper()
			if eager {
				want.WriteBacks = want.Slots
			}
			if got := table.Commit(); got != want {
				t.Errorf("eager %v: landed %+v, want %+v", eager, got, want)
			}
		}
		plan(1, 2) // slots 0 and 1
		table.Unpin()
		plan(3) // evicts 1, clean: no update has been committed
		if e := table.Evictions(); len(e) != 1 || e[0] != (Move{Key: 1, Slot: 0}) {
			t.Errorf("evictions %+v, want 1 from slot 0, clean", e)
		}
		table.Unpin()
		plan(1)                                      // evicts 2; 1 is in slot 1 now
		landed(Landed{Slots: 1, Below: 1, Moved: 1}) // of 1 and 2
		landed(Landed{Slots: 1})                     // of 3
		if table.Uncommitted() != 1 || table.InFlight() != 1 {
			t.Errorf("%d uncommitted, %d in flight, want 1 and 1", table.Uncommitted(), table.InFlight())
		}
		landed(Landed{Slots: 1}) // of 1, still pinned
		table.Unpin()
		want := 2
		if eager {
			want = 0
		}
		if got := table.Flush(); got != want {
			t.Errorf("eager %v: flush wrote %d rows back, want %d", eager, got, want)
		}
	}
}

// TestUnpinMisuse: what only a broken caller can do panics.
func TestUnpinMisuse(t *testing.T) {
	for name, f := range map[string]func(*Table){
		"unpin twice":             func(t *Table) { t.Unpin(); t.Unpin() },
		"commit twice":            func(t *Table) { t.Commit(); t.Commit() },
		"release after unpin":     func(t *Table) { t.Unpin(); t.Release() },
		"release after commit":    func(t *Table) { t.Commit(); t.Release() },
		"flush of an uncommitted": func(t *Table) { t.Unpin(); t.Flush() },
		"clear of a pinned":       func(t *Table) { t.Commit(); t.Clear() },
	} {
		t.Run(name, func(t *testing.T) {
			table := newTable(t, Config{Slots: 4, Rows: 64, Policy: "lru"})
			if _, err := table.Plan(roundOf(1)); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f(table)
		})
	}
}

// TestWriteBacksByHand: one slot, two rows in turn, then Flush, under every
// combination of when and whether rows are written back.
func TestWriteBacksByHand(t *testing.T) {
	tests := []struct {
		eager, noDirtyBit, readOnly bool

		atCommit, onEvict, atFlush int
	}{
		{false, false, false, 0, 1, 1},
		{false, true, false, 0, 1, 1},
		{true, false, false, 1, 0, 0},
		{true, true, false, 1, 1, 1}, // without a dirty bit nobody knows that it is clean
		{false, false, true, 0, 0, 0},
		{false, true, true, 0, 0, 0},
		{true, false, true, 0, 0, 0},
		{true, true, true, 0, 0, 0},
	}
	for _, test := range tests {
		table := newTable(t, Config{
			Slots: 1, Rows: 64, Policy: "lru",
			Eager: test.eager, NoDirtyBit: test.noDirtyBit, ReadOnly: test.readOnly,
		})
		for k := range uint32(2) {
			c, err := table.Plan(roundOf(k))
			if err != nil {
				t.Fatal(err)
			}
			if k == 1 && c.WriteBacks != test.onEvict {
				t.Errorf("%+v: %d rows written back on eviction", test, c.WriteBacks)
			}
			if l := table.Release(); l.WriteBacks != test.atCommit {
				t.Errorf("%+v: %d rows written back at commit", test, l.WriteBacks)
			}
		}
		if n := table.Flush(); n != test.atFlush {
			t.Errorf("%+v: flush wrote %d rows back", test, n)
		}
	}
}

// TestClearThrowsUpdatesAway: a dirty row that Clear drops does not make the next row
// of its slot dirty.
func TestClearThrowsUpdatesAway(t *testing.T) {
	table := newTable(t, Config{Slots: 1, Rows: 64, Policy: "lru"})
	for k := range uint32(2) {
		if _, err := table.Plan(roundOf(k)); err != nil {
			t.Fatal(err)
		}
		if k == 1 {
			break
		}
		table.Release()
		table.Clear()
	}
	table.Unpin() // before its update is committed, so that row 1 leaves clean
	if c, err := table.Plan(roundOf(2)); err != nil || c.Evictions != 1 || c.WriteBacks != 0 {
		t.Errorf("%+v, %v; want row 1 evicted, and nothing to write back", c, err)
	}
}

// TestClearForgets: after Clear a table does what a new one does, under every policy.
func TestClearForgets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rounds := drawRounds(t, 24, 20, 8)
		pass := record(t, 24, rounds)
		twice := record(t, 24, append(slices.Clone(rounds), rounds...))
		slots := MinSlots(pass, 0) + rapid.IntRange(0, 4).Draw(t, "spare slots")
		check := func(cfg Config) {
			cfg.Rows, cfg.Shortage = 24, Bypass
			fresh := cfg
			fresh.Future = pass
			want, err := roundCounts(pass, fresh, 0)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Future = twice
			table := newTable(t, cfg)
			for r := range twice.Rounds() {
				if r == pass.Rounds() {
					table.Clear()
				}
				c, err := table.Plan(twice.Round(r))
				if err != nil {
					t.Fatal(err)
				}
				table.Release()
				if cfg.Policy != "min" && c != want[r%pass.Rounds()] { // min sees the next pass
					t.Fatalf("%s, %d ways, round %d: %+v, in a new table %+v", cfg.Policy, cfg.Ways, r, c, want[r%pass.Rounds()])
				}
			}
			peak := 0
			for _, c := range want {
				peak = max(peak, c.Used)
			}
			if table.Peak() != peak && cfg.Policy != "min" {
				t.Fatalf("%s: peak %d, want %d", cfg.Policy, table.Peak(), peak)
			}
		}
		for _, p := range Policies() {
			check(Config{Policy: p.Name, Slots: slots})
		}
		for _, p := range SetPolicies() {
			check(Config{Policy: p, Slots: slots, Ways: min(slots, 3)})
		}
	})
}

// TestReplayByRule: a replay of rounds acts by the rule when slots are short.
func TestReplayByRule(t *testing.T) {
	trace := record(t, 8, [][]uint32{{0, 1}, {2, 3}, {4, 0}, {0, 1}})
	counts := func(rule Shortage, slots, ahead int) (Counts, error) {
		return total(trace, Config{Policy: "lru", Shortage: rule}, slots, ahead)
	}
	// Two rounds in flight need four slots, and rounds 1 and 2 together do: three are
	// too few for every rule but those that wait.
	for _, rule := range []Shortage{Evict, ""} {
		var short *ShortageError
		if _, err := counts(rule, 3, 1); !errors.As(err, &short) || short.Round != 1 || short.InFlight != 1 {
			t.Errorf("%q: error %v, want that of round 1", rule, err)
		}
	}
	for _, rule := range []Shortage{Wait, Split} {
		// Rounds 1 and 2 wait for the round before them; 3 shares row 0 with round 2
		// and fits beside it. Round 1 evicts 0 only, round 2 then 1 and 2, round 3 then
		// 3; all were committed before.
		got, err := counts(rule, 3, 1)
		want := Counts{Lookups: 8, Unique: 8, Hits: 1, HitLookups: 1, Misses: 7, Evictions: 4, WriteBacks: 4, Used: 3}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", rule, got, err, want)
		}
		var short *ShortageError
		if _, err := counts(rule, 1, 1); !errors.As(err, &short) || short.InFlight != 0 || short.Waits() {
			t.Errorf("%s: error %v, want that of a round alone", rule, err)
		}
	}
	if got, err := counts(Bypass, 1, 3); err != nil || got.Bypasses == 0 || got.Hits+got.Misses != 8 {
		t.Errorf("bypass: %+v, %v", got, err)
	}
	if _, err := counts(Fail, 4, 1); err == nil || !strings.Contains(err.Error(), `shortage = "fail" protects the rows of one round only`) {
		t.Errorf("fail with a look-ahead: error %v", err)
	}
	fail, err := counts(Fail, 3, 0)
	evict, _ := counts(Evict, 3, 0)
	if err != nil || fail != evict {
		t.Errorf("fail: %+v, %v; want what evict does: %+v", fail, err, evict)
	}
	if _, err := counts(Fail, 1, 0); err == nil || !strings.Contains(err.Error(), "2 unique rows, the table 1 slots") {
		t.Errorf("fail: error %v", err)
	}
}

// TestWaitingIsALookaheadThatFits: a run that waits whenever slots are short has the
// misses of a plain run as soon as there are slots for the look-ahead.
func TestWaitingIsALookaheadThatFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 24, drawRounds(t, 24, 20, 8))
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		cfg := Config{Policy: drawPolicy(t), Slots: MinSlots(trace, ahead)}
		want, err := roundCounts(trace, cfg, ahead)
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range []Shortage{Wait, Split, Bypass} {
			cfg.Shortage = rule
			got, err := roundCounts(trace, cfg, ahead)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: %+v, want %+v", rule, got, want)
			}
		}
		cfg.Shortage, cfg.Slots = Wait, MinSlots(trace, 0)
		if _, err := roundCounts(trace, cfg, ahead); err != nil {
			t.Fatalf("every round fits alone, and yet: %v", err)
		}
	})
}

package slots

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// TestFBGEMMTwin runs random rounds, with rounds in flight, through lru with sets
// under Bypass and through FBGEMM's cache.
func TestFBGEMMTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 64, drawRounds(t, 64, 40, 24))
		ways := rapid.IntRange(1, 5).Draw(t, "ways")
		cfg := Config{
			Slots: ways * rapid.IntRange(1, 6).Draw(t, "sets"), Rows: 64, Ways: ways,
			Policy: "lru", Shortage: Bypass, NoDirtyBit: true,
		}
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		runFBGEMM(t, trace, cfg, ahead)
	})
}

func runFBGEMM(t failer, trace *lookups.Trace, cfg Config, ahead int) {
	t.Helper()
	table := newTable(t, cfg)
	f := newFBGEMM(cfg.Ways, table.Slots()/cfg.Ways)
	var total Counts
	for r := range trace.Rounds() {
		for table.InFlight() > ahead {
			table.Release()
			f.release()
		}
		round := trace.Round(r)
		c, err := table.Plan(round)
		if err != nil {
			t.Fatal(err)
		}
		count := map[uint64]int{}
		for i, k := range round.Keys {
			count[trace64(trace, k)] = int(round.Counts[i])
		}
		f.prefetch(count)
		total = total.Add(c)
		want := CacheStats{f.calls, f.requested, f.unique, f.uniqueMisses, f.conflictUnique, f.conflictMisses}
		if got := total.CacheStats(r + 1); got != want {
			t.Fatalf("round %d: counters %+v, want %+v", r, got, want)
		}
		if total.Evictions != f.writeBacks || total.WriteBacks != f.writeBacks {
			t.Fatalf("round %d: %d evictions and %d write-backs, want %d", r, total.Evictions, total.WriteBacks, f.writeBacks)
		}
		for s, k := range table.keys {
			line := f.lines[s/cfg.Ways][s%cfg.Ways]
			if (k != vacant) != line.valid || k != vacant && trace64(trace, k) != line.key || int(table.pins[s]) != line.lock {
				t.Fatalf("round %d: slot %d holds row %d with %d pins, want %+v", r, s, k, table.pins[s], line)
			}
		}
	}
}

func trace64(trace *lookups.Trace, k uint32) uint64 { return uint64(trace.Original(k)) }

// TestFBGEMMTwinRenumbered: a compact trace gives the same sets and the same misses,
// since the table hashes and orders what its keys were.
func TestFBGEMMTwinRenumbered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rounds := drawRounds(t, 64, 20, 24)
		for _, r := range rounds {
			for i := range r {
				r[i] = (r[i]*2654435761 + 17) % 5000
			}
		}
		trace := record(t, 5000, rounds)
		compact := trace.Compact()
		ways := rapid.IntRange(1, 5).Draw(t, "ways")
		cfg := Config{
			Slots: ways * rapid.IntRange(1, 6).Draw(t, "sets"), Rows: compact.Rows(), Ways: ways,
			Policy: "lru", Shortage: Bypass, NoDirtyBit: true, Origin: compact.Origins(),
		}
		runFBGEMM(t, compact, cfg, 1)
		for _, p := range SetPolicies() {
			cfg := Config{Slots: cfg.Slots, Ways: ways, Policy: p, Shortage: Bypass}
			want, err := roundCounts(trace, cfg, 1)
			if err != nil {
				t.Fatal(err)
			}
			got, err := roundCounts(compact, cfg, 1)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("%s: renumbering changes the counts:\n%+v\n%+v", p, want, got)
			}
		}
	})
}

// TestSetsTwin runs random rounds, with rounds in flight, through every policy with
// sets under every rule and through its slow twin.
func TestSetsTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 64, drawRounds(t, 64, 40, 16))
		ways := rapid.IntRange(1, 8).Draw(t, "ways")
		slots := ways * rapid.IntRange(1, 8).Draw(t, "sets")
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		for _, p := range SetPolicies() {
			for _, rule := range ShortageRules() {
				cfg := Config{Slots: slots, Rows: 64, Ways: ways, Policy: p, Shortage: rule, Future: trace}
				if rule == Fail {
					runSets(t, trace, cfg, 0)
				} else {
					runSets(t, trace, cfg, ahead)
				}
			}
		}
	})
}

func runSets(t failer, trace *lookups.Trace, cfg Config, ahead int) {
	t.Helper()
	table := newTable(t, cfg)
	var future [][]uint32
	for r := range trace.Rounds() {
		future = append(future, trace.Round(r).Keys)
	}
	q := newSlowSets(cfg, future)
	release := func() {
		table.Release()
		q.flight = q.flight[1:]
	}
	where := func(r int) string { return fmt.Sprintf("%s, %s, round %d", cfg.Policy, cfg.Shortage, r) }
	for r := range trace.Rounds() {
		for table.InFlight() > ahead || cfg.Shortage == Fail && table.InFlight() > 0 {
			release()
		}
		before := stateOf(table)
		c, err := table.Plan(trace.Round(r))
		for err != nil {
			var short *ShortageError
			if !errors.As(err, &short) {
				t.Fatalf("%s: %v", where(r), err)
			}
			checkSetShortage(t, table, q, trace.Round(r), short)
			if after := stateOf(table); after != before {
				t.Fatalf("%s: after %v the table is\n%s\nand was\n%s", where(r), err, after, before)
			}
			if table.InFlight() == 0 {
				return
			}
			release()
			before = stateOf(table)
			c, err = table.Plan(trace.Round(r))
		}
		refuses := cfg.Policy == "lfu" || cfg.Shortage == Bypass
		if short := q.short(trace.Round(r)); len(short) > 0 && !refuses {
			t.Fatalf("%s: no shortage, and sets need %v of %d ways", where(r), short, cfg.Ways)
		}
		want := q.plan(trace.Round(r))
		want.WriteBacks = c.WriteBacks // TestShadow counts them
		if c != want {
			t.Fatalf("%s: counts %+v, want %+v", where(r), c, want)
		}
		for s, k := range table.keys {
			line := q.lines[s/cfg.Ways][s%cfg.Ways]
			if (k != vacant) != line.valid || k != vacant && k != line.key {
				t.Fatalf("%s: slot %d holds row %d, want %+v", where(r), s, k, line)
			}
		}
	}
}

// checkSetShortage checks what the error of a table with sets says.
func checkSetShortage(t failer, table *Table, q *slowSets, r lookups.Round, e *ShortageError) {
	t.Helper()
	if e.Rule != table.cfg.rule() || e.Unique != len(r.Keys) || e.InFlight != table.InFlight() || e.Round != table.Planned() {
		t.Fatalf("%+v is not of this round", e)
	}
	if e.Rule == Fail && len(r.Keys) > table.Slots() {
		if e.Ways != 0 || e.Slots != table.Slots() || e.Need != len(r.Keys) {
			t.Fatalf("%+v: want all %d rows against %d slots", e, len(r.Keys), table.Slots())
		}
		return
	}
	pinned := 0
	for w := range q.ways {
		if line := q.lines[e.Set][w]; line.valid && q.pinned(line.key) {
			pinned++
		}
	}
	if e.Need != q.short(r)[e.Set] || e.Ways != q.ways || e.Slots != q.ways || e.Pinned != pinned {
		t.Fatalf("%+v: want needs %v, %d ways, %d pinned", e, q.short(r), q.ways, pinned)
	}
	for _, want := range []string{fmt.Sprint("set ", e.Set), fmt.Sprint(e.Need, " distinct rows"), fmt.Sprint(e.Ways, " ways")} {
		if !strings.Contains(e.Error(), want) {
			t.Fatalf("the message does not say %q: %v", want, e)
		}
	}
}

// stateOf prints all that a table remembers.
func stateOf(t *Table) string {
	s := fmt.Sprint(t.keys, t.pins, t.dirty, t.used, t.pinned, t.planned, t.flights.n, t.flights.free, t.flights.done)
	if t.sets != nil {
		s += fmt.Sprint(t.sets.rank, t.sets.lookups)
	}
	return s
}

// sameSet returns n keys of one set.
func sameSet(t failer, table *Table, n int) []uint32 {
	var keys []uint32
	want := table.sets.setOf(0)
	for k := uint32(0); len(keys) < n; k++ {
		if int64(k) == table.cfg.Rows {
			t.Fatalf("%d rows have only %d keys of set %d", table.cfg.Rows, len(keys), want)
		}
		if table.sets.setOf(k) == want {
			keys = append(keys, k)
		}
	}
	return keys
}

// TestSetsOverflowByOne: 33 new unique keys into one set of 32 ways are one conflict
// miss.
func TestSetsOverflowByOne(t *testing.T) {
	cfg := Config{Slots: 320, Rows: 10000, Ways: 32, Policy: "lru", Shortage: Bypass}
	table := newTable(t, cfg)
	keys := sameSet(t, table, 33)
	lookedUp := append(slices.Clone(keys), keys[32], keys[32], keys[5]) // the last key three times
	c, err := table.Plan(lookups.NewUniquer(cfg.Rows).Unique(lookedUp))
	if err != nil {
		t.Fatal(err)
	}
	want := CacheStats{Calls: 1, Requested: 36, Unique: 33, UniqueMisses: 33, ConflictUniqueMisses: 1, ConflictMisses: 3}
	if got := c.CacheStats(1); got != want || c.Fills() != 32 || c.Evictions != 0 {
		t.Errorf("counters %+v, %d fills, %d evictions; want %+v, 32 and 0", got, c.Fills(), c.Evictions, want)
	}
	if _, ok := table.Slot(keys[32]); ok {
		t.Error("the largest key got a slot: misses of a set go ascending")
	}

	cfg.Shortage = Evict
	table = newTable(t, cfg)
	_, err = table.Plan(lookups.NewUniquer(cfg.Rows).Unique(keys))
	var short *ShortageError
	if !errors.As(err, &short) || short.Need != 33 || short.Ways != 32 || short.Set != int(table.sets.setOf(keys[0])) {
		t.Errorf("error %v, want 33 rows for the 32 ways of set %d", err, table.sets.setOf(keys[0]))
	}
}

// TestOneSetReplays: one set of all slots, in rounds of one lookup, is the classical
// policy.
func TestOneSetReplays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 20, 120)
		slots := rapid.IntRange(1, 22).Draw(t, "slots")
		var rounds [][]uint32
		for i := range keys {
			rounds = append(rounds, keys[i:i+1])
		}
		for _, p := range []string{"lru", "fifo", "min"} {
			counts, err := roundCounts(record(t, 20, rounds), Config{Slots: slots, Ways: slots, Policy: p}, 0)
			if err != nil {
				t.Fatal(err)
			}
			misses := 0
			for _, c := range counts {
				misses += c.Misses
			}
			if want := newTable(t, Config{Slots: slots, Rows: 20, Policy: p}).Replay(keys); misses != want {
				t.Fatalf("%s: %d misses with one set, %d in replay", p, misses, want)
			}
		}
	})
}

// TestManyMissesOfOneSet: sets of many ways and misses, which are sorted otherwise
// than few, against the twin.
func TestManyMissesOfOneSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 600, drawRounds(t, 600, 12, 200))
		cfg := Config{Slots: 256, Rows: 600, Ways: 128, Policy: "lru", Shortage: Bypass, NoDirtyBit: true}
		runFBGEMM(t, trace, cfg, 1)
		cfg = Config{Slots: 256, Rows: 600, Ways: 128, Policy: "lfu", Shortage: Bypass, Future: trace}
		runSets(t, trace, cfg, 1)
	})
}

func TestSetsErrors(t *testing.T) {
	tests := []struct {
		cfg  Config
		want string
	}{
		{Config{Slots: 4, Rows: 9, Policy: "lru", Ways: -1}, "ways = -1: want 1 to the 4 slots"},
		{Config{Slots: 4, Rows: 9, Policy: "lru", Ways: 5}, "ways = 5: want 1 to the 4 slots"},
		{Config{Slots: math.MaxInt32, Rows: 9, Policy: "lru", Ways: 1 << 30}, "in whole sets are more than 2147483647"},
		{Config{Slots: 4, Rows: 9, Policy: "clock", Ways: 2}, `"clock" has no form with sets of ways: want one of [lru fifo lfu min]`},
		{Config{Slots: 4, Rows: 9, Policy: "min", Ways: 2}, "no future trace"},
		{Config{Slots: 4, Rows: 9, Policy: "lru", Ways: 2, Shortage: "evicts"}, `unknown shortage rule "evicts": want one of evict, wait, bypass, split, fail; did you mean evict?`},
		{Config{Slots: 4, Rows: 9, Policy: "lru", Ways: 2, Origin: make([]uint32, 8)}, "rows = 9: the keys of 8 rows only have an origin"},
	}
	for _, test := range tests {
		if _, err := New(test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v, want … %s …", test.cfg, err, test.want)
		}
	}
	table := newTable(t, Config{Slots: 33, Rows: 9, Policy: "lru", Ways: 32})
	if table.Slots() != 64 || table.Remaining() != 64 {
		t.Errorf("%d slots, %d remaining; want 64: whole sets", table.Slots(), table.Remaining())
	}
}

// TestFBGEMMOnIntZipf: the unique hit ratios that a model of FBGEMM's cache gave on
// z1.0_1m_20m in rounds of 65 536, by load factor.
func TestFBGEMMOnIntZipf(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("20 M lookups at four sizes")
	}
	const rows = 1e6
	keys := intZipf(rows, 20e6)
	var rounds [][]uint32
	for part := range slices.Chunk(keys, 65536) {
		if len(part) == 65536 {
			rounds = append(rounds, part)
		}
	}
	trace := record(t, rows, rounds)
	cfg := Config{Ways: 32, Policy: "lru", Shortage: Bypass}
	var least Counts
	for share, want := range map[float64]float64{0.01: 0.1007, 0.02: 0.1968, 0.05: 0.3352, 0.1: 0.4634} {
		c, err := total(trace, cfg, int(share*rows), 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.UniqueHitRatio(); math.Abs(got-want) > 0.00005 {
			t.Errorf("slots for %v of the rows: unique hit ratio %.5f, want %.4f", share, got, want)
		}
		if share == 0.01 {
			least = c
		}
	}
	stats := least.CacheStats(trace.Rounds())
	if m := float64(stats.ConflictUniqueMisses) / 1e6; math.Abs(m-5.02) > 0.005 {
		t.Errorf("%.4f M conflict unique misses, want 5.02 M", m)
	}
	// "Half of all lookups": hits and the fills of the round.
	if served := 1 - float64(stats.ConflictMisses)/float64(stats.Requested); math.Abs(served-0.5) > 0.001 {
		t.Errorf("%.3f of the lookups are served by the cache, want half", served)
	}
}

func TestCacheStatsJSON(t *testing.T) {
	got, err := json.Marshal(Counts{Lookups: 9, Unique: 7, Hits: 2, Misses: 5, Bypasses: 3, BypassLookups: 4}.CacheStats(2))
	const want = `{"num_calls":2,"num_requested_indices":9,"num_unique_indices":7,"num_unique_misses":5,"num_conflict_unique_misses":3,"num_conflict_misses":4}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}

// TestSetsDoNotAllocate: a steady run with sets allocates nothing, under a rule that
// checks and one that does not.
func TestSetsDoNotAllocate(t *testing.T) {
	var rounds [][]uint32
	for r := range uint32(64) {
		rounds = append(rounds, []uint32{r % 7, 7 + r%11, 20 + r%13, 40 + r})
	}
	trace := record(t, 128, rounds)
	for _, p := range SetPolicies() {
		for _, rule := range []Shortage{Evict, Bypass} {
			table := newTable(t, Config{Slots: 48, Ways: 16, Rows: 128, Policy: p, Shortage: rule, Future: trace})
			r := 0
			step := func() {
				for table.InFlight() > 0 {
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
				t.Errorf("%s, %s: %v allocations per round", p, rule, n)
			}
		}
	}
}

package slots

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// TestPlanTwin runs random rounds with random look-ahead through the table and
// its twin, and checks counts, moves, versions and invariants after every step.
func TestPlanTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 24, drawRounds(t, 24, 40, 16))
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		// Near the least capacity, where victims are scarce, and now and then too
		// few slots.
		slots := max(1, MinSlots(trace, ahead)+rapid.IntRange(-2, 4).Draw(t, "spare slots"))
		hash := rapid.Bool().Draw(t, "hash")
		for _, p := range Policies() {
			runTwin(t, trace, p.Name, slots, ahead, hash)
		}
	})
}

// FuzzPlan is TestPlanTwin driven by bytes: policy, slots, look-ahead, then
// lookups, where a high bit ends the round.
func FuzzPlan(f *testing.F) {
	f.Add([]byte{0, 4, 1, 1, 2, 0x83, 2, 4, 0x85, 1, 6, 0x87})
	f.Add([]byte{2, 3, 0, 1, 1, 0x82, 3, 0x84, 5, 0x81})
	f.Add([]byte{4, 8, 2, 1, 0x82, 3, 0x84, 5, 0x86, 7, 0x81, 2, 0x83})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 4 || len(in) > 400 {
			return
		}
		policy := registered[int(in[0])%len(registered)].Name
		rounds := [][]uint32{nil}
		for _, b := range in[3:] {
			last := len(rounds) - 1
			rounds[last] = append(rounds[last], uint32(b&0x1f))
			if b >= 0x80 {
				rounds = append(rounds, nil)
			}
		}
		runTwin(t, record(t, 32, rounds), policy, 1+int(in[1])%40, int(in[2])%5, in[1]&0x80 != 0)
	})
}

// aWindow is a window for the policy lookahead: none to five rounds, or longer than
// any trace here.
func aWindow(slots int) int { return []int{-1, 1, 2, 3, 5, 1000}[slots%6] }

// seesCall reports whether a policy's replay knows the keys of its call, and no
// others.
func seesCall(policy string) bool {
	return policy == "min" || policy == "lookahead" || policy == "static"
}

// refusing reports whether a policy does not admit every key.
func refusing(policy string) bool {
	for _, e := range registered {
		if e.Name == policy {
			p, err := e.make(&Table{cfg: Config{Slots: 1, Rows: 1}})
			_, ok := p.(refuser)
			return err == nil && ok
		}
	}
	return false
}

func runTwin(t failer, trace *lookups.Trace, policy string, slots, ahead int, hash bool) {
	t.Helper()
	cfg := Config{Slots: slots, Rows: trace.Rows(), Policy: policy, Future: trace, Window: aWindow(slots)}
	table := newTable(t, cfg)
	if hash {
		table.hashed()
	}
	var future, looked [][]uint32
	for r := range trace.Rounds() {
		round := trace.Round(r)
		future = append(future, round.Keys)
		looked = append(looked, nil)
		for i, k := range round.Keys {
			looked[r] = append(looked[r], slices.Repeat([]uint32{k}, int(round.Counts[i]))...)
		}
	}
	w := newTwin(cfg, future, looked)
	for r := range trace.Rounds() {
		for table.InFlight() > ahead {
			table.Release()
			if err := w.release(); err != nil {
				t.Fatal(err)
			}
		}
		// A shortage ends a run; here the pipeline drains and tries again, until
		// the round alone is too large.
		for !planBoth(t, table, w, trace.Round(r)) {
			if table.InFlight() == 0 {
				return
			}
			table.Release()
			if err := w.release(); err != nil {
				t.Fatal(err)
			}
		}
		checkTable(t, table, w)
	}
}

// planBoth plans one round on both sides and compares. It returns false when both
// are short of slots.
func planBoth(t failer, table *Table, w *twin, r lookups.Round) bool {
	t.Helper()
	c, err := table.Plan(r)
	want, fills, victims, ok := w.plan(r)
	if !ok {
		var short *ShortageError
		if !errors.As(err, &short) {
			t.Fatalf("the twin is short of slots, the table says %v", err)
		}
		checkTable(t, table, w)
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	if c != want {
		t.Fatalf("counts %+v, want %+v", c, want)
	}
	if got := moved(table.Fills()); !slices.Equal(got, fills) {
		t.Fatalf("fills %v, want %v", got, fills)
	}
	got := moved(table.Evictions())
	if w.policy == "min" {
		// The twin looks from the round after; its victims' next uses are what
		// counts, and it follows the table's choice among equals.
		w.round--
		if a, b := w.farthest(got), w.farthest(victims); !slices.Equal(a, b) {
			t.Fatalf("victims %v are next used in %v, the farthest are %v in %v", got, a, victims, b)
		}
		w.round++
		w.follow(victims, got)
	} else if !slices.Equal(got, victims) {
		t.Fatalf("%s: victims %v, want %v", w.policy, got, victims)
	}
	if err := w.move(table.Evictions(), table.Fills()); err != nil {
		t.Fatal(err)
	}
	return true
}

// follow puts the twin's victims back and takes the table's out.
func (w *twin) follow(mine, theirs []uint32) {
	w.held = append(w.held, mine...)
	for _, k := range theirs {
		w.held = without(w.held, k)
	}
}

func moved(moves []Move) (keys []uint32) {
	for _, m := range moves {
		keys = append(keys, m.Key)
	}
	return keys
}

// checkTable checks the invariants of the mapping, and that both sides hold the
// same rows.
func checkTable(t failer, table *Table, w *twin) {
	t.Helper()
	if table.Used()+table.Remaining() != table.Slots() {
		t.Fatalf("used %d + remaining %d is not %d", table.Used(), table.Remaining(), table.Slots())
	}
	held := map[int]uint32{}
	pinned := 0
	checkGhosts(t, table)
	for k := range uint32(table.cfg.Rows) {
		s, ok := table.Slot(k)
		if ok != slices.Contains(w.held, k) {
			t.Fatalf("row %d in a slot: %v, the twin says %v", k, ok, !ok)
		}
		if !ok {
			if w.pinned(k) && !w.refuses() {
				t.Fatalf("row %d is in flight but in no slot", k)
			}
			continue
		}
		if other, twice := held[s]; twice {
			t.Fatalf("slot %d holds rows %d and %d", s, other, k)
		}
		held[s] = k
		if table.keys[s] != k {
			t.Fatalf("slot %d holds row %d, the index says %d", s, table.keys[s], k)
		}
		if (table.pins[s] > 0) != w.pinned(k) {
			t.Fatalf("row %d has %d pins, in flight: %v", k, table.pins[s], w.pinned(k))
		}
		if table.pins[s] > 0 {
			pinned++
		}
		if table.dirty[s] != w.dirty[k] {
			t.Fatalf("row %d is dirty: %v, want %v", k, table.dirty[s], w.dirty[k])
		}
	}
	if len(held) != table.Used() || pinned != table.Pinned() {
		t.Fatalf("%d rows are in slots and %d pinned, the table says %d and %d", len(held), pinned, table.Used(), table.Pinned())
	}
}

// checkGhosts checks that the keys remembered are in no slot, and no more than
// stated.
func checkGhosts(t failer, table *Table) {
	t.Helper()
	p, ok := table.policy.(rememberer)
	if !ok {
		return
	}
	n := 0
	for k := range uint32(table.cfg.Rows) {
		if !p.remembers(k) {
			continue
		}
		n++
		if _, ok := table.Slot(k); ok {
			t.Fatalf("row %d is in a slot and remembered", k)
		}
	}
	if n > p.ghosts() {
		t.Fatalf("%d rows are remembered, at most %d are stated", n, p.ghosts())
	}
}

// TestReplayTwin compares the misses of single lookups, in one call and in two.
func TestReplayTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 20, 120)
		policy := drawPolicy(t)
		slots := rapid.IntRange(1, 22).Draw(t, "slots")
		var future [][]uint32
		for _, k := range keys {
			future = append(future, []uint32{k})
		}
		cfg := Config{Slots: slots, Rows: 20, Policy: policy, Window: aWindow(slots)}
		w := newTwin(cfg, future, future)
		want := 0
		for _, k := range keys {
			if w.lookup(k) {
				want++
			}
		}
		if got := newTable(t, cfg).Replay(keys); got != want {
			t.Fatalf("%d misses, want %d", got, want)
		}
		if got := newTable(t, cfg).hashed().Replay(keys); got != want {
			t.Fatalf("with the hash index %d misses, want %d", got, want)
		}
		if seesCall(policy) {
			return
		}
		cut := rapid.IntRange(0, len(keys)).Draw(t, "cut")
		table := newTable(t, cfg)
		if got := table.Replay(keys[:cut]) + table.Replay(keys[cut:]); got != want {
			t.Fatalf("in two calls %d misses, want %d", got, want)
		}
	})
}

// TestSIEVEIsLFU: until SIEVE's hand comes to the end of the queue for the first
// time, its misses are those of LFU: what the hand has passed has a count of two at
// least, and it evicts the oldest row with a count of one.
func TestSIEVEIsLFU(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 40, 400)
		cfg := Config{Slots: rapid.IntRange(1, 30).Draw(t, "slots"), Rows: 40}
		sieves, lfus := cfg, cfg
		sieves.Policy, lfus.Policy = "sieve", "lfu"
		a, b := newTable(t, sieves), newTable(t, lfus)
		w := newTwin(sieves, nil, nil)
		for i, k := range keys {
			w.lookup(k)
			if w.slow.(*slowSIEVE).wrapped {
				return
			}
			if x, y := a.Replay(keys[i:i+1]), b.Replay(keys[i:i+1]); x != y {
				t.Fatalf("lookup %d: sieve misses %d, lfu %d", i, x, y)
			}
			if w.slow.(*slowSIEVE).hand > 0 {
				compared++
			}
		}
	})
	if compared == 0 && !testing.Short() {
		t.Error("the hand never spared a row before it wrapped")
	}
}

// TestLFURenumbers: LFU goes on when the numbers of its lookups run out.
func TestLFURenumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 20, 300)
		cfg := Config{Slots: rapid.IntRange(1, 19).Draw(t, "slots"), Rows: 20, Policy: "lfu"}
		whole, short := newTable(t, cfg), newTable(t, cfg)
		for i, k := range keys {
			u := &short.policy.(*lfu).replayed
			u.now = max(u.now, math.MaxUint32-7)
			if got, want := short.Replay([]uint32{k}), whole.Replay([]uint32{k}); got != want {
				t.Fatalf("lookup %d: %d misses, want %d", i, got, want)
			}
		}
	})
}

// TestWTinyLFUPacks: traces long enough that each list's log of uses is full many
// times, with lookups cut anywhere.
func TestWTinyLFUPacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 60, 4000)
		slots := rapid.IntRange(1, 60).Draw(t, "slots")
		w := newTwin(Config{Slots: slots, Rows: 60, Policy: "w-tinylfu"}, nil, nil)
		want := 0
		for _, k := range keys {
			if w.lookup(k) {
				want++
			}
		}
		table, got := newTable(t, Config{Slots: slots, Rows: 60, Policy: "w-tinylfu"}), 0
		for len(keys) > 0 {
			n := rapid.IntRange(1, len(keys)).Draw(t, "lookups")
			got += table.Replay(keys[:n])
			keys = keys[n:]
		}
		if got != want {
			t.Fatalf("%d misses, want %d", got, want)
		}
	})
}

// TestReplayAllocates: a replay that goes on allocates nothing.
func TestReplayAllocates(t *testing.T) {
	keys := intZipf(5000, 20000)
	for _, p := range Policies() {
		if p.Name == "min" || p.Name == "lookahead" {
			continue // the future of each call
		}
		for _, hashed := range []bool{false, true} {
			table := newTable(t, Config{Slots: 500, Rows: 5000, Policy: p.Name})
			if hashed {
				table.hashed()
			}
			table.Replay(keys)
			if n := testing.AllocsPerRun(3, func() { table.Replay(keys) }); n != 0 {
				t.Errorf("%s, hashed %v: %v allocations in 20 000 lookups", p.Name, hashed, n)
			}
		}
	}
}

// TestMINReplaysOn: a second call starts from the rows that the first left, and
// is optimal from there: never worse than LRU from the same rows.
func TestMINReplaysOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := drawKeys(t, 16, 60), drawKeys(t, 16, 60)
		slots := rapid.IntRange(1, 16).Draw(t, "slots")
		table := newTable(t, Config{Slots: slots, Rows: 16, Policy: "min"})
		table.Replay(first)
		resident := slices.Clone(table.keys[:table.used])
		got := table.Replay(second)

		w := newTwin(Config{Policy: "min", Slots: slots}, nil, nil)
		w.held = resident
		for _, k := range second {
			w.future = append(w.future, []uint32{k})
		}
		want := 0
		for _, k := range second {
			if w.lookup(k) {
				want++
			}
		}
		if got != want {
			t.Fatalf("%d misses, want %d", got, want)
		}
	})
}

// TestRoundsOfOne: rounds of one lookup without look-ahead are a replay.
func TestRoundsOfOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 20, 120)
		slots := rapid.IntRange(1, 22).Draw(t, "slots")
		cfg := Config{Slots: slots, Rows: 20, Policy: drawPolicy(t), Window: aWindow(slots)}
		var rounds [][]uint32
		for i := range keys {
			rounds = append(rounds, keys[i:i+1])
		}
		counts, err := roundCounts(record(t, 20, rounds), cfg, 0)
		if err != nil {
			t.Fatal(err)
		}
		misses := 0
		for _, c := range counts {
			misses += c.Misses
		}
		if want := newTable(t, cfg).Replay(keys); misses != want {
			t.Fatalf("%d misses in rounds, %d in replay", misses, want)
		}
	})
}

// TestMINReplayTheorem: no policy that admits every key has fewer misses than MIN at any size; with a
// slot per distinct key, misses are the distinct keys; LRU is a stack policy.
func TestMINReplayTheorem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 16, 160)
		distinct := map[uint32]bool{}
		for _, k := range keys {
			distinct[k] = true
		}
		lru := len(keys) + 1
		for slots := 1; slots <= 17; slots++ {
			best := newTable(t, Config{Slots: slots, Rows: 16, Policy: "min"}).Replay(keys)
			for _, p := range Policies() {
				if p.Name == "static" {
					continue // its rows are in their slots before the first lookup
				}
				misses := newTable(t, Config{Slots: slots, Rows: 16, Policy: p.Name, Window: aWindow(slots)}).Replay(keys)
				if misses < best && !refusing(p.Name) {
					t.Fatalf("%d slots: %s misses %d, min %d", slots, p.Name, misses, best)
				}
				if slots >= len(distinct) && misses != len(distinct) {
					t.Fatalf("%d slots for %d distinct keys: %s misses %d", slots, len(distinct), p.Name, misses)
				}
				if p.Name == "lru" {
					if misses > lru {
						t.Fatalf("lru misses %d with %d slots and %d with one more", lru, slots-1, misses)
					}
					lru = misses
				}
			}
		}
	})
}

// TestMINRoundTheorem: the same in rounds, with rounds in flight.
func TestMINRoundTheorem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 24, drawRounds(t, 24, 30, 8))
		ahead := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		least := MinSlots(trace, ahead)
		for slots := least; slots <= min(least+4, 24); slots++ {
			misses := map[string]int{}
			for _, p := range Policies() {
				if refusing(p.Name) {
					continue
				}
				c, err := total(trace, Config{Policy: p.Name, Window: aWindow(slots)}, slots, ahead)
				if err != nil {
					t.Fatal(err)
				}
				misses[p.Name] = c.Misses
			}
			for name, m := range misses {
				if m < misses["min"] {
					t.Fatalf("%d slots, look-ahead %d: %s misses %d, min %d", slots, ahead, name, m, misses["min"])
				}
			}
		}
	})
}

// TestMINExhaustive compares MIN with the least misses over all choices of
// victims, found by trying them all.
func TestMINExhaustive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows = 7
		trace := record(t, rows, drawRounds(t, rows, 8, 3))
		ahead := rapid.IntRange(0, 2).Draw(t, "look-ahead")
		slots := min(MinSlots(trace, ahead)+rapid.IntRange(0, 2).Draw(t, "spare"), rows)
		c, err := total(trace, Config{Policy: "min"}, slots, ahead)
		if err != nil {
			t.Fatal(err)
		}
		if want := leastMisses(trace, ahead, slots, rows); c.Misses != want {
			t.Fatalf("%d slots, look-ahead %d: min misses %d, the least is %d", slots, ahead, c.Misses, want)
		}
	})
}

// leastMisses goes through all sets of resident rows, round by round: any set
// that holds the rows in flight, fits, and adds nothing but this round's rows.
func leastMisses(trace *lookups.Trace, ahead, slots, rows int) int {
	bit := func(r int) (set int) {
		for _, k := range trace.Round(r).Keys {
			set |= 1 << k
		}
		return set
	}
	size := func(set int) (n int) {
		for ; set > 0; set &= set - 1 {
			n++
		}
		return n
	}
	reach := map[int]int{0: 0}
	for r := range trace.Rounds() {
		held := bit(r)
		for q := max(0, r-ahead); q < r; q++ {
			held |= bit(q)
		}
		next := map[int]int{}
		for from, misses := range reach {
			m := misses + size(bit(r)&^from)
			for to := range 1 << rows {
				if to&held != held || to&^(from|held) != 0 || size(to) > slots {
					continue
				}
				if was, ok := next[to]; !ok || m < was {
					next[to] = m
				}
			}
		}
		reach = next
	}
	best := -1
	for _, m := range reach {
		if best < 0 || m < best {
			best = m
		}
	}
	return best
}

package slots

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"stowage/workloads/lookups"
)

// sets orders the slots of a set-associative table, as FBGEMM's cached embedding
// does (fbgemm_gpu, split_embeddings_cache, at 71d6f8b2): a row may be in the Ways
// slots of its set only. Slot = set x Ways + way; set = fmix64(key) mod sets.
//
// Every slot has a rank, and the way with the smallest rank leaves first, the
// lowest way among equals. Ranks by policy:
//
//	lru   the round of the last use
//	fifo  the round of the fill
//	lfu   lookups of the row so far, in a slot or not: 8 bytes per row
//	min   the round of the next use, farthest first
//
// The misses of a round are taken by set, ascending by key (lfu: most lookups
// first), and take the ways of their set in the order of rank; pinned ways are
// passed over. Under lru with the rule Bypass the l-th miss of a set takes the
// l-th way or none, as in FBGEMM: a way that another round in flight pins consumes
// the attempt. lfu admits a key only when it has at least as many lookups as the
// row that would leave.
type sets struct {
	t    *Table
	ways int
	n    int

	rank     []uint64 // per slot; 0: free
	lookups  []uint64 // lfu: per row
	future   *future  // min
	next     []uint32 // min: next uses of the round's keys
	round    lookups.Round
	misses   []setMiss // of the round, reused
	order    []int32   // ways of one set by rank, reused
	byLookup bool      // lfu
	consumes bool      // lru under Bypass: a pinned way consumes a miss
}

// setMiss is a missed key of the round.
type setMiss struct {
	set  uint32
	i    int32 // in the round
	rank uint64
}

// SetPolicies lists the replacement policies that tables with sets take.
func SetPolicies() []string { return []string{"lru", "fifo", "lfu", "min"} }

func newSets(t *Table) (*sets, error) {
	cfg := &t.cfg
	if cfg.Ways < 0 || cfg.Ways > cfg.Slots {
		return nil, fmt.Errorf("ways = %d: want 1 to the %d slots, or 0 for one set", cfg.Ways, cfg.Slots)
	}
	if !slices.Contains(SetPolicies(), cfg.Policy) {
		return nil, fmt.Errorf("replacement policy %q has no form with sets of ways: want one of %v, or ways = 0", cfg.Policy, SetPolicies())
	}
	n := (cfg.Slots + cfg.Ways - 1) / cfg.Ways
	if n > math.MaxInt32/cfg.Ways {
		return nil, fmt.Errorf("ways = %d: %d slots in whole sets are more than %d", cfg.Ways, cfg.Slots, math.MaxInt32)
	}
	cfg.Slots = n * cfg.Ways
	x := &sets{t: t, ways: cfg.Ways, n: n, rank: make([]uint64, cfg.Slots), byLookup: cfg.Policy == "lfu"}
	x.consumes = cfg.Policy == "lru" && cfg.Shortage == Bypass
	switch cfg.Policy {
	case "lfu":
		x.lookups = make([]uint64, cfg.Rows)
	case "min":
		x.future = cfg.future
		if x.future == nil && cfg.Future != nil {
			x.future = foresee(cfg.Future)
		}
		if x.future == nil {
			return nil, errNoFuture
		}
	}
	return x, nil
}

// setOf hashes a key to its set.
func (x *sets) setOf(k uint32) uint32 { return uint32(x.t.hashOf(k) % uint64(x.n)) }

func (x *sets) clear() { clear(x.rank) }

func (x *sets) begin(r lookups.Round) error {
	if x.future != nil {
		next, err := x.future.expect(x.t.planned, r)
		if err != nil {
			return err
		}
		x.next = next
	}
	x.round = r
	if x.byLookup {
		for i, k := range r.Keys {
			x.lookups[k] += uint64(r.Counts[i])
		}
	}
	return nil
}

// now is the rank of a use in this round.
func (x *sets) now() uint64 { return uint64(x.t.planned) + 1 }

// use says that key i of the round was found in slot s.
func (x *sets) use(s int32, i int) {
	if x.t.cfg.Policy != "fifo" {
		x.rank[s] = x.rankOf(i)
	}
}

// rankOf is the rank of key i of the round in a slot.
func (x *sets) rankOf(i int) uint64 {
	switch x.t.cfg.Policy {
	case "lfu":
		return x.lookups[x.round.Keys[i]]
	case "min":
		return math.MaxUint64 - uint64(x.next[i])
	}
	return x.now()
}

// byNeed collects the misses of a round by set.
func (x *sets) byNeed(r lookups.Round, slots []int32) {
	x.misses = x.misses[:0]
	for i, s := range slots {
		if s == none {
			m := setMiss{set: x.setOf(r.Keys[i]), i: int32(i)}
			if x.byLookup {
				m.rank = x.lookups[r.Keys[i]]
			}
			x.misses = append(x.misses, m)
		}
	}
	slices.SortFunc(x.misses, func(a, b setMiss) int {
		if a.set != b.set {
			return cmp.Compare(a.set, b.set)
		}
		if a.rank != b.rank {
			return cmp.Compare(b.rank, a.rank)
		}
		return cmp.Compare(r.Keys[a.i], r.Keys[b.i])
	})
}

// group returns how many of the misses from the first on are of its set.
func group(ms []setMiss) int {
	n := 1
	for n < len(ms) && ms[n].set == ms[0].set {
		n++
	}
	return n
}

// check returns a *ShortageError when a set has fewer ways without pins than
// misses, the hits of the round counted as pinned.
func (x *sets) check(r lookups.Round, slots []int32) error {
	if x.byLookup {
		return nil // it refuses keys: those without a way are bypassed
	}
	t := x.t
	x.byNeed(r, slots)
	for _, s := range slots {
		if s != none {
			t.pins[s]++
		}
	}
	var err error
	for ms := x.misses; len(ms) > 0 && err == nil; ms = ms[group(ms):] {
		set, need := int(ms[0].set), group(ms)
		pinned := 0
		for s := set * x.ways; s < (set+1)*x.ways; s++ {
			if t.pins[s] > 0 {
				pinned++
			}
		}
		if pinned+need > x.ways {
			err = &ShortageError{
				Round: t.planned, Unique: len(r.Keys), InFlight: t.InFlight(), Pinned: pinned,
				Need: pinned + need, Slots: x.ways, Set: set, Ways: x.ways,
			}
		}
	}
	for _, s := range slots {
		if s != none {
			t.pins[s]--
		}
	}
	return err
}

// write fills the misses of the round, set by set.
func (x *sets) write(r lookups.Round, slots []int32, c *Counts) {
	x.byNeed(r, slots)
	for ms := x.misses; len(ms) > 0; {
		n := group(ms)
		x.fillSet(r, ms[:n], slots, c)
		ms = ms[n:]
	}
}

func (x *sets) fillSet(r lookups.Round, ms []setMiss, slots []int32, c *Counts) {
	t := x.t
	x.sortWays(int32(ms[0].set))
	way := 0
	for _, m := range ms {
		s := x.take(&way, m)
		if s == none {
			t.bypass(r, int(m.i), c)
			continue
		}
		t.fill(s, r.Keys[m.i], c)
		x.rank[s] = x.rankOf(int(m.i))
		slots[m.i] = s
	}
}

// take returns the way that miss m may have, none if it gets none. way counts
// the ways of the set that have had their turn.
func (x *sets) take(way *int, m setMiss) int32 {
	for *way < x.ways {
		s := x.order[*way]
		pinned := x.t.pins[s] > 0
		switch {
		case !pinned && (!x.byLookup || x.rank[s] <= m.rank):
			*way++
			return s
		case !pinned:
			return none // its row has more lookups: later misses have fewer still
		case x.consumes && x.rank[s] < x.now():
			*way++
			return none // of another round in flight: the attempt is consumed
		}
		*way++
	}
	return none
}

// sortWays orders the slots of a set by rank.
func (x *sets) sortWays(set int32) {
	x.order = x.order[:0]
	for w := range x.ways {
		x.order = append(x.order, set*int32(x.ways)+int32(w))
	}
	slices.SortFunc(x.order, func(a, b int32) int {
		if c := cmp.Compare(x.rank[a], x.rank[b]); c != 0 {
			return c
		}
		return cmp.Compare(a, b)
	})
}

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
// Sets have their turn in the order in which the round first misses a row of
// theirs. Within a set, misses go ascending by key (lfu: most lookups first), ways
// ascending by rank, pinned ones left out, and the l-th miss takes the l-th way or
// none. lfu admits a key only when it has at least as many lookups as the row that
// would leave.
//
// FBGEMM leaves no way out: a locked one consumes the miss that comes to it. That
// is the same under lru, since rounds are unpinned in the order in which they were
// planned: a pinned row was used later than every row without pins, so that pinned
// ways come last.
type sets struct {
	t    *Table
	ways int
	n    int

	by      ranking
	rank    []uint64 // per slot; 0: free
	lookups []uint64 // byLookups: per row
	future  *future  // byNextUse
	next    []uint32 // byNextUse: next uses of the round's keys
	round   lookups.Round

	// The misses of the round: per set a chain through chain, from the last.
	// Buffers are used again.
	last  []int32 // per set: plus one, in chain; 0: no miss
	asked []int32 // sets with misses, by their first
	chain []chained

	misses []setMiss // of one set
	order  []setWay  // of one set
}

// ranking is what decides the rank of a slot.
type ranking int

const (
	byUse ranking = iota
	byFill
	byLookups
	byNextUse
)

// setPolicies are the replacement policies that tables with sets take; by gives
// each its ranking.
var setPolicies = []struct {
	name string
	by   ranking
}{{"lru", byUse}, {"fifo", byFill}, {"lfu", byLookups}, {"min", byNextUse}}

// SetPolicies lists the replacement policies that tables with sets take.
func SetPolicies() []string {
	names := make([]string, len(setPolicies))
	for i, p := range setPolicies {
		names[i] = p.name
	}
	return names
}

// chained is a missed key of the round, and the miss of its set before it.
type chained struct {
	i      int32 // in the round
	before int32 // plus one, in chain; 0: none
}

// setMiss is a missed key of one set.
type setMiss struct {
	lookups uint64 // byLookups
	key     uint64 // what it was before keys were renumbered
	i       int32  // in the round
}

// setWay is a slot of one set.
type setWay struct {
	rank uint64
	slot int32
}

func newSets(t *Table) (*sets, error) {
	cfg := &t.cfg
	if cfg.Ways < 0 || cfg.Ways > cfg.Slots {
		return nil, fmt.Errorf("ways = %d: want 1 to the %d slots, or 0 for one set", cfg.Ways, cfg.Slots)
	}
	at := slices.Index(SetPolicies(), cfg.Policy)
	if at < 0 {
		return nil, fmt.Errorf("replacement policy %q has no form with sets of ways: want one of %v, or ways = 0", cfg.Policy, SetPolicies())
	}
	n := (cfg.Slots + cfg.Ways - 1) / cfg.Ways
	if n > math.MaxInt32/cfg.Ways {
		return nil, fmt.Errorf("ways = %d: %d slots in whole sets are more than %d", cfg.Ways, cfg.Slots, math.MaxInt32)
	}
	cfg.Slots = n * cfg.Ways
	x := &sets{
		t: t, ways: cfg.Ways, n: n,
		by: setPolicies[at].by, rank: make([]uint64, cfg.Slots), last: make([]int32, n),
	}
	switch x.by {
	case byLookups:
		x.lookups = make([]uint64, cfg.Rows)
	case byNextUse:
		if cfg.Future == nil {
			return nil, noFuture(cfg.Policy)
		}
		x.future = foresee(cfg.Future)
	}
	return x, nil
}

// setOf hashes a key to its set.
func (x *sets) setOf(k uint32) int32 { return int32(x.t.hashOf(k) % uint64(x.n)) }

// clear makes x what newSets made it.
func (x *sets) clear() {
	clear(x.rank)
	clear(x.lookups)
}

func (x *sets) begin(r lookups.Round) error {
	if x.future != nil {
		next, err := x.future.expect(x.t.cfg.Policy, x.t.planned, r)
		if err != nil {
			return err
		}
		x.next = next
	}
	x.round = r
	if x.by == byLookups {
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
	if x.by != byFill {
		x.rank[s] = x.rankOf(i)
	}
}

// rankOf is the rank of key i of the round in a slot.
func (x *sets) rankOf(i int) uint64 {
	switch x.by {
	case byLookups:
		return x.lookups[x.round.Keys[i]]
	case byNextUse:
		return math.MaxUint64 - uint64(x.next[i])
	}
	return x.now()
}

// gather chains the misses of a round by set.
func (x *sets) gather(r lookups.Round, slots []int32) {
	for _, set := range x.asked {
		x.last[set] = 0
	}
	x.asked, x.chain = x.asked[:0], x.chain[:0]
	for i, s := range slots {
		if s != none {
			continue
		}
		set := x.setOf(r.Keys[i])
		if x.last[set] == 0 {
			x.asked = append(x.asked, set)
		}
		x.chain = append(x.chain, chained{int32(i), x.last[set]})
		x.last[set] = int32(len(x.chain))
	}
}

// check returns a *ShortageError when a set has fewer ways without pins than
// misses, the hits of the round counted as pinned.
func (x *sets) check(r lookups.Round, slots []int32) error {
	if x.by == byLookups {
		return nil // it refuses keys: those without a way are bypassed
	}
	t := x.t
	for _, s := range slots {
		if s != none {
			t.pins[s]++
		}
	}
	short, need := int32(none), 0
	for _, set := range x.asked {
		if need = x.pinned(set) + x.missed(set); need > x.ways {
			short = set
			break
		}
	}
	for _, s := range slots {
		if s != none {
			t.pins[s]--
		}
	}
	if short == none {
		return nil
	}
	return &ShortageError{
		Rule: t.cfg.rule(), Round: t.planned, Unique: len(r.Keys), InFlight: t.InFlight(),
		Pinned: x.pinned(short), Need: need, Slots: x.ways, Set: int(short), Ways: x.ways,
	}
}

// pinned counts the pinned ways of a set.
func (x *sets) pinned(set int32) (n int) {
	first := int(set) * x.ways
	for _, pins := range x.t.pins[first : first+x.ways] {
		if pins > 0 {
			n++
		}
	}
	return n
}

// missed counts the misses of a set.
func (x *sets) missed(set int32) (n int) {
	for at := x.last[set]; at != 0; at = x.chain[at-1].before {
		n++
	}
	return n
}

// write fills the misses of the round, set by set.
func (x *sets) write(r lookups.Round, slots []int32, c *Counts) {
	for _, set := range x.asked {
		misses := x.missesOf(set)
		ways := x.waysOf(set, len(misses))
		for l, m := range misses {
			if l >= len(ways) || !x.admits(ways[l], m) {
				x.t.bypass(r, int(m.i), c)
				continue
			}
			s := ways[l].slot
			x.t.fill(s, r.Keys[m.i], c)
			x.rank[s] = x.rankOf(int(m.i))
			slots[m.i] = s
		}
	}
}

// admits reports whether miss m may have way w, which comes to it.
func (x *sets) admits(w setWay, m setMiss) bool {
	return x.by != byLookups || w.rank <= m.lookups
}

// missesOf returns the misses of a set in the order in which they take ways.
func (x *sets) missesOf(set int32) []setMiss {
	x.misses = x.misses[:0]
	for at := x.last[set]; at != 0; at = x.chain[at-1].before {
		i := x.chain[at-1].i
		k := x.round.Keys[i]
		m := setMiss{i: i, key: x.t.original(k)}
		if x.by == byLookups {
			m.lookups = x.lookups[k]
		}
		x.misses = append(x.misses, m)
	}
	if len(x.misses) <= fewWays {
		sortFew(x.misses)
	} else {
		slices.SortFunc(x.misses, compareMisses)
	}
	return x.misses
}

// compareMisses orders by lookups, most first, then by key.
func compareMisses(a, b setMiss) int {
	if a.lookups != b.lookups {
		return cmp.Compare(b.lookups, a.lookups)
	}
	return cmp.Compare(a.key, b.key)
}

// fewWays is up to how many misses of a set insertion sorts: beyond it its square
// would tell.
const fewWays = 32

// sortFew sorts misses by insertion.
func sortFew(ms []setMiss) {
	for i := 1; i < len(ms); i++ {
		m, at := ms[i], i
		for ; at > 0 && compareMisses(m, ms[at-1]) < 0; at-- {
			ms[at] = ms[at-1]
		}
		ms[at] = m
	}
}

// waysOf returns the first ways of a set in the order in which misses take them, at
// most as many as are wanted.
func (x *sets) waysOf(set int32, want int) []setWay {
	x.order = x.order[:0]
	first := int(set) * x.ways
	pins := x.t.pins[first : first+x.ways]
	for w, rank := range x.rank[first : first+x.ways] {
		if pins[w] > 0 {
			continue
		}
		way := setWay{rank, int32(first + w)}
		if want > fewWays {
			x.order = append(x.order, way)
		} else {
			x.insert(way, want)
		}
	}
	if want > fewWays {
		slices.SortFunc(x.order, func(a, b setWay) int {
			if a.rank != b.rank {
				return cmp.Compare(a.rank, b.rank)
			}
			return cmp.Compare(a.slot, b.slot)
		})
	}
	return x.order
}

// insert keeps the ways of least rank in order, at most as many as are wanted. Ways
// come ascending, so that among equals the lower one stays in front.
func (x *sets) insert(way setWay, want int) {
	at := len(x.order)
	switch {
	case at < want:
		x.order = append(x.order, way)
	case way.rank < x.order[at-1].rank:
		at--
	default:
		return
	}
	for ; at > 0 && way.rank < x.order[at-1].rank; at-- {
		x.order[at] = x.order[at-1]
	}
	x.order[at] = way
}

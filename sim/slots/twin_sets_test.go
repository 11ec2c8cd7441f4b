package slots

import (
	"slices"
	"sort"

	"stowage/workloads/lookups"
)

// fbgemm is FBGEMM's cache of lines, written as its kernels say and with nothing of
// ours: LRU, 64-bit keys, a lock counter per line, conflict misses.
type fbgemm struct {
	ways  int
	lines [][]fbgemmLine // per set
	time  int
	held  [][]*fbgemmLine // the lines that each round in flight has locked

	calls, requested, unique                     int
	uniqueMisses, conflictUnique, conflictMisses int
	writeBacks                                   int
}

type fbgemmLine struct {
	key   uint64
	valid bool
	time  int
	lock  int
}

func newFBGEMM(ways, sets int) *fbgemm {
	f := &fbgemm{ways: ways}
	for range sets {
		f.lines = append(f.lines, make([]fbgemmLine, ways))
	}
	return f
}

// set is cache_slot: MurmurHash3's finaliser modulo the sets.
func (f *fbgemm) set(key uint64) int {
	h := key
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return int(h % uint64(len(f.lines)))
}

func (f *fbgemm) find(key uint64) *fbgemmLine {
	set := f.lines[f.set(key)]
	for w := range set {
		if set[w].valid && set[w].key == key {
			return &set[w]
		}
	}
	return nil
}

// prefetch plans a round of unique keys, each with its lookups.
func (f *fbgemm) prefetch(count map[uint64]int) {
	f.time++
	f.calls++
	var locked []*fbgemmLine
	missed := map[int][]uint64{}
	for key, n := range count {
		f.requested += n
		f.unique++
		if line := f.find(key); line != nil {
			line.time = f.time
			line.lock++
			locked = append(locked, line)
			continue
		}
		f.uniqueMisses++
		missed[f.set(key)] = append(missed[f.set(key)], key)
	}
	for set, keys := range missed {
		slices.Sort(keys)
		var order []*fbgemmLine
		for w := range f.lines[set] {
			order = append(order, &f.lines[set][w])
		}
		sort.SliceStable(order, func(a, b int) bool { return order[a].time < order[b].time })
		for l, key := range keys {
			if l >= f.ways || order[l].lock > 0 || order[l].time == f.time {
				f.conflictUnique++
				f.conflictMisses += count[key]
				continue
			}
			if order[l].valid {
				f.writeBacks++
			}
			*order[l] = fbgemmLine{key: key, valid: true, time: f.time, lock: 1}
			locked = append(locked, order[l])
		}
	}
	f.held = append(f.held, locked)
}

// release unlocks the lines of the oldest round in flight, once each.
func (f *fbgemm) release() {
	for _, line := range f.held[0] {
		line.lock--
	}
	f.held = f.held[1:]
}

// slowSets are the other policies with sets, victim by victim.
type slowSets struct {
	policy string
	bypass bool
	ways   int
	lines  [][]slowLine
	seen   map[uint32]int // lookups so far, in a slot or not
	future [][]uint32
	round  int
	flight [][]uint32
}

type slowLine struct {
	key   uint32
	valid bool
	used  int // round of the last use
	since int // round of the fill
}

func newSlowSets(cfg Config, future [][]uint32) *slowSets {
	q := &slowSets{policy: cfg.Policy, bypass: cfg.Shortage == Bypass, ways: cfg.Ways, seen: map[uint32]int{}, future: future}
	for range (cfg.Slots + cfg.Ways - 1) / cfg.Ways {
		q.lines = append(q.lines, make([]slowLine, cfg.Ways))
	}
	return q
}

func (q *slowSets) set(k uint32) int {
	return (&fbgemm{lines: make([][]fbgemmLine, len(q.lines))}).set(uint64(k))
}

func (q *slowSets) find(k uint32) *slowLine {
	set := q.lines[q.set(k)]
	for w := range set {
		if set[w].valid && set[w].key == k {
			return &set[w]
		}
	}
	return nil
}

func (q *slowSets) pinned(k uint32) bool {
	return slices.ContainsFunc(q.flight, func(f []uint32) bool { return slices.Contains(f, k) })
}

// short returns the sets whose rows in flight, with those of the round, exceed its
// ways, and how many rows those are.
func (q *slowSets) short(r lookups.Round) map[int]int {
	rows := map[int]map[uint32]bool{}
	for _, f := range append(slices.Clone(q.flight), r.Keys) {
		for _, k := range f {
			if rows[q.set(k)] == nil {
				rows[q.set(k)] = map[uint32]bool{}
			}
			rows[q.set(k)][k] = true
		}
	}
	short := map[int]int{}
	for set, keys := range rows {
		if len(keys) > q.ways {
			short[set] = len(keys)
		}
	}
	return short
}

// nextUse returns the round after this one that uses k.
func (q *slowSets) nextUse(k uint32) int {
	return (&twin{round: q.round, future: q.future}).nextUse(k)
}

// sooner reports whether line a leaves before line b, which is further up.
func (q *slowSets) sooner(a, b slowLine) bool {
	switch {
	case !a.valid || !b.valid:
		return !a.valid && b.valid
	case q.policy == "lru":
		return a.used < b.used
	case q.policy == "fifo":
		return a.since < b.since
	case q.policy == "lfu":
		return q.seen[a.key] < q.seen[b.key]
	}
	return q.nextUse(a.key) > q.nextUse(b.key)
}

// victim returns the line that leaves first among those without pins.
func (q *slowSets) victim(set int) (v *slowLine) {
	for w := range q.lines[set] {
		line := &q.lines[set][w]
		if line.valid && q.pinned(line.key) {
			continue
		}
		if v == nil || q.sooner(*line, *v) {
			v = line
		}
	}
	return v
}

// plan plans a round that is not short, and returns its counts.
func (q *slowSets) plan(r lookups.Round) (c Counts) {
	c.Lookups, c.Unique = r.Lookups, len(r.Keys)
	q.flight = append(q.flight, slices.Clone(r.Keys))
	type miss struct {
		key   uint32
		count int
	}
	var misses []miss
	for i, k := range r.Keys {
		n := int(r.Counts[i])
		q.seen[k] += n
		if line := q.find(k); line != nil {
			c.Hits++
			c.HitLookups += n
			line.used = q.round
			continue
		}
		misses = append(misses, miss{k, n})
	}
	c.Misses = len(misses)
	sort.Slice(misses, func(a, b int) bool {
		if q.policy == "lfu" && q.seen[misses[a].key] != q.seen[misses[b].key] {
			return q.seen[misses[a].key] > q.seen[misses[b].key]
		}
		return misses[a].key < misses[b].key
	})
	for _, m := range misses {
		v := q.victim(q.set(m.key))
		if v == nil || q.policy == "lfu" && v.valid && q.seen[v.key] > q.seen[m.key] {
			c.Bypasses++
			c.BypassLookups += m.count
			continue
		}
		if v.valid {
			c.Evictions++
		}
		*v = slowLine{key: m.key, valid: true, used: q.round, since: q.round}
	}
	for _, set := range q.lines {
		for _, line := range set {
			if line.valid {
				c.Used++
			}
		}
	}
	q.round++
	return c
}

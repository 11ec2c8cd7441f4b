package slots

import (
	"fmt"
	"slices"
	"sort"

	"stowage/workloads/lookups"
)

// twin is the slot table written as plainly as possible: keys in slices, O(n)
// everything, no slots at all. It also keeps memory: every row has a version on
// the host, a version in its slot and a version last committed.
type twin struct {
	policy string
	slots  int
	future [][]uint32 // unique keys of every round, for min
	round  int

	order  []uint32 // resident keys: by last use (lru), by fill (fifo, clock)
	bit    map[uint32]bool
	count  map[uint32]int // lfu
	since  map[uint32]int // lfu: when the count was reached
	now    int
	dirty  map[uint32]bool
	flight [][]uint32

	host, slot, committed map[uint32]int
}

func newTwin(policy string, slots int, future [][]uint32) *twin {
	return &twin{
		policy: policy, slots: slots, future: future,
		bit: map[uint32]bool{}, count: map[uint32]int{}, since: map[uint32]int{}, dirty: map[uint32]bool{},
		host: map[uint32]int{}, slot: map[uint32]int{}, committed: map[uint32]int{},
	}
}

func (w *twin) pinned(k uint32) bool {
	for _, f := range w.flight {
		if slices.Contains(f, k) {
			return true
		}
	}
	return false
}

func (w *twin) touch(k uint32, n int) {
	w.now++
	w.count[k] += n
	w.since[k] = w.now
	w.bit[k] = true
	if w.policy == "lru" {
		i := slices.Index(w.order, k)
		w.order = append(slices.Delete(w.order, i, i+1), k)
	}
}

func (w *twin) enter(k uint32, n int) {
	w.now++
	w.order = append(w.order, k)
	w.count[k], w.since[k], w.bit[k], w.dirty[k] = n, w.now, false, false
}

// nextUse returns the round after this one that uses k.
func (w *twin) nextUse(k uint32) int {
	for r := w.round + 1; r < len(w.future); r++ {
		if slices.Contains(w.future[r], k) {
			return r
		}
	}
	return len(w.future)
}

// evict removes one victim and returns it.
func (w *twin) evict() uint32 {
	at := -1
	switch w.policy {
	case "lru", "fifo":
		at = slices.IndexFunc(w.order, func(k uint32) bool { return !w.pinned(k) })
	case "clock":
		for {
			k := w.order[0]
			if !w.pinned(k) && !w.bit[k] {
				break
			}
			if !w.pinned(k) {
				w.bit[k] = false
			}
			w.order = append(w.order[1:], k)
		}
		at = 0
	case "lfu", "min":
		for i, k := range w.order {
			if !w.pinned(k) && (at < 0 || w.colder(k, w.order[at])) {
				at = i
			}
		}
	}
	k := w.order[at]
	w.order = slices.Delete(w.order, at, at+1)
	return k
}

func (w *twin) colder(a, b uint32) bool {
	if w.policy == "min" {
		return w.nextUse(a) > w.nextUse(b)
	}
	if w.count[a] != w.count[b] {
		return w.count[a] < w.count[b]
	}
	return w.since[a] < w.since[b]
}

// plan does what Table.Plan does. It returns the counts, the fills and the
// victims; ok is false in a shortage, and then nothing has changed.
func (w *twin) plan(r lookups.Round) (c Counts, fills, victims []uint32, ok bool) {
	together := map[uint32]bool{}
	for _, f := range append(slices.Clone(w.flight), r.Keys) {
		for _, k := range f {
			together[k] = true
		}
	}
	if len(together) > w.slots {
		return c, nil, nil, false
	}
	c.Lookups, c.Unique = r.Lookups, len(r.Keys)
	w.flight = append(w.flight, slices.Clone(r.Keys))
	for i, k := range r.Keys {
		if slices.Contains(w.order, k) {
			c.Hits++
			c.HitLookups += int(r.Counts[i])
			w.touch(k, int(r.Counts[i]))
		} else {
			c.Misses++
			fills = append(fills, k)
		}
	}
	for i, k := range r.Keys {
		if !slices.Contains(fills, k) {
			continue
		}
		if len(w.order) == w.slots {
			v := w.evict()
			victims = append(victims, v)
			c.Evictions++
			if w.dirty[v] {
				c.WriteBacks++
			}
		}
		w.enter(k, int(r.Counts[i]))
	}
	c.Used = len(w.order)
	w.round++
	return c, fills, victims, true
}

// lookup is a replayed lookup: it returns whether it missed.
func (w *twin) lookup(k uint32) bool {
	c, _, _, _ := w.plan(lookups.Round{Lookups: 1, Keys: []uint32{k}, Counts: []uint32{1}})
	w.flight = w.flight[:0]
	return c.Misses == 1
}

// move carries out the table's own moves on the versions, with the table's own
// dirty bits, and checks that every fill reads the last committed version.
func (w *twin) move(evictions, fills []Move) error {
	for _, m := range evictions {
		if m.Dirty {
			w.host[m.Key] = w.slot[m.Key]
		}
		delete(w.slot, m.Key)
	}
	for _, m := range fills {
		if w.host[m.Key] != w.committed[m.Key] {
			return fmt.Errorf("row %d is filled with version %d, committed is %d", m.Key, w.host[m.Key], w.committed[m.Key])
		}
		w.slot[m.Key] = w.host[m.Key]
	}
	return nil
}

// release computes the oldest round in flight: it reads every row in its slot,
// and commits an update.
func (w *twin) release() error {
	for _, k := range w.flight[0] {
		v, there := w.slot[k]
		if !there || v != w.committed[k] {
			return fmt.Errorf("a round reads version %d of row %d (in a slot: %v), committed is %d", v, k, there, w.committed[k])
		}
		w.committed[k]++
		w.slot[k]++
		w.dirty[k] = true
	}
	w.flight = w.flight[1:]
	return nil
}

// farthest returns the next uses of the given keys, sorted: MIN may choose among
// equals.
func (w *twin) farthest(keys []uint32) []int {
	var uses []int
	for _, k := range keys {
		uses = append(uses, w.nextUse(k))
	}
	sort.Ints(uses)
	return uses
}

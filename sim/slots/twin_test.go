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
	rows   int
	window int
	future [][]uint32 // unique keys of every round
	looked [][]uint32 // lookups of every round
	round  int

	held   []uint32 // keys in slots, by fill
	slow   slow
	dirty  map[uint32]bool
	flight [][]uint32

	host, slot, committed map[uint32]int
}

// slow is a replacement policy written as plainly as possible, by key: what
// policy says by slot. n counts the lookups of the key in the round.
type slow interface {
	begin(keys []uint32) // a round's, before its hits
	hit(k uint32, n int)
	victim(k uint32, n int) (v uint32, ok bool) // k missed; not ok: k is not admitted
	fill(k uint32, n int)
}

// newTwin makes the twin of a table for a trace: the keys of every round, unique
// and as looked up.
func newTwin(cfg Config, future, looked [][]uint32) *twin {
	w := &twin{
		policy: cfg.Policy, slots: cfg.Slots, rows: int(cfg.Rows), window: cfg.Window,
		future: future, looked: looked,
		dirty: map[uint32]bool{},
		host:  map[uint32]int{}, slot: map[uint32]int{}, committed: map[uint32]int{},
	}
	w.slow = newSlow(w)
	return w
}

// newSlow makes the twin of w's policy.
func newSlow(w *twin) slow {
	switch w.policy {
	case "lru", "fifo":
		return &slowQueue{twin: w}
	case "clock":
		return &slowClock{twin: w, bit: map[uint32]bool{}}
	case "lfu":
		return &slowLFU{twin: w, count: map[uint32]int{}, since: map[uint32]int{}}
	case "sieve":
		return &slowSIEVE{twin: w, bit: map[uint32]bool{}}
	case "lfu-aged":
		return &slowLFUAged{slowLFU: slowLFU{twin: w, count: map[uint32]int{}, since: map[uint32]int{}}, key: map[uint32]int{}}
	case "lfu-admit":
		return &slowLFUAdmit{slowLFU{twin: w, count: map[uint32]int{}, since: map[uint32]int{}}}
	case "min":
		return slowMIN{w}
	case "lookahead":
		return &slowLookahead{twin: w, joined: map[uint32]int{}}
	case "static":
		return newSlowStatic(w)
	case "s3-fifo":
		return &slowS3FIFO{twin: w, uses: map[uint32]int{}}
	case "gdsf":
		return &slowGDSF{twin: w, uses: map[uint32]int{}, priority: map[uint32]int{}}
	case "lru-lfu":
		return &slowLRULFU{twin: w, uses: map[uint32]int{}}
	case "w-tinylfu":
		return &slowWTinyLFU{twin: w, counts: newSlowSketch(w.slots)}
	case "slru":
		return &slowSLRU{twin: w}
	case "lirs":
		return &slowLIRS{twin: w, lir: map[uint32]bool{}}
	case "2q":
		return &slowTwoQ{twin: w}
	case "arc":
		return &slowARC{twin: w}
	}
	panic("replacement policy " + w.policy + " has no twin")
}

// begin is for the policies that need not know when a round begins.
func (w *twin) begin([]uint32) {}

func (w *twin) pinned(k uint32) bool {
	for _, f := range w.flight {
		if slices.Contains(f, k) {
			return true
		}
	}
	return false
}

// unpinned returns the first key of the list without pins; -1: none.
func (w *twin) unpinned(keys []uint32) int {
	return slices.IndexFunc(keys, func(k uint32) bool { return !w.pinned(k) })
}

// without returns the keys but k.
func without(keys []uint32, k uint32) []uint32 {
	return slices.DeleteFunc(keys, func(other uint32) bool { return other == k })
}

// refuses reports whether the policy does not admit every key.
func (w *twin) refuses() bool {
	_, ok := w.slow.(refuser)
	return ok
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

// plan does what Table.Plan does. It returns the counts, the fills and the
// victims; ok is false in a shortage, and then nothing has changed.
func (w *twin) plan(r lookups.Round) (c Counts, fills, victims []uint32, ok bool) {
	together := map[uint32]bool{}
	for _, f := range append(slices.Clone(w.flight), r.Keys) {
		for _, k := range f {
			together[k] = true
		}
	}
	if len(together) > w.slots && !w.refuses() {
		return c, nil, nil, false
	}
	c.Lookups, c.Unique = r.Lookups, len(r.Keys)
	w.flight = append(w.flight, slices.Clone(r.Keys))
	missed := map[uint32]bool{}
	w.slow.begin(r.Keys)
	for i, k := range r.Keys {
		if q, ok := w.slow.(*slowLFUAdmit); ok {
			q.count[k] += int(r.Counts[i])
		}
		if slices.Contains(w.held, k) {
			c.Hits++
			c.HitLookups += int(r.Counts[i])
			w.slow.hit(k, int(r.Counts[i]))
		} else {
			c.Misses++
			missed[k] = true
		}
	}
	for i, k := range r.Keys {
		if !missed[k] {
			continue
		}
		n := int(r.Counts[i])
		if len(w.held) == w.slots {
			v, ok := uint32(0), false
			if w.unpinned(w.held) >= 0 {
				v, ok = w.slow.victim(k, n)
			}
			if !ok {
				c.bypass(r.Counts[i])
				continue
			}
			w.held = without(w.held, v)
			victims = append(victims, v)
			c.Evictions++
			if w.dirty[v] {
				c.WriteBacks++
			}
		}
		w.held = append(w.held, k)
		w.dirty[k] = false
		w.slow.fill(k, n)
		fills = append(fills, k)
	}
	c.Used = len(w.held)
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

// release computes the oldest round in flight: it reads every row in its slot, or
// on the host where it was bypassed, and commits an update.
func (w *twin) release() error {
	for _, k := range w.flight[0] {
		at := w.host
		if _, there := w.slot[k]; there {
			at = w.slot
			w.dirty[k] = true
		} else if !w.refuses() {
			return fmt.Errorf("a round reads row %d, which is in no slot", k)
		}
		if at[k] != w.committed[k] {
			return fmt.Errorf("a round reads version %d of row %d, committed is %d", at[k], k, w.committed[k])
		}
		w.committed[k]++
		at[k]++
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

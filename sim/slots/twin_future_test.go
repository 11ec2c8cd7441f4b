package slots

import (
	"cmp"
	"slices"
)

// slowLookahead knows the next rounds, w.window of them.
type slowLookahead struct {
	*twin
	order  []uint32 // by last use
	joined map[uint32]int
	now    int
}

// useFrom returns the first round from r on that uses k.
func (q *slowLookahead) useFrom(k uint32, r int) int {
	for ; r < len(q.future); r++ {
		if slices.Contains(q.future[r], k) {
			return r
		}
	}
	return len(q.future)
}

// soon returns the round of the window that uses k next.
func (q *slowLookahead) soon(k uint32) (round int, ok bool) {
	round = q.useFrom(k, q.round+1)
	return round, round < len(q.future) && round <= q.round+q.window
}

// begin notes the order in which rows come into the window: of rows that are used
// next in the same round, the last leaves first.
func (q *slowLookahead) begin([]uint32) {
	last := q.round + q.window
	if q.window <= 0 || last >= len(q.future) {
		return
	}
	for _, k := range q.future[last] {
		if slices.Contains(q.held, k) && q.useFrom(k, q.round) == last {
			q.join(k)
		}
	}
}

func (q *slowLookahead) join(k uint32) {
	q.now++
	q.joined[k] = q.now
}

func (q *slowLookahead) hit(k uint32, _ int) {
	q.order = append(without(q.order, k), k)
	q.join(k)
}

func (q *slowLookahead) fill(k uint32, n int) { q.hit(k, n) }

func (q *slowLookahead) victim(uint32, int) (uint32, bool) {
	free := slices.DeleteFunc(slices.Clone(q.order), q.pinned)
	at := slices.IndexFunc(free, func(k uint32) bool {
		_, ok := q.soon(k)
		return !ok
	})
	v := slices.MaxFunc(free, func(a, b uint32) int {
		x, _ := q.soon(a)
		y, _ := q.soon(b)
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(q.joined[a], q.joined[b]))
	})
	if at >= 0 {
		v = free[at]
	}
	q.order = without(q.order, v)
	return v, true
}

// slowStatic holds the rows with the most lookups.
type slowStatic struct{ *twin }

func newSlowStatic(w *twin) slow {
	lookups := map[uint32]int{}
	var all []uint32
	for _, round := range w.looked {
		for _, k := range round {
			lookups[k]++
		}
	}
	for k := range uint32(w.rows) {
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b uint32) int {
		hash := 0 // of rows that are never looked up, the first
		if lookups[a] > 0 {
			hash = cmp.Compare(fmix64(uint64(a)), fmix64(uint64(b)))
		}
		return cmp.Or(lookups[b]-lookups[a], hash, int(a)-int(b))
	})
	w.held = all[:min(w.slots, w.rows)]
	for _, k := range w.held {
		w.slot[k] = 0
	}
	return slowStatic{w}
}

func (slowStatic) refuses()                          {}
func (slowStatic) hit(uint32, int)                   {}
func (slowStatic) fill(uint32, int)                  {}
func (slowStatic) victim(uint32, int) (uint32, bool) { return 0, false }

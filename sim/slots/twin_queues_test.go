package slots

import "slices"

// slowQueue is FIFO and LRU: keys by fill or by last use.
type slowQueue struct {
	*twin
	order []uint32
}

func (q *slowQueue) fill(k uint32, _ int) { q.order = append(q.order, k) }

func (q *slowQueue) hit(k uint32, _ int) {
	if q.policy == "lru" {
		q.order = append(without(q.order, k), k)
	}
}

func (q *slowQueue) victim(uint32, int) (uint32, bool) {
	v := q.order[q.unpinned(q.order)]
	q.order = without(q.order, v)
	return v, true
}

// slowClock is CLOCK: keys in the order of the hand.
type slowClock struct {
	*twin
	order []uint32
	bit   map[uint32]bool
}

func (q *slowClock) hit(k uint32, _ int) { q.bit[k] = true }

func (q *slowClock) fill(k uint32, _ int) {
	q.order = append(q.order, k)
	q.bit[k] = false
}

func (q *slowClock) victim(uint32, int) (uint32, bool) {
	for {
		k := q.order[0]
		q.order = q.order[1:]
		if !q.pinned(k) {
			if !q.bit[k] {
				return k, true
			}
			q.bit[k] = false
		}
		q.order = append(q.order, k)
	}
}

// slowSIEVE is SIEVE: keys by fill, and the place of the hand among them.
type slowSIEVE struct {
	*twin
	order   []uint32
	hand    int
	bit     map[uint32]bool
	wrapped bool
}

func (q *slowSIEVE) hit(k uint32, _ int) { q.bit[k] = true }

func (q *slowSIEVE) fill(k uint32, _ int) {
	q.order = append(q.order, k)
	q.bit[k] = false
}

func (q *slowSIEVE) victim(uint32, int) (uint32, bool) {
	for {
		k := q.order[q.hand]
		if !q.pinned(k) {
			if !q.bit[k] {
				q.order = slices.Delete(q.order, q.hand, q.hand+1)
				if q.hand == len(q.order) {
					q.hand, q.wrapped = 0, true
				}
				return k, true
			}
			q.bit[k] = false
		}
		if q.hand++; q.hand == len(q.order) {
			q.hand, q.wrapped = 0, true
		}
	}
}

// slowLFU is LFU with counts of rows in slots.
type slowLFU struct {
	*twin
	count map[uint32]int
	since map[uint32]int // when the count was reached
	now   int
}

func (q *slowLFU) hit(k uint32, n int) {
	q.now++
	q.count[k] += n
	q.since[k] = q.now
}

func (q *slowLFU) fill(k uint32, n int) {
	q.count[k] = 0
	q.hit(k, n)
}

func (q *slowLFU) victim(uint32, int) (uint32, bool) {
	free := slices.DeleteFunc(slices.Clone(q.held), q.pinned)
	return slices.MinFunc(free, func(a, b uint32) int {
		if d := q.count[a] - q.count[b]; d != 0 {
			return d
		}
		return q.since[a] - q.since[b]
	}), true
}

// slowLFUAged is LFU-DA.
type slowLFUAged struct {
	slowLFU
	key map[uint32]int
	age int
}

func (q *slowLFUAged) hit(k uint32, n int) {
	q.slowLFU.hit(k, n)
	q.key[k] = q.count[k] + q.age
}

func (q *slowLFUAged) fill(k uint32, n int) {
	q.count[k] = 0
	q.hit(k, n)
}

func (q *slowLFUAged) victim(uint32, int) (uint32, bool) {
	free := slices.DeleteFunc(slices.Clone(q.held), q.pinned)
	v := slices.MinFunc(free, func(a, b uint32) int {
		if d := q.key[a] - q.key[b]; d != 0 {
			return d
		}
		return q.since[a] - q.since[b]
	})
	q.age = max(q.age, q.key[v])
	return v, true
}

// slowLFUAdmit is LFU with counts of all rows, which the twin keeps, that admits a
// row only when it has as many lookups as the one that would leave.
type slowLFUAdmit struct{ slowLFU }

func (q *slowLFUAdmit) refuses() {}

func (q *slowLFUAdmit) hit(k uint32, _ int)  { q.slowLFU.hit(k, 0) }
func (q *slowLFUAdmit) fill(k uint32, _ int) { q.slowLFU.hit(k, 0) }

func (q *slowLFUAdmit) victim(k uint32, n int) (uint32, bool) {
	v, _ := q.slowLFU.victim(k, n)
	return v, q.count[v] <= q.count[k]
}

// slowMIN is MIN. Among equals any will do: planBoth follows the table's choice.
type slowMIN struct{ *twin }

func (slowMIN) hit(uint32, int)  {}
func (slowMIN) fill(uint32, int) {}

func (q slowMIN) victim(uint32, int) (uint32, bool) {
	free := slices.DeleteFunc(slices.Clone(q.held), q.pinned)
	return slices.MaxFunc(free, func(a, b uint32) int { return q.nextUse(a) - q.nextUse(b) }), true
}

package slots

import "slices"

// slowSLRU is segmented LRU: four slices, the oldest first.
type slowSLRU struct {
	*twin
	seg [4][]uint32
}

func (q *slowSLRU) size(i int) int {
	if i == 0 {
		return q.slots - 3*(q.slots/4)
	}
	return q.slots / 4
}

func (q *slowSLRU) hit(k uint32, _ int) {
	i := 0
	for !slices.Contains(q.seg[i], k) {
		i++
	}
	up := min(i+1, 3)
	q.seg[i] = without(q.seg[i], k)
	q.seg[up] = append(q.seg[up], k)
	if len(q.seg[up]) > q.size(up) {
		q.seg[i] = append(q.seg[i], q.seg[up][0])
		q.seg[up] = q.seg[up][1:]
	}
}

func (q *slowSLRU) fill(k uint32, _ int) {
	i := 0
	for len(q.seg[i]) >= q.size(i) {
		i++
	}
	q.seg[i] = append(q.seg[i], k)
}

func (q *slowSLRU) victim(uint32, int) (uint32, bool) {
	i := 0
	for q.unpinned(q.seg[i]) < 0 {
		i++
	}
	v := q.seg[i][q.unpinned(q.seg[i])]
	q.seg[i] = without(q.seg[i], v)
	return v, true
}

// slowLIRS is LIRS: the stack from the bottom, the queue from its front, and keys
// in no slot by when they left.
type slowLIRS struct {
	*twin
	stack, queue, gone []uint32
	lir                map[uint32]bool
	full, back         bool
}

func (q *slowLIRS) lirSize() int { return q.slots - max(1, q.slots/100) }

func (q *slowLIRS) hit(k uint32, _ int) {
	inStack := slices.Contains(q.stack, k)
	q.stack = append(without(q.stack, k), k)
	if !q.lir[k] {
		q.queue = without(q.queue, k)
		if inStack || len(q.lir) < q.lirSize() {
			q.lir[k] = true
		} else {
			q.queue = append(q.queue, k)
		}
	}
	q.settle(q.lirSize())
}

func (q *slowLIRS) fill(k uint32, _ int) {
	q.stack = append(q.stack, k)
	if q.back || !q.full && len(q.lir) < q.lirSize() {
		q.lir[k] = true
	} else {
		q.queue = append(q.queue, k)
	}
	q.back = false
	q.settle(q.lirSize())
}

// settle lets LIR keys become HIR until there are most at most, the lowest first,
// and prunes the stack: its bottom is LIR.
func (q *slowLIRS) settle(most int) {
	for len(q.stack) > 0 {
		k := q.stack[0]
		if q.lir[k] && len(q.lir) <= most {
			return
		}
		if q.lir[k] {
			delete(q.lir, k)
			q.queue = append(q.queue, k)
		}
		q.stack = q.stack[1:]
		q.gone = without(q.gone, k)
	}
}

func (q *slowLIRS) victim(k uint32, _ int) (uint32, bool) {
	q.full = true
	if slices.Contains(q.gone, k) {
		q.back = true
		q.gone = without(q.gone, k)
		q.stack = without(q.stack, k)
	}
	for q.unpinned(q.queue) < 0 {
		q.settle(len(q.lir) - 1)
	}
	v := q.queue[q.unpinned(q.queue)]
	q.queue = without(q.queue, v)
	if slices.Contains(q.stack, v) {
		q.gone = append(q.gone, v)
		if len(q.gone) > 2*q.slots {
			q.stack = without(q.stack, q.gone[0])
			q.gone = q.gone[1:]
		}
	}
	return v, true
}

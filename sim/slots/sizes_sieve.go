package slots

import "math/bits"

// sieveSizes is SIEVE (Zhang et al., NSDI 2024) at up to eight sizes.
type sieveSizes struct {
	marks  marks
	queues []sieveQueue
	misses []int64
}

func newSieveSizes(rows int64, sizes []int) *sieveSizes {
	s := &sieveSizes{make(marks, rows), make([]sieveQueue, len(sizes)), make([]int64, len(sizes))}
	for j, n := range sizes {
		s.queues[j] = newSieveQueue(int(min(int64(n), rows)))
	}
	return s
}

func (s *sieveSizes) counts() []int64 { return s.misses }

func (s *sieveSizes) run(keys []uint32) {
	marks, queues, misses := s.marks, s.queues, s.misses
	every := all(len(queues))
	for _, k := range keys {
		m := marks[k]
		in := m & every
		marks[k] = m | in<<hitShift
		missing := every &^ in
		if missing == 0 {
			continue
		}
		for ; missing != 0; missing &= missing - 1 {
			j := bits.TrailingZeros16(missing)
			misses[j]++
			queues[j].enter(k, marks, j)
		}
		marks[k] |= every
	}
}

// sieveQueue is the queue of one size. The hand moves one way only, from the
// oldest to the newest, so that one link per row is enough when the row before the hand is
// known.
type sieveQueue struct {
	nodes          []sieveNode
	used           int
	oldest, newest int32 // none when empty
	hand           int32 // none: begin at the oldest
	before         int32 // the row that is next older than the hand's, or none
}

type sieveNode struct {
	key   uint32
	newer int32 // the row inserted after this one, or none
}

func newSieveQueue(slots int) sieveQueue {
	return sieveQueue{nodes: make([]sieveNode, slots), oldest: none, newest: none, hand: none, before: none}
}

// enter inserts k as the newest, after it has evicted a row if it must.
func (q *sieveQueue) enter(k uint32, marks marks, j int) {
	s := int32(q.used)
	if q.used < len(q.nodes) {
		q.used++
	} else {
		s = q.evict(marks, j)
	}
	q.nodes[s] = sieveNode{k, none}
	if q.newest != none {
		q.nodes[q.newest].newer = s
	} else {
		q.oldest = s
	}
	q.newest = s
}

// evict moves the hand over rows that were hit to one that was not, takes that
// out and returns its slot. The hand stays on the next newer row.
func (q *sieveQueue) evict(marks marks, j int) int32 {
	hit := uint16(1) << (hitShift + j)
	s, before := q.hand, q.before
	if s == none {
		s, before = q.oldest, none
	}
	for {
		m := &marks[q.nodes[s].key]
		if *m&hit == 0 {
			*m &^= 1 << j
			break
		}
		*m &^= hit
		s, before = q.nodes[s].newer, s
		if s == none {
			s, before = q.oldest, none
		}
	}
	newer := q.nodes[s].newer
	if before == none {
		q.oldest = newer
	} else {
		q.nodes[before].newer = newer
	}
	if newer == none {
		q.newest = before
	}
	q.hand, q.before = newer, before
	return s
}

package slots

import "math/bits"

// sieveSizes is SIEVE (Zhang et al., NSDI 2024) at up to eight sizes, with a word
// per row as clockSizes has it.
type sieveSizes struct {
	marks  []uint16
	queues [groupSizes]sieveQueue
	n      int
}

func newSieveSizes(rows int64, sizes []int) *sieveSizes {
	s := &sieveSizes{marks: make([]uint16, rows), n: len(sizes)}
	for j, size := range sizes {
		slots := int(min(int64(size), rows))
		s.queues[j] = sieveQueue{keys: make([]uint32, slots+slots/4+1), free: slots}
	}
	return s
}

func (s *sieveSizes) misses() []int64 {
	misses := make([]int64, s.n)
	for j := range misses {
		misses[j] = s.queues[j].misses
	}
	return misses
}

func (s *sieveSizes) mark(known []uint64) { markKeys(s.marks, known) }

func (s *sieveSizes) run(keys []uint32) {
	marks, queues := s.marks, &s.queues
	every := uint16(1<<s.n - 1)
	for _, k := range keys {
		m := marks[k]
		in := m & every
		marks[k] = m | in<<hitShift | every // its hit bits were 0 where it was not in
		for missing := uint32(every &^ in); missing != 0; missing &= missing - 1 {
			j := bits.TrailingZeros32(missing) % groupSizes
			queues[j].enter(k, marks, j)
		}
	}
}

// sieveQueue is the queue of one size, from the oldest to the newest:
// keys[:kept], over which the hand has passed since it last began, and keys[hand:end],
// before the hand. A row that the hand leaves moves down over the gap, so that
// no links are needed and the hand reads one entry after the other.
type sieveQueue struct {
	keys            []uint32 // a quarter more than the slots, so that the gap is seldom closed
	kept, hand, end int
	free            int
	misses          int64
}

// enter inserts k as the newest, after it has evicted a row if it must.
func (q *sieveQueue) enter(k uint32, marks []uint16, j int) {
	q.misses++
	if q.free > 0 {
		q.free--
	} else {
		q.evict(marks, j)
	}
	if q.end == len(q.keys) {
		q.hand, q.end = q.kept, q.kept+copy(q.keys[q.kept:], q.keys[q.hand:q.end])
	}
	q.keys[q.end] = k
	q.end++
}

// evict moves the hand over rows that were hit to one that was not, and takes that
// out. Past the newest the hand begins at the oldest.
func (q *sieveQueue) evict(marks []uint16, j int) {
	keys, hit := q.keys, uint16(1)<<(hitShift+j)
	kept, hand, end := q.kept, q.hand, q.end
	for {
		if hand == end {
			kept, hand, end = 0, 0, kept
		}
		old := keys[hand]
		hand++
		m := marks[old]
		if m&hit == 0 {
			marks[old] = m &^ (1 << j)
			break
		}
		marks[old] = m &^ hit
		keys[kept] = old
		kept++
	}
	if hand == end { // what comes in now comes in behind the hand
		kept, hand, end = 0, 0, kept
	}
	q.kept, q.hand, q.end = kept, hand, end
}

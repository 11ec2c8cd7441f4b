package slots

import "math/bits"

// newClockSizes returns CLOCK at up to eight sizes.
func newClockSizes(rows int64, sizes []int) *blockSizes {
	var queues []sizeQueue
	for _, size := range sizes {
		queues = append(queues, &clockRing{sizeRing: newSizeRing(rows, size)})
	}
	return newBlockSizes(rows, queues)
}

// clockRing is the queue of one size of CLOCK: a row that its hand spares stays where it is,
// behind the newest.
type clockRing struct {
	sizeRing
	touched uint16 // something of what touch has read
}

func (q *clockRing) run(b *sizeBlock, marks []uint16, found uint64, j int) uint64 {
	in, hit := uint16(1)<<j, uint16(1)<<(hitShift+j)
	missing, hits := b.all&^found, found
	q.misses += int64(bits.OnesCount64(missing))
	missing = q.fill(b, missing)
	if len(marks) > touchMarks {
		q.touch(marks, missing)
	}
	for {
		missing = q.pass(b, marks, missing, in, hit)
		if missing == 0 {
			return hits
		}
		missing, hits = q.meet(b, marks, missing, hits, in, hit)
	}
}

// meet moves the hand over a row that the block looks up.
func (q *clockRing) meet(b *sizeBlock, marks []uint16, missing, hits uint64, in, hit uint16) (uint64, uint64) {
	i := bits.TrailingZeros64(missing)
	word, lookups := b.row(marks[q.keys[q.hand]])
	before := lookups & (1<<i - 1)
	if *word&hit == 0 && before&hits == 0 {
		next := evictRow(word, lookups&^before, in)
		missing, hits = missing&(missing-1)|next, hits&^next
		q.misses += int64(bits.OnesCount64(next))
		q.keys[q.hand] = b.keys[i]
	} else {
		*word &^= hit
		hits &^= before
	}
	q.advance()
	return missing, hits
}

// pass moves the hand as far as it needs for the lookups that miss, or to the first row
// that the block looks up, and returns the lookups that are left. No branch depends on
// whether a row was hit: a processor could not foresee it.
func (q *clockRing) pass(b *sizeBlock, marks []uint16, missing uint64, in, hit uint16) uint64 {
	ring, hand, keys := q.keys, q.hand, &b.keys
	for missing != 0 {
		old := ring[hand]
		m := marks[old]
		if m&in == 0 {
			break
		}
		evicted := -((uint64(m&hit) - 1) >> 63) // all bits, or none
		marks[old] = m &^ (hit | in&uint16(evicted))
		ring[hand] = old ^ (old^keys[bits.TrailingZeros64(missing)%blockLookups])&uint32(evicted)
		missing &= missing - 1 | ^evicted
		if hand++; hand == len(ring) {
			hand = 0
		}
	}
	q.hand = hand
	return missing
}

// touchMarks is how many rows' words do not stay in a processor's caches.
const touchMarks = 1 << 20

// touch fetches what pass will read, and not much more, from memory: all at the same time.
func (q *clockRing) touch(marks []uint16, missing uint64) {
	n := bits.OnesCount64(missing) * 5 / 4
	for _, old := range q.keys[q.hand:min(q.hand+n, len(q.keys))] {
		q.touched |= marks[old] // a write, so that the read is made
	}
}

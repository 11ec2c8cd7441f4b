package slots

import "math/bits"

// newFIFOSizes returns FIFO at up to eight sizes.
func newFIFOSizes(rows int64, sizes []int) *blockSizes {
	var queues []sizeQueue
	for _, size := range sizes {
		queues = append(queues, &fifoRing{newSizeRing(rows, size)})
	}
	return newBlockSizes(rows, queues)
}

type fifoRing struct{ sizeRing }

// run gives all hits to be marked, which FIFO does not look at.
func (q *fifoRing) run(b *sizeBlock, marks []uint16, found uint64, j int) uint64 {
	missing := b.all &^ found
	misses := bits.OnesCount64(missing)
	missing = q.fill(b, missing)
	ring, hand, keys, in := q.keys, q.hand, &b.keys, uint16(1)<<j
	for missing != 0 {
		i := bits.TrailingZeros64(missing)
		missing &= missing - 1
		old := ring[hand]
		if m := marks[old]; m&in != 0 {
			marks[old] = m &^ in
		} else {
			word, lookups := b.row(m)
			next := evictRow(word, lookups>>i<<i, in)
			missing |= next
			misses += bits.OnesCount64(next)
		}
		ring[hand] = keys[i%blockLookups]
		if hand++; hand == len(ring) {
			hand = 0
		}
	}
	q.hand = hand
	q.misses += int64(misses)
	return found
}

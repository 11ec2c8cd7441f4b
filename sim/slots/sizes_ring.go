package slots

import "math/bits"

// sizeRing is the queue of one size of FIFO or CLOCK as an array: the oldest is at the
// hand. To evict the oldest and make the new one the newest is to overwrite it and
// move the hand on.
type sizeRing struct {
	keys   []uint32
	hand   int
	free   int // slots, at the end
	misses int64
}

func newSizeRing(rows int64, size int) sizeRing {
	slots := int(min(int64(size), rows))
	return sizeRing{keys: make([]uint32, slots), free: slots}
}

func (q *sizeRing) missed() int64 { return q.misses }

// fill takes in rows as long as there is a free slot, and returns the lookups that are
// left.
func (q *sizeRing) fill(b *sizeBlock, missing uint64) uint64 {
	for q.free > 0 && missing != 0 {
		q.keys[len(q.keys)-q.free] = b.keys[bits.TrailingZeros64(missing)]
		missing &= missing - 1
		q.free--
	}
	return missing
}

// advance moves the hand on.
func (q *sizeRing) advance() {
	if q.hand++; q.hand == len(q.keys) {
		q.hand = 0
	}
}

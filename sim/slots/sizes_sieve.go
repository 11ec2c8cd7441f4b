package slots

import "math/bits"

// newSieveSizes returns SIEVE (Zhang et al., NSDI 2024) at up to eight sizes.
func newSieveSizes(rows int64, sizes []int) *blockSizes {
	var queues []sizeQueue
	for _, size := range sizes {
		slots := int(min(int64(size), rows))
		queues = append(queues, &sieveQueue{keys: make([]uint32, slots+slots/4+blockLookups), free: slots})
	}
	return newBlockSizes(rows, queues)
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

func (q *sieveQueue) missed() int64 { return q.misses }

func (q *sieveQueue) run(b *sizeBlock, marks []uint16, found uint64, j int) uint64 {
	q.makeRoom()
	in, hit := uint16(1)<<j, uint16(1)<<(hitShift+j)
	missing, hits := b.all&^found, found
	misses := bits.OnesCount64(missing)
	missing = q.fill(b, missing)
	keys, kept, hand, end := q.keys, q.kept, q.hand, q.end
	for missing != 0 {
		i := bits.TrailingZeros64(missing)
		for {
			k := keys[hand]
			hand++
			m := marks[k]
			if m&(hit|in) == in {
				marks[k] = m &^ in
				missing &= missing - 1
				break
			}
			if m&in == 0 {
				word, lookups := b.row(m)
				before := lookups & (1<<i - 1)
				if *word&hit == 0 && before&hits == 0 {
					next := evictRow(word, lookups&^before, in)
					missing, hits = missing&(missing-1)|next, hits&^next
					misses += bits.OnesCount64(next)
					break
				}
				*word &^= hit
				hits &^= before
			} else {
				marks[k] = m &^ hit
			}
			keys[kept] = k
			kept++
			if hand == end {
				kept, hand, end = 0, 0, kept
			}
		}
		if hand == end { // what comes in now comes in behind the hand
			kept, hand, end = 0, 0, kept
		}
		keys[end] = b.keys[i%blockLookups]
		end++
	}
	q.kept, q.hand, q.end = kept, hand, end
	q.misses += int64(misses)
	return hits
}

// makeRoom closes the gap if the rows of a block could find no room behind the newest.
func (q *sieveQueue) makeRoom() {
	if len(q.keys)-q.end < blockLookups {
		q.hand, q.end = q.kept, q.kept+copy(q.keys[q.kept:], q.keys[q.hand:q.end])
	}
}

// fill takes in rows as long as there is a free slot, and returns the lookups that are
// left.
func (q *sieveQueue) fill(b *sizeBlock, missing uint64) uint64 {
	for q.free > 0 && missing != 0 {
		q.keys[q.end] = b.keys[bits.TrailingZeros64(missing)]
		missing &= missing - 1
		q.end++
		q.free--
	}
	return missing
}

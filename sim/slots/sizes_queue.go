package slots

import "math/bits"

// loop is the queue of one size as an array: the oldest is at the hand. To evict
// the oldest and make the new one the newest is to overwrite it and move the
// hand on. A free slot holds a key that is never looked up, the number of rows.
type loop struct {
	keys   []uint32
	hand   int
	misses int64
}

func newLoops(rows int64, sizes []int) (loops [groupSizes]loop) {
	for j, s := range sizes {
		loops[j].keys = make([]uint32, min(int64(s), rows))
		for i := range loops[j].keys {
			loops[j].keys[i] = uint32(rows)
		}
	}
	return loops
}

func takeMisses(loops []loop) []int64 {
	misses := make([]int64, len(loops))
	for j := range loops {
		misses[j] = loops[j].misses
	}
	return misses
}

// fifoSizes is FIFO at up to eight sizes. Bit j of a row's word says that the row
// is in a slot of size j.
type fifoSizes struct {
	in    []uint8 // per row, and one for the key of free slots
	loops [groupSizes]loop
	n     int
}

func newFIFOSizes(rows int64, sizes []int) *fifoSizes {
	return &fifoSizes{make([]uint8, rows+1), newLoops(rows, sizes), len(sizes)}
}

func (f *fifoSizes) misses() []int64 { return takeMisses(f.loops[:f.n]) }

func (f *fifoSizes) mark(known []uint64) { markKeys(f.in[:len(f.in)-1], known) }

func (f *fifoSizes) run(keys []uint32) {
	in, loops := f.in, &f.loops
	every := uint8(1<<f.n - 1)
	for _, k := range keys {
		missing := uint32(every &^ in[k])
		if missing == 0 {
			continue
		}
		in[k] = every
		for ; missing != 0; missing &= missing - 1 {
			j := bits.TrailingZeros32(missing) % groupSizes
			q := &loops[j]
			q.misses++
			hand := q.hand
			in[q.keys[hand]] &^= 1 << j
			q.keys[hand] = k
			if hand++; hand == len(q.keys) {
				hand = 0
			}
			q.hand = hand
		}
	}
}

// clockSizes is CLOCK at up to eight sizes. Bit j of a row's word says that the row
// is in a slot of size j, bit 8+j that it was hit there since the hand last passed. A
// hit in any number of the sizes is one OR.
type clockSizes struct {
	marks []uint16 // per row, and one for the key of free slots
	loops [groupSizes]loop
	n     int
}

const hitShift = groupSizes

func newClockSizes(rows int64, sizes []int) *clockSizes {
	return &clockSizes{make([]uint16, rows+1), newLoops(rows, sizes), len(sizes)}
}

func (c *clockSizes) misses() []int64 { return takeMisses(c.loops[:c.n]) }

func (c *clockSizes) mark(known []uint64) { markKeys(c.marks[:len(c.marks)-1], known) }

func (c *clockSizes) run(keys []uint32) {
	marks, loops := c.marks, &c.loops
	every := uint16(1<<c.n - 1)
	for _, k := range keys {
		m := marks[k]
		in := m & every
		marks[k] = m | in<<hitShift | every // its hit bits were 0 where it was not in
		for missing := uint32(every &^ in); missing != 0; missing &= missing - 1 {
			j := bits.TrailingZeros32(missing) % groupSizes
			q := &loops[j]
			q.misses++
			hand, hit := q.hand, uint16(1)<<(hitShift+j)
			for {
				old := q.keys[hand]
				m := marks[old]
				if m&hit == 0 {
					marks[old] = m &^ (1 << j)
					break
				}
				marks[old] = m &^ hit
				if hand++; hand == len(q.keys) {
					hand = 0
				}
			}
			q.keys[hand] = k
			if hand++; hand == len(q.keys) {
				hand = 0
			}
			q.hand = hand
		}
	}
}

package slots

import "math/bits"

// marks is a word per row: bit j says that the row is in a slot of size j, bit
// 8+j that it was hit there since the hand last passed. A hit in any number of
// the eight sizes is one OR.
type marks []uint16

const hitShift = groupSizes

// all returns the in-a-slot bits of n sizes.
func all(n int) uint16 { return 1<<n - 1 }

// loop is the queue of one size as an array: the oldest is at the hand once the
// array is full. To evict the oldest and make the new one the newest is to
// overwrite it and move the hand on.
type loop struct {
	keys []uint32
	used int
	hand int
}

func newLoops(rows int64, sizes []int) []loop {
	loops := make([]loop, len(sizes))
	for j, s := range sizes {
		loops[j].keys = make([]uint32, min(int64(s), rows))
	}
	return loops
}

// fill puts k into a free slot; false when there is none.
func (q *loop) fill(k uint32) bool {
	if q.used == len(q.keys) {
		return false
	}
	q.keys[q.used] = k
	q.used++
	return true
}

// replace puts k in the place of the oldest.
func (q *loop) replace(k uint32) {
	q.keys[q.hand] = k
	if q.hand++; q.hand == len(q.keys) {
		q.hand = 0
	}
}

// fifoSizes is FIFO at up to eight sizes.
type fifoSizes struct {
	marks  marks
	loops  []loop
	misses []int64
}

func newFIFOSizes(rows int64, sizes []int) *fifoSizes {
	return &fifoSizes{make(marks, rows), newLoops(rows, sizes), make([]int64, len(sizes))}
}

func (f *fifoSizes) counts() []int64 { return f.misses }

func (f *fifoSizes) run(keys []uint32) {
	marks, loops, misses := f.marks, f.loops, f.misses
	every := all(len(loops))
	for _, k := range keys {
		missing := every &^ marks[k]
		if missing == 0 {
			continue
		}
		marks[k] = every
		for ; missing != 0; missing &= missing - 1 {
			j := bits.TrailingZeros16(missing)
			q := &loops[j]
			misses[j]++
			if q.fill(k) {
				continue
			}
			marks[q.keys[q.hand]] &^= 1 << j
			q.replace(k)
		}
	}
}

// clockSizes is CLOCK at up to eight sizes.
type clockSizes struct {
	marks  marks
	loops  []loop
	misses []int64
}

func newClockSizes(rows int64, sizes []int) *clockSizes {
	return &clockSizes{make(marks, rows), newLoops(rows, sizes), make([]int64, len(sizes))}
}

func (c *clockSizes) counts() []int64 { return c.misses }

func (c *clockSizes) run(keys []uint32) {
	marks, loops, misses := c.marks, c.loops, c.misses
	every := all(len(loops))
	for _, k := range keys {
		m := marks[k]
		in := m & every
		marks[k] = m | in<<hitShift | every // its hit bits were 0 where it was not in
		for missing := every &^ in; missing != 0; missing &= missing - 1 {
			j := bits.TrailingZeros16(missing)
			q := &loops[j]
			misses[j]++
			if q.fill(k) {
				continue
			}
			advance(q, marks, j)
			marks[q.keys[q.hand]] &^= 1 << j
			q.replace(k)
		}
	}
}

// advance moves the hand of size j to the first row that was not hit.
func advance(q *loop, marks marks, j int) {
	hit := uint16(1) << (hitShift + j)
	hand := q.hand
	for {
		m := &marks[q.keys[hand]]
		if *m&hit == 0 {
			q.hand = hand
			return
		}
		*m &^= hit
		if hand++; hand == len(q.keys) {
			hand = 0
		}
	}
}

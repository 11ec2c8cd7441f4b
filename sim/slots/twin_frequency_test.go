package slots

import (
	"math/big"
	"slices"
)

// slowSketch is the sketch with a byte per counter and per bit, and the blocks
// found by exact arithmetic.
type slowSketch struct {
	slots  int
	counts map[[3]uint64]int // block, row, column
	door   map[[2]uint64]bool
	uses   int
}

func newSlowSketch(slots int) *slowSketch {
	return &slowSketch{slots: slots, counts: map[[3]uint64]int{}, door: map[[2]uint64]bool{}}
}

func (x *slowSketch) places(k uint32) (counters [4][3]uint64, doors [2][2]uint64) {
	h := fmix64(uint64(k))
	blocks := (x.slots + 7) / 8
	b := new(big.Int).Mul(new(big.Int).SetUint64(h), big.NewInt(int64(blocks)))
	block := b.Rsh(b, 64).Uint64()
	for row := range uint64(4) {
		counters[row] = [3]uint64{block, row, h >> (4 * row) % 16}
	}
	doors[0] = [2]uint64{block, h >> 16 % 128}
	doors[1] = [2]uint64{block, 128 + h>>23%128}
	// The lowest bit chooses the word, the others the bit in it.
	for i, half := range []uint64{0, 128} {
		bit := doors[i][1] - half
		doors[i][1] = half + bit%2*64 + bit/2
	}
	return counters, doors
}

func (x *slowSketch) estimate(k uint32) int {
	counters, doors := x.places(k)
	least := 15
	for _, c := range counters {
		least = min(least, x.counts[c])
	}
	if x.door[doors[0]] && x.door[doors[1]] {
		least++
	}
	return least
}

func (x *slowSketch) add(k uint32) {
	counters, doors := x.places(k)
	if x.door[doors[0]] && x.door[doors[1]] {
		least := 15
		for _, c := range counters {
			least = min(least, x.counts[c])
		}
		for _, c := range counters {
			if x.counts[c] == least && least < 15 {
				x.counts[c]++
			}
		}
	}
	x.door[doors[0]], x.door[doors[1]] = true, true
	x.uses++
	if x.uses == 10*x.slots {
		for c := range x.counts {
			x.counts[c] /= 2
		}
		clear(x.door)
		x.uses /= 2
	}
}

// slowWTinyLFU is W-TinyLFU: three slices, the oldest first.
type slowWTinyLFU struct {
	*twin
	window, probation, protected []uint32
	counts                       *slowSketch
	full                         bool
}

func (q *slowWTinyLFU) windowSize() int { return max(1, q.slots/100) }

func (q *slowWTinyLFU) begin(keys []uint32) {
	for _, k := range keys {
		q.counts.add(k)
	}
}

func (q *slowWTinyLFU) hit(k uint32, _ int) {
	if slices.Contains(q.window, k) {
		q.window = append(without(q.window, k), k)
		return
	}
	q.probation = without(q.probation, k)
	q.protected = append(without(q.protected, k), k)
	if len(q.protected) > (q.slots-q.windowSize())*8/10 {
		q.probation = append(q.probation, q.protected[0])
		q.protected = q.protected[1:]
	}
}

func (q *slowWTinyLFU) fill(k uint32, _ int) {
	q.window = append(q.window, k)
	if !q.full && len(q.window) > q.windowSize() {
		q.probation = append(q.probation, q.window[0])
		q.window = q.window[1:]
	}
}

func (q *slowWTinyLFU) victim(uint32, int) (uint32, bool) {
	q.full = true
	main := slices.Concat(q.probation, q.protected)
	at := q.unpinned(main)
	if i := q.unpinned(q.window); i >= 0 {
		candidate := q.window[i]
		q.window = without(q.window, candidate)
		if at < 0 || q.counts.estimate(candidate) <= q.counts.estimate(main[at]) {
			return candidate, true
		}
		q.probation = append(q.probation, candidate)
	}
	v := main[at]
	q.probation = without(q.probation, v)
	q.protected = without(q.protected, v)
	return v, true
}

// slowLRULFU is an LRU list of half the slots before an LFU list.
type slowLRULFU struct {
	*twin
	recent, frequent []uint32 // oldest first
	uses             map[uint32]int
}

func (q *slowLRULFU) hit(k uint32, n int) {
	q.uses[k] += n
	q.frequent = without(q.frequent, k)
	q.recent = append(without(q.recent, k), k)
	if len(q.recent) > max(1, q.slots/2) {
		q.frequent = append(q.frequent, q.recent[0])
		q.recent = q.recent[1:]
	}
}

func (q *slowLRULFU) fill(k uint32, n int) {
	q.uses[k] = 0
	q.hit(k, n)
}

func (q *slowLRULFU) victim(uint32, int) (uint32, bool) {
	free := slices.DeleteFunc(slices.Clone(q.frequent), q.pinned)
	if len(free) == 0 {
		v := q.recent[q.unpinned(q.recent)]
		q.recent = without(q.recent, v)
		return v, true
	}
	v := slices.MinFunc(free, func(a, b uint32) int { return q.uses[a] - q.uses[b] })
	q.frequent = without(q.frequent, v)
	return v, true
}

// slowGDSF is GreedyDual-Size-Frequency with sizes of 1; order by the last use.
type slowGDSF struct {
	*twin
	order          []uint32
	uses, priority map[uint32]int
	floor          int
}

func (q *slowGDSF) hit(k uint32, n int) {
	q.uses[k] += n
	q.priority[k] = q.floor + q.uses[k]
	q.order = append(without(q.order, k), k)
}

func (q *slowGDSF) fill(k uint32, n int) {
	q.uses[k] = 0
	q.hit(k, n)
}

func (q *slowGDSF) victim(uint32, int) (uint32, bool) {
	free := slices.DeleteFunc(slices.Clone(q.order), q.pinned)
	v := slices.MinFunc(free, func(a, b uint32) int { return q.priority[a] - q.priority[b] })
	q.floor = max(q.floor, q.priority[v])
	q.order = without(q.order, v)
	return v, true
}

package slots

import (
	"fmt"
	"math"
	"math/bits"
)

// maxStackRows bounds the rows of a recency: positions, twice as many, are uint32.
const maxStackRows = 1 << 30

// recency is the order of the keys by last use, made for counting how many keys
// are newer than a given one (Bennett and Kruskal, "LRU stack processing", IBM
// J. Res. Dev. 1975: one bit per position of the trace, set at the last use of
// each key, and a tree of counts over them; Olken 1981).
//
// Three things make it cheap. A position not yet used counts as a set bit, so
// that a use only ever clears one; the surplus is known. The tree is a heap of
// which every node holds the bits under its right child only, so that one walk
// from the leaf, with a fixed number of steps and no branch, both counts and
// clears. And positions are renumbered when they run out, so that memory
// depends on the rows: 4 bytes a row for the last use, and 1.5 bits for each of
// 2 to 4 positions a row.
type recency struct {
	last []uint32 // per key: the position of its last use plus one; 0: never used
	live uint32   // keys used so far
	now  uint32   // the next position

	words []uint64 // per position: no later use of its key, or not used yet
	ones  []uint32 // heap: leaf len(words)+w is word w; node i holds the ones under 2i+1
}

// newRecency returns an empty order of keys below rows.
func newRecency(rows int64) (recency, error) {
	if rows < 1 || rows > maxStackRows {
		return recency{}, fmt.Errorf("rows = %d: stack distances want 1 to %d: renumber the keys by first appearance (Trace.Compact, Densify)", rows, int64(maxStackRows))
	}
	positions := 1 << bits.Len64(uint64(2*rows-1))
	words := max(positions/64, 1)
	r := recency{last: make([]uint32, rows), words: make([]uint64, words), ones: make([]uint32, words)}
	r.fill()
	return r, nil
}

// positions returns how many there are: at least twice the rows.
func (r *recency) positions() uint32 { return uint32(len(r.words) * 64) }

// fill sets all bits.
func (r *recency) fill() {
	for w := range r.words {
		r.words[w] = math.MaxUint64
	}
	for i := 1; i < len(r.ones); i++ {
		r.ones[i] = r.positions() >> bits.Len(uint(i))
	}
}

// room makes room for n further uses, at most rows, and returns how many there is
// room for.
func (r *recency) room(n int) int {
	if int(r.positions()-r.now) < n {
		r.renumber()
	}
	return int(r.positions() - r.now)
}

// renumber moves the last uses to the positions 0, 1, 2, … in the same order. It
// takes a pass over the keys, once in about as many uses as there are rows.
func (r *recency) renumber() {
	before := r.ones // ones in the words before; fill makes the heap again
	sum := uint32(0)
	for w, word := range r.words {
		before[w] = sum
		sum += uint32(bits.OnesCount64(word))
	}
	for k, p := range r.last {
		if p != 0 {
			p--
			below := r.words[p/64] & (1<<(p%64) - 1)
			r.last[k] = before[p/64] + uint32(bits.OnesCount64(below)) + 1
		}
	}
	r.fill()
	r.now = r.live
}

// grow doubles the rows.
func (r *recency) grow() error {
	wider, err := newRecency(2 * int64(len(r.last)))
	if err != nil {
		return err
	}
	r.renumber()
	copy(wider.last, r.last)
	wider.now, wider.live = r.now, r.live
	*r = wider
	return nil
}

// use makes k the newest.
func (r *recency) use(k uint32) {
	if p := r.last[k]; p != 0 {
		r.clear(p - 1)
	} else {
		r.live++
	}
	r.now++
	r.last[k] = r.now
}

// remove takes k, which was used, out of the order.
func (r *recency) remove(k uint32) {
	r.clear(r.last[k] - 1)
	r.last[k] = 0
	r.live--
}

// place returns the place of k in the order, 1 for the newest; 0 when it was
// never used.
func (r *recency) place(k uint32) int {
	if r.last[k] == 0 {
		return 0
	}
	return int(r.from(r.last[k]-1) - (r.positions() - r.now))
}

// from returns the number of set bits from position p on, p's own included.
func (r *recency) from(p uint32) uint32 {
	w := p / 64
	n := uint32(bits.OnesCount64(r.words[w] >> (p % 64)))
	for i := uint32(len(r.words)) + w; i > 1; {
		right := i & 1
		i /= 2
		n += r.ones[i] & (right - 1)
	}
	return n
}

// clear clears the bit of position p.
func (r *recency) clear(p uint32) {
	w := p / 64
	r.words[w] &^= 1 << (p % 64)
	for i := uint32(len(r.words)) + w; i > 1; {
		right := i & 1
		i /= 2
		r.ones[i] -= right
	}
}

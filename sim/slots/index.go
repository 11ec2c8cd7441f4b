package slots

import "math/bits"

// none is the slot of a key that has none.
const none = -1

// When the mapping key -> slot is an array of 4 bytes per row: always up to
// smallRows (64 MiB), and up to denseRows (1 GiB) while the array is at most
// densePerSlot times as long as there are slots. Beyond that an array spends
// memory on rows that are never in a slot, and misses the processor's caches
// where a hash table of the occupied slots would not.
const (
	smallRows    = 1 << 24
	denseRows    = 1 << 28
	densePerSlot = 64
)

// index maps keys to int32 values >= 0. Values are kept plus one, so that fresh
// memory means none and need not be touched.
type index struct {
	dense []int32

	// Open addressing with linear probing at load <= 1/2, when dense is nil.
	cells []cell
	used  int
	shift uint
}

type cell struct {
	key   uint32
	value int32 // plus one; 0: free
}

// newIndex returns an index for keys below rows that will hold about hint of
// them.
func newIndex(rows int64, hint int) index {
	if denseFits(rows, hint) {
		return index{dense: make([]int32, rows)}
	}
	return newHashed(hint)
}

// denseFits reports whether an array by key is the better form.
func denseFits(rows int64, hint int) bool {
	return rows <= smallRows || rows <= denseRows && rows <= densePerSlot*int64(hint)
}

func newHashed(hint int) index {
	n := 16
	for n < 2*hint {
		n *= 2
	}
	x := index{}
	x.size(n)
	return x
}

func (x *index) size(n int) {
	x.cells = make([]cell, n)
	x.shift = uint(64 - bits.Len(uint(n-1)))
}

// get returns the value of k, or none.
func (x *index) get(k uint32) int32 {
	if x.dense != nil {
		return x.dense[k] - 1
	}
	return x.cells[x.find(k)].value - 1
}

// put sets the value of k and returns the one before, or none.
func (x *index) put(k uint32, v int32) (old int32) {
	if x.dense != nil {
		old = x.dense[k] - 1
		x.dense[k] = v + 1
		return old
	}
	return x.insert(k, v)
}

func (x *index) insert(k uint32, v int32) (old int32) {
	at := x.find(k)
	old = x.cells[at].value - 1
	x.cells[at] = cell{k, v + 1}
	if old == none {
		x.used++
		if 2*x.used > len(x.cells) {
			x.grow()
		}
	}
	return old
}

// set is put for a key that has no value yet.
func (x *index) set(k uint32, v int32) {
	if x.dense != nil {
		x.dense[k] = v + 1
		return
	}
	x.insert(k, v)
}

// del removes k, which is there.
func (x *index) del(k uint32) {
	if x.dense != nil {
		x.dense[k] = 0
		return
	}
	x.remove(k)
}

func (x *index) home(k uint32) int {
	return int(uint64(k) * 0x9e3779b97f4a7c15 >> x.shift)
}

// find returns the cell of k, or the free cell where it would go.
func (x *index) find(k uint32) int {
	at := x.home(k)
	for x.cells[at].value != 0 && x.cells[at].key != k {
		at = (at + 1) & (len(x.cells) - 1)
	}
	return at
}

// remove frees the cell of k and moves later cells of the run back over the gap,
// so that no search meets a gap before its key (Knuth 6.4, algorithm R).
func (x *index) remove(k uint32) {
	mask := len(x.cells) - 1
	gap := x.find(k)
	x.used--
	for at := (gap + 1) & mask; x.cells[at].value != 0; at = (at + 1) & mask {
		if (at-x.home(x.cells[at].key))&mask >= (at-gap)&mask {
			x.cells[gap] = x.cells[at]
			gap = at
		}
	}
	x.cells[gap] = cell{}
}

func (x *index) grow() {
	cells := x.cells
	x.size(2 * len(cells))
	for _, c := range cells {
		if c.value != 0 {
			x.cells[x.find(c.key)] = c
		}
	}
}

package lookups

import (
	"fmt"
	"math/bits"
	"slices"
)

// Densifier renumbers 64-bit keys to 0, 1, 2, … in order of first appearance, batch
// after batch, for traces that are too long to hold: it holds the distinct keys
// only, in 15 to 23 bytes each (beyond some 64 KiB), also while it grows. It must
// not be shared by goroutines.
//
// Numbers depend on the order of the keys alone. A key and its number stand
// together in a cell of 12 bytes, in one of many hash tables with linear probing
// that are 53 to 80 % full. They grow by half, one at a time: by a quarter, keys would
// take 15 to 19 bytes and half as much time again.
type Densifier struct {
	shards [denseShards]denseShard
	n      uint32 // distinct keys
}

const (
	denseShardBits = 8
	denseShards    = 1 << denseShardBits
	denseFirst     = 16 // cells of a shard at first
)

// denseShard is an open hash table for the keys of one part of the hashes. A cell's
// home is its hash scaled to the number of cells, so that keys stand in the order
// of their hashes, nearly, and moving to a larger table is one pass over both.
type denseShard struct {
	cells []denseCell
	used  int
}

// denseCell is a key in two halves, lest it be aligned to 16 bytes, and its number
// plus one; zero is free.
type denseCell struct{ low, high, id uint32 }

// NewDensifier returns a Densifier that has seen no key.
func NewDensifier() *Densifier {
	d := &Densifier{}
	cells := make([]denseCell, denseShards*denseFirst)
	for i := range d.shards {
		d.shards[i].cells = cells[i*denseFirst : (i+1)*denseFirst : (i+1)*denseFirst]
	}
	return d
}

// Distinct returns how many distinct keys there were: numbers are below it.
func (d *Densifier) Distinct() int64 { return int64(d.n) }

// Dense writes the numbers of keys over dst from its start, growing it when needed,
// so that a loop hands the result back in. There can be MaxRows distinct keys; at
// the next it returns an error and the numbers before it.
func (d *Densifier) Dense(dst []uint32, keys []uint64) ([]uint32, error) {
	dst = resize(dst, len(keys))
	for i, k := range keys {
		id, err := d.id(k)
		if err != nil {
			return dst[:i], err
		}
		dst[i] = id
	}
	return dst, nil
}

// id returns the number of one key.
func (d *Densifier) id(k uint64) (uint32, error) {
	h := denseHash(k)
	s := &d.shards[h>>(64-denseShardBits)]
	cells := s.cells
	low, high := uint32(k), uint32(k>>32)
	at := denseHome(h, len(cells))
	for {
		c := &cells[at]
		if c.id == 0 {
			break
		}
		if c.low == low && c.high == high {
			return c.id - 1, nil
		}
		if at++; at == len(cells) {
			at = 0
		}
	}
	if d.n == MaxRows {
		return 0, fmt.Errorf("more than %d distinct keys: keys are renumbered to 32 bits", int64(MaxRows))
	}
	d.n++
	cells[at] = denseCell{low, high, d.n}
	s.used++
	if 5*s.used > 4*len(cells) {
		s.grow()
	}
	return d.n - 1, nil
}

// denseHash folds the 128-bit product with an odd constant: every bit of the key
// reaches the high bits.
func denseHash(k uint64) uint64 {
	high, low := bits.Mul64(k^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return high ^ low
}

// denseHome scales the bits of a hash below the shard's to [0, n).
func denseHome(h uint64, n int) int {
	at, _ := bits.Mul64(h<<denseShardBits, uint64(n))
	return int(at)
}

// grow moves the keys to a table that is larger by half.
func (s *denseShard) grow() {
	old := s.cells
	s.cells = slices.Grow([]denseCell(nil), len(old)+len(old)/2)
	s.cells = s.cells[:cap(s.cells)] // the allocator rounds up: take what it gives
	clear(s.cells)
	for _, c := range old {
		if c.id == 0 {
			continue
		}
		at := denseHome(denseHash(uint64(c.high)<<32|uint64(c.low)), len(s.cells))
		for s.cells[at].id != 0 {
			if at++; at == len(s.cells) {
				at = 0
			}
		}
		s.cells[at] = c
	}
}

package lookups

import "math/bits"

// Round is one round of lookups made unique.
type Round struct {
	Lookups int      // lookups before they were made unique
	Keys    []uint32 // each key once, in order of first appearance
	Counts  []uint32 // how often Keys[i] was looked up; their sum is Lookups
}

// denseRows is the number of rows up to which a Uniquer keeps 8 bytes for every
// row (128 MiB). Beyond it, it hashes the keys of a round.
const denseRows = 1 << 24

// Uniquer makes lookups unique, round after round, without allocating once its
// buffers have grown to the largest round. It must not be shared by goroutines.
type Uniquer struct {
	keys, counts []uint32

	// A cell belongs to the current round when its high word is the epoch; its
	// low word is then the position in keys. Nothing is cleared between rounds.
	epoch uint32
	cells []uint64

	// The hash table's keys, beside cells; nil when cells is indexed by key.
	hashed []uint32
	shift  uint
}

// NewUniquer returns a Uniquer for keys below rows.
func NewUniquer(rows int64) *Uniquer {
	u := &Uniquer{}
	if rows <= denseRows {
		u.cells = make([]uint64, rows)
		return u
	}
	u.size(1 << 10)
	return u
}

// Unique returns the lookups made unique. The Round's slices are valid until the
// next call. A key at or above the number of rows is a broken promise of the
// stream and panics.
func (u *Uniquer) Unique(keys []uint32) Round {
	u.keys, u.counts = u.keys[:0], u.counts[:0]
	u.epoch++
	if u.epoch == 0 { // after 2^32 rounds the stamps of the first come again
		clear(u.cells)
		u.epoch = 1
	}
	if u.hashed == nil {
		u.direct(keys)
	} else {
		u.hash(keys)
	}
	return Round{Lookups: len(keys), Keys: u.keys, Counts: u.counts}
}

func (u *Uniquer) direct(keys []uint32) {
	stamp := uint64(u.epoch) << 32
	for _, k := range keys {
		c := u.cells[k]
		if c>>32 == uint64(u.epoch) {
			u.counts[uint32(c)]++
			continue
		}
		u.cells[k] = stamp | uint64(len(u.keys))
		u.keys = append(u.keys, k)
		u.counts = append(u.counts, 1)
	}
}

func (u *Uniquer) hash(keys []uint32) {
	for _, k := range keys {
		at := u.find(k)
		c := u.cells[at]
		if c>>32 == uint64(u.epoch) {
			u.counts[uint32(c)]++
			continue
		}
		u.cells[at] = uint64(u.epoch)<<32 | uint64(len(u.keys))
		u.hashed[at] = k
		u.keys = append(u.keys, k)
		u.counts = append(u.counts, 1)
		if 2*len(u.keys) > len(u.cells) {
			u.grow()
		}
	}
}

// find returns the cell that holds k in this round, or the free one to take: the
// first from k's home on (Fibonacci hashing, linear probing, load <= 1/2).
func (u *Uniquer) find(k uint32) int {
	mask := len(u.cells) - 1
	at := int(uint64(k) * 0x9e3779b97f4a7c15 >> u.shift)
	for u.cells[at]>>32 == uint64(u.epoch) && u.hashed[at] != k {
		at = (at + 1) & mask
	}
	return at
}

// grow doubles the hash table and puts the keys of the round in again.
func (u *Uniquer) grow() {
	u.size(2 * len(u.cells))
	for i, k := range u.keys {
		at := u.find(k)
		u.cells[at] = uint64(u.epoch)<<32 | uint64(i)
		u.hashed[at] = k
	}
}

func (u *Uniquer) size(n int) {
	u.cells = make([]uint64, n)
	u.hashed = make([]uint32, n)
	u.shift = uint(64 - bits.Len(uint(n-1)))
}

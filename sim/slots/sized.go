package slots

import (
	"fmt"
	"math"

	"stowage/workloads/lookups"
)

// Sized replays lookups of rows of different sizes through a memory of so many
// bytes, under GreedyDual-Size-Frequency (see gdsf) with priority L + lookups / size:
// cost 1, which favours the hit ratio over the bytes moved. It stands apart from
// Table, whose slots all have one size. With sizes of 1 it is gdsf.
//
// Rows leave until the new one fits; a row larger than the memory is never
// admitted. State: 44 bytes per row held at the peak, and the index.
type Sized struct {
	rows  int64
	bytes uint64
	used  uint64

	index index
	held  []sizedRow // by slot
	free  []int32    // slots of rows that have left
	heap  slotHeap
	floor float64 // L
}

type sizedRow struct {
	key, size uint32
	uses      uint64
}

// SizedCounts are the figures of a replay of rows of different sizes.
type SizedCounts struct {
	Lookups, Misses          int
	LookupBytes, MissedBytes uint64 // sizes of the rows looked up
}

// NewSized returns an empty memory of so many bytes for keys below rows.
func NewSized(bytes, rows int64) (*Sized, error) {
	if bytes < 1 {
		return nil, fmt.Errorf("bytes = %d: want at least 1", bytes)
	}
	if rows < 1 || rows > lookups.MaxRows {
		return nil, fmt.Errorf("rows = %d: want 1 to %d", rows, int64(lookups.MaxRows))
	}
	return &Sized{rows: rows, bytes: uint64(bytes), index: newIndex(rows, 0)}, nil
}

// Used returns the bytes of the rows held.
func (z *Sized) Used() int64 { return int64(z.used) }

// Holds reports whether the row of key is held.
func (z *Sized) Holds(key uint32) bool {
	return int64(key) < z.rows && z.index.get(key) != none
}

// Replay looks keys up one by one; sizes are the bytes of the row of each lookup,
// at least 1. A row has the size that it was admitted with. It may be called again
// to go on. An error names the first lookup that is wrong; those before it have been
// replayed.
func (z *Sized) Replay(keys, sizes []uint32) (c SizedCounts, err error) {
	if len(keys) != len(sizes) {
		return c, fmt.Errorf("%d sizes for %d lookups", len(sizes), len(keys))
	}
	for i, k := range keys {
		if int64(k) >= z.rows {
			return c, fmt.Errorf("lookup %d: key %d is not below %d rows", i, k, z.rows)
		}
		if sizes[i] == 0 {
			return c, fmt.Errorf("lookup %d: key %d has size 0: want at least 1 byte", i, k)
		}
		c.Lookups++
		c.LookupBytes += uint64(sizes[i])
		if s := z.index.get(k); s != none {
			z.use(s)
			continue
		}
		c.Misses++
		c.MissedBytes += uint64(sizes[i])
		if uint64(sizes[i]) <= z.bytes {
			z.admit(k, sizes[i])
		}
	}
	return c, nil
}

func (z *Sized) use(s int32) {
	r := &z.held[s]
	r.uses++
	z.heap.put(s, z.floor+float64(r.uses)/float64(r.size))
}

// admit lets rows leave until k fits, and puts it in.
func (z *Sized) admit(k, size uint32) {
	for z.used+uint64(size) > z.bytes {
		z.evict()
	}
	s := z.slot()
	z.held[s] = sizedRow{key: k, size: size}
	z.index.set(k, s)
	z.used += uint64(size)
	z.use(s)
}

func (z *Sized) evict() {
	least := z.heap.cells[0]
	z.floor = least.priority
	z.heap.remove(least.slot)
	r := z.held[least.slot]
	z.index.del(r.key)
	z.used -= uint64(r.size)
	z.free = append(z.free, least.slot)
}

// slot returns a free slot, a new one when there is none.
func (z *Sized) slot() int32 {
	if n := len(z.free); n > 0 {
		s := z.free[n-1]
		z.free = z.free[:n-1]
		return s
	}
	if len(z.held) == math.MaxInt32 {
		panic("slots: more than 2^31-1 rows are held")
	}
	z.held = append(z.held, sizedRow{})
	z.heap.at = append(z.heap.at, none)
	return int32(len(z.held) - 1)
}

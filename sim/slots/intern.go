package slots

import "math/bits"

// interner gives keys small numbers, ids, so that tables can be arrays, and takes
// them back from keys that no table knows any more: its memory depends on the
// tables, not on the trace. No result depends on which id a key has.
//
// When all ids are given, the owner sweeps: an id whose key is in no table, and
// remembered by none, is free again. With twice as many ids as tables can know, a
// sweep frees half of them at least, so that its cost per new key is bounded.
type interner struct {
	keys []uint64 // per id
	live []uint64 // a bit per id
	next int      // word of live: all before it are full
	free int

	// Keys find their ids in one of two ways.
	direct []uint32 // by key: id + 1; 0: none
	cells  []uint32 // by hash, in open addressing: id + 1, and a part of the hash in the bits above; 0: none
	shift  uint     // of a hash, to its cell
	above  uint32   // these bits

	known []uint64 // of a sweep
}

// cachedCells are so few that they stay near the processor. Then it saves time if half
// of them are empty, for a search to end at once; of more cells, what has to be fetched
// from memory costs more than a longer search, and they are filled up to two thirds.
const cachedCells = 1 << 17

// newInterner returns an interner of 64-bit keys.
func newInterner(ids int) *interner {
	n := 16
	for n < ids+ids/2 || n < 2*ids && n < cachedCells {
		n *= 2
	}
	x := newIDs(ids)
	x.cells, x.shift = make([]uint32, n), uint(64-bits.Len(uint(n-1)))
	x.above = ^uint32(0) << bits.Len(uint(ids))
	return x
}

// newRenumberer returns an interner of keys below rows.
func newRenumberer(rows int64, ids int) *interner {
	x := newIDs(ids)
	x.direct = make([]uint32, rows)
	return x
}

func newIDs(ids int) *interner {
	x := &interner{keys: make([]uint64, ids), live: make([]uint64, (ids+63)/64), free: ids}
	if tail := ids & 63; tail != 0 {
		x.live[ids>>6] = ^uint64(0) << tail // there are no such ids
	}
	x.known = make([]uint64, len(x.live))
	return x
}

// space is the number that all ids are below.
func (x *interner) space() int64 { return int64(len(x.keys)) }

// take gives k the lowest free id. There must be one.
func (x *interner) take(k uint64) uint32 {
	for x.live[x.next] == ^uint64(0) {
		x.next++
	}
	word := x.live[x.next]
	x.live[x.next] = word | (word + 1)
	x.free--
	id := uint32(x.next<<6 | bits.TrailingZeros64(^word))
	x.keys[id] = k
	return id
}

// intern writes the ids of keys to dst, and returns how many it has written: fewer
// than there are keys when there was no id left for the next one.
func intern[K uint32 | uint64](x *interner, dst []uint32, keys []K) int {
	if x.direct != nil {
		return renumber(x, dst, keys)
	}
	dst = dst[:len(keys)]
	cells, names, shift, above := x.cells, x.keys, x.shift%64, x.above
	for i, key := range keys {
		k := uint64(key)
		h := scramble(k)
		at := h >> shift
		for {
			c := cells[at]
			if c == 0 {
				if x.free == 0 {
					return i
				}
				dst[i] = x.take(k)
				cells[at] = uint32(h)&above | (dst[i] + 1)
				break
			}
			// Where the bits above are others, they remain, and no id is so large.
			if id := (c ^ uint32(h)&above) - 1; id < uint32(len(names)) && names[id] == k {
				dst[i] = id
				break
			}
			at = (at + 1) & uint64(len(cells)-1)
		}
	}
	return len(keys)
}

// scramble hashes a key: a bijection whose upper bits choose the cell (Knuth 6.4,
// Fibonacci hashing). Keys that share their lower or their upper half differ in
// them all the same.
func scramble(k uint64) uint64 { return (k ^ k>>32) * 0x9e3779b97f4a7c15 }

func renumber[K uint32 | uint64](x *interner, dst []uint32, keys []K) int {
	dst = dst[:len(keys)]
	for i, k := range keys {
		id := x.direct[k]
		if id == 0 {
			if x.free == 0 {
				return i
			}
			id = x.take(uint64(k)) + 1
			x.direct[k] = id
		}
		dst[i] = id - 1
	}
	return len(keys)
}

// sweep frees the ids that mark does not set. It panics when that is none: then
// there were too few ids for the tables.
func (x *interner) sweep(mark func(known []uint64)) {
	clear(x.known)
	mark(x.known)
	was := x.free
	for g, known := range x.known {
		dead := x.live[g] &^ known
		if rest := len(x.keys) - g<<6; rest < 64 {
			dead &= 1<<rest - 1
		}
		x.live[g] &^= dead
		x.free += bits.OnesCount64(dead)
		if x.direct != nil {
			for ; dead != 0; dead &= dead - 1 {
				x.direct[x.keys[g<<6|bits.TrailingZeros64(dead)]] = 0
			}
		}
	}
	if x.free == was {
		panic("slots: more keys are in tables than there are ids")
	}
	x.next = 0
	if x.direct == nil {
		x.rebuild()
	}
}

// rebuild enters the live ids into empty cells.
func (x *interner) rebuild() {
	clear(x.cells)
	mask := uint64(len(x.cells) - 1)
	for id, k := range x.keys {
		if x.live[id>>6]>>(id&63)&1 == 0 {
			continue
		}
		h := scramble(k)
		at := h >> x.shift
		for x.cells[at] != 0 {
			at = (at + 1) & mask
		}
		x.cells[at] = uint32(h)&x.above | uint32(id+1)
	}
}

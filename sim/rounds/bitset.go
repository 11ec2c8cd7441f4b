package rounds

// bitset is a set of rows. A nil one ignores what is set and cleared.
type bitset []uint64

func newBitset(rows int64) bitset { return make(bitset, (rows+63)/64) }

// set adds row k and reports whether that changed the set.
func (b bitset) set(k uint32) bool {
	if b == nil || b.get(k) {
		return false
	}
	b[k/64] |= 1 << (k % 64)
	return true
}

// clear takes row k out and reports whether that changed the set.
func (b bitset) clear(k uint32) bool {
	if b == nil || !b.get(k) {
		return false
	}
	b[k/64] &^= 1 << (k % 64)
	return true
}

func (b bitset) get(k uint32) bool { return b[k/64]>>(k%64)&1 == 1 }

// fill adds all rows of a layer.
func (b bitset) fill(rows int64) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if rest := rows % 64; rest > 0 {
		b[len(b)-1] = 1<<rest - 1
	}
}

package slots

import "math/bits"

// bitTree is a set of integers in [0, n) that finds its largest member in
// O(log64 n): a bit per integer, and above it a bit per non-zero word.
type bitTree struct {
	levels [][]uint64 // levels[0] holds the members, the last has one word
}

func newBitTree(n int) bitTree {
	var t bitTree
	for {
		n = (n + 63) / 64
		t.levels = append(t.levels, make([]uint64, max(n, 1)))
		if n <= 1 {
			return t
		}
	}
}

func (t *bitTree) set(i int) {
	for _, level := range t.levels {
		w := &level[i>>6]
		was := *w
		*w = was | 1<<(i&63)
		if was != 0 {
			return // the levels above know this word already
		}
		i >>= 6
	}
}

func (t *bitTree) clear(i int) {
	for _, level := range t.levels {
		w := &level[i>>6]
		*w &^= 1 << (i & 63)
		if *w != 0 {
			return
		}
		i >>= 6
	}
}

// max returns the largest member, -1 when there is none.
func (t *bitTree) max() int {
	if t.levels[len(t.levels)-1][0] == 0 {
		return -1
	}
	return t.descend(len(t.levels), 0)
}

// below returns the largest member below i, -1 when there is none.
func (t *bitTree) below(i int) int {
	for l, level := range t.levels {
		if low := level[i>>6] & (1<<(i&63) - 1); low != 0 {
			return t.descend(l, i&^63|(bits.Len64(low)-1))
		}
		i >>= 6
	}
	return -1
}

// descend goes from bit i of level l (or the root when l is beyond the last) to
// the largest member under it.
func (t *bitTree) descend(l, i int) int {
	for l--; l >= 0; l-- {
		i = i<<6 | (bits.Len64(t.levels[l][i]) - 1)
	}
	return i
}

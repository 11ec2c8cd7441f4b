package lookups

import "math/bits"

// scatter is a fixed bijection on [0, rows): it depends on the number of rows
// alone. It mixes k bits, k the least with 2^k >= rows, by steps that can each be
// undone (x ^= x>>s; x *= odd mod 2^k), and walks on while the value is outside:
// on a cycle of a permutation the walk from inside comes back inside, and no two
// starts meet. It takes fewer than two steps on average, because rows > 2^(k-1).
type scatter struct {
	rows  uint32
	mask  uint32
	shift uint32
}

// The multipliers are those of MurmurHash3's 32-bit finaliser.
const (
	scatterA = 0x85ebca6b
	scatterB = 0xc2b2ae35
)

func newScatter(rows uint32) *scatter {
	k := bits.Len32(rows - 1)
	return &scatter{
		rows:  rows,
		mask:  uint32(1<<k - 1),
		shift: uint32(max(k/2, 1)),
	}
}

// row returns the row that stands for rank, rank < rows.
func (s *scatter) row(rank uint32) uint32 {
	x := rank
	for {
		x ^= x >> s.shift
		x = x * scatterA & s.mask
		x ^= x >> s.shift
		x = (x*scatterB + scatterA) & s.mask // the sum moves rank 0 off row 0
		x ^= x >> s.shift
		if x < s.rows {
			return x
		}
	}
}

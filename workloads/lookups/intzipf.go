package lookups

import (
	"fmt"
	"math"
	"math/bits"
)

// IntZipf draws Zipf keys with integer arithmetic only (after its table is
// made), so that any language reproduces them bit for bit. It exists to compare
// replay figures across programs; streams use the cheaper bounded Zipf.
//
//	w_i  = floor(2^40 i^-alpha + 0.5), i = 1..rows; C = prefix sums, W = C[rows]
//	t    = high 64 bits of SplitMix64() * W
//	rank = smallest r with C[r+1] > t
//	key  = (rank * 2654435761 + 1) mod rows
type IntZipf struct {
	state  uint64
	rows   uint64
	sums   []uint64 // C[1..rows]
	guide  []uint32 // for each high part of t, the rank to start searching at
	gshift uint
}

// NewIntZipf returns a generator over keys [0, rows). It holds 8 to 16 bytes per
// row.
func NewIntZipf(rows int64, alpha float64, seed uint64) (*IntZipf, error) {
	if rows < 1 || rows > MaxRows {
		return nil, fmt.Errorf("rows = %d: want 1 to %d", rows, int64(MaxRows))
	}
	if !(alpha >= 0) || math.IsInf(alpha, 0) {
		return nil, fmt.Errorf("alpha = %v: want a finite number >= 0", alpha)
	}
	z := &IntZipf{state: seed, rows: uint64(rows), sums: make([]uint64, rows)}
	sum := uint64(0)
	for i := range z.sums {
		w := 0x1p40 / float64(i+1)
		if alpha != 1 {
			w = 0x1p40 * math.Pow(float64(i+1), -alpha)
		}
		sum += uint64(math.Floor(w + 0.5))
		z.sums[i] = sum
	}
	z.index()
	return z, nil
}

// index makes the guide: about one entry per row, so that a search takes a step
// or two.
func (z *IntZipf) index() {
	total := z.sums[len(z.sums)-1]
	z.gshift = uint(max(bits.Len64(total)-bits.Len64(z.rows), 0))
	z.guide = make([]uint32, total>>z.gshift+1)
	r := 0
	for g := range z.guide {
		for z.sums[r] <= uint64(g)<<z.gshift && r < len(z.sums)-1 {
			r++
		}
		z.guide[g] = uint32(r)
	}
}

// Weight returns W, the sum of the integer weights.
func (z *IntZipf) Weight() uint64 { return z.sums[len(z.sums)-1] }

// Fill writes the next len(dst) keys.
func (z *IntZipf) Fill(dst []uint32) {
	total := z.Weight()
	for i := range dst {
		t, _ := bits.Mul64(z.splitMix(), total)
		r := uint64(z.guide[t>>z.gshift])
		for z.sums[r] <= t {
			r++
		}
		dst[i] = uint32((r*2654435761 + 1) % z.rows)
	}
}

// splitMix is SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
func (z *IntZipf) splitMix() uint64 {
	z.state += 0x9e3779b97f4a7c15
	x := z.state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

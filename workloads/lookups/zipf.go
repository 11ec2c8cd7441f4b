package lookups

import "math"

// zipfCells is the number of cells of the guide table: 16 KiB per table size, so
// that it stays in the first-level cache.
const (
	zipfCellBits = 12
	zipfCells    = 1 << zipfCellBits
	mixedCell    = math.MaxUint32 // the cell holds more than one rank
)

// zipf draws ranks of a bounded Zipf distribution by the inverse CDF of the
// bounded Pareto distribution on [1, n+1), cut to integers: with the exponent of
// the density alpha and a = alpha - 1,
//
//	CDF(x) = (1 - x^-a) / (1 - (n+1)^-a),   a = 0: ln x / ln(n+1)
//	rank   = floor(CDF^-1(u)) - 1           from 0, the hottest
//
// This is the generator of the UGache artefact (ds_generator.py, syn.py). With
// expm1 and log1p the formula is good near a = 0 and holds for a < 0 as well.
//
// A guide table over the high bits of u answers at once where a cell holds a
// single rank; that is most lookups of a skewed table.
type zipf struct {
	n      uint32
	scale  float64 // expm1(-a ln(n+1)); a = 0: ln(n+1)
	negInv float64 // -1/a; 0 when a = 0
	direct [zipfCells]uint32
}

func newZipf(n uint32, alpha float64) *zipf {
	a := alpha - 1
	log := math.Log1p(float64(n))
	z := &zipf{n: n, scale: log}
	// Below 1e-12 the limit a = 0 differs by less than rounding does.
	if math.Abs(a) > 1e-12 {
		z.scale = math.Expm1(-a * log)
		z.negInv = -1 / a
	}
	last := z.inverse(0)
	for c := range z.direct {
		next := z.inverse(float64(c+1) / zipfCells)
		z.direct[c] = mixedCell
		if next == last {
			z.direct[c] = next
		}
		last = next
	}
	return z
}

// rank turns a uniform 64-bit draw into a rank in [0, n).
func (z *zipf) rank(x uint64) uint32 {
	if r := z.direct[x>>(64-zipfCellBits)]; r != mixedCell {
		return r
	}
	return z.inverse(float64(x>>11) * 0x1p-53)
}

// inverse is the inverse CDF at u in [0, 1].
func (z *zipf) inverse(u float64) uint32 {
	var log float64
	if z.negInv == 0 {
		log = u * z.scale
	} else {
		log = math.Log1p(u*z.scale) * z.negInv
	}
	// Rounding may leave [1, n+1) by an ulp at either end; u = 1 does by design.
	x := max(math.Exp(log), 1)
	return uint32(min(x-1, float64(z.n-1)))
}

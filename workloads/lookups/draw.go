package lookups

import (
	"math"
	"math/bits"
	"math/rand/v2"
)

// draw makes the lookups of one table.
type draw struct {
	rng    *rand.PCG
	offset uint32 // key of the table's first row
	rows   uint32
	count  int // lookups per round

	zipf    *zipf    // nil, and popular too: uniform
	popular *popular // the histogram generator's
	scatter *scatter // nil: row = rank

	// The drift generator only; hot = 0 otherwise.
	hot   uint64 // rows in the hot set
	cut   uint64 // a draw below it goes to the hot set
	start uint64 // first virtual row of the hot window
	move  uint64 // rows by which the window slides per round
}

// shapes holds what tables share, because a layer often has many of one size.
type shapes struct {
	zipfs   map[int64]*zipf // by number of ranks
	rates   *rates          // of the histogram generator
	popular map[popularSize]*popular
}

type popularSize struct {
	rows    uint32
	lookups int // per sample
}

func newShapes(spec Spec) *shapes {
	s := &shapes{zipfs: map[int64]*zipf{}, popular: map[popularSize]*popular{}}
	if spec.Generator == Reused {
		s.rates = fitRates(spec.Histogram)
	}
	return s
}

// ofHistogram returns the popularity of the rows of a table, for rounds of batch
// samples.
func (s *shapes) ofHistogram(h *Histogram, size popularSize, batch int) *popular {
	if s.popular[size] == nil {
		if h.Samples > 0 {
			batch = h.Samples
		}
		touched := float64(batch) * float64(size.lookups) / h.Dedup()
		s.popular[size] = newPopular(s.rates, size.rows, touched)
	}
	return s.popular[size]
}

// shape fills in what the generator needs.
func (d *draw) shape(spec Spec, shared *shapes, perSample, batch int) {
	if spec.Scatter {
		d.scatter = newScatter(d.rows)
	}
	if spec.Generator == Reused {
		if perSample > 0 {
			d.popular = shared.ofHistogram(spec.Histogram, popularSize{d.rows, perSample}, batch)
		}
		return
	}
	ranks := int64(d.rows)
	if spec.Generator == Drifting {
		ranks = int64(min(math.Ceil(spec.Drift.Rows*float64(d.rows)), float64(d.rows)))
		d.hot = uint64(max(ranks, 1))
		d.cut = threshold(spec.Drift.Lookups)
		d.move = min(uint64(spec.Drift.Move), d.hot)
	}
	if spec.Alpha > 0 {
		if shared.zipfs[ranks] == nil {
			shared.zipfs[ranks] = newZipf(uint32(ranks), spec.Alpha)
		}
		d.zipf = shared.zipfs[ranks]
	}
}

// threshold returns the 64-bit value below which a draw lies with probability p.
// p = 1 saturates: one draw in 2^64 is lost, which no run can see.
func threshold(p float64) uint64 {
	if p >= 1 {
		return math.MaxUint64
	}
	return uint64(math.Ldexp(p, 64))
}

// round fills dst with one round of keys.
func (d *draw) round(dst []uint32) {
	switch {
	case d.hot > 0:
		d.drift(dst)
	case d.popular != nil:
		for i := range dst {
			dst[i] = d.popular.rank(d.rng.Uint64())
		}
	case d.zipf != nil:
		for i := range dst {
			dst[i] = d.zipf.rank(d.rng.Uint64())
		}
	default:
		rows := uint64(d.rows)
		for i := range dst {
			dst[i] = below(d.rng.Uint64(), rows)
		}
	}
	if d.scatter != nil {
		for i, r := range dst {
			dst[i] = d.scatter.row(r)
		}
	}
	if d.offset > 0 {
		for i := range dst {
			dst[i] += d.offset
		}
	}
}

// drift draws from a window of hot rows that slides over the table. Virtual row
// v stands for row v mod rows; the window holds v in [start, start+hot). The
// hot row of rank i is the v of the window with v = i (mod hot): a row keeps its
// rank while it stays in the window, and the row that enters takes the rank of
// the one that left.
func (d *draw) drift(dst []uint32) {
	rows, cold := uint64(d.rows), uint64(d.rows)-d.hot
	phase := d.start % d.hot
	for i := range dst {
		v := d.start
		if d.rng.Uint64() < d.cut || cold == 0 {
			rank := uint64(d.inside())
			if rank < phase {
				rank += d.hot
			}
			v += rank - phase
		} else {
			v += d.hot + uint64(below(d.rng.Uint64(), cold))
		}
		dst[i] = uint32(v % rows)
	}
	d.start += d.move
}

// inside draws a rank of the hot set.
func (d *draw) inside() uint32 {
	if d.zipf != nil {
		return d.zipf.rank(d.rng.Uint64())
	}
	return below(d.rng.Uint64(), d.hot)
}

// below maps a uniform 64-bit draw to [0, n): the high word of the product. Its
// bias is at most n/2^64 < 2^-32 of a row's probability.
func below(x, n uint64) uint32 {
	hi, _ := bits.Mul64(x, n)
	return uint32(hi)
}

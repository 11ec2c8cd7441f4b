package lookups

import (
	"math"
	"slices"
)

// A histogram tells how often rows were looked up in one round; rounds that are
// alike need how often each row is looked up in the mean of many: its rate. Counts
// scatter about rates as Poisson's distribution says, so a row that was looked up
// once may have a rate of 3 or of 1/1000. The rates are those under which the
// counts of a round are most likely the histogram's: the mixture of Poisson
// distributions, cut off at 0 because a row that was not looked up is not in the
// histogram, with the greatest likelihood (Simar, "Maximum likelihood estimation of
// a compound Poisson process", Annals of Statistics 4, 1976). Expectation
// maximisation finds it on a grid of rates.
//
// What a single round does not tell is how many rows have very small rates: rows
// touched once may be few that come often enough, or many that hardly come again.
// The table tells: rates are so small that all of its rows are used, as far as that
// goes.

// A grid of rates, from 2^-rateOctaves upwards.
const (
	ratesPerOctave = 4
	rateOctaves    = 16 // below 1
	leastOctave    = 1  // the rates of the shortest tail are 2^-1 and more
	rateSteps      = 400
)

// rates is a popularity of rows in classes of one rate each, for one touched row.
type rates struct {
	rate []float64 // lookups of a row per round, ascending

	// tails[i] are fits with rates of 2^-(leastOctave+i) and more: each has, of
	// every rate, how many rows of it are touched in a round.
	tails [][]float64
}

// fitRates finds the rates of a histogram.
func fitRates(h *Histogram) *rates {
	cells, share := h.cells()
	top := cells[len(cells)-1].upTo
	r := &rates{}
	for i := 0; ; i++ {
		x := math.Exp2(float64(i)/ratesPerOctave - rateOctaves)
		r.rate = append(r.rate, x)
		if x > top {
			break
		}
	}
	likely := make([]likelihood, len(cells))
	for c, cell := range cells {
		likely[c] = r.likelihood(cell, share[c])
	}
	for octave := leastOctave; octave <= rateOctaves; octave++ {
		from := (rateOctaves - octave) * ratesPerOctave
		r.tails = append(r.tails, mixture(likely, from, len(r.rate)))
	}
	return r
}

// likelihood is, for the rates from a first one on, the probability that a touched
// row of that rate has its count in one cell. Other rates have next to none.
type likelihood struct {
	share float64 // of the touched rows in the cell
	first int
	p     []float64
}

func (r *rates) likelihood(cell countCell, share float64) likelihood {
	l := likelihood{share: share}
	for j, x := range r.rate {
		p := (poisson(cell.upTo, x) - poisson(cell.above, x)) / -math.Expm1(-x)
		switch {
		case p > 1e-12:
			if l.p == nil {
				l.first = j
			}
			l.p = append(l.p, p)
		case l.p != nil:
			return l // the probability has one peak
		}
	}
	return l
}

// mixture returns the weights of the rates, from a place on, under which the shares
// of the cells are most likely.
func mixture(likely []likelihood, from, rates int) []float64 {
	w, next := make([]float64, rates), make([]float64, rates)
	for j := from; j < rates; j++ {
		w[j] = 1 / float64(rates-from)
	}
	for range rateSteps {
		clear(next)
		for _, l := range likely {
			p, first := l.p, l.first
			if skip := from - first; skip > 0 {
				p, first = p[min(skip, len(p)):], from
			}
			v, sum := w[first:first+len(p)], next[first:first+len(p)]
			q := 0.0
			for j, x := range p {
				q += v[j] * x
			}
			if q <= 0 {
				continue
			}
			f := l.share / q
			for j, x := range p {
				sum[j] += f * v[j] * x
			}
		}
		w, next = next, w
	}
	return w
}

// rows returns how many rows a tail has for each touched one.
func (r *rates) rows(tail []float64) (n float64) {
	for j, w := range tail {
		n += w / -math.Expm1(-r.rate[j])
	}
	return n
}

// tail returns the touched rows of every rate when there are rows rows for each
// touched one: a blend of the two fits that have fewer and more, which fits as they
// do. With too few rows it is the shortest tail, with too many the longest.
func (r *rates) tail(rows float64) []float64 {
	least := r.rows(r.tails[0])
	for i := 1; i < len(r.tails); i++ {
		most := r.rows(r.tails[i])
		if rows >= most {
			least = most
			continue
		}
		t := max(rows-least, 0) / (most - least)
		out := slices.Clone(r.tails[i-1])
		for j := range out {
			out[j] += t * (r.tails[i][j] - out[j])
		}
		return out
	}
	return r.tails[len(r.tails)-1]
}

// popular draws the rows of one table by their popularity: classes of rows that are
// equally popular, the most popular first. One draw gives both the class and the
// row in it, by the inverse of the cumulative distribution, which is linear in a
// class.
type popular struct {
	classes []popularClass
	guide   [popularCells]uint16 // for the high bits of a draw, the first class it may be in
}

type popularClass struct {
	from  uint64 // the draws from here on, up to the next class, are in this one
	scale float64
	start uint32 // its rows
	rows  uint32
}

const (
	popularCellBits = 11
	popularCells    = 1 << popularCellBits
)

// newPopular returns the popularity of a table of rows rows of which a round touches
// touched. With fewer rows than the histogram wants, the least popular are left
// out, and their lookups go to the others in proportion.
func newPopular(r *rates, rows uint32, touched float64) *popular {
	tail := r.tail(float64(rows) / touched)
	p := &popular{}
	var masses []float64
	last := uint32(0)
	class := func(n uint32, mass float64) {
		if n = min(n, rows-last); n > 0 && mass > 0 {
			p.classes = append(p.classes, popularClass{start: last, rows: n})
			masses = append(masses, mass*float64(n))
			last += n
		}
	}
	// A row that lies in several rates has their mean.
	room, mass := 1.0, 0.0 // of the present row
	for j := len(tail) - 1; j >= 0; j-- {
		n, rate := touched*tail[j]/-math.Expm1(-r.rate[j]), r.rate[j]
		if n < room {
			room -= n
			mass += n * rate
			continue
		}
		class(1, mass+room*rate)
		n -= room
		whole := math.Floor(n)
		class(uint32(min(whole, MaxRows)), rate)
		room, mass = 1-(n-whole), (n-whole)*rate
	}
	class(1, mass)
	p.divide(masses)
	return p
}

// divide gives every class its share of the draws.
func (p *popular) divide(masses []float64) {
	total, done := sum(masses), 0.0
	for i := range p.classes {
		c := &p.classes[i]
		c.from = threshold(done / total)
		done += masses[i]
		c.scale = float64(c.rows) * total / masses[i] * 0x1p-64
	}
	at := 0
	for g := range p.guide {
		for at+1 < len(p.classes) && p.classes[at+1].from <= uint64(g)<<(64-popularCellBits) {
			at++
		}
		p.guide[g] = uint16(at)
	}
}

// rank turns a uniform 64-bit draw into a row, 0 the most popular.
func (p *popular) rank(x uint64) uint32 {
	at := int(p.guide[x>>(64-popularCellBits)])
	for at+1 < len(p.classes) && p.classes[at+1].from <= x {
		at++
	}
	c := &p.classes[at]
	return c.start + min(uint32(float64(x-c.from)*c.scale), c.rows-1)
}

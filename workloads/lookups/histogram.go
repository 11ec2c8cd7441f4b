package lookups

import (
	"fmt"
	"math"
	"strconv"
)

// Histogram says how often the rows of a round are looked up: published statistics
// of production embedding tables come in this form.
type Histogram struct {
	Name string // where it is from, for people

	// Samples is the batch of the round that the histogram describes. 0: the rounds
	// of the stream have that size, whatever their batch.
	Samples int

	// Lookups and Rows are the lookups of that round and the rows that they touch.
	// Their ratio counts, not their size: see Spec. Both may be 0; it then follows
	// from the bins.
	Lookups, Rows int64

	Bins []Bin // in ascending order, each from where the last ends
}

// Bin is the rows that are looked up more than Above and at most UpTo times in a
// round. In the last bin, UpTo may be 0 for "and more".
type Bin struct {
	Above, UpTo int64
	Rows        float64 // share of the touched rows
	Lookups     float64 // share of the lookups; 0 in all bins: not known
}

// Limits on histograms.
const (
	MaxHistogramBins  = 64
	MaxHistogramCount = 1 << 40 // lookups of one row in a round
	sharesOff         = 0.02    // by which shares may miss 1: they are rounded
)

// Dedup returns the lookups per touched row.
func (h *Histogram) Dedup() float64 {
	if h.Rows > 0 {
		return float64(h.Lookups) / float64(h.Rows)
	}
	rows, lookups := h.amounts()
	return sum(lookups) / sum(rows)
}

func (h *Histogram) validate() error {
	bad := func(value any, want string) error {
		return &SpecError{"histogram", fmt.Sprint(value), want}
	}
	switch {
	case h.Samples < 0:
		return bad(h.Samples, "want the samples of its round, 0 for those of the stream")
	case h.Lookups < 0 || h.Rows < 0 || (h.Lookups == 0) != (h.Rows == 0) || h.Lookups < h.Rows:
		return bad(fmt.Sprintf("%d lookups of %d rows", h.Lookups, h.Rows), "want both, and at least as many lookups as rows, or neither")
	case len(h.Bins) == 0 || len(h.Bins) > MaxHistogramBins:
		return bad(fmt.Sprintf("%d bins", len(h.Bins)), "want 1 to "+strconv.Itoa(MaxHistogramBins))
	}
	rows, lookups, end := 0.0, 0.0, int64(0)
	for i, b := range h.Bins {
		last := i == len(h.Bins)-1
		if i > 0 && b.Above != end || b.Above < 0 || b.Above >= MaxHistogramCount {
			return bad(b, fmt.Sprintf("the bin is above %d, want %d, where the last one ends", b.Above, end))
		}
		if !(last && b.UpTo == 0) && (b.UpTo <= b.Above || b.UpTo > MaxHistogramCount) {
			return bad(b, fmt.Sprintf("the bin is up to %d, want more than %d (and at most %d); the last may be 0, for no end", b.UpTo, b.Above, int64(MaxHistogramCount)))
		}
		if !(b.Rows >= 0 && b.Rows <= 1) || !(b.Lookups >= 0 && b.Lookups <= 1) {
			return bad(b, "shares of rows and lookups are from 0 to 1")
		}
		rows, lookups, end = rows+b.Rows, lookups+b.Lookups, b.UpTo
	}
	if math.Abs(rows-1) > sharesOff {
		return bad(number(rows), "the shares of rows must add up to 1")
	}
	if lookups != 0 && math.Abs(lookups-1) > sharesOff {
		return bad(number(lookups), "the shares of lookups must add up to 1, or all be left out")
	}
	if h.Rows > 0 {
		// What the bins allow, with the shares' rounding, must hold the ratio.
		least, most := 0.0, 0.0
		for _, b := range h.Bins {
			least += b.Rows * float64(b.Above+1)
			most += (b.Rows + roundedBy) * b.upTo()
		}
		if d := h.Dedup(); d < least*(1-sharesOff) || d > most {
			return bad(fmt.Sprintf("%.4g lookups per row", d), fmt.Sprintf("the bins allow %.4g to %.4g", least, most))
		}
	}
	return nil
}

// roundedBy is how far published shares, of three decimals, are from the truth.
const roundedBy = 0.0005

// trusted is the share from which on rounding changes a share by less than the
// mean count of a bin of one octave may differ from its middle.
const trusted = 10 * roundedBy

// openBin is how far a bin without an end reaches, in multiples of its start. The
// published files do not say; two octaves continue their bins' slow decline.
const openBin = 4

// upTo is the bin's end.
func (b *Bin) upTo() float64 {
	if b.UpTo == 0 {
		return openBin * float64(max(b.Above, 1))
	}
	return float64(b.UpTo)
}

// between is the mean count of a bin whose counts are spread evenly over their
// logarithms.
func (b *Bin) between() float64 {
	low, high := float64(b.Above+1), b.upTo()
	if high-low < 0.5 {
		return high
	}
	return (high - low) / math.Log(high/low)
}

// amounts returns the touched rows and the lookups of every bin, for one touched
// row in all. Shares of the two are rounded, and a bin's rows often to nothing:
// then its lookups and a count from the middle say how many rows it has.
func (h *Histogram) amounts() (rows, lookups []float64) {
	rows, lookups = make([]float64, len(h.Bins)), make([]float64, len(h.Bins))
	known := false
	for i := range h.Bins {
		known = known || h.Bins[i].Lookups > 0
	}
	dedup := 0.0
	if h.Rows > 0 {
		dedup = float64(h.Lookups) / float64(h.Rows)
	} else if known {
		dedup = h.firstDedup()
	}
	for i := range h.Bins {
		b := &h.Bins[i]
		rows[i] = b.Rows
		if known && b.Lookups > 0 {
			if b.Rows < trusted {
				rows[i] = min(max(b.Lookups*dedup/b.between(), b.Rows-roundedBy, 0), b.Rows+roundedBy)
			}
			lookups[i] = b.Lookups * dedup
		} else {
			lookups[i] = rows[i] * b.between()
		}
		lookups[i] = min(max(lookups[i], rows[i]*float64(b.Above+1)), rows[i]*b.upTo())
	}
	if total := sum(rows); total > 0 {
		for i := range rows {
			rows[i] /= total
			lookups[i] /= total
		}
	}
	if dedup > 0 {
		h.stretch(rows, lookups, dedup)
	}
	return rows, lookups
}

// stretch moves the lookups of the bins, within their bounds, until they add up to
// dedup.
func (h *Histogram) stretch(rows, lookups []float64, dedup float64) {
	for range 20 {
		f := dedup / sum(lookups)
		if math.Abs(f-1) < 1e-6 {
			return
		}
		for i := range lookups {
			b := &h.Bins[i]
			lookups[i] = min(max(lookups[i]*f, rows[i]*float64(b.Above+1)), rows[i]*b.upTo())
		}
	}
}

// firstDedup is the lookups per row of a histogram that has no totals: a bin of
// one count has as many lookups as rows times it, and if there is none, the bins'
// middles must do.
func (h *Histogram) firstDedup() float64 {
	for i := range h.Bins {
		b := &h.Bins[i]
		if b.UpTo == b.Above+1 && b.Rows > 0 && b.Lookups > 0 {
			return b.Rows * float64(b.UpTo) / b.Lookups
		}
	}
	d := 0.0
	for i := range h.Bins {
		d += h.Bins[i].Rows * h.Bins[i].between()
	}
	return d
}

func sum(xs []float64) (s float64) {
	for _, x := range xs {
		s += x
	}
	return s
}

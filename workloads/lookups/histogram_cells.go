package lookups

import "math"

// countCell is the counts above one number and up to another.
type countCell struct{ above, upTo float64 }

const (
	singleCounts = 16 // bins up to it are divided into single counts
	cellsPerBin  = 4  // of larger bins
)

// cells returns finer bins, and the share of the touched rows in each: inside a
// bin, counts fall off as a power that gives the bin its mean.
func (h *Histogram) cells() (cells []countCell, share []float64) {
	rows, lookups := h.amounts()
	for i := range h.Bins {
		b := &h.Bins[i]
		if rows[i] == 0 {
			continue
		}
		inside := b.split()
		mass := massesOf(inside, lookups[i]/rows[i])
		for k, c := range inside {
			cells = append(cells, c)
			share = append(share, rows[i]*mass[k])
		}
	}
	return cells, share
}

func (b *Bin) split() (cells []countCell) {
	low, high := float64(b.Above), b.upTo()
	if high <= singleCounts {
		for c := low; c < high; c++ {
			cells = append(cells, countCell{c, c + 1})
		}
		return cells
	}
	start, last := max(low, 1), low
	for i := 1; i <= cellsPerBin; i++ {
		end := math.Round(start * math.Pow(high/start, float64(i)/cellsPerBin))
		if end > last {
			cells = append(cells, countCell{last, end})
			last = end
		}
	}
	return cells
}

// massesOf returns how a power law with the given mean divides its mass over cells.
func massesOf(cells []countCell, mean float64) []float64 {
	mass := make([]float64, len(cells))
	scale := cells[len(cells)-1].upTo
	fill := func(power float64) (m float64) {
		total := 0.0
		for k, c := range cells {
			// Counts are whole: that of a single count c reaches from c-1/2 to c+1/2.
			low, high := (c.above+0.5)/scale, (c.upTo+0.5)/scale
			mass[k] = powerIntegral(low, high, -power)
			m += powerIntegral(low, high, 1-power) * scale
			total += mass[k]
		}
		for k := range mass {
			mass[k] /= total
		}
		return m / total
	}
	low, high := -20.0, 20.0 // the mean falls as the power grows
	for range 60 {
		if mid := (low + high) / 2; fill(mid) > mean {
			low = mid
		} else {
			high = mid
		}
	}
	return mass
}

// powerIntegral integrates x^p from a to b.
func powerIntegral(a, b, p float64) float64 {
	if math.Abs(p+1) < 1e-9 {
		return math.Log(b / a)
	}
	return (math.Pow(b, p+1) - math.Pow(a, p+1)) / (p + 1)
}

// poisson is the probability of at most k events where x are expected. Beyond 64
// expected it uses Wilson and Hilferty's approximation, good to 1e-3 there.
func poisson(k, x float64) float64 {
	if x > 64 {
		n := k + 1
		z := (math.Cbrt(x/n) - (1 - 1/(9*n))) * 3 * math.Sqrt(n)
		return math.Erfc(z/math.Sqrt2) / 2
	}
	if k > x+20*math.Sqrt(x)+30 {
		return 1
	}
	p := math.Exp(-x)
	total := p
	for i := 1.0; i <= k; i++ {
		p *= x / i
		total += p
	}
	return min(total, 1)
}

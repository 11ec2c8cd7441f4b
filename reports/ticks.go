package reports

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
)

// fixedTicks are ticks chosen beforehand.
type fixedTicks []plot.Tick

// Ticks implements plot.Ticker.
func (t fixedTicks) Ticks(_, _ float64) []plot.Tick { return t }

// niceStep is the step of 1, 2, 2.5 or 5 times a power of ten that cuts span
// into at most n pieces.
func niceStep(span float64, n int) float64 {
	raw := span / float64(n)
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= raw*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// linearAxis returns the range lo to hi widened to whole steps, and its ticks:
// about n, labels with one SI prefix for all of them.
func linearAxis(lo, hi float64, n int) (from, to float64, ticks fixedTicks) {
	// Values that differ by rounding alone are equal: a step so small against
	// them would neither be visible nor advance in float64.
	if largest := math.Max(math.Abs(lo), math.Abs(hi)); hi-lo <= 1e-9*largest {
		pad := largest / 2
		if pad == 0 {
			pad = 1
		}
		lo, hi = lo-pad, hi+pad
	}
	step := niceStep(hi-lo, n)
	first, last := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	for i := first; i <= last; i++ {
		v := i * step
		ticks = append(ticks, plot.Tick{Value: v, Label: tickLabel(v, step, math.Max(math.Abs(first), math.Abs(last))*step)})
	}
	return first * step, last * step, ticks
}

// tickLabel prints v with as many decimals as step needs and with the prefix
// that suits the largest label.
func tickLabel(v, step, largest float64) string {
	if v == 0 {
		return "0"
	}
	if largest < 1e-4 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	i := siIndex(largest)
	scale := math.Pow(1000, float64(i))
	decimals := 0
	for s := step / scale; decimals < 12 && math.Abs(s-math.Round(s)) > 1e-6*math.Abs(s); decimals++ {
		s *= 10
	}
	s := strconv.FormatFloat(v/scale, 'f', decimals, 64)
	if i > 0 {
		s += " " + siPrefixes[i]
	}
	return s
}

// countAxis is a linear axis of whole numbers from lo to hi, not widened: ticks
// at lo when it is one of the steps, and at multiples of the step.
func countAxis(lo, hi float64, n int) (from, to float64, ticks fixedTicks) {
	if lo == hi {
		return lo - 0.5, hi + 0.5, fixedTicks{{Value: lo, Label: formatCount(int64(lo))}}
	}
	step := math.Max(1, niceStep(hi-lo, n))
	if step == 2.5 {
		step = 5
	}
	for v := math.Ceil(lo/step) * step; v <= hi; v += step {
		ticks = append(ticks, plot.Tick{Value: v, Label: formatCount(int64(v))})
	}
	// Counting starts at 1, and the eye looks for it there.
	if lo == 1 && ticks[0].Value != 1 {
		ticks = append(fixedTicks{{Value: 1, Label: "1"}}, ticks...)
	}
	return lo, hi, ticks
}

// logAxis returns ticks at powers of ten between lo and hi (both > 0), labelled
// at 1, 2 and 5 where there is less than two decades, with fewer labels where
// there are many, and small ticks between where there is room. The range is
// widened a little, so that data do not touch the frame.
func logAxis(lo, hi float64) (from, to float64, ticks fixedTicks) {
	pad := math.Pow(hi/lo, 0.03)
	if hi <= lo {
		pad = 2
	}
	from, to = lo/pad, hi*pad
	decades := math.Log10(to / from)
	first, last := int(math.Floor(math.Log10(from))), int(math.Ceil(math.Log10(to)))
	every := 1 + int(decades)/8
	for e := first; e <= last; e++ {
		for m := 1; m < 10; m++ {
			v := float64(m) * math.Pow(10, float64(e))
			if v < from || v > to {
				continue
			}
			t := plot.Tick{Value: v}
			labelled := m == 1 && e%every == 0
			if decades < 2 {
				labelled = m == 1 || m == 2 || m == 5
			}
			if labelled {
				t.Label = logLabel(v)
			} else if decades > 5 {
				continue
			}
			ticks = append(ticks, t)
		}
	}
	if countLabels(ticks) < 2 {
		// A narrow range may hold none of 1, 2 and 5.
		_, _, ticks = linearAxis(from, to, 5)
		ticks = slices.DeleteFunc(ticks, func(t plot.Tick) bool { return t.Value < from || t.Value > to })
	}
	return from, to, ticks
}

func countLabels(ticks fixedTicks) int {
	n := 0
	for _, t := range ticks {
		if t.Label != "" {
			n++
		}
	}
	return n
}

func logLabel(v float64) string {
	if v < 1e-4 {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return formatSI(v)
}

// percentTicks are 0 to 100 %.
func percentTicks() fixedTicks {
	var ticks fixedTicks
	for i := 0; i <= 100; i += 25 {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 100, Label: strconv.Itoa(i) + " %"})
	}
	return ticks
}

package hw

import (
	"fmt"
	"math"
	"strings"
)

// Point is one point of a Curve.
type Point struct {
	At         float64 // FLOPs or bytes of one layer call
	Efficiency float64 // reached share of the peak, above 0 and up to 1
}

// Curve is an efficiency by size of work: piecewise linear in log(At), constant
// beyond its ends. Points ascend in At. The empty curve is 1 everywhere.
type Curve []Point

// At returns the efficiency for work of size x.
func (c Curve) At(x float64) float64 {
	if len(c) == 0 {
		return 1
	}
	if !(x > c[0].At) {
		return c[0].Efficiency
	}
	for i := 1; i < len(c); i++ {
		if a, b := c[i-1], c[i]; x <= b.At {
			f := math.Log(x/a.At) / math.Log(b.At/a.At)
			return a.Efficiency + f*(b.Efficiency-a.Efficiency)
		}
	}
	return c[len(c)-1].Efficiency
}

// validate checks order and range.
func (c Curve) validate() error {
	for i, p := range c {
		if !(p.At > 0) || math.IsInf(p.At, 0) {
			return fmt.Errorf("point %d is at %v: a finite size above 0", i, p.At)
		}
		if i > 0 && !(p.At > c[i-1].At) {
			return fmt.Errorf("point %d is at %v, not above the one before, %v", i, p.At, c[i-1].At)
		}
		if !(p.Efficiency > 0 && p.Efficiency <= 1) {
			return fmt.Errorf("point %d has efficiency %v: a share above 0 and up to 1", i, p.Efficiency)
		}
		if i > 0 {
			if err := rises(c[i-1], p); err != nil {
				return fmt.Errorf("between points %d and %d %v", i-1, i, err)
			}
		}
	}
	return nil
}

// rises checks that time = size / efficiency does not fall from a to b. With an
// efficiency of e(ln x) that is de / d(ln x) <= e, and on a straight line in
// ln x it is tightest at the beginning.
func rises(a, b Point) error {
	limit := a.Efficiency * (1 + math.Log(b.At/a.At))
	if b.Efficiency > limit*(1+1e-9) {
		return fmt.Errorf("efficiency grows faster than work, from %v to %v: more work would take less time; at most %.4g there", a.Efficiency, b.Efficiency, limit)
	}
	return nil
}

// precisions lists every precision in the order of messages.
var precisions = []Precision{FP64, FP32, TF32, BF16, FP16, FP8, INT8}

// peak returns the peak for a precision. Only tf32 falls back, to fp32, of which
// it is a faster approximation.
func (d *Device) peak(p Precision) (float64, error) {
	v, ok := d.Peak[p]
	if !ok && p == TF32 {
		v, ok = d.Peak[FP32]
	}
	if ok {
		return float64(v), nil
	}
	var has []string
	for _, q := range precisions {
		if _, ok := d.Peak[q]; ok {
			has = append(has, string(q))
		}
	}
	return 0, fmt.Errorf("%s has no peak for %s: it has %s", d.Name, p, strings.Join(has, ", "))
}

// Compute returns the seconds of a layer call that needs flops operations and
// moves bytes: Overhead + max(flops / (peak x efficiency), bytes / (bandwidth x
// efficiency)), the roofline of Williams, Waterman and Patterson (CACM 52(4),
// 2009) with efficiencies by size. It errs when the device has no peak for p.
// Work must be finite and not negative.
func (d *Device) Compute(flops, bytes float64, p Precision) (float64, error) {
	if !(flops >= 0 && bytes >= 0) || math.IsInf(flops, 0) || math.IsInf(bytes, 0) {
		return 0, fmt.Errorf("%s: a layer call of %v FLOPs and %v bytes: both must be finite and not negative", d.Name, flops, bytes)
	}
	peak, err := d.peak(p)
	if err != nil {
		return 0, err
	}
	arithmetic, traffic := 0.0, 0.0
	if flops > 0 {
		arithmetic = flops / (peak * d.ComputeEfficiency.At(flops))
	}
	if bytes > 0 {
		traffic = bytes / (float64(d.Memory.Bandwidth) * d.MemoryEfficiency.At(bytes))
	}
	return d.Overhead.Seconds() + max(arithmetic, traffic), nil
}

// Seconds returns the time of gathering or scattering rows of bytes in all.
func (g Gather) Seconds(rows, bytes float64) float64 {
	return rows/float64(g.Rows) + bytes/float64(g.Bandwidth)
}

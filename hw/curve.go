package hw

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"stowage/hw/unit"
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

// Efficiency is the reached share of a device's peak for each precision. A precision
// without a curve reaches all of it.
type Efficiency map[Precision]Curve

// Flat is the same share for work of any size in any precision.
func Flat(share float64) Efficiency {
	e := Efficiency{}
	for _, p := range precisions {
		e[p] = Curve{{At: 1, Efficiency: share}}
	}
	return e
}

// tensor reports whether accelerators have units of their own for products in p.
func (p Precision) tensor() bool { return p != FP64 && p != FP32 }

// spread gives every precision that the device has a peak for a curve: one that was not
// measured reaches the same share with work that would take as long at the peak. It takes
// the curve of the nearest precision on the same units, or else of the nearest.
func (e Efficiency) spread(peaks map[Precision]unit.FLOPS) {
	measured := maps.Clone(e)
	for i, p := range precisions {
		if _, ok := peaks[p]; !ok || measured[p] != nil {
			continue
		}
		var from Precision
		least := math.MaxInt
		for k, q := range precisions {
			away := max(i-k, k-i)
			if p.tensor() != q.tensor() {
				away += len(precisions)
			}
			if measured[q] != nil && away < least {
				from, least = q, away
			}
		}
		if from != "" {
			e[p] = measured[from].scale(float64(peaks[p]) / float64(peaks[from]))
		}
	}
}

// scale returns the curve of a device that is so many times as fast.
func (c Curve) scale(by float64) Curve {
	scaled := slices.Clone(c)
	for i := range scaled {
		scaled[i].At *= by
	}
	return scaled
}

// Format returns the precision in which the device computes what is asked for in p.
// Formats for training that it does not have are computed in fp32, as frameworks do it
// where a network's precision is mixed: bf16 and fp16 are then how numbers are stored and
// sent. It errs when the device has no peak for p.
func (d *Device) Format(p Precision) (Precision, error) {
	if _, ok := d.Peak[p]; ok {
		return p, nil
	}
	if _, ok := d.Peak[FP32]; ok && (p == TF32 || p == BF16 || p == FP16) {
		return FP32, nil
	}
	var has []string
	for _, q := range precisions {
		if _, ok := d.Peak[q]; ok {
			has = append(has, string(q))
		}
	}
	return "", fmt.Errorf("%s has no peak for %s: it has %s", d.Name, p, strings.Join(has, ", "))
}

// Compute returns the seconds of a layer call that needs flops operations and
// moves bytes: Overhead + max(flops / (peak x efficiency), bytes / (bandwidth x
// efficiency)), the roofline of Williams, Waterman and Patterson (CACM 52(4),
// 2009) with efficiencies by size. It errs when the device does not
// compute in p. Work must be finite and not negative.
func (d *Device) Compute(flops, bytes float64, p Precision) (float64, error) {
	if !(flops >= 0 && bytes >= 0) || math.IsInf(flops, 0) || math.IsInf(bytes, 0) {
		return 0, fmt.Errorf("%s: a layer call of %v FLOPs and %v bytes: both must be finite and not negative", d.Name, flops, bytes)
	}
	format, err := d.Format(p)
	if err != nil {
		return 0, err
	}
	arithmetic, traffic := 0.0, 0.0
	if flops > 0 {
		arithmetic = flops / (float64(d.Peak[format]) * d.ComputeEfficiency[format].At(flops))
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

package hw

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw/unit"
)

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-12*max(math.Abs(a), math.Abs(b)) }

func TestCurve(t *testing.T) {
	c := Curve{{1e6, .2}, {1e8, .6}, {1e9, .8}}
	test := func(c Curve, x, want float64) {
		t.Helper()
		if got := c.At(x); !near(got, want) {
			t.Errorf("%v.At(%g) = %g, want %g", c, x, got, want)
		}
	}
	test(nil, 123, 1)
	test(Curve{{5, .5}}, 1, .5)
	test(Curve{{5, .5}}, 9, .5)
	test(c, 0, .2)
	test(c, 1, .2)
	test(c, 1e6, .2)
	test(c, 1e7, .4) // half way in the logarithm
	test(c, 1e8, .6)
	test(c, math.Sqrt(1e17), .7)
	test(c, 1e9, .8)
	test(c, 1e30, .8)
	test(c, math.Inf(1), .8)
}

// drawCurve draws a valid curve: each point is at most as efficient as the one
// before allows.
func drawCurve(t *rapid.T, label string) Curve {
	var c Curve
	for range rapid.IntRange(0, 5).Draw(t, label) {
		if len(c) == 0 {
			c = append(c, Point{rapid.Float64Range(1, 1e9).Draw(t, "at"), rapid.Float64Range(.001, 1).Draw(t, "efficiency")})
			continue
		}
		last := c[len(c)-1]
		at := last.At * rapid.Float64Range(1.01, 1e3).Draw(t, "step")
		limit := min(1, last.Efficiency*(1+math.Log(at/last.At)))
		c = append(c, Point{at, rapid.Float64Range(.001, limit).Draw(t, "efficiency")})
	}
	return c
}

// TestMoreWorkIsNeverFaster: on any device with valid curves, and on all the
// shipped ones, time rises with FLOPs and with bytes, and is at least what the
// peak and the bandwidth allow.
func TestMoreWorkIsNeverFaster(t *testing.T) {
	shippedTypes := Devices()
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(shippedTypes).Draw(t, "device")
		if rapid.Bool().Draw(t, "other curves") {
			copied := *d
			compute := drawCurve(t, "compute")
			copied.ComputeEfficiency = Efficiency{FP32: compute}
			copied.ComputeEfficiency.spread(copied.Peak)
			copied.MemoryEfficiency = drawCurve(t, "memory")
			for _, c := range []Curve{compute, copied.MemoryEfficiency} {
				if err := c.validate(); err != nil {
					t.Fatalf("drew an invalid curve %v: %v", c, err)
				}
			}
			d = &copied
		}
		p := rapid.SampledFrom(sortedKeys(byName(d))).Draw(t, "precision")
		size := rapid.Custom(func(t *rapid.T) float64 { return math.Pow(10, rapid.Float64Range(0, 16).Draw(t, "exponent")) - 1 })
		flops, bytes := size.Draw(t, "flops"), size.Draw(t, "bytes")
		moreFlops, moreBytes := flops*rapid.Float64Range(1, 100).Draw(t, "factor"), bytes*rapid.Float64Range(1, 100).Draw(t, "factor")
		compute := func(flops, bytes float64) float64 {
			s, err := d.Compute(flops, bytes, Precision(p))
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := compute(flops, bytes)
		bound := max(flops/float64(d.Peak[Precision(p)]), bytes/float64(d.Memory.Bandwidth)) + d.Overhead.Seconds()
		const exact = 1 - 1e-8
		if s < bound*exact {
			t.Fatalf("%g s for %g FLOPs and %g bytes, below the roofline's %g s", s, flops, bytes, bound)
		}
		if x := compute(moreFlops, bytes); x < s*exact {
			t.Fatalf("%g FLOPs take %g s, %g FLOPs take %g s", flops, s, moreFlops, x)
		}
		if x := compute(flops, moreBytes); x < s*exact {
			t.Fatalf("%g bytes take %g s, %g bytes take %g s", bytes, s, moreBytes, x)
		}
	})
}

func byName(d *Device) map[string]bool {
	m := map[string]bool{}
	for p := range d.Peak {
		m[string(p)] = true
	}
	return m
}

// TestCurveValidation holds the rule of rises against a dense scan of the curve.
func TestCurveValidation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := Point{1e6, rapid.Float64Range(.01, 1).Draw(t, "a")}
		b := Point{1e6 * rapid.Float64Range(1.1, 1e4).Draw(t, "step"), rapid.Float64Range(.01, 1).Draw(t, "b")}
		c := Curve{a, b}
		falls := false
		const steps = 2000
		for i, last := 0, 0.0; i <= steps; i++ {
			x := a.At * math.Pow(b.At/a.At, float64(i)/steps)
			time := x / c.At(x)
			falls = falls || time < last*(1-1e-9)
			last = time
		}
		if err := c.validate(); falls && err == nil {
			t.Fatalf("%v is accepted, yet time falls somewhere", c)
		} else if limit := a.Efficiency * (1 + math.Log(b.At/a.At)); err != nil && !falls && b.Efficiency > 1.01*limit {
			t.Fatalf("%v is refused, yet time never falls: %v", c, err)
		}
	})
	bad := func(c Curve, part string) {
		t.Helper()
		if err := c.validate(); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v: error %v, want one that says %q", c, err, part)
		}
	}
	bad(Curve{{0, .5}}, "above 0")
	bad(Curve{{math.Inf(1), .5}}, "finite")
	bad(Curve{{math.NaN(), .5}}, "finite")
	bad(Curve{{1, 0}}, "up to 1")
	bad(Curve{{1, 1.1}}, "up to 1")
	bad(Curve{{1, math.NaN()}}, "up to 1")
	bad(Curve{{2, .5}, {2, .6}}, "not above the one before")
	bad(Curve{{1e5, .05}, {1e6, .3}}, "more work would take less time") // the middle would, the ends would not
}

// TestSpread: where a precision was not measured, the nearest on the same units counts.
func TestSpread(t *testing.T) {
	peaks := map[Precision]unit.FLOPS{FP64: 1e12, FP32: 2e12, TF32: 8e12, FP16: 16e12, INT8: 32e12}
	e := Efficiency{FP32: {{1e6, .2}}, FP16: {{1e6, .4}}}
	e.spread(peaks)
	for p, want := range map[Precision]Point{FP64: {5e5, .2}, FP32: {1e6, .2}, TF32: {5e5, .4}, FP16: {1e6, .4}, INT8: {2e6, .4}} {
		if len(e[p]) != 1 || e[p][0] != want {
			t.Errorf("%s: %v, want %v", p, e[p], want)
		}
	}
	if e[BF16] != nil {
		t.Errorf("bf16 has a curve %v and no peak", e[BF16])
	}
	e = Efficiency{INT8: {{32, .5}}} // none on the units of fp32
	if e.spread(peaks); e[FP32][0] != (Point{2, .5}) || e[FP16][0] != (Point{16, .5}) {
		t.Errorf("from int8: %v", e)
	}
	if e = (Efficiency{}); len(e) != 0 || e[FP32].At(1) != 1 {
		t.Errorf("nothing measured: %v", e)
	}
}

// TestCompute: rooflines by hand.
func TestCompute(t *testing.T) {
	d := &Device{
		Name: "d", Overhead: 10_000, // 10 us
		Peak:              map[Precision]unit.FLOPS{FP32: 1e12, BF16: 4e12},
		Memory:            Memory{Capacity: 1 << 30, Bandwidth: 100e9},
		ComputeEfficiency: Efficiency{FP32: {{1e6, .25}, {1e8, .75}}},
		MemoryEfficiency:  Curve{{1e3, .5}},
	}
	d.ComputeEfficiency.spread(d.Peak)
	test := func(flops, bytes float64, p Precision, want float64) {
		t.Helper()
		got, err := d.Compute(flops, bytes, p)
		if err != nil || !near(got, want) {
			t.Errorf("Compute(%g, %g, %s) = %g, %v; want %g", flops, bytes, p, got, err, want)
		}
	}
	test(0, 0, FP32, 10e-6)
	test(1e6, 0, FP32, 10e-6+4e-6)           // 1e6 / (1e12 * 0.25)
	test(1e7, 0, FP32, 10e-6+20e-6)          // 1e7 / (1e12 * 0.5)
	test(3e9, 0, FP32, 10e-6+4e-3)           // 3e9 / (1e12 * 0.75)
	test(3e9, 0, BF16, 10e-6+1e-3)           // four times the peak
	test(4e7, 0, BF16, 10e-6+20e-6)          // four times the work in the same time: the same share
	test(3e9, 0, TF32, 10e-6+4e-3)           // no tf32: fp32
	test(3e9, 0, FP16, 10e-6+4e-3)           // no fp16, and bf16 is none
	test(0, 5e9, FP32, 10e-6+.1)             // 5e9 / (100e9 * 0.5)
	test(3e9, 5e9, FP32, 10e-6+.1)           // memory-bound
	test(3e9, 1e6, FP32, 10e-6+4e-3)         // compute-bound
	test(3e9, 200e6, FP32, 10e-6+4e-3)       // exactly on the ridge
	test(3e9, 200.1e6, FP32, 10e-6+4.002e-3) // and just past it

	for _, p := range []Precision{FP64, FP8, INT8, "posit8"} {
		_, err := d.Compute(1, 1, p)
		if err == nil || !strings.Contains(err.Error(), "it has fp32, bf16") || !strings.Contains(err.Error(), string(p)) {
			t.Errorf("%s: error %v, want one that names it and lists fp32, bf16", p, err)
		}
	}
	delete(d.Peak, FP32)
	if _, err := d.Compute(1, 1, FP32); err == nil {
		t.Error("fp32 fell back to another precision")
	}
	if _, err := d.Compute(1, 1, TF32); err == nil {
		t.Error("tf32 fell back to something else than fp32")
	}
	for _, bad := range [][2]float64{{-1, 0}, {0, -1}, {math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}, {0, math.Inf(1)}} {
		if s, err := d.Compute(bad[0], bad[1], BF16); err == nil {
			t.Errorf("Compute(%v, %v) = %v, want an error", bad[0], bad[1], s)
		}
	}
}

func TestGather(t *testing.T) {
	g := Gather{Rows: 1e9, Bandwidth: 350e9}
	if got, want := g.Seconds(1e6, 512e6), 1e-3+512e6/350e9; !near(got, want) {
		t.Errorf("a million rows of 512 B take %g s, want %g", got, want)
	}
	if got := g.Seconds(0, 0); got != 0 {
		t.Errorf("nothing takes %g s", got)
	}
}

// BenchmarkCompute costs two searches of a short curve, two logarithms and one
// map access; the floor is math.Log itself.
func BenchmarkCompute(b *testing.B) {
	d, err := LookupDevice("v100-16")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Compute(5e9, 5e7, FP32); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloorLog(b *testing.B) {
	x := 5e9
	for b.Loop() {
		x += math.Log(x)
	}
}

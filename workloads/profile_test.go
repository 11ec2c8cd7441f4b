package workloads

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestProfileAtByHand(t *testing.T) {
	p := Profile{Device: "v100-16", Points: []ProfilePoint{{8, 1, 2}, {16, 1.5, 4}, {64, 6, 10}}}
	for _, test := range []struct {
		batch             int
		forward, backward float64
		inside            bool
	}{
		{8, 1, 2, true},
		{16, 1.5, 4, true},
		{64, 6, 10, true},
		{12, 1.25, 3, true}, // half way
		{28, 2.625, 5.5, true},
		{4, 0.5, 1, false},   // the ray through (8, 1, 2)
		{128, 12, 20, false}, // the ray through (64, 6, 10)
		{0, 0, 0, false},
		{-3, 0, 0, false},
	} {
		f, b, inside := p.At(test.batch)
		if f != test.forward || b != test.backward || inside != test.inside {
			t.Errorf("At(%d) = %v, %v, %v; want %v, %v, %v", test.batch, f, b, inside, test.forward, test.backward, test.inside)
		}
	}
}

// A measured line through the origin is found again at every batch, and
// between two points no value leaves their range.
func TestProfileAtProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slope := rapid.Float64Range(0, 10).Draw(t, "slope")
		var line, any Profile
		batch := 0
		for range rapid.IntRange(1, 6).Draw(t, "points") {
			batch += rapid.IntRange(1, 50).Draw(t, "step")
			line.Points = append(line.Points, ProfilePoint{batch, slope * float64(batch), 2 * slope * float64(batch)})
			any.Points = append(any.Points, ProfilePoint{batch, rapid.Float64Range(0, 9).Draw(t, "f"), rapid.Float64Range(0, 9).Draw(t, "b")})
		}
		at := rapid.IntRange(1, 400).Draw(t, "at")
		f, b, inside := line.At(at)
		if want := slope * float64(at); math.Abs(f-want) > 1e-9*want || math.Abs(b-2*want) > 2e-9*want {
			t.Fatalf("At(%d) = %v, %v on the line %v", at, f, b, slope)
		}
		if inside != (at >= line.Points[0].Batch && at <= batch) {
			t.Fatalf("inside is %v at %d of %v", inside, at, line.Points)
		}
		f, _, inside = any.At(at)
		low, high := math.Inf(1), math.Inf(-1)
		for _, p := range any.Points {
			low, high = min(low, p.Forward), max(high, p.Forward)
		}
		if inside && (f < low-1e-9 || f > high+1e-9) {
			t.Fatalf("At(%d) = %v leaves %v to %v", at, f, low, high)
		}
	})
}

func TestLayerProfileIsFoundByDevice(t *testing.T) {
	l := Layer{Profiles: []Profile{{Device: "a100"}, {Device: "t4"}, {Device: "v100"}}}
	for _, device := range []string{"a100", "t4", "v100"} {
		if p := l.Profile(device); p == nil || p.Device != device {
			t.Errorf("Profile(%q) = %v", device, p)
		}
	}
	for _, device := range []string{"", "b", "zzz"} {
		if p := l.Profile(device); p != nil {
			t.Errorf("Profile(%q) = %v, want none", device, p)
		}
	}
}

package workloads

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestProfileAtByHand(t *testing.T) {
	p := Profile{Device: "v100-16", Points: []ProfilePoint{{8, 1, 2, 0}, {16, 1.5, 4, 0}, {64, 6, 10, 0}}}
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
			line.Points = append(line.Points, ProfilePoint{batch, slope * float64(batch), 2 * slope * float64(batch), 0})
			any.Points = append(any.Points, ProfilePoint{batch, rapid.Float64Range(0, 9).Draw(t, "f"), rapid.Float64Range(0, 9).Draw(t, "b"), 0})
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
		if more, moreBack, within := any.At(at + 1); inside && within && (more < f || moreBack < b0(any.At(at))) {
			t.Fatalf("At(%d) = %v, and At(%d) = %v is faster", at, f, at+1, more)
		}
	})
}

// b0 is the backward time of what At returns.
func b0(_, backward float64, _ bool) float64 { return backward }

// A batch of 1 that was disturbed takes as long as one of 2: forward 3 is as fast as 2.
func TestProfileAtLargerBatchesAreNotFaster(t *testing.T) {
	p := Profile{Points: []ProfilePoint{{1, 3, 1, 0}, {2, 2, 4, 0}, {4, 2.5, 3, 0}}}
	for _, test := range []struct {
		batch             int
		forward, backward float64
	}{{1, 2, 1}, {2, 2, 3}, {3, 2.25, 3}, {4, 2.5, 3}, {8, 5, 6}} {
		if f, b, _ := p.At(test.batch); f != test.forward || b != test.backward {
			t.Errorf("At(%d) = %v, %v; want %v, %v", test.batch, f, b, test.forward, test.backward)
		}
	}
}

func TestProfileUpdateIsOfTheNearestBatch(t *testing.T) {
	p := Profile{Points: []ProfilePoint{{2, 1, 1, 5}, {8, 2, 2, 6}}}
	for batch, want := range map[int]float64{1: 5, 2: 5, 5: 5, 6: 6, 8: 6, 100: 6} {
		if got := p.Update(batch); got != want {
			t.Errorf("Update(%d) = %v, want %v", batch, got, want)
		}
	}
	if none := (&Profile{}).Update(3); none != 0 {
		t.Errorf("without points, an update takes %v", none)
	}
}

func TestLayerProfileIsFoundByDeviceAndDegree(t *testing.T) {
	l := Layer{Profiles: []Profile{{Device: "a100"}, {Device: "t4", Tensor: 2}, {Device: "t4", Tensor: 8}, {Device: "v100"}}}
	for _, at := range []struct {
		device string
		degree int
	}{{"a100", 1}, {"t4", 2}, {"t4", 8}, {"v100", 1}, {"v100", 0}} {
		if p := l.Profile(at.device, at.degree); p == nil || p.Device != at.device || p.Degree() != max(1, at.degree) {
			t.Errorf("Profile(%q, %d) = %v", at.device, at.degree, p)
		}
	}
	for _, at := range []struct {
		device string
		degree int
	}{{"", 1}, {"b", 1}, {"zzz", 1}, {"t4", 1}, {"t4", 4}, {"a100", 2}} {
		if p := l.Profile(at.device, at.degree); p != nil {
			t.Errorf("Profile(%q, %d) = %v, want none", at.device, at.degree, p)
		}
	}
	if got := l.Degrees("t4"); len(got) != 2 || got[0] != 2 || got[1] != 8 {
		t.Errorf("degrees of t4: %v", got)
	}
}

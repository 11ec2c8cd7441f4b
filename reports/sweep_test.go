package reports

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw/unit"
	"stowage/sim"
)

// A trail that rises from 80 to 120 between 1000 and 4000 slots meets a level of 100
// half way: at the mean of the hit ratios and the geometric mean of the slots.
func TestCrossingOf(t *testing.T) {
	tr := &trail{
		points: []point{{0.2, 50}, {0.4, 80}, {0.6, 120}, {0.9, 160}},
		slots:  []float64{250, 1000, 4000, 16000},
	}
	x := crossingOf(tr, 100)
	if x.always || x.never || math.Abs(x.at.x-0.5) > 1e-12 || x.at.y != 100 || math.Abs(x.slots-2000) > 1e-9 {
		t.Errorf("got %+v, want 0.5 and 2000 slots", x)
	}
	if x := crossingOf(tr, 160); !x.never {
		t.Errorf("a level that is met and not passed: %+v", x)
	}
	if x := crossingOf(tr, 49); !x.always {
		t.Errorf("a level below all: %+v", x)
	}
	// A dip below the level: it is the last rise that counts.
	tr.points[2].y = 70
	if x := crossingOf(tr, 75); math.Abs(x.at.x-(0.6+0.3*5/90)) > 1e-12 {
		t.Errorf("after a dip: %+v", x)
	}
}

// Curves go by replacement policy in the order in which they appear, points by slots, and
// what cannot be run is in no curve.
func TestSweepCurves(t *testing.T) {
	r := sweptResult()
	slices.Reverse(r.Sweep.Points)
	for _, of := range []func(*sim.SweepPoint) (float64, bool){sweepHits, sweepThroughput} {
		curves := sweepCurves(r, of)
		if len(curves) != 2 || curves[0].name != "lru" || curves[1].name != "sieve" {
			t.Fatalf("curves %+v", curves)
		}
		for _, c := range curves {
			if len(c.points) != 8 || !slices.IsSortedFunc(c.points, func(a, b point) int { return int(a.x - b.x) }) {
				t.Errorf("%s: points %v", c.name, c.points)
			}
		}
	}
	if s := slotsSheet(r); !slices.Equal(s.gaps, []float64{1 << 26}) || len(s.levels) != 1 || s.levels[0].y != 61234 {
		t.Errorf("gaps %v, levels %+v", s.gaps, s.levels)
	}
	wide := sweepCurves(widelySweptResult(), sweepHits)
	if last := wide[len(wide)-1].name; len(wide) != 17 || last != "lru on npus" || wide[0].name != "lru on gpus" {
		t.Errorf("%d curves, the last is %q", len(wide), last)
	}
}

// All lines of a sheet of twenty differ, and none has the colour of a CPU's level.
func TestPolicyLines(t *testing.T) {
	seen := map[string]bool{}
	for i := range 20 {
		st := policyLine("x", i)
		key := strings.TrimSpace(strings.Join([]string{hex(st.Color), dashText(st.Dashes)}, " "))
		if seen[key] || st.Color == skyBlue {
			t.Errorf("line %d is %s again, or a CPU's", i, key)
		}
		seen[key] = true
	}
	if policyLine("min", 3).Color != ink {
		t.Error("MIN is not drawn in ink")
	}
}

func TestSplitMarks(t *testing.T) {
	s := slotSheet{
		curves: []slotCurve{{points: []point{{1000, 0}, {4000, 1}}}},
		marks:  []slotMark{{"far", 1e6}, {"b", 8000}, {"next", 8001}, {"a", 500}, {"low", 499}, {"none", 0}},
	}
	m := s.splitMarks(s.slotRange())
	names := func(marks []slotMark) (all []string) {
		for _, m := range marks {
			all = append(all, m.name)
		}
		return all
	}
	if b, n, a := names(m.below), names(m.near), names(m.above); !slices.Equal(b, []string{"none", "low"}) ||
		!slices.Equal(n, []string{"a", "b"}) || !slices.Equal(a, []string{"next", "far"}) {
		t.Errorf("below %v, near %v, above %v", b, n, a)
	}
	if got := farNames(m.above[1:]); got != "far (1 M slots)" {
		t.Errorf("far names %q", got)
	}
	if got := farNames(append(m.above, m.below...)); got != "next (8.001 k slots) and 3 more device types" {
		t.Errorf("far names %q", got)
	}
	// Data over a wide range leave more room: a fifth of five orders of magnitude.
	s.curves[0].points = []point{{10, 0}, {1e6, 1}}
	s.marks = []slotMark{{"within", 9e6}, {"beyond", 11e6}}
	if m := s.splitMarks(s.slotRange()); len(m.near) != 1 || len(m.above) != 1 {
		t.Errorf("near %v, above %v", m.near, m.above)
	}
}

// Names are at least a pitch apart, in order, within the panel where they fit, and not
// moved when they are apart.
func TestSpread(t *testing.T) {
	if got := spread([]float64{10, 50, 50, 90}, 10, 0, 100); !slices.Equal(got, []float64{10, 45, 55, 90}) {
		t.Errorf("got %v", got)
	}
	if got := spread([]float64{1, 2, 99, 99}, 10, 0, 100); !slices.Equal(got, []float64{0, 10, 90, 100}) {
		t.Errorf("at the sides: got %v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.SliceOfN(rapid.Float64Range(0, 500), 0, 20).Draw(t, "at")
		slices.Sort(at)
		got := spread(at, 10, 0, 500)
		apart := true
		for i := range got {
			if i > 0 && got[i] < got[i-1]+10-1e-9 || got[i] < -1e-9 || got[i] > 500+1e-9 {
				t.Fatalf("%v spreads to %v", at, got)
			}
			apart = apart && (i == 0 || at[i] >= at[i-1]+10)
		}
		if apart && !slices.Equal(got, at) {
			t.Fatalf("%v need not move to %v", at, got)
		}
	})
}

func hex(c interface{ RGBA() (r, g, b, a uint32) }) string {
	r, g, b, _ := c.RGBA()
	return unit.Bytes(r>>8<<16 | g>>8<<8 | b>>8).String()
}

func dashText[T ~float64](dashes []T) string {
	s := ""
	for _, d := range dashes {
		s += formatNumber(float64(d)) + ","
	}
	return s
}

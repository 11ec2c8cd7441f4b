package sim

import (
	"math"
	"testing"
)

func TestExpect(t *testing.T) {
	metrics := Metrics{{Name: "throughput", Value: 95, Unit: "samples/s"}}
	for _, c := range []struct {
		metric        string
		value, within float64
		gap           bool
		want          ExpectVerdict
		failed        bool
		error         float64
	}{
		{"throughput", 100, 0.05, false, Met, false, -0.05}, // just within
		{"throughput", 100, 0.0499, false, Missed, true, -0.05},
		{"throughput", 100, 0.0499, true, KnownMiss, false, -0.05},
		{"throughput", 100, 0.05, true, GapClosed, true, -0.05},
		{"throughput", 95, 0, false, Met, false, 0},
		{"throughput", 95.0001, 0, false, Missed, true, -0.0001 / 95.0001},
		{"throughput", -100, 0.5, false, Missed, true, 1.95},
		{"hit_ratio", 0.5, 0.5, false, NoFigure, true, math.NaN()},
		{"hit_ratio", 0.5, 0.5, true, NoFigure, true, math.NaN()}, // nothing misses it
	} {
		e := Expect([]Expectation{{Metric: c.metric, Value: c.value, Within: c.within, KnownGap: c.gap}}, metrics)[0]
		same := math.Abs(e.Error()-c.error) < 1e-12 || math.IsNaN(e.Error()) && math.IsNaN(c.error)
		if e.Verdict != c.want || e.Failed() != c.failed || !same {
			t.Errorf("%+v: %s, failed %t, error %v", c, e.Verdict, e.Failed(), e.Error())
		}
	}
}

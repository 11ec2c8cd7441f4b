package reports

import (
	"math"
	"testing"
)

// A range of a few units in the last place must not be cut into 1e16 steps.
func TestLinearAxisOfRounding(t *testing.T) {
	for _, v := range []float64{1e-9, 1, 980271.5, 1e17} {
		from, to, ticks := linearAxis(v, math.Nextafter(v, math.Inf(1)), 5)
		if len(ticks) < 2 || len(ticks) > 12 || !(from < v && v < to) {
			t.Errorf("%v: %d ticks from %v to %v", v, len(ticks), from, to)
		}
	}
}

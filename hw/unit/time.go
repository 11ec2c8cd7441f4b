package unit

import (
	"fmt"
	"math"
	"time"
)

// MaxTime is the longest simulated time, 2^53 ns or about 104 days: up to it
// every nanosecond is exact in the float64 clock of the event engine.
const MaxTime time.Duration = 1 << 53

// Seconds turns seconds into a duration, to the nearest nanosecond, halves away
// from zero. It is the only place where computed times become durations, so
// that nothing but a finite time of 0 to MaxTime reaches the engine. NaN,
// negative and longer times are errors.
func Seconds(s float64) (time.Duration, error) {
	switch {
	case math.IsNaN(s):
		return 0, fmt.Errorf("a time of NaN seconds: a rate or an amount before it is not a number")
	case s < 0:
		return 0, fmt.Errorf("a time of %g seconds: it must not be negative", s)
	}
	ns := math.Round(s * 1e9)
	if ns > float64(MaxTime) {
		return 0, fmt.Errorf("a time of %g seconds: the simulator's clock ends at %g seconds (104 days)", s, MaxTime.Seconds())
	}
	return time.Duration(ns), nil
}

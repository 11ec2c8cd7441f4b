package unit

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestSeconds(t *testing.T) {
	test := func(s float64, want time.Duration) {
		t.Helper()
		if got, err := Seconds(s); err != nil || got != want {
			t.Errorf("Seconds(%g) = %d, %v; want %d", s, got, err, want)
		}
	}
	test(0, 0)
	test(math.Copysign(0, -1), 0)
	test(1, time.Second)
	test(1.5e-9, 2)
	test(2.5e-9, 3) // away from zero, not to even
	test(0.4e-9, 0)
	test(1e-300, 0)
	test(MaxTime.Seconds(), MaxTime)
	for _, s := range []float64{math.NaN(), -1e-300, -1, math.Inf(1), math.Inf(-1), 9.1e6} {
		if got, err := Seconds(s); err == nil {
			t.Errorf("Seconds(%g) = %v, want an error", s, got)
		}
	}
}

// TestSecondsProperties: every duration up to about 12 days, where a float64
// of seconds still tells nanoseconds apart, survives; order is kept.
func TestSecondsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "ns"))
		if got, err := Seconds(float64(d) / 1e9); err != nil || got != d {
			t.Fatalf("%d ns came back as %d, %v", d, got, err)
		}
		a := rapid.Float64Range(0, 9e6).Draw(t, "a")
		b := rapid.Float64Range(a, 9e6).Draw(t, "b")
		x, errA := Seconds(a)
		y, errB := Seconds(b)
		if errA != nil || errB != nil || x > y {
			t.Fatalf("Seconds(%g) = %d, Seconds(%g) = %d; %v %v", a, x, b, y, errA, errB)
		}
	})
}

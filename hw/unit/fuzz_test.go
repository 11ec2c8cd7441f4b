package unit

import (
	"encoding/json"
	"fmt"
	"testing"
)

var seeds = []string{
	"32 GiB", "32GiB", "800 MB", "1.5 KiB", "9223372036854775807 B", "8 EiB", "0 B", "-1 B",
	"900 GB/s", "100 Gb/s", "100 Gbit/s", "100 Gbps", "15.7 TFLOPS", "130 TOPS", "3.1 GFLOP", "3EFLOP",
	"2.42 USD/h", "0.5 $/h", "2.4 Grows/s", "500 kIOPS", "5 us", "5 µs", "1.5 ms", "9007199254740992 ns", "104 h",
	"5 %", "5%", "0.05", "NaN", "Inf B", "1e999 B", "1e-999 B", "1e+5 B", "1e", "1e+ B", ".5 B", ".", "", " ", "0x10 B", "1_0 B", "\x00\xff",
}

// check is the property of every parser: no panic, and what parses prints and
// parses back, from text and from JSON.
func check[T interface {
	comparable
	text
}, P interface {
	*T
	UnmarshalText([]byte) error
	json.Unmarshaler
}](t *testing.T, s string, number func(T) float64) {
	var v T
	if err := P(&v).UnmarshalText([]byte(s)); err != nil {
		var zero T
		if v != zero {
			t.Fatalf("%q fails but leaves %v", s, number(v))
		}
	} else {
		roundTrip[T, P](t, v, number)
	}
	if err := P(&v).UnmarshalJSON([]byte(s)); err == nil {
		roundTrip[T, P](t, v, number)
	}
	_ = fmt.Sprint(v)
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check(t, s, bytesNumber)
		check(t, s, rateNumber)
		check(t, s, flopsNumber)
		check(t, s, flopNumber)
		check(t, s, priceNumber)
		check(t, s, rowRateNumber)
		check(t, s, durationNumber)
		check(t, s, ratioNumber)
		var r Ratio
		_ = r.UnmarshalTOML(s)
		Nearest(s, seeds)
	})
}

func FuzzSeconds(f *testing.F) {
	f.Add(0.0)
	f.Add(1.5e-9)
	f.Add(9.007199254740992e6)
	f.Add(-1.0)
	f.Fuzz(func(t *testing.T, s float64) {
		d, err := Seconds(s)
		if err == nil && (d < 0 || d > MaxTime || !(s >= 0)) || err != nil && d != 0 {
			t.Fatalf("Seconds(%g) = %d, %v", s, d, err)
		}
	})
}

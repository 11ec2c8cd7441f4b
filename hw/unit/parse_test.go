package unit

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestParseBytes(t *testing.T) {
	test := func(s string, want Bytes) {
		t.Helper()
		if got, err := ParseBytes(s); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", s, int64(got), err, int64(want))
		}
	}
	test("32 GiB", 34_359_738_368)
	test("32GiB", 34_359_738_368)
	test("  32  GiB ", 34_359_738_368)
	test("800 MB", 800_000_000)
	test("0 B", 0)
	test("0.0 GB", 0)
	test("1.5 KiB", 1536)
	test(".5 KiB", 512)
	test("1.1 KiB", 1126) // 1126.4
	test("1e3 kB", 1_000_000)
	test("2.5E-1 GB", 250_000_000)
	test("3EB", 3_000_000_000_000_000_000) // E belongs to the unit
	test("1 EiB", 1<<60)
	test("9007199254740993 B", 1<<53+1) // no float64 is that number
	test("9223372036854774784 B", maxInt)
	test("100 kB", 100_000)
	test("100 KB", 100_000)
}

func TestParseOthers(t *testing.T) {
	test := func(parse func(string) (float64, error), s string, want float64) {
		t.Helper()
		if got, err := parse(s); err != nil || got != want {
			t.Errorf("parse(%q) = %g, %v; want %g", s, got, err, want)
		}
	}
	test(rateKind.float, "900 GB/s", 900e9)
	for _, s := range []string{"100 Gb/s", "100Gbit/s", "100 Gbps"} {
		test(rateKind.float, s, 12.5e9)
	}
	test(rateKind.float, "1 KiB/s", 1024)
	test(rateKind.float, "8 b/s", 1)
	test(flopsKind.float, "15.7 TFLOPS", 15.7e12)
	test(flopsKind.float, "15.7 TFLOP/s", 15.7e12)
	test(flopsKind.float, "130 TOPS", 130e12)
	test(flopsKind.float, "1 EFLOPS", 1e18)
	test(flopKind.float, "3.1 GFLOP", 3.1e9)
	test(flopKind.float, "312 ZFLOP", 312e21)
	test(flopKind.float, "3EFLOP", 3e18)
	test(priceKind.float, "2.42 USD/h", 2.42)
	test(priceKind.float, "0.5 $/h", .5)
	test(priceKind.float, "0 USD/h", 0)
	test(rowRateKind.float, "2.4 Grows/s", 2.4e9)
	test(rowRateKind.float, "500 kIOPS", 500e3)
	test(ratioKind.float, "5 %", .05)
	test(ratioKind.float, "5%", .05)
	test(ratioKind.float, "0.05", .05)
	test(ratioKind.float, "150 %", 1.5)
	test(ratioKind.float, "1e-3", .001)
}

func TestParseDuration(t *testing.T) {
	test := func(s string, want time.Duration) {
		t.Helper()
		if got, err := ParseDuration(s); err != nil || time.Duration(got) != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	test("5 us", 5*time.Microsecond)
	test("5 \u00b5s", 5*time.Microsecond)
	test("5 \u03bcs", 5*time.Microsecond)
	test("1.5 ms", 1500*time.Microsecond)
	test("0.5 ns", 1) // half away from zero
	test("1.5 min", 90*time.Second)
	test("2 h", 2*time.Hour)
	test("9007199254740992 ns", MaxTime)
}

// TestParseErrors checks that each message quotes the value and names the fault,
// the units and an example.
func TestParseErrors(t *testing.T) {
	test := func(k *kind, s string, parts ...string) {
		t.Helper()
		parse := func(s string) error { _, err := k.float(s); return err }
		if k == &bytesKind || k == &durationKind {
			parse = func(s string) error { _, err := k.integer(s); return err }
		}
		err := parse(s)
		if err == nil {
			t.Errorf("%s %q is accepted", k.name, s)
			return
		}
		for _, part := range append(parts, k.units[0].name, k.example) {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s %q: error does not say %q:\n%v", k.name, s, part, err)
			}
		}
	}
	test(&bytesKind, "", `""`, "empty")
	test(&bytesKind, "  ", "empty")
	test(&bytesKind, "32", `"32"`, "no unit")
	test(&bytesKind, "GiB", "does not start with a number")
	test(&bytesKind, "1.2.3 GiB", "does not start with a number")
	test(&bytesKind, "-1 GiB", `"-1 GiB"`, "negative")
	test(&bytesKind, "NaN GiB", "does not start with a number")
	test(&bytesKind, "Inf B", "does not start with a number")
	test(&bytesKind, "0x10 B", "unknown unit")
	test(&bytesKind, "1,000 B", "unknown unit")
	test(&bytesKind, "32 Gib", `unknown unit "Gib"`, "did you mean GiB?")
	test(&bytesKind, "32 parsecs", `unknown unit "parsecs"`)
	test(&bytesKind, "8 EiB", "too large")
	test(&bytesKind, "9223372036854774785 B", "too large")
	test(&bytesKind, "9223372036854775808 B", "too large")
	test(&bytesKind, "9.3 EB", "too large")
	test(&bytesKind, "1e999999999999 B", "too large")
	test(&bytesKind, "0.1 B", "less than one B")
	test(&bytesKind, "1e-999 GB", "too small")
	test(&bytesKind, strings.Repeat("9", 1000)+" B", "too large", "…")
	test(&rateKind, "900 GB", `"900 GB"`, "did you mean GB/s?")
	test(&rateKind, "100 GBPS", "did you mean Gbps?")
	test(&flopsKind, "1e37 FLOPS", "too large")
	test(&flopKind, "3 GFLOPS", "did you mean GFLOP?")
	test(&priceKind, "2.42", "no unit")
	test(&priceKind, "2.42 EUR/h", "unknown unit")
	test(&rowRateKind, "2 rows", "did you mean rows/s?")
	test(&durationKind, "9007199254740993 ns", "too large")
	test(&durationKind, "105 days", "unknown unit")
	test(&durationKind, "2502 h", "too large")
	test(&ratioKind, "5 percent", "unknown unit")
	test(&ratioKind, "-5 %", "negative")
}

// TestTables holds the tables to their own rules: the base unit is first and
// is 1, no name twice, every example parses, every integer unit is whole.
func TestTables(t *testing.T) {
	for _, k := range kinds {
		seen := map[string]bool{}
		for _, u := range k.units {
			if seen[u.name] {
				t.Errorf("%s: unit %s twice", k.name, u.name)
			}
			seen[u.name] = true
		}
		if _, err := k.float(k.example); err != nil {
			t.Errorf("the example does not parse: %v", err)
		}
		if k.unit && k.units[0].factor() != 1 {
			t.Errorf("%s: %s is not the base unit", k.name, k.units[0].name)
		}
	}
	for _, k := range []*kind{&bytesKind, &durationKind} {
		for _, u := range k.units {
			if f := u.factor(); f < 1 || f != math.Trunc(f) {
				t.Errorf("%s: %s is %g base units, not a whole number", k.name, u.name, f)
			}
		}
	}
}

var kinds = []*kind{&bytesKind, &rateKind, &flopsKind, &flopKind, &priceKind, &rowRateKind, &durationKind, &ratioKind}

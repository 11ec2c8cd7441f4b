package unit

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearest(t *testing.T) {
	known := []string{"a100-40", "a100-80", "epyc-7763", "h100-80", "t4", "v100-16", "v100-32", "xeon-6148"}
	test := func(name, want string) {
		t.Helper()
		if got := Nearest(name, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", name, got, want)
		}
	}
	test("v10O", "v100-16")
	test("v100", "v100-16")
	test("V100-32", "v100-32")
	test("v100-23", "v100-32") // a swap
	test("a100-8", "a100-80")
	test("t5", "t4")
	test("xeno-6148", "xeon-6148")
	test("epyc7763", "epyc-7763")
	test("", "")
	test("z", "")
	test("gaudi2", "")
	test(strings.Repeat("v", 1000), "")
	if got := Nearest("x", nil); got != "" {
		t.Errorf("nothing is known, yet %q is near", got)
	}
}

// slowDistance is distance by its recursive definition.
func slowDistance(a, b []rune) int {
	if len(a) == 0 || len(b) == 0 {
		return len(a) + len(b)
	}
	x, y := a[len(a)-1], b[len(b)-1]
	cost := 1
	if x == y {
		cost = 0
	}
	d := min(slowDistance(a[:len(a)-1], b)+1, slowDistance(a, b[:len(b)-1])+1, slowDistance(a[:len(a)-1], b[:len(b)-1])+cost)
	if len(a) > 1 && len(b) > 1 && x == b[len(b)-2] && y == a[len(a)-2] {
		d = min(d, slowDistance(a[:len(a)-2], b[:len(b)-2])+1)
	}
	return d
}

func TestDistance(t *testing.T) {
	word := rapid.SliceOfN(rapid.RuneFrom([]rune("abc")), 0, 6)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := distance(a, b), slowDistance(a, b); got != want {
			t.Fatalf("distance(%q, %q) = %d, want %d", string(a), string(b), got, want)
		}
		if distance(a, b) != distance(b, a) {
			t.Fatalf("distance(%q, %q) is not symmetric", string(a), string(b))
		}
	})
}

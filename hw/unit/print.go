package unit

import (
	"fmt"
	"math"
	"strconv"
)

// digits is how many significant digits String shows.
const digits = 4

// human prints v for people: four significant digits in the printed unit that
// says it exactly and in the shortest way; when none does, in the largest unit
// that leaves at least 1. Decimal units win over binary ones when both are
// inexact.
func (k *kind) human(v float64) string {
	if v == 0 {
		return "0 " + k.units[0].name
	}
	if v < 0 {
		return "-" + k.human(-v)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64) + " " + k.units[0].name
	}
	best, rounded := "", ""
	var bestName, roundedName string
	for i, u := range k.units {
		x := v / u.factor()
		if !u.print || i > 0 && x < 1 {
			continue
		}
		text := short(x)
		back, err := k.float(text + " " + u.name)
		if err == nil && back == v && (best == "" || len(text) <= len(best)) {
			best, bestName = text, u.name
		}
		// Rounding up may leave the accepted range at its very end.
		if roundedName == "" || err == nil && !u.binary() {
			rounded, roundedName = text, u.name
		}
	}
	if best != "" {
		return best + " " + bestName
	}
	return rounded + " " + roundedName
}

// factor is the unit in base units; exact where it is a whole number.
func (u scale) factor() float64 { return u.mul * math.Pow10(u.exp) }

// binary reports whether the unit is a power of 1024.
func (u scale) binary() bool { return u.exp == 0 && u.mul >= 1<<10 }

// short prints x with at most four significant digits, without an exponent
// where a reader can do without.
func short(x float64) string {
	r, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits-1, 64), 64)
	if err != nil || r >= 1e6 || r < 1e-4 {
		return strconv.FormatFloat(x, 'g', digits, 64)
	}
	return strconv.FormatFloat(r, 'f', -1, 64)
}

// exactFloat is the text from which float gives v again, bit by bit: the human
// form when that is exact, else all digits in the base unit.
func (k *kind) exactFloat(v float64) ([]byte, error) {
	if !(v >= 0 && v <= k.limit) {
		return nil, fmt.Errorf("%s %v has no text form: it must be between 0 and %g %s", k.name, v, k.limit, k.units[0].name)
	}
	text := k.human(v)
	if back, err := k.float(text); err == nil && back == v {
		return []byte(text), nil
	}
	full := strconv.FormatFloat(v, 'g', -1, 64)
	if !k.unit {
		return []byte(full), nil
	}
	return []byte(full + " " + k.units[0].name), nil
}

// exactInteger is exactFloat for whole quantities.
func (k *kind) exactInteger(n int64) ([]byte, error) {
	if n < 0 || k.over(n) {
		return nil, fmt.Errorf("%s %d has no text form: it must be between 0 and %g %s", k.name, n, k.limit, k.units[0].name)
	}
	text := k.human(float64(n))
	if back, err := k.integer(text); err == nil && back == n {
		return []byte(text), nil
	}
	return []byte(strconv.FormatInt(n, 10) + " " + k.units[0].name), nil
}

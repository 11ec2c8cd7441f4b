package unit

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// errorf makes the error of a bad value: it quotes the value, says what is
// wrong, and lists what would have been accepted.
func (k *kind) errorf(s, format string, args ...any) error {
	const longest = 60 // a message is for reading
	if len(s) > longest {
		cut := longest
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "…"
	}
	return fmt.Errorf("bad %s %q: %s; want %s, as in %q", k.name, s, fmt.Sprintf(format, args...), k.accepted(), k.example)
}

// accepted lists the units in words.
func (k *kind) accepted() string {
	names := make([]string, len(k.units))
	for i, u := range k.units {
		names[i] = u.name
	}
	list := strings.Join(names, ", ")
	if !k.unit {
		return "a number, bare or with " + list
	}
	return "a number and one of " + list
}

// literal is a decimal number as written: digits (with or without a point) and
// a power of ten.
type literal struct {
	digits string
	exp    int
	whole  bool // neither point nor exponent: an integer
}

// scan cuts s into a number and the unit after it. It accepts what ParseFloat
// accepts in decimal, but no sign, no underscore, no hexadecimal and no names
// of infinities.
func (k *kind) scan(s string) (lit literal, name string, err error) {
	t := strings.TrimSpace(s)
	if t == "" {
		return literal{}, "", k.errorf(s, "it is empty")
	}
	if t[0] == '-' {
		return literal{}, "", k.errorf(s, "it must not be negative")
	}
	end, digits, points := 0, 0, 0
	for end < len(t) && (isDigit(t[end]) || t[end] == '.') {
		if t[end] == '.' {
			points++
		} else {
			digits++
		}
		end++
	}
	if digits == 0 || points > 1 {
		return literal{}, "", k.errorf(s, "it does not start with a number")
	}
	lit = literal{digits: t[:end], whole: points == 0}
	exp, rest := scanExponent(t[end:])
	if rest != t[end:] {
		lit.exp, lit.whole = exp, false
	}
	return lit, strings.TrimSpace(rest), nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// scanExponent reads "e-3" and the like. An E that no digit follows belongs to
// the unit ("3 EFLOP"). Absurd exponents are capped, since anything past the
// cap is out of every range already.
func scanExponent(s string) (exp int, rest string) {
	if s == "" || s[0] != 'e' && s[0] != 'E' {
		return 0, s
	}
	i, sign := 1, 1
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		if s[i] == '-' {
			sign = -1
		}
		i++
	}
	first := i
	for ; i < len(s) && isDigit(s[i]); i++ {
		exp = min(exp*10+int(s[i]-'0'), 1_000_000)
	}
	if i == first {
		return 0, s
	}
	return sign * exp, s[i:]
}

// find looks a unit up.
func (k *kind) find(s, name string) (scale, error) {
	if name == "" {
		if k.unit {
			return scale{}, k.errorf(s, "it has no unit")
		}
		return scale{mul: 1}, nil
	}
	names := make([]string, len(k.units))
	for i, u := range k.units {
		if u.name == name {
			return u, nil
		}
		names[i] = u.name
	}
	if near := Nearest(name, names); near != "" {
		return scale{}, k.errorf(s, "unknown unit %.20q, did you mean %s?", name, near)
	}
	return scale{}, k.errorf(s, "unknown unit %.20q", name)
}

// value is lit in the base unit, rounded once to float64.
func (k *kind) value(s string, lit literal, u scale) (float64, error) {
	// ParseFloat returns +Inf with its range error, which the limit catches;
	// no other error is left after scan.
	v, _ := strconv.ParseFloat(lit.digits+"e"+strconv.Itoa(lit.exp+u.exp), 64)
	v *= u.mul
	switch {
	case math.IsInf(v, 0) || v > k.limit:
		return 0, k.errorf(s, "it is too large")
	case v == 0 && strings.Trim(lit.digits, "0.") != "":
		return 0, k.errorf(s, "it is too small to tell from zero")
	}
	return v, nil
}

// float parses s into the base unit.
func (k *kind) float(s string) (float64, error) {
	lit, name, err := k.scan(s)
	if err != nil {
		return 0, err
	}
	u, err := k.find(s, name)
	if err != nil {
		return 0, err
	}
	return k.value(s, lit, u)
}

// over reports whether n exceeds the limit, exactly.
func (k *kind) over(n int64) bool { return n > int64(k.limit) }

// integer parses s into a whole number of base units, to the nearest one.
func (k *kind) integer(s string) (int64, error) {
	lit, name, err := k.scan(s)
	if err != nil {
		return 0, err
	}
	u, err := k.find(s, name)
	if err != nil {
		return 0, err
	}
	v, err := k.value(s, lit, u)
	if err != nil {
		return 0, err
	}
	if lit.whole { // exact above 2^53 too, where a float64 skips integers
		n, err := strconv.ParseInt(lit.digits, 10, 64)
		m := int64(u.factor())
		if err != nil || n > math.MaxInt64/m || k.over(n*m) {
			return 0, k.errorf(s, "it is too large")
		}
		return n * m, nil
	}
	r := math.Round(v)
	if r == 0 && v > 0 {
		return 0, k.errorf(s, "it is less than one %s", k.units[0].name)
	}
	return int64(r), nil
}

package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"stowage/hw/unit"
	"stowage/sim"
)

// significant is how many digits people get to see.
const significant = 4

// formatMetric prints a metric for people: the unit that reads best, four
// significant digits, counts in full.
func formatMetric(m sim.Metric) string {
	switch m.Unit {
	case "":
		return formatNumber(m.Value)
	case "s":
		return formatSeconds(m.Value)
	case "ratio":
		return formatShare(m.Value)
	case "B":
		return formatBytes(m.Value)
	case "USD/Msamples":
		return formatNumber(m.Value) + " USD per million samples"
	case "USD/h":
		return formatNumber(m.Value) + " USD per hour"
	}
	unit := printable(m.Unit)
	if slices.Contains(countedUnits, unit) && m.Value == 1 {
		unit = strings.TrimSuffix(unit, "s")
	}
	return formatNumber(m.Value) + " " + unit
}

// countedUnits are units that lose their s at one.
var countedUnits = []string{"schemes", "slots", "rounds"}

// formatNumber prints four significant digits without trailing zeros, thousands
// apart: 0.01235, 12.5, 123,457. Beyond 10^15 and below 10^-4 it uses an exponent.
func formatNumber(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a >= 1e15 || a < 1e-4:
		return strconv.FormatFloat(v, 'g', significant, 64)
	case a >= 999.95: // would round to 1000
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
	decimals := significant - 1 - int(math.Floor(math.Log10(a)))
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// formatCount prints a count in full; from 10^10 on, where nobody reads the
// digits, with an SI prefix.
func formatCount(n int64) string {
	if n >= 1e10 || n <= -1e10 {
		return formatSI(float64(n))
	}
	return thousands(strconv.FormatInt(n, 10))
}

// thousands puts a comma between groups of three digits of an integer.
func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// formatSeconds prints a time in the unit that leaves 1 to 1000, up to seconds;
// then minutes and hours from two of them on.
func formatSeconds(s float64) string {
	a := math.Abs(s)
	for _, u := range []struct {
		below, scale float64
		name         string
	}{
		{0.9999e-6, 1e9, "ns"}, {0.9999e-3, 1e6, "µs"}, {0.9999, 1e3, "ms"},
		{120, 1, "s"}, {7200, 1.0 / 60, "min"},
	} {
		if a != 0 && a < u.below {
			return formatNumber(s*u.scale) + " " + u.name
		}
	}
	if a == 0 {
		return "0 s"
	}
	return formatNumber(s/3600) + " h"
}

func formatDuration(d time.Duration) string { return formatSeconds(d.Seconds()) }

// formatShare prints a ratio in per cent with one decimal. A share that is not
// nothing is not printed as nothing.
func formatShare(v float64) string {
	if v > 0 && v < 0.0005 {
		return "< 0.1 %"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + " %"
}

// formatBytes prints memory in binary units, as memory is sold: 13 GiB. It
// differs from unit.Bytes.String, which takes the unit that is round, in that a
// column or an axis of it has one family of units.
func formatBytes(b float64) string {
	a, i := math.Abs(b), 0
	for a >= 1023.95 && i < len(binaryUnits)-1 {
		a /= 1024
		i++
	}
	return formatNumber(math.Copysign(a, b)) + " " + binaryUnits[i]
}

var binaryUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}

// formatMemory prints what is used and what there is, the unit once when both have it.
func formatMemory(used, capacity unit.Bytes) string {
	u := formatBytes(float64(used))
	if capacity <= 0 {
		return u
	}
	c := formatBytes(float64(capacity))
	number, name, _ := strings.Cut(u, " ")
	if _, other, _ := strings.Cut(c, " "); other == name {
		u = number
	}
	return u + " / " + c
}

// plural counts things: "1 layer", "7 layers".
func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return formatCount(int64(n)) + " " + noun
}

// siPrefixes go up by a factor of 1000.
var siPrefixes = []string{"", "k", "M", "G", "T", "P", "E"}

// formatSI prints v with an SI prefix and four significant digits: 1.235 M.
func formatSI(v float64) string {
	i := siIndex(v)
	s := formatNumber(v / math.Pow(1000, float64(i)))
	if i == 0 {
		return s
	}
	return s + " " + siPrefixes[i]
}

// siIndex is the power of 1000 that leaves the magnitude of v between 1 and
// 1000 after rounding; 0 for what is smaller.
func siIndex(v float64) int {
	a, i := math.Abs(v), 0
	for a >= 999.95 && i < len(siPrefixes)-1 {
		a /= 1000
		i++
	}
	return i
}

// printable makes text of a scenario fit for one line of a terminal: control
// characters, which could move the cursor or change colours, become "?".
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == unicode.ReplacementChar || !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// title is how a result is called for people.
func title(r *sim.Result) string {
	if t := printable(r.Title); t != "" {
		return t
	}
	if s := printable(r.Scenario); s != "" {
		return s
	}
	return "unnamed scenario"
}

// layerName is the name of layer i, or its number where the result has no name.
func layerName(r *sim.Result, i int) string {
	if i >= 0 && i < len(r.Scheme.LayerNames) {
		if n := printable(r.Scheme.LayerNames[i]); n != "" {
			return n
		}
	}
	return fmt.Sprintf("layer %d", i)
}

// layerSpan names the layers of a stage: "emb…fc1 (3)", or "emb…fc1 (3 of 5)"
// where the stage leaves out layers between its first and last.
func layerSpan(r *sim.Result, s *sim.Stage) string {
	first, last := layerName(r, s.First), layerName(r, s.Last)
	span, n := s.Last-s.First+1, len(s.Layers)
	if n == 0 {
		n = span
	}
	switch {
	case s.First == s.Last:
		return first
	case n < span:
		return fmt.Sprintf("%s…%s (%d of %d)", first, last, n, span)
	}
	return fmt.Sprintf("%s…%s (%d)", first, last, n)
}

// deviceCount names what a stage runs on: "v100-32 × 4", or where several devices compute
// every layer together "v100-32 × 2 × 2".
func deviceCount(s *sim.Stage) string {
	if n := s.TensorParallel; n > 1 {
		return fmt.Sprintf("%s × %d × %d", printable(s.Device), s.Devices/n, n)
	}
	return fmt.Sprintf("%s × %d", printable(s.Device), s.Devices)
}

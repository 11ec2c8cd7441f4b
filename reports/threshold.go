package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stowage/hw/unit"
)

// Threshold says how much worse a metric may get before it counts.
type Threshold struct {
	Share  float64 // of the old value
	Amount float64 // in the metric's unit
	Off    bool    // whatever it does, it does not count
}

// Thresholds are those of each metric; a metric that is not in it has the default.
type Thresholds map[string]Threshold

const (
	// exactShare lets arithmetic differ in its last digits, as it does between
	// processors that fuse multiplications and additions and those that do not.
	exactShare = 1e-9
	// gapAmount, in percentage points, is what that is of a gap: it is the difference of
	// two numbers that are nearly equal.
	gapAmount = 100 * 10 * exactShare
	// timeShare is how much longer searches may take: less is hard to tell from what
	// else the machine does.
	timeShare = 0.1
	// timeAlpha is below which p a wall-clock time has changed.
	timeAlpha = 0.05
)

// everyMetric names all metrics that no other threshold names.
const everyMetric = "all"

func (t Thresholds) of(metric string) Threshold {
	if one, ok := t[metric]; ok {
		return one
	}
	if one, ok := t[everyMetric]; ok && metric != SearchTime {
		return one
	}
	switch metric {
	case SearchTime:
		return Threshold{Share: timeShare}
	case "gap":
		return Threshold{Share: exactShare, Amount: gapAmount}
	}
	return Threshold{Share: exactShare}
}

// allowed is how far a metric may move from old for the worse.
func (t Threshold) allowed(old float64) float64 {
	if t.Off {
		return math.Inf(1)
	}
	return t.Share*math.Abs(old) + t.Amount
}

func (t Threshold) String() string {
	switch {
	case t.Off:
		return "off"
	case t.Share == exactShare:
		return "0"
	case t.Amount > 0:
		return strconv.FormatFloat(t.Amount, 'g', -1, 64)
	}
	return strconv.FormatFloat(100*t.Share, 'g', -1, 64) + "%"
}

// ParseThreshold reads METRIC=1%, METRIC=0.5 (in the metric's unit) or METRIC=off; the
// metric may be all, and commas stand between several.
func (t Thresholds) Parse(s string) error {
	for _, one := range strings.Split(s, ",") {
		metric, value, ok := strings.Cut(one, "=")
		metric, value = strings.TrimSpace(metric), strings.TrimSpace(value)
		if !ok {
			return fmt.Errorf("%q: want METRIC=SHARE%%, METRIC=AMOUNT or METRIC=off, as in throughput=1%%", one)
		}
		known := append(SuiteMetrics(), everyMetric)
		if !slices.Contains(known, metric) {
			hint := ""
			if near := unit.Nearest(metric, known); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			return fmt.Errorf("unknown metric %q%s (known: %s)", metric, hint, strings.Join(known, ", "))
		}
		limit, err := parseLimit(value)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", metric, value, err)
		}
		t[metric] = limit
	}
	return nil
}

func parseLimit(s string) (Threshold, error) {
	if s == "off" {
		return Threshold{Off: true}, nil
	}
	number, share := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !(v >= 0) || math.IsInf(v, 0) {
		return Threshold{}, fmt.Errorf("want a share such as 1%%, an amount in the metric's unit such as 0.5, both at least 0, or off")
	}
	if share {
		return Threshold{Share: v / 100}, nil
	}
	return Threshold{Amount: v}, nil
}

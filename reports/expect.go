package reports

import (
	"bytes"
	"fmt"
	"io"
	"math"

	"stowage/sim"
)

// Checked is what became of a scenario's expectations.
type Checked struct {
	Scenario string
	Expected []sim.Expected
}

// Failed reports whether any expectation came out other than the scenario says.
func (c *Checked) Failed() bool {
	for i := range c.Expected {
		if c.Expected[i].Failed() {
			return true
		}
	}
	return false
}

// ExpectSummary writes what became of expectations for people: reference, prediction and
// how far off it is, for every scenario, and the errors over all. No line of a table is
// wider than width terminal cells (0 means 80; less than 60 counts as 60).
func ExpectSummary(w io.Writer, all []Checked, width int) error {
	if width == 0 {
		width = defaultWidth
	}
	width = max(width, minWidth)
	g := grid{columns: []column{{"scenario, metric", false, true}, {"reference", true, false}, {"predicted", true, false}, {"delta", true, false}, {"within", true, false}, {"verdict", false, false}}}
	for i := range all {
		g.add(printable(all[i].Scenario), "", "", "", "", "")
		for j := range all[i].Expected {
			e := &all[i].Expected[j]
			g.add("  "+e.Metric, expectNumber(e.Value), expectNumber(e.Predicted), expectDelta(e), formatPercent(e.Within), string(e.Verdict))
		}
	}
	if len(g.rows) == 0 {
		return nil
	}
	var b bytes.Buffer
	if err := g.render(&b, width); err != nil {
		return err
	}
	fmt.Fprintln(&b)
	fmt.Fprint(&b, expectErrors("expectations", all, false), expectErrors("known gaps", all, true))
	_, err := w.Write(b.Bytes())
	return err
}

// expectNumber prints a value without its unit, which is the metric's.
func expectNumber(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	return shortNumber(v)
}

func expectDelta(e *sim.Expected) string {
	d := 100 * e.Error()
	switch {
	case math.IsNaN(d):
		return "–"
	case d == 0:
		return "0.00 %"
	case math.Abs(d) < 0.005:
		return "< 0.01 %"
	}
	return signedChange(d)
}

// expectErrors says how large the errors are, those of known gaps apart: these say what
// the model does not do, not how well it does what it does.
func expectErrors(what string, all []Checked, gaps bool) string {
	n, failed, sum, most := 0, 0, 0.0, 0.0
	for i := range all {
		for j := range all[i].Expected {
			e := &all[i].Expected[j]
			if e.KnownGap != gaps {
				continue
			}
			if e.Failed() {
				failed++
			}
			if d := math.Abs(e.Error()); !math.IsNaN(d) {
				n++
				sum += d
				most = max(most, d)
			}
		}
	}
	if n == 0 && failed == 0 {
		return ""
	}
	text := fmt.Sprintf("%s: %d, average error %.2f %%, maximum %.2f %%", what, max(n, failed), 100*sum/float64(max(1, n)), 100*most)
	if failed > 0 {
		text += fmt.Sprintf("; %d FAILED", failed)
	}
	return text + "\n"
}

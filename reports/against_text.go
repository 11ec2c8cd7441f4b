package reports

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"stowage/sim"
)

// AgainstSummary writes a comparison for people: for each experiment the metrics that
// moved, then what could not be compared, then the verdict. No line of a table is wider
// than width terminal cells (0 means 80; less than 60 counts as 60).
func AgainstSummary(w io.Writer, a *Against, width int) error {
	if width == 0 {
		width = defaultWidth
	}
	width = max(width, minWidth)
	var b bytes.Buffer
	fmt.Fprintf(&b, "against %s of stowage %s\n\n", printable(a.Baseline), printable(a.Old))
	for _, rows := range a.experiments() {
		if err := experimentText(&b, rows, width); err != nil {
			return err
		}
	}
	for _, n := range a.Faults {
		fmt.Fprintf(&b, "not compared: %s\n", printable(n.Text))
	}
	for _, n := range a.Notes {
		fmt.Fprintf(&b, "note: %s\n", printable(n.Text))
	}
	if len(a.Faults)+len(a.Notes) > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintln(&b, a.Conclusion())
	_, err := w.Write(b.Bytes())
	return err
}

// experiments cuts the rows into those of one experiment and pair of policies.
func (a *Against) experiments() [][]AgainstRow {
	var all [][]AgainstRow
	begin := 0
	for i := range a.Rows {
		if i+1 == len(a.Rows) || a.Rows[i].experiment() != a.Rows[i+1].experiment() {
			all = append(all, a.Rows[begin:i+1])
			begin = i + 1
		}
	}
	return all
}

// experiment names what a row is of.
func (r *AgainstRow) experiment() string {
	name := printable(r.Scenario) + ", " + printable(r.Placement)
	if r.Replacement != "" {
		name += ", " + printable(r.Replacement)
	}
	return name
}

func experimentText(w io.Writer, rows []AgainstRow, width int) error {
	g := grid{columns: []column{{"metric", false, true}, {"old", true, false}, {"new", true, false}, {"delta", true, false}, {"p", true, false}, {"n", true, false}, {"+/-", true, false}, {"verdict", false, false}}}
	for i := range rows {
		if r := &rows[i]; r.Verdict != Same || r.Metric.Name == SearchTime {
			old, now := r.values()
			g.add(r.Metric.Name, old, now, r.delta(), r.probability(), strconv.Itoa(r.N), r.directions(), r.verdictText())
		}
	}
	same := len(rows) - len(g.rows)
	if len(g.rows) == 0 {
		_, err := fmt.Fprintf(w, "%s: %s unchanged, n=%d\n\n", rows[0].experiment(), plural(same, "metric"), rows[0].N)
		return err
	}
	fmt.Fprintln(w, rows[0].experiment())
	if err := g.render(w, width); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s unchanged\n\n", plural(same, "metric"))
	return err
}

// values are the old and the new value in the unit that reads best.
func (r *AgainstRow) values() (old, now string) {
	show := func(v float64) string {
		if r.Metric.Unit == "USD/Msamples" || r.Metric.Unit == "samples/s" || r.Metric.Unit == "USD/h" {
			return shortNumber(v) // the metric's name says of what
		}
		return formatMetric(sim.Metric{Name: r.Metric.Name, Unit: r.Metric.Unit, Value: v})
	}
	return show(r.Old), show(r.New)
}

// delta is the relative change; of zero there is none.
func (r *AgainstRow) delta() string {
	switch {
	case r.Metric.Name == SearchTime && r.Verdict == Same:
		return "~"
	case r.Old == r.New:
		return "0.00 %"
	case r.Old == 0:
		return "from 0"
	}
	return signedChange(100 * (r.New - r.Old) / math.Abs(r.Old))
}

// signedChange prints a change that is not zero, so that it does not look like zero.
func signedChange(v float64) string {
	if math.Abs(v) < 0.005 {
		return fmt.Sprintf("%+.0e %%", v)
	}
	return fmt.Sprintf("%+.2f %%", v)
}

// probability is p; of one pair there is nothing to say.
func (r *AgainstRow) probability() string {
	if r.N < 2 {
		return "–"
	}
	return fmt.Sprintf("%.3f", r.P)
}

// directions counts the pairs that got better and worse; the rest did not move.
func (r *AgainstRow) directions() string {
	if r.Metric.Better == "" {
		return "–"
	}
	return fmt.Sprintf("%d/%d", r.Better, r.Worse)
}

func (r *AgainstRow) verdictText() string {
	if r.Metric.Name == SearchTime && r.N < 6 && r.Verdict == Same {
		return "same (n < 6)" // no p below 0.05 is possible
	}
	if r.Verdict == Worsened || r.Verdict == Tolerated && !r.Limit.Off {
		if r.Limit.Share != exactShare {
			return fmt.Sprintf("%s (limit %s)", r.Verdict, r.Limit)
		}
	}
	return string(r.Verdict)
}

// Conclusion says in a line what came out.
func (a *Against) Conclusion() string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{{a.Count(Worsened), "worse"}, {len(a.Faults), "not compared"}, {a.Count(Improved), "better"}, {a.Count(Tolerated), "worse within the threshold"}, {a.Count(Moved), "changed"}, {a.Count(Same), "the same"}} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(parts) == 0 {
		parts = []string{"nothing was compared"}
	}
	if a.Failed() {
		return "FAIL: " + strings.Join(parts, ", ")
	}
	return "fine: " + strings.Join(parts, ", ")
}

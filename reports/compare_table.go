package reports

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"

	"stowage/sim"
)

// CompareSummary writes a comparison for people: a line for each policy over its seeds,
// and what could not be compared. No line is wider than width terminal cells (0
// means 80; less than 60 counts as 60). Seconds are wall-clock time, and shown
// where they were measured.
func CompareSummary(w io.Writer, c *sim.Comparison, width int) error {
	if err := checkComparisons([]*sim.Comparison{c}); err != nil {
		return err
	}
	var b bytes.Buffer
	width = tableWidth(width)
	compareHead(&b, c, width)
	b.WriteByte('\n')
	var err error
	if c.By == sim.Replacements {
		err = replacementGrid(c).render(&b, width)
	} else {
		err = placementTable(&b, c, width)
	}
	if err != nil {
		return err
	}
	for _, note := range compareNotes(c) {
		b.WriteString(wrap(note, width))
	}
	_, err = w.Write(b.Bytes())
	return err
}

// tableWidth is the width to keep to where so much is asked for.
func tableWidth(width int) int {
	if width == 0 {
		width = defaultWidth
	}
	return max(width, minWidth)
}

func compareHead(w io.Writer, c *sim.Comparison, width int) {
	name := printable(c.Title)
	if name == "" {
		name = printable(c.Scenario)
	}
	parts := []string{"scenario " + printable(c.Scenario), c.By + " policies", plural(c.Seeds, "seed")}
	if c.Version != "" {
		parts = append(parts, "stowage "+printable(c.Version))
	}
	io.WriteString(w, shortenText(name, width)+"\n"+flow(parts, width))
	if c.By == sim.Replacements {
		return
	}
	parts = []string{"objective " + printable(c.Objective), printable(c.Fidelity) + " fitness in " + naturalUnit(c)}
	if limit, proven := c.Limit(); proven {
		v, _ := sim.Natural(c.Objective, limit)
		parts = append(parts, "no scheme is better than "+shortNumber(v))
	}
	io.WriteString(w, flow(parts, width))
}

// naturalUnit names the unit of the fitness that people ask for.
func naturalUnit(c *sim.Comparison) string {
	switch _, u := sim.Natural(c.Objective, 1); u {
	case "USD/Msamples":
		return "USD per million samples"
	case "s":
		return "seconds per step"
	default:
		return u
	}
}

// shortNumber is a number in few characters, for columns of which many stand side by side.
func shortNumber(v float64) string {
	if math.Abs(v) >= 99999.5 {
		return formatSI(v)
	}
	return formatNumber(v)
}

// placementTable is one table where that fits, else two: what policies found, and what it
// took.
func placementTable(w io.Writer, c *sim.Comparison, width int) error {
	one, found := placementGrid(c)
	if one.natural() <= width {
		return one.render(w, width)
	}
	first, second := grid{columns: one.columns[:found]}, grid{columns: slices.Concat(one.columns[:1], one.columns[found:])}
	for _, row := range one.rows {
		first.add(row[:found]...)
		second.add(slices.Concat(row[:1], row[found:])...)
	}
	if err := first.render(w, width); err != nil {
		return err
	}
	io.WriteString(w, "\n") // w is a buffer of CompareSummary
	return second.render(w, width)
}

// placementGrid has columns for what policies found, and from the returned one on for what
// it took. There is one for the distance to the best known where that is not proven to be
// the best there is.
func placementGrid(c *sim.Comparison) (g *grid, took int) {
	limit, proven := c.Limit()
	known := bestKnown(c)
	all := standings(c)
	g = &grid{columns: []column{{"placement", false, true}, {"best", true, false}, {"median", true, false}, {"worst", true, false}, {"gap", true, false}}}
	behind := proven && !attained(known, limit)
	if behind {
		g.columns = append(g.columns, column{"behind", true, false})
	}
	took = len(g.columns)
	g.columns = append(g.columns, column{"schemes", true, false})
	timed := slices.ContainsFunc(all, func(s standing) bool { return s.duration > 0 })
	if timed {
		g.columns = append(g.columns, column{"time", true, false})
	}
	g.columns = append(g.columns, column{"fits", true, false})
	for i := range all {
		s := &all[i]
		cells := append(append([]string{printable(s.policy)}, s.three(c)...), s.gapCell(c, limit, proven))
		if behind {
			cells = append(cells, s.gapCell(c, known, true))
		}
		cells = append(cells, formatNumber(math.Round(s.schemes)))
		if timed {
			cells = append(cells, shortSeconds(s.duration.Seconds()))
		}
		g.add(append(cells, s.feasible())...)
	}
	return g, took
}

// bestKnown is the best fitness that any run found.
func bestKnown(c *sim.Comparison) float64 {
	best := 0.0
	for i := range c.Runs {
		if f, ok := c.Runs[i].Fitness(); ok {
			best = max(best, f)
		}
	}
	return best
}

// attained reports whether a fitness is a limit, but for rounding.
func attained(fitness, limit float64) bool { return fitness >= limit*(1-1e-9) }

// shortSeconds prints a time in two or three digits.
func shortSeconds(s float64) string {
	if s <= 0 {
		return "0 s"
	}
	digits := math.Pow(10, math.Floor(math.Log10(s))-1)
	return formatSeconds(math.Round(s/digits) * digits)
}

// three are the best, the median and the worst of what a comparison is about.
func (s *standing) three(c *sim.Comparison) []string {
	if len(s.fit) == 0 {
		return []string{"–", "–", "–"}
	}
	values := s.worths(c)
	if c.By == sim.Placements {
		for i, f := range values {
			values[i], _ = sim.Natural(c.Objective, f)
		}
	}
	return []string{shortNumber(values[0]), shortNumber(median(values)), shortNumber(values[len(values)-1])}
}

// gapCell is the median gap; a mark says that it is only to the best known.
func (s *standing) gapCell(c *sim.Comparison, limit float64, proven bool) string {
	g, ok := s.gap(c, limit)
	if !ok {
		return "–"
	}
	cell := formatGap(g)
	if !proven {
		cell += bestKnownMark
	}
	return cell
}

// bestKnownMark marks gaps that are not to a proven bound.
const bestKnownMark = "*"

// formatGap prints per cent with two decimals, large ones with none. A gap that is not
// nothing is not printed as nothing.
func formatGap(g float64) string {
	switch {
	case g > 0 && g < 0.005:
		return "< 0.01 %"
	case g > -0.005 && g < 99.995:
		return fmt.Sprintf("%.2f %%", max(g, 0))
	}
	return formatNumber(g) + " %"
}

// feasible says in how many of its runs a policy found a scheme that fits.
func (s *standing) feasible() string {
	switch {
	case !s.once:
		return fmt.Sprintf("%d/%d", len(s.fit), len(s.runs))
	case len(s.fit) == 0:
		return "no"
	}
	return "once"
}

func replacementGrid(c *sim.Comparison) *grid {
	g := &grid{columns: []column{{"replacement", false, true}, {"hit ratio", true, false}, {"lookups", true, false}, {"stalled", true, false}, {"samples/s", true, false}, {"best", true, false}, {"worst", true, false}, {"fits", true, false}}}
	all := standings(c)
	for i := range all {
		s := &all[i]
		t := s.three(c)
		cells := []string{printable(s.policy)}
		for _, name := range []string{"hit_ratio", "lookup_hit_ratio", "stall_ratio"} {
			cell := "–"
			if v := s.metric(name); len(v) > 0 {
				cell = formatHits(median(v))
			}
			cells = append(cells, cell)
		}
		g.add(append(cells, t[1], t[0], t[2], s.feasible())...)
	}
	return g
}

// compareNotes says what the table leaves open.
func compareNotes(c *sim.Comparison) []string {
	var notes []string
	all := standings(c)
	if _, proven := c.Limit(); c.By == sim.Placements && !proven && slices.ContainsFunc(all, func(s standing) bool { return len(s.fit) > 0 }) {
		notes = append(notes, bestKnownMark+" to the best that any of these found: no bound is proven here")
	}
	if limit, proven := c.Limit(); c.By == sim.Placements && proven && !attained(bestKnown(c), limit) {
		notes = append(notes, "gap: to the proven bound; behind: the best that any of these found")
	}
	if c.By == sim.Placements && slices.ContainsFunc(all, func(s standing) bool { return s.once }) && c.Seeds > 1 {
		notes = append(notes, "once: the policy draws nothing, its answer is the same for every seed")
	}
	for _, s := range all {
		if len(s.fit) < len(s.runs) {
			for _, r := range s.runs {
				if r.Infeasible != "" {
					notes = append(notes, fmt.Sprintf("%s, seed %d: %s", printable(s.policy), r.Seed, printable(r.Infeasible)))
					break
				}
			}
		}
	}
	for _, s := range c.Skipped {
		notes = append(notes, fmt.Sprintf("not compared: %s: %s", printable(s.Policy), printable(s.Reason)))
	}
	if c.Stopped != "" {
		notes = append(notes, "note: "+printable(c.Stopped))
	}
	return notes
}

// CompareGaps writes how far the median of each placement policy is behind the best that
// any found, scenario by scenario, and below how far that may be from the best there
// is; then how many schemes it took to come near. Of each there are as many tables as
// the width asks for.
func CompareGaps(w io.Writer, all []*sim.Comparison, width int) error {
	width = tableWidth(width)
	var policies []string
	for _, c := range all {
		for _, s := range standings(c) {
			if !slices.Contains(policies, s.policy) {
				policies = append(policies, s.policy)
			}
		}
	}
	for i, k := range []struct {
		head string
		last string // the name of the last line; "": there is none
		cell func(c *sim.Comparison, s *standing) string
		sum  func(c *sim.Comparison) string
	}{
		{"median of each placement policy, behind the best that any found; last line: the gap of that best to the proven bound", "bound",
			func(c *sim.Comparison, s *standing) string { return s.gapCell(c, bestKnown(c), true) }, boundCell},
		{fmt.Sprintf("schemes evaluated until within %d %% of the best that any found, median", nearPerCent), "",
			func(c *sim.Comparison, s *standing) string { return s.reachCell(bestKnown(c)) }, nil},
	} {
		if i > 0 {
			io.WriteString(w, "\n") // an error will come again
		}
		if _, err := io.WriteString(w, wrap(k.head, width)); err != nil {
			return err
		}
		table := func(part []*sim.Comparison) grid { return scenarioGrid(policies, part, k.last, k.cell, k.sum) }
		if err := renderParts(w, all, width, table); err != nil {
			return err
		}
	}
	return nil
}

// renderParts renders as many comparisons to a table as fit.
func renderParts(w io.Writer, all []*sim.Comparison, width int, table func(part []*sim.Comparison) grid) error {
	for from := 0; from < len(all); {
		to := from + 1
		for to < len(all) {
			if wider := table(all[from : to+1]); wider.natural() > width {
				break
			}
			to++
		}
		g := table(all[from:to])
		if err := g.render(w, width); err != nil {
			return err
		}
		if from = to; from < len(all) {
			io.WriteString(w, "\n") // an error will come again
		}
	}
	return nil
}

// scenarioGrid has a row for each policy, a column for each comparison, and a last row of
// that name, if it has one.
func scenarioGrid(policies []string, all []*sim.Comparison, last string, cell func(*sim.Comparison, *standing) string, sum func(*sim.Comparison) string) grid {
	g := grid{columns: []column{{"placement", false, true}}}
	rows := make([][]string, len(policies), len(policies)+1)
	for i, p := range policies {
		rows[i] = []string{printable(p)}
	}
	if last != "" {
		rows = append(rows, []string{last})
	}
	for _, c := range all {
		g.columns = append(g.columns, column{shortenText(printable(c.Scenario), 16), true, false})
		of := standings(c)
		for i, p := range policies {
			text := "–"
			if k := slices.IndexFunc(of, func(s standing) bool { return s.policy == p }); k >= 0 {
				text = cell(c, &of[k])
			}
			rows[i] = append(rows[i], text)
		}
		if last != "" {
			rows[len(policies)] = append(rows[len(policies)], sum(c))
		}
	}
	for _, row := range rows {
		g.add(row...)
	}
	return g
}

// boundCell is the gap of the best known to the bound.
func boundCell(c *sim.Comparison) string {
	known := bestKnown(c)
	if limit, proven := c.Limit(); proven && known > 0 {
		return formatGap(sim.Gap(known, limit))
	}
	return "–"
}

// nearPerCent is how near to the best known is near.
const nearPerCent = 5

// reachCell is the median of the schemes evaluated until a run was near the best known; a
// dash when half of the runs never were.
func (s *standing) reachCell(known float64) string {
	var took []float64
	for _, r := range s.runs {
		at := math.Inf(1)
		for _, g := range historyOf(r) {
			if g.Best > 0 && sim.Gap(g.Best, known) <= nearPerCent {
				at = float64(g.Evaluations)
				break
			}
		}
		took = append(took, at)
	}
	if m := median(took); !math.IsInf(m, 1) && !math.IsNaN(m) {
		return formatNumber(math.Round(m))
	}
	return "–"
}

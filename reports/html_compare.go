package reports

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"stowage/sim"
)

// CompareHTML writes a comparison as one page for people, as HTML writes a run. Wall-clock
// figures stay out of it: it is a function of scenario, seeds and version.
func CompareHTML(w io.Writer, c *sim.Comparison) error {
	if err := checkComparisons([]*sim.Comparison{c}); err != nil {
		return err
	}
	return pageOfComparison(c).write(w)
}

func pageOfComparison(timed *sim.Comparison) *page {
	timeless := *timed
	c := &timeless
	c.Runs = slices.Clone(c.Runs)
	for i := range c.Runs {
		c.Runs[i].Elapsed = 0
	}
	p := &page{
		Title: comparisonTitle(c), Version: printable(c.Version), Verdict: comparisonVerdict(c),
		Kicker: "one experiment under several " + c.By + " policies", Function: "This file is a function of scenario, seeds and version alone.",
	}
	for _, f := range []fact{
		{"scenario", c.Scenario}, {"policies", strconv.Itoa(len(standings(c)))}, {"seeds", strconv.Itoa(c.Seeds)},
		{"stowage", c.Version}, {"objective", c.Objective}, {"fitness", c.Fidelity},
	} {
		if v := printable(f.Value); v != "" && v != "0" {
			p.Facts = append(p.Facts, fact{f.Name, v})
		}
	}
	if c.Stopped != "" {
		p.Warnings = []string{sentence(printable(c.Stopped))}
	}
	p.add(policiesSection(c))
	if c.By == sim.Placements {
		p.add(convergenceSection(c))
		p.add(paretoSection(c))
		p.add(schemesSection(c))
	} else {
		p.add(seedsSection(c))
	}
	p.add(againSection(c))
	return p
}

// comparisonVerdict says who did best.
func comparisonVerdict(c *sim.Comparison) string {
	all := slices.DeleteFunc(standings(c), func(s standing) bool { return len(s.fit) == 0 })
	if len(all) == 0 {
		return "No policy found a scheme that fits."
	}
	most := 0.0
	for i := range all {
		most = max(most, median(all[i].worths(c)))
	}
	var best []string
	for i := range all {
		if attained(median(all[i].worths(c)), most) {
			best = append(best, printable(all[i].policy))
		}
	}
	if c.By == sim.Replacements {
		return fmt.Sprintf("The most throughput at the median seed is with %s: %s samples/s.", joinWords(best), shortNumber(most))
	}
	v, _ := sim.Natural(c.Objective, most)
	say := fmt.Sprintf("The best at the median seed is that of %s: %s %s.", joinWords(best), shortNumber(v), naturalUnit(c))
	switch limit, proven := c.Limit(); {
	case !proven:
		say += " Whether there is anything better is not proven."
	case attained(most, limit):
		say += " No scheme is better, at the fidelity of these searches: that is proven."
	default:
		say += fmt.Sprintf(" No scheme can be more than %s better: that is proven.", formatGap(sim.Gap(most, limit)))
	}
	return say
}

// joinWords joins with commas and an "and".
func joinWords(words []string) string {
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
	return strings.Join(words, "")
}

func policiesSection(c *sim.Comparison) section {
	s := section{ID: "headline", Title: "Policies side by side", Lede: "Best, median and worst are over the seeds. Gap is how far the median is from the best that any scheme could reach."}
	g, _ := placementGrid(c)
	if c.By == sim.Replacements {
		g = replacementGrid(c)
		s.Lede = "Medians over the seeds, and the best and worst throughput. The first hit ratio counts unique rows of a round, the second every lookup."
	}
	t := tableOf("Policies side by side", g)
	t.Wide = true
	s.Parts = []part{{Table: t, Notes: compareNotes(c)}}
	return s
}

// maxSearchPoints is how many numbers of evaluations a chart of searches shows at most.
const maxSearchPoints = 400

func convergenceSection(c *sim.Comparison) section {
	s := section{ID: "convergence", Title: "How fast they come near"}
	all := convergences(c)
	if len(all) == 0 {
		return s
	}
	sheet := convergenceSheetOf(c, all)
	at := evaluationsShown(all)
	k := &chart{ID: "convergence", Title: "Best fitness by schemes evaluated", XLabel: "schemes evaluated", YLabel: naturalUnit(c), XKind: "count", PadX: true, Height: 380}
	k.Caption = "The best so far, median over the seeds. What is far from the best is left out."
	k.LogX = at[0] > 0 && at[len(at)-1] > 20*at[0]
	var d chartData
	for i := range all {
		colour, dash := lineStyle(i)
		line := chartLine{Label: printable(all[i].policy), Colour: colour, Dash: dash, Kind: "steps"}
		points := all[i].shown(at, sheet)
		if len(points) == 1 { // one scheme is no line
			line.Kind = "points"
		}
		d.add(line, points)
	}
	if sheet.bound > 0 && sheet.holds(sheet.bound) {
		k.Caption += " Dashed: no scheme is better."
		d.add(chartLine{Label: "no scheme is better", Colour: "--soft", Kind: "dashes"}, []point{{at[0], sheet.bound}, {at[len(at)-1], sheet.bound}})
	}
	s.Parts = chartParts(d.into(k), "; convergence.csv has all")
	return s
}

// evaluationsShown are the numbers of evaluations at which something changes; of very many
// every so many, and the last.
func evaluationsShown(all []convergence) []float64 {
	var at []float64
	for i := range all {
		for _, s := range all[i].steps {
			at = append(at, float64(s.evaluations))
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	if len(at) <= maxSearchPoints {
		return at
	}
	last := at[len(at)-1]
	kept := []float64{}
	ratio := math.Pow(last/max(at[0], 1), 1.0/maxSearchPoints)
	for _, x := range at {
		if n := len(kept); n == 0 || x >= kept[n-1]*ratio || x == last {
			kept = append(kept, x)
		}
	}
	return kept
}

// shown is the median at the given numbers of evaluations, from the first to the last of a
// policy, as far as it is on the sheet.
func (k *convergence) shown(at []float64, sheet convergenceSheet) (points []point) {
	next := 0
	for _, x := range at {
		for next < len(k.steps) && float64(k.steps[next].evaluations) <= x {
			next++
		}
		if next == 0 || x > float64(k.steps[len(k.steps)-1].evaluations) {
			continue
		}
		if m := k.steps[next-1].median; !math.IsNaN(m) && sheet.holds(m) {
			points = append(points, point{x, m})
		}
	}
	return points
}

func paretoSection(c *sim.Comparison) section {
	s := section{ID: "trade", Title: "Throughput against cost"}
	all := fronts(c)
	if len(all) == 0 {
		return s
	}
	sheet := sheetOf(all)
	k := &chart{ID: "pareto", Title: "Throughput against cost", XLabel: "USD per million samples", YLabel: "samples/s", PadX: true, Height: 380}
	k.Caption = "Schemes that a policy saw, over all seeds, and that no other one it saw beats in both. Rings are target schemes. A point to its left is cheaper, one above it faster."
	var d chartData
	var targets []point
	for i := range all {
		colour, dash := lineStyle(i)
		var points []point
		for _, p := range all[i].points {
			if sheet.holds(p) {
				points = append(points, point{p.Cost, p.Throughput})
			}
		}
		if len(points) > 0 {
			d.add(chartLine{Label: printable(all[i].policy), Colour: colour, Dash: dash, Kind: "both"}, points)
		}
		if t := all[i].chosen; t != nil && sheet.holds(*t) {
			targets = append(targets, point{t.Cost, t.Throughput})
		}
	}
	if len(d.lines) == 0 {
		return s
	}
	// Of several at one cost the fastest, which is added last, has the ring.
	slices.SortStableFunc(targets, func(a, b point) int { return cmp.Compare(a.y, b.y) })
	if len(targets) > 0 {
		d.add(chartLine{Label: "target schemes", Colour: "--soft", Kind: "ring"}, targets)
	}
	d.into(k)
	k.LogX, k.LogY = wideSpan(k.X, 20), wideSpan(k.ys(), 20)
	s.Parts = chartParts(k, "; pareto.csv has all")
	return s
}

func schemesSection(c *sim.Comparison) section {
	s := section{ID: "schemes", Title: "Target schemes", Lede: "Each policy's at its best seed, the best first. A frame is a stage; the bar under it is the share of time that it computes."}
	all := sharedSchemes(c)
	if len(all) == 0 {
		return s
	}
	_, colours := schemesColours(all)
	for i := range all[:min(len(all), maxSchemes)] {
		one := &all[i]
		drawn := schemeOfPage(one.result, colours)
		drawn.Name = "Target scheme of " + printable(strings.Join(one.policies, ", "))
		drawn.Label = fmt.Sprintf("%s: %s in %s", drawn.Name, plural(len(one.result.Scheme.Layers), "layer"), plural(len(one.result.Scheme.Stages), "stage"))
		s.Parts = append(s.Parts, part{Heading: printable(strings.Join(one.policies, ", ")), Scheme: drawn, Notes: []string{schemeFigures(c, one)}})
	}
	var legend []legendEntry
	devices, _ := schemesColours(all)
	for _, name := range devices {
		legend = append(legend, legendEntry{printable(name), cssColour(colours[name])})
	}
	end := part{Legend: legend}
	if n := len(all); n > maxSchemes {
		end.Notes = []string{fmt.Sprintf("These are the best %d of %d schemes; schemes.csv has all.", maxSchemes, n)}
	}
	s.Parts = append(s.Parts, end)
	return s
}

// seedsSection shows what every seed gave under each replacement policy.
func seedsSection(c *sim.Comparison) section {
	s := section{ID: "seeds", Title: "Seed by seed"}
	for _, m := range spreads(c) {
		k := &chart{ID: "seeds-" + m.name, Title: strings.TrimSuffix(sentence(m.label), "."), XLabel: "seed", YLabel: m.label, XKind: "count", PadX: true}
		k.Caption = "A point for each run: how much depends on the lookups that a seed draws."
		if m.ratio {
			k.YKind = "share"
		}
		var d chartData
		for i, one := range standings(c) {
			colour, dash := lineStyle(i)
			var points []point
			for _, r := range one.runs {
				if v, ok := r.Metrics.Get(m.name); ok && r.Infeasible == "" {
					points = append(points, point{float64(r.Seed), v.Value})
				}
			}
			if len(points) > 0 {
				d.add(chartLine{Label: printable(one.policy), Colour: colour, Dash: dash, Kind: "both"}, points)
			}
		}
		if len(d.lines) > 0 {
			s.Parts = append(s.Parts, chartParts(d.into(k), "; spread.csv has all")...)
		}
	}
	return s
}

func againSection(c *sim.Comparison) section {
	s := section{ID: "reproduce", Title: "How to reproduce this"}
	var names []string
	for _, one := range standings(c) {
		names = append(names, one.policy)
	}
	if len(names) == 0 {
		return s
	}
	first := c.Runs[0].Seed
	resolved := ""
	for i := range c.Runs {
		first = min(first, c.Runs[i].Seed)
		if r := c.Runs[i].Result; r != nil && resolved == "" {
			resolved = r.Resolved
		}
	}
	file := scenarioFile(c.Scenario)
	s.Parts = []part{{Pre: fmt.Sprintf("stowage compare %s --%s %s --seeds %d --seed %d", shellQuoted(file), c.By, shellQuoted(strings.Join(names, ",")), c.Seeds, first)}}
	if resolved != "" {
		s.Lede = fmt.Sprintf("Save the scenario below as %s, in the folder of the one that it was made from if it names files, and compare with stowage %s.", file, printable(c.Version))
		s.Parts = append(s.Parts, part{Heading: "The scenario as it was run", Notes: []string{"Under the first of the policies, with the defaults that it left open."}, Pre: resolved})
	}
	return s
}

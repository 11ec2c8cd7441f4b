package reports

import (
	"fmt"
	"slices"

	"stowage/sim"
)

// chartParts are a chart and its data as a table.
func chartParts(c *chart, more string) []part {
	return []part{{Chart: c}, {Table: c.table(more)}}
}

func roundsSection(r *sim.Result) section {
	s := section{ID: "rounds", Title: "Throughput by round"}
	if len(r.Rounds) == 0 {
		return s
	}
	c := &chart{ID: "throughput", Title: "Throughput by round", XLabel: "round", YLabel: "samples/s", XKind: "count", PadX: len(r.Rounds) <= shortRun}
	var d chartData
	groups := roundGroups(r.Rounds)
	rate := func(d *sim.Round) (amount, weight float64) {
		// Samples over time: the mean of rates would favour short rounds.
		return d.Throughput * d.StepTime.Seconds(), d.StepTime.Seconds()
	}
	c.Caption = "Samples of a round over the time that it took."
	rounds := chartLine{Label: "a round", Colour: "--c0", Kind: "points", Faint: true}
	var mean []point
	switch {
	case len(r.Rounds) <= shortRun:
		rounds.Kind, rounds.Faint = "both", false
	case len(groups) == len(r.Rounds):
		window := rollingWindow(len(r.Rounds))
		mean = rolling(r.Rounds, window, rate)
		c.Caption = fmt.Sprintf("Dots are rounds: samples over the time that the round took. The line is the mean of %d rounds.", window)
	default:
		rounds.Label = fmt.Sprintf("slowest round of %d", groups[0].n)
		d.add(chartLine{Label: fmt.Sprintf("fastest round of %d", groups[0].n), Colour: "--c0", Faint: true}, pointsOf(groups, func(g *roundGroup) float64 { return g.fastest }))
		rounds.Kind = ""
		mean = pointsOf(groups, func(g *roundGroup) float64 { return g.samples / g.seconds })
		c.Caption = fmt.Sprintf("Mean, slowest and fastest of every %d rounds.", groups[0].n)
	}
	d.add(rounds, pointsOf(groups, func(g *roundGroup) float64 { return g.slowest }))
	if len(mean) > 0 {
		d.add(chartLine{Label: "mean", Colour: "--c0"}, mean)
	}
	addReference(&d, c, r, groups)
	d.into(c)
	c.LogY = wideSpan(c.ys(), 200)
	c.From0 = !c.LogY // a height must mean an amount
	s.Parts = chartParts(c, "; "+RoundsFile+" has all rounds")
	return s
}

// addReference draws what one step takes with nothing contending, where that is near.
func addReference(d *chartData, c *chart, r *sim.Result, groups []roundGroup) {
	x, ok := r.Metrics.Get("recurrence_throughput")
	most := 0.0
	for _, g := range groups {
		most = max(most, g.fastest)
	}
	if !ok || x.Value <= 0 || x.Value >= 3*most {
		return
	}
	c.Caption += " Dashed: one step by the exact recurrence, nothing contending."
	line := []point{{groups[0].x, x.Value}, {groups[len(groups)-1].x, x.Value}}
	d.add(chartLine{Label: "by recurrence", Colour: "--c6", Kind: "dashes"}, line)
}

// roundGroup is one round, or several where there are very many.
type roundGroup struct {
	x                float64
	n                int
	slowest, fastest float64 // samples/s
	samples, seconds float64
	hits, unique     float64
}

// roundGroups are at most about maxChartPoints groups of as many rounds each.
func roundGroups(rounds []sim.Round) []roundGroup {
	size := (len(rounds) + maxChartPoints - 1) / maxChartPoints
	var groups []roundGroup
	for some := range slices.Chunk(rounds, size) {
		g := roundGroup{x: float64(some[0].Round), n: len(some), slowest: some[0].Throughput}
		for i := range some {
			d := &some[i]
			g.slowest, g.fastest = min(g.slowest, d.Throughput), max(g.fastest, d.Throughput)
			g.samples += d.Throughput * d.StepTime.Seconds()
			g.seconds += d.StepTime.Seconds()
			if d.Slots != nil {
				g.hits += float64(d.Slots.Hits)
				g.unique += float64(d.Slots.Unique)
			}
		}
		groups = append(groups, g)
	}
	return groups
}

func pointsOf(groups []roundGroup, y func(g *roundGroup) float64) (points []point) {
	for i := range groups {
		points = append(points, point{groups[i].x, y(&groups[i])})
	}
	return points
}

func slotsSection(r *sim.Result) section {
	s := section{ID: "slots", Title: "Embedding rows in slots"}
	g := slotsGrid(r)
	if g == nil {
		return s
	}
	s.Lede = "How many of the rows that a round needs were in accelerator memory already, and what it took to get the others there."
	c := &chart{ID: "hits-by-round", Title: "Hit ratio by round", XLabel: "round", YLabel: "hit ratio", XKind: "count", YKind: "share", PadX: len(r.Rounds) <= shortRun}
	groups := slices.DeleteFunc(roundGroups(r.Rounds), func(g roundGroup) bool { return g.unique == 0 })
	c.Caption = "Unique rows that were in a slot when their round was planned."
	line := chartLine{Label: "hit ratio", Colour: "--c2"}
	if len(r.Rounds) <= shortRun {
		line.Kind = "both"
	}
	var d chartData
	d.add(line, pointsOf(groups, func(g *roundGroup) float64 { return g.hits / g.unique }))
	if len(groups) > 0 {
		s.Parts = chartParts(d.into(c), "; "+RoundsFile+" has all rounds")
	}
	s.Parts = append(s.Parts, part{Heading: "What the slot tables did", Table: tableOf("What the slot tables did", g)})
	if len(r.Curves) > 0 {
		s.Parts = append(s.Parts, curvesParts(r)...)
	}
	return s
}

// curvesParts say how many slots are worth their memory.
func curvesParts(r *sim.Result) []part {
	c := &chart{ID: "curves", Title: "Hit ratio by number of slots", XLabel: "slots", YLabel: "hit ratio", YKind: "share", LogX: true}
	c.Caption = "What other sizes of the slot tables would reach, the first quarter of the rounds left out. The ring is the scenario's size."
	var d chartData
	drawn := 0
	for i := range r.Curves {
		k := &r.Curves[i]
		var points []point
		for _, p := range curvePoints(k) {
			points = append(points, point{float64(p.Slots), p.Warm})
		}
		if len(points) == 0 {
			continue
		}
		if drawn == len(chartColours) {
			c.Caption += fmt.Sprintf(" %s more are in %s.", plural(len(r.Curves)-i, "layer"), ResultFile)
			break
		}
		colour, dash := lineStyle(drawn)
		drawn++
		d.add(chartLine{Label: printable(k.Layer), Colour: colour, Dash: dash, Kind: "both"}, points)
		if _, warm, ok := curveAt(k, k.Slots); ok {
			d.add(chartLine{Label: "scenario: " + printable(k.Layer), Colour: colour, Kind: "ring"}, []point{{float64(k.Slots), warm}})
		}
	}
	parts := []part{{Heading: "How many slots are worth their memory", Table: tableOf("Slots of each layer", curvesGrid(r))}}
	if drawn > 0 {
		parts = append(parts, chartParts(d.into(c), "")...)
	}
	return parts
}

func tradeSection(r *sim.Result) section {
	s := section{ID: "trade", Title: "Throughput against cost"}
	if r.Search == nil || len(r.Search.Front) == 0 {
		return s
	}
	c := &chart{ID: "pareto", Title: "Throughput against cost", XLabel: "USD per million samples", YLabel: "samples/s", PadX: true}
	c.Caption = "Schemes that the search saw and that no other one beats in both, by the fidelity of the search. The ring is the target scheme; a point to its left is cheaper, one above it faster."
	var front, xs []point
	for _, p := range r.Search.Front {
		front, xs = append(front, point{p.Cost, p.Throughput}), append(xs, point{p.Cost, p.Throughput})
	}
	var d chartData
	line := chartLine{Label: "the best for its cost", Colour: "--c0", Kind: "both"}
	if len(front) > 60 {
		line.Kind = "steps"
	}
	d.add(line, front)
	if t := r.Search.Target; t != nil {
		d.add(chartLine{Label: "target scheme", Colour: "--c1", Kind: "ring"}, []point{{t.Cost, t.Throughput}})
		xs = append(xs, point{t.Cost, t.Throughput})
	}
	var costs, rates []float64
	for _, p := range xs {
		costs, rates = append(costs, p.x), append(rates, p.y)
	}
	c.LogX, c.LogY = wideSpan(costs, 20), wideSpan(rates, 20)
	s.Parts = chartParts(d.into(c), "; "+ResultFile+" has all")
	return s
}

func sweepSection(r *sim.Result) section {
	s := section{ID: "sweep", Title: "Other slot tables"}
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return s
	}
	s.Lede = fmt.Sprintf("What the target scheme would do with layer %s on other pools, and with other slot tables.", printable(r.Sweep.Layer))
	c := &chart{ID: "sweep-throughput", Title: "Throughput by number of slots", XLabel: "slots", YLabel: "samples/s", LogX: true, From0: true}
	c.Caption = "Over the last quarter of the rounds. Dashed: the layer on a CPU, without slots."
	curves := sweepCurves(r, sweepThroughput)
	var d chartData
	lo, hi := 0.0, 0.0
	for i, k := range curves {
		colour, dash := lineStyle(i)
		d.add(chartLine{Label: k.name, Colour: colour, Dash: dash, Kind: "both"}, k.points)
		for _, p := range k.points {
			if lo == 0 || p.x < lo {
				lo = p.x
			}
			hi = max(hi, p.x)
		}
	}
	for _, l := range sweepLevels(r) {
		d.add(chartLine{Label: l.name, Colour: "--c6", Kind: "dashes"}, []point{{lo, l.y}, {hi, l.y}})
	}
	if len(curves) > 0 {
		s.Parts = append(s.Parts, part{Chart: d.into(c)})
	}
	t := tableOf("Points of the sweep", sweepGrid(r))
	if len(t.Rows) > maxSweepRows {
		t.Folded = "All points of the sweep"
	}
	s.Parts = append(s.Parts, part{Table: t, Notes: append(sweepReasons(r), sweepVerdicts(r)...)})
	return s
}

func searchSection(r *sim.Result) section {
	s := section{ID: "search", Title: "The search"}
	if r.Search == nil {
		return s
	}
	s.Lede = fmt.Sprintf("The placement policy %s evaluated %s.", printable(r.Scheme.Placement), plural(r.Search.Evaluations, "different scheme"))
	if g, ok := settled(r.Search.History); ok {
		s.Lede += fmt.Sprintf(" It had the best after %s.", formatCount(int64(g.Evaluations)))
	}
	notes := part{}
	if t := printable(r.Search.Certificate); t != "" {
		notes.Notes = append(notes.Notes, "Proven: "+t+".")
	}
	if len(r.Search.History) > 1 {
		best, mean := searchCurves(r.Search)
		c := &chart{ID: "search-history", Title: "Fitness over the search", XLabel: "schemes evaluated", YLabel: fitnessLabel(r), XKind: "count", PadX: true}
		if hasMean(r.Search.History) {
			c.XLabel = "generation"
		}
		c.Caption = "The best fitness so far" + map[bool]string{true: ", and the mean of the feasible schemes of each generation.", false: "."}[len(mean) > 0]
		var d chartData
		d.add(chartLine{Label: "best so far", Colour: "--c0", Kind: "steps"}, thin(best))
		if len(mean) > 0 {
			d.add(chartLine{Label: "mean of a generation", Colour: "--c3"}, thin(mean))
		}
		d.into(c)
		positive := c.X[0] > 0
		c.LogX = positive && c.X[len(c.X)-1]/c.X[0] > logSpan
		c.LogY = wideSpan(c.ys(), logSpan)
		s.Parts = chartParts(c, "; "+ResultFile+" has all")
	}
	if len(notes.Notes) > 0 || len(s.Parts) == 0 {
		if len(s.Parts) == 0 && len(notes.Notes) == 0 {
			notes.Notes = []string{"Its history is not kept."}
		}
		s.Parts = append(s.Parts, notes)
	}
	return s
}

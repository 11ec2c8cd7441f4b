package reports

import (
	"cmp"
	"encoding/csv"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// paretoPlot shows what throughput costs: for each placement policy the schemes that no
// other one it saw beats in both, and where its target scheme lies.
var paretoPlot = comparePlot{
	name:  "pareto",
	title: "Throughput by cost",
	needs: func(c *sim.Comparison) bool { return c.By == sim.Placements && len(fronts(c)) > 0 },
	size: func(c *sim.Comparison) (w, h vg.Length) {
		return plotWidth, headHeight + legendHeight(paretoLegend(fronts(c))) + 300
	},
	draw: drawPareto,
	csv:  paretoCSV,
}

// front is what one policy saw, over all its seeds.
type front struct {
	policy string
	mark   policyMark
	points []sim.FrontPoint // by rising cost, and throughput
	chosen *sim.FrontPoint  // the target scheme of its best seed; nil: not known
	worth  float64          // of that
}

// fronts are those of the policies that saw a scheme that costs something.
func fronts(c *sim.Comparison) []front {
	all := standings(c)
	marks := policyMarks(all)
	var out []front
	for i := range all {
		s := &all[i]
		f := front{policy: s.policy, mark: marks[s.policy]}
		var seen []sim.FrontPoint
		for _, r := range s.runs {
			seen = append(seen, r.Front...)
		}
		f.points = nonDominated(seen)
		if s.chosen != nil {
			f.chosen, f.worth = s.chosen.Target, worth(c, s.chosen)
		}
		if len(f.points) > 0 && f.points[len(f.points)-1].Cost > 0 {
			out = append(out, f)
		}
	}
	return out
}

// nonDominated keeps the points that no other one beats in both throughput and cost, by
// rising cost.
func nonDominated(points []sim.FrontPoint) []sim.FrontPoint {
	sorted := slices.Clone(points)
	slices.SortFunc(sorted, func(a, b sim.FrontPoint) int {
		return cmp.Or(cmp.Compare(a.Cost, b.Cost), cmp.Compare(b.Throughput, a.Throughput))
	})
	var kept []sim.FrontPoint
	for _, p := range sorted {
		if n := len(kept); n == 0 || p.Throughput > kept[n-1].Throughput {
			kept = append(kept, p)
		}
	}
	return kept
}

func paretoLegend(all []front) []legendItem {
	sheet := sheetOf(all)
	var items []legendItem
	for i := range all {
		f := &all[i]
		name := printable(f.policy)
		if !slices.ContainsFunc(f.seen(), sheet.holds) {
			name += " (off this sheet)"
		}
		items = append(items, f.mark.item(name))
	}
	return append(items, legendItem{"target scheme", func(c *draw.Canvas, box vg.Rectangle) {
		drawCircle(c, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2}, 4.5, solid(ink, 1.3))
	}})
}

// paretoSheet is what is on the sheet: from so much throughput on, up to that cost. That
// is near the fastest and near the cheapest, and the best target in any case.
type paretoSheet sim.FrontPoint

func sheetOf(all []front) paretoSheet {
	fastest, cheapest := 0.0, math.Inf(1)
	for i := range all {
		for _, d := range all[i].seen() {
			fastest, cheapest = max(fastest, d.Throughput), min(cheapest, d.Cost)
		}
	}
	sheet := paretoSheet{Throughput: fastest / farOff, Cost: cheapest * farOff}
	if cheapest == 0 { // some pool is free
		sheet.Cost = math.Inf(1)
	}
	best := 0
	for i := range all {
		if all[i].chosen != nil && (all[best].chosen == nil || all[i].worth > all[best].worth) {
			best = i
		}
	}
	if target := all[best].chosen; target != nil {
		sheet.Throughput, sheet.Cost = min(sheet.Throughput, target.Throughput), max(sheet.Cost, target.Cost)
	}
	return sheet
}

func (b paretoSheet) holds(d sim.FrontPoint) bool {
	return d.Throughput >= b.Throughput && d.Cost <= b.Cost
}

// seen are the front and the target.
func (f *front) seen() []sim.FrontPoint {
	if f.chosen == nil {
		return f.points
	}
	return append(slices.Clone(f.points), *f.chosen)
}

func drawCircle(c *draw.Canvas, at vg.Point, radius vg.Length, st draw.LineStyle) {
	c.SetLineStyle(st)
	var path vg.Path
	path.Move(vg.Point{X: at.X + radius, Y: at.Y})
	path.Arc(at, radius, 0, 2*math.Pi)
	path.Close()
	c.Stroke(path)
}

func drawPareto(dc draw.Canvas, c *sim.Comparison) {
	all := fronts(c)
	p := newPanel("cost, USD per million samples", "throughput, samples/s")
	sheet := sheetOf(all)
	var at []point
	for i := range all {
		for _, d := range all[i].seen() {
			if sheet.holds(d) {
				at = append(at, point{d.Cost, d.Throughput})
			}
		}
	}
	if len(at) == 0 { // the fastest are the dearest by far
		at = append(at, point{all[0].points[0].Cost, all[0].points[0].Throughput})
	}
	setSpanAxis(&p.X, at, func(d point) float64 { return d.x })
	setSpanAxis(&p.Y, at, func(d point) float64 { return d.y })
	for i := range all {
		p.Add(curve(inside(all[i].stairs(), p), all[i].mark.line))
	}
	p.Add(paretoPoints(all))
	sub := comparisonSubtitle(c) + " · schemes seen that no other one beats in both"
	drawPanels(headed(dc, "Throughput by cost", comparisonTitle(c), sub, paretoLegend(all)), []float64{1}, p)
}

// paretoPoints marks the schemes and rings the targets; those of several policies often
// are one: rings around rings.
func paretoPoints(all []front) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		for i := range all {
			for _, at := range places(inside(all[i].dots(), p), &c, p) {
				if c.Contains(at) {
					all[i].mark.glyph(&c, at, 2.2)
				}
			}
		}
		for i := range all {
			if all[i].chosen == nil {
				continue
			}
			for _, at := range places(inside([]point{{all[i].chosen.Cost, all[i].chosen.Throughput}}, p), &c, p) {
				if c.Contains(at) {
					drawCircle(&c, at, 4.5+2.2*vg.Length(chosenBefore(all, i)), solid(all[i].mark.line.Color, 1.3))
				}
			}
		}
	})
}

// chosenBefore counts the policies before the i-th with the same target, up to a few.
func chosenBefore(all []front, i int) int {
	n := 0
	for k := range i {
		if all[k].chosen != nil && *all[k].chosen == *all[i].chosen {
			n++
		}
	}
	return min(n, 5)
}

// stairs is the border of what the front beats: from one point to the next at the
// throughput of the cheaper one. A front of one point has none: it has its mark.
func (f *front) stairs() []point {
	var points []point
	if len(f.points) == 1 {
		return nil
	}
	for i, d := range f.points {
		if i > 0 {
			points = append(points, point{d.Cost, f.points[i-1].Throughput})
		}
		points = append(points, point{d.Cost, d.Throughput})
	}
	return points
}

func (f *front) dots() []point {
	var points []point
	for _, d := range f.points {
		points = append(points, point{d.Cost, d.Throughput})
	}
	return points
}

// setSpanAxis spans an axis over points, logarithmic where they are more than a decade apart.
func setSpanAxis(a *plot.Axis, points []point, of func(point) float64) {
	lo, hi := of(points[0]), of(points[0])
	for _, d := range points {
		lo, hi = min(lo, of(d)), max(hi, of(d))
	}
	if lo > 0 && hi/lo > 10 {
		setLogAxis(a, lo, hi)
		return
	}
	from, to, ticks := linearAxis(padded(lo, hi, 0.06))
	setAxis(a, from, to, ticks)
}

// paretoCSV writes the fronts and the target schemes.
func paretoCSV(w io.Writer, c *sim.Comparison) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"placement", "cost_usd_per_million_samples", "throughput_samples_per_s", "target"}); err != nil {
		return err
	}
	row := func(policy string, p sim.FrontPoint, target bool) error {
		return out.Write([]string{policy, exact(p.Cost), exact(p.Throughput), strconv.FormatBool(target)})
	}
	for _, f := range fronts(c) {
		on := false
		for _, p := range f.points {
			target := f.chosen != nil && p == *f.chosen
			on = on || target
			if err := row(f.policy, p, target); err != nil {
				return err
			}
		}
		if f.chosen != nil && !on {
			if err := row(f.policy, *f.chosen, true); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

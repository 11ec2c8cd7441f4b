package reports

import (
	"encoding/csv"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// convergencePlot shows how fast placement policies come near the best: the best
// fitness by schemes evaluated, for each policy the median over its seeds and the
// band between the quartiles.
var convergencePlot = comparePlot{
	name:  "convergence",
	title: "Best fitness by schemes evaluated",
	needs: func(c *sim.Comparison) bool { return c.By == sim.Placements && len(convergences(c)) > 0 },
	size: func(c *sim.Comparison) (w, h vg.Length) {
		return plotWidth, headHeight + legendHeight(convergenceLegend(c, convergences(c))) + 300
	},
	draw: drawConvergence,
	csv:  convergenceCSV,
}

// convergence is the way of one policy to its best fitness, in natural units.
type convergence struct {
	policy string
	mark   policyMark
	steps  []convergenceStep
}

// convergenceStep holds from so many evaluations on. Runs without a feasible scheme yet
// count as worse than any; a quartile that is one of them is NaN.
type convergenceStep struct {
	evaluations        int
	low, median, upper float64 // quartiles, the worse one first
	feasible           int     // runs
}

// convergences are those of the policies that found something.
func convergences(c *sim.Comparison) []convergence {
	all := standings(c)
	marks := policyMarks(all)
	var out []convergence
	for i := range all {
		if steps := convergenceSteps(c, &all[i]); len(steps) > 0 {
			out = append(out, convergence{all[i].policy, marks[all[i].policy], steps})
		}
	}
	return out
}

func convergenceSteps(c *sim.Comparison, s *standing) []convergenceStep {
	var at []int
	for _, r := range s.runs {
		for _, g := range historyOf(r) {
			if g.Best > 0 {
				at = append(at, g.Evaluations)
			}
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	if len(at) > 0 { // the line goes on until the last search has ended
		for _, r := range s.runs {
			at = append(at, max(r.Evaluations, at[len(at)-1]))
		}
		slices.Sort(at)
		at = slices.Compact(at)
	}
	next := make([]int, len(s.runs))
	best := make([]float64, len(s.runs))
	var steps []convergenceStep
	for _, e := range at {
		feasible := 0
		for i, r := range s.runs {
			h := historyOf(r)
			for ; next[i] < len(h) && h[next[i]].Evaluations <= e; next[i]++ {
				best[i] = max(best[i], h[next[i]].Best)
			}
			if best[i] > 0 {
				feasible++
			}
		}
		step := convergenceStep{e, naturalQuantile(c, best, 0.25), naturalQuantile(c, best, 0.5), naturalQuantile(c, best, 0.75), feasible}
		if n := len(steps); n > 1 && steps[n-1].same(&step) && steps[n-2].same(&step) {
			steps[n-1] = step // a level stretch needs no points between its ends
			continue
		}
		steps = append(steps, step)
	}
	return steps
}

func (s *convergenceStep) same(o *convergenceStep) bool {
	return s.feasible == o.feasible && equalOrNaN(s.low, o.low) && equalOrNaN(s.median, o.median) && equalOrNaN(s.upper, o.upper)
}

func equalOrNaN(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// historyOf is the history of a run's search.
func historyOf(r *sim.ComparedRun) []sim.Generation {
	if r.Result == nil || r.Result.Search == nil {
		return nil
	}
	return r.Result.Search.History
}

// naturalQuantile is a quantile of fitness, 0 of which stands for none yet, in natural
// units; NaN while it is none.
func naturalQuantile(c *sim.Comparison, best []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(best))
	if sorted[int(q*float64(len(sorted)-1))] == 0 {
		return math.NaN()
	}
	v, _ := sim.Natural(c.Objective, quantile(sorted, q))
	return v
}

func convergenceLegend(c *sim.Comparison, all []convergence) []legendItem {
	sheet := convergenceSheetOf(c, all)
	var items []legendItem
	banded := false
	for i := range all {
		name := printable(all[i].policy)
		switch last := all[i].end().y; {
		case math.IsNaN(last):
			name += " (nothing at most seeds)"
		case !sheet.holds(last):
			name += " (off this sheet: " + shortNumber(last) + ")"
		}
		items = append(items, all[i].mark.item(name))
		banded = banded || all[i].banded()
	}
	if banded {
		items = append(items, boxItem("between the quartiles over the seeds", idleGrey))
	}
	if sheet.bound > 0 {
		name := "no scheme is better: " + shortNumber(sheet.bound)
		if !sheet.holds(sheet.bound) {
			name += " (off this sheet)"
		}
		items = append(items, lineItem(name, boundLine))
	}
	return items
}

func (k *convergence) banded() bool {
	return slices.ContainsFunc(k.steps, func(s convergenceStep) bool { return s.low != s.upper && !math.IsNaN(s.low) })
}

var boundLine = draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{5, 3}}

func drawConvergence(dc draw.Canvas, c *sim.Comparison) {
	all := convergences(c)
	p := newPanel("schemes evaluated", "best fitness, "+naturalUnit(c))
	sheet := convergenceSheetOf(c, all)
	setConvergenceAxes(p, all, sheet)
	for i := range all {
		p.Add(all[i].band())
	}
	for i := range all {
		p.Add(curve(inside(all[i].stairs(), p), all[i].mark.line))
	}
	p.Add(convergenceEnds(all))
	if sheet.bound > 0 && sheet.holds(sheet.bound) {
		p.Add(curve([]point{{p.X.Min, sheet.bound}, {p.X.Max, sheet.bound}}, boundLine))
	}
	drawPanels(headed(dc, "Best fitness by schemes evaluated", comparisonTitle(c), comparisonSubtitle(c), convergenceLegend(c, all)), []float64{1}, p)
}

// convergenceSheet is the part of the fitness that is drawn.
type convergenceSheet struct {
	lo, hi float64
	bound  float64 // 0: none is proven
}

// convergenceSheetOf spans where policies end up, as far as they are within twice the best
// known, and a little beyond: there they can be told apart. The bound is on the
// sheet unless it is farther from the best known than that.
func convergenceSheetOf(c *sim.Comparison, all []convergence) convergenceSheet {
	best, worst := math.NaN(), math.NaN()
	better := func(a, b float64) bool { return math.IsNaN(b) || (a > b) == moreIsBetter(c) && a != b }
	for i := range all {
		for _, s := range all[i].steps {
			if v := s.upper; !math.IsNaN(v) && better(v, best) {
				best = v
			}
		}
	}
	for i := range all {
		if end := all[i].end().y; 2*end >= best && end <= 2*best && (math.IsNaN(worst) || better(worst, end)) {
			worst = end
		}
	}
	if math.IsNaN(best) { // at most seeds nothing was found
		return convergenceSheet{}
	}
	if math.IsNaN(worst) || worst == best { // nothing to tell apart: the way there
		for i := range all {
			for _, s := range all[i].steps {
				if near(s.low, best) && (math.IsNaN(worst) || better(worst, s.low)) {
					worst = s.low
				}
			}
		}
	}
	if math.IsNaN(worst) {
		worst = best
	}
	worst = max(worst+(worst-best)*0.2, 0)
	sheet := convergenceSheet{lo: min(best, worst), hi: max(best, worst)}
	if limit, proven := c.Limit(); proven {
		sheet.bound, _ = sim.Natural(c.Objective, limit)
		if math.Abs(sheet.bound-best) <= sheet.hi-sheet.lo {
			sheet.lo, sheet.hi = min(sheet.lo, sheet.bound), max(sheet.hi, sheet.bound)
		}
	}
	return sheet
}

func (s convergenceSheet) holds(v float64) bool { return v >= s.lo && v <= s.hi }

func setConvergenceAxes(p *plot.Plot, all []convergence, sheet convergenceSheet) {
	first, last := math.Inf(1), 0.0
	for _, k := range all {
		for _, s := range k.steps {
			first, last = min(first, float64(s.evaluations)), max(last, float64(s.evaluations))
		}
	}
	if first = max(first, 1); last/first > 20 {
		setLogAxis(&p.X, first, last)
	} else {
		from, to, ticks := countAxis(first, max(last, first+1), 10)
		setAxis(&p.X, from, to, ticks)
	}
	from, to, _ := padded(sheet.lo, sheet.hi, 0.03)
	from, to, ticks := linearAxis(from, to, 10)
	setAxis(&p.Y, from, to, ticks)
}

// convergenceEnds marks where each policy ends up. Several may end at one point: the
// first ones are seen around the later.
func convergenceEnds(all []convergence) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		for i := range all {
			end, radius := all[i].end(), vg.Length(2.6)
			for k := i + 1; k < len(all); k++ {
				if all[k].end() == end && radius < 9 {
					radius += 1.6
				}
			}
			if at := places(inside([]point{end}, p), &c, p); len(at) > 0 && c.Contains(at[0]) {
				all[i].mark.glyph(&c, at[0], radius)
			}
		}
	})
}

// end is where a policy ends up.
func (k *convergence) end() point {
	last := &k.steps[len(k.steps)-1]
	return point{float64(last.evaluations), last.median}
}

// stairs are the medians as steps; a policy that is done stays where it is.
func (k *convergence) stairs() []point {
	var points []point
	for _, s := range k.steps {
		if math.IsNaN(s.median) {
			continue
		}
		if n := len(points); n > 0 {
			points = append(points, point{float64(s.evaluations), points[n-1].y})
		}
		points = append(points, point{float64(s.evaluations), s.median})
	}
	return points
}

// band fills what lies between the quartiles, in one piece: between pieces side by side
// viewers leave hairlines.
func (k *convergence) band() plot.Plotter {
	colour := blend(k.mark.line.Color.(color.RGBA), white, 0.75)
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, y := p.Transforms(&c)
		within := func(v float64) vg.Length { return min(max(y(v), c.Min.Y), c.Max.Y) }
		var upper, lower []vg.Point
		for i := range k.steps {
			s := &k.steps[i]
			if math.IsNaN(s.median) || math.IsNaN(s.upper) {
				continue
			}
			low := s.low
			if math.IsNaN(low) {
				low = s.median
			}
			at := x(float64(s.evaluations))
			if n := len(upper); n > 0 {
				upper = append(upper, vg.Point{X: at, Y: upper[n-1].Y})
				lower = append(lower, vg.Point{X: at, Y: lower[n-1].Y})
			}
			upper = append(upper, vg.Point{X: at, Y: within(s.upper)})
			lower = append(lower, vg.Point{X: at, Y: within(low)})
		}
		if len(upper) > 1 && k.banded() {
			slices.Reverse(lower)
			c.FillPolygon(colour, append(upper, lower...))
		}
	})
}

// convergenceCSV writes the steps that are drawn. What no run or too few have reached
// is empty.
func convergenceCSV(w io.Writer, c *sim.Comparison) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"placement", "evaluations", "worse_quartile", "median", "better_quartile", "feasible_runs", "unit"}); err != nil {
		return err
	}
	_, unit := sim.Natural(c.Objective, 1)
	number := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return exact(v)
	}
	for _, k := range convergences(c) {
		for _, s := range k.steps {
			if err := out.Write([]string{k.policy, strconv.Itoa(s.evaluations), number(s.low), number(s.median), number(s.upper), strconv.Itoa(s.feasible), unit}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// moreIsBetter reports whether more of what people ask for is better.
func moreIsBetter(c *sim.Comparison) bool {
	_, unit := sim.Natural(c.Objective, 1)
	return unit == "samples/s"
}

package reports

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// fitnessPlot shows how the search went: best fitness so far and, for policies
// with a population, its mean and its feasible share.
var fitnessPlot = Plot{
	Name:  "fitness",
	Title: "Fitness over the search",
	Wants: "a search with a history",
	Needs: func(r *sim.Result) bool { return r.Search != nil && len(r.Search.History) > 0 },
	Size: func(r *sim.Result) (w, h vg.Length) {
		if hasFeasible(r.Search.History) {
			return plotWidth, 390
		}
		return plotWidth, 320
	},
	Draw: drawFitness,
}

// logSpan is the span of an axis beyond which it becomes logarithmic.
const logSpan = 1000

func hasFeasible(history []sim.Generation) bool {
	for _, g := range history {
		if g.Feasible > 0 {
			return true
		}
	}
	return false
}

func hasMean(history []sim.Generation) bool {
	for _, g := range history {
		if g.Mean != 0 {
			return true
		}
	}
	return false
}

func drawFitness(c draw.Canvas, r *sim.Result) {
	p, legend := fitnessPanel(r)
	panels, shares := []*plot.Plot{p}, []float64{1}
	if hasFeasible(r.Search.History) {
		share := newPanel(p.X.Label.Text, "feasible")
		setAxis(&share.Y, 0, 1, fixedTicks{{Value: 0, Label: "0 %"}, {Value: 0.5, Label: "50 %"}, {Value: 1, Label: "100 %"}})
		share.X.Min, share.X.Max, share.X.Scale, share.X.Tick.Marker = p.X.Min, p.X.Max, p.X.Scale, p.X.Tick.Marker
		var points []point
		for _, g := range r.Search.History {
			points = append(points, point{searchX(r.Search)(g), g.Feasible})
		}
		share.Add(curve(inside(points, share), solid(green, 1.8)))
		hideLabels(&p.X)
		panels, shares = append(panels, share), []float64{2.6, 1}
		legend = append(legend, lineItem("feasible share of the population", solid(green, 1.8)))
	}
	drawPanels(head(c, r, "Fitness over the search", legend), shares, panels...)
}

// searchX says where a generation lies on the x axis: at its number where the
// policy has a population, else at the evaluations so far.
func searchX(s *sim.Search) func(g sim.Generation) float64 {
	if hasMean(s.History) {
		return func(g sim.Generation) float64 { return float64(g.Generation) }
	}
	return func(g sim.Generation) float64 { return float64(g.Evaluations) }
}

func fitnessPanel(r *sim.Result) (*plot.Plot, []legendItem) {
	history := r.Search.History
	xLabel := "schemes evaluated"
	if hasMean(history) {
		xLabel = "generation"
	}
	p := newPanel(xLabel, fitnessLabel(r))
	best, mean := searchCurves(r.Search)
	setSearchAxis(&p.X, best)
	lo, hi := yRange(best, mean)
	if lo > 0 && hi/lo > logSpan {
		setLogAxis(&p.Y, lo, hi)
	} else {
		from, to, ticks := linearAxis(padded(lo, hi, 0.03))
		setAxis(&p.Y, from, to, ticks)
	}
	var legend []legendItem
	if len(mean) > 0 {
		p.Add(curve(inside(mean, p), solid(orange, 1.5)))
		legend = append(legend, lineItem("mean of the feasible schemes of a generation", solid(orange, 1.5)))
	}
	p.Add(curve(inside(best, p), solid(blue, 1.8)))
	final := history[len(history)-1].Best
	legend = append([]legendItem{lineItem("best so far, at the end "+formatSI(final), solid(blue, 1.8))}, legend...)
	if g, ok := settled(history); ok {
		at := inside([]point{{searchX(r.Search)(g), g.Best}}, p)
		p.Add(dots(at, 2.8, blue))
	}
	return p, legend
}

// fitnessLabel names the axis after the objective, with the unit of the fitness
// metric where the result has one.
func fitnessLabel(r *sim.Result) string {
	label := "fitness"
	if o := r.Scheme.Objective; o != "" {
		label += " (" + drawable(o)
		if m, ok := r.Metrics.Get("fitness"); ok && m.Unit != "" {
			label += ", " + drawable(m.Unit)
		}
		label += ")"
	}
	return label
}

// searchCurves returns best fitness as steps, held to the end of the search,
// and mean fitness where there is one.
func searchCurves(s *sim.Search) (best, mean []point) {
	x := searchX(s)
	for i, g := range s.History {
		if i > 0 {
			best = append(best, point{x(g), s.History[i-1].Best})
		}
		best = append(best, point{x(g), g.Best})
		if g.Mean != 0 {
			mean = append(mean, point{x(g), g.Mean})
		}
	}
	end := best[len(best)-1]
	if !hasMean(s.History) && float64(s.Evaluations) > end.x {
		best = append(best, point{float64(s.Evaluations), end.y})
	}
	return best, mean
}

func setSearchAxis(a *plot.Axis, points []point) {
	lo, hi := points[0].x, points[len(points)-1].x
	if positive := max(lo, 1); hi/positive > logSpan {
		setLogAxis(a, positive, hi)
		return
	}
	from, to, ticks := countAxis(lo, hi, 10)
	setAxis(a, from, to, ticks)
}

func yRange(curves ...[]point) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, points := range curves {
		for _, d := range points {
			lo, hi = min(lo, d.y), max(hi, d.y)
		}
	}
	return lo, hi
}

// padded widens a range by a share of it on both sides, but not across zero,
// and asks for about six ticks.
func padded(lo, hi, share float64) (from, to float64, n int) {
	pad := (hi - lo) * share
	from, to = lo-pad, hi+pad
	if lo >= 0 {
		from = max(from, 0)
	}
	if hi <= 0 {
		to = min(to, 0)
	}
	return from, to, 6
}

// inside leaves out points that a logarithmic axis cannot show.
func inside(points []point, p *plot.Plot) []point {
	_, logX := p.X.Scale.(plot.LogScale)
	_, logY := p.Y.Scale.(plot.LogScale)
	var kept []point
	for _, d := range points {
		if (!logX || d.x > 0) && (!logY || d.y > 0) {
			kept = append(kept, d)
		}
	}
	return kept
}

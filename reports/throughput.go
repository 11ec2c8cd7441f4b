package reports

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// throughputPlot shows throughput by round: every round as a faint dot, the
// rolling mean as a line, and the hit ratio of the slot tables below it, so
// that the slot tables can be seen to warm up.
var throughputPlot = Plot{
	Name:  "throughput",
	Title: "Throughput by round",
	Wants: "rounds",
	Needs: func(r *sim.Result) bool { return len(r.Rounds) > 0 },
	Size: func(r *sim.Result) (w, h vg.Length) {
		if _, any := sumSlots(r.Rounds); any {
			return plotWidth, 410
		}
		return plotWidth, 320
	},
	Draw: drawThroughput,
}

// maxMarks is how many dots or line points are drawn at most; with more rounds
// than that, each mark stands for a group of them.
const maxMarks = 1200

// shortRun is up to how many rounds a line joins the rounds themselves: with so
// few there is nothing to smooth.
const shortRun = 20

func drawThroughput(c draw.Canvas, r *sim.Result) {
	var slots []sim.Round
	for _, d := range r.Rounds {
		if d.Slots != nil {
			slots = append(slots, d)
		}
	}
	upper, legend := throughputPanel(r)
	panels, shares := []*plot.Plot{upper}, []float64{1}
	if len(slots) > 0 {
		hits, item := hitRatioPanel(slots)
		hits.X.Min, hits.X.Max, hits.X.Tick.Marker = upper.X.Min, upper.X.Max, upper.X.Tick.Marker
		hideLabels(&upper.X)
		panels, shares = append(panels, hits), []float64{1.6, 1}
		legend = append(legend, item)
	}
	drawPanels(head(c, r, "Throughput by round", legend), shares, panels...)
}

func throughputPanel(r *sim.Result) (*plot.Plot, []legendItem) {
	rounds := r.Rounds
	p := newPanel("round", "throughput (samples/s)")
	first, last := rounds[0].Round, rounds[len(rounds)-1].Round
	from, to, xTicks := countAxis(float64(first), float64(last), 10)
	setAxis(&p.X, from, to, xTicks)

	lo, hi := math.Inf(1), 0.0
	all := make([]point, len(rounds))
	for i, d := range rounds {
		all[i] = point{float64(d.Round), d.Throughput}
		lo, hi = min(lo, d.Throughput), max(hi, d.Throughput)
	}
	reference, ok := r.Metrics.Get("recurrence_throughput")
	// Far above the data it would press them to the floor.
	ok = ok && reference.Value > 0 && reference.Value < 3*hi
	if ok {
		hi = max(hi, reference.Value)
	}
	if lo > 0 && hi/lo >= 200 {
		setLogAxis(&p.Y, lo, hi)
	} else {
		// From zero: a height must mean an amount.
		from, to, ticks := linearAxis(0, hi*1.02, 6)
		setAxis(&p.Y, from, to, ticks)
	}
	var legend []legendItem
	var mean plot.Plotter
	if len(rounds) <= shortRun {
		p.Add(curve(all, solid(blue, 1.6)))
		mean = dots(all, 2.6, blue)
		legend = []legendItem{dotItem("round", blue, 2.6)}
	} else {
		faint := blend(blue, white, 0.62)
		p.Add(marks(all, faint))
		window := rollingWindow(len(rounds))
		mean = curve(thin(rolling(rounds, window, func(d *sim.Round) (amount, weight float64) {
			// Samples over time: the mean of rates would favour short rounds.
			return d.Throughput * d.StepTime.Seconds(), d.StepTime.Seconds()
		})), solid(blue, 1.8))
		legend = []legendItem{dotItem("round", faint, 1.8), lineItem(fmt.Sprintf("mean of %d rounds", window), solid(blue, 1.8))}
	}
	if ok {
		st := dashed(pencil, 1)
		p.Add(curve([]point{{from, reference.Value}, {to, reference.Value}}, st))
		legend = append(legend, lineItem("one step by recurrence, nothing contending: "+formatSI(reference.Value), st))
	}
	p.Add(mean)
	return p, legend
}

func hitRatioPanel(rounds []sim.Round) (*plot.Plot, legendItem) {
	p := newPanel("round", "hit ratio")
	setAxis(&p.Y, 0, 1, percentTicks())
	all := make([]point, len(rounds))
	for i, d := range rounds {
		all[i] = point{float64(d.Round), d.Slots.HitRatio}
	}
	if len(rounds) <= shortRun {
		p.Add(curve(all, solid(green, 1.6)), dots(all, 2.6, green))
		return p, dotItem("hit ratio", green, 2.6)
	}
	p.Add(marks(all, blend(green, white, 0.62)))
	mean := rolling(rounds, rollingWindow(len(rounds)), func(d *sim.Round) (amount, weight float64) {
		return float64(d.Slots.Hits), float64(d.Slots.Unique)
	})
	p.Add(curve(thin(mean), solid(green, 1.8)))
	return p, lineItem("hit ratio", solid(green, 1.8))
}

// rollingWindow is an odd number of rounds, about a twentieth of all.
func rollingWindow(rounds int) int { return 2*(rounds/40) + 1 }

// rolling returns the weighted mean over a window centred on each round. Near
// the ends the window is smaller on both sides, so that it does not lean; where
// an eighth of it would be left the line ends, for it would show the noise of a
// few rounds. Rounds without weight are left out.
func rolling(rounds []sim.Round, window int, of func(*sim.Round) (amount, weight float64)) []point {
	sums := make([][2]float64, len(rounds)+1)
	for i := range rounds {
		a, w := of(&rounds[i])
		sums[i+1] = [2]float64{sums[i][0] + a, sums[i][1] + w}
	}
	var mean []point
	for i := range rounds {
		half := min(window/2, i, len(rounds)-1-i)
		if half < window/8 {
			continue
		}
		lo, hi := i-half, i+half+1
		if w := sums[hi][1] - sums[lo][1]; w > 0 {
			mean = append(mean, point{float64(rounds[i].Round), (sums[hi][0] - sums[lo][0]) / w})
		}
	}
	return mean
}

// thin keeps at most about maxMarks points of a smooth line, the last included.
func thin(points []point) []point {
	step := (len(points) + maxMarks - 1) / maxMarks
	if step <= 1 {
		return points
	}
	var kept []point
	for i := 0; i < len(points); i += step {
		kept = append(kept, points[i])
	}
	if (len(points)-1)%step != 0 {
		kept = append(kept, points[len(points)-1])
	}
	return kept
}

// marks draws points as small dots; more than maxMarks of them as upright lines
// from the least to the greatest of each group, so that no extreme is lost.
func marks(points []point, colour color.Color) plot.Plotter {
	if len(points) <= maxMarks {
		return dots(points, 1.3, colour)
	}
	size := (len(points) + maxMarks/2 - 1) / (maxMarks / 2)
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		for i := 0; i < len(points); i += size {
			group := points[i:min(i+size, len(points))]
			lo, hi := group[0], group[0]
			for _, d := range group {
				lo.y, hi.y = min(lo.y, d.y), max(hi.y, d.y)
			}
			lo.x = (group[0].x + group[len(group)-1].x) / 2
			hi.x = lo.x
			ends := places([]point{lo, hi}, &c, p)
			if ends[1].Y-ends[0].Y < 1.2 {
				ends[0].Y, ends[1].Y = ends[0].Y-0.6, ends[1].Y+0.6
			}
			c.StrokeLines(solid(colour, 0.8), c.ClipLinesXY(ends)...)
		}
	})
}

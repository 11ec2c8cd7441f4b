package reports

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// crossoverPlot shows from which hit ratio on an embedding layer is faster on an
// accelerator, where it pays for its misses, than on CPUs, where it pays for the
// transfer of its output.
var crossoverPlot = Plot{
	Name:  "crossover",
	Title: "Throughput by hit ratio: the embedding layer on accelerators and on CPUs",
	Wants: "a sweep with the layer on accelerators and on CPUs",
	Needs: func(r *sim.Result) bool {
		return r.Sweep != nil && len(sweepLevels(r)) > 0 && len(sweepCurves(r, sweepThroughput)) > 0
	},
	Size: func(r *sim.Result) (w, h vg.Length) {
		return plotWidth, headHeight + legendHeight(crossoverLegend(r)) + panelHeight
	},
	Draw: drawCrossover,
}

// trail is throughput by hit ratio of one group.
type trail struct {
	name   string
	line   draw.LineStyle
	points []point   // hit ratio, throughput, in order of slots
	slots  []float64 // of each point
}

// trailDashes tell replacement policies apart.
var trailDashes = [][]vg.Length{nil, {6, 2.5}, {1.6, 2}, {7, 2, 1.6, 2}}

// sweepTrails gives every group the colour of its device type, and dashes to every
// replacement policy; where there are more policies than dashes, no lines
// but dots alone.
func sweepTrails(r *sim.Result) []trail {
	colours := sweepColours(r)
	var trails []trail
	var policies []string
	for _, g := range sweepGroups(r.Sweep) {
		t := trail{name: fmt.Sprintf("%s (%s)", g.name, printable(g.device))}
		for i := range g.points {
			p := &g.points[i]
			if _, ok := sweepThroughput(p); ok {
				t.points = append(t.points, point{p.HitRatio, p.Throughput})
				t.slots = append(t.slots, float64(p.Slots))
			}
		}
		if len(t.points) == 0 {
			continue
		}
		if !slices.Contains(policies, g.policy) {
			policies = append(policies, g.policy)
		}
		t.line = solid(colours[g.device], 1.7)
		t.line.Dashes = trailDashes[slices.Index(policies, g.policy)%len(trailDashes)]
		trails = append(trails, t)
	}
	if len(policies) > len(trailDashes) {
		for i := range trails {
			trails[i].line.Width = 0
		}
	}
	return trails
}

// crossing is where a trail rises above the level for good. Beyond says that there is no
// such place: it is above everywhere, or nowhere.
type crossing struct {
	at     point
	slots  float64
	always bool // above from the first point on
	never  bool
}

// crossingOf interpolates between two points of a trail: linearly in hit ratio and
// throughput, and in the logarithm of the slots.
func crossingOf(t *trail, level float64) crossing {
	last := len(t.points) - 1
	if t.points[last].y <= level {
		return crossing{never: true}
	}
	i := last
	for i > 0 && t.points[i-1].y > level {
		i--
	}
	if i == 0 {
		return crossing{always: true}
	}
	a, b := t.points[i-1], t.points[i]
	f := (level - a.y) / (b.y - a.y)
	return crossing{
		at:    point{a.x + f*(b.x-a.x), level},
		slots: t.slots[i-1] * math.Pow(t.slots[i]/t.slots[i-1], f),
	}
}

// bestLevel is the fastest placement without slots.
func bestLevel(r *sim.Result) float64 {
	best := 0.0
	for _, l := range sweepLevels(r) {
		best = max(best, l.y)
	}
	return best
}

func crossoverLegend(r *sim.Result) []legendItem {
	var items []legendItem
	trails, level := sweepTrails(r), bestLevel(r)
	if len(trails) > 0 && trails[0].line.Width == 0 {
		items = crowdedLegend(r, trails, level)
	} else {
		for i := range trails {
			items = append(items, lineItem(trails[i].name+verdict(&trails[i], level), trails[i].line))
		}
	}
	for _, l := range sweepLevels(r) {
		items = append(items, lineItem(l.name, l.line))
	}
	return items
}

// verdict says where a trail crosses the level.
func verdict(t *trail, level float64) string {
	switch x := crossingOf(t, level); {
	case x.never:
		return ": slower at every size"
	case x.always:
		return ": faster at every size"
	default:
		return fmt.Sprintf(": faster from %s hits, %s slots", formatShare(x.at.x), formatSI(math.Round(x.slots)))
	}
}

// crowdedLegend has one item for each colour, and what the crossings of all
// its trails span.
func crowdedLegend(r *sim.Result, trails []trail, level float64) []legendItem {
	var items []legendItem
	done := map[color.Color]bool{}
	groups := sweepGroups(r.Sweep)
	colours := sweepColours(r)
	for _, t := range trails {
		c := t.line.Color
		if done[c] {
			continue
		}
		done[c] = true
		k := slices.IndexFunc(groups, func(g sweepGroup) bool { return colours[g.device] == c })
		name := printable(groups[k].device)
		n, lo, hi, least, most := 0, 1.0, 0.0, math.Inf(1), 0.0
		for i := range trails {
			x := crossingOf(&trails[i], level)
			if trails[i].line.Color != c || x.always || x.never {
				continue
			}
			n++
			lo, hi = min(lo, x.at.x), max(hi, x.at.x)
			least, most = min(least, x.slots), max(most, x.slots)
		}
		if n > 0 {
			name += fmt.Sprintf(": %d crossings at %s to %s hits, %s to %s slots", n,
				formatShare(lo), formatShare(hi), formatSI(math.Round(least)), formatSI(math.Round(most)))
		} else {
			name += ": no crossing"
		}
		items = append(items, dotItem(name, c, 2.4))
	}
	return items
}

func drawRing(c *draw.Canvas, at vg.Point, colour color.Color) {
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: white, Radius: 4.2, Shape: draw.CircleGlyph{}}, at)
	c.SetLineStyle(solid(colour, 1.6))
	var p vg.Path
	p.Move(vg.Point{X: at.X + 4, Y: at.Y})
	p.Arc(at, 4, 0, 2*math.Pi)
	p.Close()
	c.Stroke(p)
}

func drawCrossover(c draw.Canvas, r *sim.Result) {
	p := newPanel("hit ratio (unique rows)", "throughput (samples/s)")
	trails, level := sweepTrails(r), bestLevel(r)
	lo, hi, most := 1.0, 0.0, 0.0
	for _, t := range trails {
		for _, d := range t.points {
			lo, hi, most = min(lo, d.x), max(hi, d.x), max(most, d.y)
		}
	}
	levels := sweepLevels(r)
	for _, l := range levels {
		most = max(most, l.y)
	}
	setShareAxis(&p.X, lo, hi)
	from, to, ticks := linearAxis(0, most*1.02, 6)
	setAxis(&p.Y, from, to, ticks)
	for _, l := range levels {
		p.Add(curve([]point{{p.X.Min, l.y}, {p.X.Max, l.y}}, l.line))
	}
	for _, t := range trails {
		if t.line.Width > 0 {
			p.Add(curve(t.points, t.line))
		}
		p.Add(dots(t.points, 2.4, t.line.Color))
	}
	for i := range trails {
		if x := crossingOf(&trails[i], level); !x.always && !x.never {
			p.Add(ringAt(x.at, trails[i].line.Color, trails[i].line.Width > 0))
		}
	}
	drawPanels(headed(c, "Throughput by hit ratio", title(r), sweepSubtitle(r), crossoverLegend(r)), []float64{1}, p)
}

// ringAt draws a ring and, unless there are too many, drops a line from it to the x
// axis.
func ringAt(at point, colour color.Color, drop bool) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		q := places([]point{at}, &c, p)[0]
		if drop {
			c.StrokeLine2(dashed(pencil, 0.9), q.X, c.Min.Y, q.X, q.Y)
		}
		drawRing(&c, q, colour)
	})
}

// setShareAxis is a linear axis of shares in per cent, within 0 and 1.
func setShareAxis(a *plot.Axis, lo, hi float64) {
	from, to, ticks := linearAxis(100*lo, 100*hi, 8)
	from, to = max(from, 0), min(to, 100)
	var kept fixedTicks
	for _, t := range ticks {
		if t.Value >= from && t.Value <= to {
			kept = append(kept, plot.Tick{Value: t.Value / 100, Label: t.Label + " %"})
		}
	}
	setAxis(a, from/100, to/100, kept)
}

package reports

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/hw/unit"
	"stowage/sim"
)

// hitsPlot shows how many slots are worth their memory: hit ratio by number of
// slots for every embedding layer, over all rounds and with the first quarter
// left out, and where the scenario stands on it.
var hitsPlot = Plot{
	Name:  "hits",
	Title: "Hit ratio by number of slots",
	Wants: "curves of slot tables",
	Needs: func(r *sim.Result) bool {
		return slices.ContainsFunc(r.Curves, func(c sim.Curve) bool { return len(curvePoints(&c)) > 0 })
	},
	Size: func(r *sim.Result) (w, h vg.Length) {
		// Long names take lines of the legend, not of the panel.
		return plotWidth, 350 + vg.Length(min(maxCurves, len(r.Curves)))*legendLine
	},
	Draw: drawHits,
}

// maxCurves is how many layers get a colour of their own.
const maxCurves = 6

// curvePoints are the points of a curve that a logarithmic axis can show, in
// order of slots.
func curvePoints(c *sim.Curve) []sim.CurvePoint {
	ps := slices.DeleteFunc(slices.Clone(c.Points), func(p sim.CurvePoint) bool { return p.Slots <= 0 })
	slices.SortFunc(ps, func(a, b sim.CurvePoint) int { return a.Slots - b.Slots })
	return ps
}

// curveAt interpolates c at a number of slots, linearly in its logarithm as the
// plot draws it. It does not extrapolate.
func curveAt(c *sim.Curve, slots int) (all, warm float64, ok bool) {
	ps := curvePoints(c)
	for i, p := range ps {
		if p.Slots == slots {
			return p.HitRatio, p.Warm, true
		}
		if i > 0 && ps[i-1].Slots < slots && slots < p.Slots {
			q := ps[i-1]
			t := math.Log(float64(slots)/float64(q.Slots)) / math.Log(float64(p.Slots)/float64(q.Slots))
			return q.HitRatio + t*(p.HitRatio-q.HitRatio), q.Warm + t*(p.Warm-q.Warm), true
		}
	}
	return 0, 0, false
}

func drawHits(c draw.Canvas, r *sim.Result) {
	curves := slices.DeleteFunc(slices.Clone(r.Curves), func(c sim.Curve) bool { return len(curvePoints(&c)) == 0 })
	p := newPanel("slots", "hit ratio")
	setAxis(&p.Y, 0, 1, percentTicks())
	lo, hi := slotRange(curves)
	setLogAxis(&p.X, lo, hi)
	if b, ok := sameRowBytes(curves); ok {
		p.X.Label.Text = fmt.Sprintf("slots, and the memory they take (%s each)", formatBytes(float64(b)))
		addBytes(&p.X, b)
	}
	scenario := addScenario(p, curves)
	legend := append(addCurves(p, curves), scenario...)
	drawPanels(head(c, r, "Hit ratio by number of slots", legend), []float64{1}, p)
}

// slotRange covers the points and what the scenario gives.
func slotRange(curves []sim.Curve) (lo, hi float64) {
	lo, hi = math.Inf(1), 0
	for i := range curves {
		for _, p := range curvePoints(&curves[i]) {
			lo, hi = min(lo, float64(p.Slots)), max(hi, float64(p.Slots))
		}
		if s := curves[i].Slots; s > 0 {
			lo, hi = min(lo, float64(s)), max(hi, float64(s))
		}
	}
	return lo, hi
}

func sameRowBytes(curves []sim.Curve) (unit.Bytes, bool) {
	b := curves[0].RowBytes
	for _, c := range curves {
		if c.RowBytes != b {
			return 0, false
		}
	}
	return b, b > 0
}

// addBytes writes under each number of slots what they take.
func addBytes(a *plot.Axis, row unit.Bytes) {
	ticks := a.Tick.Marker.(fixedTicks)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label += "\n" + formatBytes(t.Value*float64(row))
		}
	}
}

// addCurves draws the curves, those of the largest tables in colours of their
// own and the others in grey behind them.
func addCurves(p *plot.Plot, curves []sim.Curve) []legendItem {
	coloured := curveColours(curves)
	var legend []legendItem
	others := 0
	for i := range curves {
		if coloured[i] == otherGrey {
			others++
			addCurve(p, &curves[i], blend(otherGrey, white, 0.3), 0.8)
		}
	}
	for i := range curves {
		if coloured[i] == otherGrey {
			continue
		}
		addCurve(p, &curves[i], coloured[i], 1.7)
		legend = append(legend, lineItem(curveName(&curves[i]), solid(coloured[i], 1.7)))
	}
	if others > 0 {
		legend = append(legend, lineItem(fmt.Sprintf("%d smaller layers", others), solid(otherGrey, 0.8)))
	}
	return append(legend, lineItem("first quarter of the rounds left out", solid(pencil, 1.5)), lineItem("all rounds", dashed(pencil, 1.2)))
}

func curveName(c *sim.Curve) string {
	return fmt.Sprintf("%s (%s rows of %s)", printable(c.Layer), formatSI(float64(c.Rows)), formatBytes(float64(c.RowBytes)))
}

// curveColours gives colours to the maxCurves layers with the most rows, in
// the order of the curves.
func curveColours(curves []sim.Curve) []color.RGBA {
	byRows := make([]int, len(curves))
	for i := range byRows {
		byRows[i] = i
	}
	slices.SortStableFunc(byRows, func(a, b int) int {
		switch {
		case curves[a].Rows > curves[b].Rows:
			return -1
		case curves[a].Rows < curves[b].Rows:
			return 1
		}
		return 0
	})
	chosen := byRows[:min(maxCurves, len(byRows))]
	slices.Sort(chosen)
	colours := make([]color.RGBA, len(curves))
	for i := range colours {
		colours[i] = otherGrey
	}
	for k, i := range chosen {
		colours[i] = seriesColours[k]
	}
	return colours
}

func addCurve(p *plot.Plot, c *sim.Curve, colour color.RGBA, width vg.Length) {
	var all, warm []point
	for _, d := range curvePoints(c) {
		all = append(all, point{float64(d.Slots), d.HitRatio})
		warm = append(warm, point{float64(d.Slots), d.Warm})
	}
	p.Add(curve(all, dashed(blend(colour, white, 0.25), width*0.75)), curve(warm, solid(colour, width)))
	if _, w, ok := curveAt(c, c.Slots); ok {
		at := []point{{float64(c.Slots), w}}
		p.Add(dots(at, 4, white), dots(at, 3, colour))
	}
}

// addScenario marks the number of slots that the scenario gives: an upright
// line that says so where it is the same for all layers, else the dots alone,
// which take a place in the legend.
func addScenario(p *plot.Plot, curves []sim.Curve) []legendItem {
	slots := curves[0].Slots
	same := slots > 0
	for _, c := range curves {
		same = same && c.Slots == slots
	}
	if !same {
		return []legendItem{dotItem("this scenario", pencil, 3)}
	}
	label := "this scenario: " + formatSI(float64(slots)) + " slots"
	if b, ok := sameRowBytes(curves); ok {
		label += ", " + formatBytes(float64(slots)*float64(b))
	}
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		px, _ := p.Transforms(&c)
		x := px(float64(slots))
		c.StrokeLine2(solid(pencil, 0.8), x, c.Min.Y, x, c.Max.Y)
		st := aligned(style(sans, tickSize, pencil), text.XLeft, text.YTop)
		at := vg.Point{X: x + 4, Y: c.Min.Y + 14}
		if at.X+st.Width(label) > c.Max.X {
			st.XAlign = text.XRight
			at.X = x - 4
		}
		c.FillText(st, at, label)
	}))
	return nil
}

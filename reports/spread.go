package reports

import (
	"encoding/csv"
	"io"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// spreadPlot shows what every seed gave under each replacement policy: hit ratio and
// throughput, a dot for each run and a line at the median.
var spreadPlot = comparePlot{
	name:  "spread",
	title: "Hit ratio and throughput by replacement policy",
	needs: func(c *sim.Comparison) bool { return c.By == sim.Replacements && len(spreads(c)) > 0 },
	size: func(c *sim.Comparison) (w, h vg.Length) {
		return plotWidth, headHeight + legendLine + vg.Length(len(spreads(c)))*(40+spreadPitch*vg.Length(len(standings(c))))
	},
	draw: drawSpread,
	csv:  spreadCSV,
}

const spreadPitch vg.Length = 15 // between the rows of policies

// spreadMetric is one metric over policies and seeds.
type spreadMetric struct {
	name, label string
	ratio       bool
}

// spreads are the metrics that runs of a comparison have.
func spreads(c *sim.Comparison) []spreadMetric {
	var have []spreadMetric
	for _, k := range []spreadMetric{{"hit_ratio", "hit ratio, unique rows", true}, {"throughput", "throughput, samples/s", false}} {
		for i := range c.Runs {
			if _, ok := c.Runs[i].Metrics.Get(k.name); ok {
				have = append(have, k)
				break
			}
		}
	}
	return have
}

func drawSpread(dc draw.Canvas, c *sim.Comparison) {
	all := standings(c)
	kinds := spreads(c)
	legend := []legendItem{dotItem("a seed", pencil, 2.2), {"median", func(c *draw.Canvas, box vg.Rectangle) {
		x := (box.Min.X + box.Max.X) / 2
		c.StrokeLine2(solid(ink, 1.6), x, box.Min.Y, x, box.Max.Y)
	}}}
	dc = headed(dc, "Replacement policies", comparisonTitle(c), comparisonSubtitle(c), legend)
	height := (dc.Max.Y - dc.Min.Y) / vg.Length(len(kinds))
	for i, k := range kinds {
		part := dc
		part.Max.Y = dc.Max.Y - vg.Length(i)*height
		part.Min.Y = part.Max.Y - height + 6
		drawPanels(part, []float64{1}, spreadPanel(all, k))
	}
}

// spreadPanel has a row for each policy, the first on top.
func spreadPanel(all []standing, k spreadMetric) *plot.Plot {
	p := newPanel(k.label, "")
	var ticks fixedTicks
	var values []float64
	label := style(sans, tickSize, ink)
	for i := range all {
		ticks = append(ticks, plot.Tick{Value: float64(-i), Label: shortenTo(drawable(all[i].policy), label, plotWidth*0.2)})
		values = append(values, all[i].metric(k.name)...)
	}
	setAxis(&p.Y, -float64(len(all))+0.5, 0.5, ticks)
	p.Y.Tick.Length = 0
	lo, hi := values[0], values[0]
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	from, to, marks := linearAxis(padded(lo, hi, 0.05))
	if k.ratio {
		for i := range marks {
			marks[i].Label = formatShare(marks[i].Value)
		}
	}
	setAxis(&p.X, from, to, marks)
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, y := p.Transforms(&c)
		for i := range all {
			drawSpreadRow(&c, all[i].metric(k.name), x, y(float64(-i)), policyLine(all[i].policy, i))
		}
	}))
	return p
}

func drawSpreadRow(c *draw.Canvas, values []float64, x func(float64) vg.Length, y vg.Length, st draw.LineStyle) {
	if len(values) == 0 {
		return
	}
	at := x(median(values))
	c.StrokeLine2(solid(ink, 1.6), at, y-spreadPitch*0.42, at, y+spreadPitch*0.42)
	for _, v := range values {
		c.DrawGlyph(draw.GlyphStyle{Color: st.Color, Radius: 2.2, Shape: draw.CircleGlyph{}}, vg.Point{X: x(v), Y: y})
	}
}

// spreadCSV writes the runs that are drawn.
func spreadCSV(w io.Writer, c *sim.Comparison) error {
	out := csv.NewWriter(w)
	kinds := spreads(c)
	header := []string{"replacement", "seed"}
	for _, k := range kinds {
		header = append(header, k.name)
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		row := []string{r.Policy, strconv.FormatInt(r.Seed, 10)}
		for _, k := range kinds {
			cell := ""
			if m, ok := r.Metrics.Get(k.name); ok {
				cell = exact(m.Value)
			}
			row = append(row, cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

package reports

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

const margin vg.Length = 14 // around everything

// newPanel returns an empty plot in the style of the house: light grid, thin
// axes, ranges and ticks to be set with setX and setY.
func newPanel(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.Color, a.Width = pencil, 0.6
		a.Tick.Color, a.Tick.Width, a.Tick.Length = pencil, 0.6, 3.5
		a.Tick.Label.Font, a.Tick.Label.Color = style(sans, tickSize, ink).Font, ink
		a.Label.TextStyle.Font, a.Label.TextStyle.Color = style(sans, textSize, ink).Font, ink
		a.Label.Padding = 4
	}
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	// plot.Plot adds the descent to the middle of a label: numbers, which have
	// no descenders, would stand too high.
	p.Y.Tick.Label.YAlign = draw.YCenter - 0.12
	g := plotter.NewGrid()
	g.Vertical, g.Horizontal = solid(gridGrey, 0.6), solid(gridGrey, 0.6)
	p.Add(g)
	return p
}

func setAxis(a *plot.Axis, from, to float64, ticks fixedTicks) {
	a.Min, a.Max, a.Tick.Marker = from, to, ticks
}

func setLogAxis(a *plot.Axis, lo, hi float64) {
	from, to, ticks := logAxis(lo, hi)
	setAxis(a, from, to, ticks)
	a.Scale = plot.LogScale{}
}

// hideLabels keeps the ticks and grid of an axis and drops its labels: for a
// panel above another one with the same x axis.
func hideLabels(a *plot.Axis) {
	var ticks fixedTicks
	for _, t := range a.Tick.Marker.Ticks(a.Min, a.Max) {
		if t.Label != "" {
			t.Label = " "
		}
		ticks = append(ticks, t)
	}
	a.Tick.Marker = ticks
}

// plotterFunc makes a function a plot.Plotter.
type plotterFunc func(c draw.Canvas, p *plot.Plot)

// Plot implements plot.Plotter.
func (f plotterFunc) Plot(c draw.Canvas, p *plot.Plot) { f(c, p) }

// point is one of a curve, in data coordinates.
type point struct{ x, y float64 }

// curve draws a line through points, clipped to the panel. One point is drawn as a dot.
func curve(points []point, st draw.LineStyle) plot.Plotter {
	if len(points) == 1 {
		return dots(points, 2.6, st.Color)
	}
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		c.StrokeLines(st, c.ClipLinesXY(places(points, &c, p))...)
	})
}

// dots draws points as filled circles.
func dots(points []point, radius vg.Length, colour color.Color) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		st := draw.GlyphStyle{Color: colour, Radius: radius, Shape: draw.CircleGlyph{}}
		for _, at := range places(points, &c, p) {
			c.DrawGlyph(st, at)
		}
	})
}

func places(points []point, c *draw.Canvas, p *plot.Plot) []vg.Point {
	x, y := p.Transforms(c)
	ps := make([]vg.Point, len(points))
	for i, d := range points {
		ps[i] = vg.Point{X: x(d.x), Y: y(d.y)}
	}
	return ps
}

// legendItem is a sample of what is drawn and its name.
type legendItem struct {
	name   string
	sample func(c *draw.Canvas, box vg.Rectangle)
}

func lineItem(name string, st draw.LineStyle) legendItem {
	return legendItem{name, func(c *draw.Canvas, box vg.Rectangle) {
		y := (box.Min.Y + box.Max.Y) / 2
		c.StrokeLine2(st, box.Min.X, y, box.Max.X, y)
	}}
}

func dotItem(name string, colour color.Color, radius vg.Length) legendItem {
	return legendItem{name, func(c *draw.Canvas, box vg.Rectangle) {
		at := vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2}
		c.DrawGlyphNoClip(draw.GlyphStyle{Color: colour, Radius: radius, Shape: draw.CircleGlyph{}}, at)
	}}
}

func boxItem(name string, colour color.Color) legendItem {
	return legendItem{name, func(c *draw.Canvas, box vg.Rectangle) {
		mid := (box.Min.X + box.Max.X) / 2
		box.Min.X, box.Max.X = mid-5, mid+5
		fillBox(c, colour, box)
	}}
}

func fillBox(c *draw.Canvas, colour color.Color, b vg.Rectangle) {
	c.FillPolygon(colour, corners(b))
}

func strokeBox(c *draw.Canvas, st draw.LineStyle, b vg.Rectangle) {
	pts := corners(b)
	c.StrokeLines(st, append(pts, pts[0], pts[1]))
}

func corners(b vg.Rectangle) []vg.Point {
	return []vg.Point{b.Min, {X: b.Max.X, Y: b.Min.Y}, b.Max, {X: b.Min.X, Y: b.Max.Y}}
}

// head draws title, subtitle and legend at the top of c, above the data and
// never over them, and returns what is left below.
func head(c draw.Canvas, r *sim.Result, what string, legend []legendItem) draw.Canvas {
	return headed(c, what, title(r), subtitle(r), legend)
}

// headed is head for what is not a result: a name and what identifies it.
func headed(c draw.Canvas, what, name, sub string, legend []legendItem) draw.Canvas {
	c.SetColor(white)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, margin, -margin, margin*0.7, -margin)
	width := c.Max.X - c.Min.X

	st := style(sansBold, titleSize, ink)
	name = drawable(name)
	what += " · "
	y := c.Max.Y - titleSize*0.8
	c.FillText(st, vg.Point{X: c.Min.X, Y: y}, what)
	c.FillText(style(sans, titleSize, ink), vg.Point{X: c.Min.X + st.Width(what), Y: y},
		clipTo(name, style(sans, titleSize, ink), width-st.Width(what)))
	y -= textSize + 5
	c.FillText(style(sans, textSize, pencil), vg.Point{X: c.Min.X, Y: y},
		clipTo(drawable(sub), style(sans, textSize, pencil), width))
	y -= 6
	c.Max.Y = drawLegend(&c, legend, y) - 8
	return c
}

// subtitle identifies the run.
func subtitle(r *sim.Result) string {
	parts := [][2]string{
		{"scenario", r.Scenario}, {"placement", r.Scheme.Placement}, {"schedule", r.Scheme.Schedule},
		{"replacement", r.Replacement},
	}
	s := ""
	for _, p := range parts {
		if p[1] != "" {
			s += p[0] + " " + printable(p[1]) + " · "
		}
	}
	return s + "seed " + strconv.FormatInt(r.Seed, 10)
}

// Sizes of a legend.
const (
	sampleWidth   vg.Length = 18
	sampleGap     vg.Length = 5  // between a sample and its name
	legendGap     vg.Length = 16 // between items
	legendLine    vg.Length = 14
	legendNameMax           = 0.6 // of the width: longer names are shortened
)

var legendStyle = aligned(style(sans, textSize, ink), text.XLeft, text.YCenter)

// layoutLegend says where each item goes, as many to a line as fit, from the
// upper left corner of the legend, and how many lines there are.
func layoutLegend(items []legendItem, width vg.Length) (names []string, x []vg.Length, line []int, lines int) {
	var at vg.Length
	for _, it := range items {
		name := shortenTo(drawable(it.name), legendStyle, width*legendNameMax)
		w := sampleWidth + sampleGap + legendStyle.Width(name)
		if lines == 0 || at+w > width {
			at = 0
			lines++
		}
		names, x, line = append(names, name), append(x, at), append(line, lines)
		at += w + legendGap
	}
	return names, x, line, lines
}

// legendHeight is what drawLegend takes in a plot of the usual width.
func legendHeight(items []legendItem) vg.Length {
	_, _, _, lines := layoutLegend(items, plotWidth-2*margin)
	return vg.Length(lines) * legendLine
}

// drawLegend draws items below y and returns the lower edge.
func drawLegend(c *draw.Canvas, items []legendItem, y vg.Length) vg.Length {
	names, x, line, lines := layoutLegend(items, c.Max.X-c.Min.X)
	for i, it := range items {
		at := vg.Point{X: c.Min.X + x[i], Y: y - vg.Length(line[i])*legendLine}
		it.sample(c, vg.Rectangle{Min: at, Max: vg.Point{X: at.X + sampleWidth, Y: at.Y + textSize}})
		c.FillText(legendStyle, vg.Point{X: at.X + sampleWidth + sampleGap, Y: at.Y + textSize/2 + 0.5}, names[i])
	}
	return y - vg.Length(lines)*legendLine
}

// headHeight is what head takes without a legend, margins included.
const headHeight vg.Length = margin + titleSize*0.8 + textSize + 5 + 6 + 8 + margin*0.7

// drawPanels stacks panels from top to bottom, each with its share of the
// height, so that the left and right edges of their data line up. The labels of
// the axes are drawn here: plot.Plot makes room for them in the wrong place when
// an axis is logarithmic. That of the x axis is the last panel's.
func drawPanels(c draw.Canvas, shares []float64, panels ...*plot.Plot) {
	xLabel := panels[len(panels)-1].X.Label
	yLabels := make([]string, len(panels))
	whole := c
	c.Min.Y += xLabel.TextStyle.Height(xLabel.Text) + xLabel.Padding
	c.Max.X -= 6 // the last tick label may reach over the edge
	for i, p := range panels {
		if yLabels[i] = p.Y.Label.Text; yLabels[i] != "" {
			c.Min.X = whole.Min.X + textSize + 2*p.Y.Label.Padding
		}
		p.X.Label.Text, p.Y.Label.Text = "", ""
	}
	data := drawAligned(c, shares, panels)
	st := aligned(xLabel.TextStyle, text.XCenter, text.YBottom)
	last := data[len(data)-1]
	c.FillText(st, vg.Point{X: (last.Min.X + last.Max.X) / 2, Y: whole.Min.Y + st.FontExtents().Descent}, xLabel.Text)
	st.Rotation = math.Pi / 2
	for i, label := range yLabels {
		c.FillText(st, vg.Point{X: whole.Min.X + textSize, Y: (data[i].Min.Y + data[i].Max.Y) / 2}, label)
	}
}

// drawAligned draws panels without axis labels and returns where their data are.
func drawAligned(c draw.Canvas, shares []float64, panels []*plot.Plot) []vg.Rectangle {
	sum := 0.0
	for _, s := range shares {
		sum += s
	}
	height := c.Max.Y - c.Min.Y
	top := c.Max.Y
	cells := make([]draw.Canvas, len(panels))
	var left, right vg.Length
	for i, p := range panels {
		cells[i] = c
		cells[i].Max.Y = top
		top -= height * vg.Length(shares[i]/sum)
		cells[i].Min.Y = top
		data := p.DataCanvas(cells[i])
		left = max(left, data.Min.X-cells[i].Min.X)
		right = max(right, cells[i].Max.X-data.Max.X)
	}
	places := make([]vg.Rectangle, len(panels))
	for i, p := range panels {
		data := p.DataCanvas(cells[i])
		cell := draw.Crop(cells[i], left-(data.Min.X-cells[i].Min.X), -(right - (cells[i].Max.X - data.Max.X)), 0, 0)
		p.Draw(cell)
		places[i] = p.DataCanvas(cell).Rectangle
	}
	return places
}

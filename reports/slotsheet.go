package reports

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/hw/unit"
)

// slotSheet is a sheet with a number of slots on its x axis: curves of several
// replacement policies, level lines of what has no slots, and marks at the numbers
// of slots that fit the memory of device types.
type slotSheet struct {
	what, name, sub string // the head

	yLabel string
	yAxis  func(a *plot.Axis)
	row    unit.Bytes // of a slot; 0: not known

	curves []slotCurve
	levels []slotLevel
	marks  []slotMark
	gaps   []float64 // numbers of slots that cannot be had
}

// slotCurve is one line of a sheet. Its points are in order of slots.
type slotCurve struct {
	name   string
	line   draw.LineStyle
	points []point // slots, and what the y axis says
	marked bool    // points are marked by dots
}

// slotLevel is a level line.
type slotLevel struct {
	name string
	line draw.LineStyle
	y    float64
}

// slotMark is a number of slots with a name.
type slotMark struct {
	name  string
	slots float64
}

// policyLine is the line of the i-th replacement policy of a sheet: as many hues as
// can be told apart, then the same with dashes, with dots, with both. The sky blue
// of CPUs is not among them. MIN, which no policy can beat, is drawn in ink.
func policyLine(policy string, i int) draw.LineStyle {
	const width vg.Length = 1.6
	if policy == "min" {
		return solid(ink, width)
	}
	hues := []color.RGBA{blue, vermillion, green, orange, purple}
	st := solid(hues[i%len(hues)], width)
	st.Dashes = [][]vg.Length{nil, {6, 2.5}, {1.6, 2}, {7, 2, 1.6, 2}}[i/len(hues)%4]
	return st
}

const (
	panelHeight vg.Length = 290
	markPitch   vg.Length = 10 // between the names of marks
	markLeader  vg.Length = 9  // from the panel to the name
	markNameMax vg.Length = 70
)

// The axis is drawn out to marks beyond the data by at most this share of its length,
// and in any case to those at half the data's slots or twice as many.
const markRoom = 0.2

var markStyle = aligned(style(sans, tickSize, pencil), text.XLeft, text.YCenter)

func (s *slotSheet) size() (w, h vg.Length) {
	m := s.splitMarks(s.slotRange())
	return plotWidth, headHeight + legendHeight(s.legend(m)) + marksHeight(m.near) + panelHeight
}

func (s *slotSheet) draw(c draw.Canvas) {
	lo, hi := s.slotRange()
	marks := s.splitMarks(lo, hi)
	for _, m := range marks.near {
		lo, hi = min(lo, m.slots), max(hi, m.slots)
	}
	p := newPanel("slots", s.yLabel)
	s.yAxis(&p.Y)
	setLogAxis(&p.X, lo, hi)
	if s.row > 0 {
		p.X.Label.Text = fmt.Sprintf("slots, and the memory they take (%s each)", formatBytes(float64(s.row)))
		addBytes(&p.X, s.row)
	}
	p.Add(markLines(marks.near))
	for _, l := range s.levels {
		p.Add(curve([]point{{p.X.Min, l.y}, {p.X.Max, l.y}}, l.line))
	}
	for _, k := range s.curves {
		p.Add(curve(k.points, k.line))
		if k.marked {
			p.Add(dots(k.points, 2.4, k.line.Color))
		}
	}
	p.Add(gapCrosses(s.gaps))
	c = headed(c, s.what, s.name, s.sub, s.legend(marks))
	c.Max.Y -= marksHeight(marks.near)
	drawPanels(c, []float64{1}, p)
}

// slotRange covers the curves and the gaps.
func (s *slotSheet) slotRange() (lo, hi float64) {
	lo, hi = math.Inf(1), 0
	for _, k := range s.curves {
		for _, d := range k.points {
			lo, hi = min(lo, d.x), max(hi, d.x)
		}
	}
	for _, g := range s.gaps {
		lo, hi = min(lo, g), max(hi, g)
	}
	return lo, hi
}

// splitMarks are marks on the sheet and off it, each in order of slots.
type splitMarks struct{ below, near, above []slotMark }

// splitMarks tells the marks for which the axis is drawn out from those that
// would press the curves against a side.
func (s *slotSheet) splitMarks(lo, hi float64) (out splitMarks) {
	marks := slices.Clone(s.marks)
	slices.SortStableFunc(marks, func(a, b slotMark) int { return cmp.Compare(a.slots, b.slots) })
	room := max(2, math.Pow(hi/lo, markRoom)) // the axis is logarithmic
	for _, m := range marks {
		switch {
		case m.slots <= 0 || m.slots*room < lo:
			out.below = append(out.below, m)
		case m.slots > hi*room:
			out.above = append(out.above, m)
		default:
			out.near = append(out.near, m)
		}
	}
	return out
}

func (s *slotSheet) legend(marks splitMarks) []legendItem {
	var items []legendItem
	for _, k := range s.curves {
		items = append(items, lineItem(k.name, k.line))
	}
	for _, l := range s.levels {
		items = append(items, lineItem(l.name, l.line))
	}
	if len(s.gaps) > 0 {
		items = append(items, legendItem{"cannot be run", func(c *draw.Canvas, box vg.Rectangle) {
			drawCross(c, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2})
		}})
	}
	if len(marks.near) > 0 {
		items = append(items, legendItem{"memory of a device type", func(c *draw.Canvas, box vg.Rectangle) {
			x := (box.Min.X + box.Max.X) / 2
			c.StrokeLine2(markLine, x, box.Min.Y-2, x, box.Max.Y+2)
		}})
	}
	if far := marks.below; len(far) > 0 {
		far = slices.Clone(far)
		slices.Reverse(far) // from the sheet on
		items = append(items, legendItem{"off this sheet, fewer: " + farNames(far), func(c *draw.Canvas, box vg.Rectangle) {
			drawArrow(c, box, -1)
		}})
	}
	if far := marks.above; len(far) > 0 {
		items = append(items, legendItem{"off this sheet, more: " + farNames(far), func(c *draw.Canvas, box vg.Rectangle) {
			drawArrow(c, box, 1)
		}})
	}
	return items
}

// farNames names what lies off the sheet, in few words.
func farNames(far []slotMark) string {
	one := func(m slotMark) string { return fmt.Sprintf("%s (%s slots)", m.name, formatSI(m.slots)) }
	switch len(far) {
	case 1:
		return one(far[0])
	case 2:
		return one(far[0]) + ", " + one(far[1])
	}
	return fmt.Sprintf("%s and %d more device types", one(far[0]), len(far)-1)
}

// drawArrow draws an arrow across a box: to the right by 1, to the left by -1.
func drawArrow(c *draw.Canvas, box vg.Rectangle, by vg.Length) {
	y := (box.Min.Y + box.Max.Y) / 2
	from, tip := box.Min.X, box.Max.X
	if by < 0 {
		from, tip = tip, from
	}
	c.StrokeLine2(solid(pencil, 0.8), from+4*by, y, tip-by, y)
	c.FillPolygon(pencil, []vg.Point{{X: tip, Y: y}, {X: tip - 5*by, Y: y + 2.4}, {X: tip - 5*by, Y: y - 2.4}})
}

// gapCrosses puts a cross at the foot of the panel for every number of slots that
// cannot be had.
func gapCrosses(gaps []float64) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		x, _ := p.Transforms(&c)
		for _, g := range gaps {
			drawCross(&c, vg.Point{X: x(g), Y: c.Min.Y + 7})
		}
	})
}

func drawCross(c *draw.Canvas, at vg.Point) {
	const r = 3
	st := solid(vermillion, 1.4)
	c.StrokeLine2(st, at.X-r, at.Y-r, at.X+r, at.Y+r)
	c.StrokeLine2(st, at.X-r, at.Y+r, at.X+r, at.Y-r)
}

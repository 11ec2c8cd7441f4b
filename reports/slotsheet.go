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
	farMarks              = 64 // the axis is drawn out to marks up to so many times beyond the data
)

var markStyle = aligned(style(sans, tickSize, pencil), text.XLeft, text.YCenter)

func (s *slotSheet) size() (w, h vg.Length) {
	lo, hi := s.slotRange()
	near, far := s.splitMarks(lo, hi)
	return plotWidth, headHeight + legendHeight(s.legend(far)) + marksHeight(near) + panelHeight
}

func (s *slotSheet) draw(c draw.Canvas) {
	lo, hi := s.slotRange()
	near, far := s.splitMarks(lo, hi)
	for _, m := range near {
		lo, hi = min(lo, m.slots), max(hi, m.slots)
	}
	p := newPanel("slots", s.yLabel)
	s.yAxis(&p.Y)
	setLogAxis(&p.X, lo, hi)
	if s.row > 0 {
		p.X.Label.Text = fmt.Sprintf("slots, and the memory they take (%s each)", formatBytes(float64(s.row)))
		addBytes(&p.X, s.row)
	}
	p.Add(markLines(near))
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
	c = headed(c, s.what, s.name, s.sub, s.legend(far))
	c.Max.Y -= marksHeight(near)
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

// splitMarks tells the marks for which the axis is drawn out from those that
// would press the curves against a side. Both are in order of slots.
func (s *slotSheet) splitMarks(lo, hi float64) (near, far []slotMark) {
	marks := slices.Clone(s.marks)
	slices.SortStableFunc(marks, func(a, b slotMark) int { return cmp.Compare(a.slots, b.slots) })
	for _, m := range marks {
		if m.slots > 0 && m.slots*farMarks >= lo && m.slots <= hi*farMarks {
			near = append(near, m)
		} else {
			far = append(far, m)
		}
	}
	return near, far
}

func (s *slotSheet) legend(far []slotMark) []legendItem {
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
	if len(s.marks) > len(far) {
		items = append(items, legendItem{"memory of a device type", func(c *draw.Canvas, box vg.Rectangle) {
			x := (box.Min.X + box.Max.X) / 2
			c.StrokeLine2(markLine, x, box.Min.Y-2, x, box.Max.Y+2)
		}})
	}
	if len(far) > 0 {
		items = append(items, legendItem{"off this sheet: " + farNames(far), func(c *draw.Canvas, box vg.Rectangle) {
			drawArrow(c, box)
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

func drawArrow(c *draw.Canvas, box vg.Rectangle) {
	y := (box.Min.Y + box.Max.Y) / 2
	tip := vg.Point{X: box.Max.X, Y: y}
	c.StrokeLine2(solid(pencil, 0.8), box.Min.X+4, y, tip.X-1, y)
	c.FillPolygon(pencil, []vg.Point{tip, {X: tip.X - 5, Y: y + 2.4}, {X: tip.X - 5, Y: y - 2.4}})
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

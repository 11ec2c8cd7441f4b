package reports

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// layersPlot draws the target scheme: the layers of the model in a row,
// coloured by device type, with a frame around the layers of a stage.
var layersPlot = Plot{
	Name:  "layers",
	Title: "Target scheme",
	Wants: "layers",
	Needs: func(r *sim.Result) bool { return len(r.Scheme.Layers) > 0 },
	Size: func(r *sim.Result) (w, h vg.Length) {
		l := layoutLayers(len(r.Scheme.Layers))
		return plotWidth, headHeight + legendHeight(layersLegend(r)) + l.height()
	},
	Draw: drawLayers,
}

// layerLayout is how layers are laid out: in rows of cells.
type layerLayout struct {
	rows, perRow int
	cell         vg.Point // width and height
	upright      bool     // names run upwards
}

const (
	stageGap   vg.Length = 3  // around the cells of a stage
	stageTitle vg.Length = 15 // above the cells
	busyBar    vg.Length = 4  // below the cells: share of time that the stage computes
	indexSpace vg.Length = 22 // below it: index of the layer, and air
)

func (l *layerLayout) pitch() vg.Length { return stageTitle + l.cell.Y + busyBar + indexSpace }

func (l *layerLayout) height() vg.Length { return vg.Length(l.rows) * l.pitch() }

func layoutLayers(n int) layerLayout {
	const width = plotWidth - 2*margin - 2*stageGap
	l := layerLayout{perRow: n, rows: 1, upright: true}
	switch {
	case n <= 8:
		l.cell = vg.Point{X: min(110, width/vg.Length(n)), Y: 40}
		l.upright = false
		return l
	case n <= 24:
	default:
		l.rows = min(12, (n+27)/28)
		l.perRow = (n + l.rows - 1) / l.rows
		l.rows = (n + l.perRow - 1) / l.perRow
	}
	l.cell = vg.Point{X: min(36, width/vg.Length(l.perRow)), Y: 92}
	if l.rows > 4 {
		l.cell.Y = 58
	}
	if l.cell.X < smallSize+2 { // no room for names
		l.cell.Y = 22
	}
	return l
}

func drawLayers(c draw.Canvas, r *sim.Result) {
	_, colours := deviceColours(r)
	c = head(c, r, "Target scheme", layersLegend(r))
	l := layoutLayers(len(r.Scheme.Layers))
	drawScheme(&c, r, &l, colours, c.Max.Y)
}

// drawScheme draws the layers and stages of a scheme below top, as high as the layout says.
func drawScheme(c *draw.Canvas, r *sim.Result, l *layerLayout, colours map[string]color.RGBA, top vg.Length) {
	n := len(r.Scheme.Layers)
	stageOf := layerStages(r)
	for row := range l.rows {
		at := vg.Point{X: c.Min.X + stageGap, Y: top - vg.Length(row)*l.pitch() - stageTitle}
		first, last := row*l.perRow, min(n, (row+1)*l.perRow)-1
		drawLayerRow(c, r, l, colours, first, last, at)
		boxes := stageBoxes(l, stageOf, first, last, at)
		for _, b := range boxes {
			// White between the frames of neighbours, at the cost of the outermost cells.
			strokeBox(c, solid(white, 3.6), b.Rectangle)
		}
		for _, b := range boxes {
			drawBusyBar(c, r.Scheme.Stages[b.stage].Busy, b.Rectangle)
			drawStageFrame(c, r, b.stage, b.Rectangle)
		}
	}
}

// drawBusyBar shows below the cells of a stage how much of the time it computes.
func drawBusyBar(c *draw.Canvas, busy float64, cells vg.Rectangle) {
	bar := vg.Rectangle{
		Min: vg.Point{X: cells.Min.X + 2.4, Y: cells.Min.Y - busyBar},
		Max: vg.Point{X: cells.Max.X - 2.4, Y: cells.Min.Y - 0.6},
	}
	fillBox(c, idleGrey, bar)
	bar.Max.X = bar.Min.X + (bar.Max.X-bar.Min.X)*vg.Length(min(max(busy, 0), 1))
	if bar.Max.X-bar.Min.X > 0.05 {
		fillBox(c, pencil, bar)
	}
}

// busyItem explains the bars.
var busyItem = legendItem{"share of time that a stage computes", func(c *draw.Canvas, box vg.Rectangle) {
	mid := (box.Min.Y + box.Max.Y) / 2
	box.Min.Y, box.Max.Y = mid-1.7, mid+1.7
	fillBox(c, idleGrey, box)
	box.Max.X = box.Min.X + sampleWidth*0.6
	fillBox(c, pencil, box)
}}

// stageBox is where a run of layers of one stage lies.
type stageBox struct {
	stage int
	vg.Rectangle
}

// stageBoxes returns the runs of layers first to last that are in a stage; at
// is the upper left corner.
func stageBoxes(l *layerLayout, stageOf []int, first, last int, at vg.Point) []stageBox {
	var boxes []stageBox
	for i := first; i <= last; {
		j := i
		for j < last && stageOf[j+1] == stageOf[i] {
			j++
		}
		if s := stageOf[i]; s >= 0 {
			x := at.X + vg.Length(i-first)*l.cell.X
			boxes = append(boxes, stageBox{s, vg.Rectangle{
				Min: vg.Point{X: x, Y: at.Y - l.cell.Y},
				Max: vg.Point{X: x + vg.Length(j-i+1)*l.cell.X, Y: at.Y},
			}})
		}
		i = j + 1
	}
	return boxes
}

func layersLegend(r *sim.Result) []legendItem {
	devices, colours := deviceColours(r)
	var legend []legendItem
	for _, d := range devices {
		legend = append(legend, boxItem(deviceSummary(r, d), colours[d]))
	}
	return append(legend, busyItem)
}

// deviceSummary names a device type and what the scheme gives it.
func deviceSummary(r *sim.Result, device string) string {
	layers, devices := 0, 0
	for _, d := range r.Scheme.Layers {
		if d == device {
			layers++
		}
	}
	for _, s := range r.Scheme.Stages {
		if s.Device == device {
			devices += s.Devices
		}
	}
	return fmt.Sprintf("%s: %s on %s", printable(device), plural(layers, "layer"), plural(devices, "device"))
}

// layerStages says in which stage each layer is; -1 for none.
func layerStages(r *sim.Result) []int {
	of := make([]int, len(r.Scheme.Layers))
	for i := range of {
		of[i] = -1
	}
	for k, s := range r.Scheme.Stages {
		for _, i := range s.Layers {
			if i >= 0 && i < len(of) {
				of[i] = k
			}
		}
	}
	return of
}

// drawLayerRow draws the cells of layers first to last; at is the upper left corner.
func drawLayerRow(c *draw.Canvas, r *sim.Result, l *layerLayout, colours map[string]color.RGBA, first, last int, at vg.Point) {
	name := aligned(style(sans, tickSize, ink), text.XCenter, text.YCenter)
	if l.cell.X < tickSize+3 {
		name.Font.Size = smallSize
	}
	index := aligned(style(sans, smallSize, pencil), text.XCenter, text.YTop)
	for i := first; i <= last; i++ {
		x := at.X + vg.Length(i-first)*l.cell.X
		box := vg.Rectangle{Min: vg.Point{X: x, Y: at.Y - l.cell.Y}, Max: vg.Point{X: x + l.cell.X, Y: at.Y}}
		colour := colours[r.Scheme.Layers[i]]
		fillBox(c, colour, box)
		strokeBox(c, solid(white, 0.8), box)
		name.Color = inkOn(colour)
		mid := vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y + box.Max.Y) / 2}
		label := drawable(layerName(r, i))
		switch {
		case !l.upright:
			c.FillText(name, mid, shortenTo(label, name, l.cell.X-8))
		case l.cell.X >= smallSize+2:
			up := name
			up.Rotation = math.Pi / 2
			c.FillText(up, mid, shortenTo(label, name, l.cell.Y-8))
		}
		number := strconv.Itoa(i)
		// All numbers where they fit, else every tenth.
		if index.Width("000")+2 <= l.cell.X || i == first || (i%10 == 0 && i-first > 3) {
			c.FillText(index, vg.Point{X: mid.X, Y: box.Min.Y - busyBar - stageGap - 3}, number)
		}
	}
}

// drawStageFrame frames the layers of a stage and names it above: as much of
// "stage 1: v100-32 × 4, busy 78 %" as there is room for.
func drawStageFrame(c *draw.Canvas, r *sim.Result, stage int, box vg.Rectangle) {
	frame := box
	frame.Min.X, frame.Max.X = frame.Min.X+0.9, frame.Max.X-0.9
	frame.Min.Y, frame.Max.Y = frame.Min.Y-busyBar-stageGap, frame.Max.Y+stageGap
	strokeBox(c, solid(ink, 1.1), frame)
	s := &r.Scheme.Stages[stage]
	st := aligned(style(sans, tickSize, ink), text.XLeft, text.YBottom)
	width := frame.Max.X - frame.Min.X - 4
	device := drawable(s.Device)
	count := fmt.Sprintf("%d:  × %d", stage+1, s.Devices)
	busy := fmt.Sprintf(", busy %.0f %%", 100*s.Busy)
	for _, label := range []string{
		fmt.Sprintf("stage %d: %s × %d", stage+1, device, s.Devices) + busy,
		fmt.Sprintf("%d: %s × %d", stage+1, device, s.Devices) + busy,
		fmt.Sprintf("stage %d: %s × %d", stage+1, device, s.Devices),
		fmt.Sprintf("%d: %s × %d", stage+1, device, s.Devices),
		fmt.Sprintf("%d: %s × %d", stage+1, shortenTo(device, st, max(48, width-st.Width(count))), s.Devices),
		fmt.Sprintf("%d: × %d", stage+1, s.Devices),
		strconv.Itoa(stage + 1),
	} {
		if st.Width(label) <= width {
			c.FillText(st, vg.Point{X: frame.Min.X, Y: frame.Max.Y + 3}, label)
			return
		}
	}
}

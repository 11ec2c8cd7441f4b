package reports

import (
	"fmt"
	"image/color"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// stagesPlot shows what the devices of each stage did with their time.
var stagesPlot = Plot{
	Name:  "stages",
	Title: "Time by stage",
	Wants: "stages",
	Needs: func(r *sim.Result) bool { return len(r.Scheme.Stages) > 0 },
	Size: func(r *sim.Result) (w, h vg.Length) {
		return plotWidth, 112 + stagePitch(r)*vg.Length(len(r.Scheme.Stages))
	},
	Draw: drawStages,
}

// stagePitch is the height of one stage's row: less where there are many.
func stagePitch(r *sim.Result) vg.Length {
	return max(5, min(34, 640/vg.Length(len(r.Scheme.Stages))))
}

// timeUse is what devices do with their time.
type timeUse struct {
	name   string
	colour color.RGBA
	css    string // its colour on the page
	share  func(s *sim.Stage) float64
}

// timeUses are the parts of a bar from left to right.
func timeUses(r *sim.Result) []timeUse {
	uses := []timeUse{
		{"busy: computing", blue, "var(--c0)", func(s *sim.Stage) float64 { return s.Busy }},
		{"sync: gradients", skyBlue, "var(--c5)", func(s *sim.Stage) float64 { return s.Sync }},
		{"stall: embedding rows", vermillion, "var(--c1)", func(s *sim.Stage) float64 { return s.Stall }},
		{"idle: other stages", idleGrey, "var(--idle)", func(s *sim.Stage) float64 { return s.Idle }},
	}
	if losesTime(r) {
		uses = append(uses, timeUse{"lost: checkpoints, restarts", purple, "var(--c4)", func(s *sim.Stage) float64 { return s.Lost }})
	}
	return uses
}

// losesTime reports whether checkpoints, repairs or restarts took any stage's time.
func losesTime(r *sim.Result) bool {
	return slices.ContainsFunc(r.Scheme.Stages, func(s sim.Stage) bool { return s.Lost > 0 })
}

func drawStages(c draw.Canvas, r *sim.Result) {
	var legend []legendItem
	uses := timeUses(r)
	for _, u := range uses {
		legend = append(legend, boxItem(u.name, u.colour))
	}
	stages := r.Scheme.Stages
	pitch := stagePitch(r)
	p := newPanel("share of the run's time", "")
	setAxis(&p.X, 0, 1, percentTicks())
	label := style(sans, tickSize, ink)
	var ticks fixedTicks
	// Rows lower than a line of text are named only so often that names do not touch.
	every := int((tickSize+2)/pitch) + 1
	if pitch >= tickSize+1 {
		every = 1
	}
	for i := range stages {
		if i%every == 0 {
			ticks = append(ticks, plot.Tick{Value: float64(-i), Label: stageLabel(r, i, label, plotWidth*0.4)})
		}
	}
	setAxis(&p.Y, -float64(len(stages))+0.5, 0.5, ticks)
	p.Y.Tick.Length = 0
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		for i := range stages {
			drawStageBar(&c, p, uses, &stages[i], float64(-i))
		}
	}))
	drawPanels(head(c, r, "Time by stage", legend), []float64{1}, p)
}

// stageLabel says "1: v100-32 × 4 · emb…fc1". Where that is too wide the layers
// give first, then the device.
func stageLabel(r *sim.Result, i int, st text.Style, width vg.Length) string {
	s := &r.Scheme.Stages[i]
	device := fmt.Sprintf("%d: %s × %d", i+1, shortenTo(drawable(s.Device), st, width*0.55), s.Devices)
	layers := shortenTo(drawable(layerSpan(r, s)), st, width-st.Width(device+" · "))
	if layers == "" {
		return device
	}
	return device + " · " + layers
}

func drawStageBar(c *draw.Canvas, p *plot.Plot, uses []timeUse, s *sim.Stage, y float64) {
	const half = 0.36 // of a row
	numbers := aligned(style(sans, tickSize, ink), text.XCenter, text.YCenter)
	px, py := p.Transforms(c)
	from := 0.0
	for _, u := range uses {
		share := max(0, u.share(s))
		to := min(1, from+share) // shares sum to 1 but for rounding
		box := vg.Rectangle{
			Min: vg.Point{X: px(from), Y: py(y - half)},
			Max: vg.Point{X: px(to), Y: py(y + half)},
		}
		from = to
		if box.Max.X-box.Min.X < 0.05 {
			continue
		}
		fillBox(c, u.colour, box)
		value := strconv.FormatFloat(100*share, 'f', 0, 64) + " %"
		if numbers.Width(value)+6 <= box.Max.X-box.Min.X && tickSize+2 <= box.Max.Y-box.Min.Y {
			numbers.Color = inkOn(u.colour)
			c.FillText(numbers, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y+box.Max.Y)/2 + 0.5}, value)
		}
	}
}

package reports

import (
	"encoding/csv"
	"image/color"
	"io"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/hw/unit"
	"stowage/sim"
)

// memoryPlot shows the memory of a device of every stage in one warm step.
var memoryPlot = Plot{
	Name:  "memory",
	Title: "Memory of a device in one step",
	Wants: "a timeline with memory",
	Needs: hasMemory,
	Size: func(r *sim.Result) (w, h vg.Length) {
		return plotWidth, headHeight + 64 + memoryRowHeight*vg.Length(len(memoryStages(r)))
	},
	Draw: drawMemory,
}

const (
	memoryRowHeight  = vg.Length(76)
	mostMemoryStages = 12
)

func hasMemory(r *sim.Result) bool {
	return timelinePlot.Needs(r) && len(r.Timeline.Memory) > 0 && len(r.Timeline.Memory) == len(r.Scheme.Stages)
}

// memoryStages returns the stages that have room in the picture: the first ones.
func memoryStages(r *sim.Result) []sim.StageMemory {
	return r.Timeline.Memory[:min(mostMemoryStages, len(r.Timeline.Memory))]
}

// heldUses are the parts of memory from bottom to top.
var heldUses = []struct {
	name   string
	colour color.RGBA
	of     func(s *sim.Stage, p *sim.MemoryPoint) unit.Bytes
}{
	{"weights", blue, func(s *sim.Stage, _ *sim.MemoryPoint) unit.Bytes { return s.Memory.Weights }},
	{"gradients", skyBlue, func(s *sim.Stage, _ *sim.MemoryPoint) unit.Bytes { return s.Memory.Gradients }},
	{"optimizer", purple, func(s *sim.Stage, _ *sim.MemoryPoint) unit.Bytes { return s.Memory.Optimizer }},
	{"slots", green, func(s *sim.Stage, _ *sim.MemoryPoint) unit.Bytes { return s.Memory.Slots }},
	{"activations", orange, func(_ *sim.Stage, p *sim.MemoryPoint) unit.Bytes { return p.Activations }},
	{"buffers", vermillion, func(_ *sim.Stage, p *sim.MemoryPoint) unit.Bytes { return p.Buffers }},
}

func drawMemory(c draw.Canvas, r *sim.Result) {
	line := r.Timeline
	seconds := (line.To - line.From).Seconds()
	scale, unitName := timeScale(seconds)
	_, _, ticks := linearAxis(0, seconds*scale, 8)
	for len(ticks) > 0 && ticks[len(ticks)-1].Value > seconds*scale*(1+1e-9) {
		ticks = ticks[:len(ticks)-1]
	}
	stages := memoryStages(r)
	var panels []*plot.Plot
	var shares []float64
	used := make([]bool, len(heldUses))
	for i := range stages {
		p := newPanel(unitName+" since round "+strconv.Itoa(line.Round)+" began", "")
		setAxis(&p.X, 0, seconds*scale, ticks)
		if i < len(stages)-1 {
			hideLabels(&p.X)
		}
		addMemory(p, r, &stages[i], used)
		panels, shares = append(panels, p), append(shares, 1)
	}
	var legend []legendItem
	for k, u := range heldUses {
		if used[k] {
			legend = append(legend, boxItem(u.name, u.colour))
		}
	}
	legend = append(legend, lineItem("capacity", dashed(ink, 1)))
	drawPanels(head(c, r, "Memory of a device in one step", legend), shares, panels...)
}

// addMemory draws one stage. Its axis ends at the capacity, unless that is so far away
// that nothing below could be read.
func addMemory(p *plot.Plot, r *sim.Result, m *sim.StageMemory, used []bool) {
	stage := &r.Scheme.Stages[m.Stage]
	most := float64(peakOf(stage, m))
	top := max(most*1.3, 1)
	capacity := float64(stage.Memory.Capacity)
	if capacity > 0 && capacity < 3*most {
		top = max(top, capacity*1.3)
	}
	divisor, name := 1.0, binaryUnits[0]
	for i := 1; i < len(binaryUnits) && top/divisor >= 1024; i++ {
		divisor, name = divisor*1024, binaryUnits[i]
	}
	_, _, ticks := linearAxis(0, top/divisor, 3)
	var inside fixedTicks
	for _, t := range ticks {
		if v := t.Value * divisor; v <= top {
			t.Value = v
			if t.Label != "" && v > 0 {
				t.Label += " " + name
			}
			inside = append(inside, t)
		}
	}
	setAxis(&p.Y, 0, top, inside)
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		_, y := p.Transforms(&c)
		x := func(t time.Duration) vg.Length {
			return c.Min.X + (c.Max.X-c.Min.X)*vg.Length(float64(t-r.Timeline.From)/float64(r.Timeline.To-r.Timeline.From))
		}
		for k := range heldUses {
			fillArea(&c, r, m, k, x, y)
		}
		if capacity > 0 && capacity <= top {
			c.StrokeLine2(dashed(ink, 1), c.Min.X, y(capacity), c.Max.X, y(capacity))
		}
		st := aligned(style(sansBold, tickSize, ink), text.XLeft, text.YTop)
		name := stageLabel(r, m.Stage, st, (c.Max.X-c.Min.X)*0.6)
		c.FillText(st, vg.Point{X: c.Min.X + 4, Y: c.Max.Y - 1}, name)
		st = aligned(style(sans, tickSize, ink), text.XRight, text.YTop)
		c.FillText(st, vg.Point{X: c.Max.X - 3, Y: c.Max.Y - 1}, "peak "+formatMemory(unit.Bytes(most), stage.Memory.Capacity))
	}))
	for k, u := range heldUses {
		for i := range m.Points {
			used[k] = used[k] || u.of(stage, &m.Points[i]) > 0
		}
	}
}

// fillArea draws what a use holds on top of those before it, in one piece.
func fillArea(c *draw.Canvas, r *sim.Result, m *sim.StageMemory, use int, x func(time.Duration) vg.Length, y func(float64) vg.Length) {
	stage := &r.Scheme.Stages[m.Stage]
	var upper, lower []vg.Point
	thick := false
	for i := range m.Points {
		end := r.Timeline.To
		if i+1 < len(m.Points) {
			end = m.Points[i+1].At
		}
		from := 0.0
		for _, u := range heldUses[:use] {
			from += float64(u.of(stage, &m.Points[i]))
		}
		to := from + float64(heldUses[use].of(stage, &m.Points[i]))
		thick = thick || to > from
		left, right := x(m.Points[i].At), x(end)
		upper = append(upper, vg.Point{X: left, Y: y(to)}, vg.Point{X: right, Y: y(to)})
		lower = append(lower, vg.Point{X: left, Y: y(from)}, vg.Point{X: right, Y: y(from)})
	}
	if !thick {
		return
	}
	slices.Reverse(lower)
	c.FillPolygon(heldUses[use].colour, append(upper, lower...))
}

// memoryTotal is all that a device of a stage holds from a point on.
func memoryTotal(s *sim.Stage, p *sim.MemoryPoint) (sum unit.Bytes) {
	for _, u := range heldUses {
		sum += u.of(s, p)
	}
	return sum
}

func peakOf(s *sim.Stage, m *sim.StageMemory) (peak unit.Bytes) {
	for i := range m.Points {
		peak = max(peak, memoryTotal(s, &m.Points[i]))
	}
	return peak
}

// memoryColumns names the columns of memoryRows, units last. Amounts are in bytes.
var memoryColumns = []string{
	"stage", "device", "round", "at_ns",
	"weights", "gradients", "optimizer", "slots", "activations", "buffers", "total", "capacity",
}

// memoryRows adds a row for every time at which the memory of a device of a stage
// changes in the step of the timeline: what it holds from that time on.
func memoryRows(r *sim.Result, add func(cells ...string)) {
	count := func(n int64) string { return strconv.FormatInt(n, 10) }
	for k := range r.Timeline.Memory {
		m := &r.Timeline.Memory[k]
		s := &r.Scheme.Stages[m.Stage]
		for i := range m.Points {
			p := &m.Points[i]
			row := []string{strconv.Itoa(m.Stage + 1), s.Device, strconv.Itoa(r.Timeline.Round), count(int64(p.At))}
			for _, u := range heldUses {
				row = append(row, count(int64(u.of(s, p))))
			}
			add(append(row, count(int64(memoryTotal(s, p))), count(int64(s.Memory.Capacity)))...)
		}
	}
}

// MemoryCSV writes a header and memoryRows.
func MemoryCSV(w io.Writer, r *sim.Result) error {
	out := csv.NewWriter(w)
	if err := out.Write(memoryColumns); err != nil {
		return err
	}
	memoryRows(r, func(cells ...string) { _ = out.Write(cells) }) // Error below has it
	out.Flush()
	return out.Error()
}

package reports

import (
	"fmt"
	"image/color"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// troublePlot shows throughput by time, with what was lost, above what went wrong then.
var troublePlot = Plot{
	Name:  "trouble",
	Title: "Throughput by time, and what went wrong",
	Wants: "trouble or checkpoints",
	Needs: func(r *sim.Result) bool { return len(r.Incidents) > 0 && len(r.Rounds) > 0 },
	Size: func(r *sim.Result) (w, h vg.Length) {
		rows, _ := troubleRows(r)
		return plotWidth, 300 + troubleRow*vg.Length(len(rows))
	},
	Draw: func(c draw.Canvas, r *sim.Result) { drawTrouble(c, r, troubleEnd(r)) },
}

const (
	troubleRow     vg.Length = 26
	maxTroubleRows int       = 10
)

// incidentKinds are in the order of legends.
var incidentKinds = []string{"straggler", "link", "checkpoint", "loss", "detection", "waiting", "restart", "reconfiguration", "transfer", "shrunk"}

var incidentColours = map[string]color.RGBA{
	"straggler": orange, "link": purple, "checkpoint": green, "waiting": otherGrey, "restart": skyBlue, "loss": vermillion,
	"detection": yellow, "reconfiguration": blend(ink, white, 0.3), "transfer": blend(blue, white, 0.3), "shrunk": blend(vermillion, white, 0.5),
}

// troubleRows puts what was slow in a row each, times with fewer replicas in one, and
// checkpoints and losses in one. There may be more that was slow than there are rows.
func troubleRows(r *sim.Result) (rows [][]*sim.Incident, more int) {
	var events, shrunk []*sim.Incident
	for i := range r.Incidents {
		switch in := &r.Incidents[i]; {
		case in.Kind == "shrunk":
			shrunk = append(shrunk, in)
		case in.Kind != "straggler" && in.Kind != "link":
			events = append(events, in)
		case len(rows) < maxTroubleRows:
			rows = append(rows, []*sim.Incident{in})
		default:
			more++
		}
	}
	for _, row := range [][]*sim.Incident{shrunk, events} {
		if len(row) > 0 {
			rows = append(rows, row)
		}
	}
	return rows, more
}

// troubles draws every run by itself, one below the other, over one time axis.
func (s *Sheet) troubles() picture {
	end := time.Duration(0)
	for i := range s.runs {
		end = max(end, troubleEnd(s.runs[i].Result))
	}
	p := troublePlot
	p.Draw = func(c draw.Canvas, r *sim.Result) { drawTrouble(c, r, end) }
	return s.each(p)
}

// drawTrouble draws it over a time axis that ends at a time, or a little later.
func drawTrouble(c draw.Canvas, r *sim.Result, end time.Duration) {
	unit, name := timeUnit(end)
	upper := newPanel("", "samples/s")
	from, to, ticks := linearAxis(0, end.Seconds()/unit, 8)
	setAxis(&upper.X, from, to, ticks)
	most := 0.0
	for _, rounds := range [][]sim.Round{r.Rounds, r.LostRounds} {
		for i := range rounds {
			most = max(most, rounds[i].Throughput)
		}
	}
	yFrom, yTo, yTicks := linearAxis(0, most*1.04, 5)
	setAxis(&upper.Y, yFrom, yTo, yTicks)
	legend := []legendItem{lineItem("rounds", solid(blue, 1.8))}
	if len(r.LostRounds) > 0 {
		upper.Add(roundBars(r.LostRounds, unit, vermillion))
		legend = append(legend, lineItem("lost rounds, done again", solid(vermillion, 1.8)))
	}
	upper.Add(roundBars(r.Rounds, unit, blue))
	hideLabels(&upper.X)

	rows, more := troubleRows(r)
	lower := newPanel("simulated time ("+name+")", "")
	setAxis(&lower.X, from, to, ticks)
	setAxis(&lower.Y, 0, float64(len(rows)), nil)
	lower.Add(incidentRows(rows, more, unit))
	for _, kind := range incidentKinds {
		if slices.ContainsFunc(r.Incidents, func(in sim.Incident) bool { return in.Kind == kind }) {
			legend = append(legend, boxItem(kind, incidentColours[kind]))
		}
	}
	height := float64(troubleRow) * float64(len(rows))
	drawPanels(head(c, r, "Throughput by time", legend), []float64{220, height + 20}, upper, lower)
}

// troubleEnd is when the last round ends, or the last incident.
func troubleEnd(r *sim.Result) (end time.Duration) {
	for i := range r.Rounds {
		end = max(end, r.Rounds[i].End)
	}
	for i := range r.Incidents {
		end = max(end, r.Incidents[i].End)
	}
	return end
}

// timeUnit is the unit for a time axis, in seconds.
func timeUnit(end time.Duration) (seconds float64, name string) {
	switch {
	case end >= 10*time.Hour:
		return 3600, "h"
	case end >= 20*time.Minute:
		return 60, "min"
	case end >= 2*time.Second:
		return 1, "s"
	case end >= 2*time.Millisecond:
		return 1e-3, "ms"
	}
	return 1e-6, "µs"
}

// spell is a time of one throughput.
type spell struct {
	from, to   time.Duration
	throughput float64
	joins      bool // it begins when the one before ends
}

// spells are the times of rounds, or of groups of rounds that follow each other where
// they are more than so many.
func spells(rounds []sim.Round, most int) (all []spell) {
	size := max(1, (len(rounds)+most-1)/most)
	for i := 0; i < len(rounds); {
		first, amount, seconds := i, 0.0, 0.0
		for ; i < len(rounds) && i < first+size && (i == first || rounds[i].Start == rounds[i-1].End); i++ {
			amount += rounds[i].Throughput * rounds[i].StepTime.Seconds()
			seconds += rounds[i].StepTime.Seconds()
		}
		joins := first > 0 && rounds[first].Start == rounds[first-1].End
		all = append(all, spell{rounds[first].Start, rounds[i-1].End, amount / seconds, joins})
	}
	return all
}

// roundBars draws every round, or groups of them where they are many, from when it began
// to when it ended, and joins those that follow each other.
func roundBars(rounds []sim.Round, unit float64, colour color.RGBA) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		var line []point
		flush := func() {
			if len(line) > 0 {
				c.StrokeLines(solid(colour, 1.8), c.ClipLinesXY(places(line, &c, p))...)
			}
			line = line[:0]
		}
		for _, s := range spells(rounds, maxMarks) {
			if !s.joins {
				flush()
			}
			line = append(line, point{s.from.Seconds() / unit, s.throughput}, point{s.to.Seconds() / unit, s.throughput})
		}
		flush()
	})
}

// incidentRows draws rows of boxes, the first row on top, with what they are about.
func incidentRows(rows [][]*sim.Incident, more int, unit float64) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		px, py := p.Transforms(&c)
		name := aligned(style(sans, tickSize, ink), text.XLeft, text.YCenter)
		for k, row := range rows {
			top := py(float64(len(rows) - k))
			for _, in := range row {
				from, to := px(in.Start.Seconds()/unit), px(in.End.Seconds()/unit)
				box := vg.Rectangle{Min: vg.Point{X: from, Y: top - troubleRow + 3}, Max: vg.Point{X: max(to, from+0.8), Y: top - troubleRow + 12}}
				if in.Kind == "loss" { // an instant
					box = vg.Rectangle{Min: vg.Point{X: from - 1, Y: box.Min.Y - 2}, Max: vg.Point{X: from + 1, Y: box.Max.Y + 2}}
				}
				fillBox(&c, incidentColours[in.Kind], box)
			}
			label := "checkpoints and losses"
			if row[0].Kind == "shrunk" {
				label = "fewer replicas: " + drawable(printable(row[0].What))
				if len(row) > 1 {
					label += ", ..."
				}
			}
			if kind := row[0].Kind; kind == "straggler" || kind == "link" {
				label = drawable(printable(row[0].What))
			}
			if more > 0 && k == maxTroubleRows-1 {
				label += fmt.Sprintf(" (%d more: %s)", more, ResultFile)
			}
			at := vg.Point{X: c.Min.X + 4, Y: top - 7}
			c.FillText(name, at, clipTo(label, name, c.Max.X-at.X))
		}
	})
}

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
	Draw: drawTrouble,
}

const (
	troubleRow     vg.Length = 26
	maxTroubleRows int       = 10
)

var incidentColours = map[string]color.RGBA{
	"straggler": orange, "link": purple, "checkpoint": green, "waiting": otherGrey, "restart": skyBlue, "loss": vermillion,
}

// troubleRows puts what was slow in a row each, and checkpoints and losses in one. There
// may be more that was slow than there are rows.
func troubleRows(r *sim.Result) (rows [][]*sim.Incident, more int) {
	var events []*sim.Incident
	for i := range r.Incidents {
		switch in := &r.Incidents[i]; {
		case in.Kind != "straggler" && in.Kind != "link":
			events = append(events, in)
		case len(rows) < maxTroubleRows:
			rows = append(rows, []*sim.Incident{in})
		default:
			more++
		}
	}
	if len(events) > 0 {
		rows = append(rows, events)
	}
	return rows, more
}

func drawTrouble(c draw.Canvas, r *sim.Result) {
	end := time.Duration(0)
	for i := range r.Rounds {
		end = max(end, r.Rounds[i].End)
	}
	for i := range r.Incidents {
		end = max(end, r.Incidents[i].End)
	}
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
	for _, kind := range []string{"straggler", "link", "checkpoint", "loss", "waiting", "restart"} {
		if slices.ContainsFunc(r.Incidents, func(in sim.Incident) bool { return in.Kind == kind }) {
			legend = append(legend, boxItem(kind, incidentColours[kind]))
		}
	}
	height := float64(troubleRow) * float64(len(rows))
	drawPanels(head(c, r, "Throughput by time", legend), []float64{220, height + 20}, upper, lower)
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

// roundBars draws every round, or groups of them where they are many, from when it began
// to when it ended, and joins those that follow each other.
func roundBars(rounds []sim.Round, unit float64, colour color.RGBA) plot.Plotter {
	size := max(1, (len(rounds)+maxMarks-1)/maxMarks)
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		var line []point
		flush := func() {
			if len(line) > 0 {
				c.StrokeLines(solid(colour, 1.8), c.ClipLinesXY(places(line, &c, p))...)
			}
			line = line[:0]
		}
		for i := 0; i < len(rounds); {
			first, amount, seconds := i, 0.0, 0.0
			for ; i < len(rounds) && i < first+size && (i == first || rounds[i].Start == rounds[i-1].End); i++ {
				amount += rounds[i].Throughput * rounds[i].StepTime.Seconds()
				seconds += rounds[i].StepTime.Seconds()
			}
			if first > 0 && rounds[first].Start != rounds[first-1].End {
				flush()
			}
			y := amount / seconds
			line = append(line, point{rounds[first].Start.Seconds() / unit, y}, point{rounds[i-1].End.Seconds() / unit, y})
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

package reports

import (
	"time"

	"stowage/sim"
)

// troubleChart is throughput by simulated time, with what was lost: steps, which are at
// zero where no round was under way.
func troubleChart(r *sim.Result) *chart {
	unit, name := timeUnit(troubleEnd(r))
	c := &chart{ID: "throughput-by-time", Title: "Throughput by time", XLabel: "simulated time (" + name + ")", YLabel: "samples/s", From0: true}
	c.Caption = "Every round from when it began to when it ended. At zero nothing was trained: rounds waited for a checkpoint, or for devices."
	var d chartData
	if len(r.LostRounds) > 0 {
		c.Caption += " Lost rounds were finished, then lost with a device and done again."
		d.add(chartLine{Label: "lost rounds", Colour: "--c1", Kind: "steps"}, stepsOf(r.LostRounds, unit))
	}
	d.add(chartLine{Label: "rounds that count", Colour: "--c0", Kind: "steps"}, stepsOf(r.Rounds, unit))
	var losses []point
	for i := range r.Incidents {
		if in := &r.Incidents[i]; in.Kind == "loss" && len(losses) < maxChartPoints {
			losses = append(losses, point{in.Start.Seconds() / unit, 0})
		}
	}
	if len(losses) > 0 {
		c.Caption += " Rings: a device was lost."
		d.add(chartLine{Label: "a device is lost", Colour: "--c1", Kind: "ring"}, losses)
	}
	return d.into(c)
}

// stepsOf are points from each of which on, until the next one, throughput is the same.
func stepsOf(rounds []sim.Round, unit float64) (points []point) {
	ended := time.Duration(0)
	zero := func() {
		points = append(points, point{ended.Seconds() / unit, 0})
	}
	for _, s := range spells(rounds, maxChartPoints/2) {
		if !s.joins && s.from > ended {
			zero()
		}
		points = append(points, point{s.from.Seconds() / unit, s.throughput})
		ended = s.to
	}
	zero()
	return points
}

package reports

import (
	"fmt"
	"io"

	"stowage/sim"
)

// maxSweepRows is how many points of a sweep the summary lists; of more it gives the
// crossings alone, and the plots show them all.
const maxSweepRows = 40

// summarySweep lists what the scheme does with other slot tables, and where a layer is
// faster on accelerators than without slots.
func summarySweep(w io.Writer, r *sim.Result, width int) error {
	if r.Sweep == nil || len(r.Sweep.Points) == 0 {
		return nil
	}
	if len(r.Sweep.Points) <= maxSweepRows {
		if err := sweepGrid(r).render(w, width); err != nil {
			return err
		}
	}
	for _, line := range append(sweepReasons(r), sweepVerdicts(r)...) {
		if _, err := io.WriteString(w, wrap(line, width)); err != nil {
			return err
		}
	}
	return nil
}

func sweepGrid(r *sim.Result) *grid {
	g := &grid{columns: []column{
		{printable(r.Sweep.Layer) + " on", false, true}, {"replacement", false, true},
		{"slots", true, false}, {"hit ratio", true, false}, {"samples/s", true, false},
	}}
	g.columns[0].name = shortenText(g.columns[0].name, 16)
	for i := range r.Sweep.Points {
		p := &r.Sweep.Points[i]
		slots, hits, rate := "–", "–", "–"
		if p.Slots > 0 {
			slots = formatSI(float64(p.Slots))
			if h, ok := sweepHits(p); ok {
				hits = formatShare(h)
			}
		}
		if x, ok := sweepThroughput(p); ok {
			rate = formatNumber(x)
		}
		g.add(printable(p.Pool), printable(p.Replacement), slots, hits, rate)
	}
	return g
}

// sweepReasons says why points cannot be run.
func sweepReasons(r *sim.Result) []string {
	var lines []string
	for _, p := range r.Sweep.Points {
		if p.Infeasible == "" {
			continue
		}
		where := "on " + printable(p.Pool)
		if p.Slots > 0 {
			where += fmt.Sprintf(" with %s slots", formatSI(float64(p.Slots)))
		}
		lines = append(lines, fmt.Sprintf("cannot be run %s: %s", where, printable(p.Infeasible)))
	}
	return lines
}

// sweepVerdicts says where trails cross the fastest placement without slots.
func sweepVerdicts(r *sim.Result) []string {
	level := bestLevel(r)
	if level == 0 {
		return nil
	}
	var lines []string
	trails := sweepTrails(r)
	for i := range trails {
		lines = append(lines, "crossover: "+trails[i].name+verdict(&trails[i], level))
	}
	return lines
}

package reports

import (
	"io"

	"stowage/sim"
)

// maxIncidents is how many incidents people are shown; result.json has them all.
const maxIncidents = 20

// lostCauses says of the causes in sim.LostTime what the time was lost to.
var lostCauses = map[string]string{
	"checkpoint": "rounds waited for it",
	"redone":     "work lost with a device",
	"waiting":    "for devices to be repaired",
	"restart":    "from the last checkpoint",

	"detection":       "until losses were noticed",
	"reconfiguration": "without replicas, or with them again",
	"transfer":        "state for devices that are new or back",
}

// summaryTrouble says what went wrong, and where the time went that no round had that counts.
func summaryTrouble(w io.Writer, r *sim.Result, width int) error {
	if g := lostGrid(r); g != nil {
		if err := g.render(w, width); err != nil {
			return err
		}
	}
	if g := incidentsGrid(r); g != nil {
		if len(r.Lost) > 0 {
			io.WriteString(w, "\n") // w is a buffer of Summary
		}
		return g.render(w, width)
	}
	return nil
}

// lostGrid is nil when no time was lost.
func lostGrid(r *sim.Result) *grid {
	if len(r.Lost) == 0 {
		return nil
	}
	g := &grid{columns: []column{{"time lost by cause", false, true}, {"times", true, false}, {"time", true, false}, {"share", true, false}}}
	for _, l := range r.Lost {
		cause := printable(l.Cause)
		if why, ok := lostCauses[cause]; ok {
			cause += ": " + why
		}
		g.add(cause, formatCount(int64(l.Count)), formatDuration(l.Time), formatShare(l.Share))
	}
	return g
}

// incidentsGrid is nil when nothing went wrong. Checkpoints are left out: they are not
// what went wrong, and many.
func incidentsGrid(r *sim.Result) *grid {
	g := &grid{columns: []column{{"trouble", false, false}, {"from", true, false}, {"for", true, false}, {"what", false, true}}}
	more := 0
	for i := range r.Incidents {
		in := &r.Incidents[i]
		if in.Kind == "checkpoint" {
			continue
		}
		if len(g.rows) == maxIncidents {
			more++
			continue
		}
		g.add(printable(in.Kind), formatDuration(in.Start), formatDuration(in.End-in.Start), printable(in.What))
	}
	if more > 0 {
		g.add("…", "", "", plural(more, "more incident"))
	}
	if len(g.rows) == 0 {
		return nil
	}
	return g
}

// troubleSection is what the page of a run says of trouble.
func troubleSection(r *sim.Result) section {
	s := section{ID: "trouble", Title: "What went wrong"}
	if troublePlot.Needs(r) {
		s.Parts = append(s.Parts, chartParts(troubleChart(r), "; "+ResultFile+" has all rounds")...)
	}
	if g := lostGrid(r); g != nil {
		s.Parts = append(s.Parts, part{Heading: "Time lost by cause", Table: tableOf("Time lost by cause", g),
			Notes: []string{"What is left of the run's time is the goodput ratio."}})
	}
	if g := incidentsGrid(r); g != nil {
		s.Parts = append(s.Parts, part{Heading: "When", Table: tableOf("Trouble by time", g)})
	}
	if len(s.Parts) > 0 && troublePlot.Needs(r) {
		last := &s.Parts[len(s.Parts)-1]
		last.Notes = append(last.Notes, troublePlot.Name+".svg shows throughput by time above all of this.")
	}
	return s
}

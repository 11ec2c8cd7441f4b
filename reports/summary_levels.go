package reports

import (
	"fmt"
	"io"
	"strings"

	"stowage/sim"
)

// maxFinalistRows is how many finalists the summary lists: of more, the first, and the
// target.
const maxFinalistRows = 16

// summaryLevels lists the finalists.
func summaryLevels(w io.Writer, r *sim.Result, width int) error {
	if r.Levels == nil || len(r.Levels.Finalists) == 0 {
		return nil
	}
	if err := levelsGrid(r.Levels).render(w, width); err != nil {
		return err
	}
	for _, note := range levelNotes(r) {
		if _, err := io.WriteString(w, wrap(note, width)); err != nil {
			return err
		}
	}
	return nil
}

// levelsGrid has the finalists, by the devices and layers of their stages, with what they
// are worth at each fidelity and their rank among them.
func levelsGrid(l *sim.Levels) *grid {
	g := &grid{columns: []column{
		{"finalists", false, true}, {"closed-form", true, false}, {"recurrence", true, false}, {"simulated", true, false},
	}}
	for i := range l.Finalists {
		f := &l.Finalists[i]
		if i >= maxFinalistRows && !f.Target {
			continue
		}
		name := strings.Repeat(" ", len([]rune(targetMark)))
		if f.Target {
			name = targetMark
		}
		name += printable(strings.Join(f.Stages, ", "))
		g.add(name, levelCell(f.ClosedForm), levelCell(f.Recurrence), levelCell(f.Simulated))
	}
	return g
}

// targetMark marks the finalist that is run.
const targetMark = "→ "

// levelCell is a value and its rank; a star says that it misses the floor or a cap.
func levelCell(l *sim.Level) string {
	if l == nil {
		return "–"
	}
	missed := ""
	if l.Misses {
		missed = "*"
	}
	return fmt.Sprintf("%s%s #%d", shortNumber(l.Value), missed, l.Rank)
}

// levelNotes says what the table shows.
func levelNotes(r *sim.Result) []string {
	l := r.Levels
	var notes []string
	if at := l.Target(); at >= 0 {
		note := fmt.Sprintf("%s best simulated of %d, in %s", strings.TrimSpace(targetMark), len(l.Finalists), printable(l.Unit))
		if l.Simulations > 0 {
			note = fmt.Sprintf("%s best simulated of %d and of %d near them, in %s", strings.TrimSpace(targetMark), l.Searched(), l.Simulations, printable(l.Unit))
		}
		if l.Finalists[at].Improved {
			note += "; improved by simulating"
		} else if at > 0 {
			note += fmt.Sprintf("; place %d of the search", at+1)
		}
		notes = append(notes, note)
	}
	var agree []string
	for _, a := range l.Agreement {
		agree = append(agree, fmt.Sprintf("%s with %s %.2f", printable(a.A), printable(a.B), a.Tau))
	}
	if len(agree) > 0 {
		notes = append(notes, "agreement of the rankings (Kendall's tau): "+strings.Join(agree, ", "))
	}
	starred := false
	for i := range l.Finalists {
		f := &l.Finalists[i]
		if f.Infeasible != "" {
			notes = append(notes, fmt.Sprintf("finalist %d cannot be simulated: %s", i+1, printable(f.Infeasible)))
		}
		for _, level := range []*sim.Level{f.ClosedForm, f.Recurrence, f.Simulated} {
			starred = starred || level != nil && level.Misses
		}
	}
	if starred {
		notes = append(notes, "* misses the floor or a cap")
	}
	return notes
}

package reports

import (
	"fmt"
	"io"
	"strconv"
)

// AgainstHTML writes a comparison with a baseline as one page for people, as HTML writes a
// run. It is a function of a.
func AgainstHTML(w io.Writer, a *Against) error { return pageOfAgainst(a).write(w) }

func pageOfAgainst(a *Against) *page {
	p := &page{
		Title: "Against " + printable(a.Baseline), Version: printable(a.New), Verdict: sentence(a.Conclusion()),
		Kicker: "policies against their baseline", Function: "This file is a function of the two sets of figures alone.",
	}
	for _, f := range []fact{
		{"baseline", printable(a.Baseline)}, {"its stowage", printable(a.Old)}, {"this stowage", printable(a.New)},
		{"experiments", strconv.Itoa(len(a.experiments()))}, {"figures", strconv.Itoa(len(a.Rows))},
	} {
		if f.Value != "" {
			p.Facts = append(p.Facts, f)
		}
	}
	for _, n := range a.Faults {
		p.Warnings = append(p.Warnings, sentence("not compared: "+printable(n.Text)))
	}
	p.add(verdictsSection(a))
	p.add(section{ID: "moved", Title: "What moved", Lede: "Means over pairs of equal seeds. +/- counts the pairs that got better and worse; p says how one-sided they are.", Parts: againstParts(a, true)})
	p.add(section{ID: "unchanged", Title: "What did not", Parts: againstParts(a, false)})
	if len(a.Notes) > 0 {
		t := &htmlTable{Label: "What is new", Head: []htmlHead{{"scenario", false}, {"note", false}}}
		for _, n := range a.Notes {
			t.add(printable(n.Scenario), printable(n.Text))
			t.Rows[len(t.Rows)-1][1].Class = "free"
		}
		p.add(section{ID: "new", Title: "What is new", Lede: "It has nothing to be compared with, and does not fail.", Parts: []part{{Table: t}}})
	}
	p.add(section{ID: "reproduce", Title: "How to reproduce this", Parts: []part{{
		Notes: []string{"With the scenarios, policies and seeds of the baseline, which its lines name:"},
		Pre:   "stowage bench SCENARIO.toml… --against " + shellQuoted(printable(a.Baseline)),
	}}})
	return p
}

// verdictWords say what verdicts mean, those first that matter most.
var verdictWords = []struct {
	verdict     Verdict
	name, means string
	colour      string
}{
	{Worsened, "worse", "The mean got worse by more than the metric's threshold: this fails.", "var(--c1)"},
	{Tolerated, "tolerated", "The mean got worse, within the threshold.", "var(--c3)"},
	{Moved, "changed", "Pairs differ, but no way is better, or the mean stays.", "var(--c4)"},
	{Improved, "better", "The mean got better.", "var(--c2)"},
	{Same, "the same", "All pairs are equal; wall-clock times cannot be told apart.", "var(--idle)"},
}

func verdictsSection(a *Against) section {
	s := section{ID: "headline", Title: "Verdict", Lede: "How many figures did what. A figure is one metric of one experiment."}
	var cards []card
	for _, v := range verdictWords {
		if n := a.Count(v.verdict); n > 0 || v.verdict == Worsened {
			cards = append(cards, card{Name: v.name, Value: formatCount(int64(n)), Means: v.means})
		}
	}
	if n := len(a.Faults); n > 0 {
		cards = append(cards, card{Name: "not compared", Value: formatCount(int64(n)), Means: "It should be, and could not: this fails. The reasons are above."})
	}
	s.Parts = []part{{Cards: cards}}
	return s
}

// againstParts are a table for each experiment, of the figures that moved or of the others.
func againstParts(a *Against, moved bool) (parts []part) {
	for _, rows := range a.experiments() {
		name := rows[0].experiment()
		t := &htmlTable{Label: name, Wide: true, Head: []htmlHead{{"metric", false}, {"old", true}, {"new", true}, {"delta", true}, {"p", true}, {"n", true}, {"+/-", true}, {"verdict", false}}}
		for i := range rows {
			r := &rows[i]
			if (r.Verdict != Same) != moved {
				continue
			}
			old, now := r.values()
			t.add(printable(r.Metric.Name), old, now, r.delta(), r.probability(), strconv.Itoa(r.N), r.directions(), r.verdictText())
			for _, v := range verdictWords {
				if v.verdict == r.Verdict {
					t.Rows[len(t.Rows)-1][7].Colour = v.colour
				}
			}
		}
		switch {
		case len(t.Rows) == 0:
		case moved:
			parts = append(parts, part{Heading: name, Table: t})
		default:
			t.Folded = fmt.Sprintf("%s: %s", name, plural(len(t.Rows), "figure"))
			parts = append(parts, part{Table: t})
		}
	}
	return parts
}

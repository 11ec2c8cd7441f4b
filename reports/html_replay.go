package reports

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// ReplayHTML writes replays as one page for people, as HTML writes a run. Wall-clock
// figures stay out of it: it is a function of the input.
func ReplayHTML(w io.Writer, replays []*Replay) error {
	return pageOfReplays(replays).write(w)
}

func pageOfReplays(timed []*Replay) *page {
	replays := make([]*Replay, len(timed))
	for i, r := range timed {
		replays[i] = r.timeless()
	}
	p := &page{Kicker: "lookups replayed on slot tables", Function: "This file is a function of the traces and of what was asked."}
	var names []string
	lookups := int64(0)
	for _, r := range replays {
		names = append(names, printable(filepath.Base(r.Trace)))
		lookups += r.Lookups
	}
	p.Title = strings.Join(names, ", ")
	if len(names) > 3 {
		p.Title = fmt.Sprintf("%s and %d more traces", names[0], len(names)-1)
	}
	p.Facts = []fact{{"traces", formatCount(int64(len(replays)))}, {"lookups", formatCount(lookups)}}
	p.Verdict = replayVerdict(replays)
	for i, r := range replays {
		s := replaySection(r, i)
		s.Title = names[i]
		if i == 0 {
			s.ID = "headline"
		}
		p.add(s)
	}
	p.add(section{ID: "reproduce", Title: "How to reproduce this", Parts: []part{{
		Notes: []string{"With the policies, numbers of slots and flags of the tables above; replay.json has all figures."},
		Pre:   "stowage replay " + shellQuoted(printable(filepath.Base(replays[0].Trace))) + " --policy … --slots … -o FOLDER",
	}}})
	return p
}

// replayVerdict says which policy of those replayed had the most hits.
func replayVerdict(replays []*Replay) string {
	var say []string
	for _, r := range replays {
		best := -1
		for i := range r.Tables {
			if t := &r.Tables[i]; t.Lookups > 0 && (best < 0 || t.HitRatio() > r.Tables[best].HitRatio()) {
				best = i
			}
		}
		if best >= 0 && len(say) < 3 {
			t := &r.Tables[best]
			say = append(say, fmt.Sprintf("With %s and %s, %s of the lookups of %s hit, the most of its tables.", printable(t.Policy), plural(t.Slots, "slot"), formatHits(t.HitRatio()), printable(filepath.Base(r.Trace))))
		}
	}
	return strings.Join(say, " ")
}

func replaySection(r *Replay, number int) section {
	s := section{ID: fmt.Sprintf("trace-%d", number+1), Lede: sentence(replaySheet(r, "").sub)}
	if len(r.Tables) > 0 {
		t := tableOf("Slot tables", replayGrid(r))
		t.Wide = true
		s.Parts = append(s.Parts, part{Table: t})
	}
	c := &chart{ID: fmt.Sprintf("hits-%d", number+1), Title: "Hit ratio by number of slots", XLabel: "slots", YLabel: "hit ratio", XKind: "count", YKind: "share", LogX: true}
	c.Caption = "Of the lookups after the warm-up."
	sheet := replayPolicies(r)
	var d chartData
	for i, k := range sheet.curves {
		colour, dash := lineStyle(i)
		l := chartLine{Label: printable(k.name), Colour: colour, Dash: dash}
		if k.marked {
			l.Kind = "both"
		}
		if len(k.points) > 0 {
			d.add(l, k.points)
		}
	}
	if len(d.lines) > 0 {
		s.Parts = append(s.Parts, chartParts(d.into(c), "; "+ReplayFile+" has all")...)
	}
	if g := deviceGrid(r); g != nil {
		s.Parts = append(s.Parts, part{Heading: "What memories hold", Table: tableOf("What memories hold", g)})
	}
	return s
}

package reports

import (
	"fmt"

	"stowage/sim"
)

// maxPageSpans is how many spans the timeline of a page has at most.
const maxPageSpans = 8000

// pageTimeline is the timeline of one step, as report.js reads it. Times are nanoseconds
// since the step began.
type pageTimeline struct {
	Title  string         `json:"title"`
	Length int64          `json:"length"`
	Rows   []timelineLine `json:"rows"`
	Kinds  []timelineKind `json:"kinds"`
	Spans  [][6]int64     `json:"spans"` // row, start, end, kind, micro-batch (-1: none), round (-1: none)
	Round  int            `json:"round"`
}

type timelineLine struct {
	Name  string `json:"name"`
	Stage bool   `json:"stage"` // else a link, or rows
}

type timelineKind struct {
	Name   string `json:"name"`
	Colour string `json:"colour"`
}

// spanVariables are the colours of kinds of spans on either ground, as spanColours.
var spanVariables = [...]string{
	sim.SpanForward: "--c0", sim.SpanBackward: "--c3", sim.SpanWeight: "--c2", sim.SpanSync: "--c4", sim.SpanStall: "--c1",
	sim.SpanActivation: "--c0", sim.SpanGradient: "--c3", sim.SpanFetch: "--c5", sim.SpanWriteBack: "--soft",
	sim.SpanCheckpoint: "--c2", sim.SpanWaiting: "--soft", sim.SpanRestart: "--c5", sim.SpanLost: "--c1",
	sim.SpanDetection: "--c3", sim.SpanReconfiguration: "--c0", sim.SpanTransfer: "--c4",
}

// timelineOfPage is that of r, and how many spans are left out; nil: there is none.
func timelineOfPage(r *sim.Result) (t *pageTimeline, missing int) {
	if !timelinePlot.Needs(r) {
		return nil, 0
	}
	line := r.Timeline
	t = &pageTimeline{Title: "One step", Length: int64(line.To - line.From), Round: line.Round}
	for k := range spanVariables {
		t.Kinds = append(t.Kinds, timelineKind{sim.SpanKind(k).String(), spanVariables[k]})
	}
	for i, row := range timelineRows(line) {
		track := &line.Tracks[row.track]
		t.Rows = append(t.Rows, timelineLine{printable(track.Name), isStage(track)})
		for _, s := range row.spans {
			if len(t.Spans) == maxPageSpans {
				missing++
				continue
			}
			from, to := max(s.Start, line.From), min(s.End, line.To)
			t.Spans = append(t.Spans, [6]int64{int64(i), int64(from - line.From), int64(to - line.From), int64(s.Kind), int64(s.Micro), int64(s.Round)})
		}
	}
	return t, missing
}

func timelineSection(r *sim.Result) section {
	s := section{ID: "timeline", Title: "One step, as it happened"}
	t, missing := timelineOfPage(r)
	if t == nil {
		return s
	}
	s.Lede = fmt.Sprintf("What the devices of each stage, and the links between them, did in round %d. What is grey is idle; pale belongs to a round before or after.", t.Round)
	var legend []legendEntry
	seen := make([]bool, len(t.Kinds))
	table := &htmlTable{Label: "Spans of the step", Folded: "The timeline as a table", Head: []htmlHead{{"who", false}, {"what", false}, {"from", true}, {"for", true}, {"micro-batch", true}, {"round", true}}}
	for i, span := range t.Spans {
		seen[span[3]] = true
		if i < maxChartRows {
			table.add(t.Rows[span[0]].Name, t.Kinds[span[3]].Name, formatSeconds(float64(span[1])/1e9), formatSeconds(float64(span[2]-span[1])/1e9), atLeastZero(span[4]), atLeastZero(span[5]))
		}
	}
	if n := len(t.Spans); n > maxChartRows {
		table.Folded = fmt.Sprintf("The first %d of %d spans as a table", maxChartRows, n)
	}
	for k, kind := range t.Kinds {
		if seen[k] && !isTransfer(sim.SpanKind(k)) {
			legend = append(legend, legendEntry{kind.Name, "var(" + kind.Colour + ")"})
		}
	}
	p := part{Timeline: t, Legend: legend, Table: table}
	if missing > 0 {
		p.Notes = []string{fmt.Sprintf("%s are left out; stowage run --trace writes all of them for Perfetto.", plural(missing, "span"))}
	}
	s.Parts = []part{p}
	return s
}

// atLeastZero is empty for what does not apply.
func atLeastZero(n int64) string {
	if n < 0 {
		return ""
	}
	return formatCount(n)
}

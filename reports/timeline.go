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

// timelinePlot shows what happened when in one warm step.
var timelinePlot = Plot{
	Name:  "timeline",
	Title: "One step, stage by stage",
	Wants: "a timeline, which `stowage run` keeps in " + TimelineFile + " beside the result",
	Needs: func(r *sim.Result) bool { return r.Timeline != nil && r.Timeline.To > r.Timeline.From },
	Size: func(r *sim.Result) (w, h vg.Length) {
		h = headHeight + 62
		for _, row := range timelineRows(r.Timeline) {
			h += row.height
		}
		return plotWidth, h
	},
	Draw: drawTimeline,
}

// spanColours are those of the kinds of spans, by kind.
var spanColours = [...]color.RGBA{
	sim.SpanForward: blue, sim.SpanBackward: orange, sim.SpanWeight: green, sim.SpanSync: purple, sim.SpanStall: vermillion,
	sim.SpanActivation: blue, sim.SpanGradient: orange, sim.SpanFetch: skyBlue, sim.SpanWriteBack: otherGrey,
	sim.SpanCheckpoint: green, sim.SpanWaiting: otherGrey, sim.SpanRestart: skyBlue, sim.SpanLost: vermillion,
	sim.SpanDetection: orange, sim.SpanReconfiguration: blue, sim.SpanTransfer: purple,
}

// Links move what passes make, in their colours.
func isTransfer(k sim.SpanKind) bool { return k == sim.SpanActivation || k == sim.SpanGradient }

// timelineRow is one row of the picture.
type timelineRow struct {
	track  int
	height vg.Length
	spans  []*sim.Span
	chunks []int32 // segments of a stage, along the pipeline
}

// shade returns how much lighter a chunk of a stage is than its first one.
func (row *timelineRow) shade(segment int32) float64 {
	i := slices.Index(row.chunks, segment)
	if i < 1 {
		return 0
	}
	return laterChunk + 0.25*float64(i-1)/float64(len(row.chunks))
}

// A row for a link is low, and links are left out where they are too many to see.
const (
	linkRowHeight = vg.Length(11)
	mostLinkRows  = 16
)

// timelineRows returns the rows from top to bottom: stages, then what connects them.
// Tracks on which nothing happened in the step have none, unless they are stages.
func timelineRows(line *sim.Timeline) []timelineRow {
	spans := make([][]*sim.Span, len(line.Tracks))
	stages := 0
	for i := range line.Spans {
		s := &line.Spans[i]
		if s.End > line.From && s.Start < line.To {
			spans[s.Track] = append(spans[s.Track], s)
		}
	}
	var rows, links []timelineRow
	for i := range line.Tracks {
		if isStage(&line.Tracks[i]) {
			stages++
		}
	}
	chunks := func(of []*sim.Span) (segments []int32) {
		for _, s := range of {
			if s.Segment >= 0 && !slices.Contains(segments, s.Segment) {
				segments = append(segments, s.Segment)
			}
		}
		slices.Sort(segments)
		return segments
	}
	height := max(6, min(27, 560/vg.Length(max(1, stages))))
	for i := range line.Tracks {
		switch {
		case isStage(&line.Tracks[i]):
			rows = append(rows, timelineRow{i, height, spans[i], chunks(spans[i])})
		case len(spans[i]) > 0:
			links = append(links, timelineRow{i, linkRowHeight, spans[i], nil})
		}
	}
	if len(links) <= mostLinkRows {
		rows = append(rows, links...)
	}
	return rows
}

func isStage(t *sim.Track) bool { return !t.Link && !t.Rows && !t.Synchronous && !t.Trouble }

func drawTimeline(c draw.Canvas, r *sim.Result) {
	line := r.Timeline
	rows := timelineRows(line)
	seconds := (line.To - line.From).Seconds()
	scale, unit := timeScale(seconds)
	_, _, ticks := linearAxis(0, seconds*scale, 8)
	for len(ticks) > 0 && ticks[len(ticks)-1].Value > seconds*scale*(1+1e-9) {
		ticks = ticks[:len(ticks)-1]
	}
	p := newPanel(fmt.Sprintf("%s since round %d began", unit, line.Round), "")
	setAxis(&p.X, 0, seconds*scale, ticks)
	setAxis(&p.Y, 0, 1, nil)
	var total vg.Length
	for _, row := range rows {
		total += row.height
	}
	label := style(sans, tickSize, ink)
	var names fixedTicks
	top := vg.Length(0)
	lastNamed := -vg.Length(100)
	for _, row := range rows {
		mid := top + row.height/2
		if mid-lastNamed >= tickSize+1 {
			name := drawable(line.Tracks[row.track].Name)
			if isStage(&line.Tracks[row.track]) && line.Tracks[row.track].Stage < len(r.Scheme.Stages) {
				name = stageLabel(r, line.Tracks[row.track].Stage, label, plotWidth*0.26)
			}
			names = append(names, plot.Tick{Value: float64(1 - mid/total), Label: shortenTo(name, label, plotWidth*0.26)})
			lastNamed = mid
		}
		top += row.height
	}
	p.Y.Tick.Marker, p.Y.Tick.Length = names, 0
	p.Add(plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		g := gantt{c: &c, line: line, scale: float64(c.Max.X-c.Min.X) / float64(line.To-line.From)}
		at := c.Max.Y
		for _, row := range rows {
			g.row(&row, at, at-row.height*(c.Max.Y-c.Min.Y)/total)
			at -= row.height * (c.Max.Y - c.Min.Y) / total
		}
	}))
	drawPanels(head(c, r, "One step, stage by stage", timelineLegend(line, rows)), []float64{1}, p)
}

// timeScale returns what seconds are multiplied by for an axis of so many, and the
// name of the unit: one in which the ticks stay below 1000.
func timeScale(seconds float64) (scale float64, unit string) {
	switch {
	case seconds < 0.8e-6:
		return 1e9, "ns"
	case seconds < 0.8e-3:
		return 1e6, "µs"
	case seconds < 0.8:
		return 1e3, "ms"
	}
	return 1, "s"
}

// timelineLegend names the kinds that are to be seen, and what is pale.
func timelineLegend(line *sim.Timeline, rows []timelineRow) []legendItem {
	var seen [len(spanColours)]bool
	other, chunked := false, false
	for _, row := range rows {
		chunked = chunked || len(row.chunks) > 1
		for _, s := range row.spans {
			seen[s.Kind] = true
			other = other || pale(line, s)
		}
	}
	var items []legendItem
	for k := range seen {
		if seen[k] && !isTransfer(sim.SpanKind(k)) {
			items = append(items, boxItem(sim.SpanKind(k).String(), spanColours[k]))
		}
	}
	items = append(items, boxItem("idle: bubble", idleGrey))
	if chunked {
		items = append(items, boxItem("light: later chunk", blend(blue, white, laterChunk)))
	}
	if other {
		items = append(items, boxItem("pale: other round", blend(blue, white, otherRound)))
	}
	return items
}

// Shades: of passes of other rounds, and of the later chunks of a stage.
const (
	otherRound = 0.62
	laterChunk = 0.42
)

// pale reports whether a span belongs to another round than the one shown. Rows come
// and go for rounds before and after: they are not pale.
func pale(line *sim.Timeline, s *sim.Span) bool {
	return int(s.Round) != line.Round && s.Kind != sim.SpanFetch && s.Kind != sim.SpanWriteBack
}

// gantt draws rows of spans.
type gantt struct {
	c     *draw.Canvas
	line  *sim.Timeline
	scale float64 // points per nanosecond
}

func (g *gantt) x(t time.Duration) vg.Length {
	t = min(max(t, g.line.From), g.line.To)
	return g.c.Min.X + vg.Length(float64(t-g.line.From)*g.scale)
}

// row draws the spans of a track between two heights. Spans that are too narrow to
// tell apart become one box with those beside them.
func (g *gantt) row(row *timelineRow, top, bottom vg.Length) {
	gap := min(1.6, (top-bottom)*0.09)
	box := vg.Rectangle{Min: vg.Point{X: g.c.Min.X, Y: bottom + gap}, Max: vg.Point{X: g.c.Max.X, Y: top - gap}}
	if isStage(&g.line.Tracks[row.track]) {
		fillBox(g.c, idleGrey, box)
	}
	least := vg.Length(0.15)
	if !isStage(&g.line.Tracks[row.track]) { // as short as transfers are, they are to be seen
		least = 0.9
	}
	for i := 0; i < len(row.spans); {
		s := row.spans[i]
		from, to := g.x(s.Start), g.x(s.End)
		i++
		for merged := i; merged < len(row.spans); merged++ {
			next := row.spans[merged]
			if next.Kind != s.Kind || pale(g.line, next) != pale(g.line, s) || g.x(next.End)-from > 0.8 {
				break
			}
			to = max(to, g.x(next.End))
			i = merged + 1
		}
		box.Min.X, box.Max.X = from, max(to, from+least)
		colour := g.colour(s, row)
		fillBox(g.c, colour, box)
		if to-from > 2.4 { // neighbours of one colour are told apart
			c := *g.c
			c.StrokeLine2(solid(white, min(0.5, (to-from)*0.12)), to, box.Min.Y, to, box.Max.Y)
		}
		g.number(s, box, colour)
	}
}

// colour is that of the kind; lighter for every further chunk of a stage, and pale for
// other rounds.
func (g *gantt) colour(s *sim.Span, row *timelineRow) color.RGBA {
	colour := blend(spanColours[s.Kind], white, row.shade(s.Segment))
	if pale(g.line, s) {
		colour = blend(colour, white, otherRound)
	}
	return colour
}

// number writes the micro-batch into a box that has room for it.
func (g *gantt) number(s *sim.Span, box vg.Rectangle, ground color.RGBA) {
	if s.Micro < 0 || !isStage(&g.line.Tracks[s.Track]) {
		return
	}
	name := fmt.Sprint(s.Micro + 1)
	for size := min(smallSize+0.5, (box.Max.Y-box.Min.Y)*0.8); size >= 4.5; size-- {
		st := aligned(style(sans, size, inkOn(ground)), text.XCenter, text.YCenter)
		if st.Width(name)+1 > box.Max.X-box.Min.X {
			continue
		}
		g.c.FillText(st, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: (box.Min.Y+box.Max.Y)/2 + 0.3}, name)
		return
	}
}

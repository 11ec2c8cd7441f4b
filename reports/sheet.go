package reports

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// MaxSheet bounds the results on one sheet.
const MaxSheet = 16

// Sheet is one plot of one thing saved, or of several: throughput and miss ratios lie in
// one panel, a line for each; the other plots stand below each other. Device types have
// the same colours in all of them.
type Sheet struct {
	Name string // of the plot
	runs []Run
	csv  func(w io.Writer) error

	picture func() picture
}

// NewSheet checks that the plot of that name can be drawn of all runs, which are of one
// kind. No name means the first plot that can.
func NewSheet(name string, runs []Run) (*Sheet, error) {
	if n := len(runs); n < 1 || n > MaxSheet {
		return nil, fmt.Errorf("%d results on one sheet: from 1 to %d", n, MaxSheet)
	}
	for i := range runs {
		if runs[i].kind() != runs[0].kind() {
			return nil, fmt.Errorf("%s is a %s, %s is a %s: results of one command are drawn together", runs[0].Label, runs[0].kind(), runs[i].Label, runs[i].kind())
		}
	}
	s := &Sheet{Name: name, runs: runs}
	switch runs[0].kind() {
	case "comparison":
		return s, s.ofComparisons()
	case "replay":
		return s, s.ofReplays()
	}
	return s, s.ofResults()
}

// ofResults makes it a sheet of what run saved.
func (s *Sheet) ofResults() error {
	if s.Name == "" {
		s.Name = throughputPlot.Name
	}
	var p Plot
	var names []string
	for _, p := range Plots() {
		names = append(names, p.Name)
	}
	if !slices.Contains(names, s.Name) {
		return unknownPlot(s, names)
	}
	for _, r := range s.runs {
		if err := checkFinite(r.Result); err != nil {
			return fmt.Errorf("%s: %w", r.Label, err)
		}
		plots, err := choosePlots(r.Result, []string{s.Name})
		if err != nil {
			return fmt.Errorf("%s: %w", r.Label, err)
		}
		p = plots[0]
	}
	s.csv = func(w io.Writer) error { return plotCSV(w, p.Name, s.runs) }
	s.picture = func() picture {
		switch {
		case len(s.runs) == 1:
			return p.picture(s.runs[0].Result)
		case p.Name == throughputPlot.Name:
			return s.overlay()
		case p.Name == troublePlot.Name:
			return s.troubles()
		}
		return s.each(p)
	}
	return nil
}

// each is a plot of every run, one below the other.
func (s *Sheet) each(p Plot) picture {
	return s.stacked(p.Title, func(r *Run) picture {
		named := *r.Result
		named.Title = r.Label + ": " + title(r.Result)
		return p.picture(&named)
	})
}

// stacked draws every run by itself, one below the other.
func (s *Sheet) stacked(title string, draw func(*Run) picture) picture {
	var parts []picture
	for i := range s.runs {
		parts = append(parts, draw(&s.runs[i]))
	}
	return stack(title, parts)
}

// SheetFormats are the extensions of the files that Render writes.
func SheetFormats() []string { return []string{"svg", "png", "pdf"} }

// Render draws the sheet. The bytes are a function of the results and their labels.
func (s *Sheet) Render(w io.Writer, format string) error {
	switch format {
	case "svg":
		return renderSVG(w, s.picture())
	case "png":
		return renderPNG(w, s.picture())
	case "pdf":
		return renderPDF(w, s.picture())
	}
	return fmt.Errorf("unknown format %q: want one of %s", format, strings.Join(SheetFormats(), ", "))
}

// Write draws the sheet to a file, in the format of its name, and writes the data that
// it shows beside it, as CSV under the same name. The picture takes its place last.
func (s *Sheet) Write(file string) (files []string, err error) {
	set, err := newFileSet(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	defer set.discard()
	base, extension := filepath.Base(file), filepath.Ext(file)
	if err := set.add(base, func(w io.Writer) error { return s.Render(w, strings.TrimPrefix(extension, ".")) }); err != nil {
		return nil, err
	}
	if err := set.add(strings.TrimSuffix(base, extension)+".csv", s.CSV); err != nil {
		return nil, err
	}
	return set.commit()
}

// stack lays pictures one below the other.
func stack(title string, parts []picture) picture {
	p := picture{title: title}
	for _, part := range parts {
		p.w = max(p.w, part.w)
		p.h += part.h
	}
	p.draw = func(c draw.Canvas) {
		top := c.Max.Y
		for _, part := range parts {
			cell := c
			cell.Max.Y, cell.Min.Y = top, top-part.h
			part.draw(cell)
			top -= part.h
		}
	}
	return p
}

// overlay is the throughput of several runs in one panel, and below it the hit ratios of
// those that have some.
func (s *Sheet) overlay() picture {
	legend := s.overlayLegend()
	slots := slices.ContainsFunc(s.runs, func(r Run) bool { _, any := sumSlots(r.Result.Rounds); return any })
	height := 320 + legendHeight(legend)
	if slots {
		height += 110
	}
	return picture{throughputPlot.Title, plotWidth, height, func(c draw.Canvas) {
		upper := s.throughputPanel()
		panels, shares := []*plot.Plot{upper}, []float64{1}
		if slots {
			hits := newPanel("round", "hit ratio")
			setAxis(&hits.Y, 0, 1, percentTicks())
			for i, r := range s.runs {
				hits.Add(curve(meanHits(r.Result.Rounds), s.line(i)))
			}
			hits.X.Min, hits.X.Max, hits.X.Tick.Marker = upper.X.Min, upper.X.Max, upper.X.Tick.Marker
			hideLabels(&upper.X)
			panels, shares = append(panels, hits), []float64{1.8, 1}
		}
		name := fmt.Sprintf("%d runs", len(s.runs))
		drawPanels(headed(c, throughputPlot.Title, name, s.subtitle(), legend), shares, panels...)
	}}
}

// subtitle says what a line is.
func (s *Sheet) subtitle() string {
	windows := map[int]bool{}
	for _, r := range s.runs {
		windows[smoothing(r.Result.Rounds)] = true
	}
	if len(windows) == 1 {
		if w := smoothing(s.runs[0].Result.Rounds); w > 1 {
			return fmt.Sprintf("mean of %d rounds", w)
		}
		return "each round"
	}
	return "mean of a twentieth of the rounds"
}

// smoothing is over how many rounds the mean is taken: none in a short run.
func smoothing(rounds []sim.Round) int {
	if len(rounds) <= shortRun {
		return 1
	}
	return rollingWindow(len(rounds))
}

// line is that of a run: colours first, then dashes, for sheets without colour too.
func (s *Sheet) line(i int) draw.LineStyle {
	st := solid(seriesColours[i%len(seriesColours)], 1.8)
	if i >= len(seriesColours) {
		st.Dashes = []vg.Length{5, 3}
	}
	return st
}

// overlayLegend names the runs, with what each reached.
func (s *Sheet) overlayLegend() (items []legendItem) {
	for i, r := range s.runs {
		name := printable(r.Label)
		if x, ok := r.Result.Metrics.Get("throughput"); ok {
			name += ": " + formatSI(x.Value) + " samples/s"
		}
		items = append(items, lineItem(name, s.line(i)))
	}
	return items
}

func (s *Sheet) throughputPanel() *plot.Plot {
	p := newPanel("round", "throughput (samples/s)")
	x0, x1 := math.Inf(1), math.Inf(-1)
	lo, hi := math.Inf(1), 0.0
	for i, r := range s.runs {
		points := meanThroughput(r.Result.Rounds)
		for _, d := range points {
			lo, hi = min(lo, d.y), max(hi, d.y)
		}
		for _, d := range r.Result.Rounds {
			x0, x1 = min(x0, float64(d.Round)), max(x1, float64(d.Round))
		}
		p.Add(curve(points, s.line(i)))
	}
	from, to, ticks := countAxis(x0, x1, 10)
	setAxis(&p.X, from, to, ticks)
	// Clusters differ by more than rounds of one do: a smaller span asks for a log axis.
	if lo > 0 && hi/lo >= 30 {
		setLogAxis(&p.Y, lo, hi)
		return p
	}
	from, to, ticks = linearAxis(0, hi*1.02, 6)
	setAxis(&p.Y, from, to, ticks)
	return p
}

// meanThroughput is the line of a run.
func meanThroughput(rounds []sim.Round) []point {
	return thin(rolling(rounds, smoothing(rounds), func(d *sim.Round) (amount, weight float64) {
		return d.Throughput * d.StepTime.Seconds(), d.StepTime.Seconds()
	}))
}

func meanHits(rounds []sim.Round) []point {
	with := slices.DeleteFunc(slices.Clone(rounds), func(d sim.Round) bool { return d.Slots == nil })
	return thin(rolling(with, smoothing(with), func(d *sim.Round) (amount, weight float64) {
		return float64(d.Slots.Hits), float64(d.Slots.Unique)
	}))
}

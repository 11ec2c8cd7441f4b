package reports

import (
	"image/color"
	"io"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// Names of the files that WriteComparison puts beside the plots.
const (
	CompareFile    = "compare.json"
	CompareCSVFile = "compare.csv"
)

// comparePlot is one picture of a comparison and the table of what is drawn.
type comparePlot struct {
	name, title string
	needs       func(c *sim.Comparison) bool
	size        func(c *sim.Comparison) (w, h vg.Length)
	draw        func(dc draw.Canvas, c *sim.Comparison)
	csv         func(w io.Writer, c *sim.Comparison) error
}

// comparePlots lists the plots of a comparison.
func comparePlots() []comparePlot {
	return []comparePlot{convergencePlot, paretoPlot, schemesPlot, spreadPlot}
}

// ComparePlots lists name and title of every plot of a comparison.
func ComparePlots() (list [][2]string) {
	for _, p := range comparePlots() {
		list = append(list, [2]string{p.name, p.title})
	}
	return list
}

func (p *comparePlot) picture(c *sim.Comparison) picture {
	w, h := p.size(c)
	return picture{p.title + ": " + drawable(comparisonTitle(c)), w, h, func(dc draw.Canvas) { p.draw(dc, c) }}
}

// WriteComparison writes a comparison into dir, which it creates when absent:
// compare.json, comparison.json, compare.csv, report.html, bench.txt, and NAME.svg, NAME.png and NAME.csv of every
// plot that applies; files of others are removed. Wall-clock figures stay out.
//
// compare.json takes its place last: see fileSet. On an error the folder is as it was.
func WriteComparison(dir string, c *sim.Comparison) (files []string, err error) {
	all := []*sim.Comparison{c}
	if err := checkComparisons(all); err != nil {
		return nil, err
	}
	set, err := newFileSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.discard()
	for _, t := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{CompareFile, func(w io.Writer) error { return CompareJSON(w, all) }},
		{ComparisonFile, func(w io.Writer) error { return writeComparison(w, c) }},
		{CompareCSVFile, func(w io.Writer) error { return CompareCSV(w, all) }},
		{ReportFile, func(w io.Writer) error { return CompareHTML(w, c) }},
		{BenchFile, func(w io.Writer) error { return CompareBench(w, all) }},
	} {
		if err := set.add(t.name, t.write); err != nil {
			return nil, err
		}
	}
	for _, p := range comparePlots() {
		if !p.needs(c) {
			set.dropPicture(p.name)
			set.drop(p.name + ".csv")
			continue
		}
		if err := set.addPicture(p.name, p.picture(c)); err != nil {
			return nil, err
		}
		if err := set.add(p.name+".csv", func(w io.Writer) error { return p.csv(w, c) }); err != nil {
			return nil, err
		}
	}
	return set.commit()
}

// comparisonTitle is how a comparison is called for people.
func comparisonTitle(c *sim.Comparison) string {
	return title(&sim.Result{Title: c.Title, Scenario: c.Scenario})
}

func comparisonSubtitle(c *sim.Comparison) string {
	s := "scenario " + printable(c.Scenario) + " · " + plural(c.Seeds, "seed")
	if c.By == sim.Placements {
		s += " · " + printable(c.Fidelity) + " fitness · objective " + printable(c.Objective)
	}
	return s
}

// policyMark is how a policy is drawn in all plots of a comparison.
type policyMark struct {
	line  draw.LineStyle
	shape draw.GlyphDrawer
}

// policyMarks gives every policy of a comparison its mark: as many hues as can be told
// apart, then the same with dashes and another shape.
func policyMarks(all []standing) map[string]policyMark {
	hues := []color.RGBA{blue, vermillion, green, orange, purple, skyBlue}
	dashes := [][]vg.Length{nil, {6, 2.5}, {1.6, 2}, {7, 2, 1.6, 2}}
	shapes := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.CrossGlyph{}}
	marks := map[string]policyMark{}
	for i := range all {
		round := i / len(hues) % len(shapes)
		m := policyMark{solid(hues[i%len(hues)], 1.6), shapes[round]}
		m.line.Dashes = dashes[round]
		marks[all[i].policy] = m
	}
	return marks
}

// glyph draws the mark at a point.
func (m *policyMark) glyph(c *draw.Canvas, at vg.Point, radius vg.Length) {
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: m.line.Color, Radius: radius, Shape: m.shape}, at)
}

func (m *policyMark) item(name string) legendItem {
	return legendItem{name, func(c *draw.Canvas, box vg.Rectangle) {
		y := (box.Min.Y + box.Max.Y) / 2
		c.StrokeLine2(m.line, box.Min.X, y, box.Max.X, y)
		m.glyph(c, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: y}, 2.6)
	}}
}

// farOff is how many times worse than the best something may be and still be drawn: what
// is farther off leaves the sheet, so that those near the best can be told apart.
const farOff = 4

// near reports whether two positive numbers are on one sheet.
func near(a, b float64) bool { return a*farOff >= b && a <= b*farOff }

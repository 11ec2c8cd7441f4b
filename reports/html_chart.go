package reports

import (
	"math"
	"slices"
	"strconv"
)

// chart is a drawing by the page's script: lines over a common x axis. Its fields are
// what report.js reads.
type chart struct {
	ID      string      `json:"id"`
	Title   string      `json:"title"`
	Caption string      `json:"-"`
	Head    string      `json:"-"` // the title, where nothing above says it
	XLabel  string      `json:"xLabel"`
	YLabel  string      `json:"yLabel"`
	XKind   string      `json:"xKind,omitempty"` // count, or ""
	YKind   string      `json:"yKind,omitempty"` // share, or ""
	LogX    bool        `json:"logX,omitempty"`
	LogY    bool        `json:"logY,omitempty"`
	From0   bool        `json:"from0,omitempty"` // the y axis begins at zero
	PadX    bool        `json:"padX,omitempty"`  // points at the edges are not cut
	Height  int         `json:"height,omitempty"`
	X       []float64   `json:"x"`
	Series  []chartLine `json:"series"`
}

// chartLine is one line. A nil is a place without a value.
type chartLine struct {
	Label  string     `json:"label"`
	Colour string     `json:"colour"`         // #rrggbb, or a variable of report.css
	Kind   string     `json:"kind,omitempty"` // points, ring, both, steps, dashes; "": a line
	Faint  bool       `json:"faint,omitempty"`
	Dash   []int      `json:"dash,omitempty"`
	Y      []*float64 `json:"y"`
}

// Charts of a page show at most so many points of a line and list at most so many rows.
const (
	maxChartPoints = 2000
	maxChartRows   = 250
)

// chartColours are for lines, in order: those of seriesColours on either ground.
var chartColours = []string{"--c0", "--c1", "--c2", "--c3", "--c4", "--c5", "--c6", "--c7"}

// chartDashes tell lines apart that share a colour, and lines for eyes that see none.
var chartDashes = [][]int{nil, {8, 4}, {2, 3}, {10, 3, 2, 3}}

// lineStyle is that of the i-th line of a chart.
func lineStyle(i int) (colour string, dash []int) {
	return chartColours[i%len(chartColours)], chartDashes[i/len(chartColours)%len(chartDashes)]
}

// chartData gathers points of several lines over one x axis.
type chartData struct {
	lines []chartLine
	given []map[float64]float64
}

// add appends a line through points.
func (d *chartData) add(l chartLine, points []point) {
	given := make(map[float64]float64, len(points))
	for _, p := range points {
		given[p.x] = p.y
	}
	d.lines, d.given = append(d.lines, l), append(d.given, given)
}

// into fills in x and the lines of a chart.
func (d *chartData) into(c *chart) *chart {
	for _, given := range d.given {
		for x := range given { // sorted below
			c.X = append(c.X, x)
		}
	}
	slices.Sort(c.X)
	c.X = slices.Compact(c.X)
	for i, l := range d.lines {
		l.Y = make([]*float64, len(c.X))
		for k, x := range c.X {
			if y, ok := d.given[i][x]; ok {
				rounded := sixSignificant(y)
				l.Y[k] = &rounded
			}
		}
		c.Series = append(c.Series, l)
	}
	return c
}

// sixSignificant rounds to what a chart can show, so that the page stays small.
func sixSignificant(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 6, 64), 64)
	if err != nil {
		panic(err) // it was written by FormatFloat
	}
	return rounded
}

// wide reports whether the values of an axis span so much that it should be logarithmic.
func wideSpan(values []float64, span float64) bool {
	lo, hi := math.Inf(1), 0.0
	for _, v := range values {
		if v <= 0 {
			return false
		}
		lo, hi = min(lo, v), max(hi, v)
	}
	return hi >= lo*span
}

// ys are all values of a chart's lines.
func (c *chart) ys() (all []float64) {
	for _, l := range c.Series {
		for _, y := range l.Y {
			if y != nil {
				all = append(all, *y)
			}
		}
	}
	return all
}

// table lists the data of a chart for those who cannot see it, folded. Of very many rows
// every so many are listed, and the last.
func (c *chart) table(more string) *htmlTable {
	t := &htmlTable{Label: "Data of: " + c.Title, Folded: "The data of this chart as a table", Head: []htmlHead{{c.XLabel, true}}}
	for _, l := range c.Series {
		t.Head = append(t.Head, htmlHead{l.Label, true})
	}
	step := (len(c.X) + maxChartRows - 1) / maxChartRows
	if step > 1 {
		t.Folded = "The data of this chart as a table, one row in " + strconv.Itoa(step) + more
	}
	for k := range c.X {
		if k%step != 0 && k != len(c.X)-1 {
			continue
		}
		row := []string{c.show(c.X[k], c.XKind)}
		for _, l := range c.Series {
			text := "–"
			if l.Y[k] != nil {
				text = c.show(*l.Y[k], c.YKind)
			}
			row = append(row, text)
		}
		t.add(row...)
	}
	return t
}

func (c *chart) show(v float64, kind string) string {
	switch kind {
	case "share":
		return formatShare(v)
	case "count":
		return formatCount(int64(v))
	}
	return formatNumber(v)
}

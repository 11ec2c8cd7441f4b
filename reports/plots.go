package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"stowage/sim"
)

// Plot is one picture of a result.
type Plot struct {
	Name  string // of its files, without extension
	Title string // one line for lists of plots
	Wants string // what a result must carry: "rounds"

	// Needs reports whether r carries what Wants says.
	Needs func(r *sim.Result) bool
	// Size is width and height in points. They grow with what is drawn.
	Size func(r *sim.Result) (w, h vg.Length)
	// Draw draws r on a canvas of that size. It is called only when Needs holds.
	Draw func(c draw.Canvas, r *sim.Result)
}

// Plots lists all plots in the order of help and reports.
func Plots() []Plot {
	return []Plot{throughputPlot, stagesPlot, layersPlot, hitsPlot, policiesPlot, slotsPlot, crossoverPlot, fitnessPlot, timelinePlot, memoryPlot, troublePlot}
}

// plotWidth is the width of all plots: 8.5 inches.
const plotWidth vg.Length = 612

// pngDPI makes a PNG of 1275 pixels width. It is a variable for tests alone,
// which look at smaller pictures of the same drawings.
var pngDPI = 150

// WritePlots draws the named plots of r into dir as NAME.svg and NAME.png, and
// returns the paths. No names means all plots that
// apply to r. A name that is unknown, or a plot that does not apply, is an
// error before anything is written.
func WritePlots(dir string, r *sim.Result, names []string) (files []string, err error) {
	if err := checkFinite(r); err != nil {
		return nil, err
	}
	plots, err := choosePlots(r, names)
	if err != nil {
		return nil, err
	}
	set, err := newFileSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.discard()
	for _, p := range plots {
		if err := set.addPicture(p.Name, p.picture(r)); err != nil {
			return nil, err
		}
	}
	return set.commit()
}

func choosePlots(r *sim.Result, names []string) ([]Plot, error) {
	all := Plots()
	if len(names) == 0 {
		return slices.DeleteFunc(all, func(p Plot) bool { return !p.Needs(r) }), nil
	}
	known := make([]string, len(all))
	for i, p := range all {
		known[i] = p.Name
	}
	var chosen []Plot
	for k, n := range names {
		i := slices.Index(known, n)
		if i < 0 {
			return nil, fmt.Errorf("unknown plot %q: known plots are %s", n, strings.Join(known, ", "))
		}
		if !all[i].Needs(r) {
			return nil, fmt.Errorf("plot %q needs %s: the result of scenario %q has none", n, all[i].Wants, r.Scenario)
		}
		if !slices.Contains(names[:k], n) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// picture is a drawing and its size.
type picture struct {
	title string // for screen readers
	w, h  vg.Length
	draw  func(c draw.Canvas)
}

func (p *Plot) picture(r *sim.Result) picture {
	w, h := p.Size(r)
	return picture{p.Title + ": " + drawable(title(r)), w, h, func(c draw.Canvas) { p.Draw(c, r) }}
}

// plotFormats are the file formats of every plot. Neither carries a time stamp.
var plotFormats = []struct {
	extension string
	render    func(w io.Writer, p picture) error
}{
	{"svg", renderSVG},
	{"png", renderPNG},
}

func renderPNG(w io.Writer, p picture) error {
	c := vgimg.NewWith(vgimg.UseWH(p.w, p.h), vgimg.UseDPI(pngDPI))
	p.draw(draw.New(c))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// svgFont is how gonum names the font of the house, and svgFonts what is better
// said: the fonts after the first have the same widths, for viewers without it.
const (
	svgFont  = `style="font-family:Liberation Sans;font-variant:`
	svgFonts = `style="font-family:'Liberation Sans',Arial,Helvetica,sans-serif;font-variant:`
)

func renderSVG(w io.Writer, p picture) error {
	c := vgsvg.NewWith(vgsvg.UseWH(p.w, p.h))
	p.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	// Text of the result cannot hold svgFont: its quotes are escaped.
	svg := strings.ReplaceAll(b.String(), svgFont, svgFonts)
	var name bytes.Buffer
	if err := xml.EscapeText(&name, []byte(p.title)); err != nil {
		return err
	}
	// A title element is what screen readers say and what viewers show.
	root := strings.Index(svg, "<svg ")
	end := root + strings.Index(svg[root:], ">") + 1
	_, err := io.WriteString(w, svg[:end]+"\n<title>"+name.String()+"</title>"+svg[end:])
	return err
}

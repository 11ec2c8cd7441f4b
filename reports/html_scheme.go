package reports

import (
	"fmt"
	"image/color"
	"strconv"

	"github.com/jedib0t/go-pretty/v6/text"

	"stowage/sim"
)

// schemePicture is the target scheme as an SVG: the layers in model order, coloured by
// device type, with a frame around the layers of a stage. It is as wide as it has to be
// for names to be read, and scrolls where the page is not.
type schemePicture struct {
	Width, Height int
	Name, Label   string // for screen readers
	Cells         []schemeCell
	Frames        []schemeFrame
}

// schemeCell is one layer.
type schemeCell struct {
	Title, Text, Colour, Ink string
	X, Y, W, H               int
	TX, TY                   int // middle
	Up                       bool
	Index                    *schemeText
}

type schemeText struct {
	X, Y int
	Text string
}

// schemeFrame is a run of layers of one stage, with a bar for the share of time that it
// computes.
type schemeFrame struct {
	Title, Text    string
	X, Y, W, H, LY int
	BX, BY, BW     int
	Busy           int
}

// Measures of the scheme in pixels.
const (
	schemeTop   = 26 // above the cells: name of the stage
	schemeBelow = 30 // below them: bar, index of the layer
	letterWidth = 6.6
)

// cellSize leaves room for names: across where there are few layers, else upwards.
func cellSize(layers int) (w, h int, up bool) {
	switch {
	case layers <= 8:
		return 120, 54, false
	case layers <= 60:
		return 34, 112, true
	}
	return 22, 112, true
}

func schemeOfPage(r *sim.Result, colours map[string]color.RGBA) *schemePicture {
	n := len(r.Scheme.Layers)
	w, h, up := cellSize(n)
	p := &schemePicture{Name: "Target scheme", Width: n*w + 4, Height: schemeTop + h + schemeBelow}
	p.Label = fmt.Sprintf("Target scheme: %s in %s. The table below has the same in words.", plural(n, "layer"), plural(len(r.Scheme.Stages), "stage"))
	stageOf := layerStages(r)
	for i := range n {
		colour := colours[r.Scheme.Layers[i]]
		c := schemeCell{X: 2 + i*w, Y: schemeTop, W: w, H: h, Up: up, Colour: cssColour(colour), Ink: "dark"}
		if inkOn(colour) == white {
			c.Ink = "light"
		}
		c.TX, c.TY = c.X+w/2, c.Y+h/2
		room := w - 8
		if up {
			room = h - 8
		}
		c.Text = shortenText(layerName(r, i), int(float64(room)/letterWidth))
		c.Title = fmt.Sprintf("layer %d, %s, on %s", i, layerName(r, i), printable(r.Scheme.Layers[i]))
		if stageOf[i] >= 0 {
			c.Title += fmt.Sprintf(", in stage %d", stageOf[i]+1)
		}
		if w >= 30 || i%5 == 0 {
			c.Index = &schemeText{c.TX, schemeTop + h + 24, strconv.Itoa(i)}
		}
		p.Cells = append(p.Cells, c)
	}
	for i := 0; i < n; {
		j := i
		for j+1 < n && stageOf[j+1] == stageOf[i] {
			j++
		}
		if stageOf[i] >= 0 {
			p.Frames = append(p.Frames, schemeFrameOf(r, stageOf[i], 2+i*w, (j-i+1)*w, h))
		}
		i = j + 1
	}
	return p
}

func schemeFrameOf(r *sim.Result, stage, x, width, height int) schemeFrame {
	s := &r.Scheme.Stages[stage]
	f := schemeFrame{X: x + 1, Y: schemeTop - 3, W: width - 2, H: height + 15, LY: schemeTop - 9}
	f.BX, f.BY, f.BW = x+4, schemeTop+height+4, width-8
	f.Busy = int(float64(f.BW)*min(max(s.Busy, 0), 1) + 0.5)
	f.Title = fmt.Sprintf("stage %d: %s, %s, computes %s of the time", stage+1, deviceCount(s), layerSpan(r, s), formatShare(s.Busy))
	for _, label := range []string{
		fmt.Sprintf("stage %d: %s, busy %.0f %%", stage+1, deviceCount(s), 100*s.Busy),
		fmt.Sprintf("stage %d: %s", stage+1, deviceCount(s)),
		fmt.Sprintf("%d: %s", stage+1, deviceCount(s)),
		fmt.Sprintf("%d: × %d", stage+1, s.Devices),
		strconv.Itoa(stage + 1),
	} {
		f.Text = label
		if float64(cellsOf(label))*letterWidth <= float64(width) {
			break
		}
	}
	return f
}

// cellsOf is the width of text in cells, of which wide letters take two.
func cellsOf(s string) int { return text.StringWidthWithoutEscSequences(s) }

// deviceLegend says which colour is which device type.
func deviceLegend(r *sim.Result) (legend []legendEntry) {
	devices, colours := deviceColours(r)
	for _, d := range devices {
		legend = append(legend, legendEntry{deviceSummary(r, d), cssColour(colours[d])})
	}
	return legend
}

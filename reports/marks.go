package reports

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var markLine = draw.LineStyle{Color: otherGrey, Width: 0.9, Dashes: []vg.Length{2, 2}}

// marksHeight is what the names of marks take above a panel.
func marksHeight(marks []slotMark) vg.Length {
	h := vg.Length(0)
	for _, m := range marks {
		h = max(h, markStyle.Width(markName(m)))
	}
	if h > 0 {
		h += markLeader + 4
	}
	return h
}

func markName(m slotMark) string { return shortenTo(drawable(m.name), markStyle, markNameMax) }

// markLines draws an upright line for every mark, and its name above the panel,
// turned upright. Names that would lie on one another move aside, and leaders join
// them to their lines.
func markLines(marks []slotMark) plot.Plotter {
	return plotterFunc(func(c draw.Canvas, p *plot.Plot) {
		px, _ := p.Transforms(&c)
		at := make([]float64, len(marks))
		for i, m := range marks {
			at[i] = float64(px(m.slots))
		}
		names := spread(at, float64(markPitch), float64(c.Min.X), float64(c.Max.X))
		st := markStyle
		st.Rotation = math.Pi / 2
		for i, m := range marks {
			x, top := vg.Length(at[i]), vg.Length(names[i])
			c.StrokeLine2(markLine, x, c.Min.Y, x, c.Max.Y)
			c.StrokeLine2(solid(otherGrey, 0.6), x, c.Max.Y, top, c.Max.Y+markLeader-2)
			c.FillText(st, vg.Point{X: top, Y: c.Max.Y + markLeader}, markName(m))
		}
	})
}

// spread moves places, which are in order, until neighbours are at least pitch
// apart, as little as can be: the sum of the squares of the moves is least, but
// for what it takes to stay between lo and hi.
//
// It is isotonic regression by pooling (Ayer et al., 1955): groups of places that
// touch take the mean of where they want to begin.
func spread(at []float64, pitch, lo, hi float64) []float64 {
	type group struct {
		start float64 // of its first place
		n     int
	}
	var groups []group
	for _, x := range at {
		groups = append(groups, group{x, 1})
		for k := len(groups) - 1; k > 0 && groups[k].start < groups[k-1].start+float64(groups[k-1].n)*pitch; k-- {
			a, b := groups[k-1], groups[k]
			want := b.start - float64(a.n)*pitch
			a.start = (a.start*float64(a.n) + want*float64(b.n)) / float64(a.n+b.n)
			a.n += b.n
			groups = append(groups[:k-1], a)
		}
	}
	var out []float64
	for _, g := range groups {
		for i := range g.n {
			out = append(out, g.start+float64(i)*pitch)
		}
	}
	for i := len(out) - 1; i >= 0; i-- {
		out[i] = min(out[i], hi-float64(len(out)-1-i)*pitch)
	}
	for i := range out {
		out[i] = max(out[i], lo+float64(i)*pitch)
	}
	return out
}

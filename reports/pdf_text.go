package reports

import (
	"bytes"
	"strings"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"stowage/sim"
)

// codePage writes text in the code page 1252, that of fonts in a PDF; false: it has not all
// of it.
func codePage(s string) (text string, ok bool) {
	var b bytes.Buffer
	for _, r := range s {
		c, ok := charmap.Windows1252.EncodeRune(r)
		if !ok || c == encoding.ASCIISub {
			return "", false
		}
		b.WriteByte(c)
	}
	return b.String(), true
}

// outlines are the outlines of text, from its left end on the base line.
func outlines(f font.Face, at vg.Point, s string) (path vg.Path, err error) {
	em := f.Face.UnitsPerEm()
	scale := f.Font.Size / vg.Length(em)
	var buf sfnt.Buffer
	for _, r := range s {
		glyph, err := f.Face.GlyphIndex(&buf, r)
		if err != nil {
			return nil, err
		}
		segments, err := f.Face.LoadGlyph(&buf, glyph, fixed.I(int(em)), nil)
		if err != nil {
			return nil, err
		}
		place := func(p fixed.Point26_6) vg.Point { // glyphs have their y axis downwards
			return vg.Point{X: at.X + vg.Length(p.X)/64*scale, Y: at.Y - vg.Length(p.Y)/64*scale}
		}
		for i, seg := range segments {
			switch seg.Op {
			case sfnt.SegmentOpMoveTo:
				if i > 0 {
					path.Close()
				}
				path.Move(place(seg.Args[0]))
			case sfnt.SegmentOpLineTo:
				path.Line(place(seg.Args[0]))
			case sfnt.SegmentOpQuadTo:
				path.QuadTo(place(seg.Args[0]), place(seg.Args[1]))
			case sfnt.SegmentOpCubeTo:
				path.CubeTo(place(seg.Args[0]), place(seg.Args[1]), place(seg.Args[2]))
			}
		}
		if len(segments) > 0 {
			path.Close()
		}
		advance, err := f.Face.GlyphAdvance(&buf, glyph, fixed.I(int(em)), 0)
		if err != nil {
			return nil, err
		}
		at.X += vg.Length(advance) / 64 * scale
	}
	return path, nil
}

// Undrawable are the characters of names in what is drawn for which plots have no glyph:
// they show "?" instead. Each is there once, in the order of the names.
func Undrawable(runs ...Run) string {
	var missing strings.Builder
	for i := range runs {
		for _, text := range runs[i].texts() {
			shown := []rune(drawable(text))
			for k, r := range []rune(printable(text)) {
				if r != shown[k] && !strings.ContainsRune(missing.String(), r) {
					missing.WriteRune(r)
				}
			}
		}
	}
	return missing.String()
}

// texts are the names that people give to what a run is about.
func (r *Run) texts() []string {
	texts := []string{r.Label}
	add := func(x *sim.Result) {
		texts = append(texts, x.Title, x.Scenario)
		texts = append(texts, x.Scheme.LayerNames...)
		texts = append(texts, x.Scheme.Pools...)
		texts = append(texts, x.Scheme.Layers...)
	}
	switch {
	case r.Result != nil:
		add(r.Result)
	case r.Comparison != nil:
		for i := range r.Comparison.Runs {
			if x := r.Comparison.Runs[i].Result; x != nil {
				add(x)
			}
		}
	case r.Replay != nil:
		texts = append(texts, r.Replay.Trace)
	}
	return texts
}

package reports

import (
	"image/color"
	"maps"
	"slices"
	"strings"

	xfont "golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// The palette of Okabe and Ito ("Color Universal Design", 2008), whose colours
// people with any common colour blindness can tell apart.
var (
	blue       = color.RGBA{0x00, 0x72, 0xB2, 0xFF}
	skyBlue    = color.RGBA{0x56, 0xB4, 0xE9, 0xFF}
	orange     = color.RGBA{0xE6, 0x9F, 0x00, 0xFF}
	vermillion = color.RGBA{0xD5, 0x5E, 0x00, 0xFF}
	purple     = color.RGBA{0xCC, 0x79, 0xA7, 0xFF}
	yellow     = color.RGBA{0xF0, 0xE4, 0x42, 0xFF}
	green      = color.RGBA{0x00, 0x9E, 0x73, 0xFF}

	white     = color.RGBA{0xFF, 0xFF, 0xFF, 0xFF}
	ink       = color.RGBA{0x26, 0x26, 0x26, 0xFF} // text
	pencil    = color.RGBA{0x6B, 0x6B, 0x6B, 0xFF} // lesser text, axes
	gridGrey  = color.RGBA{0xE4, 0xE4, 0xE4, 0xFF}
	idleGrey  = color.RGBA{0xDC, 0xDC, 0xDC, 0xFF}
	otherGrey = color.RGBA{0xB4, 0xB4, 0xB4, 0xFF} // what has no colour of its own
)

// seriesColours are for curves, in order.
var seriesColours = []color.RGBA{blue, vermillion, green, orange, purple, skyBlue, ink, yellow}

// kindColours are for device types: each kind keeps to a family of hues, so
// that a look at a plot tells CPUs (blue) from GPUs (warm) and NPUs (green).
var kindColours = map[string][]color.RGBA{
	"cpu": {skyBlue, blue},
	"gpu": {orange, vermillion, purple, yellow},
	"npu": {green, {0x7F, 0xCE, 0xB9, 0xFF}},
}

// deviceColours gives a colour to every device type of the scheme.
func deviceColours(r *sim.Result) (devices []string, of map[string]color.RGBA) {
	kind := schemeKinds(r)
	devices = slices.Sorted(maps.Keys(kind))
	return devices, coloursByKind(devices, kind)
}

// schemeKinds returns the kind of every device type of the scheme; empty where it
// is not known.
func schemeKinds(r *sim.Result) map[string]string {
	kind := map[string]string{}
	for _, s := range r.Scheme.Stages {
		if _, ok := kind[s.Device]; !ok {
			kind[s.Device] = s.Kind
		}
	}
	for _, d := range r.Scheme.Layers {
		if _, ok := kind[d]; !ok {
			kind[d] = ""
		}
	}
	return kind
}

// sweepColours are deviceColours of the device types of scheme and sweep together.
func sweepColours(r *sim.Result) map[string]color.RGBA {
	kind := schemeKinds(r)
	for _, p := range r.Sweep.Points {
		if kind[p.Device] == "" {
			kind[p.Device] = p.Kind
		}
	}
	return coloursByKind(slices.Sorted(maps.Keys(kind)), kind)
}

// blend mixes share of b into a. Mixed colours are used instead of transparent
// ones: they look alike in every viewer.
func blend(a, b color.RGBA, share float64) color.RGBA {
	mix := func(x, y uint8) uint8 { return uint8(float64(x)*(1-share) + float64(y)*share + 0.5) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xFF}
}

// inkOn is the colour of text on a ground: dark on light, white on dark.
func inkOn(ground color.RGBA) color.RGBA {
	// Weights of ITU-R BT.709 for luma.
	if 0.2126*float64(ground.R)+0.7152*float64(ground.G)+0.0722*float64(ground.B) > 125 {
		return ink
	}
	return white
}

// Sizes of text in points.
const (
	titleSize vg.Length = 13
	textSize  vg.Length = 9.5
	tickSize  vg.Length = 8.5
	smallSize vg.Length = 7
)

var (
	sans     = font.Font{Typeface: "Liberation", Variant: "Sans"}
	sansBold = font.Font{Typeface: "Liberation", Variant: "Sans", Weight: xfont.WeightBold}
)

// style is left-aligned text that stands on its baseline.
func style(f font.Font, size vg.Length, c color.Color) text.Style {
	return text.Style{Color: c, Font: font.From(f, size), Handler: plot.DefaultTextHandler}
}

func aligned(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
	s.XAlign, s.YAlign = x, y
	return s
}

// drawable replaces what the font has no glyph for by "?": a missing glyph
// would vanish without a word.
func drawable(s string) string {
	face := font.DefaultCache.Lookup(sans, tickSize)
	var buf sfnt.Buffer
	return strings.Map(func(r rune) rune {
		if i, err := face.Face.GlyphIndex(&buf, r); err != nil || i == 0 {
			return '?'
		}
		return r
	}, printable(s))
}

// shortenTo cuts the middle out of s until it is at most width wide in style
// st; "" when not even three characters would be left.
func shortenTo(s string, st text.Style, width vg.Length) string {
	if st.Width(s) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n >= 2; n-- {
		head := (n + 1) / 2
		short := string(runes[:head]) + "…" + string(runes[len(runes)-(n-head):])
		if st.Width(short) <= width {
			return short
		}
	}
	return ""
}

// clipTo cuts the end of s off until it is at most width wide in style st.
func clipTo(s string, st text.Style, width vg.Length) string {
	if st.Width(s) <= width {
		return s
	}
	runes := []rune(s)
	for n := len(runes) - 1; n > 0; n-- {
		if short := strings.TrimRight(string(runes[:n]), " ") + "…"; st.Width(short) <= width {
			return short
		}
	}
	return ""
}

// solid and dashed are line styles of curves.
func solid(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width}
}

func dashed(c color.Color, width vg.Length) draw.LineStyle {
	return draw.LineStyle{Color: c, Width: width, Dashes: []vg.Length{4, 2.5}}
}

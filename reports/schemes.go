package reports

import (
	"encoding/csv"
	"fmt"
	"image/color"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// schemesPlot stacks the target schemes of the policies, the best first: layers in a row
// coloured by device type, stages framed, with their devices and how much of the
// time they compute. Policies with the same scheme share a drawing.
var schemesPlot = comparePlot{
	name:  "schemes",
	title: "Target schemes by policy",
	needs: func(c *sim.Comparison) bool { return c.By == sim.Placements && len(sharedSchemes(c)) > 0 },
	size: func(c *sim.Comparison) (w, h vg.Length) {
		all := sharedSchemes(c)
		l := stackedLayout(all)
		return plotWidth, headHeight + legendHeight(schemesLegend(all)) + vg.Length(min(len(all), maxSchemes))*(schemeHead+l.height())
	},
	draw: drawSchemes,
	csv:  schemesCSV,
}

// schemeHead is the room for the policies above a scheme.
const schemeHead vg.Length = 22

// maxSchemes is how many schemes are drawn: of more, the best.
const maxSchemes = 12

// sharedScheme is a scheme and the policies that chose it, at their best seed.
type sharedScheme struct {
	policies []string
	result   *sim.Result
	worth    float64
}

// sharedSchemes are the different target schemes, the best first.
func sharedSchemes(c *sim.Comparison) []sharedScheme {
	var all []sharedScheme
	for _, s := range standings(c) {
		if s.chosen == nil || s.chosen.Result == nil || len(s.chosen.Result.Scheme.Layers) == 0 {
			continue
		}
		r := s.chosen.Result
		k := slices.IndexFunc(all, func(o sharedScheme) bool { return sameScheme(&o.result.Scheme, &r.Scheme) })
		if k < 0 {
			k = len(all)
			all = append(all, sharedScheme{result: r, worth: worth(c, s.chosen)})
		}
		all[k].policies = append(all[k].policies, s.policy)
	}
	slices.SortStableFunc(all, func(a, b sharedScheme) int {
		switch {
		case a.worth > b.worth:
			return -1
		case a.worth < b.worth:
			return 1
		}
		return 0
	})
	return all
}

// sameScheme reports whether two schemes are run alike.
func sameScheme(a, b *sim.Scheme) bool {
	return slices.Equal(a.Pools, b.Pools) && slices.EqualFunc(a.Stages, b.Stages, func(x, y sim.Stage) bool { return x.Devices == y.Devices })
}

// stackedLayout lays out the layers of one scheme: lower cells where there are several.
func stackedLayout(all []sharedScheme) layerLayout {
	l := layoutLayers(len(all[0].result.Scheme.Layers))
	if len(all) > 2 {
		l.cell.Y = min(l.cell.Y, 58)
	}
	return l
}

// schemesColours are deviceColours over several schemes.
func schemesColours(all []sharedScheme) (devices []string, of map[string]color.RGBA) {
	kind := map[string]string{}
	for _, s := range all {
		for d, k := range schemeKinds(s.result) {
			if kind[d] == "" {
				kind[d] = k
			}
		}
	}
	devices = slices.Sorted(maps.Keys(kind))
	return devices, coloursByKind(devices, kind)
}

func schemesLegend(all []sharedScheme) []legendItem {
	devices, colours := schemesColours(all)
	var items []legendItem
	for _, d := range devices {
		items = append(items, boxItem(printable(d), colours[d]))
	}
	return append(items, busyItem)
}

func drawSchemes(dc draw.Canvas, c *sim.Comparison) {
	all := sharedSchemes(c)
	_, colours := schemesColours(all)
	sub := comparisonSubtitle(c)
	if n := len(all); n > maxSchemes {
		sub += fmt.Sprintf(" · the best %d of %d schemes", maxSchemes, n)
	}
	dc = headed(dc, "Target schemes by policy", comparisonTitle(c), sub, schemesLegend(all))
	l := stackedLayout(all)
	bold, plain := style(sansBold, textSize, ink), style(sans, textSize, ink)
	top := dc.Max.Y
	for i := range all[:min(len(all), maxSchemes)] {
		s := &all[i]
		figures := "  " + schemeFigures(c, s)
		names := clipTo(drawable(strings.Join(s.policies, ", ")), bold, dc.Max.X-dc.Min.X-plain.Width(figures))
		at := vg.Point{X: dc.Min.X, Y: top - textSize}
		dc.FillText(bold, at, names)
		at.X += bold.Width(names)
		dc.FillText(plain, at, figures)
		drawScheme(&dc, s.result, &l, colours, top-schemeHead+6)
		top -= schemeHead + l.height()
	}
}

// schemeFigures says what a scheme is worth.
func schemeFigures(c *sim.Comparison, s *sharedScheme) string {
	v, _ := sim.Natural(c.Objective, s.worth)
	text := shortNumber(v) + " " + naturalUnit(c)
	for _, name := range []string{"price", "throughput"} {
		if m, ok := s.result.Metrics.Get(name); ok {
			text += " · " + formatMetric(m)
			if name == "throughput" {
				text += " simulated"
			}
		}
	}
	return text
}

// schemesCSV writes a line for every stage of every scheme.
func schemesCSV(w io.Writer, c *sim.Comparison) error {
	out := csv.NewWriter(w)
	if err := out.Write([]string{"placements", "stage", "device", "pool", "devices", "layers", "busy", "sync", "stall", "idle"}); err != nil {
		return err
	}
	for _, s := range sharedSchemes(c) {
		for i := range s.result.Scheme.Stages {
			st := &s.result.Scheme.Stages[i]
			var layers []string
			for _, l := range st.Layers {
				layers = append(layers, layerName(s.result, l))
			}
			if err := out.Write([]string{
				strings.Join(s.policies, " "), strconv.Itoa(i + 1), st.Device, st.Pool, strconv.Itoa(st.Devices),
				strings.Join(layers, " "), exact(st.Busy), exact(st.Sync), exact(st.Stall), exact(st.Idle),
			}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

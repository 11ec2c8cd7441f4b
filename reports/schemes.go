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
		h = headHeight + legendHeight(schemesLegend(all))
		for i := range all[:min(len(all), maxSchemes)] {
			h += schemeHead + l.height()
			if all[i].twoLines(c) {
				h += schemeLine
			}
		}
		return plotWidth, h
	},
	draw: drawSchemes,
	csv:  schemesCSV,
}

// schemeHead is the room for the policies above a scheme.
const schemeHead vg.Length = 22

// schemeLine is the room for its figures, where they need a line of their own.
const schemeLine = textSize + 4

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
	top := dc.Max.Y
	for i := range all[:min(len(all), maxSchemes)] {
		s := &all[i]
		at := vg.Point{X: dc.Min.X, Y: top - textSize}
		names := clipTo(s.names(), policyNames, dc.Max.X-dc.Min.X)
		dc.FillText(policyNames, at, names)
		if s.twoLines(c) {
			at.Y -= schemeLine
			top -= schemeLine
		} else {
			at.X += policyNames.Width(names + "  ")
		}
		dc.FillText(figures, at, schemeFigures(c, s))
		drawScheme(&dc, s.result, &l, colours, top-schemeHead+6)
		top -= schemeHead + l.height()
	}
}

// policyNames and figures are the styles of what stands above a scheme.
var (
	policyNames = style(sansBold, textSize, ink)
	figures     = style(sans, textSize, ink)
)

func (s *sharedScheme) names() string { return drawable(strings.Join(s.policies, ", ")) }

// twoLines reports whether names and figures are too wide for one line.
func (s *sharedScheme) twoLines(c *sim.Comparison) bool {
	return policyNames.Width(s.names()+"  ")+figures.Width(schemeFigures(c, s)) > plotWidth-2*margin
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

package reports

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"stowage/sim"
)

// policiesPlot shows which replacement policy makes the most of how many slots.
var policiesPlot = Plot{
	Name:  "policies",
	Title: "Hit ratio by number of slots and replacement policy",
	Wants: "a sweep over slot tables",
	Needs: func(r *sim.Result) bool { return len(sweepCurves(r, sweepHits)) > 0 },
	Size:  func(r *sim.Result) (w, h vg.Length) { return policiesSheet(r).size() },
	Draw:  func(c draw.Canvas, r *sim.Result) { policiesSheet(r).draw(c) },
}

// slotsPlot shows what slots are worth in time, beside the layer on CPUs.
var slotsPlot = Plot{
	Name:  "slots",
	Title: "Throughput by number of slots",
	Wants: "a sweep over slot tables",
	Needs: func(r *sim.Result) bool { return len(sweepCurves(r, sweepThroughput)) > 0 },
	Size:  func(r *sim.Result) (w, h vg.Length) { return slotsSheet(r).size() },
	Draw:  func(c draw.Canvas, r *sim.Result) { slotsSheet(r).draw(c) },
}

func policiesSheet(r *sim.Result) *slotSheet {
	s := sweepSheet(r, "Hit ratio by slots")
	s.yLabel = "hit ratio (unique rows)"
	s.yAxis = func(a *plot.Axis) { setAxis(a, 0, 1, percentTicks()) }
	s.curves = sweepCurves(r, sweepHits)
	return s
}

func slotsSheet(r *sim.Result) *slotSheet {
	s := sweepSheet(r, "Throughput by slots")
	s.yLabel = "throughput (samples/s)"
	s.curves = sweepCurves(r, sweepThroughput)
	s.levels = sweepLevels(r)
	most := 0.0
	for _, k := range s.curves {
		for _, d := range k.points {
			most = max(most, d.y)
		}
	}
	for _, l := range s.levels {
		most = max(most, l.y)
	}
	s.yAxis = func(a *plot.Axis) {
		// From zero: a height must mean an amount.
		from, to, ticks := linearAxis(0, most*1.02, 6)
		setAxis(a, from, to, ticks)
	}
	for _, p := range r.Sweep.Points {
		if p.Infeasible != "" && p.Slots > 0 && !slices.Contains(s.gaps, float64(p.Slots)) {
			s.gaps = append(s.gaps, float64(p.Slots))
		}
	}
	return s
}

// sweepSheet is a sheet with a head and marks.
func sweepSheet(r *sim.Result, what string) *slotSheet {
	s := &slotSheet{what: what, name: title(r), sub: sweepSubtitle(r), row: r.Sweep.RowBytes}
	for _, d := range r.Sweep.Devices {
		s.marks = append(s.marks, slotMark{d.Device, float64(d.Slots)})
	}
	return s
}

// sweepSubtitle identifies the run and the layer. The sheet compares replacement policies:
// that of the run is left out.
func sweepSubtitle(r *sim.Result) string {
	other := *r
	other.Replacement = ""
	return fmt.Sprintf("layer %s (%s rows) · %s", printable(r.Sweep.Layer), formatSI(float64(r.Sweep.Rows)), subtitle(&other))
}

// sweepHits and sweepThroughput are what a sheet shows of a point of a sweep; false:
// the point has none.
func sweepHits(p *sim.SweepPoint) (float64, bool) {
	return p.HitRatio, p.Infeasible == "" || p.HitRatio > 0
}

func sweepThroughput(p *sim.SweepPoint) (float64, bool) {
	return p.Throughput, p.Infeasible == "" && p.Throughput > 0
}

// sweepGroup is the points of a layer on one pool under one replacement policy, in
// order of slots.
type sweepGroup struct {
	name         string
	policy, pool string
	device       string
	points       []sim.SweepPoint
}

// sweepGroups returns the groups with slot tables in the order in which they first
// appear. Their names tell the pool where there are several.
func sweepGroups(s *sim.Sweep) []sweepGroup {
	if s == nil {
		return nil
	}
	var groups []sweepGroup
	for _, p := range s.Points {
		if p.Slots <= 0 {
			continue
		}
		k := slices.IndexFunc(groups, func(g sweepGroup) bool { return g.policy == p.Replacement && g.pool == p.Pool })
		if k < 0 {
			k = len(groups)
			groups = append(groups, sweepGroup{name: printable(p.Replacement), policy: p.Replacement, pool: p.Pool, device: p.Device})
		}
		groups[k].points = append(groups[k].points, p)
	}
	several := slices.ContainsFunc(groups, func(g sweepGroup) bool { return g.pool != groups[0].pool })
	for k := range groups {
		g := &groups[k]
		slices.SortStableFunc(g.points, func(a, b sim.SweepPoint) int { return cmp.Compare(a.Slots, b.Slots) })
		if several {
			g.name += " on " + printable(g.pool)
		}
	}
	return groups
}

func sweepCurves(r *sim.Result, of func(*sim.SweepPoint) (float64, bool)) []slotCurve {
	var curves []slotCurve
	for _, g := range sweepGroups(r.Sweep) {
		var points []point
		for i := range g.points {
			if y, ok := of(&g.points[i]); ok {
				points = append(points, point{float64(g.points[i].Slots), y})
			}
		}
		if len(points) > 0 {
			curves = append(curves, slotCurve{g.name, policyLine(g.policy, len(curves)), points, true})
		}
	}
	return curves
}

// sweepLevels are the throughputs without a slot table, in the colours of the
// device types.
func sweepLevels(r *sim.Result) []slotLevel {
	colours := sweepColours(r)
	var levels []slotLevel
	for _, p := range r.Sweep.Points {
		if p.Slots > 0 || p.Infeasible != "" || p.Throughput <= 0 {
			continue
		}
		levels = append(levels, slotLevel{levelName(&p), solid(colours[p.Device], 2.2), p.Throughput})
	}
	return levels
}

func levelName(p *sim.SweepPoint) string {
	where := printable(p.Pool)
	if p.Device != p.Pool {
		where += " (" + printable(p.Device) + ")"
	}
	return fmt.Sprintf("on %s, no slots: %s", where, formatSI(p.Throughput))
}

package reports

import (
	"cmp"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// Names of the files that WriteReplays puts beside the plots.
const (
	ReplayFile    = "replay.json"
	ReplayCSVFile = "replay.csv"
)

// WriteReplays writes replays into dir, which it creates when absent: replay.json,
// replay.csv, report.html, and plots (SVG and PNG): policies, the hit ratio by number of slots of
// every replacement policy, and mrc, the miss ratio of LRU by number of slots. With
// several traces the names of plots begin with theirs. Wall-clock figures stay
// out of files: they are functions of the input alone.
//
// replay.json takes its place last: see fileSet. On an error the folder is as it was.
func WriteReplays(dir string, replays []*Replay) (files []string, err error) {
	set, err := newFileSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.discard()
	timeless := make([]*Replay, len(replays))
	for i, r := range replays {
		timeless[i] = r.timeless()
	}
	if err := set.add(ReplayFile, func(w io.Writer) error { return ReplayJSON(w, timeless) }); err != nil {
		return nil, err
	}
	if err := set.add(ReplayCSVFile, func(w io.Writer) error { return ReplayCSV(w, timeless) }); err != nil {
		return nil, err
	}
	if err := set.add(ReportFile, func(w io.Writer) error { return ReplayHTML(w, timeless) }); err != nil {
		return nil, err
	}
	prefixes := plotPrefixes(replays)
	for i, r := range timeless {
		for _, p := range replayPlots {
			name := prefixes[i] + p.name
			if !p.needs(r) {
				set.dropPicture(name)
			} else if err := set.addPicture(name, p.picture(r)); err != nil {
				return nil, err
			}
		}
	}
	return set.commit()
}

// timeless is a copy without wall-clock figures.
func (r *Replay) timeless() *Replay {
	c := *r
	c.Elapsed = 0
	c.Tables = append([]ReplayCounts(nil), r.Tables...)
	for i := range c.Tables {
		c.Tables[i].Rate = 0
	}
	if r.Curve != nil {
		k := *r.Curve
		k.Rate = 0
		c.Curve = &k
	}
	return &c
}

// plotPrefixes are what tells the plots of several traces apart: their base names, with
// a number where two are the same.
func plotPrefixes(replays []*Replay) []string {
	prefixes := make([]string, len(replays))
	if len(replays) == 1 {
		return prefixes
	}
	taken := map[string]bool{}
	for i, r := range replays {
		base := strings.TrimLeft(benchWord(filepath.Base(r.Trace)), ".")
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		taken[name] = true
		prefixes[i] = name + "."
	}
	return prefixes
}

// replayPlot is one picture of a replay.
type replayPlot struct {
	name, title string
	needs       func(r *Replay) bool
	sheet       func(r *Replay) *slotSheet
}

// mrcPlot is the plot of miss ratios, of which several traces lie in one panel.
const mrcPlot = "mrc"

var replayPlots = []replayPlot{
	{"policies", "Hit ratio by number of slots and replacement policy", func(r *Replay) bool { return counted(r) || curved(r) }, replayPolicies},
	{mrcPlot, "Miss ratio of LRU by number of slots", curved, replayMRC},
}

func counted(r *Replay) bool {
	for _, t := range r.Tables {
		if t.Lookups > 0 {
			return true
		}
	}
	return false
}

func curved(r *Replay) bool {
	return r.Curve != nil && r.Curve.Lookups > 0 && len(curveShares(r.Curve, false)) > 0
}

func (p *replayPlot) picture(r *Replay) picture {
	s := p.sheet(r)
	w, h := s.size()
	return picture{title: p.title + ": " + drawable(s.name), w: w, h: h, draw: func(c draw.Canvas) { s.draw(c) }}
}

func replaySheet(r *Replay, what string) *slotSheet {
	s := &slotSheet{what: what, name: filepath.Base(r.Trace), row: r.Row}
	s.sub = r.Format + " format · " + lookupCount(r.Lookups)
	if r.Unique > 0 {
		s.sub += " · " + plural(int(r.Unique), "unique key")
	}
	if r.Warmup > 0 {
		s.sub += " · " + formatCount(r.Warmup) + " to warm up, not counted"
	}
	for _, d := range r.Devices {
		s.marks = append(s.marks, slotMark{d.Device, float64(d.Slots)})
	}
	return s
}

func replayPolicies(r *Replay) *slotSheet {
	s := replaySheet(r, "Hit ratio by slots")
	s.yLabel = "hit ratio"
	s.yAxis = func(a *plot.Axis) { setAxis(a, 0, 1, percentTicks()) }
	var order []string
	points := map[string][]point{}
	for i := range r.Tables {
		t := &r.Tables[i]
		if t.Lookups == 0 {
			continue
		}
		if points[t.Policy] == nil {
			order = append(order, t.Policy)
		}
		points[t.Policy] = append(points[t.Policy], point{float64(t.Slots), t.HitRatio()})
	}
	for i, policy := range order {
		s.curves = append(s.curves, slotCurve{printable(policy), policyLine(policy, i), inOrder(points[policy]), true})
	}
	if curved(r) {
		// Below the others: a table of LRU lies on its own curve.
		shares := curveShares(r.Curve, false)
		if lo, _ := s.slotRange(); len(s.curves) > 0 {
			shares = from(shares, lo/2)
		}
		curve := slotCurve{curveTitle(r.Curve), solid(otherGrey, 2.6), shares, false}
		s.curves = append([]slotCurve{curve}, s.curves...)
	}
	return s
}

// inOrder sorts points by slots.
func inOrder(points []point) []point {
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.x, b.x) })
	return points
}

func curveTitle(c *ReplayCurve) string {
	if c.Source == SampledCurve {
		return "lru, all sizes (sampled)"
	}
	return "lru, all sizes (exact)"
}

func replayMRC(r *Replay) *slotSheet {
	s := replaySheet(r, "Miss ratio of LRU by slots")
	s.yLabel = "miss ratio"
	s.yAxis = func(a *plot.Axis) { setAxis(a, 0, 1, percentTicks()) }
	s.curves = []slotCurve{{curveTitle(r.Curve), policyLine("lru", 0), from(curveShares(r.Curve, true), r.Curve.rises()), false}}
	return s
}

// from leaves out points at fewer slots, which would take the room of those that
// matter; all of them, and it leaves out none.
func from(points []point, slots float64) []point {
	k := slices.IndexFunc(points, func(p point) bool { return p.x >= slots })
	return points[max(k, 0):]
}

// rises is the number of slots from which on there are hits to speak of: a hundredth of
// the most.
func (c *ReplayCurve) rises() float64 {
	most := c.Points[len(c.Points)-1].Hits
	for _, p := range c.Points {
		if p.Hits*100 >= most {
			return float64(p.Slots)
		}
	}
	return 0
}

func curveShares(c *ReplayCurve, misses bool) []point {
	var points []point
	for _, p := range c.Points {
		if p.Slots < 1 {
			continue // the axis is logarithmic
		}
		h := share(p.Hits, c.Lookups)
		if misses {
			h = 1 - h
		}
		points = append(points, point{float64(p.Slots), h})
	}
	return points
}

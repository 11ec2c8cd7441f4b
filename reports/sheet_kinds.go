package reports

import (
	"encoding/csv"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot/vg/draw"
)

// ofComparisons makes it a sheet of what compare saved.
func (s *Sheet) ofComparisons() error {
	p, err := choose(s, comparePlots(), func(p *comparePlot) string { return p.name },
		func(p *comparePlot, r *Run) bool { return p.needs(r.Comparison) })
	if err != nil {
		return err
	}
	s.csv = func(w io.Writer) error {
		return withRuns(w, s.runs, func(w io.Writer, r *Run) error { return p.csv(w, r.Comparison) })
	}
	s.picture = func() picture {
		if len(s.runs) == 1 {
			return p.picture(s.runs[0].Comparison)
		}
		return s.stacked(p.title, func(r *Run) picture {
			named := *r.Comparison
			named.Title = r.Label + ": " + comparisonTitle(r.Comparison)
			return p.picture(&named)
		})
	}
	return nil
}

// ofReplays makes it a sheet of what replay saved.
func (s *Sheet) ofReplays() error {
	p, err := choose(s, replayPlots, func(p *replayPlot) string { return p.name },
		func(p *replayPlot, r *Run) bool { return p.needs(r.Replay) })
	if err != nil {
		return err
	}
	s.csv = func(w io.Writer) error {
		return withRuns(w, s.runs, func(w io.Writer, r *Run) error { return hitsCSV(w, r.Replay, p.name == mrcPlot) })
	}
	s.picture = func() picture {
		switch {
		case len(s.runs) == 1:
			return p.picture(s.runs[0].Replay)
		case p.name == mrcPlot:
			return s.missRatios(p)
		}
		return s.stacked(p.title, func(r *Run) picture {
			named := *r.Replay
			if base := filepath.Base(named.Trace); base != r.Label {
				named.Trace = r.Label + ": " + base
			}
			return p.picture(&named)
		})
	}
	return nil
}

// missRatios is the miss ratios of LRU on several traces in one panel.
func (s *Sheet) missRatios(p *replayPlot) picture {
	all := replayMRC(s.runs[0].Replay)
	all.name, all.sub, all.curves = fmt.Sprintf("%d traces", len(s.runs)), "", nil
	for i, r := range s.runs {
		one := replayMRC(r.Replay)
		c := one.curves[0]
		c.name, c.line = drawable(r.Label), s.line(i)
		if r.Replay.Curve.Source == SampledCurve {
			c.name += " (sampled)"
		}
		all.curves = append(all.curves, c)
		if one.row != all.row { // sizes of memory are the same for all, or for none
			all.row, all.marks = 0, nil
		}
	}
	w, h := all.size()
	return picture{title: p.title, w: w, h: h, draw: func(c draw.Canvas) { all.draw(c) }}
}

// choose is the plot of a sheet among those of its kind, which all its runs can give; the
// first of these where it has no name.
func choose[P any](s *Sheet, plots []P, name func(*P) string, can func(*P, *Run) bool) (*P, error) {
	var names []string
	for i := range plots {
		p := &plots[i]
		names = append(names, name(p))
		lacks := ""
		for k := range s.runs {
			if !can(p, &s.runs[k]) {
				lacks = s.runs[k].Label
			}
		}
		switch {
		case s.Name == name(p) && lacks != "":
			return nil, fmt.Errorf("%s: there is nothing in it for plot %q", lacks, s.Name)
		case lacks == "" && (s.Name == "" || s.Name == name(p)):
			s.Name = name(p)
			return p, nil
		}
	}
	if s.Name == "" {
		return nil, fmt.Errorf("%s: there is nothing in it to draw", s.runs[0].Label)
	}
	return nil, unknownPlot(s, names)
}

// unknownPlot says which plots there are of what is to be drawn.
func unknownPlot(s *Sheet, names []string) error {
	return fmt.Errorf("%s is a %s: it has no plot %q, but %s", s.runs[0].Label, s.runs[0].kind(), s.Name, strings.Join(names, ", "))
}

// hitsCSV writes what plots of a replay show: the curve alone, or all.
func hitsCSV(w io.Writer, r *Replay, curve bool) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"policy", "source", "slots", "hit_ratio", "miss_ratio"}) // Error below has it
	for _, row := range ReplayRows([]*Replay{r}) {
		if !curve || row.Source != TableSource {
			_ = out.Write([]string{row.Policy, row.Source, strconv.Itoa(row.Slots), exact(row.HitRatio), exact(share(row.Misses, row.Lookups))})
		}
	}
	out.Flush()
	return out.Error()
}

// ReplayPlots lists name and title of every plot of a replay.
func ReplayPlots() (list [][2]string) {
	for _, p := range replayPlots {
		list = append(list, [2]string{p.name, p.title})
	}
	return list
}

// Labels are the shortest names that tell runs apart, of which each was read from a path:
// that of the scenario or trace, of the folder, with the seed, or else the whole path.
func Labels(runs []Run, paths []string) []string {
	for _, name := range []func(i int) string{
		func(i int) string { n, _ := runs[i].scenario(); return n },
		func(i int) string { return folderOf(paths[i]) },
		func(i int) string { n, seed := runs[i].scenario(); return n + ", seed " + strconv.FormatInt(seed, 10) },
		func(i int) string { n, _ := runs[i].scenario(); return folderOf(paths[i]) + ", " + n },
	} {
		seen := map[string]bool{}
		labels := make([]string, len(runs))
		for i := range runs {
			labels[i] = name(i)
			seen[labels[i]] = true
		}
		if len(seen) == len(runs) && !seen[""] {
			return labels
		}
	}
	return paths
}

// folderOf is the last folder of a path to something saved, that of a comparison being the
// scenario's.
func folderOf(path string) string {
	path = filepath.Clean(path)
	if filepath.Ext(path) == ".json" {
		name := filepath.Base(path)
		if name != ResultFile && name != ComparisonFile && name != ReplayFile {
			return strings.TrimSuffix(name, ".json")
		}
		path = filepath.Dir(path)
	}
	if filepath.Base(path) == "compare" {
		path = filepath.Dir(path)
	}
	return filepath.Base(path)
}

// Package reports turns the result of a run into files and text: a summary for
// people, JSON, CSV and Go benchmark lines for tools, and plots.
//
// Every writer is a pure function of the result. Nothing here reads the clock,
// so that the same result gives the same bytes, on every run and in every
// format. A result with a number that is not finite is refused.
package reports

import (
	"fmt"
	"io"
	"math"

	"stowage/sim"
)

// Names of the files that Write puts beside the plots.
const (
	ResultFile = "result.json"
	RoundsFile = "rounds.csv"
	BenchFile  = "bench.txt"
	ReportFile = "report.html"
	WhatIfFile = "whatif.csv" // if questions were asked
	MemoryFile = "memory.csv" // if a step was recorded
)

// Write writes everything there is to say about r into dir, which it creates
// when absent: result.json, rounds.csv, report.html, bench.txt, whatif.csv if r has answers,
// timeline.json and memory.csv if a step was recorded, and NAME.svg and NAME.png of every plot that applies. Files that do not apply to r, left
// by an earlier run, are removed: what lies in dir is a function of r alone.
//
// All files are written before the first one takes its place, and result.json takes it
// last: on an error the folder is as it was, and of a process that is killed see fileSet.
func Write(dir string, r *sim.Result) (files []string, err error) {
	if err := checkFinite(r); err != nil {
		return nil, err
	}
	set, err := newFileSet(dir)
	if err != nil {
		return nil, err
	}
	defer set.discard()
	for _, t := range []struct {
		name    string
		applies bool
		write   func(io.Writer) error
	}{
		{ResultFile, true, func(w io.Writer) error { return JSON(w, r) }},
		{RoundsFile, true, func(w io.Writer) error { return RoundsCSV(w, r) }},
		{ReportFile, true, func(w io.Writer) error { return HTML(w, r) }},
		{BenchFile, true, func(w io.Writer) error { return Bench(w, []*sim.Result{r}) }},
		{WhatIfFile, r.WhatIf != nil, func(w io.Writer) error { return WhatIfCSV(w, r) }},
		{TimelineFile, timelinePlot.Needs(r), func(w io.Writer) error { return writeTimeline(w, r) }},
		{MemoryFile, hasMemory(r), func(w io.Writer) error { return MemoryCSV(w, r) }},
	} {
		if !t.applies {
			set.drop(t.name)
		} else if err := set.add(t.name, t.write); err != nil {
			return nil, err
		}
	}
	for _, p := range Plots() {
		if !p.Needs(r) {
			set.dropPicture(p.Name)
		} else if err := set.addPicture(p.Name, p.picture(r)); err != nil {
			return nil, err
		}
	}
	return set.commit()
}

// checkFinite refuses a result that carries NaN or an infinity: JSON has no
// word for them, and a plot would silently leave them out.
func checkFinite(r *sim.Result) error {
	var bad error
	check := func(v float64, format string, args ...any) {
		if bad == nil && (math.IsNaN(v) || math.IsInf(v, 0)) {
			bad = fmt.Errorf("result of scenario %q, seed %d: %s is %v, not a finite number",
				r.Scenario, r.Seed, fmt.Sprintf(format, args...), v)
		}
	}
	for _, m := range r.Metrics {
		check(m.Value, "metric %q", m.Name)
	}
	for i, s := range r.Scheme.Stages {
		check(s.Busy, "busy share of stage %d", i+1)
		check(s.Sync, "sync share of stage %d", i+1)
		check(s.Stall, "stall share of stage %d", i+1)
		check(s.Idle, "idle share of stage %d", i+1)
		check(s.Lost, "lost share of stage %d", i+1)
	}
	if r.Search != nil {
		for _, g := range r.Search.History {
			check(g.Best, "best fitness of generation %d", g.Generation)
			check(g.Mean, "mean fitness of generation %d", g.Generation)
			check(g.Feasible, "feasible share of generation %d", g.Generation)
		}
		for i, p := range r.Search.Front {
			check(p.Throughput, "throughput of point %d of the front", i+1)
			check(p.Cost, "cost of point %d of the front", i+1)
		}
		if p := r.Search.Target; p != nil {
			check(p.Throughput, "throughput of the target scheme")
			check(p.Cost, "cost of the target scheme")
		}
	}
	if r.Levels != nil {
		for i, f := range r.Levels.Finalists {
			for _, l := range []*sim.Level{f.ClosedForm, f.Recurrence, f.Simulated} {
				if l != nil {
					check(l.Value, "value of finalist %d", i+1)
				}
			}
		}
	}
	for _, d := range r.Rounds {
		check(d.Throughput, "throughput of round %d", d.Round)
		if d.Slots != nil {
			check(d.Slots.HitRatio, "hit ratio of round %d", d.Round)
		}
	}
	for _, d := range r.LostRounds {
		check(d.Throughput, "throughput of lost round %d", d.Round)
	}
	for i := range r.Jobs {
		check(r.Jobs[i].Throughput, "throughput of job %d", i+1)
		check(r.Jobs[i].Alone, "throughput of job %d alone", i+1)
		check(r.Jobs[i].Slowdown, "slowdown of job %d", i+1)
	}
	for _, l := range r.Lost {
		check(l.Share, "share of time lost to %q", l.Cause)
	}
	for _, s := range r.Stalls {
		check(s.Share, "share of stalls for %q", s.Cause)
	}
	for _, l := range r.Links {
		check(l.Use, "use of link %q", l.Name)
		check(l.Busy, "busy share of link %q", l.Name)
	}
	if r.Sweep != nil {
		for i, p := range r.Sweep.Points {
			check(p.HitRatio, "hit ratio of sweep point %d", i+1)
			check(p.LookupHits, "lookup hit ratio of sweep point %d", i+1)
			check(p.Throughput, "throughput of sweep point %d", i+1)
		}
	}
	if r.WhatIf != nil {
		r.WhatIf.Numbers(func(v float64, what string) { check(v, "what-if: %s", what) })
	}
	for _, c := range r.Curves {
		for _, p := range c.Points {
			check(p.HitRatio, "hit ratio of layer %q at %d slots", c.Layer, p.Slots)
			check(p.Warm, "warm hit ratio of layer %q at %d slots", c.Layer, p.Slots)
		}
	}
	return bad
}

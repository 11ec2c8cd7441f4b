package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"stowage/sim"
)

// plotTables are what each plot draws, as rows. The first column, run, is the run's label.
var plotTables = map[string]struct {
	header []string
	rows   func(r *sim.Result, add func(cells ...string))
}{
	"throughput": {[]string{"round", "start_ns", "end_ns", "throughput_samples_per_s", "hit_ratio"}, throughputRows},
	"stages":     {[]string{"stage", "device", "pool", "devices", "first_layer", "last_layer", "busy", "sync", "stall", "idle"}, stageRows},
	"layers":     {[]string{"layer", "name", "device", "pool", "stage"}, layerRows},
	"hits":       {[]string{"layer", "policy", "slots", "row_bytes", "hit_ratio", "warm_hit_ratio"}, curveRows},
	"policies":   {sweepColumns, sweepRows},
	"slots":      {sweepColumns, sweepRows},
	"crossover":  {sweepColumns, sweepRows},
	"fitness":    {[]string{"generation", "evaluations", "best", "mean", "feasible"}, historyRows},
	"timeline":   {[]string{"track", "kind", "start_ns", "end_ns", "micro_batch", "round"}, spanRows},
	"memory":     {memoryColumns, memoryRows},
	"trouble":    {[]string{"kind", "start_ns", "end_ns", "round", "throughput_samples_per_s", "what"}, troubleCSV},
}

// CSV writes the data that the sheet shows: a header and a row for each point, exact
// numbers, cells empty where there is none.
func (s *Sheet) CSV(w io.Writer) error { return s.csv(w) }

// plotCSV writes what a plot shows of results.
func plotCSV(w io.Writer, name string, runs []Run) error {
	t, ok := plotTables[name]
	if !ok {
		panic("reports: plot " + name + " has no table") // a test holds them against Plots
	}
	out := csv.NewWriter(w)
	if err := out.Write(append([]string{"run"}, t.header...)); err != nil {
		return err
	}
	for _, run := range runs {
		t.rows(run.Result, func(cells ...string) {
			if len(cells) != len(t.header) {
				panic(fmt.Sprintf("reports: %d cells under %d columns of %s", len(cells), len(t.header), name))
			}
			_ = out.Write(append([]string{run.Label}, cells...)) // Error below has it
		})
	}
	out.Flush()
	return out.Error()
}

// withRuns writes the tables of several runs below one header, with a column for the run
// in front.
func withRuns(w io.Writer, runs []Run, table func(w io.Writer, r *Run) error) error {
	out := csv.NewWriter(w)
	for i := range runs {
		var b bytes.Buffer
		if err := table(&b, &runs[i]); err != nil {
			return err
		}
		rows, err := csv.NewReader(&b).ReadAll()
		if err != nil {
			return err
		}
		for k, row := range rows {
			first := runs[i].Label
			if k == 0 {
				first = "run"
			}
			if k > 0 || i == 0 {
				_ = out.Write(append([]string{first}, row...)) // Error below has it
			}
		}
	}
	out.Flush()
	return out.Error()
}

func throughputRows(r *sim.Result, add func(cells ...string)) {
	for _, d := range r.Rounds {
		hits := ""
		if d.Slots != nil {
			hits = exact(d.Slots.HitRatio)
		}
		add(strconv.Itoa(d.Round), strconv.FormatInt(int64(d.Start), 10), strconv.FormatInt(int64(d.End), 10), exact(d.Throughput), hits)
	}
}

// troubleCSV lists rounds, those that were lost, and what went wrong.
func troubleCSV(r *sim.Result, add func(cells ...string)) {
	ns := func(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }
	for i, rounds := range [][]sim.Round{r.Rounds, r.LostRounds} {
		for _, d := range rounds {
			add([]string{"round", "lost round"}[i], ns(d.Start), ns(d.End), strconv.Itoa(d.Round), exact(d.Throughput), "")
		}
	}
	for _, in := range r.Incidents {
		add(in.Kind, ns(in.Start), ns(in.End), "", "", in.What)
	}
}

func stageRows(r *sim.Result, add func(cells ...string)) {
	for i, s := range r.Scheme.Stages {
		add(strconv.Itoa(i+1), s.Device, s.Pool, strconv.Itoa(s.Devices), strconv.Itoa(s.First), strconv.Itoa(s.Last),
			exact(s.Busy), exact(s.Sync), exact(s.Stall), exact(s.Idle))
	}
}

func layerRows(r *sim.Result, add func(cells ...string)) {
	of := layerStages(r)
	for i, device := range r.Scheme.Layers {
		pool, stage := "", ""
		if i < len(r.Scheme.Pools) {
			pool = r.Scheme.Pools[i]
		}
		if of[i] >= 0 {
			stage = strconv.Itoa(of[i] + 1)
		}
		add(strconv.Itoa(i), layerName(r, i), device, pool, stage)
	}
}

func curveRows(r *sim.Result, add func(cells ...string)) {
	for _, c := range r.Curves {
		for _, p := range c.Points {
			add(c.Layer, c.Policy, strconv.Itoa(p.Slots), strconv.FormatInt(int64(c.RowBytes), 10), exact(p.HitRatio), exact(p.Warm))
		}
	}
}

var sweepColumns = []string{"layer", "pool", "device", "replacement", "slots", "hit_ratio", "lookup_hit_ratio", "throughput_samples_per_s", "infeasible"}

func sweepRows(r *sim.Result, add func(cells ...string)) {
	for i := range r.Sweep.Points {
		p := &r.Sweep.Points[i]
		slots, hits, lookups, rate := "", "", "", ""
		if p.Slots > 0 {
			slots = strconv.Itoa(p.Slots)
			if h, ok := sweepHits(p); ok {
				hits, lookups = exact(h), exact(p.LookupHits)
			}
		}
		if x, ok := sweepThroughput(p); ok {
			rate = exact(x)
		}
		add(r.Sweep.Layer, p.Pool, p.Device, p.Replacement, slots, hits, lookups, rate, p.Infeasible)
	}
}

func historyRows(r *sim.Result, add func(cells ...string)) {
	blank := func(v float64) string {
		if v == 0 {
			return ""
		}
		return exact(v)
	}
	for _, g := range r.Search.History {
		add(strconv.Itoa(g.Generation), strconv.Itoa(g.Evaluations), exact(g.Best), blank(g.Mean), blank(g.Feasible))
	}
}

func spanRows(r *sim.Result, add func(cells ...string)) {
	line := r.Timeline
	for _, s := range line.Spans {
		if s.End > line.From && s.Start < line.To {
			add(line.Tracks[s.Track].Name, s.Kind.String(), strconv.FormatInt(int64(s.Start), 10), strconv.FormatInt(int64(s.End), 10),
				strconv.Itoa(int(s.Micro)), strconv.Itoa(int(s.Round)))
		}
	}
}

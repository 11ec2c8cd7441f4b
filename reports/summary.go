package reports

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"stowage/sim"
)

// Summary writes r for people: title, headline metrics, stages, what the slot
// tables did and what was waited for, the sweep, the finalists, how the target scheme was
// found, and warnings. No line is wider than width terminal cells (0 means 80; less than 60
// counts as 60). There is no colour.
func Summary(w io.Writer, r *sim.Result, width int) error {
	if err := checkFinite(r); err != nil {
		return err
	}
	if width == 0 {
		width = defaultWidth
	}
	width = max(width, minWidth)
	var b bytes.Buffer
	for _, section := range []func(io.Writer, *sim.Result, int) error{
		summaryHead, summaryMetrics, summaryStages, summaryJobs, summaryTrouble, summarySlots, summaryStalls, summaryLinks, summaryCurves, summarySweep, summaryWhatIf, summaryLevels, summarySearch, summaryWarnings,
	} {
		var s bytes.Buffer
		if err := section(&s, r, width); err != nil {
			return err
		}
		if s.Len() == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		s.WriteTo(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func summaryHead(w io.Writer, r *sim.Result, width int) error {
	var run, plan []string
	add := func(list *[]string, name, value string) {
		if v := printable(value); v != "" {
			*list = append(*list, name+" "+v)
		}
	}
	add(&run, "scenario", r.Scenario)
	run = append(run, fmt.Sprintf("seed %d", r.Seed))
	if n := len(r.Rounds); n > 0 {
		run = append(run, plural(n, "round"))
	}
	add(&run, "stowage", r.Version)
	add(&plan, "placement", r.Scheme.Placement)
	add(&plan, "objective", r.Scheme.Objective)
	add(&plan, "schedule", r.Scheme.Schedule)
	add(&plan, "merge", r.Scheme.Merge)
	if s := r.Scheme.Servers; s != nil {
		add(&plan, "parameter servers", fmt.Sprintf("%s × %d", s.Device, s.Devices))
	}
	add(&plan, "replacement", r.Replacement)
	head := shortenText(title(r), width) + "\n" + flow(run, width)
	if len(plan) > 0 {
		head += flow(plan, width)
	}
	_, err := io.WriteString(w, head)
	return err
}

func summaryMetrics(w io.Writer, r *sim.Result, width int) error {
	if len(r.Metrics) == 0 {
		return nil
	}
	g := grid{columns: []column{{elastic: true}, {elastic: true}, {}}}
	for _, m := range orderedMetrics(r.Metrics) {
		g.add(strings.ReplaceAll(printable(m.Name), "_", " "), formatMetric(m), fidelityOf(r, m.Name))
	}
	return g.render(w, width)
}

// fidelityOf says where a metric comes from: the simulation, a formula, or the search at its
// fidelity; "" for what is counted.
func fidelityOf(r *sim.Result, name string) string {
	i := slices.IndexFunc(sim.MetricKinds, func(k sim.MetricKind) bool { return k.Name == name })
	if i < 0 {
		return ""
	}
	if from := sim.MetricKinds[i].From; from != sim.FromSearch {
		return from
	}
	return printable(r.Scheme.Fitness)
}

// summaryStages writes one table where it fits, else two: what the stages are
// and what they did.
func summaryStages(w io.Writer, r *sim.Result, width int) error {
	if len(r.Scheme.Stages) == 0 {
		return nil
	}
	what := []column{{"stage", true, false}, {"device", false, true}, {"layers", false, true}, {"forward", true, false}, {"backward", true, false}}
	did := []column{{"busy", true, false}, {"sync", true, false}, {"stall", true, false}, {"idle", true, false}}
	lost := losesTime(r)
	if lost {
		did = append(did, column{"lost", true, false})
	}
	did = append(did, column{"memory per device", true, false})
	one := grid{columns: append(append([]column{}, what...), did...)}
	first := grid{columns: what}
	second := grid{columns: append([]column{what[0]}, did...)}
	for i := range r.Scheme.Stages {
		s := &r.Scheme.Stages[i]
		is := []string{fmt.Sprint(i + 1), deviceCount(s), layerSpan(r, s), formatDuration(s.Forward), formatDuration(s.Backward)}
		was := []string{formatShare(s.Busy), formatShare(s.Sync), formatShare(s.Stall), formatShare(s.Idle)}
		if lost {
			was = append(was, formatShare(s.Lost))
		}
		was = append(was, formatMemory(s.Memory.Total, s.Memory.Capacity))
		one.add(append(append([]string{}, is...), was...)...)
		first.add(is...)
		second.add(append([]string{is[0]}, was...)...)
	}
	// Names shortened to their least would save the second table and lose the names.
	if one.natural() <= width || one.tight()+20 <= width {
		return one.render(w, width)
	}
	if err := first.render(w, width); err != nil {
		return err
	}
	io.WriteString(w, "\n") // w is a buffer of Summary
	return second.render(w, width)
}

// slotSums adds up the counters of rounds that have slot tables.
type slotSums struct {
	sim.SlotCounters
	Stall time.Duration
}

func sumSlots(rounds []sim.Round) (s slotSums, any bool) {
	for _, d := range rounds {
		if d.Slots == nil {
			continue
		}
		any = true
		s.Lookups += d.Slots.Lookups
		s.Unique += d.Slots.Unique
		s.Hits += d.Slots.Hits
		s.Misses += d.Slots.Misses
		s.Evictions += d.Slots.Evictions
		s.WriteBacks += d.Slots.WriteBacks
		s.Bypasses += d.Slots.Bypasses
		s.Traded += d.Slots.Traded
		s.StoreReads += d.Slots.StoreReads
		s.StoreWrites += d.Slots.StoreWrites
		s.BytesIn += d.Slots.BytesIn
		s.BytesOut += d.Slots.BytesOut
		s.BytesPast += d.Slots.BytesPast
		s.Stall += d.Stall
	}
	return s, any
}

// summarySlots says what the slot tables did.
func summarySlots(w io.Writer, r *sim.Result, width int) error {
	if g := slotsGrid(r); g != nil {
		return g.render(w, width)
	}
	return nil
}

// slotsGrid compares the first with the last quarter of the rounds: cold slot tables
// with warm ones; nil: there are none.
func slotsGrid(r *sim.Result) *grid {
	n := len(r.Rounds)
	all, any := sumSlots(r.Rounds)
	if !any {
		return nil
	}
	sums := []slotSums{all}
	columns := []column{{name: "slot tables", elastic: true}, {name: "all rounds", right: true}}
	if quarter := n / 4; quarter > 0 {
		first, _ := sumSlots(r.Rounds[:quarter])
		last, _ := sumSlots(r.Rounds[n-quarter:])
		sums = []slotSums{first, last, all}
		columns = []column{columns[0], {name: "first quarter", right: true}, {name: "last quarter", right: true}, columns[1]}
	}
	g := &grid{columns: columns}
	row := func(name string, cell func(s *slotSums) string) {
		cells := []string{name}
		for i := range sums {
			cells = append(cells, cell(&sums[i]))
		}
		g.add(cells...)
	}
	count := func(name string, of func(s *slotSums) int64) {
		row(name, func(s *slotSums) string { return formatCount(of(s)) })
	}
	bytes := func(name string, of func(s *slotSums) int64) {
		row(name, func(s *slotSums) string { return formatBytes(float64(of(s))) })
	}
	row("hit ratio", func(s *slotSums) string {
		if s.Unique == 0 {
			return "–"
		}
		return formatShare(float64(s.Hits) / float64(s.Unique))
	})
	count("unique rows", func(s *slotSums) int64 { return s.Unique })
	count("misses", func(s *slotSums) int64 { return s.Misses })
	if all.Bypasses > 0 {
		count("bypasses", func(s *slotSums) int64 { return s.Bypasses })
	}
	count("evictions", func(s *slotSums) int64 { return s.Evictions })
	count("write-backs", func(s *slotSums) int64 { return s.WriteBacks })
	bytes("bytes into slots", func(s *slotSums) int64 { return s.BytesIn })
	bytes("bytes written back", func(s *slotSums) int64 { return s.BytesOut })
	if all.BytesPast > 0 {
		bytes("bytes past slots", func(s *slotSums) int64 { return s.BytesPast })
	}
	if all.Traded > 0 {
		bytes("bytes traded", func(s *slotSums) int64 { return s.Traded })
	}
	if all.StoreReads > 0 || all.StoreWrites > 0 {
		count("store reads", func(s *slotSums) int64 { return s.StoreReads })
		count("store writes", func(s *slotSums) int64 { return s.StoreWrites })
	}
	row("stall", func(s *slotSums) string { return formatDuration(s.Stall) })
	return g
}

// summaryStalls says what stages waited for when they waited for rows.
func summaryStalls(w io.Writer, r *sim.Result, width int) error {
	if len(r.Stalls) == 0 {
		return nil
	}
	g := grid{columns: []column{{"stalls by cause", false, true}, {"time", true, false}, {"share", true, false}}}
	for _, s := range r.Stalls {
		g.add(stallCause(s.Cause), formatDuration(s.Time), formatShare(s.Share))
	}
	return g.render(w, width)
}

// stallCauses says of the causes in sim.Stall what was waited for.
var stallCauses = map[string]string{
	"input":   "samples to be read and made unique",
	"order":   "rounds before",
	"slots":   "slots of rounds in flight",
	"index":   "slot index",
	"ssd":     "flash below host memory",
	"remote":  "parameter servers",
	"host":    "rows gathered in host memory",
	"link":    "links between host and device",
	"devices": "other devices",
}

func stallCause(cause string) string {
	cause = printable(cause)
	if meaning, ok := stallCauses[cause]; ok {
		return cause + ": " + meaning
	}
	return cause
}

// summaryLinks says which links of the cluster's network carried most for what they can.
func summaryLinks(w io.Writer, r *sim.Result, width int) error {
	if len(r.Links) == 0 {
		return nil
	}
	return linksGrid(r).render(w, width)
}

func linksGrid(r *sim.Result) *grid {
	g := &grid{columns: []column{{"busiest links", false, true}, {"carried", true, false}, {"used", true, false}, {"busy", true, false}}}
	for _, l := range r.Links {
		g.add(printable(l.Name), formatBytes(float64(l.Bytes)), formatShare(l.Use), formatShare(l.Busy))
	}
	return g
}

// summaryCurves says what the scenario gives every embedding layer.
func summaryCurves(w io.Writer, r *sim.Result, width int) error {
	if len(r.Curves) == 0 {
		return nil
	}
	return curvesGrid(r).render(w, width)
}

func curvesGrid(r *sim.Result) *grid {
	g := &grid{columns: []column{{"embedding", false, true}, {"slots", true, false}, {"rows", true, false}, {"bytes", true, false}, {"warm hit ratio", true, false}}}
	for i := range r.Curves {
		c := &r.Curves[i]
		hit := "–"
		if _, warm, ok := curveAt(c, c.Slots); ok {
			hit = formatShare(warm)
		}
		memory := formatBytes(float64(c.Slots) * float64(c.RowBytes))
		g.add(printable(c.Layer), formatSI(float64(c.Slots)), formatSI(float64(c.Rows)), memory, hit)
	}
	return g
}

func summarySearch(w io.Writer, r *sim.Result, width int) error {
	if r.Search == nil {
		return nil
	}
	parts := []string{fmt.Sprintf("found by %s placement", printable(r.Scheme.Placement))}
	if r.Scheme.Fitness != "" {
		parts = append(parts, printable(r.Scheme.Fitness)+" fitness")
	}
	parts = append(parts, plural(r.Search.Evaluations, "scheme")+" evaluated")
	if g, ok := settled(r.Search.History); ok {
		parts = append(parts, fmt.Sprintf("best found after %s", formatCount(int64(g.Evaluations))))
	}
	_, err := io.WriteString(w, flow(parts, width))
	return err
}

// summaryWarnings lists what to know before trusting the numbers.
func summaryWarnings(w io.Writer, r *sim.Result, width int) error {
	for _, warning := range r.Warnings {
		if _, err := io.WriteString(w, wrap("note: "+printable(warning), width)); err != nil {
			return err
		}
	}
	return nil
}

// settled returns the entry of the history at which the best fitness was reached.
func settled(history []sim.Generation) (sim.Generation, bool) {
	if len(history) == 0 {
		return sim.Generation{}, false
	}
	last := history[len(history)-1].Best
	for _, g := range history {
		if g.Best == last {
			return g, true
		}
	}
	return sim.Generation{}, false
}

package reports

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"stowage/sim"
)

// benchUnits are the units of metrics in the Go benchmark format, where the
// unit is all that tells two numbers of a line apart. Other metrics are named
// NAME-UNIT by benchUnit.
var benchUnits = map[string]string{
	"throughput":  "samples/s",
	"step_time":   "sec/step",
	"cost":        "USD/Msamples",
	"price":       "USD/h",
	"peak_memory": "peak-B",
	"evaluations": "schemes",
}

// Bench writes results in the Go benchmark format (the design "Go Benchmark
// Data Format", golang/proposal 14313), so that benchstat compares them: unit
// lines first, then one line for each result,
//
//	BenchmarkRun/scenario=ctr/placement=genetic/replacement=lru/seed=1 1 12345.6 samples/s …
//
// Everything simulated is exact (assume=exact): any difference is a change. The
// version is left out on purpose: benchstat would put two versions into two
// tables instead of comparing them.
func Bench(w io.Writer, results []*sim.Result) error {
	for _, r := range results {
		if err := checkFinite(r); err != nil {
			return err
		}
	}
	lines := make([]benchRow, len(results))
	for i, r := range results {
		lines[i] = benchRow{benchName(r), r.Metrics}
	}
	return writeBench(w, lines)
}

// benchRow is a line of the benchmark format.
type benchRow struct {
	name    string
	metrics sim.Metrics
}

func writeBench(w io.Writer, lines []benchRow) error {
	b := bufio.NewWriter(w)
	for _, k := range kindsOf(lines) {
		fmt.Fprintf(b, "Unit %s", benchUnit(k.Name, k.Unit))
		if k.Better != "" {
			fmt.Fprintf(b, " better=%s", k.Better)
		}
		fmt.Fprint(b, " assume=exact\n")
	}
	if len(lines) > 0 {
		fmt.Fprintln(b)
	}
	for _, l := range lines {
		fmt.Fprintf(b, "%s 1", l.name)
		for _, m := range orderedMetrics(l.metrics) {
			fmt.Fprintf(b, " %s %s", exact(m.Value), benchUnit(m.Name, m.Unit))
		}
		fmt.Fprintln(b)
	}
	return b.Flush()
}

// benchName is the name of a result's line.
func benchName(r *sim.Result) string {
	return benchNamed("BenchmarkRun", r.Seed, [2]string{"scenario", r.Scenario}, [2]string{"placement", r.Scheme.Placement}, [2]string{"replacement", r.Replacement})
}

// benchNamed makes the name of a line. The parts, name and value, are in a fixed order
// and the seed is last, so that benchstat groups by everything else.
func benchNamed(what string, seed int64, parts ...[2]string) string {
	var b strings.Builder
	b.WriteString(what)
	for _, part := range parts {
		if part[1] != "" {
			fmt.Fprintf(&b, "/%s=%s", part[0], benchWord(part[1]))
		}
	}
	// A name that ends in -1 would be read as GOMAXPROCS=1.
	if seed < 0 {
		fmt.Fprintf(&b, "/seed=minus%d", uint64(-seed))
	} else {
		fmt.Fprintf(&b, "/seed=%d", seed)
	}
	return b.String()
}

// benchUnit is the unit of a metric in the benchmark format: unique to the
// metric and without spaces. The unit of a known metric is that of its kind: fitness
// comes in the unit of the objective, but the unit line is one.
func benchUnit(name, unit string) string {
	if u, ok := benchUnits[name]; ok {
		return u
	}
	if i := slices.IndexFunc(sim.MetricKinds, func(k sim.MetricKind) bool { return k.Name == name }); i >= 0 {
		unit = sim.MetricKinds[i].Unit
	}
	word := strings.ReplaceAll(benchWord(name), "_", "-")
	switch unit {
	case "", "ratio":
		return word
	case "s":
		return word + "-sec" // benchstat knows "sec", and scales it
	}
	return word + "-" + benchUnitWord(unit)
}

// benchWord makes s one part of a benchmark name: spaces, control characters
// and slashes become "_".
func benchWord(s string) string {
	return strings.ReplaceAll(benchUnitWord(s), "/", "_")
}

func benchUnitWord(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, s)
}

// kindsOf lists the kinds of the metrics that occur in lines: first those of
// sim.MetricKinds in their order, then others as they first appear.
func kindsOf(lines []benchRow) []sim.MetricKind {
	var kinds []sim.MetricKind
	for _, k := range sim.MetricKinds {
		if slices.ContainsFunc(lines, func(l benchRow) bool {
			_, ok := l.metrics.Get(k.Name)
			return ok
		}) {
			kinds = append(kinds, k)
		}
	}
	for _, l := range lines {
		for _, m := range l.metrics {
			if !slices.ContainsFunc(kinds, func(k sim.MetricKind) bool { return k.Name == m.Name }) {
				kinds = append(kinds, sim.MetricKind{Name: m.Name, Unit: m.Unit})
			}
		}
	}
	return kinds
}

// orderedMetrics returns ms in the order of sim.MetricKinds, metrics of no known
// kind last.
func orderedMetrics(ms sim.Metrics) sim.Metrics {
	rank := func(m sim.Metric) int {
		i := slices.IndexFunc(sim.MetricKinds, func(k sim.MetricKind) bool { return k.Name == m.Name })
		if i < 0 {
			return len(sim.MetricKinds)
		}
		return i
	}
	sorted := slices.Clone(ms)
	slices.SortStableFunc(sorted, func(a, b sim.Metric) int { return rank(a) - rank(b) })
	return sorted
}

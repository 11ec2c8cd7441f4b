package reports

import (
	"bufio"
	_ "embed" // compare.schema.json
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"stowage/sim"
)

// CompareRow is a line of CompareJSON: the experiment under one policy and seed. One
// of Placement and Replacement is given.
type CompareRow struct {
	Scenario    string      `json:"scenario"`
	Placement   string      `json:"placement,omitempty"`
	Replacement string      `json:"replacement,omitempty"`
	Seed        int64       `json:"seed"`
	Once        bool        `json:"once,omitempty"`
	Evaluations int         `json:"evaluations"`
	Metrics     sim.Metrics `json:"metrics"`
	Layers      []string    `json:"layers,omitempty"`
	Infeasible  string      `json:"infeasible,omitempty"`
}

// CompareRows flattens comparisons: a row for every run, in order.
func CompareRows(all []*sim.Comparison) []CompareRow {
	rows := []CompareRow{}
	for _, c := range all {
		for i := range c.Runs {
			r := &c.Runs[i]
			row := CompareRow{
				Scenario: c.Scenario, Seed: r.Seed, Once: r.Once, Evaluations: r.Evaluations,
				Metrics: r.Metrics, Infeasible: r.Infeasible,
			}
			if c.By == sim.Replacements {
				row.Replacement = r.Policy
			} else {
				row.Placement = r.Policy
			}
			if r.Result != nil {
				row.Layers = r.Result.Scheme.Layers
			}
			rows = append(rows, row)
		}
	}
	return rows
}

//go:embed compare.schema.json
var compareSchema []byte

// CompareSchema returns the JSON Schema (draft 2020-12) of what CompareJSON writes. The
// caller may keep and change the bytes.
func CompareSchema() []byte { return slices.Clone(compareSchema) }

// CompareJSON writes the runs of comparisons as one JSON array, a run on a line of its
// own. The shape is that of CompareSchema.
func CompareJSON(w io.Writer, all []*sim.Comparison) error {
	if err := checkComparisons(all); err != nil {
		return err
	}
	b := bufio.NewWriter(w)
	b.WriteString("[")
	for i, row := range CompareRows(all) {
		if i > 0 {
			b.WriteString(",")
		}
		data, err := json.Marshal(row)
		if err != nil {
			return err
		}
		b.WriteString("\n  ")
		b.Write(data)
	}
	b.WriteString("\n]\n")
	return b.Flush()
}

// CompareCSV writes the runs of comparisons below a header (RFC 4180, lines end in
// "\n"), a column for each metric that a run can have. What does not apply is
// empty, not zero.
func CompareCSV(w io.Writer, all []*sim.Comparison) error {
	if err := checkComparisons(all); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	header := []string{"scenario", "placement", "replacement", "seed", "once", "infeasible"}
	for _, k := range sim.MetricKinds {
		header = append(header, k.Name)
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for _, row := range CompareRows(all) {
		cells := []string{
			row.Scenario, row.Placement, row.Replacement, strconv.FormatInt(row.Seed, 10), strconv.FormatBool(row.Once), row.Infeasible,
		}
		for _, k := range sim.MetricKinds {
			cell := ""
			if m, ok := row.Metrics.Get(k.Name); ok {
				cell = exact(m.Value)
			}
			cells = append(cells, cell)
		}
		if err := out.Write(cells); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// CompareBench writes the runs of comparisons in the Go benchmark format:
//
//	BenchmarkCompare/scenario=ctr/placement=genetic/seed=1 1 12345.6 samples/s …
func CompareBench(w io.Writer, all []*sim.Comparison) error {
	if err := checkComparisons(all); err != nil {
		return err
	}
	var lines []benchRow
	for _, c := range all {
		for i := range c.Runs {
			r := &c.Runs[i]
			name := benchNamed("BenchmarkCompare", r.Seed, [2]string{"scenario", c.Scenario}, [2]string{c.By, r.Policy})
			lines = append(lines, benchRow{name, r.Metrics})
		}
	}
	return writeBench(w, lines)
}

// checkComparisons refuses numbers that are not finite.
func checkComparisons(all []*sim.Comparison) error {
	for _, c := range all {
		for i := range c.Runs {
			r := &c.Runs[i]
			for _, m := range r.Metrics {
				if math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
					return fmt.Errorf("comparison of scenario %q: %s %s, seed %d: metric %q is %v, not a finite number", c.Scenario, c.By, r.Policy, r.Seed, m.Name, m.Value)
				}
			}
			if r.Result == nil {
				continue
			}
			if err := checkFinite(r.Result); err != nil {
				return err
			}
		}
	}
	return nil
}

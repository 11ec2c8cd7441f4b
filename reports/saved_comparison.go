package reports

import (
	_ "embed" // comparison.schema.json
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"stowage/sim"
)

// ComparisonFile keeps what the plots of a comparison draw. compare.json has its table.
const ComparisonFile = "comparison.json"

//go:embed comparison.schema.json
var comparisonSchema []byte

// ComparisonSchema returns the JSON Schema (draft 2020-12) of comparison.json, which refers
// to that of results. The caller may keep and change the bytes.
func ComparisonSchema() []byte { return slices.Clone(comparisonSchema) }

// writeComparison writes what plots need of a comparison: of every run its scheme and the
// history of its search.
func writeComparison(w io.Writer, c *sim.Comparison) error {
	kept := *c
	kept.Runs = slices.Clone(c.Runs)
	for i := range kept.Runs {
		if r := kept.Runs[i].Result; r != nil {
			kept.Runs[i].Result = withoutNulls(&sim.Result{
				Scenario: r.Scenario, Title: r.Title, Seed: r.Seed, Version: r.Version, Replacement: r.Replacement,
				Metrics: r.Metrics, Scheme: r.Scheme, Search: r.Search,
			})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(&kept)
}

// readComparison reads what writeComparison wrote.
func readComparison(data []byte) (*sim.Comparison, error) {
	var c sim.Comparison
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("no comparison: %w", err)
	}
	if c.By != sim.Placements && c.By != sim.Replacements {
		return nil, fmt.Errorf("no comparison: it is by %q", c.By)
	}
	if len(c.Runs) == 0 {
		return nil, errors.New("no comparison: it has no runs")
	}
	for i := range c.Runs {
		r := &c.Runs[i]
		if (r.Result == nil) == (r.Infeasible == "") {
			return nil, fmt.Errorf("no comparison: of result and infeasible, run %d wants one", i+1)
		}
		if r.Result == nil {
			continue
		}
		if err := checkScheme(&r.Result.Scheme); err != nil {
			return nil, fmt.Errorf("no comparison: run %d: %w", i+1, err)
		}
	}
	return &c, checkComparisons([]*sim.Comparison{&c})
}

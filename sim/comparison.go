package sim

import (
	"math"
	"time"

	"stowage/sim/placement"
)

// Comparison is one experiment under several policies of one sort. But for Elapsed
// of its runs it is a function of scenario, seeds and version alone.
type Comparison struct {
	Scenario string `json:"scenario"`
	Title    string `json:"title,omitempty"`
	Version  string `json:"version"`

	By        string `json:"by"`                  // the sort of the policies: Placements or Replacements
	Objective string `json:"objective,omitempty"` // of the placement
	Fidelity  string `json:"fidelity,omitempty"`  // with which placement policies computed fitness
	Seeds     int    `json:"seeds"`               // asked for

	Runs    []ComparedRun   `json:"runs"` // policy by policy in the order asked for, seeds rising
	Skipped []SkippedPolicy `json:"skipped,omitempty"`

	// Stopped says what kept the comparison from being whole; empty: it is.
	Stopped string `json:"stopped,omitempty"`
}

// The sorts of policies that can be compared.
const (
	Placements   = "placement"
	Replacements = "replacement"
)

// ComparedRun is the experiment under one policy and seed.
type ComparedRun struct {
	Policy      string  `json:"policy"`
	Seed        int64   `json:"seed"`
	Once        bool    `json:"once,omitempty"` // the policy draws nothing: every seed gives this run
	Evaluations int     `json:"evaluations"`
	Metrics     Metrics `json:"metrics"`
	Bound       float64 `json:"bound,omitempty"` // fitness that no scheme exceeds, as this search proved it; 0: it proved none

	// Infeasible says why the nearest to fitting of the schemes does not fit; then
	// there is no Result.
	Infeasible string `json:"infeasible,omitempty"`
	// Result is that of the target scheme, without its rounds.
	Result *Result      `json:"result,omitempty"`
	Front  []FrontPoint `json:"front,omitempty"`  // of the schemes that the search saw, by rising cost
	Target *FrontPoint  `json:"target,omitempty"` // where the target scheme lies, by the same fidelity

	Elapsed time.Duration `json:"-"` // wall clock of the search, or of the whole run with a replacement policy
}

// FrontPoint is a scheme that no other one seen beats in both throughput and cost, by
// the fidelity of the search.
type FrontPoint struct {
	Throughput float64 `json:"throughput"` // samples/s
	Cost       float64 `json:"cost"`       // USD per million samples
}

// SkippedPolicy is a policy that cannot be applied to the experiment.
type SkippedPolicy struct {
	Policy string `json:"policy"`
	Reason string `json:"reason"`
}

// Fitness is the fitness of the run's target scheme; false: no scheme fits.
func (r *ComparedRun) Fitness() (float64, bool) {
	if r.Infeasible != "" {
		return 0, false
	}
	m, ok := r.Metrics.Get("fitness")
	return m.Value, ok
}

// Limit is the least fitness that a search proved no scheme to exceed; where none did,
// it is the best that any found, and proven is false. It is 0 when no scheme fits.
func (c *Comparison) Limit() (fitness float64, proven bool) {
	least, most := math.Inf(1), 0.0
	for i := range c.Runs {
		if b := c.Runs[i].Bound; b > 0 {
			least = min(least, b)
		}
		if f, ok := c.Runs[i].Fitness(); ok {
			most = max(most, f)
		}
	}
	if math.IsInf(least, 1) {
		return most, false
	}
	return least, true
}

// Gap is how far a fitness is below a limit, in per cent of the fitness.
func Gap(fitness, limit float64) float64 { return 100 * (limit/fitness - 1) }

// Natural turns a fitness into what people ask for: samples/s, USD per million samples
// or seconds per step; and says in which unit.
func Natural(objective string, fitness float64) (value float64, unit string) {
	switch placement.Objective(objective) {
	case placement.Cost:
		return 1 / fitness, "USD/Msamples"
	case placement.Time:
		return 1 / fitness, "s"
	}
	return fitness, "samples/s"
}

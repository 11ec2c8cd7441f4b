package scenarios

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"stowage/sim"
	"stowage/sim/placement"
)

const comparedScenario = `
[model]
use = "nce"

[[cluster.pool]]
device = "xeon-6148"
count  = 2

[[cluster.pool]]
device = "v100-16"
count  = 4

[training]
batch        = 64
microbatches = 4
rounds       = 5

[lookups]
generator = "zipf"
alpha     = 1.1

[slots]
capacity = "1 %"
`

// rowsOf is what a comparison holds but for the wall clock.
func rowsOf(t *testing.T, c *sim.Comparison) []string {
	t.Helper()
	var rows []string
	for _, r := range c.Runs {
		r.Elapsed = 0
		rows = append(rows, jsonOf(t, r))
	}
	return rows
}

// A row of a comparison is what a run of that policy, and seed, gives.
func TestCompareEqualsRun(t *testing.T) {
	s := parsed(t, comparedScenario)
	all, err := s.ComparePlacements(t.Context(), Comparing{Policies: placement.PolicyNames(), Seeds: 2, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if len(all.Skipped) == 0 || all.Skipped[0].Policy != "fixed" {
		t.Errorf("skipped: %+v, want fixed, which has no scheme here", all.Skipped)
	}
	seen := map[string]int{}
	for _, row := range all.Runs {
		seen[row.Policy]++
		if row.Seed != s.Seed {
			continue
		}
		one := parsed(t, comparedScenario)
		if err := one.SetPlacement(row.Policy); err != nil {
			t.Fatal(err)
		}
		if want := run(t, one); jsonOf(t, want.Metrics) != jsonOf(t, row.Metrics) || jsonOf(t, want.Scheme) != jsonOf(t, row.Result.Scheme) {
			t.Errorf("%s: compared %s\nrun %s", row.Policy, jsonOf(t, row.Metrics), jsonOf(t, want.Metrics))
		}
	}
	if seen["greedy"] != 1 || seen["random"] != 2 || seen["genetic"] != 2 {
		t.Errorf("runs by policy: %v", seen)
	}

	both, err := s.CompareReplacements(t.Context(), Comparing{Policies: []string{"fifo", "min"}, Seeds: 2, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range both.Runs {
		one := parsed(t, comparedScenario)
		one.SetSeed(row.Seed)
		if err := one.SetReplacement(row.Policy); err != nil {
			t.Fatal(err)
		}
		if want := run(t, one); jsonOf(t, want.Metrics) != jsonOf(t, row.Metrics) {
			t.Errorf("%s, seed %d: compared %s\nrun %s", row.Policy, row.Seed, jsonOf(t, row.Metrics), jsonOf(t, want.Metrics))
		}
	}
	if len(both.Runs) != 4 {
		t.Errorf("%d runs of 2 replacement policies with 2 seeds", len(both.Runs))
	}
}

// However many processors there are, and whenever it is stopped: finished rows are the
// same.
func TestCompareStopped(t *testing.T) {
	how := Comparing{Policies: []string{"greedy", "random", "genetic", "exhaustive"}, Seeds: 4, Version: "test"}
	whole := map[string]bool{}
	for _, procs := range []int{1, 2} {
		t.Run(fmt.Sprint(procs), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			s := parsed(t, comparedScenario)
			all, err := s.ComparePlacements(t.Context(), how)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rowsOf(t, all) {
				if procs == 1 {
					whole[row] = true
				} else if !whole[row] {
					t.Errorf("another row with %d processors: %s", procs, row)
				}
			}
			for stopAt := range 4 {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				some := how
				some.Progress = func(p CompareProgress) {
					if p.Done == stopAt {
						stop()
					}
				}
				part, err := s.ComparePlacements(ctx, some)
				if !errors.Is(err, context.Canceled) || part == nil || !strings.Contains(part.Stopped, fmt.Sprintf("%d of 10 runs", len(part.Runs))) {
					t.Fatalf("stopped after %d: %v, %+v", stopAt, err, part)
				}
				if len(part.Runs) < stopAt-1 || len(part.Runs) > stopAt+procs {
					t.Errorf("stopped after %d runs, %d are kept", stopAt, len(part.Runs))
				}
				for _, row := range rowsOf(t, part) {
					if !whole[row] {
						t.Errorf("a stopped comparison has a row of its own: %s", row)
					}
				}
			}
		})
	}
	if len(whole) != 10 {
		t.Errorf("%d rows, want 2 + 2 x 4", len(whole))
	}
}

// Runs that cannot be: a limit of events is a finding, a policy without its pool a
// reason to skip it.
func TestCompareFindings(t *testing.T) {
	s := parsed(t, comparedScenario+"\n[limits]\nevents = 10\n")
	c, err := s.ComparePlacements(t.Context(), Comparing{Policies: []string{"greedy"}})
	if err != nil || len(c.Runs) != 1 || !strings.Contains(c.Runs[0].Infeasible, "limits.events = 10") || c.Runs[0].Result != nil {
		t.Errorf("%v, %+v", err, c)
	}
	s = parsed(t, strings.Replace(comparedScenario, "[[cluster.pool]]\ndevice = \"xeon-6148\"\ncount  = 2\n", "", 1))
	c, err = s.ComparePlacements(t.Context(), Comparing{Policies: []string{"all-cpu", "greedy"}})
	if err != nil || len(c.Runs) != 1 || !slices.Equal(c.Skipped, []sim.SkippedPolicy{{Policy: "all-cpu", Reason: "the cluster has no CPU pool"}}) {
		t.Errorf("%v, %+v", err, c)
	}
	if _, err = s.ComparePlacements(t.Context(), Comparing{Policies: []string{"all-cpu"}}); err == nil || !strings.Contains(err.Error(), "nothing to compare: all-cpu: the cluster has no CPU pool") {
		t.Error(err)
	}
}

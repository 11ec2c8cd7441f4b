package scenarios

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"stowage/sim/placement"
)

const finalistScenario = comparedScenario + `
[placement]
finalists = 6
`

// Each finalist's simulated value is that of a run of just this scheme and its devices,
// and the target is the best of them.
func TestFinalistsAreSimulated(t *testing.T) {
	r := run(t, parsed(t, finalistScenario))
	if r.Levels == nil || len(r.Levels.Finalists) != 6 {
		t.Fatalf("levels %+v", r.Levels)
	}
	best, target := 0.0, 0.0
	for i, f := range r.Levels.Finalists {
		s := parsed(t, finalistScenario)
		s.Policy, _ = placement.LookupPolicy("fixed")
		s.Search.Keep, s.Search.Devices, s.Search.Scheme = 0, f.Devices, nil
		for _, device := range f.Layers {
			pool := 0
			if device == "v100-16" {
				pool = 1
			}
			s.Search.Scheme = append(s.Search.Scheme, uint8(pool))
		}
		alone := run(t, s)
		for name, level := range map[string]float64{
			"warm_throughput": f.Simulated.Value, "recurrence_throughput": f.Recurrence.Value, "closed_form_throughput": f.ClosedForm.Value,
		} {
			if want := metric(t, alone, name); math.Abs(level/want-1) > 1e-12 {
				t.Errorf("finalist %d: %s %v, alone %v", i+1, name, level, want)
			}
		}
		best = max(best, f.Simulated.Value)
		if f.Target {
			target = f.Simulated.Value
		}
	}
	if target != best || metric(t, r, "warm_throughput") != best {
		t.Errorf("the target reaches %v, the result %v, the best finalist %v", target, metric(t, r, "warm_throughput"), best)
	}
	plain := run(t, parsed(t, comparedScenario))
	if plain.Levels != nil || metric(t, plain, "fitness") != metric(t, r, "fitness") {
		t.Errorf("without finalists: levels %+v, fitness %v and %v", plain.Levels, metric(t, plain, "fitness"), metric(t, r, "fitness"))
	}
}

// Finalists that cannot be simulated are an answer, an interrupt is none.
func TestFinalistsThatFail(t *testing.T) {
	s := parsed(t, finalistScenario+"\n[limits]\nevents = 10\n")
	if _, err := s.Run(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "none of the 6 finalists can be simulated: limits.events = 10") {
		t.Error(err)
	}
	s = parsed(t, finalistScenario)
	ctx, stop := context.WithCancel(t.Context())
	s.Searching.Progress = func(placement.Progress) { stop() } // the last thing that a search does is to tell
	if r, err := s.Run(ctx, "test"); !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("%v, %v", r, err)
	}
}

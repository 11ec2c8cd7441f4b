package slots

import (
	"errors"

	"stowage/workloads/lookups"
)

// roundCounts replays a trace in rounds on a table of cfg.Slots and returns the counts
// of every round. Rows and the future are the trace's. A round that is short of slots
// acts by the rule: under those that wait the oldest rounds in flight are released
// until it fits.
func roundCounts(trace *lookups.Trace, cfg Config, lookahead int) ([]Counts, error) {
	if cfg.Rows == 0 {
		cfg.Rows = trace.Rows()
	}
	if cfg.Future == nil {
		cfg.Future = trace
	}
	if cfg.Origin == nil {
		cfg.Origin = trace.Origins()
	}
	t, err := New(cfg)
	if err != nil {
		return nil, err
	}
	counts := make([]Counts, trace.Rounds())
	for r := range counts {
		for t.InFlight() > lookahead {
			t.Release()
		}
		c, err := t.Plan(trace.Round(r))
		for short := (*ShortageError)(nil); errors.As(err, &short) && short.Waits(); {
			t.Release()
			c, err = t.Plan(trace.Round(r))
		}
		if err != nil {
			return nil, err
		}
		counts[r] = c
	}
	return counts, nil
}

// total is the sum of roundCounts on some slots.
func total(trace *lookups.Trace, cfg Config, slots, lookahead int) (sum Counts, err error) {
	cfg.Slots = slots
	counts, err := roundCounts(trace, cfg, lookahead)
	for _, c := range counts {
		sum = sum.Add(c)
	}
	return sum, err
}

package slots

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"stowage/workloads/lookups"
)

// Ratio is what one capacity did on a trace.
type Ratio struct {
	Slots int
	Total Counts // all rounds
	Warm  Counts // without the first quarter of the rounds, in which the table fills
}

// HitRatios replays a trace in rounds at several capacities, with a look-ahead of
// lookahead rounds, and returns one Ratio per capacity, in the order given.
// cfg.Slots is ignored; cfg.Rows, cfg.Future and cfg.Origin are the trace's when
// zero. With sets, a capacity is rounded up to whole sets; Ratio.Slots is as given.
//
// A round that is short of slots acts by the rule: under Wait and Split the oldest
// rounds in flight are released until it fits; one that does not fit alone is an
// error (Split cuts samples, and a trace of unique keys has none). Fail wants a
// look-ahead of 0.
//
// Capacities run in parallel, one table each, at most GOMAXPROCS at a time; the
// result does not depend on how many. The error is that of the first capacity,
// in the order given, that failed: a *ShortageError when it is too small
// (MinSlots says what would do).
func HitRatios(trace *lookups.Trace, cfg Config, slots []int, lookahead int) ([]Ratio, error) {
	cfg = cfg.forTrace(trace)
	ratios := make([]Ratio, len(slots))
	errs := make([]error, len(slots))
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(slots)) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(slots); i = int(next.Add(1)) - 1 {
				ratios[i], errs[i] = hitRatio(trace, cfg, slots[i], lookahead)
			}
		})
	}
	workers.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s with %d slots: %w", cfg.Policy, slots[i], err)
		}
	}
	return ratios, nil
}

func hitRatio(trace *lookups.Trace, cfg Config, slots, lookahead int) (Ratio, error) {
	cfg.Slots = slots
	out := Ratio{Slots: slots}
	cold := trace.Rounds() / 4
	err := replayRounds(trace, cfg, lookahead, func(r int, c Counts) {
		out.Total = out.Total.Add(c)
		if r >= cold {
			out.Warm = out.Warm.Add(c)
		}
	})
	return out, err
}

// RoundCounts replays a trace in rounds at one capacity, cfg.Slots, and returns
// the counts of every round; otherwise it is HitRatios.
func RoundCounts(trace *lookups.Trace, cfg Config, lookahead int) ([]Counts, error) {
	counts := make([]Counts, trace.Rounds())
	err := replayRounds(trace, cfg.forTrace(trace), lookahead, func(r int, c Counts) { counts[r] = c })
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// forTrace fills in what the trace decides. The future is read once for all
// tables.
func (c Config) forTrace(trace *lookups.Trace) Config {
	if c.Rows == 0 {
		c.Rows = trace.Rows()
	}
	if c.Future == nil {
		c.Future = trace
	}
	if c.Origin == nil {
		c.Origin = trace.Origins()
	}
	switch c.Policy {
	case "min", "lookahead":
		c.future = foresee(c.Future)
	case "static":
		c.ranked = rankRows(c.profile(), c.original)
	}
	return c
}

func replayRounds(trace *lookups.Trace, cfg Config, lookahead int, each func(round int, c Counts)) error {
	if lookahead < 0 {
		return fmt.Errorf("look-ahead = %d: want >= 0 rounds", lookahead)
	}
	if cfg.Shortage == Fail && lookahead > 0 {
		return fmt.Errorf("look-ahead = %d: want 0, as shortage = %q protects the rows of one round only", lookahead, string(Fail))
	}
	t, err := New(cfg)
	if err != nil {
		return err
	}
	for r := range trace.Rounds() {
		for t.InFlight() > lookahead {
			t.Release()
		}
		c, err := t.planWhenRoom(trace.Round(r))
		if err != nil {
			return err
		}
		each(r, c)
	}
	return nil
}

// planWhenRoom plans a round, and under a rule that waits releases rounds until it
// fits.
func (t *Table) planWhenRoom(r lookups.Round) (Counts, error) {
	for {
		c, err := t.Plan(r)
		if short, ok := errors.AsType[*ShortageError](err); !ok || !short.Waits() {
			return c, err
		}
		t.Release()
	}
}

// MinSlots returns the least capacity at which no round of the trace is short of
// slots with a look-ahead of lookahead rounds: the largest number of distinct
// rows in lookahead+1 rounds in a row.
func MinSlots(trace *lookups.Trace, lookahead int) int {
	last := newIndex(trace.Rows(), int(trace.Keys()/16)) // the last round of each key
	most, now := 0, 0
	for r := range trace.Rounds() {
		if gone := r - lookahead - 1; gone >= 0 {
			for _, k := range trace.Round(gone).Keys {
				if last.get(k) == int32(gone) {
					now--
				}
			}
		}
		for _, k := range trace.Round(r).Keys {
			if at := last.put(k, int32(r)); at == none || int(at) < r-lookahead {
				now++
			}
		}
		most = max(most, now)
	}
	return most
}

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"stowage/reports"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// traceReplay replays one trace.
type traceReplay struct {
	flags *replayFlags
	path  string
	bar   *progress
	note  func(format string, args ...any) // things to know, for people

	// Of the first read, where one is needed; counted says that there was one.
	counted bool
	lookups int64
	numbers *lookups.Densifier // all keys; nil: not held any more
	unique  int64

	renumbering sync.Mutex // numbers, in the second read
	end         error      // how the trace ended: nil at its end, else a fault
}

// run replays the trace. What was counted before an error is returned with it; nil:
// nothing was.
func (t *traceReplay) run(ctx context.Context) (*reports.Replay, error) {
	start := time.Now()
	if err := t.exists(); err != nil {
		return nil, err
	}
	if err := t.count(ctx); err != nil {
		return nil, err
	}
	r := &reports.Replay{Trace: t.path, Unique: t.unique, Warmup: t.flags.warmup.of(t.lookups), Row: t.flags.row.Bytes}
	r.Named = t.flags.devices
	var err error
	if r.Devices, err = reports.DevicesToMark(r.Named, r.Row); err != nil {
		return nil, err
	}
	if t.counted && t.end == nil && r.Warmup >= t.lookups {
		return nil, t.tooWarm(r.Warmup, t.lookups)
	}
	p, err := t.prepare(r)
	if err != nil {
		return nil, err
	}
	err = t.replay(ctx, p, r)
	r.Elapsed = time.Since(start)
	if r.Lookups == 0 {
		return nil, err
	}
	if err == nil && r.Warmup >= r.Lookups {
		return nil, t.tooWarm(r.Warmup, r.Lookups)
	}
	return r, err
}

func (t *traceReplay) tooWarm(warmup, has int64) error {
	return fmt.Errorf("%s: --warmup %d leaves nothing to count: the trace has %d lookups", t.path, warmup, has)
}

// replayParts are what a trace is fed to.
type replayParts struct {
	tables  *slots.Replayer // nil: no tables
	curve   *curveMaker     // nil: no curve
	offload *offloadMaker   // nil: no statistics
}

// prepare makes the tables and the curve, and says what memory they take beyond that
// of the slots.
func (t *traceReplay) prepare(r *reports.Replay) (*replayParts, error) {
	p := &replayParts{}
	var tables []slots.Config
	for _, policy := range t.flags.policy.names {
		for _, n := range t.flags.slots.resolve(t.unique) {
			tables = append(tables, slots.Config{Policy: policy, Slots: n})
		}
	}
	if len(tables) > 0 {
		if err := t.explainMemory(); err != nil {
			return nil, err
		}
		var err error
		p.tables, err = slots.NewReplayer(tables, slots.ReplayOptions{
			Warmup: r.Warmup, MaxKept: t.flags.maxKept, MaxTrace: t.flags.maxHeld,
			Progress: func(p slots.ReplayProgress) {
				if p.Foretell > 0 {
					t.bar.foretold(p.Foretold, p.Foretell)
				}
			},
		})
		if err != nil {
			return nil, t.renamed(err)
		}
	}
	if t.flags.mrc.value != "" {
		curve, err := t.newCurve(r.Warmup)
		if err != nil {
			return nil, t.renamed(err)
		}
		p.curve = curve
	}
	if t.flags.offload.file != "" {
		offload, err := t.newOffload(r.Warmup)
		if err != nil {
			return nil, err
		}
		p.offload = offload
	}
	return p, nil
}

// renamed calls limits of package slots by their flags.
func (t *traceReplay) renamed(err error) error {
	text := strings.NewReplacer("MaxKept", "--max-kept", "MaxTrace", "--max-held").Replace(err.Error())
	return fmt.Errorf("%s: %s", t.path, text)
}

func (t *traceReplay) explainMemory() error {
	var future, forever []string
	for _, policy := range t.flags.policy.names {
		needs, err := slots.NeedsOf(policy)
		if err != nil {
			return err
		}
		if needs.Future {
			future = append(future, policy)
		}
		if needs.Keys {
			forever = append(forever, policy)
		}
	}
	if len(future) > 0 {
		t.note("%s must know the future: the trace is held, 9 to 18 bytes a lookup and 30 to 90 a unique key", strings.Join(future, ", "))
	}
	if len(forever) > 0 {
		t.note("%s never forgets a key: all unique keys are held, 60 to 85 bytes each", strings.Join(forever, ", "))
	}
	return nil
}

// replay reads the trace and fills in the results.
func (t *traceReplay) replay(ctx context.Context, p *replayParts, r *reports.Replay) error {
	var feedErr error
	format, n, err := t.read(ctx, "replaying", t.lookups, func(keys []uint64, at *lookups.KeyReader) error {
		if p.curve != nil {
			p.curve.add(keys)
		}
		if p.offload != nil {
			p.offload.add(keys)
		}
		if p.tables != nil {
			if feedErr = p.tables.Feed(keys); feedErr != nil {
				return feedErr
			}
		}
		return nil
	})
	r.Format, r.Lookups = format, n
	interrupted := errors.Is(err, errInterrupted)
	if feedErr != nil {
		err = t.renamed(feedErr)
	} else if err == nil && t.counted {
		err = t.changed(n)
	}
	if p.tables != nil {
		results, stopped := p.tables.Finish(ctx)
		interrupted = interrupted || feedErr == nil && errors.Is(stopped, context.Canceled)
		if stopped != nil && feedErr == nil && !errors.Is(stopped, context.Canceled) && err == nil {
			err = t.renamed(stopped)
		}
		r.Tables = tableCounts(results, r.Warmup)
		if feedErr != nil { // in the middle of a batch
			for _, c := range r.Tables {
				r.Lookups = max(r.Lookups, c.Lookups+r.Warmup)
			}
		}
	}
	if p.curve != nil {
		curve, bad := p.curve.finish()
		if bad != nil && err == nil {
			err = fmt.Errorf("%s: %w", t.path, bad)
		}
		r.Curve = curve
	}
	if p.offload != nil && !interrupted {
		if bad := t.writeOffload(p.offload); err == nil {
			err = bad
		}
	}
	switch {
	case interrupted:
		return t.interrupted(r)
	case r.Lookups == 0:
		return t.empty(err)
	}
	return err
}

// changed compares the second read, which ended without an error, with the first.
func (t *traceReplay) changed(n int64) error {
	if n < t.lookups {
		return fmt.Errorf("%s changed while it was read: %d lookups, then %d", t.path, t.lookups, n)
	}
	return t.end
}

// interrupted says what was counted.
func (t *traceReplay) interrupted(r *reports.Replay) error {
	var short []string
	for _, c := range r.Tables {
		if c.Lookups < max(0, r.Lookups-r.Warmup) && (len(short) == 0 || short[len(short)-1] != c.Policy) {
			short = append(short, c.Policy)
		}
	}
	what := "what is printed is of these"
	if len(short) > 0 {
		what += ", but of " + strings.Join(distinct(short), ", ") + ", which had to wait for the end of the trace, of fewer or none"
	}
	if t.flags.out != "" {
		what += "; nothing of it is written to " + t.flags.out
	}
	return failed("%s: interrupted after %d lookups; %s", t.path, r.Lookups, what)
}

// tableCounts are the results with the rate of each.
func tableCounts(results []slots.ReplayResult, warmup int64) []reports.ReplayCounts {
	var counts []reports.ReplayCounts
	for _, x := range results {
		counts = append(counts, reports.ReplayCounts{
			Policy: x.Policy, Slots: x.Slots, Lookups: x.Lookups, Misses: x.Misses, Rate: rateOf(x.Lookups+warmup, x.Busy),
		})
	}
	return counts
}

// rateOf is lookups per second. A clock that has not moved counts as its smallest step.
func rateOf(n int64, busy time.Duration) float64 {
	return float64(n) / max(busy, time.Nanosecond).Seconds()
}

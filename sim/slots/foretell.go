package slots

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// foreteller is a policy whose replay must know the future. What it replays is
// foretold at once, and then replayed in steps; its replay does both.
type foreteller interface {
	policy

	// foretell says which lookups come. All of those foretold before have been
	// replayed.
	foretell(f *foresight)

	// step replays the next n lookups, and returns the misses.
	step(n int) (misses int)
}

// foresight is a trace of single lookups and when each key is looked up next. It
// does not change, and tables share it.
type foresight struct {
	keys  []uint32
	next  []uint32 // per lookup: the position of the next one of its key; len(keys): never
	first index    // per key: the position of its first lookup, as the bits of a uint32
}

func newForesight(keys []uint32, rows int64) *foresight {
	f := &foresight{keys: keys}
	f.next, f.first = nextUses(keys, rows)
	return f
}

// stepLookups is how many lookups are replayed between two looks at whether to go
// on.
const stepLookups = 1 << 20

// foretell replays the tables that must know the future.
func (r *Replayer) foretell(ctx context.Context) error {
	if len(r.offline) == 0 || len(r.trace) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err() // to find out what comes next takes a while
	}
	rows := r.opt.Rows
	if rows == 0 {
		rows = r.all.Distinct()
	}
	for _, x := range r.offline {
		x.cfg.Rows = rows
		t, err := New(x.cfg)
		if err != nil {
			return err
		}
		t.single = true
		t.mapping()
		x.table = t
	}
	f := newForesight(r.trace, rows)
	var next, done atomic.Int64
	var workers sync.WaitGroup
	var reporting sync.Mutex
	for range min(r.opt.Workers, len(r.offline)) {
		workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(r.offline) {
					return
				}
				r.offline[i].steps(ctx, f, r.opt.Warmup, func(n int) {
					reporting.Lock()
					defer reporting.Unlock()
					r.opt.Progress(ReplayProgress{
						Lookups: r.fed, Foretold: done.Add(int64(n)), Foretell: int64(len(r.offline)) * int64(len(r.trace)),
					})
				})
			}
		})
	}
	workers.Wait()
	return ctx.Err()
}

// steps replays a table that knows the future, until ctx is done.
func (x *replayed) steps(ctx context.Context, f *foresight, warmup int64, report func(n int)) {
	p := x.table.policy.(foreteller)
	start := time.Now()
	p.foretell(f)
	x.result.Busy += time.Since(start)
	for at := 0; at < len(f.keys) && ctx.Err() == nil; {
		start := time.Now()
		n := min(stepLookups, len(f.keys)-at)
		cold := int(max(0, min(warmup-int64(at), int64(n))))
		p.step(cold)
		x.result.Misses += int64(p.step(n - cold))
		x.result.Lookups += int64(n - cold)
		x.result.Busy += time.Since(start)
		at += n
		report(n)
	}
}

package slots

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"stowage/workloads/lookups"
)

// Limits of a Replayer; ReplayOptions raises or lowers them.
const (
	DefaultReplayKept  = 1 << 28 // keys in slots or remembered, over all tables
	DefaultReplayTrace = 1 << 28 // lookups held for policies that must know the future

	maxReplayKept = 1 << 30 // ids, twice as many, are uint32
)

// ReplayOptions says how a trace is replayed. The zero value replays any 64-bit
// keys on all processors.
type ReplayOptions struct {
	// Rows says that all keys are below it, and fed by FeedDense. 0: keys are any
	// 64-bit numbers, fed by Feed.
	Rows int64

	Warmup  int64 // lookups before the first that is counted
	Workers int   // tables replayed at a time; 0: GOMAXPROCS

	MaxKept  int64 // 0: DefaultReplayKept
	MaxTrace int64 // 0: DefaultReplayTrace

	spareIDs int64 // ids beyond those that tables know; 0: as many again

	// Progress is called after every batch, by one goroutine at a time; may be nil.
	Progress func(ReplayProgress)
}

// ReplayProgress is how far a replay is.
type ReplayProgress struct {
	Lookups int64 // of the trace, replayed by all policies that need no future

	// Of the policies that need it, in Finish: lookups replayed so far, and to
	// replay, summed over their tables.
	Foretold, Foretell int64
}

// ReplayResult is what a table has counted.
type ReplayResult struct {
	Policy  string
	Slots   int
	Lookups int64         // after the warm-up
	Misses  int64         // among them
	Busy    time.Duration // spent on this table, warm-up included; an equal share of what is spent on several sizes together
}

// Replayer replays one trace on many slot tables, of several policies or sizes, in
// one read: lookups are fed in batches, and while the next is fed, workers replay
// the last one, table by table, or several sizes of a policy together (see sizeGroup).
// Results do not depend on how lookups are cut into batches, nor on the workers. See
// [Table.Replay] for what a replay is.
//
// Keys become small ids, which are given out again when no table knows their keys
// any more. Memory then depends on the slots, and on the keys that policies
// remember beside them: a multiple of their sum S over all tables (of LRU the largest
// one counts), per table 2 S entries of 1 to 12 bytes, and 24 bytes for each id once,
// however long the trace. The exceptions:
//
//   - a policy that must know the future (min, lookahead, static) holds the
//     trace, 9 bytes per lookup, up to MaxTrace, and is replayed by Finish;
//   - one that never forgets a key (lfu-admit) holds some bytes per distinct key;
//   - FeedDense takes an array of 4 bytes per row.
//
// A Replayer belongs to one goroutine.
type Replayer struct {
	opt     ReplayOptions
	tables  []*replayed        // in the caller's order
	jobs    []*replayJob       // the tables that are replayed batch by batch, the slowest job first
	recent  []*replayJob       // of these: those that see ids
	offline []*replayed        // those that must know the future
	ids     *interner          // of the recent ones; nil: they see keys as they come
	all     *lookups.Densifier // numbers all keys, for tables that never forget or are offline; nil: as they come

	filling, running *batch
	workers          sync.WaitGroup // on the running batch
	fed              int64          // lookups
	trace            []uint32       // for offline tables
	err              error
	finished         bool
}

// replayed is one table of a Replayer.
type replayed struct {
	table  *Table // nil while it is replayed together with others, or not yet
	cfg    Config
	result ReplayResult
}

// batchLookups is the most lookups that are replayed by one table after the other:
// 128 KiB of ids stay in a processor's cache meanwhile.
const batchLookups = 1 << 15

// batch is a part of the trace.
type batch struct {
	start int64
	n     int
	ids   []uint32 // for recent tables
	whole []uint32 // for whole and offline ones
}

// NewReplayer returns a replayer of tables of which only Policy, Slots and
// Window are used. The error says what is wrong with which.
func NewReplayer(tables []Config, opt ReplayOptions) (*Replayer, error) {
	if err := opt.complete(); err != nil {
		return nil, err
	}
	r := &Replayer{opt: opt}
	recent := recentTables{workers: opt.Workers}
	if opt.Rows == 0 {
		recent.workers = max(1, opt.Workers-1) // who feeds interns meanwhile
	}
	for i, c := range tables {
		x := &replayed{
			cfg:    Config{Policy: c.Policy, Slots: c.Slots, Window: c.Window, Rows: opt.Rows},
			result: ReplayResult{Policy: c.Policy, Slots: c.Slots},
		}
		if opt.Rows == 0 {
			x.cfg.Rows = lookups.MaxRows
		}
		if err := r.place(x, &recent); err != nil {
			return nil, fmt.Errorf("table %d: %w", i, err)
		}
		r.tables = append(r.tables, x)
	}
	var kept int64
	r.recent, kept = recent.jobs()
	r.jobs = append(r.jobs, r.recent...)
	if kept > opt.MaxKept {
		return nil, fmt.Errorf("the policies and sizes together keep up to %d keys, more than the limit of %d: ask for fewer or smaller tables, or raise MaxKept", kept, opt.MaxKept)
	}
	if err := r.build(kept); err != nil {
		return nil, err
	}
	r.filling, r.running = r.newBatch(), r.newBatch()
	return r, nil
}

func (o *ReplayOptions) complete() error {
	switch {
	case o.Rows < 0 || o.Rows > lookups.MaxRows:
		return fmt.Errorf("rows = %d: want 1 to %d, or 0 for 64-bit keys", o.Rows, int64(lookups.MaxRows))
	case o.Warmup < 0:
		return fmt.Errorf("warm-up = %d lookups: want 0 or more", o.Warmup)
	case o.Workers < 0:
		return fmt.Errorf("workers = %d: want 1 or more, or 0 for all processors", o.Workers)
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.MaxKept == 0 {
		o.MaxKept = DefaultReplayKept
	}
	if o.MaxKept > maxReplayKept {
		return fmt.Errorf("MaxKept = %d: want at most %d", o.MaxKept, maxReplayKept)
	}
	if o.MaxTrace == 0 {
		o.MaxTrace = DefaultReplayTrace
	}
	if o.Progress == nil {
		o.Progress = func(ReplayProgress) {}
	}
	return nil
}

// place decides what a table sees. It makes one of no more slots than rows to find
// out, and without arrays by row, which the ids may make unnecessary.
func (r *Replayer) place(x *replayed, recent *recentTables) error {
	try := x.cfg
	try.Rows, try.Slots = lookups.MaxRows, int(min(int64(try.Slots), x.cfg.Rows))
	t, err := New(try)
	if err != nil {
		return err
	}
	if _, ok := t.policy.(foreteller); ok {
		r.offline = append(r.offline, x)
		return nil
	}
	knows := int64(try.Slots)
	if p, ok := t.policy.(rememberer); ok {
		if p.ghosts() == everyKey {
			x.table, err = New(x.cfg)
			r.jobs = append(r.jobs, &replayJob{tables: []*replayed{x}, whole: true})
			return err
		}
		knows += int64(p.ghosts())
	}
	recent.add(x, min(knows, x.cfg.Rows))
	return nil
}

// build makes the ids for tables that keep so many keys together, and these tables.
func (r *Replayer) build(kept int64) error {
	if r.opt.Rows == 0 && r.numbers() {
		r.all = lookups.NewDensifier()
	}
	// As many ids again as tables know: a sweep frees half of them. Few ids would
	// make small batches.
	ids := max(2*kept, 1<<14)
	if r.opt.spareIDs > 0 {
		ids = kept + r.opt.spareIDs
	}
	switch {
	case len(r.recent) == 0:
		return nil
	case r.opt.Rows == 0:
		r.ids = newInterner(int(ids))
	case r.opt.Rows > ids && (len(r.recent) > 1 || !markable(r.opt.Rows, int(kept))):
		if denseFits(r.opt.Rows, int(kept)) {
			r.ids = newRenumberer(r.opt.Rows, int(ids))
		} else {
			r.ids = newInterner(int(ids))
		}
	}
	return r.fill()
}

// fill makes the tables that see ids.
func (r *Replayer) fill() error {
	rows, names := r.opt.Rows, []uint64(nil)
	if r.ids != nil {
		rows, names = r.ids.space(), r.ids.keys
	}
	for _, j := range r.recent {
		if err := j.fill(rows, names); err != nil {
			return err
		}
	}
	return nil
}

// numbers reports whether some table sees all keys.
func (r *Replayer) numbers() bool { return len(r.jobs) > len(r.recent) || len(r.offline) > 0 }

func (r *Replayer) newBatch() *batch {
	b := &batch{ids: make([]uint32, batchLookups)}
	if r.numbers() {
		b.whole = make([]uint32, batchLookups)
	}
	return b
}

// Feed replays the next lookups of a trace of 64-bit keys. It may return before
// they have been replayed, but has taken them all, or returns an error that
// names a limit, and stays; Finish then gives the results of the lookups before it.
func (r *Replayer) Feed(keys []uint64) error {
	if r.opt.Rows != 0 {
		panic("slots: Feed on a Replayer of dense keys")
	}
	return feed(r, keys, func(b *batch, keys []uint64) (int, error) {
		dst, err := r.all.Dense(b.whole[b.n:b.n], keys)
		return len(dst), err
	})
}

// FeedDense is Feed for keys below the rows. A key that is not is an error.
func (r *Replayer) FeedDense(keys []uint32) error {
	if r.opt.Rows == 0 {
		panic("slots: FeedDense on a Replayer of 64-bit keys")
	}
	for i, k := range keys {
		if int64(k) >= r.opt.Rows {
			if err := r.FeedDense(keys[:i]); err != nil {
				return err
			}
			r.err = fmt.Errorf("lookup %d: key %d is not below the %d rows", r.fed, k, r.opt.Rows)
			return r.err
		}
	}
	return feed(r, keys, func(b *batch, keys []uint32) (int, error) {
		return copy(b.whole[b.n:], keys), nil
	})
}

// feed cuts keys into batches. number writes what whole and offline tables see of
// keys behind the batch, and returns how many keys it took.
func feed[K uint32 | uint64](r *Replayer, keys []K, number func(*batch, []K) (int, error)) error {
	if r.finished {
		panic("slots: lookups fed to a Replayer that has finished")
	}
	for len(keys) > 0 && r.err == nil {
		b := r.filling
		n := min(len(keys), batchLookups-b.n)
		n, short := name(r, b.ids[b.n:], keys[:n])
		if b.whole != nil {
			if n, r.err = number(b, keys[:n]); r.err == nil {
				n, r.err = r.hold(b.whole[b.n : b.n+n])
			}
		}
		b.n += n
		r.fed += int64(n)
		keys = keys[n:]
		if b.n == batchLookups || short {
			r.flush()
		}
		if short {
			r.sweep()
		}
	}
	return r.err
}

// name writes what recent tables see of keys to dst, and returns how many it has
// written, and whether it ran short of ids.
func name[K uint32 | uint64](r *Replayer, dst []uint32, keys []K) (n int, short bool) {
	switch {
	case len(r.recent) == 0:
		return len(keys), false
	case r.ids != nil:
		n = intern(r.ids, dst, keys)
		return n, n < len(keys)
	}
	if dense, ok := any(keys).([]uint32); ok {
		copy(dst, dense)
	}
	return len(keys), false
}

// hold keeps a part of the trace for the tables that must know the future, and
// returns how much of it there was room for.
func (r *Replayer) hold(keys []uint32) (int, error) {
	if len(r.offline) == 0 {
		return len(keys), nil
	}
	room := int(min(r.opt.MaxTrace-int64(len(r.trace)), int64(len(keys))))
	r.trace = append(r.trace, keys[:room]...)
	if room < len(keys) {
		return room, fmt.Errorf("replacement policy %s must know the future, and the trace is longer than the limit of %d lookups held: replay less of it, leave the policy out, or raise MaxTrace",
			r.offline[0].cfg.Policy, r.opt.MaxTrace)
	}
	return room, nil
}

// flush hands the batch that is being filled to the workers.
func (r *Replayer) flush() {
	r.drain()
	r.filling, r.running = r.running, r.filling
	r.filling.n, r.filling.start = 0, r.fed
	r.start(r.running)
}

// drain waits until the running batch has been replayed.
func (r *Replayer) drain() {
	if b := r.running; b.n > 0 {
		r.workers.Wait()
		r.opt.Progress(ReplayProgress{Lookups: b.start + int64(b.n)})
		b.n = 0
	}
}

// start lets workers replay a batch, each taking the next job that is left, the
// slowest first, so that they end together.
func (r *Replayer) start(b *batch) {
	if b.n == 0 {
		return // drain does not wait for a batch of nothing
	}
	slices.SortStableFunc(r.jobs, func(x, y *replayJob) int { return cmp.Compare(y.busy, x.busy) })
	var next atomic.Int64
	for range min(r.opt.Workers, len(r.jobs)) {
		r.workers.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(r.jobs) {
					return
				}
				keys := b.ids[:b.n]
				if r.jobs[i].whole {
					keys = b.whole[:b.n]
				}
				r.jobs[i].replay(keys, r.opt.Warmup-b.start)
			}
		})
	}
}

// sweep frees the ids that no table knows. All lookups so far have been handed to
// the workers.
func (r *Replayer) sweep() {
	r.drain()
	r.ids.sweep(func(known []uint64) {
		for _, j := range r.recent {
			j.mark(known)
		}
	})
}

// Finish replays what is left, and then the policies that must know the future on
// the trace that was held, until ctx is done. It returns the results in the order
// of the tables; together with the error of ctx, or of a Feed before, they count
// what was replayed until then.
func (r *Replayer) Finish(ctx context.Context) ([]ReplayResult, error) {
	if !r.finished {
		r.flush()
		r.drain()
		r.finished = true
		if err := r.foretell(ctx); r.err == nil {
			r.err = err
		}
	}
	results := make([]ReplayResult, len(r.tables))
	for i, x := range r.tables {
		results[i] = x.result
	}
	return results, r.err
}

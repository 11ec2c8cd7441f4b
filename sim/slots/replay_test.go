package slots

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

// replayCase is a trace and how to replay it.
type replayCase struct {
	keys   []uint32
	rows   int64
	origin []uint32 // the sparse key of each key
	tables []Config
	opt    ReplayOptions
	cuts   []int // lengths of the parts fed
}

// want replays the trace on each table alone.
func (c replayCase) want(t failer) []ReplayResult {
	t.Helper()
	var results []ReplayResult
	warmup := int(min(c.opt.Warmup, int64(len(c.keys))))
	for _, cfg := range c.tables {
		table := newTable(t, Config{Slots: cfg.Slots, Rows: c.rows, Policy: cfg.Policy, Origin: c.origin})
		r := ReplayResult{Policy: cfg.Policy, Slots: cfg.Slots, Lookups: int64(len(c.keys) - warmup)}
		if p, ok := table.policy.(foreteller); ok {
			table.mapping()
			p.foretell(newForesight(c.keys, c.rows))
			p.step(warmup)
			r.Misses = int64(p.step(len(c.keys) - warmup))
		} else {
			table.Replay(c.keys[:warmup])
			r.Misses = int64(table.Replay(c.keys[warmup:]))
		}
		results = append(results, r)
	}
	return results
}

// got feeds the trace to a Replayer, as sparse or as dense keys.
func (c replayCase) got(t failer, dense bool) []ReplayResult {
	t.Helper()
	opt := c.opt
	if dense {
		opt.Rows = c.rows
		if c.origin != nil {
			opt.Rows = 1 << 32 // all 32-bit keys but the last
			opt.Rows--
		}
	}
	r, err := NewReplayer(c.tables, opt)
	if err != nil {
		t.Fatal(err)
	}
	keys := slices.Clone(c.keys)
	for i, k := range keys {
		if c.origin != nil {
			keys[i] = c.origin[k]
		}
	}
	for _, n := range append(slices.Clone(c.cuts), len(keys)) {
		n = min(n, len(keys))
		if dense {
			err = r.FeedDense(keys[:n])
		} else {
			wide := make([]uint64, n)
			for i, k := range keys[:n] {
				wide[i] = uint64(k)
			}
			err = r.Feed(wide)
		}
		if err != nil {
			t.Fatal(err)
		}
		keys = keys[n:]
	}
	results, err := r.Finish(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return idle(results)
}

// idle returns results without the time that they took.
func idle(results []ReplayResult) []ReplayResult {
	for i := range results {
		results[i].Busy = 0
	}
	return results
}

// TestReplayer: all policies, at random sizes, fed in random parts to any number of
// workers, as dense keys, as keys that are spread over 32 bits and as sparse ones,
// with so few ids that sweeps happen all the time: always what each table counts
// alone.
func TestReplayer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows = 60
		c := replayCase{rows: rows, keys: drawKeys(t, rows, 600)}
		for _, p := range Policies() {
			c.tables = append(c.tables, Config{Policy: p.Name, Slots: rapid.IntRange(1, 20).Draw(t, p.Name)})
		}
		for range rapid.IntRange(0, 12).Draw(t, "more sizes") {
			policy := rapid.SampledFrom(SizePolicies()).Draw(t, "policy")
			c.tables = append(c.tables, Config{Policy: policy, Slots: rapid.IntRange(1, 20).Draw(t, "slots")})
		}
		c.opt.spareIDs = rapid.Int64Range(1, 3).Draw(t, "spare ids")
		c.opt.Workers = rapid.IntRange(0, 3).Draw(t, "workers")
		if rapid.Bool().Draw(t, "warm up") {
			c.opt.Warmup = rapid.Int64Range(0, 700).Draw(t, "warm-up")
		}
		c.cuts = rapid.SliceOfN(rapid.IntRange(0, 100), 0, 5).Draw(t, "cuts")
		if rapid.Bool().Draw(t, "one policy") { // so that all ids are one table's
			i := rapid.IntRange(0, len(c.tables)-1).Draw(t, "policy")
			policy := c.tables[i].Policy
			c.tables = slices.DeleteFunc(c.tables, func(cfg Config) bool { return cfg.Policy != policy })
		}
		if want, got := c.want(t), c.got(t, true); !slices.Equal(got, want) {
			t.Fatalf("dense: %v, want %v", got, want)
		}
		for k := range uint32(rows) {
			c.origin = append(c.origin, k*2654435761)
		}
		want := c.want(t)
		if got := c.got(t, false); !slices.Equal(got, want) {
			t.Fatalf("sparse: %v, want %v", got, want)
		}
		// Whoever must know all keys would take memory for all 32-bit ones.
		c.tables = slices.DeleteFunc(c.tables, func(cfg Config) bool { return cfg.Policy == "min" || cfg.Policy == "lfu-admit" })
		if got, want := c.got(t, true), c.want(t); !slices.Equal(got, want) {
			t.Fatalf("32-bit: %v, want %v", got, want)
		}
	})
}

// TestReplayerOnTraces does the same with real traces, in whole batches, sparse and
// renumbered.
func TestReplayerOnTraces(t *testing.T) {
	if raceDetector {
		t.Skip("half a million lookups by all policies")
	}
	traces := filepath.Join(sharedData(t), "traces")
	for _, name := range []string{"cloudPhysicsIO.txt", "cache2k_web12.txt.gz"} {
		keys, rows, err := lookups.LoadKeys(filepath.Join(traces, name), lookups.FileOptions{}, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := replayCase{rows: rows, keys: keys, opt: ReplayOptions{Warmup: 40000, spareIDs: 100}}
		for _, p := range Policies() {
			for _, slots := range []int{30, 1000} {
				c.tables = append(c.tables, Config{Policy: p.Name, Slots: slots})
			}
		}
		for _, policy := range SizePolicies() {
			c.tables = append(c.tables, Config{Policy: policy, Slots: 300}, Config{Policy: policy, Slots: 100})
		}
		want := c.want(t)
		for _, dense := range []bool{false, true} {
			if got := c.got(t, dense); !slices.Equal(got, want) {
				t.Errorf("%s, dense %v: %v, want %v", name, dense, got, want)
			}
		}
	}
}

func TestReplayerErrors(t *testing.T) {
	lru := []Config{{Policy: "lru", Slots: 3}}
	for _, test := range []struct {
		tables []Config
		opt    ReplayOptions
		want   string
	}{
		{[]Config{{Policy: "lru", Slots: 3}, {Policy: "lur", Slots: 3}}, ReplayOptions{}, "table 1: unknown replacement policy"},
		{[]Config{{Policy: "lru"}}, ReplayOptions{}, "table 0: slots = 0"},
		{lru, ReplayOptions{Rows: -1}, "rows = -1"},
		{lru, ReplayOptions{Warmup: -1}, "warm-up = -1"},
		{lru, ReplayOptions{Workers: -1}, "workers = -1"},
		{lru, ReplayOptions{MaxKept: 2}, "keep up to 3 keys, more than the limit of 2"},
		{[]Config{{Policy: "arc", Slots: 3}}, ReplayOptions{MaxKept: 5}, "keep up to 6 keys"},
		{lru, ReplayOptions{MaxKept: 1 << 40}, "want at most"},
	} {
		if _, err := NewReplayer(test.tables, test.opt); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, %v: error %v, want %q", test.tables, test.opt, err, test.want)
		}
	}
}

// TestReplayerLimit: what was fed before an error is counted.
func TestReplayerLimit(t *testing.T) {
	tables := []Config{{Policy: "min", Slots: 2}, {Policy: "lru", Slots: 2}}
	r, err := NewReplayer(tables, ReplayOptions{MaxTrace: 4})
	if err != nil {
		t.Fatal(err)
	}
	err = r.Feed([]uint64{1 << 60, 2, 3, 1 << 60, 5, 6})
	if err == nil || !strings.Contains(err.Error(), "limit of 4 lookups") || !strings.Contains(err.Error(), "MaxTrace") {
		t.Errorf("error %v", err)
	}
	if again := r.Feed([]uint64{7}); again != err {
		t.Errorf("then error %v", again)
	}
	results, last := r.Finish(context.Background())
	if last != err {
		t.Errorf("Finish returns %v", last)
	}
	if want := []ReplayResult{{Policy: "min", Slots: 2, Lookups: 4, Misses: 3}, {Policy: "lru", Slots: 2, Lookups: 4, Misses: 4}}; !slices.Equal(idle(results), want) {
		t.Errorf("results %v, want %v", results, want)
	}

	r, err = NewReplayer(tables, ReplayOptions{Rows: 10})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.FeedDense([]uint32{1, 2, 10, 3}); err == nil || err.Error() != "lookup 2: key 10 is not below the 10 rows" {
		t.Errorf("error %v", err)
	}
	if results, _ := r.Finish(context.Background()); results[0].Lookups != 2 || results[1].Lookups != 2 {
		t.Errorf("results %v, want two lookups", results)
	}
}

// TestReplayerStops: when its context is done, Finish returns what was counted.
func TestReplayerStops(t *testing.T) {
	keys := intZipf(1000, 2*stepLookups+100)
	ctx, cancel := context.WithCancel(context.Background())
	var last ReplayProgress
	r, err := NewReplayer([]Config{{Policy: "lru", Slots: 9}, {Policy: "min", Slots: 9}}, ReplayOptions{
		Rows: 1000,
		Progress: func(p ReplayProgress) {
			if p.Lookups < last.Lookups || p.Foretold < last.Foretold {
				t.Errorf("progress goes from %v to %v", last, p)
			}
			if last = p; p.Foretold > 0 {
				cancel()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.FeedDense(keys); err != nil {
		t.Fatal(err)
	}
	results, err := r.Finish(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	n := int64(len(keys))
	if last != (ReplayProgress{n, stepLookups, n}) {
		t.Errorf("the last progress is %v", last)
	}
	if results[0].Lookups != n || results[1].Lookups != stepLookups {
		t.Errorf("results %v", results)
	}
	if again, err2 := r.Finish(ctx); !slices.Equal(again, results) || err2 != err {
		t.Errorf("a second Finish returns %v, %v", again, err2)
	}
}

// TestReplayerForgets: the memory for keys does not grow with their number.
func TestReplayerForgets(t *testing.T) {
	r, err := NewReplayer([]Config{{Policy: "lru", Slots: 1000}, {Policy: "arc", Slots: 1000}}, ReplayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]uint64, 1000)
	feed := func() {
		for i := range keys {
			keys[i] += uint64(len(keys)) << 20
		}
		if err := r.Feed(keys); err != nil {
			t.Fatal(err)
		}
	}
	for i := range keys {
		keys[i] = uint64(i)
	}
	for range 300 {
		feed()
	}
	cells := len(r.ids.cells)
	if n := testing.AllocsPerRun(1000, feed); n > 1 { // goroutines of a batch now and then
		t.Errorf("%v allocations in 1000 lookups", n)
	}
	if len(r.ids.cells) != cells || r.ids.space() > 1<<14 {
		t.Errorf("%d ids in %d cells, there were %d", r.ids.space(), len(r.ids.cells), cells)
	}
}

// TestReplayerWholeBatches: a trace that fills its last batch leaves an empty one, which
// no worker may be at when Finish reads the results (the race detector sees it).
func TestReplayerWholeBatches(t *testing.T) {
	r, err := NewReplayer([]Config{{Policy: "lru", Slots: 5}}, ReplayOptions{Rows: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.FeedDense(intZipf(1000, 2*batchLookups)); err != nil {
		t.Fatal(err)
	}
	if results, err := r.Finish(context.Background()); err != nil || results[0].Lookups != 2*batchLookups {
		t.Errorf("%v, %v", results, err)
	}
}

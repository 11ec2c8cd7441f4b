package sim

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw/unit"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

const us = time.Microsecond

// Rounds {0,1} {1,2} {0,2} {2,2} on three slots, by hand. Planning costs 1 us a
// unique row; a miss 7 us of latency, then the slower of 10 us a row and 16 ns
// of gathering (host) and 16 ns of copying: 2 misses take 2 + 7 + 20.032 us,
// 1 miss 2 + 7 + 10.016 us, no miss its planning alone.
func TestFetchByHand(t *testing.T) {
	trace := traceOf(t, 3, 2, []uint32{0, 1, 1, 2, 0, 2, 2, 2})
	fetch := []time.Duration{29032, 19016, 2 * us, 1 * us}
	step := 100 * us
	run := train(t, embedded(t, trace, slots.Config{Slots: 3, Policy: "lru"}, 0, step))
	want := []SlotCounters{
		{Lookups: 2, Unique: 2, Hits: 0, Misses: 2, HitRatio: 0, BytesIn: 32, Used: 2},
		{Lookups: 2, Unique: 2, Hits: 1, Misses: 1, HitRatio: 0.5, BytesIn: 16, Used: 3},
		{Lookups: 2, Unique: 2, Hits: 2, HitRatio: 1, Used: 3},
		{Lookups: 2, Unique: 1, Hits: 1, HitRatio: 1, Used: 3},
	}
	end := time.Duration(0)
	for r, rd := range run.Rounds {
		if *rd.Slots != want[r] {
			t.Errorf("round %d: %+v, want %+v", r, *rd.Slots, want[r])
		}
		if rd.StepTime != fetch[r]+step || rd.Stall != fetch[r] || rd.Start != end {
			t.Errorf("round %d begins at %v, takes %v and stalls %v; want %v, %v and %v", r, rd.Start, rd.StepTime, rd.Stall, end, fetch[r]+step, fetch[r])
		}
		end = rd.End
	}
	if c := run.Counts; c.Unique != 7 || c.Hits != 4 || c.HitLookups != 5 || c.Lookups != 8 || c.Used != 3 {
		t.Errorf("all rounds: %+v", c)
	}
	if u := run.Usage[0]; u.Stall != 51048 || u.Busy != 4*step {
		t.Errorf("usage %+v", u)
	}
}

// Two slots, rounds {0} {1} {2} {0}: from round 2 on a dirty row leaves for each
// that comes. Host: two rows a round, 20.032 us; 1 us planning, 7 us latency.
func TestWriteBackByHand(t *testing.T) {
	trace := traceOf(t, 3, 1, []uint32{0, 1, 2, 0})
	run := train(t, embedded(t, trace, slots.Config{Slots: 2, Policy: "lru"}, 0, us))
	for r, rd := range run.Rounds {
		stall, out := 18016*time.Nanosecond, int64(0)
		if r >= 2 {
			stall, out = 28032*time.Nanosecond, 16
		}
		if s := rd.Slots; rd.Stall != stall || s.BytesOut != out || s.BytesIn != 16 || s.Evictions != out/16 || s.WriteBacks != out/16 {
			t.Errorf("round %d: stall %v, %+v; want %v and %d B written back", r, rd.Stall, *rd.Slots, stall, out)
		}
	}
	readOnly := train(t, embedded(t, trace, slots.Config{Slots: 2, Policy: "lru", ReadOnly: true}, 0, us))
	if c := readOnly.Counts; c.WriteBacks != 0 || c.Evictions != 2 {
		t.Errorf("rows that are only read: %+v", c)
	}
}

// Every round looks other rows up, so every fetch takes the same: 1 us of planning,
// then 7 + 10.016 us. With a look-ahead of one it hides behind a longer step, but
// for the first; behind a shorter one the rounds are fetch-bound, and planning
// hides behind fetching.
func TestLookaheadHidesTheFetch(t *testing.T) {
	keys := make([]uint32, 20)
	for i := range keys {
		keys[i] = uint32(i)
	}
	trace := traceOf(t, 20, 1, keys)
	const plan, fetch = us, 17016 * time.Nanosecond
	cfg := slots.Config{Slots: 20, Policy: "lru"}
	for _, step := range []time.Duration{plan + fetch + us, plan + fetch, 2 * us} {
		run := train(t, embedded(t, trace, cfg, 1, step))
		bound := step
		if step < fetch { // a round is planned when the one before last is over
			bound = fetch
		}
		if want := plan + fetch + 19*bound + step; run.End != want {
			t.Errorf("step %v: the run took %v, want %v", step, run.End, want)
		}
		if want := plan + fetch + 19*(bound-step); run.Usage[0].Stall != want {
			t.Errorf("step %v: stalled %v, want %v", step, run.Usage[0].Stall, want)
		}
	}
}

// moved is what a round of the twin moves.
type moved struct{ plan, fillHost, fillLink, backHost, backLink time.Duration }

// twin is the dumb model of one stage behind one machine: a round is planned after
// the one before and when the round d+1 before it is over; its victims leave after
// those of the round before; its rows come after the rows and the victims of the
// round before; it is computed after its rows and the round before. Host memory
// gathers victims, then rows: so it is as long as no victims of later rounds come
// in between (no look-ahead, or nothing to write back).
func twin(rounds []moved, latency, step time.Duration, d int) (ends, stalls []time.Duration) {
	var planned, left, came, over, host time.Duration
	for r, m := range rounds {
		if before := r - 1 - d; before >= 0 {
			planned = max(planned, ends[before])
		}
		planned += m.plan
		came = max(came, planned, left)
		if m.backHost > 0 {
			asked := max(left, planned) + latency
			host = max(host, asked) + m.backHost
			left = max(host, asked+m.backLink)
		}
		if m.fillHost > 0 {
			asked := came + latency
			host = max(host, asked) + m.fillHost
			came = max(host, asked+m.fillLink)
		}
		stalls = append(stalls, max(0, came-over))
		over = max(came, over) + step
		ends = append(ends, over)
	}
	return ends, stalls
}

// Counts are those of a replay without a clock; times are the twin's.
func TestEmbeddingRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 40).Draw(t, "rows")
		perRound := rapid.IntRange(1, 12).Draw(t, "lookups per round")
		rounds := rapid.IntRange(1, 25).Draw(t, "rounds")
		keys := rapid.SliceOfN(rapid.Uint32Range(0, uint32(rows-1)), rounds*perRound, rounds*perRound).Draw(t, "keys")
		d := rapid.IntRange(0, 4).Draw(t, "look-ahead")
		trace := traceOf(t, int64(rows), perRound, keys)
		cfg := slots.Config{
			Slots:    slots.MinSlots(trace, d) + rapid.IntRange(0, 10).Draw(t, "more slots"),
			Policy:   rapid.SampledFrom(slots.Policies()).Draw(t, "policy").Name,
			ReadOnly: d > 0, // the twin's condition
		}
		counts := roundCounts(t, trace, cfg, d)
		if slices.ContainsFunc(counts, func(c slots.Counts) bool { return c.Bypasses > 0 }) {
			t.Skip("the policy does not admit every row: beyond the twin")
		}
		step := time.Duration(rapid.IntRange(1, 200_000).Draw(t, "step"))
		job := embedded(t, trace, cfg, d, step)
		run := train(t, job)
		moves, bypassed := make([]moved, rounds), false
		for r, c := range counts {
			got := run.Rounds[r].Slots
			want := SlotCounters{
				Lookups: int64(c.Lookups), Unique: int64(c.Unique), Hits: int64(c.Hits), Misses: int64(c.Misses), Bypasses: int64(c.Bypasses),
				Evictions: int64(c.Evictions), WriteBacks: int64(c.WriteBacks), HitRatio: c.UniqueHitRatio(),
				BytesIn: 16 * int64(c.Fills()), BytesOut: 16 * int64(c.WriteBacks), Used: int64(c.Used),
			}
			if *got != want {
				t.Fatalf("round %d: %+v, replayed %+v", r, *got, want)
			}
			rowsTake := func(n int) (host, link time.Duration) { // 10 us and 16 ns a row; 16 ns
				return time.Duration(n) * 10016, time.Duration(n) * 16
			}
			bypassed = bypassed || c.Bypasses > 0
			moves[r].plan = time.Duration(c.Unique) * us
			moves[r].fillHost, moves[r].fillLink = rowsTake(c.Misses)
			moves[r].backHost, moves[r].backLink = rowsTake(c.WriteBacks)
		}
		if bypassed {
			return // read when the round begins: not in the twin
		}
		ends, stalls := twin(moves, 7*us, step, d)
		for r, rd := range run.Rounds {
			if rd.End != ends[r] || rd.Stall != stalls[r] {
				t.Fatalf("round %d ends at %v after a stall of %v, the twin says %v and %v", r, rd.End, rd.Stall, ends[r], stalls[r])
			}
		}
	})
}

// Two embedding layers in one stage, a third in another, a fourth on a CPU: the
// stage fetches the rows of its layers together, and the counters sum up.
func TestSeveralEmbeddings(t *testing.T) {
	cpu := machine("cpu", 1)
	cpu.Device.Kind = "cpu"
	m := &workloads.Model{Name: "several"}
	table := []workloads.Table{{Name: "rows", Rows: 10, Dim: 4, Lookups: 1}}
	for i := range 4 {
		l := timed(i, 5*us, 5*us, 1, "a", "b", "cpu")
		l.Kind, l.Tables = workloads.Embedding, table
		m.Layers = append(m.Layers, l)
	}
	spec := specOf(m, machine("a", 1), machine("b", 1), cpu)
	spec.Lookups = make([]placement.LayerLookups, 4)
	for l := range spec.Lookups {
		spec.Lookups[l] = placement.LayerLookups{Slots: 10, Unique: 1, Misses: 1}
	}
	job := planned(t, spec, placement.Scheme{0, 0, 1, 2})
	trace := traceOf(t, 10, 1, []uint32{0, 0})
	for l := range 4 {
		job.Embeddings = append(job.Embeddings, Embedding{
			Layer: l, Trace: trace, RowBytes: 16, Slots: slots.Config{Slots: 10, Rows: 10, Policy: "lru"},
		})
	}
	job.Rounds = 2
	run := train(t, job)
	want := SlotCounters{Lookups: 3, Unique: 3, Misses: 3, BytesIn: 48, Used: 3}
	if got := *run.Rounds[0].Slots; got != want {
		t.Errorf("round 0: %+v, want %+v", got, want)
	}
	want = SlotCounters{Lookups: 3, Unique: 3, Hits: 3, HitRatio: 1, Used: 3}
	if got := *run.Rounds[1].Slots; got != want {
		t.Errorf("round 1: %+v, want %+v", got, want)
	}
	// Stage a: 2 rows planned and fetched, 2 + 7 + 20.032 us, then 2 + 0 us.
	if u := run.Usage[0]; u.Stall != 31032 {
		t.Errorf("stage a stalled %v, want 31.032us", u.Stall)
	}
	if u := run.Usage[2]; u.Stall != 0 {
		t.Errorf("the stage on the CPU stalled %v", u.Stall)
	}
}

// What is in the slots never depends on timing: machines of other speeds and
// slower links give other times and the same counts.
func TestCountsDoNotDependOnTiming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfN(rapid.Uint32Range(0, 29), 60, 60).Draw(t, "keys")
		trace := traceOf(t, 30, 3, keys)
		d := rapid.IntRange(0, 3).Draw(t, "look-ahead")
		cfg := slots.Config{Slots: slots.MinSlots(trace, d) + 2, Policy: rapid.SampledFrom(slots.Policies()).Draw(t, "policy").Name}
		var first []SlotCounters
		var end time.Duration
		for i, step := range []time.Duration{us, 30 * us, time.Second} {
			run := train(t, embedded(t, trace, cfg, d, step))
			var got []SlotCounters
			for _, rd := range run.Rounds {
				got = append(got, *rd.Slots)
			}
			if i == 0 {
				first = got
			}
			if !slices.Equal(got, first) {
				t.Fatalf("with steps of %v the counts are %+v, with 1us %+v", step, got, first)
			}
			if run.End <= end {
				t.Fatalf("slower steps end no later: %v", run.End)
			}
			end = run.End
		}
	})
}

func TestShortage(t *testing.T) {
	trace := traceOf(t, 9, 2, []uint32{0, 1, 2, 3, 4, 5, 6, 0})
	_, err := Train(t.Context(), embedded(t, trace, slots.Config{Slots: 3, Policy: "lru"}, 1, us))
	var short *slots.ShortageError
	if !errors.As(err, &short) || short.Need != 4 {
		t.Fatalf("got %v", err)
	}
	const want = `slot table of layer "layer0": round 1 and the 1 rounds in flight before it use 4 distinct rows, the table has 3 slots: ` +
		`give it at least 4 slots, or take a smaller look-ahead or batch; 4 slots suffice for all 4 rounds`
	if err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
	if run := train(t, embedded(t, trace, slots.Config{Slots: 4, Policy: "lru"}, 1, us)); len(run.Rounds) != 4 {
		t.Errorf("with 4 slots %d of 4 rounds", len(run.Rounds))
	}
}

// A later round may need more than the one that fails: the last figure counts.
func TestShortageSaysWhatSuffices(t *testing.T) {
	trace := traceOf(t, 9, 3, []uint32{0, 1, 1, 2, 3, 4})
	_, err := Train(t.Context(), embedded(t, trace, slots.Config{Slots: 1, Policy: "lru"}, 0, us))
	const want = `slot table of layer "layer0": round 0 has 2 unique rows, the table 1 slots: give it at least 2 slots, or take a smaller batch; 3 slots suffice for all 2 rounds`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %v", err, want)
	}
}

func TestEmbeddingErrors(t *testing.T) {
	trace := traceOf(t, 9, 1, []uint32{0, 1})
	short := embedded(t, trace, slots.Config{Slots: 3, Policy: "lru"}, 0, us)
	short.Rounds = 3
	const want = `the lookups of layer "layer0" end after 2 of 3 rounds`
	if _, err := Train(t.Context(), short); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	wrong := embedded(t, trace, slots.Config{Slots: 3, Policy: "lru"}, 0, us)
	wrong.Embeddings[0].Slots.Policy = "lur"
	if _, err := Train(t.Context(), wrong); err == nil || err.Error()[:30] != `slot table of layer "layer0": ` {
		t.Errorf("got %v", err)
	}
	slow := embedded(t, trace, slots.Config{Slots: 3, Policy: "lru"}, 0, us)
	slow.Problem.Cluster.Pools[0].Host.Gather.Rows = 1e-9 // a row takes 30 years
	if _, err := Train(t.Context(), slow); err == nil {
		t.Error("a fetch beyond the clock's range is no error")
	}
}

// What the devices read in their own memory goes on while bypassed rows come from the
// host, and is then taken off the forward passes: a warm round takes what the
// recurrence says, whichever is longer, in one micro-batch or several.
func TestBypassedRowsComeBesideTheGather(t *testing.T) {
	const lookups, slotted = 8, 3
	keys := make([]uint32, 4*lookups)
	for i := range keys {
		keys[i] = uint32(i % lookups)
	}
	for _, c := range []struct {
		name   string
		rows   unit.RowRate // of the device, also of its index
		hidden bool         // the host, behind the own memory
	}{{"host longer", 1e6, false}, {"device longer", 1e5, true}} {
		for _, m := range []int{1, 4, 8} {
			layer := timed(0, ms, ms, lookups/m, "gpu")
			layer.Kind, layer.Tables = workloads.Embedding, []workloads.Table{{Name: "rows", Rows: lookups, Dim: 4, Lookups: 1}}
			gpu := machine("gpu", 1)
			gpu.Device.Gather.Rows = c.rows
			spec := specOf(&workloads.Model{Name: "bypassing", Layers: []workloads.Layer{layer}}, gpu)
			spec.Batch, spec.Microbatches = lookups, m
			spec.Lookups = []placement.LayerLookups{{Slots: slotted, Unique: lookups, Bypasses: lookups - slotted}}
			job := planned(t, spec, placement.Scheme{0})
			job.Rounds = 4
			trace := traceOf(t, lookups, lookups, keys)
			job.Embeddings = []Embedding{{Trace: trace, RowBytes: 16, Slots: slots.Config{
				Slots: slotted, Ways: slotted, Rows: lookups, Future: trace, Policy: "lru", Shortage: slots.Bypass,
			}}}
			run, err := Train(context.Background(), job)
			if err != nil {
				t.Fatal(err)
			}
			want, err := job.Problem.RecurrenceOf(job.Plan)
			if err != nil {
				t.Fatal(err)
			}
			got := run.Rounds[3].StepTime.Seconds()
			if seconds := lookups / want.Throughput; math.Abs(got-seconds) > 20e-9 {
				t.Errorf("%s, %d micro-batches: %.9f s, the recurrence says %.9f", c.name, m, got, seconds)
			}
			// By hand: 5 rows in 7 us + 5 x (10 us + 16 ns); 8 lookups of 16 bytes here.
			host, own := 57080e-9, lookups*(1/float64(c.rows)+16e-9)
			byHand := lookups/float64(c.rows) + float64(m)*2e-3 - own + max(host, own) + host
			if c.hidden != (own > host) || math.Abs(got-byHand) > 20e-9 {
				t.Errorf("%s, %d micro-batches: %.9f s, want %.9f by hand", c.name, m, got, byHand)
			}
		}
	}
}

const ms = time.Millisecond

// roundCounts plans all rounds of a trace on one table.
func roundCounts(t rapid.TB, trace *lookups.Trace, cfg slots.Config, lookahead int) (counts []slots.Counts) {
	t.Helper()
	cfg.Rows, cfg.Future = trace.Rows(), trace
	table, err := slots.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for r := range trace.Rounds() {
		for table.InFlight() > lookahead {
			table.Release()
		}
		c, err := table.Plan(trace.Round(r))
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, c)
	}
	return counts
}

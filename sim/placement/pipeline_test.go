package placement

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/workloads"
)

// TestPipelineByHand times two stages, two edges between them and a ring.
func TestPipelineByHand(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "in", Kind: workloads.Input, FLOPs: 1e9, Output: 100, Parallel: 1},
		{Name: "a", FLOPs: 1e9, Output: 1000, Stored: 1000, Backward: 2, Parallel: 0.5},
		{Name: "b", FLOPs: 3e9, Params: 3_000_000, Output: 1, Stored: 1, Backward: 2, Parallel: 1},
	}}
	m.Edges = []workloads.Edge{{From: 0, To: 1, Elements: 100}, {From: 1, To: 2, Elements: 1000}, {From: 0, To: 2, Elements: 50}}
	s := spec(m, cluster(cpuPool("c", 4, 1), gpuPool("g", 16, 2)))
	s.Batch, s.Microbatches, s.Sync = 4000, 4, Ring
	p := mustProblem(t, s)
	pl, err := NewEvaluator(p).PlanDevices(Scheme{0, 0, 1}, []int{2, 10})
	if err != nil {
		t.Fatal(err)
	}
	got, transfers, err := p.Pipeline(pl)
	if err != nil {
		t.Fatal(err)
	}
	got.Schedule = pipeline.Schedule{} // holds a function
	ns := time.Nanosecond
	// CPUs: in 0.5 s halved by 2; a 0.5 s x (0.5 + 0.25) forward, twice that back.
	// GPUs: 10 us + 0.2 s, shared by 10; back 10 us + 0.4 s.
	// 4 MB a -> b and 0.2 MB in -> b through one CPU port of 1e10 B/s (2 sockets a node): 420 us; gradient of a only.
	// Ring of 10 GPUs in 2 nodes: 18 x (12 MB / 10 / 1.2e10 B/s + 5 us).
	want := &pipeline.Pipeline{
		Stages: 2, Microbatches: 4,
		Segments: []pipeline.Segment{
			{Stage: 0, Forward: 625_000_000 * ns, Backward: 750_000_000 * ns},
			{Stage: 1, Forward: 20_001_000 * ns, Backward: 40_001_000 * ns},
		},
		Channels: []pipeline.Channel{{From: 0, To: 1, Forward: 425_000 * ns, Backward: 405_000 * ns}},
		Sync:     []time.Duration{0, 1_890_000 * ns},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	wantMoves := []Transfer{{Class: NIC, Forward: Move{Bytes: 4.2e6, Time: 5000, Latency: 5000}, Backward: Move{Bytes: 4e6, Time: 5000, Latency: 5000}}}
	if d := cmp.Diff(wantMoves, transfers); d != "" {
		t.Error(d)
	}
	// The servers of 10 GPUs have 2 ports: 2 x (12 MB x 5 / 1.2e10 B/s + 5 us).
	s.Sync = Server
	q := mustProblem(t, s)
	if got, _, err = q.Pipeline(pl); err != nil || got.Sync[1] != 10_010_000 {
		t.Errorf("servers: %v, %v", got.Sync, err)
	}
}

// TestCollectives: the algorithms of all-reduces are timed by their closed forms, at
// idle links; a ring is the default.
func TestCollectives(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "b", FLOPs: 1e9, Params: 3_000_000, Backward: 2}}}
	sync := func(a network.Algorithm, devices int) time.Duration {
		t.Helper()
		s := spec(m, cluster(gpuPool("g", 32, 2)))
		s.Sync, s.Collective = Ring, a
		p := mustProblem(t, s)
		pl, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{devices})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := p.Pipeline(pl)
		if err != nil {
			t.Fatal(err)
		}
		return got.Sync[0]
	}
	for _, k := range []int{2, 8, 16, 32} {
		if a, b := sync("", k), sync(network.RingAlgorithm, k); a != b {
			t.Errorf("%d devices: the default takes %v, a ring %v", k, a, b)
		}
	}
	test := func(a network.Algorithm, devices int, seconds float64) {
		t.Helper()
		want := time.Duration(math.Round(seconds * 1e9))
		if got := sync(a, devices); got < want-1 || got > want+1 {
			t.Errorf("%s of %d devices takes %v, want %v", a, devices, got, want)
		}
	}
	// 12 MB among 8 devices with peer links of 120 GB/s and 2 us: six steps that carry
	// 1/2, 1/4, 1/8 of it and back.
	inside := 2 * 7. / 8 * 12e6 / 1.2e11
	test(network.HalvingDoubling, 8, inside+6*2e-6)
	// 2 nodes of 8: rings inside, there and back, and between them 8 pairs that exchange
	// an eighth each, twice, over ports of 12 GB/s. From device to device is 7 us: 2 of
	// the host link, 5 of the port.
	test(network.Hierarchical, 16, inside+14*2e-6+12e6/1.2e10+2*7e-6)
	// Trees of 8 in a node: no port carries more than twice the buffer; 3 levels.
	test(network.TreeAlgorithm, 8, 2*12e6/1.2e11+6*2e-6)
}

// TestPeerRing: a ring inside one node takes the links among its devices.
func TestPeerRing(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "b", FLOPs: 1e9, Params: 3_000_000, Backward: 2}}}
	s := spec(m, cluster(gpuPool("g", 8, 2)))
	s.Sync = Ring
	p := mustProblem(t, s)
	pl, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{6})
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := p.Pipeline(pl)
	// 10 x (2 MB / 1.2e11 B/s + 2 us), to the nanosecond
	if err != nil || got.Sync[0] != 186_667 {
		t.Errorf("%v, %v", got.Sync, err)
	}
}

// TestRecurrence: the evaluator's own buffers and a plan's give one pipeline, and
// its makespan is the fitness.
func TestRecurrence(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 8, 3, 8)
		if s.Servers == 0 {
			s.Sync = rapid.SampledFrom([]Sync{Ring, Server, NoSync}).Draw(t, "sync")
		}
		switch s.Sync {
		case Server:
			s.Tensor, s.Zero = nil, 0
			for i := range s.Cluster.Pools {
				s.Cluster.Pools[i].Members = nil
			}
		case NoSync:
			s.Zero = 0
		}
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 3))
		ev := NewEvaluator(p)
		for range 3 { // reused buffers must leave no trace
			sc := randomScheme(r, p.layers, p.pools, 0.5)
			got := ev.Recurrence(sc)
			pl := NewEvaluator(p).Plan(sc)
			if !pl.Fitness.Feasible {
				if got != pl.Fitness {
					t.Fatalf("%+v, the plan has %+v", got, pl.Fitness)
				}
				continue
			}
			want, err := p.RecurrenceOf(pl)
			if err != nil || got != want {
				t.Fatalf("%+v, of the plan %+v, %v", got, want, err)
			}
			checkStep(t, p, pl, got)
		}
	})
}

// checkStep compares a recurrence's fitness with the makespan of the plan's
// pipeline and the fetch of its slowest stage.
func checkStep(t *rapid.T, p *Problem, pl *Plan, got Fitness) {
	pipe, transfers, err := p.Pipeline(pl)
	if err != nil {
		t.Fatal(err)
	}
	checkChannels(t, p, pl, pipe, transfers)
	step, fetch, cycle, beside := pipeline.StepTime(pipe).Seconds(), 0.0, 0.0, 0.0
	for _, st := range pl.Stages {
		fetch, cycle, beside = max(fetch, st.Fetch), max(cycle, st.Cycle), max(beside, st.Extract+st.Update)
	}
	step += beside
	if p.Lookahead > 0 {
		step = max(step, (step+fetch)/float64(1+p.Lookahead), cycle)
	} else {
		step = max(step+fetch, cycle)
	}
	if x := float64(p.Batch) / step; math.Abs(got.Throughput-x) > 1e-12*x || got.Price != pl.Fitness.Price {
		t.Fatalf("%+v, want %v samples/s", got, x)
	}
}

// checkChannels: one channel for every pair of segments with an edge, and in it
// what the stage has not got of each layer, unless both are on one stage.
func checkChannels(t *rapid.T, p *Problem, pl *Plan, pipe *pipeline.Pipeline, transfers []Transfer) {
	type pair struct{ from, to int }
	forward, backward := map[pair]float64{}, map[pair]float64{}
	for _, e := range p.edges {
		at := pair{pl.Segment[e.from], pl.Segment[e.to]}
		if at.from == at.to {
			continue
		}
		forward[at] += 0
		if pl.StageOf[e.from] == pl.StageOf[e.to] {
			continue
		}
		back := 0.0
		upTo := func(last int) float64 {
			bytes, _ := twinSent(p, e.from, func(l int) bool { return l <= last && pl.StageOf[l] == pl.StageOf[e.to] }, &back)
			return bytes
		}
		more := upTo(e.to) - upTo(e.to-1)
		forward[at] += more
		backward[at] += more * back
	}
	if len(pipe.Channels) != len(forward) || len(transfers) != len(forward) {
		t.Fatalf("%d channels and %d transfers for %d pairs of segments", len(pipe.Channels), len(transfers), len(forward))
	}
	for i, c := range pipe.Channels {
		at, tr := pair{c.From, c.To}, transfers[i]
		if _, ok := forward[at]; !ok || math.Abs(tr.Forward.Bytes-forward[at]) > 1e-9*(1+forward[at]) || math.Abs(tr.Backward.Bytes-backward[at]) > 1e-9*(1+backward[at]) {
			t.Fatalf("channel %v moves %+v, want %v and %v bytes", at, tr, forward[at], backward[at])
		}
		delete(forward, at)
	}
}

// TestClosedFormBounds: with no latency and no synchronisation, a step by the
// recurrence is never shorter than the computing of its busiest stage, nor than
// what its busiest channel carries in one direction; it may be shorter than the
// closed form's DT, in which the transfers of several channels share a port. So
// the closed form bounds throughput from above wherever each port serves one
// channel in each direction: between two stages.
func TestClosedFormBounds(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 8, 2, 8)
		s.Merge, s.Communication, s.Lookups = Contiguous, Overlap, nil
		s.Sync, s.Servers, s.Zero = NoSync, 0, 0
		for i := range s.Model.Edges {
			s.Model.Edges[i].Seconds = 0 // the closed form charges both directions of these to one port
		}
		for i := range s.Cluster.Pools {
			n := &s.Cluster.Pools[i].Node
			n.NIC.Latency, n.PeerLink.Latency, n.HostLink.Latency = 0, 0, 0
		}
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		sc := p.uniform(p.pools - 1)
		for l := range rapid.IntRange(0, p.layers).Draw(t, "cut") {
			sc[l] = 0
		}
		pl := NewEvaluator(p).Plan(sc)
		if !pl.Fitness.Feasible {
			return
		}
		f, err := p.RecurrenceOf(pl)
		if err != nil {
			t.Fatal(err)
		}
		compared++
		// Times are rounded to the nanosecond, 1e-9 s for each of 4 parts a micro-batch.
		step := float64(p.Batch)/pl.Fitness.Throughput - 4e-9*float64(p.Microbatches)
		if got := float64(p.Batch) / f.Throughput; got < step {
			t.Fatalf("%v: a step takes %v s by the recurrence, the closed form says at least %v", sc, got, step)
		}
	})
	if compared == 0 {
		t.Error("nothing was feasible")
	}
}

// TestRecurrenceApproachesClosedForm: filling and draining S equal stages costs
// S - 1 micro-batches of M + S - 1.
func TestRecurrenceApproachesClosedForm(t *testing.T) {
	m := &workloads.Model{}
	for l := range 4 {
		m.Layers = append(m.Layers, workloads.Layer{Name: "l", FLOPs: 2e9, Backward: 1, Parallel: 1})
		if l > 0 {
			m.Edges = append(m.Edges, workloads.Edge{From: l - 1, To: l})
		}
	}
	for _, micro := range []int{1, 8, 64, 512} {
		s := spec(m, cluster(cpuPool("c1", 2, 1), cpuPool("c2", 2, 1)))
		s.Batch, s.Microbatches, s.Schedule = micro, micro, schedule("gpipe")
		ev := NewEvaluator(mustProblem(t, s))
		sc := Scheme{0, 1, 0, 1}
		closed, exact := ev.ClosedForm(sc), ev.Recurrence(sc)
		want := float64(micro) / float64(micro+3)
		if got := exact.Throughput / closed.Throughput; math.Abs(got-want) > 1e-9 {
			t.Errorf("%d micro-batches: the recurrence reaches %v of the closed form, want %v", micro, got, want)
		}
	}
}

// TestFetchTime: what the simulation asks for a warm round is what the closed
// form charges.
func TestFetchTime(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "emb", Backward: 1, Output: 16, Stored: 16, Tables: []workloads.Table{{Rows: 1 << 20, Dim: 16, Lookups: 1}}},
	}}
	s := spec(m, cluster(gpuPool("g", 16, 2)))
	s.Lookups = []LayerLookups{{Slots: 1 << 16, Unique: 60_000, Misses: 20_000, WriteBacks: 10_000}}
	p := mustProblem(t, s)
	pl, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{12})
	if err != nil {
		t.Fatal(err)
	}
	// Planning 60 000 / 1e9 rows/s / 12; gathering 30 000 rows of 128 B in 2 nodes
	// of 2 sockets; 2.56 MB over 12 links of 1.2e10 B/s is shorter; their latency.
	want := 60e3/1e9/12 + (30e3/50e6+30e3*128/20e9)/4 + 2e-6
	if got := pl.Stages[0].Fetch; math.Abs(got-want) > 1e-12 {
		t.Errorf("fetch takes %v s, want %v", got, want)
	}
	c := &p.costs[0]
	if got := pl.Stages[0].StepTime; math.Abs(got-(8*(c.serial+c.parallel/12)+want)) > 1e-12 {
		t.Errorf("without a look-ahead a step takes %v s: want the computing and then the fetch", got)
	}
	// With a look-ahead of 1 the sockets, which gather for one round after another, are
	// busier than the devices, and than half of a round from its plan to its end.
	compute, gather := pl.Stages[0].StepTime-want, (30e3/50e6+30e3*128/20e9)/4
	if half := (compute + want) / 2; half > gather || compute > gather {
		t.Fatalf("the devices compute %v s, the sockets gather %v", compute, gather)
	}
	for ahead, want := range map[int]float64{0: compute + want, 1: gather, 2: gather} {
		s.Lookahead = ahead
		q, err := NewEvaluator(mustProblem(t, s)).PlanDevices(Scheme{0}, []int{12})
		if err != nil || math.Abs(q.Stages[0].StepTime-want) > 1e-12 {
			t.Errorf("lookahead %d: step %v, want %v; %v", ahead, q.Stages[0].StepTime, want, err)
		}
	}
}

// Rows that come from a store below host memory, and go there: it reads first, and
// writes while the round computes; the next round's reads wait for that. What leaves is
// gathered while the store reads. A pass is written back before the next round.
func TestFetchFromStore(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "emb", Backward: 1, Output: 16, Stored: 16, Tables: []workloads.Table{{Rows: 1 << 20, Dim: 16, Lookups: 1}}},
	}}
	s := spec(m, cluster(gpuPool("g", 16, 2)))
	lk := LayerLookups{
		Slots: 1 << 16, Hosted: 1 << 17, Unique: 60_000, Misses: 20_000, WriteBacks: 10_000,
		StoreReads: 4000, StoreWrites: 2000, StagedUp: 5000, StagedDown: 1000,
	}
	dumping := lk
	dumping.Dumped, dumping.StagedDump, dumping.StoreDumps = 30_000, 3000, 6000
	moves := func(rows float64) float64 { return (rows/50e6 + rows*128/20e9) / 4 } // 2 nodes of 2 sockets
	for _, c := range []struct {
		name          string
		lookups       LayerLookups
		rate          float64 // of a node's store, rows/s
		fetch, update float64
	}{
		{"slow store", lk, 1e6, 60e3/1e9/12 + 2000e-6 + 2e-6 + moves(25_000), 0},
		{"fast store", lk, 1e9, 60e3/1e9/12 + 2e-6 + moves(25_000) + moves(11_000), 0},
		{"dump", dumping, 1e6, 60e3/1e9/12 + 2000e-6 + 2e-6 + moves(25_000), 2e-6 + moves(33_000) + 3000e-6},
	} {
		s.Lookups = []LayerLookups{c.lookups}
		s.Store = func(_ int, rows, bytes float64) float64 {
			if math.Abs(bytes-128*rows) > 1e-6 {
				t.Errorf("%v rows of %v bytes in all, want 128 each", rows, bytes)
			}
			return rows / c.rate
		}
		pl, err := NewEvaluator(mustProblem(t, s)).PlanDevices(Scheme{0}, []int{12})
		if err != nil {
			t.Fatal(err)
		}
		cycle := max(2000/c.rate, 2e-6+moves(11_000)) + 1000/c.rate
		cycle = max(cycle, moves(25_000)+moves(11_000), 2e-6+moves(25_000))
		if st := pl.Stages[0]; math.Abs(st.Fetch-c.fetch) > 1e-12 || math.Abs(st.Cycle-cycle) > 1e-12 || math.Abs(st.Update-c.update) > 1e-12 {
			t.Errorf("%s: fetch %v, cycle %v, update %v; want %v, %v, %v", c.name, st.Fetch, st.Cycle, st.Update, c.fetch, cycle, c.update)
		}
	}
}

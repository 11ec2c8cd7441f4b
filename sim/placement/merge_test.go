package placement

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/workloads"
)

// bounce is the model a b c d on pools 0 1 1 0, with an edge from a that skips
// over the middle. a is an input: its edges carry no gradient.
func bounce(merge Merge) Spec {
	ly := func(name string, out float64) workloads.Layer {
		return workloads.Layer{Name: name, Kind: workloads.Linear, Output: out, Stored: out, Backward: 1, FLOPs: 1e6, Parallel: 1, Params: 100}
	}
	m := &workloads.Model{Layers: []workloads.Layer{ly("a", 10), ly("b", 20), ly("c", 40), ly("d", 5)}}
	m.Layers[0].Kind, m.Layers[0].Backward = workloads.Input, 0
	m.Edges = []workloads.Edge{{From: 0, To: 1, Elements: 10}, {From: 0, To: 3, Elements: 7}, {From: 1, To: 2, Elements: 20}, {From: 2, To: 3, Elements: 40}}
	s := spec(m, cluster(cpuPool("c", 8, 1), gpuPool("g", 16, 2)))
	s.Batch, s.Microbatches, s.Merge = 64, 4, merge
	return s
}

// TestMergeByHand: both readings of the abstract on one scheme. One byte per
// sample moved is 16 bytes a micro-batch and 64 a step.
func TestMergeByHand(t *testing.T) {
	const cpu, gpu = 1e10, 1.2e10 // B/s of one port
	type charge struct{ out, in float64 }
	for _, c := range []struct {
		merge   Merge
		stageOf [4]int
		nic     []charge // bytes per sample
	}{
		// 0 -> 1: 40 B; 1 -> 2: 160 B and as much gradient; 0 -> 2: 28 B, stages that are not neighbours.
		{Contiguous, [4]int{0, 1, 1, 2}, []charge{{40 + 28, 0}, {160, 40 + 160}, {160, 160 + 28}}},
		// The edge a -> d stays inside stage 0; a -> b and c -> d are both charged to it.
		{ByType, [4]int{0, 1, 1, 0}, []charge{{40 + 160, 160}, {160, 40 + 160}}},
	} {
		ev := NewEvaluator(mustProblem(t, bounce(c.merge)))
		ev.merge(Scheme{0, 1, 1, 0})
		if [4]int(ev.stageOf) != c.stageOf || ev.segments != 3 || len(ev.stages) != len(c.nic) {
			t.Fatalf("%s: stages %v, %d segments", c.merge, ev.stageOf, ev.segments)
		}
		for i, want := range c.nic {
			st := &ev.stages[i]
			rate := []float64{cpu, gpu}[st.pool]
			out, in := st.out[nicClass]*rate/64, st.in[nicClass]*rate/64
			if math.Abs(out-want.out) > 1e-9*want.out || math.Abs(in-want.in) > 1e-9*want.in {
				t.Errorf("%s: stage %d sends %v and receives %v bytes a sample, want %v", c.merge, i, out, in, want)
			}
			if st.out[peerClass]+st.out[hostClass]+st.in[peerClass]+st.in[hostClass] != 0 {
				t.Errorf("%s: stage %d is charged for other links: %+v", c.merge, i, st)
			}
		}
	}
}

// TestLinkClasses: stages on one pool meet over peer links when the pool is one
// node, host sockets and their accelerators over host links.
func TestLinkClasses(t *testing.T) {
	one, many := gpuPool("one", 8, 1), gpuPool("many", 16, 1)
	sockets := cpuPool("sockets", 4, 1)
	sockets.Inside = "many"
	p := mustProblem(t, spec(randomModel(rand.New(rand.NewPCG(1, 1)), 2), cluster(one, many, sockets)))
	for _, c := range []struct {
		from, to int
		want     cutLink
	}{
		{0, 0, cutLink{class: peerClass, from: 1.2e11, to: 1.2e11, latency: 2e-6}},
		{1, 1, cutLink{class: nicClass, from: 1.2e10, to: 1.2e10, latency: 5e-6}},
		{0, 1, cutLink{class: nicClass, from: 1.2e10, to: 1.2e10, latency: 5e-6}},
		{1, 2, cutLink{class: hostClass, from: 1.2e10, to: 4.8e10, latency: 2e-6}}, // 8 GPUs, 2 sockets a node
		{2, 1, cutLink{class: hostClass, from: 4.8e10, to: 1.2e10, latency: 2e-6}},
		{2, 0, cutLink{class: nicClass, from: 1e10, to: 1.2e10, latency: 5e-6}},
	} {
		got := p.links[c.from*3+c.to]
		got.fromStep, got.toStep = 0, 0
		if got != c.want {
			t.Errorf("link %d-%d: %+v, want %+v", c.from, c.to, got, c.want)
		}
	}
	if got := p.PortRate(1, 0, 9); got != 2.4e10 {
		t.Errorf("9 GPUs in nodes of 8 have %v B/s of ports", got)
	}
}

// TestMergeTwin compares merging with sums that go stage by stage through all
// layers and edges.
func TestMergeTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 10, 3, 9)
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		sc := randomScheme(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 3)), p.layers, p.pools, 0.6)
		ev := NewEvaluator(p)
		if n, _ := ev.merge(sc); n > 0 {
			return // a pool refuses a layer: nothing is added up
		}
		stageOf := twinStages(sc, s.Merge)
		for l := range sc {
			if ev.stageOf[l] != stageOf[l] {
				t.Fatalf("%v %s: stages %v, want %v", sc, s.Merge, ev.stageOf, stageOf)
			}
		}
		for i := range ev.stages {
			twinCompare(t, ev, sc, stageOf, i)
		}
	})
}

func twinStages(sc Scheme, merge Merge) []int {
	stageOf := make([]int, len(sc))
	stages := 0
	for l := range sc {
		stageOf[l] = -1
		for k := l - 1; k >= 0; k-- {
			if sc[k] == sc[l] && (merge != Contiguous || k == l-1) {
				stageOf[l] = stageOf[k]
				break
			}
		}
		if stageOf[l] < 0 {
			stageOf[l] = stages
			stages++
		}
	}
	return stageOf
}

func twinCompare(t *rapid.T, ev *Evaluator, sc Scheme, stageOf []int, i int) {
	p, m := ev.p, float64(ev.p.Microbatches)
	var want stage
	segments := 1
	for l := 1; l < len(sc); l++ {
		if sc[l] != sc[l-1] {
			segments++
		}
	}
	for l, g := 0, 0; l < len(sc); l++ {
		if l > 0 && sc[l] != sc[l-1] {
			g++
		}
		if stageOf[l] != i {
			continue
		}
		want.pool, want.last = int(sc[l]), l
		c := &p.costs[int(sc[l])*p.layers+l]
		want.serial += m * c.serial
		want.parallel += m * c.parallel
		want.weights += c.weights
		want.table += c.table
		want.sharded += c.sharded
		want.gathered, want.scratch = max(want.gathered, c.gathered), max(want.scratch, c.scratch)
		want.rows.plan += c.rows.plan
		want.backing += c.backing
		if p.Inference {
			want.act = max(want.act, c.act)
			continue
		}
		window := p.Schedule.Held(g, segments, p.Microbatches)
		if p.Schedule.Chunked {
			var of []int // stages of segments
			for k := range sc {
				if k == 0 || sc[k] != sc[k-1] {
					of = append(of, stageOf[k])
				}
			}
			window = p.Schedule.HeldBy(of, p.Microbatches)[g]
		}
		want.act += float64(window) * c.act
	}
	for from := range sc {
		if s := p.Communication; s == Added {
			twinPay(p, &want, sc, stageOf, from, i)
			continue
		}
		for to := range sc {
			twinCharge(p, &want, sc, stageOf, from, to, i)
		}
	}
	st := &ev.stages[i]
	pairs := [][2]float64{
		{st.serial, want.serial}, {st.parallel, want.parallel}, {st.weights, want.weights}, {st.table, want.table},
		{st.act, want.act}, {st.rows.plan, want.rows.plan}, {st.measured, want.measured}, {float64(st.pool), float64(want.pool)}, {float64(st.last), float64(want.last)},
		{st.sharded, want.sharded}, {st.gathered, want.gathered}, {st.scratch, want.scratch},
	}
	for c := range st.out {
		pairs = append(pairs, [2]float64{st.out[c], want.out[c]}, [2]float64{st.in[c], want.in[c]})
	}
	for n, v := range pairs {
		if math.Abs(v[0]-v[1]) > 1e-9*math.Abs(v[1]) {
			t.Fatalf("stage %d, amount %d: %v, want %v", i, n, v[0], v[1])
		}
	}
}

// twinCharge charges stage i for what layer from sends to the stage that begins
// with layer to, if any does: the sum of the edges there, or all of the layer's
// output if that is less.
func twinCharge(p *Problem, want *stage, sc Scheme, stageOf []int, from, to, i int) {
	if slices.Index(stageOf, stageOf[to]) != to || stageOf[from] == stageOf[to] {
		return
	}
	m, back := float64(p.Microbatches), 0.0
	bytes, seconds := twinSent(p, from, func(reader int) bool { return stageOf[reader] == stageOf[to] }, &back)
	if stageOf[from] == i || stageOf[to] == i {
		want.measured += m * seconds * (1 + back)
	}
	l := &p.links[int(sc[from])*p.pools+int(sc[to])]
	if stageOf[from] == i {
		want.out[l.class] += m * bytes / l.from
		want.in[l.class] += m * bytes / l.from * back
	}
	if stageOf[to] == i {
		want.in[l.class] += m * bytes / l.to
		want.out[l.class] += m * bytes / l.to * back
	}
}

// twinPay charges stage i, if it is on accelerators, for the output of layer from:
// once whether it goes out or comes in, and as much for its gradient.
func twinPay(p *Problem, want *stage, sc Scheme, stageOf []int, from, i int) {
	pool := &p.Cluster.Pools[want.pool]
	if !pool.Device.Kind.Accelerator() {
		return
	}
	reads := func(l int) bool { return stageOf[l] == i }
	if stageOf[from] == i {
		reads = func(l int) bool { return stageOf[l] != i }
	}
	m, back := float64(p.Microbatches), 0.0
	bytes, seconds := twinSent(p, from, reads, &back)
	if stageOf[from] == i || bytes+seconds > 0 {
		want.measured += m * seconds * (1 + back)
		want.out[hostClass] += m * bytes / (float64(pool.Node.HostLink.Bandwidth) * float64(p.unit(want.pool))) * (1 + back)
	}
}

// twinSent returns what a layer sends once for all of some readers, and sets back
// to 1 if gradients come back.
func twinSent(p *Problem, from int, reader func(int) bool, back *float64) (bytes, seconds float64) {
	whole := p.Model.Layers[from].Output
	for _, e := range p.Model.Edges {
		if e.From == from && e.Seconds == 0 {
			whole = max(whole, e.Elements)
		}
	}
	for _, e := range p.Model.Edges {
		if e.From != from || !reader(e.To) {
			continue
		}
		if src := &p.Model.Layers[from]; !p.Inference && (src.Kind != workloads.Input || src.Backward != 0) {
			*back = 1
		}
		if e.Seconds > 0 {
			seconds = max(seconds, e.Seconds)
		} else {
			bytes += e.Elements
		}
	}
	return min(bytes, whole) * float64(p.Batch) / float64(p.Microbatches) * 4, seconds
}

// TestMemoryByHand: weights, gradients and optimizer states by precision are
// replicated, activations by the schedule's window and tables are shared.
func TestMemoryByHand(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "emb", Backward: 1, Output: 16, Stored: 16, Tables: []workloads.Table{{Rows: 1 << 20, Dim: 16, Lookups: 1}}},
		{Name: "fc", FLOPs: 1e6, Params: 1 << 20, Output: 1 << 10, Stored: 1 << 10, Backward: 2},
	}}
	m.Edges = []workloads.Edge{{From: 0, To: 1, Elements: 16}}
	base := spec(m, cluster(cpuPool("c", 4, 1), gpuPool("g", 4, 1)))
	base.Batch, base.Microbatches = 1024, 8 // micro-batches of 128
	const mib = unit.Bytes(1 << 20)
	for _, c := range []struct {
		name   string
		change func(*Spec)
		scheme Scheme
		want   Memory // of the stage with fc, on 1 device
	}{
		// 1f1b, the last of 2 segments holds 1 micro-batch: 128 x 4 KiB.
		{"fp32 adagrad", func(s *Spec) {}, Scheme{0, 1}, Memory{4 * mib, 4 * mib, 4 * mib, mib / 2, 0, 0}},
		{"fp32 adam", func(s *Spec) { s.Optimizer = Adam }, Scheme{0, 1}, Memory{4 * mib, 4 * mib, 8 * mib, mib / 2, 0, 0}},
		{"fp16 adam", func(s *Spec) { s.Optimizer, s.Precision = Adam, hw.FP16 }, Scheme{0, 1}, Memory{2 * mib, 2 * mib, 12 * mib, mib / 4, 0, 0}},
		{"sgd", func(s *Spec) { s.Optimizer = SGD }, Scheme{0, 1}, Memory{4 * mib, 4 * mib, 0, mib / 2, 0, 0}},
		{"inference", func(s *Spec) { s.Inference = true }, Scheme{0, 1}, Memory{4 * mib, 0, 0, mib/2 + 8<<10, 0, 0}}, // output 128 x 4 KiB and input 128 x 64 B
		{"gpipe", func(s *Spec) { s.Schedule = schedule("gpipe") }, Scheme{0, 1}, Memory{4 * mib, 4 * mib, 4 * mib, 4 * mib, 0, 0}},
		// One stage on the GPUs: 1 Mi rows of 16 numbers, each with its AdaGrad state; 64 B a sample more activations.
		{"tables", func(s *Spec) {}, Scheme{1, 1}, Memory{4 * mib, 4 * mib, 4 * mib, mib/2 + 8<<10, 128 * mib, 0}},
		{"slots", func(s *Spec) { s.Lookups = []LayerLookups{{Slots: 1 << 10, Unique: 1}, {}} }, Scheme{1, 1},
			Memory{4 * mib, 4 * mib, 4 * mib, mib/2 + 8<<10, mib / 8, 0}},
		{"slots, on a CPU", func(s *Spec) { s.Lookups = []LayerLookups{{Slots: 1 << 10, Unique: 1}, {}} }, Scheme{0, 0},
			Memory{4 * mib, 4 * mib, 4 * mib, mib/2 + 8<<10, 128 * mib, 0}},
	} {
		s := base
		c.change(&s)
		p := mustProblem(t, s)
		ev := NewEvaluator(p)
		ev.merge(c.scheme)
		i := ev.stageOf[1]
		c.want.Capacity = unit.Bytes(p.memory[c.scheme[1]])
		if got := ev.memoryOf(i, 1); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if got := ev.memoryOf(i, 4).Tables; got != c.want.Tables/4 {
			t.Errorf("%s: 4 devices hold %v of tables each, want a quarter of %v", c.name, got, c.want.Tables)
		}
		if need := p.need(&ev.stages[i], 1); need != float64(c.want.Total()) {
			t.Errorf("%s: needs %v, the plan shows %v", c.name, need, float64(c.want.Total()))
		}
	}
}

// TestHostFloor: rows behind a slot table stay in the hosts' memory. 1 Mi rows of
// 128 B take three nodes of 48 MiB, so 17 devices in nodes of 8.
func TestHostFloor(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "emb", Backward: 1, Output: 16, Stored: 16, Tables: []workloads.Table{{Rows: 1 << 20, Dim: 16, Lookups: 1}}},
	}}
	for _, c := range []struct {
		dram    unit.Bytes
		count   int
		devices int // at least; 0: infeasible
		reason  string
	}{
		{48 << 20, 24, 17, ""}, {128 << 20, 24, 1, ""}, {0, 24, 1, ""},
		{48 << 20, 16, 0, `stage 1 (emb) keeps 128 MiB of embedding rows in host memory behind its slot tables: that takes 3 nodes of pool "g", which have 48 MiB each; the pool has 2`},
	} {
		pool := gpuPool("g", c.count, 1)
		pool.Node.DRAM.Capacity = c.dram
		s := spec(m, cluster(pool))
		s.Lookups = []LayerLookups{{Slots: 1 << 10, Unique: 1}}
		ev := NewEvaluator(mustProblem(t, s))
		pl := ev.Plan(Scheme{0})
		if c.devices == 0 {
			if pl.Fitness.Feasible || pl.Reason != c.reason {
				t.Errorf("%+v: feasible %v, reason %q", c, pl.Fitness.Feasible, pl.Reason)
			}
			continue
		}
		if got := ev.memoryFloor(0); got != c.devices || !pl.Fitness.Feasible {
			t.Errorf("%+v: at least %d devices; feasible %v, %s", c, got, pl.Fitness.Feasible, pl.Reason)
		}
	}
}

// TestMemoryFloor, in bytes: a share of activations and one of tables are whole
// bytes each, so that 100 + 1000 B take 12 devices with 100 B to spare, not 11.
func TestMemoryFloor(t *testing.T) {
	for _, c := range []struct {
		capacity, weights, act, table int64
		count, want                   int
	}{
		{200, 100, 110, 990, 16, 11}, {200, 100, 100, 1000, 16, 12}, {200, 100, 0, 1000, 16, 10}, {200, 100, 0, 100, 16, 1}, {200, 200, 0, 0, 16, 1},
		{200, 200, 0, 1, 16, 0}, {200, 201, 0, 0, 16, 0}, {100, 100, 1, 0, 16, 0}, {200, 100, 0, 1000, 4, 10}, {201, 200, 2, 2, 16, 0},
		{202, 200, 3, 2, 16, 3},
	} {
		ev := &Evaluator{p: &Problem{members: make([][]member, 1), memory: []float64{float64(c.capacity)}, count: []int{c.count}},
			stages: []stage{{common: common{weights: float64(c.weights), act: float64(c.act), table: float64(c.table)}}}}
		if got := ev.memoryFloor(0); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

// TestReasons: an infeasible scheme says which stage, need and capacity.
func TestReasons(t *testing.T) {
	m := randomModel(rand.New(rand.NewPCG(9, 9)), 3)
	m.Layers[1] = workloads.Layer{Name: "big", Params: 1 << 30, FLOPs: 1e6, Backward: 2, Output: 1, Stored: 1}
	for _, c := range []struct {
		name   string
		change func(*Spec)
		scheme Scheme
		want   []string
	}{
		{"weights", func(s *Spec) { s.Cluster.Pools[1].Device.Memory.Capacity = 8 << 30 }, Scheme{0, 1, 0},
			[]string{"stage 2 (big) needs 12.88 GB of memory on each of 1 g, which has 8 GiB: weights 4", "gradients 4", "optimizer 4"}},
		{"pool", func(s *Spec) { s.Cluster.Pools[0].Count = 1 }, Scheme{0, 1, 0}, []string{`its stages on pool "c" need 2 devices; the pool has 1`}},
		{"floor", func(s *Spec) { s.MinThroughput = 1e12 }, Scheme{0, 1, 0}, []string{"min_throughput is 1000000000000 samples/s, it reaches "}},
		{"cost", func(s *Spec) { s.MaxCost = 1e-12 }, Scheme{0, 1, 0}, []string{"max_cost is 1e-12 USD per million samples, it costs "}},
		{"price", func(s *Spec) { s.MaxPrice = 1 }, Scheme{0, 1, 0}, []string{"max_price is 1 USD/h, its devices cost 4"}},
	} {
		s := spec(m, cluster(cpuPool("c", 4, 1), gpuPool("g", 4, 2)))
		c.change(&s)
		p := mustProblem(t, s)
		pl := NewEvaluator(p).Plan(c.scheme)
		if pl.Fitness.Feasible || pl.Fitness.Value >= 0 {
			t.Errorf("%s: feasible: %+v", c.name, pl.Fitness)
		}
		for _, w := range c.want {
			if !strings.Contains(pl.Reason, w) {
				t.Errorf("%s: %q lacks %q", c.name, pl.Reason, w)
			}
		}
	}
}

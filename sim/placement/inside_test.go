package placement

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/workloads"
)

// gpt is a problem of a generated transformer on one pool of GPUs with memory enough.
func gpt(t testing.TB, of workloads.Transformer, count int, change func(*Spec)) *Problem {
	t.Helper()
	m, err := of.Model("gpt")
	if err != nil {
		t.Fatal(err)
	}
	pool := gpuPool("g", count, 2)
	pool.Device.Memory.Capacity = 1 << 50
	s := spec(m, cluster(pool))
	s.Precision, s.Optimizer, s.Sync = hw.FP16, Adam, Ring
	s.Batch, s.Microbatches = 8, 4
	change(&s)
	return mustProblem(t, s)
}

// onePlan is the plan of one stage on so many devices.
func onePlan(t testing.TB, p *Problem, devices int) *Plan {
	t.Helper()
	pl, err := NewEvaluator(p).PlanDevices(make(Scheme, p.layers), []int{devices})
	if err != nil || !pl.Fitness.Feasible {
		t.Fatal(err, pl.Reason)
	}
	return pl
}

// TestActivationsOfKorthikanti: one block keeps, in bytes of a micro-batch of b samples
// on a device of t,
//
//	sbh (34 + 5as/h)            by itself (equation 1 of arXiv:2205.05198)
//	sbh (10 + 24/t + 5as/(ht))  with tensor parallelism (2)
//	sbh/t (34 + 5as/h)          with sequence parallelism (4)
//	sbh 34/t                    and selective recomputation (6)
//	2sbh                        with full recomputation
//
// and beside it, while a block's backward pass runs, what that computes again.
func TestActivationsOfKorthikanti(t *testing.T) {
	of := workloads.Transformer{Layers: 3, Hidden: 1024, Heads: 16, Sequence: 512}
	const s, b, h, a = 512., 2., 1024., 16.
	whole := s * b * h * (34 + 5*a*s/h)
	for _, c := range []struct {
		name     string
		team     int
		sequence bool
		how      Recompute
		kept     float64 // of a block
		again    float64
	}{
		{"alone", 1, false, "", whole, 0},
		{"alone, none", 1, false, KeepAll, whole, 0},
		{"tensor", 8, false, "", s * b * h * (10 + 24./8 + 5*a*s/(h*8)), 0},
		{"sequence", 8, true, "", whole / 8, 0},
		{"selective", 8, true, Selective, s * b * h * 34 / 8, s * b * h * 5 * a * s / h / 8},
		{"selective, alone", 1, false, Selective, s * b * h * 34, s * b * h * 5 * a * s / h},
		{"full", 8, false, Full, 2 * s * b * h, s*b*h*(10+24./8+5*a*s/(h*8)) - 2*s*b*h},
		{"full, alone", 1, false, Full, 2 * s * b * h, whole - 2*s*b*h},
		{"full, sequence", 8, true, Full, 2 * s * b * h / 8, (whole - 2*s*b*h) / 8},
	} {
		p := gpt(t, of, 8, func(sp *Spec) {
			sp.Tensor, sp.SequenceParallel, sp.Recompute = []int{c.team}, c.sequence, c.how
		})
		block := &p.costs[1]
		if math.Abs(block.act-c.kept) > 1e-9*c.kept || math.Abs(block.scratch-c.again) > 1e-9*(1+c.again) {
			t.Errorf("%s: a block keeps %v and computes %v again, want %v and %v", c.name, block.act, block.scratch, c.kept, c.again)
		}
		pl := onePlan(t, p, c.team)
		sum := c.again
		for l := range p.layers {
			sum += p.costs[l].act // one stage holds one micro-batch
		}
		if got := pl.Stages[0].Memory.Activations; got != wholeBytes(sum) {
			t.Errorf("%s: the stage's activations take %v, want %v", c.name, got, wholeBytes(sum))
		}
	}
}

// TestMemoryOfZero: with N replicas a parameter takes 2 + 2 + 12 bytes in mixed
// precision with Adam, of which stage 1 divides 12, stage 2 14 and stage 3 all 16
// (Rajbhandari et al. 2020, figure 1); while it runs, a layer's parameters are whole.
func TestMemoryOfZero(t *testing.T) {
	of := workloads.Transformer{Layers: 6, Hidden: 256, Heads: 4, Sequence: 64, Vocabulary: 1000}
	for _, team := range []int{1, 2} {
		for zero := range 4 {
			p := gpt(t, of, 16, func(sp *Spec) { sp.Tensor, sp.Zero, sp.Batch = []int{team}, zero, 64 })
			params, most := 0.0, 0.0
			for l := range p.Model.Layers {
				own := p.own(&p.Model.Layers[l], team).Params
				params, most = params+own, max(most, own)
			}
			const n = 8
			m := onePlan(t, p, n*team).Stages[0].Memory
			want := [3]float64{2 * params, 2 * params, 12 * params}
			for i := range zero {
				want[2-i] /= n
			}
			if zero == 3 {
				want[0] = 2*most + (2*params-2*most)/n
			}
			for i, got := range [3]unit.Bytes{m.Weights, m.Gradients, m.Optimizer} {
				if math.Abs(float64(got)-want[i]) > 2 {
					t.Errorf("zero = %d, %d devices a replica, use %d: %v B, want %v", zero, team, i, int64(got), want[i])
				}
			}
		}
	}
}

// TestCollectivesInsideByHand: what all-reduces among a replica's devices, ZeRO's
// gatherings and the synchronisation of gradients take.
func TestCollectivesInsideByHand(t *testing.T) {
	of := workloads.Transformer{Layers: 1, Hidden: 256, Heads: 4, Sequence: 64, Vocabulary: 1000}
	const peer, latency = 1.2e11, 2e-6
	ring := func(bytes, n float64) float64 { return 2 * (n - 1) * (bytes/n/peer + latency) }
	asOne := func(sp *Spec) {
		for l := range sp.Model.Layers {
			sp.Model.Layers[l].Calls = nil
		}
	}
	p := gpt(t, of, 8, func(sp *Spec) { asOne(sp); sp.Tensor = []int{4} })
	ps, err := p.passes(0, 1)
	if want := 2 * ring(64*256*2*2, 4); err != nil || math.Abs(ps.reduce-want) > 1e-15 || math.Abs(ps.back-want) > 1e-15 {
		t.Errorf("a block sums up for %v and %v s, want %v: %v", ps.reduce, ps.back, want, err)
	}
	if want := 2 * 2 * 2 * 3 * latency; math.Abs(ps.latency-want) > 1e-15 {
		t.Errorf("of which more replicas do not shorten %v s, want %v", ps.latency, want)
	}
	// The same as a quarter of the FLOPs at their own efficiency; the norms are whole.
	own := p.own(&p.Model.Layers[1], 4)
	want, _ := p.Cluster.Pools[0].Device.Compute(own.FLOPs*2, 2*(own.Traffic*2+own.Params), hw.FP16)
	if ps.forward != want || own.FLOPs < p.Model.Layers[1].FLOPs/4 || own.FLOPs > p.Model.Layers[1].FLOPs*0.27 {
		t.Errorf("a block takes %v s, want %v for %v FLOPs of %v", ps.forward, want, own.FLOPs, p.Model.Layers[1].FLOPs)
	}
	full := gpt(t, of, 8, func(sp *Spec) { asOne(sp); sp.Tensor, sp.Recompute = []int{4}, Full })
	fs, _ := full.passes(0, 1)
	if fs.again != ps.forward || math.Abs(fs.back-2*ps.back) > 1e-15 || fs.forward != ps.forward {
		t.Errorf("with recomputation %+v, without %+v: the forward pass and its all-reduces come again", fs, ps)
	}
	// Two replicas of four in one node, then four of them in two.
	for _, c := range []struct {
		count, devices int
		link, latency  float64
		perNode        float64
	}{{8, 8, peer, latency, 1}, {16, 16, 1.2e10, 5e-6, 4}} {
		for zero := range 4 {
			p := gpt(t, of, c.count, func(sp *Spec) { sp.Tensor, sp.Zero = []int{4}, zero })
			pl := onePlan(t, p, c.devices)
			pipe, _, err := p.Pipeline(pl)
			if err != nil {
				t.Fatal(err)
			}
			n := float64(c.devices / 4)
			all := 2 * (n - 1) * (float64(pl.Stages[0].Weights)*c.perNode/n/c.link + c.latency)
			wantSync := all
			if zero == 3 {
				wantSync /= 2
			}
			if got := pipe.Sync[0].Seconds(); math.Abs(got-wantSync) > 1e-9 {
				t.Errorf("zero = %d on %d devices: synchronised in %v s, want %v", zero, c.devices, got, wantSync)
			}
			plain := 0.0
			for l := range p.layers {
				k := &p.costs[l]
				plain += (k.serial + k.parallel/p.parts(int(n))) * k.forwardShare
				if zero == 3 {
					plain += (n - 1) * (2*p.own(&p.Model.Layers[l], 4).Params*c.perNode/n/c.link + c.latency)
					if p.Model.Layers[l].Params == 0 {
						plain -= (n - 1) * c.latency
					}
				}
			}
			if got := pipe.Segments[0].Forward.Seconds(); math.Abs(got-plain) > 2e-9 {
				t.Errorf("zero = %d on %d devices: a forward pass takes %v s, want %v", zero, c.devices, got, plain)
			}
		}
	}
}

// TestOverlapByHand: three layers of 1 ms, 2 ms and 3 ms backward with 1, 2 and 1
// quarters of the parameters, which take 4, 8 or 16 ms to synchronise.
func TestOverlapByHand(t *testing.T) {
	m := &workloads.Model{}
	for i, ms := range []float64{1, 2, 3} {
		l := workloads.Layer{Name: string(rune('a' + i)), Kind: workloads.Linear, OnlyProfiled: true, Backward: 1, Parallel: 0, Params: []int64{1000, 2000, 1000}[i]}
		l.Profiles = []workloads.Profile{{Device: "g", Points: []workloads.ProfilePoint{{Batch: 2, Forward: 1e-3, Backward: ms * 1e-3}}}}
		m.Layers = append(m.Layers, l)
		if i > 0 {
			m.Edges = append(m.Edges, workloads.Edge{From: i - 1, To: i, Elements: 1})
		}
	}
	for _, c := range []struct{ sync, seen float64 }{
		{4, 2},   // c from 3 to 4, b from 5 to 7, a from 7 to 8; the passes end at 6
		{8, 5},   // c 3 to 5, b 5 to 9, a 9 to 11
		{16, 13}, // c 3 to 7, b 7 to 15, a 15 to 19
	} {
		pool := gpuPool("g", 2, 1)
		pool.Node.PeerLink = hw.Link{Bandwidth: unit.Rate(16000 / (c.sync * 1e-3))} // 2 replicas send all once
		s := spec(m, cluster(pool))
		s.Batch, s.Microbatches, s.Sync = 4, 2, Ring
		times := map[bool]time.Duration{}
		for _, s.OverlapSync = range []bool{false, true} {
			p := mustProblem(t, s)
			pipe, _, err := p.Pipeline(onePlan(t, p, 2))
			if err != nil {
				t.Fatal(err)
			}
			times[s.OverlapSync] = pipeline.StepTime(pipe)
		}
		ms := func(v float64) time.Duration { return time.Duration(v * 1e6) }
		if times[false] != ms(18+c.sync) || times[true] != ms(18+c.seen) {
			t.Errorf("synchronising in %v ms: steps of %v, overlapped %v; want %v and %v", c.sync, times[false], times[true], ms(18+c.sync), ms(18+c.seen))
		}
	}
}

// TestNothingInsideIsNothing: degrees of one and ways that do nothing change no bit.
func TestNothingInsideIsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 8, 3, 8)
		s.Inside = Inside{}
		o := s
		o.Tensor, o.Recompute, o.SequenceParallel = []int{1, 1, 1}[:len(s.Cluster.Pools)], KeepAll, true
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		q, err := NewProblem(o)
		if err != nil {
			t.Fatal(err)
		}
		sc := randomScheme(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 3)), p.layers, p.pools, 0.5)
		a, b := NewEvaluator(p), NewEvaluator(q)
		if x, y := a.Recurrence(sc), b.Recurrence(sc); x != y {
			t.Fatalf("%+v and %+v", x, y)
		}
		if x, y := a.Plan(sc), b.Plan(sc); !reflect.DeepEqual(x, y) {
			t.Fatalf("%+v and %+v", x, y)
		}
	})
}

// TestInsideOneWay: ZeRO, recomputation and sequence parallelism never raise memory;
// recomputation never shortens a step, overlap never lengthens one, and ZeRO's first two
// stages leave it as it is.
func TestInsideOneWay(t *testing.T) {
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 6, 2, 8)
		if s.Inference || s.Servers > 0 || s.Lookups != nil {
			return
		}
		m := *s.Model
		m.Layers = append([]workloads.Layer(nil), m.Layers...)
		divide(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "divided"), 5)), &m)
		s.Model, s.Sync, s.MinThroughput = &m, Ring, 0
		if s.Schedule.Delay != nil {
			s.Schedule = schedule("1f1b")
		}
		for i := range s.Cluster.Pools {
			s.Cluster.Pools[i].Device.Memory.Capacity = 1 << 50
			s.Cluster.Pools[i].Node.DRAM.Capacity = 1 << 50
		}
		base, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		sc := randomScheme(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 3)), base.layers, base.pools, 0.5)
		at := NewEvaluator(base).Plan(sc)
		if !at.Fitness.Feasible {
			return
		}
		var devices []int
		for _, st := range at.Stages {
			devices = append(devices, st.Devices)
		}
		of := func(change func(*Inside)) (unit.Bytes, float64, *Plan) {
			o := s
			change(&o.Inside)
			p, err := NewProblem(o)
			if err != nil {
				t.Fatal(err)
			}
			if n := p.Team(0); n > 1 {
				t.Fatal("the devices are not those of the same plan")
			}
			pl, err := NewEvaluator(p).PlanDevices(sc, devices)
			if err != nil || !pl.Fitness.Feasible {
				t.Fatal(err, pl.Reason)
			}
			f, err := p.RecurrenceOf(pl)
			if err != nil {
				t.Fatal(err)
			}
			var peak unit.Bytes
			for _, st := range pl.Stages {
				peak = max(peak, st.Memory.Total())
			}
			return peak, 1 / f.Throughput, pl
		}
		s.Inside = Inside{Zero: s.Zero, OverlapSync: s.OverlapSync, Recompute: s.Recompute, ReplicaBatch: s.ReplicaBatch}
		memory, step, _ := of(func(*Inside) {})
		compared++
		z := s.Zero
		for next := z + 1; next <= 3; next++ {
			m, x, _ := of(func(i *Inside) { i.Zero = next })
			if m > memory {
				t.Fatalf("zero = %d takes %v, zero = %d took %v", next, m, z, memory)
			}
			if next < 3 && x != step {
				t.Fatalf("zero = %d steps in %v, zero = %d in %v", next, x, z, step)
			}
		}
		if s.Recompute == "" {
			for _, how := range []Recompute{Selective, Full} {
				m, x, _ := of(func(i *Inside) { i.Recompute = how })
				if rounded := base.rounding() / float64(s.Batch); m > memory || x < step*(1-1e-12)-rounded {
					t.Fatalf("%s takes %v and steps in %v; without %v and %v", how, m, x, memory, step)
				}
			}
		}
		if m, x, _ := of(func(i *Inside) { i.OverlapSync = true }); m != memory || x > step*(1+1e-9)+2e-9 {
			t.Fatalf("with overlap steps take %v, without %v; memory %v and %v", x, step, m, memory)
		}
	})
	if compared == 0 && !testing.Short() { // which draws a fifth
		t.Error("nothing was compared")
	}
}

// TestInsideRefusals names what does not go together.
func TestInsideRefusals(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "b", FLOPs: 1e9, Params: 3_000_000, Backward: 2}}}
	for want, change := range map[string]func(*Spec){
		`recompute = "some"`:                                func(s *Spec) { s.Recompute = "some" },
		`zero = 4`:                                          func(s *Spec) { s.Zero = 4 },
		`it needs sync = "ring", not "ps"`:                  func(s *Spec) { s.Zero, s.Sync = 1, Server },
		`trees sum up whole buffers`:                        func(s *Spec) { s.Zero, s.Collective = 3, "tree" },
		`inference has no backward passes`:                  func(s *Spec) { s.OverlapSync, s.Inference = true, true },
		`schedule "zb-h1" puts off`:                         func(s *Spec) { s.Recompute, s.Schedule = Full, schedule("zb-h1") },
		`replica_batch = 3: a divisor of the 128`:           func(s *Spec) { s.ReplicaBatch = 3 },
		`tensor_parallel for 2 pools of 1`:                  func(s *Spec) { s.Tensor = []int{1, 1} },
		`tensor_parallel = 3: on pool "g" a node has 8`:     func(s *Spec) { s.Tensor = []int{3} },
		`tensor_parallel = 8: pool "g" has 4 devices`:       func(s *Spec) { s.Tensor, s.Cluster.Pools[0].Count = []int{8}, 4 },
		`tensor_parallel = 2: with sync = "ps" replicas`:    func(s *Spec) { s.Tensor, s.Sync = []int{2}, Server },
		`tensor_parallel = 2: pool "g" has no accelerators`: func(s *Spec) { s.Tensor, s.Cluster.Pools[0].Device = []int{2}, cpuType("c") },
	} {
		s := spec(m, cluster(gpuPool("g", 16, 2)))
		s.Sync = Ring
		change(&s)
		if _, err := NewProblem(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	p := mustProblem(t, func() Spec {
		s := spec(m, cluster(gpuPool("g", 16, 2)))
		s.Tensor = []int{4}
		return s
	}())
	if _, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{6}); err == nil || !strings.Contains(err.Error(), "6 is no multiple of that") {
		t.Errorf("%v", err)
	}
}

// TestMeasuredCollectives: where all-reduces inside a node were measured, those times
// count if they are asked for; across nodes links do.
func TestMeasuredCollectives(t *testing.T) {
	of := workloads.Transformer{Layers: 1, Hidden: 256, Heads: 4, Sequence: 64, Vocabulary: 1000}
	measured, err := hw.AllReduceOf("a100-80")
	if err != nil {
		t.Fatal(err)
	}
	for _, devices := range []int{8, 16} {
		p := gpt(t, of, 16, func(s *Spec) {
			s.Cluster.Pools[0].Device.Name = "a100-80"
			s.Tensor, s.Calibrated = []int{2}, true
		})
		pl := onePlan(t, p, devices)
		pipe, _, err := p.Pipeline(pl)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := measured.Seconds(float64(pl.Stages[0].Weights), devices/2)
		if devices > 8 {
			want = p.allReduce(0, devices/2, float64(pl.Stages[0].Weights))
		}
		if got := pipe.Sync[0].Seconds(); math.Abs(got-want) > 1e-9 || p.ByTime(0, devices/2) != (devices == 8) {
			t.Errorf("%d devices: %v s, want %v", devices, got, want)
		}
		ps, _ := p.passes(0, 1)
		if each, _ := measured.Seconds(64*256*2*2, 2); math.Abs(ps.reduce-2*each) > 1e-15 {
			t.Errorf("a block sums up for %v s, want %v", ps.reduce, 2*each)
		}
	}
}

// TestCallsByHand: operations that run one after the other add up, and none is launched
// in no time.
func TestCallsByHand(t *testing.T) {
	of := workloads.Transformer{Layers: 1, Hidden: 256, Heads: 4, Sequence: 64, Vocabulary: 1000}
	slow := gpt(t, of, 8, func(*Spec) {})
	block, d := &slow.Model.Layers[1], slow.Cluster.Pools[0].Device
	forward, backward := 0.0, 0.0
	for _, c := range block.Calls {
		x, err := d.Compute(c.FLOPs*2, 2*(c.Traffic*2+c.Params), hw.FP16)
		if err != nil {
			t.Fatal(err)
		}
		forward, backward = forward+x, backward+1e-5+(x-1e-5)*c.Backward
	}
	if ps, err := slow.passes(0, 1); err != nil || math.Abs(ps.forward-forward) > 1e-15 || math.Abs(ps.backward-backward) > 1e-15 {
		t.Errorf("%+v, %v; want %v and %v", ps, err, forward, backward)
	}
	fast := gpt(t, of, 8, func(s *Spec) { s.Cluster.Pools[0].Device.Launch = time.Millisecond })
	if ps, _ := fast.passes(0, 1); math.Abs(ps.forward-0.012)+math.Abs(ps.backward-0.012) > 1e-15 {
		t.Errorf("twelve operations launched in 1 ms each: %+v", ps)
	}
}

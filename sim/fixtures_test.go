package sim

import (
	"context"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

// machine is an accelerator pool of its own device type, one device a node, with
// round numbers: memory without end, 1 GB/s on the network and to the host.
func machine(name string, count int) hw.Pool {
	d := &hw.Device{
		Name: name, Kind: hw.GPU, Parallel: 1,
		Memory: hw.Memory{Capacity: 1 << 50, Bandwidth: 1e12},
		Gather: hw.Gather{Rows: 1e6, Bandwidth: 1e9},
		Price:  2,
	}
	host := &hw.Device{Name: "host", Kind: hw.CPU, Gather: hw.Gather{Rows: 1e5, Bandwidth: 1e9}}
	return hw.Pool{
		Name: name, Device: d, Host: host, Count: count, Price: d.Price,
		Node: hw.Node{
			Name: "node", Devices: 1, Hosts: 1,
			HostLink: hw.Link{Bandwidth: 1e9, Latency: 7 * time.Microsecond},
			NIC:      hw.Link{Bandwidth: 1e9},
		},
	}
}

// timed is a layer that takes the same on every machine, for any micro-batch of
// batch samples.
func timed(i int, forward, backward time.Duration, batch int, devices ...string) workloads.Layer {
	l := workloads.Layer{Name: fmt.Sprintf("layer%d", i), Kind: workloads.Linear, Parallel: -1, OnlyProfiled: true, Backward: 1}
	for _, d := range devices {
		l.Profiles = append(l.Profiles, workloads.Profile{
			Device: d, Points: []workloads.ProfilePoint{{Batch: batch, Forward: forward.Seconds(), Backward: backward.Seconds()}},
		})
	}
	return l
}

func specOf(m *workloads.Model, pools ...hw.Pool) placement.Spec {
	schedule, _ := pipeline.LookupSchedule("1f1b")
	return placement.Spec{
		Model: m, Cluster: &hw.Cluster{Pools: pools}, Batch: 1, Microbatches: 1, Schedule: schedule,
		Precision: hw.FP32, Optimizer: placement.SGD, Sync: placement.NoSync, Merge: placement.Contiguous,
		Objective: placement.Throughput, CommParallel: 1,
	}
}

// planned compiles a spec and decides the devices of a scheme.
func planned(t rapid.TB, spec placement.Spec, scheme placement.Scheme) Job {
	t.Helper()
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	pl := placement.NewEvaluator(p).Plan(scheme)
	if !pl.Fitness.Feasible {
		t.Fatalf("the fixture is infeasible: %s", pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: 1}
}

func train(t rapid.TB, job Job) *Run {
	t.Helper()
	run, err := Train(context.Background(), job)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// recurrenceEnds returns the ends of rounds by the exact recurrence of a plan.
func recurrenceEnds(t rapid.TB, job Job) []time.Duration {
	t.Helper()
	pipe, _, err := job.Problem.Pipeline(job.Plan)
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.Ends(pipe, job.Rounds, nil)
}

// traceOf records rounds of the given keys, all of them one table's.
func traceOf(t rapid.TB, rows int64, perRound int, keys []uint32) *lookups.Trace {
	t.Helper()
	tables := []workloads.Table{{Name: "rows", Rows: rows, Dim: 4, Lookups: perRound}}
	stream, err := lookups.NewStream(tables, lookups.Spec{Generator: lookups.Traced, Keys: keys}, 1, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := lookups.Record(stream, len(keys)/perRound, 0)
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// embedded is one machine with one timed layer behind a slot table, which takes
// step for a round's compute: forward and backward half of it each.
func embedded(t rapid.TB, trace *lookups.Trace, cfg slots.Config, lookahead int, step time.Duration) Job {
	t.Helper()
	layer := timed(0, step/2, step-step/2, 1, "gpu")
	layer.Kind, layer.Tables = workloads.Embedding, []workloads.Table{{Name: "rows", Rows: trace.Rows(), Dim: 4, Lookups: 1}}
	spec := specOf(&workloads.Model{Name: "embedded", Layers: []workloads.Layer{layer}}, machine("gpu", 1))
	spec.Lookahead = lookahead
	spec.Lookups = []placement.LayerLookups{{Slots: cfg.Slots, Unique: 1, Misses: 1}}
	job := planned(t, spec, placement.Scheme{0})
	cfg.Rows, cfg.Future = trace.Rows(), trace
	job.Rounds = trace.Rounds()
	job.Embeddings = []Embedding{{Layer: 0, Trace: trace, Slots: cfg, RowBytes: 16}}
	return job
}

// links says what the edges of a random model move.
type links int

const (
	instant  links = iota // nothing, or a measured time: no transfer ever contends
	carrying              // bytes
)

// randomJob draws a small problem and a feasible plan.
func randomJob(t *rapid.T, kind links, chain bool, maxPools int) Job {
	layers := rapid.IntRange(1, 7).Draw(t, "layers")
	pools := rapid.IntRange(1, maxPools).Draw(t, "pools")
	var names []string
	var machines []hw.Pool
	for i := range pools {
		names = append(names, fmt.Sprintf("gpu%d", i))
		machines = append(machines, machine(names[i], 24))
		machines[i].Node.NIC.Latency = time.Duration(rapid.IntRange(0, 900).Draw(t, "latency"))
		machines[i].Node.Devices = rapid.IntRange(1, 3).Draw(t, "devices per node")
	}
	micro := rapid.IntRange(1, 3).Draw(t, "samples per micro-batch")
	span := func(what string) time.Duration { return time.Duration(rapid.IntRange(0, 5000).Draw(t, what)) }
	m := &workloads.Model{Name: "random"}
	for i := range layers {
		l := timed(i, span("forward")+100, span("backward"), micro, names...)
		l.Params = int64(rapid.IntRange(0, 2000).Draw(t, "params"))
		l.Parallel = float64(rapid.IntRange(0, 10).Draw(t, "alpha")) / 10
		m.Layers = append(m.Layers, l)
	}
	for to := 1; to < layers; to++ {
		for from := range to {
			if from != to-1 && (chain || rapid.IntRange(0, 3).Draw(t, "skip") > 0) {
				continue
			}
			e := workloads.Edge{From: from, To: to}
			if kind == carrying {
				e.Elements = float64(rapid.IntRange(0, 1500).Draw(t, "elements"))
			} else {
				e.Seconds = span("transfer").Seconds()
			}
			m.Edges = append(m.Edges, e)
		}
	}
	spec := specOf(m, machines...)
	spec.Microbatches = rapid.IntRange(1, 6).Draw(t, "microbatches")
	spec.Batch = micro * spec.Microbatches
	spec.Schedule = rapid.SampledFrom(pipeline.Schedules).Draw(t, "schedule")
	spec.Sync = rapid.SampledFrom([]placement.Sync{placement.Ring, placement.Server, placement.NoSync}).Draw(t, "sync")
	spec.Inference = rapid.Bool().Draw(t, "inference")
	spec.CommParallel = rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "beta")
	if !chain && spec.Schedule.Staleness == 0 {
		spec.Merge = rapid.SampledFrom([]placement.Merge{placement.Contiguous, placement.ByType}).Draw(t, "merge")
	}
	if rapid.Bool().Draw(t, "inside") {
		drawInside(t, &spec)
	}
	scheme := make(placement.Scheme, layers)
	for l := range scheme {
		scheme[l] = uint8(rapid.IntRange(0, pools-1).Draw(t, "pool"))
	}
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	pl := placement.NewEvaluator(p).Plan(scheme)
	if !pl.Fitness.Feasible {
		t.Fatalf("the fixture is infeasible: %s", pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: rapid.IntRange(1, 5).Draw(t, "rounds")}
}

// drawTogether has a layer measured on several devices together, with what updates take,
// or else leaves them a part of what one takes.
func drawTogether(t *rapid.T, ly *workloads.Layer) {
	if ly.OnlyProfiled = rapid.Bool().Draw(t, "together"); !ly.OnlyProfiled {
		return
	}
	var all []workloads.Profile
	for _, prof := range ly.Profiles {
		for degree := 1; degree <= 3; degree++ {
			point := prof.Points[0]
			point.Update = float64(rapid.IntRange(0, 1000).Draw(t, "update ns")) * 1e-9
			all = append(all, workloads.Profile{Device: prof.Device, Tensor: degree, Points: []workloads.ProfilePoint{point}})
		}
	}
	ly.Profiles = all
}

// drawInside draws how stages are shared, of what goes with the rest of the spec.
func drawInside(t *rapid.T, s *placement.Spec) {
	for l := range s.Model.Layers {
		ly := &s.Model.Layers[l]
		ly.Stored, ly.FLOPs = float64(rapid.IntRange(0, 1000).Draw(t, "stored")), 1000
		a := float64(rapid.IntRange(0, 4).Draw(t, "divided quarters")) / 4
		ly.Split = workloads.Amounts{FLOPs: 1000 * a, Params: float64(int(a * float64(ly.Params))), Stored: ly.Stored * a}
		ly.Core = workloads.Amounts{FLOPs: 250, Stored: ly.Stored / 2}
		ly.Reduce = workloads.Reduction{Times: 2, Elements: 100}
		ly.ReduceBack = ly.Reduce
		drawTogether(t, ly)
	}
	s.Tensor = make([]int, len(s.Cluster.Pools))
	for i := range s.Tensor {
		s.Tensor[i] = 1
		pool := &s.Cluster.Pools[i]
		if grouped := pool.Grouped(s.Cluster.Pools[0].Device); i > 0 && rapid.Bool().Draw(t, "group") && placement.CheckGroup(&grouped, 1, s.Sync) == nil {
			grouped.Name = pool.Name
			*pool = grouped
		}
		if rapid.Bool().Draw(t, "peer links") {
			pool.Node.PeerLink = hw.Link{Bandwidth: 5e9, Latency: 3 * time.Nanosecond}
		}
		if n := rapid.IntRange(2, 3).Draw(t, "tensor parallel"); placement.CheckTeam(pool, n, s.Sync) == nil && placement.CheckGroup(pool, n, s.Sync) == nil {
			s.Tensor[i] = n
		}
	}
	s.SequenceParallel = rapid.Bool().Draw(t, "sequence parallel")
	if s.Schedule.Staleness == 0 && rapid.Bool().Draw(t, "blocking") {
		s.Blocking, s.Eager = true, float64(rapid.IntRange(0, 4000).Draw(t, "eager"))
	}
	if rapid.Bool().Draw(t, "pieces") {
		s.ReplicaBatch = s.Batch / s.Microbatches
	}
	if s.Inference {
		return
	}
	if s.Sync == placement.Ring {
		s.Zero = rapid.IntRange(0, 3).Draw(t, "zero")
	}
	s.OverlapSync = rapid.Bool().Draw(t, "overlap")
	if s.Schedule.Delay == nil {
		s.Recompute = rapid.SampledFrom([]placement.Recompute{"", placement.Selective, placement.Full}).Draw(t, "recompute")
	}
}

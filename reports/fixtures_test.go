package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"stowage/hw/unit"
	"stowage/sim"
)

// Results made for tests. Their numbers are made up, but hang together as
// those of a run do: shares sum to 1, rounds follow each other, hits and misses
// make up the unique rows.

// smallResult is written by hand and small enough for golden files.
func smallResult() *sim.Result {
	return &sim.Result{
		Scenario: "ctr", Title: "Click-through model on 4 × V100 and 2 CPU sockets", Seed: 1, Version: "0.1.0",
		Replacement: "lru",
		Metrics: sim.Metrics{
			{Name: "throughput", Value: 123456.789, Unit: "samples/s"},
			{Name: "step_time", Value: 0.033178, Unit: "s"},
			{Name: "cost", Value: 0.0314159, Unit: "USD/Msamples"},
			{Name: "bubble_ratio", Value: 0.125, Unit: "ratio"},
			{Name: "hit_ratio", Value: 0.8125, Unit: "ratio"},
			{Name: "peak_memory", Value: 13 << 30, Unit: "B"},
			{Name: "fitness", Value: 123456.789},
			{Name: "evaluations", Value: 5120, Unit: "schemes"},
			{Name: "surprise", Value: 1.5, Unit: "%"},
		},
		Scheme: sim.Scheme{
			Placement: "genetic", Fitness: "recurrence", Objective: "throughput", Merge: "contiguous", Schedule: "1f1b",
			LayerNames: []string{"input", "embedding", "fc1", "fc2", "loss"},
			Layers:     []string{"xeon-6148", "v100-32", "v100-32", "v100-32", "v100-32"},
			Pools:      []string{"cpus", "gpus", "gpus", "gpus", "gpus"},
			Stages: []sim.Stage{
				{
					Device: "xeon-6148", Kind: "cpu", Pool: "cpus", First: 0, Last: 0, Layers: []int{0}, Devices: 2,
					Busy: 0.25, Idle: 0.75, Forward: 812500 * time.Nanosecond,
					Memory: sim.Memory{Activations: 96 << 20, Total: 96 << 20, Capacity: 192 << 30},
				},
				{
					Device: "v100-32", Kind: "gpu", Pool: "gpus", First: 1, Last: 4, Layers: []int{1, 2, 3, 4}, Devices: 4,
					Busy: 0.6875, Sync: 0.125, Stall: 0.0625, Idle: 0.125,
					Forward: 1250 * time.Microsecond, Backward: 2500 * time.Microsecond,
					Memory: sim.Memory{
						Weights: 1 << 30, Gradients: 1 << 30, Optimizer: 2 << 30, Activations: 1 << 30, Slots: 8 << 30,
						Total: 13 << 30, Capacity: 32 << 30,
					},
				},
			},
		},
		Search: &sim.Search{Evaluations: 5120, History: []sim.Generation{
			{Generation: 0, Evaluations: 64, Best: 90000, Mean: 50000, Feasible: 0.75},
			{Generation: 1, Evaluations: 128, Best: 123456.789, Mean: 81000, Feasible: 1},
		}},
		Rounds: smallRounds(), Timeline: smallTimeline(),
		Curves: []sim.Curve{{
			Layer: "embedding", Policy: "lru", RowBytes: 256, Rows: 33762577, Slots: 1 << 20,
			Points: []sim.CurvePoint{{Slots: 1 << 18, HitRatio: 0.5, Warm: 0.5625}, {Slots: 1 << 22, HitRatio: 0.75, Warm: 0.9375}},
		}},
	}
}

// tieredResult is smallResult with all that slot tables can do: rows that bypass
// them, devices that trade, a store below host memory, and stalls by cause.
func tieredResult() *sim.Result {
	r := smallResult()
	r.Title, r.Scenario = "Rows on flash, traded among four devices", "tiers"
	r.Metrics = append(r.Metrics,
		sim.Metric{Name: "bypass_ratio", Value: 0.0625, Unit: "ratio"},
		sim.Metric{Name: "peak_slots", Value: 1400, Unit: "slots"},
		sim.Metric{Name: "splits", Value: 1, Unit: "rounds"},
		sim.Metric{Name: "slot_waits", Value: 3, Unit: "rounds"})
	for i := range r.Rounds {
		s := r.Rounds[i].Slots
		s.Bypasses, s.Traded = s.Misses/16, s.Unique*3/4*256
		s.StoreReads, s.StoreWrites = s.Misses/2, s.WriteBacks/2
	}
	r.Links = []sim.Link{
		{Name: "leaf 0 -> spine 1", Bytes: 3_200_000_000, Use: 0.931, Busy: 0.98},
		{Name: "v100-32:3 -> leaf 0", Bytes: 812_000_000, Use: 0.25, Busy: 0.4},
	}
	r.Stalls = []sim.Stall{
		{Cause: "slots", Time: 2 * time.Millisecond, Share: 0.125},
		{Cause: "ssd", Time: 10 * time.Millisecond, Share: 0.625},
		{Cause: "link", Time: 4 * time.Millisecond, Share: 0.25},
	}
	return r
}

// leveledResult has finalists: the second one is the best simulated, the third cannot be
// simulated, the last misses a floor.
func leveledResult() *sim.Result {
	r := smallResult()
	r.Title, r.Scenario = "Three fidelities", "levels"
	at := func(v float64) *sim.Level { return &sim.Level{Value: v, Fitness: v} }
	finalist := func(k int, levels ...*sim.Level) sim.Finalist {
		return sim.Finalist{
			Layers: r.Scheme.Layers, Devices: []int{2, k},
			Stages:     []string{"2 xeon-6148: 0", fmt.Sprintf("%d v100-32: 1-4", k)},
			ClosedForm: levels[0], Recurrence: levels[1], Simulated: levels[2],
		}
	}
	r.Levels = &sim.Levels{Unit: "samples/s", Finalists: []sim.Finalist{
		finalist(4, at(130000), at(124000), at(120000)), finalist(3, at(130000), at(123000), at(123456.789)),
		finalist(8, at(128000), at(122500), nil), finalist(2, at(125000), at(121000), at(90000)),
	}}
	f := r.Levels.Finalists
	f[1].Target, f[2].Infeasible, f[3].Simulated.Misses = true, "no slot for 12 rows", true
	r.Levels.Rank()
	return r
}

func smallRounds() []sim.Round {
	hits := []int64{0, 500, 750, 900, 950}
	var rounds []sim.Round
	var now time.Duration
	for i, h := range hits {
		misses := 1000 - h
		step := 30*time.Millisecond + time.Duration(misses)*10*time.Microsecond
		rounds = append(rounds, sim.Round{
			Round: i + 1, Start: now, End: now + step, StepTime: step, Throughput: 4096 / step.Seconds(),
			Stall: time.Duration(misses) * 10 * time.Microsecond,
			Slots: &sim.SlotCounters{
				Lookups: 4096, Unique: 1000, Hits: h, Misses: misses, Evictions: misses / 4, WriteBacks: misses / 8,
				HitRatio: float64(h) / 1000, BytesIn: misses * 256, BytesOut: misses / 8 * 256, Used: 1000 + int64(i)*100,
			},
		})
		now += step
	}
	return rounds
}

// warmRounds makes n rounds whose slot tables warm up.
func warmRounds(n int, samples float64, noise float64) []sim.Round {
	rng := rand.New(rand.NewPCG(7, 11))
	var rounds []sim.Round
	var now time.Duration
	for i := range n {
		hit := 0.93 * (1 - math.Exp(-float64(i)/(0.12*float64(n)))) * (1 - 0.03*rng.Float64())
		unique := int64(180000 + rng.IntN(20000))
		hits := int64(hit * float64(unique))
		step := time.Duration((0.024 + 0.05*(1-hit)) * (1 + noise*rng.NormFloat64()) * 1e9)
		rounds = append(rounds, sim.Round{
			Round: i + 1, Start: now, End: now + step, StepTime: step, Throughput: samples / step.Seconds(),
			Stall: time.Duration(0.05 * (1 - hit) * 1e9),
			Slots: &sim.SlotCounters{
				Lookups: 4 * unique, Unique: unique, Hits: hits, Misses: unique - hits,
				Evictions: (unique - hits) * 3 / 4, WriteBacks: (unique - hits) / 2, HitRatio: float64(hits) / float64(unique),
				BytesIn: (unique - hits) * 256, BytesOut: (unique - hits) / 2 * 256, Used: 1 << 20,
			},
		})
		now += step
	}
	return rounds
}

func withoutSlots(rounds []sim.Round) []sim.Round {
	for i := range rounds {
		rounds[i].Slots = nil
	}
	return rounds
}

// schemeOf makes a scheme of n layers cut into the given stages.
func schemeOf(n int, names func(i int) string, stages ...sim.Stage) sim.Scheme {
	s := sim.Scheme{Placement: "genetic", Fitness: "recurrence", Objective: "throughput", Merge: "contiguous", Schedule: "1f1b"}
	for i := range n {
		s.LayerNames = append(s.LayerNames, names(i))
		s.Layers = append(s.Layers, "")
		s.Pools = append(s.Pools, "")
	}
	for k := range stages {
		st := &stages[k]
		st.Pool = st.Kind + "s"
		if len(st.Layers) == 0 {
			for i := st.First; i <= st.Last; i++ {
				st.Layers = append(st.Layers, i)
			}
		}
		for _, i := range st.Layers {
			s.Layers[i], s.Pools[i] = st.Device, st.Pool
		}
		st.Forward = time.Duration(k+1) * 731 * time.Microsecond
		st.Backward = 2 * st.Forward
		st.Memory = sim.Memory{Weights: 3 << 30, Total: unit.Bytes(k%5+3) * 2222 << 20, Capacity: 32 << 30}
	}
	s.Stages = stages
	return s
}

func ctrNames(i int) string {
	names := []string{"input", "embedding", "concat", "fc1", "fc2", "fc3", "fc4", "loss"}
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("fc%d", i)
}

func resnetNames(i int) string { return fmt.Sprintf("block%d.conv%d", i/3+1, i%3+1) }

// manyStages cuts n layers into k stages over the given device types.
func manyStages(n, k int, devices []string, kinds []string) []sim.Stage {
	rng := rand.New(rand.NewPCG(3, 5))
	var stages []sim.Stage
	for i := range k {
		busy := 0.35 + 0.5*rng.Float64()
		sync := (1 - busy) * 0.4 * rng.Float64()
		stall := 0.0
		if i%3 == 1 {
			stall = (1 - busy - sync) * 0.5
		}
		stages = append(stages, sim.Stage{
			Device: devices[i%len(devices)], Kind: kinds[i%len(kinds)], First: i * n / k, Last: (i+1)*n/k - 1, Devices: 1 + rng.IntN(8),
			Busy: busy, Sync: sync, Stall: stall, Idle: 1 - busy - sync - stall,
		})
	}
	return stages
}

func curveOf(layer string, rows int64, slots int, skew float64, row unit.Bytes) sim.Curve {
	c := sim.Curve{Layer: layer, Policy: "lru", RowBytes: row, Rows: rows, Slots: slots}
	for s := rows / 4096; s <= rows; s *= 2 {
		warm := math.Pow(float64(s)/float64(rows), skew)
		c.Points = append(c.Points, sim.CurvePoint{Slots: int(s), HitRatio: warm * 0.86, Warm: warm})
	}
	return c
}

func geneticHistory(n int, best float64) []sim.Generation {
	rng := rand.New(rand.NewPCG(1, 9))
	var h []sim.Generation
	top := 0.3 * best
	for g := range n {
		if rng.Float64() < 0.3 {
			top += (best - top) * 0.35 * rng.Float64()
		}
		h = append(h, sim.Generation{
			Generation: g, Evaluations: 64 * (g + 1), Best: top,
			Mean: top * (0.55 + 0.3*(1-math.Exp(-float64(g)/20)) + 0.02*rng.NormFloat64()), Feasible: min(1, 0.4+0.02*float64(g)),
		})
	}
	return h
}

// typicalResult is a warm-up of two stages over 300 rounds.
func typicalResult() *sim.Result {
	r := smallResult()
	r.Scheme = schemeOf(8, ctrNames,
		sim.Stage{Device: "xeon-6148", Kind: "cpu", First: 0, Last: 0, Devices: 2, Busy: 0.31, Idle: 0.69},
		sim.Stage{Device: "v100-32", Kind: "gpu", First: 1, Last: 7, Devices: 4, Busy: 0.62, Sync: 0.13, Stall: 0.21, Idle: 0.04})
	r.Rounds = warmRounds(300, 4096, 0.02)
	r.Metrics = append(r.Metrics, sim.Metric{Name: "recurrence_throughput", Value: 158000, Unit: "samples/s"})
	r.Search = &sim.Search{Evaluations: 64 * 80, History: geneticHistory(80, 158000)}
	r.Curves = []sim.Curve{curveOf("embedding", 1<<25, 1<<20, 0.22, 256)}
	for i := range 12 {
		x := 1000 * math.Pow(1.6, float64(i))
		r.Search.Front = append(r.Search.Front, sim.FrontPoint{Throughput: x, Cost: 0.02 * math.Pow(1.25, float64(i))})
	}
	r.Search.Target = &sim.FrontPoint{Throughput: 158000, Cost: 0.21}
	r.Resolved = "name = \"ctr\"\n\n[model]\nuse = \"ctrdnn\"\n"
	return r
}

// twelveStages has three kinds of devices and 36 layers.
func twelveStages() *sim.Result {
	r := typicalResult()
	r.Title, r.Scenario = "ResNet-like model over a mixed fleet", "mixed"
	r.Scheme = schemeOf(36, resnetNames, manyStages(36, 12,
		[]string{"v100-32", "xeon-6148", "ascend-910", "a100-40", "t4"}, []string{"gpu", "cpu", "npu", "gpu", "gpu"})...)
	r.Rounds = withoutSlots(warmRounds(60, 512, 0.01))
	r.Replacement, r.Curves = "", nil
	r.Search = &sim.Search{Evaluations: 250000, History: []sim.Generation{
		{Evaluations: 1, Best: 2100}, {Evaluations: 7, Best: 3500}, {Evaluations: 90, Best: 5100}, {Evaluations: 800, Best: 9800},
		{Evaluations: 12000, Best: 10900}, {Evaluations: 41000, Best: 11250},
	}}
	r.Metrics = sim.Metrics{{Name: "throughput", Value: 11250, Unit: "samples/s"}, {Name: "fitness", Value: 11250, Unit: "samples/s"}}
	return r
}

// oneRound has one of everything.
func oneRound() *sim.Result {
	r := smallResult()
	r.Title = "One round"
	r.Scheme = schemeOf(1, func(int) string { return "all" },
		sim.Stage{Device: "h100", Kind: "gpu", First: 0, Last: 0, Devices: 1, Busy: 1})
	r.Rounds = smallRounds()[:1]
	r.Search = &sim.Search{Evaluations: 1, History: []sim.Generation{{Evaluations: 1, Best: 107789}}}
	r.Curves[0].Points = r.Curves[0].Points[:1]
	return r
}

// hostileResult has everything that a scenario's author may type.
func hostileResult() *sim.Result {
	r := typicalResult()
	long := strings.Repeat("a-very-long-name-", 4)[:60]
	r.Title = "<script>alert(1)</script> & \"quotes\" ]]> \x1b[31mred\x07 日本語 " + strings.Repeat("long ", 40)
	r.Scenario = "dir/with space/\"ctr\"=\n1\x00"
	r.Scheme = schemeOf(60, func(i int) string { return fmt.Sprintf("%s-%d", long[:57], i) },
		manyStages(60, 9, []string{long, long[:50] + "b", "v100-32", "µ-cpu"}, []string{"gpu", "npu", "gpu", "cpu"})...)
	r.Scheme.Placement = "genetic 日本\x7f"
	r.Rounds = append(withoutSlots(warmRounds(40, 4096, 0.02)), warmRounds(5, 4096, 0.02)...)
	for i := range r.Rounds {
		r.Rounds[i].Round = i + 1
		r.Rounds[i].Throughput = math.Pow(10, 3+6*float64(i)/44)
	}
	r.Curves = nil
	for i := range 26 {
		r.Curves = append(r.Curves, curveOf(fmt.Sprintf("%s-%d", long[:57], i), 1<<(12+i%14), 1<<(8+i%14), 0.15+0.02*float64(i), unit.Bytes(64<<(i%2))))
	}
	r.Stalls = []sim.Stall{{Cause: "a cause of the future\x1b" + long, Time: time.Hour, Share: 1}}
	for i := range r.Search.History {
		r.Search.History[i].Best = math.Pow(10, 3+6*float64(i)/79)
		r.Search.History[i].Mean = r.Search.History[i].Best / 3
	}
	return r
}

// largeResult has very many rounds, layers and stages.
func largeResult() *sim.Result {
	r := typicalResult()
	r.Title = "Very many of everything"
	r.Rounds = warmRounds(5000, 4096, 0.08)
	r.Scheme = schemeOf(420, func(i int) string { return fmt.Sprintf("layer%d", i) },
		manyStages(420, 70, []string{"a100-40", "a100-80", "h100", "v100-16", "v100-32", "t4"}, []string{"gpu"})...)
	return r
}

// byTypeResult has stages that leave out layers between their first and last.
func byTypeResult() *sim.Result {
	r := typicalResult()
	r.Title = "Stages by device type"
	r.Scheme = schemeOf(20, ctrNames,
		sim.Stage{Device: "xeon-6148", Kind: "cpu", First: 0, Last: 18, Layers: []int{0, 1, 6, 7, 18}, Devices: 2, Busy: 0.31, Idle: 0.69},
		sim.Stage{Device: "v100-32", Kind: "gpu", First: 2, Last: 19, Layers: []int{2, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19}, Devices: 4, Busy: 0.62, Sync: 0.13, Stall: 0.004, Idle: 0.246})
	r.Scheme.Merge = "by-type"
	r.Scheme.Servers = &sim.Servers{Device: "xeon-6148", Pool: "cpus", Devices: 2}
	r.Curves = []sim.Curve{curveOf("user", 1<<25, 1<<20, 0.22, 256), curveOf("item", 1<<22, 1<<18, 0.35, 128), curveOf("query", 1<<18, 1<<18, 0.5, 64)}
	for i := range r.Search.History {
		r.Search.History[i].Best = -1 / (1 + float64(i))
		r.Search.History[i].Mean = -2 / (1 + float64(i)/4)
	}
	r.Scheme.Objective = "cost"
	return r
}

// sweepOf makes a sweep: hit ratio grows with slots up to ceiling, and throughput with it.
func sweepOf(rows int64, sizes []int, policies map[string]float64, order []string) *sim.Sweep {
	s := &sim.Sweep{Layer: "embedding", RowBytes: 512, Rows: rows, Devices: []sim.SweepDevice{{Device: "v100-32", Slots: 32 << 30 / 512}}}
	for _, name := range order {
		for _, n := range sizes {
			h := 0.97 * math.Pow(float64(n)/float64(rows), policies[name])
			s.Points = append(s.Points, sim.SweepPoint{
				Pool: "gpus", Device: "v100-32", Kind: "gpu", Replacement: name, Slots: n, HitRatio: h, LookupHits: math.Sqrt(h),
				Throughput: 60000 / (0.35 + 1.4*(1-h)),
			})
		}
	}
	s.Points = append(s.Points, sim.SweepPoint{Pool: "cpus", Device: "xeon-6148", Kind: "cpu", Throughput: 61234})
	return s
}

// sweptResult sweeps two replacement policies, a few sizes, one of which does not fit.
func sweptResult() *sim.Result {
	r := typicalResult()
	sizes := []int{1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24}
	r.Sweep = sweepOf(1<<25, sizes, map[string]float64{"lru": 0.22, "sieve": 0.18}, []string{"lru", "sieve"})
	r.Sweep.Points = append(r.Sweep.Points, sim.SweepPoint{
		Pool: "gpus", Device: "v100-32", Kind: "gpu", Replacement: "lru", Slots: 1 << 26, Infeasible: "33 GiB of slots do not fit 32 GiB",
	})
	return r
}

// widelySweptResult sweeps every kind of policy on two pools of accelerators,
// measured against a dozen device types.
func widelySweptResult() *sim.Result {
	r := typicalResult()
	r.Title = "Every replacement policy at once"
	order := []string{"lru", "fifo", "lfu", "clock", "sieve", "slru", "2q", "arc", "lirs", "s3-fifo", "w-tinylfu", "gdsf", "lru-lfu", "lookahead", "static", "min"}
	skew := map[string]float64{}
	for i, name := range order {
		skew[name] = 0.3 - 0.012*float64(i)
	}
	r.Sweep = sweepOf(1<<28, []int{1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 27}, skew, order)
	r.Sweep.Points = append(r.Sweep.Points,
		sim.SweepPoint{Pool: "npus", Device: "ascend-910", Kind: "npu", Replacement: "lru", Slots: 1 << 22, HitRatio: 0.31, Throughput: 43000},
		sim.SweepPoint{Pool: "npus", Device: "ascend-910", Kind: "npu", Replacement: "lru", Slots: 1 << 25, HitRatio: 0.62, Throughput: 74000},
		sim.SweepPoint{Pool: "milan", Device: "epyc-7763", Kind: "cpu", Throughput: 84000})
	r.Sweep.Devices = nil
	for i, d := range []string{"rtx-2080ti", "t4", "v100-16", "p40", "rtx-3090", "titan-rtx", "ascend-910", "v100-32", "a100-40", "a100-80", "h100-80", "gh200"} {
		gib := []int64{11, 16, 16, 24, 24, 24, 32, 32, 40, 80, 80, 89}[i]
		r.Sweep.Devices = append(r.Sweep.Devices, sim.SweepDevice{Device: d, Slots: gib << 30 / 512})
	}
	return r
}

// oddSweep has one size, no crossing, and device types far off.
func oddSweep() *sim.Result {
	r := hostileResult()
	r.Sweep = sweepOf(1<<12, []int{37}, map[string]float64{"lru": 0.9}, []string{"lru"})
	r.Sweep.Layer = strings.Repeat("long layer ", 10)
	r.Sweep.Points[0].Pool = strings.Repeat("pool", 20)
	for i := range 5 {
		r.Sweep.Devices = append(r.Sweep.Devices, sim.SweepDevice{Device: strings.Repeat("wide", 20), Slots: 1 << (4 * i)})
	}
	return r
}

func allResults() map[string]*sim.Result {
	return map[string]*sim.Result{
		"small": smallResult(), "typical": typicalResult(), "twelve": twelveStages(), "one": oneRound(),
		"hostile": hostileResult(), "large": largeResult(), "bytype": byTypeResult(),
		"leveled": leveledResult(), "asked": askedResult(), "tiered": tieredResult(), "swept": sweptResult(), "wide": widelySweptResult(), "odd": oddSweep(),
	}
}

// askedResult has answers to all questions about variations.
func askedResult() *sim.Result {
	r := smallResult()
	r.Scheme.Objective = "cost"
	choice := func(cpus, gpus int, throughput, price float64) sim.Choice {
		return sim.Choice{
			Stages:  []string{fmt.Sprintf("%d cpus: 0-1", cpus), fmt.Sprintf("%d gpus: 2-4", gpus)},
			Devices: []sim.PoolDevices{{Pool: "cpus", Devices: cpus}, {Pool: "gpus", Devices: gpus}},
			Fitness: 3600 * throughput / price / 1e6, Throughput: throughput, Price: price, Cost: 1e6 * price / 3600 / throughput,
		}
	}
	per := 0.75
	none := sim.Choice{Infeasible: "max_price is 5 USD/h, its devices cost 9"}
	r.WhatIf = &sim.WhatIf{
		Price: &sim.PriceAnswer{Pool: "gpus", Present: 2.5, Asked: sim.Asked{Searches: 5, Evaluations: 80}, Ranges: []sim.PriceRange{
			{From: 0.5, To: 1.23456789, Choice: choice(1, 4, 120000, 5)},
			{From: 1.23456789, To: 3, Choice: choice(2, 1, 60000, 3.5)},
			{From: 3, To: 25, Choice: none},
		}},
		Node: &sim.NodeAnswer{Without: choice(1, 2, 100000, 6), Asked: sim.Asked{Searches: 4, Evaluations: 64}, With: []sim.NodeGain{
			{Pool: "free", Devices: 1, Choice: choice(1, 2, 110000, 6), Gain: 6},
			{Pool: "gpus", Devices: 8, Price: 20, Choice: choice(1, 10, 160000, 8), Gain: 12, PerUSD: &per},
			{Pool: "cpus", Devices: 2, Price: 1, Choice: none, Gain: 0, PerUSD: new(float64)},
		}},
		Cluster: &sim.ClusterAnswer{
			Throughput: 90000, Limits: []sim.PoolDevices{{Pool: "cpus", Devices: 8}, {Pool: "gpus", Devices: 16}},
			Choice: choice(1, 2, 100000, 6), Asked: sim.Asked{Searches: 1, Evaluations: 16},
		},
	}
	return r
}

// smallTimeline is a step of two stages and two micro-batches, made by hand.
func smallTimeline() *sim.Timeline {
	us := func(v float64) time.Duration { return time.Duration(v * 1000) }
	line := &sim.Timeline{
		Round: 6, From: us(1000), To: us(1100.25),
		Tracks: []sim.Track{
			{Name: "stage 1: cpus × 2"}, {Name: "stage 2: gpus × 4", Stage: 1},
			{Name: "link 1 → 2", To: 1, Link: true}, {Name: "link 2 → 1", Stage: 1, Link: true},
			{Name: "rows into stage 2", Stage: 1, Rows: true},
		},
	}
	add := func(kind sim.SpanKind, track, segment, to, micro, round int32, start, end float64) {
		line.Spans = append(line.Spans, sim.Span{
			Start: us(1000 + start), End: us(1000 + end), Track: track, Segment: segment, To: to, Micro: micro, Round: round, Kind: kind,
		})
	}
	add(sim.SpanSync, 0, -1, -1, -1, 5, -10, 2)
	add(sim.SpanForward, 0, 0, -1, 0, 6, 2, 12)
	add(sim.SpanFetch, 4, -1, -1, -1, 6, 3, 30)
	add(sim.SpanFetch, 4, -1, -1, -1, 6, 5, 15.5)
	add(sim.SpanForward, 0, 0, -1, 1, 6, 12, 22)
	add(sim.SpanActivation, 2, 0, 1, 0, 6, 12, 20)
	add(sim.SpanStall, 1, -1, -1, -1, 6, 20, 30)
	add(sim.SpanActivation, 2, 0, 1, 1, 6, 22, 30)
	add(sim.SpanForward, 1, 1, -1, 0, 6, 30, 35)
	add(sim.SpanBackward, 1, 1, -1, 0, 6, 35, 45)
	add(sim.SpanForward, 1, 1, -1, 1, 6, 45, 50)
	add(sim.SpanGradient, 3, 1, 0, 0, 6, 45, 53)
	add(sim.SpanBackward, 1, 1, -1, 1, 6, 50, 60)
	add(sim.SpanBackward, 0, 0, -1, 0, 6, 53, 73)
	add(sim.SpanGradient, 3, 1, 0, 1, 6, 60, 68)
	add(sim.SpanWeight, 1, 1, -1, 1, 6, 60, 66)
	add(sim.SpanSync, 1, -1, -1, -1, 6, 66, 90)
	add(sim.SpanBackward, 0, 0, -1, 1, 6, 73, 93)
	add(sim.SpanForward, 1, 2, -1, 0, 7, 95, 105)
	line.Memory = []sim.StageMemory{
		{Stage: 0, Points: []sim.MemoryPoint{{At: us(1000)}, {At: us(1002), Activations: 48 << 20}, {At: us(1012), Activations: 96 << 20}, {At: us(1093)}}},
		{Stage: 1, Points: []sim.MemoryPoint{{At: us(1000)}, {At: us(1012), Buffers: 1 << 28}, {At: us(1030), Activations: 1 << 30}, {At: us(1066)}}},
	}
	return line
}

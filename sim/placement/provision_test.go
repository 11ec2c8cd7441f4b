package placement

import (
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw/unit"
)

// drawSpec draws a small problem: nodes of 1 to 4 devices, memory that may need
// several devices a stage, slot tables or whole tables, any schedule.
func drawSpec(t *rapid.T, maxLayers, maxPools, maxCount int) Spec {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "model"), 1))
	m := randomModel(r, rapid.IntRange(1, maxLayers).Draw(t, "layers"))
	for i := range m.Edges {
		switch r.IntN(8) {
		case 0:
			m.Edges[i].Seconds = 1e-4 * r.Float64() // measured
		case 1:
			m.Edges[i].Elements *= r.Float64() // a part of the output
		}
	}
	c := cluster()
	for i := range rapid.IntRange(1, maxPools).Draw(t, "pools") {
		pool := cpuPool("pool"+string(rune('a'+i)), 1, 1)
		if rapid.Bool().Draw(t, "gpu") {
			pool = gpuPool(pool.Name, 1, 1)
			pool.Device.Memory.Capacity = unit.Bytes(rapid.SampledFrom([]int64{1 << 24, 1 << 27, 1 << 34}).Draw(t, "memory"))
		}
		pool.Count = rapid.IntRange(1, maxCount).Draw(t, "count")
		pool.Node.Devices = rapid.IntRange(1, 4).Draw(t, "per node")
		pool.Price = unit.Price(rapid.SampledFrom([]float64{0.1, 0.3, 1, 2.5}).Draw(t, "price"))
		pool.Node.NIC.Bandwidth = unit.Rate(rapid.SampledFrom([]float64{1e8, 1e9, 1e10}).Draw(t, "nic"))
		c.Pools = append(c.Pools, pool)
	}
	s := spec(m, c)
	s.Schedule = rapid.SampledFrom(flushed()).Draw(t, "schedule")
	s.Merge = rapid.SampledFrom([]Merge{Contiguous, ByType, Convex}).Draw(t, "merge")
	s.Objective = rapid.SampledFrom([]Objective{Throughput, Cost, Time}).Draw(t, "objective")
	s.Communication = rapid.SampledFrom([]Communication{"", Overlap, Added}).Draw(t, "communication")
	s.CommParallel = rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "beta")
	s.Microbatches = rapid.SampledFrom([]int{1, 4, 8}).Draw(t, "microbatches")
	s.Inference = rapid.Bool().Draw(t, "inference")
	if !s.Inference && rapid.Bool().Draw(t, "servers") {
		s.Sync, s.Servers = Server, rapid.IntRange(1, len(c.Pools)).Draw(t, "pool of servers")
	}
	if rapid.Bool().Draw(t, "slots") {
		s.Lookahead = rapid.IntRange(0, 2).Draw(t, "lookahead")
		s.Lookups = make([]LayerLookups, len(m.Layers))
		for l := range m.Layers {
			if m.Layers[l].Sparse() {
				u := float64(rapid.IntRange(1, 1_000_000).Draw(t, "unique"))
				lk := LayerLookups{Slots: 100_000, Unique: u, Misses: u / 3, WriteBacks: u / 4}
				if rapid.Bool().Draw(t, "more") {
					lk.Bypasses, lk.Dumped, lk.StoreReads, lk.StoreWrites, lk.StagedUp = u/5, u/6, u/7, u/8, u/9
				}
				lk.Most, lk.MostWhy = rapid.IntRange(0, maxCount).Draw(t, "most"), "its slots"
				s.Lookups[l] = lk
			}
		}
		s.Store = func(_ int, rows, bytes float64) float64 { return rows/1e7 + bytes/1e9 }
	}
	if rapid.Bool().Draw(t, "inside") {
		drawInside(t, r, &s)
	}
	return s
}

// drawBounds puts a floor or caps around what the best scheme without them reaches.
func drawBounds(t *rapid.T, s *Spec, f Fitness) {
	share := func(name string, v float64) float64 {
		if !rapid.Bool().Draw(t, name) {
			return 0
		}
		return v * rapid.Float64Range(0.3, 1.3).Draw(t, name+" share")
	}
	s.MinThroughput = share("floor", f.Throughput)
	s.MaxPrice = share("max price", f.Price)
	s.MaxCost = share("max cost", f.Cost)
}

// bruteForce evaluates every vector of devices, with every number of servers.
func bruteForce(ev *Evaluator) (best Fitness) {
	p, n := ev.p, len(ev.stages)
	for l, i := range ev.stageOf {
		if p.work[ev.stages[i].pool*p.layers+l].refused {
			return best
		}
	}
	if p.Merge == Convex && circular(p.Model.Edges, ev.stageOf) {
		return best
	}
	k := make([]int, n)
	used := make([]int, p.pools)
	var visit func(i int)
	visit = func(i int) {
		if i == n {
			seconds, price, bytes := 0.0, 0.0, 0.0
			for j := range k {
				seconds = max(seconds, ev.stepTime(j, k[j]))
				price += float64(k[j]) * p.price[ev.stages[j].pool]
				bytes += 2 * float64(k[j]) * ev.params(j) * float64(elementBytes(p.Precision))
			}
			for f := range twinServers(p, used, seconds, price, bytes) {
				if f.Feasible && (!best.Feasible || f.Value > best.Value) {
					best = f
				}
			}
			return
		}
		st := &ev.stages[i]
		for k[i] = 1; used[st.pool]+k[i] <= p.count[st.pool]; k[i]++ {
			if p.need(st, k[i]) > p.memory[st.pool] || st.most > 0 && k[i] > st.most {
				continue
			}
			used[st.pool] += k[i]
			visit(i + 1)
			used[st.pool] -= k[i]
		}
	}
	visit(0)
	return best
}

// twinServers yields the fitness with every number of servers that the devices
// used leave: with none where there are none.
func twinServers(p *Problem, used []int, seconds, price, bytes float64) iter.Seq[Fitness] {
	return func(yield func(Fitness) bool) {
		if p.Servers == 0 {
			yield(p.fitness(seconds, price))
			return
		}
		pool := &p.Cluster.Pools[p.Servers-1]
		for n := 1; used[p.Servers-1]+n <= pool.Count; n++ {
			step := max(seconds, bytes/(float64(pool.Ports(n))*float64(pool.Node.NIC.Bandwidth)))
			if !yield(p.fitness(step, price+float64(n)*float64(pool.Price))) {
				return
			}
		}
	}
}

// TestProvisionIsOptimal compares the ladder with every vector of devices, and
// the jumps that large clusters take with climbing from the bottom.
func TestProvisionIsOptimal(t *testing.T) {
	fits, bounded := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 6, 3, 6)
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 2))
		sc := randomScheme(r, p.layers, p.pools, 0.5)
		if f := NewEvaluator(p).ClosedForm(sc); f.Feasible {
			drawBounds(t, &s, f)
			if p, err = NewProblem(s); err != nil {
				t.Fatal(err)
			}
		}
		for range 8 {
			if got := checkProvision(t, p, sc); got.Feasible {
				fits++
				if s.MinThroughput+s.MaxPrice+s.MaxCost > 0 {
					bounded++
				}
			}
			sc = randomScheme(r, p.layers, p.pools, 0.5)
		}
	})
	if fits == 0 || bounded == 0 {
		t.Errorf("%d feasible draws, %d of them with a floor or caps: the test tests nothing", fits, bounded)
	}
}

func checkProvision(t rapid.TB, p *Problem, sc Scheme) Fitness {
	ev := NewEvaluator(p)
	ev.jump = math.MaxInt
	got := ev.ClosedForm(sc)
	devices := slices.Clone(ev.best[:len(ev.stages)])
	want := bruteForce(ev)
	if got.Feasible != want.Feasible || (want.Feasible && math.Abs(got.Value-want.Value) > 1e-12*want.Value) {
		t.Fatalf("scheme %v: devices %v give %+v; the best of all is %+v", sc, devices, got, want)
	}
	if !got.Feasible && !(got.Value <= -1) {
		t.Fatalf("infeasible with value %v", got.Value)
	}
	ev.jump = -1
	if jumped := ev.ClosedForm(sc); jumped != got || (got.Feasible && !slices.Equal(devices, ev.best[:len(ev.stages)])) {
		t.Fatalf("scheme %v: climbing gives %v %+v, jumping %v %+v", sc, devices, got, ev.best[:len(ev.stages)], jumped)
	}
	return got
}

// TestCheapestOfAll is the same for the cost objective on instances where the
// cheapest devices are seldom the fewest, so that giving up early shows.
func TestCheapestOfAll(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for range 400 {
		s := spec(randomModel(r, 6), cluster(cpuPool("c", 6, 0.3), gpuPool("g", 6, 0.3+r.Float64())))
		s.Objective = Cost
		if r.IntN(2) == 0 {
			s.MinThroughput = 1e5 * r.Float64()
		}
		p := mustProblem(t, s)
		checkProvision(t, p, randomScheme(r, 6, 2, 0.3))
	}
}

// TestProvisionLargePools: bisection and climbing agree where climbing is long.
func TestProvisionLargePools(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		s := spec(randomModel(r, 10), cluster(cpuPool("c", 3000, 0.5), gpuPool("g", 2000, 3)))
		if r.IntN(2) == 0 {
			s.MaxPrice = 100 + 1000*r.Float64()
		}
		p := mustProblem(t, s)
		ev := NewEvaluator(p)
		sc := randomScheme(r, 10, 2, 0.3)
		ev.jump = math.MaxInt
		climbed := ev.ClosedForm(sc)
		ev.jump = 0
		if jumped := ev.ClosedForm(sc); jumped != climbed {
			t.Errorf("%v: climbing gives %+v, jumping %+v", sc, climbed, jumped)
		}
	}
}

// TestCapsHoldToTheDigit: three devices at 0.1 fit under 0.3.
func TestCapsHoldToTheDigit(t *testing.T) {
	s := spec(randomModel(rand.New(rand.NewPCG(1, 1)), 3), cluster(cpuPool("c", 8, 0.1)))
	s.MaxPrice = 0.3
	if pl := NewEvaluator(mustProblem(t, s)).Plan(Scheme{0, 0, 0}); !pl.Fitness.Feasible || pl.Stages[0].Devices != 3 {
		t.Errorf("%+v, %s", pl.Stages, pl.Reason)
	}
}

// TestClosedFormAllocatesNothing, whatever the objective.
func TestClosedFormAllocatesNothing(t *testing.T) {
	for _, o := range []Objective{Throughput, Cost, Time} {
		s := spec(randomModel(rand.New(rand.NewPCG(1, 1)), 16), cluster(cpuPool("c", 16, 0.5), gpuPool("g", 16, 3)))
		s.Objective, s.MinThroughput, s.MaxPrice = o, 10, 40
		p := mustProblem(t, s)
		ev, schemes := NewEvaluator(p), benchSchemes(p, 0.5)
		i := 0
		if n := testing.AllocsPerRun(1000, func() { ev.ClosedForm(schemes[i&255]); i++ }); n != 0 {
			t.Errorf("%s: %v allocations a scheme", o, n)
		}
	}
}

package placement

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/workloads"
)

var wild = flag.Int("wild", 1200, "instances of TestExactWild")
var wildSeed = flag.Int("wild-seed", 0, "first instance of TestExactWild")

// oneOf draws one of the values.
func oneOf[T any](r *rand.Rand, values ...T) T { return values[r.IntN(len(values))] }

// wildCluster has pools of every kind: of one device or of many nodes, free,
// twins of each other in all or in all but their network ports, host sockets of
// others, short of memory.
func wildCluster(r *rand.Rand, pools int, free bool) *hw.Cluster {
	var c hw.Cluster
	for t := range pools {
		if t > 0 && r.IntN(4) == 0 { // a twin
			twin := c.Pools[r.IntN(t)]
			twin.Name, twin.Inside = fmt.Sprint("twin", t), ""
			twin.Node.NIC.Bandwidth *= oneOf[unit.Rate](r, 1, 1, 1e-3)
			twin.Node.NIC.Latency *= oneOf[time.Duration](r, 1, 1, 200)
			c.Pools = append(c.Pools, twin)
			continue
		}
		pool := cpuPool(fmt.Sprint("c", t), 1, 1)
		if r.IntN(2) == 0 {
			pool = gpuPool(fmt.Sprint("g", t), 1, 1)
			pool.Device.Overhead = oneOf(r, 0, 0, pool.Device.Overhead)
			if r.IntN(3) == 0 {
				pool.Device.Memory.Capacity = unit.Bytes(math.Pow(10, 6+4*r.Float64()))
			}
		} else if t > 0 && c.Pools[t-1].Inside == "" && c.Pools[t-1].Device.Kind.Accelerator() && r.IntN(2) == 0 {
			pool.Inside = c.Pools[t-1].Name
		}
		pool.Count = oneOf(r, 1, 1+r.IntN(4), 1+r.IntN(12), 40)
		pool.Node.Devices = oneOf(r, 1, 2, 4, 8)
		pool.Price = unit.Price(math.Round(100*r.Float64()+1) / 20)
		if free && r.IntN(4) == 0 {
			pool.Price = 0
		}
		if r.IntN(3) == 0 {
			pool.Node.NIC.Bandwidth *= unit.Rate(math.Pow(10, -3*r.Float64()))
		}
		c.Pools = append(c.Pools, pool)
	}
	return &c
}

// wildModel is randomModel with more skip edges, layers as short as nanoseconds,
// and layers that were measured on some device types only.
func wildModel(r *rand.Rand, layers int, c *hw.Cluster) *workloads.Model {
	m := randomModel(r, layers)
	short := oneOf(r, 1, 1, 1e-2, 1e-4)
	slow, large := math.Pow(10, 3*r.Float64()), math.Pow(10, 4*r.Float64())
	chain := r.IntN(2) == 0
	m.Edges = slices.DeleteFunc(m.Edges, func(e workloads.Edge) bool { return chain && e.To > e.From+1 })
	for k := range layers {
		for l := k + 2; l < layers && !chain; l++ {
			if r.IntN(2*layers) == 0 && !slices.ContainsFunc(m.Edges, func(e workloads.Edge) bool { return e.From == k && e.To == l }) {
				m.Edges = append(m.Edges, workloads.Edge{From: k, To: l, Elements: m.Layers[k].Output})
			}
		}
	}
	for l := range m.Layers {
		ly := &m.Layers[l]
		ly.FLOPs, ly.Traffic, ly.Output = ly.FLOPs*short, ly.Traffic*short, ly.Output*slow
		ly.Stored *= large
		if r.IntN(12) == 0 {
			ly.OnlyProfiled = true
			for i := range c.Pools {
				if r.IntN(5) > 0 && ly.Profile(c.Pools[i].Device.Name, 1) == nil {
					ly.Profiles = append(ly.Profiles, workloads.Profile{Device: c.Pools[i].Device.Name,
						Points: []workloads.ProfilePoint{{Batch: 1 + r.IntN(128), Forward: short * 1e-3 * r.Float64(), Backward: short * 1e-3 * r.Float64()}}})
				}
			}
		}
		if r.IntN(6) == 0 {
			ly.Parallel = r.Float64()
		}
	}
	for i := range m.Edges {
		e := &m.Edges[i]
		e.Elements *= slow * oneOf(r, 0.5, 1, 1)
		if r.IntN(8) == 0 {
			e.Seconds = short * 1e-4 * r.Float64()
		}
	}
	return m
}

// wildLookups puts slot tables before some of the sparse layers.
func wildLookups(r *rand.Rand, s *Spec) {
	s.Lookups = make([]LayerLookups, len(s.Model.Layers))
	s.Lookahead, s.HostState = r.IntN(3), r.IntN(3) == 0
	for l := range s.Lookups {
		if !s.Model.Layers[l].Sparse() || r.IntN(4) == 0 {
			continue
		}
		u := float64(1 + r.IntN(1_000_000))
		lk := LayerLookups{Slots: 1 + r.IntN(200_000), Unique: u, Misses: u * r.Float64(), WriteBacks: u * r.Float64()}
		if r.IntN(2) == 0 {
			lk.Bypasses, lk.Dumped, lk.StoreReads, lk.StoreWrites, lk.StagedUp = u/5, u/6, u/7, u/8, u/9
			lk.Hosted = int64(1 + r.IntN(1<<24))
		}
		if r.IntN(2) == 0 {
			lk.Most, lk.MostWhy = 1+r.IntN(6), "its slots"
		}
		if r.IntN(8) == 0 {
			lk.Refused = "no table of this size"
		}
		s.Lookups[l] = lk
	}
	if r.IntN(2) == 0 {
		s.Store = func(_ int, rows, bytes float64) float64 { return rows/1e7 + bytes/1e9 }
	}
	if r.IntN(3) == 0 {
		s.Trade = func(layer, pool, devices int) (pull, push float64) {
			v := 1e-5 * float64(1+layer) * float64(devices-1) / float64(devices)
			return v, v / 2
		}
	}
	if r.IntN(3) == 0 {
		s.Input, s.Sequential = 1e-3*r.Float64(), r.IntN(2) == 0
	}
}

// wildSpec is a problem of any kind that NewProblem takes, small enough to
// enumerate, and the fidelity of a search on it.
func wildSpec(r *rand.Rand) (Spec, Fidelity) {
	pools := 1 + r.IntN(4)
	layers := 1 + r.IntN(map[int]int{1: 9, 2: 9, 3: 6, 4: 5}[pools])
	objective := oneOf(r, Throughput, Cost, Time)
	c := wildCluster(r, pools, objective != Cost)
	s := spec(wildModel(r, layers, c), c)
	s.Objective, s.Merge = objective, oneOf(r, Contiguous, Contiguous, ByType, Convex)
	s.Microbatches = oneOf(r, 1, 2, 8, 16, 64)
	s.Batch = s.Microbatches * oneOf(r, 1, 2, 3, 16, 128)
	s.Schedule = pipeline.Schedules[r.IntN(len(pipeline.Schedules))]
	s.Inference, s.CommParallel = r.IntN(5) == 0, oneOf(r, 0, 0.5, 1, 1, r.Float64())
	s.Sync = oneOf(r, NoSync, Ring, Server)
	s.Precision, s.Optimizer = oneOf(r, hw.FP32, hw.FP32, hw.FP16), oneOf(r, SGD, AdaGrad, Adam)
	if s.Sync == Server && !s.Inference && r.IntN(2) == 0 {
		s.Servers = 1 + r.IntN(pools)
	}
	fidelity := oneOf(r, ClosedForm, Recurrence)
	if fidelity == ClosedForm && r.IntN(4) == 0 {
		s.Communication = Added
	}
	if r.IntN(3) == 0 {
		wildLookups(r, &s)
	}
	if r.IntN(5) == 0 {
		s.Only = make([]int, layers)
		s.Only[r.IntN(layers)] = 1 + r.IntN(pools)
	}
	if r.IntN(4) == 0 {
		s.Reserved = reservedSome(r, c)
	}
	return s, fidelity
}

// wildCaps puts a floor or caps around what the best scheme reaches.
func wildCaps(r *rand.Rand, s *Spec, f Fitness) {
	near := func() float64 { return oneOf(r, 1, 0.3+r.Float64()) }
	for _, c := range []struct {
		limit *float64
		value float64
	}{{&s.MinThroughput, f.Throughput}, {&s.MaxPrice, f.Price}, {&s.MaxCost, f.Cost}} {
		if r.IntN(3) == 0 {
			*c.limit = c.value * near()
		}
	}
}

// TestExactWild: whatever the problem, exact finds what exhaustive finds, and no
// bound is below it.
func TestExactWild(t *testing.T) {
	defer func(was, counts int) {
		exactEnumerates, exactClimbs, countsPerComparison = was, true, counts
	}(exactEnumerates, countsPerComparison)
	feasible, capped, open, refused := 0, 0, 0, 0
	for i := *wildSeed; i < *wildSeed+*wild; i++ {
		r := rand.New(rand.NewPCG(uint64(i), 5))
		s, fidelity := wildSpec(r)
		exactEnumerates, exactClimbs = oneOf(r, 0, 0, 0, 1<<17), r.IntN(3) == 0
		countsPerComparison = oneOf(r, countsPerComparison, 1<<60) // all by tables
		p, err := NewProblem(s)
		if err != nil { // schedules and merges that do not go together
			if refused++; refused > 100+*wild/5 {
				t.Fatalf("%d: %v", i, err)
			}
			continue
		}
		if f := outcomeOf(t, "exhaustive", p, fidelity).Fitness; f.Feasible && r.IntN(2) == 0 {
			wildCaps(r, &s, f)
			p = mustProblem(t, s)
			capped++
		}
		best := outcomeOf(t, "exhaustive", p, fidelity)
		if best.Fitness.Feasible {
			feasible++
		}
		if !wildExact(t, i, p, fidelity, best.Fitness) {
			open++
		}
		wildBounds(t, i, p, fidelity, best.Fitness)
	}
	t.Logf("%d feasible, %d with a floor or caps, %d not proven, %d refused", feasible, capped, open, refused)
}

// wildExact compares exact with the optimum. It is false when exact gave up.
func wildExact(t *testing.T, i int, p *Problem, fidelity Fidelity, best Fitness) (proven bool) {
	start := time.Now()
	got := outcomeOf(t, "exact", p, fidelity)
	defer func() {
		if d := time.Since(start); d > 2*time.Second {
			t.Logf("%d: %v %s", i, d, got.Certificate)
		}
	}()
	if got.Stopped != "" {
		if best.Feasible && got.Bound > 0 && got.Bound < best.Value*(1-2e-9) {
			t.Errorf("%d: %s %s %s: optimum %+v, exact gave up (%s) with a bound of %v", i, p.Objective, p.Merge, fidelity, best, got.Stopped, got.Bound)
		}
		return false
	}
	switch f := got.Fitness; {
	case best.Feasible != f.Feasible:
		t.Errorf("%d: %s %s %s: exhaustive %+v, exact %+v %s", i, p.Objective, p.Merge, fidelity, best, f, got.Certificate)
	case !best.Feasible && got.Bound != 0:
		t.Errorf("%d: infeasible with a bound of %v", i, got.Bound)
	case best.Feasible && math.Abs(f.Value-best.Value) > 2e-9*best.Value:
		t.Errorf("%d: %s %s %s: exhaustive %+v, exact %+v: %s", i, p.Objective, p.Merge, fidelity, best, f, got.Certificate)
	case best.Feasible && !(got.Bound >= f.Value && got.Gap < 1e-6):
		t.Errorf("%d: %s %s %s: exact %+v has a bound of %v: %s", i, p.Objective, p.Merge, fidelity, f, got.Bound, got.Certificate)
	}
	return true
}

// wildBounds checks the bounds with which other policies and searches cut short end.
func wildBounds(t *testing.T, i int, p *Problem, fidelity Fidelity, best Fitness) {
	for _, c := range []struct {
		policy string
		budget int
	}{{"random", 1}, {"exact", 1 + i%7}, {"greedy", 0}} {
		pol, _ := LookupPolicy(c.policy)
		out, err := pol.Search(context.Background(), p, Options{Fidelity: fidelity, Budget: Budget{Evaluations: c.budget}})
		if err != nil {
			t.Errorf("%d: %s: %v", i, c.policy, err)
			continue
		}
		if best.Feasible && out.Bound > 0 && out.Bound < best.Value*(1-2e-9) {
			t.Errorf("%d: %s %s %s: %s with a budget of %d has a bound of %v (%s), below %+v", i, p.Objective, p.Merge, fidelity, c.policy, c.budget, out.Bound, out.Certificate, best)
		}
		if best.Feasible && out.Bound == 0 && out.Certificate != "" {
			t.Errorf("%d: %s %s %s: %s says %q, but %+v fits", i, p.Objective, p.Merge, fidelity, c.policy, out.Certificate, best)
		}
	}
}

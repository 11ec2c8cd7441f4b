package placement

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/workloads"
	"testing"
)

func outcomeOf(t testing.TB, name string, p *Problem, fidelity ...Fidelity) *Outcome {
	t.Helper()
	pol, _ := LookupPolicy(name)
	opt := Options{}
	if len(fidelity) > 0 {
		opt.Fidelity = fidelity[0]
	}
	out, err := pol.Search(context.Background(), p, opt)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// randomCluster has CPU and GPU pools of 1 to 8 devices; sometimes a CPU pool is
// the host sockets of a GPU pool.
func randomCluster(r *rand.Rand, pools int) *hw.Cluster {
	var c hw.Cluster
	for t := range pools {
		n := 1 + r.IntN(8)
		price := math.Round(100*r.Float64()+1) / 20
		if r.IntN(2) == 0 {
			c.Pools = append(c.Pools, cpuPool(fmt.Sprint("c", t), n, price))
			if t > 0 && c.Pools[t-1].Inside == "" && c.Pools[t-1].Device.Kind.Accelerator() && r.IntN(2) == 0 {
				c.Pools[t].Inside = c.Pools[t-1].Name
			}
		} else {
			c.Pools = append(c.Pools, gpuPool(fmt.Sprint("g", t), n, price))
		}
	}
	return &c
}

// randomSpec is a problem small enough to enumerate, of any kind.
func randomSpec(r *rand.Rand, merge Merge) Spec {
	pools := 2 + r.IntN(3)
	layers := 2 + r.IntN(map[int]int{2: 9, 3: 6, 4: 5}[pools])
	s := spec(randomModel(r, layers), randomCluster(r, pools))
	s.Merge = merge
	s.Objective = []Objective{Throughput, Cost, Time}[r.IntN(3)]
	s.Schedule = schedule(pipeline.ScheduleNames()[r.IntN(len(pipeline.Schedules))])
	if s.Schedule.Staleness > 0 && merge != Contiguous { // stages of several segments are flushed
		s.Schedule = schedule("interleaved")
	}
	s.Inference = r.IntN(5) == 0
	if r.IntN(4) == 0 {
		s.Communication = Added
	}
	slow := math.Pow(10, 3*r.Float64()) // transfers that matter now and then
	for l := range s.Model.Layers {     // memory that binds now and then
		s.Model.Layers[l].Stored *= math.Pow(10, 4*r.Float64())
		s.Model.Layers[l].Output *= slow
	}
	for i := range s.Model.Edges {
		e := &s.Model.Edges[i]
		e.Elements *= slow * []float64{0.5, 1, 1}[r.IntN(3)]
		if r.IntN(10) == 0 {
			e.Seconds = 1e-4 * r.Float64()
		}
	}
	if !s.Inference && r.IntN(4) == 0 {
		s.Sync, s.Servers = Server, 1+r.IntN(pools)
		nic := &s.Cluster.Pools[s.Servers-1].Node.NIC
		nic.Bandwidth *= unit.Rate(math.Pow(10, -3*r.Float64())) // servers that matter now and then
	}
	switch r.IntN(5) {
	case 0:
		s.MaxPrice = 10 * r.Float64()
	case 1:
		s.MinThroughput = 1e5 * r.Float64()
	case 2:
		s.MaxCost = 0.1 * r.Float64()
	}
	return s
}

// drawn returns how many of n random problems a test tries: a tenth under -short.
func drawn(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// checkExact compares exact with exhaustive on one problem.
func checkExact(t *testing.T, i int, p *Problem, fidelity ...Fidelity) (feasible bool) {
	t.Helper()
	want, got := outcomeOf(t, "exhaustive", p, fidelity...), outcomeOf(t, "exact", p, fidelity...)
	if want.Fitness.Feasible != got.Fitness.Feasible {
		t.Fatalf("%d: exhaustive %+v %v, exact %+v %v", i, want.Fitness, want.Plan.Scheme, got.Fitness, got.Plan.Scheme)
	}
	if !got.Fitness.Feasible {
		if got.Certificate == "" || got.Bound != 0 {
			t.Fatalf("%d: infeasible with certificate %q and bound %v", i, got.Certificate, got.Bound)
		}
		return false
	}
	if math.Abs(want.Fitness.Value-got.Fitness.Value) > 1e-9*want.Fitness.Value {
		t.Fatalf("%d: %s: exhaustive %+v %v, exact %+v %v", i, p.Objective, want.Fitness, want.Plan.Scheme, got.Fitness, got.Plan.Scheme)
	}
	if !(got.Bound >= got.Fitness.Value && got.Bound <= got.Fitness.Value*(1+2e-9)) {
		t.Fatalf("%d: exact has a bound of %v for %v", i, got.Bound, got.Fitness.Value)
	}
	if p.Merge == Contiguous && len(fidelity) == 0 && got.Fitness.Value == want.Fitness.Value && got.Fitness.Price > want.Fitness.Price*(1+1e-9) {
		t.Fatalf("%d: exact pays %v for what exhaustive has for %v", i, got.Fitness.Price, want.Fitness.Price)
	}
	if want.Bound < want.Fitness.Value*(1-1e-12) {
		t.Fatalf("%d: exhaustive has a bound of %v for %v", i, want.Bound, want.Fitness.Value)
	}
	return true
}

func TestExactEqualsExhaustive(t *testing.T) {
	feasible := 0
	for i := range drawn(1500) {
		p := mustProblem(t, randomSpec(rand.New(rand.NewPCG(uint64(i), 1)), Contiguous))
		if checkExact(t, i, p) {
			feasible++
		}
	}
	t.Log(feasible, "feasible")
}

func TestExactConvex(t *testing.T) {
	defer func(was int) { exactEnumerates = was }(exactEnumerates)
	exactEnumerates = 0
	feasible := 0
	for i := range drawn(1000) {
		s := randomSpec(rand.New(rand.NewPCG(uint64(i), 2)), Convex)
		p := mustProblem(t, s)
		if checkExact(t, i, p) {
			feasible++
		}
	}
	t.Log(feasible, "feasible")
}

// TestExactByType compares the search for scattered stages with exhaustive.
func TestExactByType(t *testing.T) {
	defer func(was int) { exactEnumerates = was }(exactEnumerates)
	exactEnumerates = 0
	feasible := 0
	for i := range drawn(400) {
		p := mustProblem(t, randomSpec(rand.New(rand.NewPCG(uint64(i), 3)), ByType))
		if checkExact(t, i, p) {
			feasible++
		}
	}
	t.Log(feasible, "feasible")
}

// TestExactRecurrence compares the search at the recurrence's fidelity with exhaustive.
func TestExactRecurrence(t *testing.T) {
	defer func(was int) { exactEnumerates = was }(exactEnumerates)
	exactEnumerates = 0
	feasible, n := 0, 0
	for i := range drawn(400) {
		s := randomSpec(rand.New(rand.NewPCG(uint64(i), 4)), Contiguous)
		s.Communication = Overlap
		if s.Servers == 0 {
			s.Sync = []Sync{NoSync, Ring, Server}[i%3]
		}
		p := mustProblem(t, s)
		n++
		if checkExact(t, i, p, Recurrence) {
			feasible++
		}
	}
	t.Logf("%d of %d feasible", feasible, n)
}

// TestExactSchedules: under each schedule, with memory that holds few micro-batches
// and stages that wait for one another, exact finds what exhaustive finds, at either
// fidelity. Schedules must differ in what fits and in what is best, or the test says
// nothing.
func TestExactSchedules(t *testing.T) {
	defer func(was int) { exactEnumerates = was }(exactEnumerates)
	exactEnumerates = 0
	for _, fidelity := range []Fidelity{ClosedForm, Recurrence} {
		values := map[string][]float64{}
		for _, sched := range pipeline.Schedules {
			for i := range 120 {
				r := rand.New(rand.NewPCG(uint64(i), 5))
				s := spec(chainModel(r, 3+r.IntN(4)), randomCluster(r, 2+r.IntN(2)))
				s.Schedule, s.Microbatches = sched, []int{2, 4, 8}[r.IntN(3)]
				s.Sync = []Sync{NoSync, Ring}[r.IntN(2)]
				s.Objective = []Objective{Throughput, Cost}[r.IntN(2)]
				hungry := math.Pow(10, 5*r.Float64())
				for l := range s.Model.Layers {
					s.Model.Layers[l].Stored *= hungry
				}
				p := mustProblem(t, s)
				checkExact(t, i, p, fidelity)
				values[sched.Name] = append(values[sched.Name], outcomeOf(t, "exact", p, fidelity).Fitness.Value)
			}
		}
		for name, v := range values {
			if name != "1f1b" && name != "interleaved" && slices.Equal(v, values["1f1b"]) {
				t.Errorf("%s: under %s all is as under 1f1b", fidelity, name)
			}
		}
	}
}

// TestUnrollsWithoutGuess: the search at the recurrence's fidelity finds the best scheme
// even when local search has not found it before, so that its bounds must be true
// under every schedule.
func TestUnrollsWithoutGuess(t *testing.T) {
	for _, sched := range pipeline.Schedules {
		for i := range 300 {
			r := rand.New(rand.NewPCG(uint64(i), 6))
			s := spec(chainModel(r, 3+r.IntN(5)), randomCluster(r, 2+r.IntN(2)))
			s.Schedule, s.Microbatches = sched, []int{2, 4, 8}[r.IntN(3)]
			s.Sync = []Sync{NoSync, Ring}[r.IntN(2)]
			s.Objective = []Objective{Throughput, Cost}[r.IntN(2)]
			s.Inference = r.IntN(5) == 0
			for t := range s.Cluster.Pools { // synchronisation that matters now and then
				s.Cluster.Pools[t].Node.NIC.Bandwidth /= unit.Rate(math.Pow(10, 3*r.Float64()))
			}
			for t := range s.Cluster.Pools { // devices that are worth passing stages between
				s.Cluster.Pools[t].Count = 1 + i%2
			}
			p := mustProblem(t, s)
			want := outcomeOf(t, "exhaustive", p, Recurrence).Fitness.Value
			search := newSearch(context.Background(), p, Options{Fidelity: Recurrence})
			for pool := range p.pools {
				search.evaluate(slices.Repeat(Scheme{uint8(pool)}, p.layers))
			}
			if err := search.newUnroll().prove(0, 1<<20); err != nil {
				t.Fatal(err)
			}
			if got := search.fitness.Value; math.Abs(got-want) > 1e-9*want {
				t.Fatalf("%s, %d: exhaustive finds %v, unrolling %v", sched.Name, i, want, got)
			}
		}
	}
}

// TestExactScattered: where stages may be scattered, the published graphs have
// splits at least as good as the best contiguous ones.
func TestExactScattered(t *testing.T) {
	defer func(was int) { exactNodes = was }(exactNodes)
	exactNodes = 1 << 18 // the proof would not end
	for i, contiguous := range []float64{17.7899, 41.7458, 33.7747, 78.6318} {
		if i > 1 && testing.Short() {
			break
		}
		p, _ := publishedProblem(t, publishedNames[i], ByType)
		pol, _ := LookupPolicy("exact")
		out, err := pol.Search(context.Background(), p, Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(publishedNames[i], 1e3/out.Fitness.Value, 1e3/out.Bound, out.Gap, out.Certificate, out.Stopped)
		if 1e3/out.Fitness.Value >= contiguous {
			t.Errorf("%s: a load of %v ms, contiguous %v; %s", publishedNames[i], 1e3/out.Fitness.Value, contiguous, out.Certificate)
		}
	}
}

// TestExactPublished: the best contiguous splits of the published graphs have the
// maximum load that Tarnawski et al. print for their dynamic program.
func TestExactPublished(t *testing.T) {
	for i, want := range []float64{17.7899, 41.7458, 33.7747, 78.6318} {
		p, _ := publishedProblem(t, publishedNames[i], Convex)
		out := outcomeOf(t, "exact", p)
		if math.Abs(1e3/out.Fitness.Value-want) > 0.5e-4 {
			t.Errorf("%s: a load of %v ms, published %v; %s", publishedNames[i], 1e3/out.Fitness.Value, want, out.Certificate)
		}
	}
}

// TestExactLarge: chains far beyond enumeration are solved to a gap of 0.
func TestExactLarge(t *testing.T) {
	for _, c := range []struct{ layers, pools int }{{16, 4}, {64, 6}, {200, 4}} {
		for _, o := range []Objective{Throughput, Cost} {
			if c.layers > 64 && (testing.Short() || o == Cost) {
				continue
			}
			r := rand.New(rand.NewPCG(1, 1))
			s := spec(chainModel(r, c.layers), randomCluster(r, c.pools))
			s.Objective = o
			out := outcomeOf(t, "exact", mustProblem(t, s))
			if out.Gap != 0 || !out.Fitness.Feasible || out.Stopped != "" {
				t.Errorf("%d layers, %d pools, %s: gap %v, %+v, %q", c.layers, c.pools, o, out.Gap, out.Fitness, out.Stopped)
			}
		}
	}
}

// BenchmarkExact solves chains of more and more layers and pools. The floor, at
// the same sizes, fills the needs of one step time once.
func BenchmarkExact(b *testing.B) {
	for _, c := range []struct{ layers, pools int }{{16, 4}, {64, 4}, {64, 6}, {200, 4}, {800, 4}} {
		for _, o := range []Objective{Throughput, Cost} {
			if testing.Short() && c.layers > 64 {
				continue
			}
			r := rand.New(rand.NewPCG(1, 1))
			s := spec(chainModel(r, c.layers), randomCluster(r, c.pools))
			s.Objective = o
			p := mustProblem(b, s)
			b.Run(fmt.Sprintf("%s/%dx%d", o, c.layers, c.pools), func(b *testing.B) {
				for b.Loop() {
					if out := outcomeOf(b, "exact", p); out.Gap != 0 {
						b.Fatal(out.Gap, out.Certificate)
					}
				}
			})
			if o == Throughput {
				b.Run(fmt.Sprintf("floor/%dx%d", c.layers, c.pools), func(b *testing.B) {
					rel := newRelaxation(p, ClosedForm)
					rel.prepare()
					n := newNeeds(rel)
					for b.Loop() {
						_ = n.fill(context.Background(), 1)
					}
				})
			}
		}
	}
}

func chainModel(r *rand.Rand, n int) *workloads.Model {
	m := randomModel(r, n)
	m.Edges = nil
	for l := range n - 1 {
		m.Edges = append(m.Edges, workloads.Edge{From: l, To: l + 1, Elements: m.Layers[l].Output})
	}
	return m
}

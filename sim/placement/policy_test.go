package placement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stowage/workloads"
)

// clickModel moves memory in its first two layers and computes in the last two.
func clickModel() *workloads.Model {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "in", Kind: workloads.Input, FLOPs: 1e4, Output: 100, Parallel: -1},
		{Name: "emb", Kind: workloads.Embedding, Backward: 1, Output: 160, Stored: 160, Parallel: -1,
			Tables: []workloads.Table{{Rows: 1e6, Dim: 16, Lookups: 10}}},
		{Name: "fc1", Kind: workloads.Linear, FLOPs: 5e7, Params: 1e6, Backward: 2, Output: 64, Stored: 64, Parallel: -1},
		{Name: "fc2", Kind: workloads.Linear, FLOPs: 5e7, Params: 1e6, Backward: 2, Output: 1, Stored: 1, Parallel: -1},
	}}
	for l := range 3 {
		m.Edges = append(m.Edges, workloads.Edge{From: l, To: l + 1, Elements: m.Layers[l].Output})
	}
	return m
}

// TestPolicies: what each policy chooses on a CPU pool and two GPU pools.
func TestPolicies(t *testing.T) {
	p := mustProblem(t, spec(clickModel(), cluster(gpuPool("small", 1, 3), cpuPool("c", 8, 0.5), gpuPool("g", 8, 3))))
	top := mustSearch(t, "exhaustive", p, Options{})
	if top.Evaluations != 81 {
		t.Errorf("exhaustive evaluates %d schemes, want 3^4", top.Evaluations)
	}
	for _, c := range []struct {
		policy      string
		want        Scheme // nil: any
		evaluations int
	}{
		{"all-cpu", Scheme{1, 1, 1, 1}, 1},
		{"all-gpu", Scheme{2, 2, 2, 2}, 2},   // the larger pool
		{"heuristic", Scheme{1, 1, 2, 2}, 2}, // sparse and input layers on CPUs
		{"greedy", Scheme{1, 0, 0, 0}, 1},    // the input costs a GPU more than its launch; of equal GPU pools the first
		{"random", nil, 50},
		{"genetic", top.Plan.Scheme, -1},
	} {
		out := mustSearch(t, c.policy, p, Options{Budget: Budget{Evaluations: 50}})
		if (c.want != nil && !slices.Equal(out.Plan.Scheme, c.want)) || (c.evaluations >= 0 && out.Evaluations != c.evaluations) {
			t.Errorf("%s chooses %v of %d", c.policy, out.Plan.Scheme, out.Evaluations)
		}
		if out.Fitness.Value > top.Fitness.Value {
			t.Errorf("%s: %+v beats exhaustive %+v", c.policy, out.Fitness, top.Fitness)
		}
		if out.Fitness != out.Plan.Fitness || out.Fitness != NewEvaluator(p).ClosedForm(out.Plan.Scheme) {
			t.Errorf("%s: outcome %+v, plan %+v", c.policy, out.Fitness, out.Plan.Fitness)
		}
		last := out.History[len(out.History)-1]
		if last.Best != out.Fitness.Value || last.Evaluations > out.Evaluations {
			t.Errorf("%s: %+v after %+v", c.policy, out.Fitness, last)
		}
	}
	if a, b := mustSearch(t, "random", p, Options{Seed: 1}), mustSearch(t, "random", p, Options{Seed: 1}); a.Evaluations != 81 || a.Fitness != b.Fitness {
		t.Errorf("random: %d evaluations, %+v and %+v", a.Evaluations, a.Fitness, b.Fitness)
	}
}

// TestGreedyByCost: the cost objective weighs time by price.
func TestGreedyByCost(t *testing.T) {
	s := spec(clickModel(), cluster(cpuPool("c", 8, 0.01), gpuPool("g", 8, 1e6)))
	s.Objective = Cost
	if got := mustProblem(t, s).greedy(); !slices.Equal(got, Scheme{0, 0, 0, 0}) {
		t.Errorf("greedy puts layers on %v, whatever they cost", got)
	}
}

// TestExhaustiveIsTheBestOfAll counts in another order.
func TestExhaustiveIsTheBestOfAll(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := mustProblem(t, spec(randomModel(r, 5), cluster(cpuPool("a", 3, 1), gpuPool("b", 2, 2), cpuPool("c", 1, 3))))
		ev, top := NewEvaluator(p), math.Inf(-1)
		for n := range 243 {
			sc := make(Scheme, 5)
			for l := range sc {
				sc[l] = uint8(n % 3)
				n /= 3
			}
			top = max(top, ev.ClosedForm(sc).Value)
		}
		if out := mustSearch(t, "exhaustive", p, Options{}); out.Fitness.Value != top || out.Evaluations != 243 {
			t.Errorf("seed %d: exhaustive finds %v, there is %v", seed, out.Fitness.Value, top)
		}
	}
}

// TestFixed: the scenario's scheme, with and without its devices.
func TestFixed(t *testing.T) {
	s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
	p := mustProblem(t, s)
	free := mustSearch(t, "fixed", p, Options{Scheme: Scheme{0, 0, 1, 1}})
	given := mustSearch(t, "fixed", p, Options{Scheme: Scheme{0, 0, 1, 1}, Devices: []int{2, 3}})
	if given.Plan.Stages[0].Devices != 2 || given.Plan.Stages[1].Devices != 3 || given.Fitness.Price != 2*0.5+3*3 {
		t.Errorf("%+v", given.Plan)
	}
	if !(free.Fitness.Throughput > given.Fitness.Throughput) {
		t.Errorf("provisioned %+v, given fewer %+v", free.Fitness, given.Fitness)
	}
	again := mustSearch(t, "fixed", p, Options{Scheme: Scheme{0, 0, 1, 1}, Devices: []int{free.Plan.Stages[0].Devices, free.Plan.Stages[1].Devices}})
	if again.Fitness != free.Fitness {
		t.Errorf("the provisioned devices are worth %+v, given %+v", free.Fitness, again.Fitness)
	}
	over := mustSearch(t, "fixed", p, Options{Scheme: Scheme{0, 0, 1, 1}, Devices: []int{9, 1}})
	if over.Fitness.Feasible || over.Plan.Reason != `its stages on pool "c" need 9 devices; the pool has 8` {
		t.Errorf("%+v, %q", over.Fitness, over.Plan.Reason)
	}
	s.MinThroughput = given.Fitness.Throughput * 1.01
	low := mustSearch(t, "fixed", mustProblem(t, s), Options{Scheme: Scheme{0, 0, 1, 1}, Devices: []int{2, 3}})
	if low.Fitness.Feasible || !strings.HasPrefix(low.Plan.Reason, "min_throughput is ") {
		t.Errorf("%+v, %q", low.Fitness, low.Plan.Reason)
	}
}

// TestRecurrenceFidelity: a scheme that the closed form lets pass may miss the
// floor by the recurrence; the outcome then says so.
func TestRecurrenceFidelity(t *testing.T) {
	s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
	top := mustSearch(t, "exhaustive", mustProblem(t, s), Options{Fidelity: Recurrence})
	if !(top.Fitness.Throughput < top.Plan.Fitness.Throughput) {
		t.Errorf("recurrence %+v, closed form %+v", top.Fitness, top.Plan.Fitness)
	}
	s.MinThroughput = top.Plan.Fitness.Throughput
	out := mustSearch(t, "fixed", mustProblem(t, s), Options{Fidelity: Recurrence, Scheme: top.Plan.Scheme})
	if out.Fitness.Feasible || !out.Plan.Fitness.Feasible || !strings.HasPrefix(out.Plan.Reason, "by recurrence min_throughput is ") {
		t.Errorf("%+v, %+v, %q", out.Fitness, out.Plan.Fitness, out.Plan.Reason)
	}
}

func TestPolicyErrors(t *testing.T) {
	cpus, gpus := cluster(cpuPool("c", 8, 0.5)), cluster(gpuPool("g", 8, 3))
	long := randomModel(rand.New(rand.NewPCG(1, 1)), 25)
	for _, c := range []struct {
		policy string
		spec   Spec
		opt    Options
		want   string
	}{
		{"all-cpu", spec(clickModel(), gpus), Options{}, "the cluster has no CPU pool"},
		{"all-gpu", spec(clickModel(), cpus), Options{}, "the cluster has no accelerator pool"},
		{"heuristic", spec(clickModel(), cpus), Options{}, "the heuristic needs a CPU pool and an accelerator pool"},
		{"fixed", spec(clickModel(), cpus), Options{Scheme: Scheme{0}}, "placement.scheme names pools for 1 layers; the model has 4"},
		{"fixed", spec(clickModel(), cpus), Options{Scheme: Scheme{0, 0, 0, 1}}, "placement.scheme puts layer 3 on pool 1; the cluster has 1"},
		{"fixed", spec(clickModel(), cpus), Options{Scheme: Scheme{0, 0, 0, 0}, Devices: []int{1, 2}}, "placement.devices = [1 2] names 2 stages; the scheme merges into 1"},
		{"fixed", spec(clickModel(), cpus), Options{Scheme: Scheme{0, 0, 0, 0}, Devices: []int{0}}, "placement.devices = [0]: every stage needs at least 1"},
		{"exhaustive", spec(long, cluster(cpuPool("a", 1, 1), cpuPool("b", 1, 1))), Options{}, "exhaustive would evaluate 2^25 = 3.36e+07 schemes; its limit MaxExhaustive is 16777216"},
		{"random", spec(clickModel(), cpus), Options{Budget: Budget{Evaluations: -1}}, "evaluations = -1: at least 1"},
		{"genetic", spec(clickModel(), cpus), Options{Knobs: Knobs{Genetic: Genetic{Population: 1}}}, "genetic: population = 1: from 2"},
		{"greedy", spec(clickModel(), cpus), Options{Fidelity: "guess"}, `fitness = "guess": "closed-form" or "recurrence"`},
	} {
		policy, _ := LookupPolicy(c.policy)
		out, err := policy.Search(context.Background(), mustProblem(t, c.spec), c.opt)
		if out != nil || err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, %v, want %q", c.policy, out, err, c.want)
		}
	}
	if _, ok := LookupPolicy("none"); ok || len(PolicyNames()) != len(Policies) {
		t.Error("policies by name")
	}
}

// countdown is a context that ends after it has been asked n times.
type countdown struct {
	context.Context
	n *int
}

func (c countdown) Err() error {
	if *c.n--; *c.n < 0 {
		return context.Canceled
	}
	return nil
}

// TestCancel: a search that is stopped keeps what it has.
func TestCancel(t *testing.T) {
	p := benchLike(t)
	small := mustProblem(t, spec(randomModel(rand.New(rand.NewPCG(1, 2)), 9), cluster(cpuPool("c1", 16, 0.4), cpuPool("c2", 8, 0.9), gpuPool("g1", 16, 2.5))))
	for _, name := range []string{"random", "genetic", "exhaustive"} {
		if name == "exhaustive" {
			p = small
		}
		full := mustSearch(t, name, p, Options{})
		policy, _ := LookupPolicy(name)
		for _, n := range []int{1, 5, 15} {
			left := n
			out, err := policy.Search(countdown{context.Background(), &left}, p, Options{})
			if !errors.Is(err, context.Canceled) || out == nil {
				t.Fatalf("%s after %d: %v, %v", name, n, out, err)
			}
			if out.Evaluations == 0 || out.Evaluations >= full.Evaluations || out.Fitness.Value > full.Fitness.Value {
				t.Errorf("%s after %d: %+v of %d evaluations; in full %+v of %d", name, n, out.Fitness, out.Evaluations, full.Fitness, full.Evaluations)
			}
			if out.Plan == nil || len(out.Plan.Scheme) != p.layers || out.Plan.Fitness != out.Fitness {
				t.Errorf("%s after %d: plan %+v", name, n, out.Plan)
			}
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if out, err := policy.Search(ctx, p, Options{}); out != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("%s, cancelled before: %v, %v", name, out, err)
		}
	}
}

// TestNewProblemErrors: every wrong key is named.
func TestNewProblemErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.Model = nil }, "the model has no layers"},
		{func(s *Spec) { s.Cluster = nil }, "the cluster has no pools"},
		{func(s *Spec) {
			for i := range MaxPools {
				s.Cluster.Pools = append(s.Cluster.Pools, cpuPool(fmt.Sprint(i), 1, 1))
			}
		}, "the cluster has 66 pools: at most MaxPools = 64"},
		{func(s *Spec) { s.Cluster.Pools[1].Name = "c" }, `two pools are called "c"`},
		{func(s *Spec) { s.Microbatches = 0 }, "microbatches = 0: at least 1"},
		{func(s *Spec) { s.Batch = 1023 }, "batch = 1023: a positive multiple of microbatches = 8"},
		{func(s *Spec) { s.Schedule.Window = nil }, "no schedule: one of [gpipe"},
		{func(s *Spec) { s.Merge = "all" }, `merge = "all": one of ["contiguous" "by-type" "convex"]`},
		{func(s *Spec) { s.Communication = "none" }, `communication = "none": one of ["overlap" "added"]`},
		{func(s *Spec) { s.Objective = "speed" }, `objective = "speed": "throughput", "cost" or "time"`},
		{func(s *Spec) { s.Sync = "tree" }, `sync = "tree": "ring", "ps" or "none"`},
		{func(s *Spec) { s.CommParallel = math.NaN() }, "comm_parallel = NaN: a number from 0 to 1"},
		{func(s *Spec) { s.MinThroughput = -1 }, "min_throughput = -1: a number from 0 to MaxAmount = 1e+60; 0 for none"},
		{func(s *Spec) { s.MaxPrice = math.Inf(1) }, "max_price = +Inf: a number"},
		{func(s *Spec) { s.MaxCost = math.NaN() }, "max_cost = NaN: a number"},
		{func(s *Spec) { s.Lookahead = -1 }, "lookahead = -1: at least 0 rounds"},
		{func(s *Spec) { s.Lookups = make([]LayerLookups, 3) }, "lookups of 3 layers for a model of 4"},
		{func(s *Spec) { s.Lookups = make([]LayerLookups, 4); s.Lookups[1].Misses = -1 }, `lookups of layer "emb": `},
		{func(s *Spec) { s.Cluster.Pools[0].Price = -1 }, `pool "c" has a price of -1 USD/h`},
		{func(s *Spec) { s.Cluster.Pools[1].Device.Memory.Capacity = 0 }, `pool "g" has devices with 0 B of memory`},
		{func(s *Spec) { s.Cluster.Pools[0].Price, s.Objective = 0, Cost }, `objective = "cost" needs prices: pool "c" is free`},
		{func(s *Spec) { s.Model.Layers[2].Parallel = 1.5 }, `layer "fc1": parallel = 1.5: a share up to 1`},
		{func(s *Spec) { s.Model.Edges[0].To = 4 }, "edge 0 of the model goes from layer 0 to 4: it must go forward within 4 layers"},
		{func(s *Spec) { s.Model.Edges[1].Elements = math.Inf(1) }, `edge 1 of the model, from layer "emb", moves +Inf bytes`},
		{func(s *Spec) { s.Model.Layers[2].Stored = math.NaN() }, `layer "fc1" on pool "c" has a time or size that is negative, not a number or above MaxAmount`},
		{func(s *Spec) { s.Model.Layers[3].FLOPs = 1e300 }, `layer "fc2" on pool "c" has a time or size that is`},
		{func(s *Spec) { s.Cluster.Pools[1].Device.Gather.Rows = 0 }, `layer "emb" on pool "g" has a time or size that is negative, not a number or above MaxAmount`},
	} {
		s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
		c.change(&s)
		if p, err := NewProblem(s); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, %v, want %q", p, err, c.want)
		}
	}
}

// TestWarnings: a profile used outside its batches is said, a few times at most.
func TestWarnings(t *testing.T) {
	m := &workloads.Model{}
	for i := range 6 {
		m.Layers = append(m.Layers, workloads.Layer{Name: fmt.Sprint(i), OnlyProfiled: true, Profiles: []workloads.Profile{
			{Device: "c", Points: []workloads.ProfilePoint{{Batch: 32, Forward: 1, Backward: 2}}},
		}})
	}
	p := mustProblem(t, spec(m, cluster(cpuPool("c", 8, 1))))
	if len(p.Warnings) != MaxWarnings+1 || !strings.Contains(p.Warnings[0], `layer "0" on c: micro-batch 128 is outside the measured batches 32 to 32`) {
		t.Errorf("%q", p.Warnings)
	}
	if c := p.costs[0]; c.serial+c.parallel != 12 {
		t.Errorf("4 x (1 + 2) s, got %v", c.serial+c.parallel)
	}
}

// TestNothingTakesTime: a problem without any work has no optimum, and says so.
func TestNothingTakesTime(t *testing.T) {
	for _, o := range []Objective{Throughput, Cost} {
		s := spec(&workloads.Model{Layers: []workloads.Layer{{Name: "idle"}}}, cluster(cpuPool("c", 8, 1)))
		s.Objective = o
		out := mustSearch(t, "exhaustive", mustProblem(t, s), Options{})
		if out.Fitness.Feasible || out.Plan.Reason != "a step takes no time, or longer than any number: there is nothing to compare" {
			t.Errorf("%s: %+v, %q", o, out.Fitness, out.Plan.Reason)
		}
	}
}

// TestAddedIsClosedFormOnly: a search by recurrence would judge by another model.
func TestAddedIsClosedFormOnly(t *testing.T) {
	s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
	s.Communication = Added
	p := mustProblem(t, s)
	policy, _ := LookupPolicy("greedy")
	if _, err := policy.Search(t.Context(), p, Options{Fidelity: Recurrence}); err == nil || !strings.HasPrefix(err.Error(), `fitness = "recurrence": communication = "added" is`) {
		t.Errorf("%v", err)
	}
	out, err := policy.Search(t.Context(), p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if notes := p.Notes(out.Plan); len(notes) == 0 || !strings.HasPrefix(notes[0], `communication = "added" chose`) {
		t.Errorf("%q", notes)
	}
}

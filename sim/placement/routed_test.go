package placement

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/workloads"
)

// randomNetwork is any topology with room for the pools, some with links that are thin
// beside the nodes' ports.
func randomNetwork(r *rand.Rand) hw.Network {
	n := hw.Network{HopLatency: hw.DefaultHopLatency, Oversubscription: math.Pow(2, 6*r.Float64()), NodesPerLeaf: 1 + r.IntN(3), Spines: 1 + r.IntN(2)}
	switch r.IntN(4) {
	case 0:
		return hw.Network{Topology: hw.OneSwitch, HalfDuplex: r.IntN(2) == 0}
	case 1:
		n.Topology, n.SwitchPorts = hw.FatTree, 8
	case 2:
		n.Topology, n.Rails = hw.Rail, 1+r.IntN(4)
	default:
		n.Topology = hw.LeafSpine
	}
	return n
}

// networked is a random problem whose cluster has a network, and whose stages now and
// then have gradients that replicas agree on.
func networked(r *rand.Rand, merge Merge) Spec {
	s := randomSpec(r, merge)
	s.Cluster.Network = randomNetwork(r)
	for i := range s.Cluster.Pools {
		if p := &s.Cluster.Pools[i]; p.Inside != "" {
			p.Count = min(p.Count, 2*s.Cluster.Pools[i-1].Nodes())
		}
	}
	s.Communication = ""
	if s.Sync == NoSync && r.IntN(2) == 0 {
		s.Sync = Ring
	}
	return s
}

// TestNetworksOnlyCost: no scheme is worth more by the closed form where the network
// counts than where it does not, which is what keeps bounds that do not know it.
func TestNetworksOnlyCost(t *testing.T) {
	less := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := networked(r, []Merge{Contiguous, ByType, Convex}[seed%3])
		blind := s
		blind.Unrouted = true
		p, q := mustProblem(t, s), mustProblem(t, blind)
		a, b := NewEvaluator(p), NewEvaluator(q)
		for range 20 {
			sc := randomScheme(r, p.layers, p.pools, 0.4)
			got, most := a.ClosedForm(sc), b.ClosedForm(sc)
			if got.Value > most.Value*(1+1e-12) && most.Feasible || got.Feasible && !most.Feasible {
				t.Errorf("seed %d, %v: %+v, without the network %+v", seed, sc, got, most)
			}
			if got.Feasible && got.Value < most.Value*(1-1e-9) {
				less++
			}
		}
	}
	if less < 100 {
		t.Errorf("the network cost something for %d schemes only", less)
	}
}

// TestPlansOnNetworks: a plan is worth what its scheme is, with the devices of which it
// says so, at both fidelities.
func TestPlansOnNetworks(t *testing.T) {
	fewer := 0
	for seed := range uint64(120) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := mustProblem(t, networked(r, []Merge{Contiguous, ByType, Convex}[seed%3]))
		blind := p.Spec
		blind.Unrouted = true
		ev, other := NewEvaluator(p), NewEvaluator(mustProblem(t, blind))
		for range 10 {
			sc := randomScheme(r, p.layers, p.pools, 0.4)
			want, rec := ev.ClosedForm(sc), ev.Recurrence(sc)
			pl := ev.Plan(sc)
			if pl.Fitness != want {
				t.Fatalf("seed %d: the plan is worth %+v, its scheme %+v", seed, pl.Fitness, want)
			}
			if !want.Feasible {
				continue
			}
			var devices []int
			for i := range pl.Stages {
				devices = append(devices, pl.Stages[i].Devices)
			}
			if given, err := ev.PlanDevices(sc, devices); err != nil || math.Abs(given.Fitness.Value/want.Value-1) > 1e-9 && given.Servers == pl.Servers {
				t.Errorf("seed %d: with devices %v given it is worth %+v, else %+v (%v)", seed, devices, given.Fitness, want, err)
			}
			if again, err := p.RecurrenceOf(pl); err == nil && again != rec {
				t.Errorf("seed %d: by recurrence the plan is worth %+v, its scheme %+v", seed, again, rec)
			}
			if was := other.Plan(sc); len(was.Stages) == len(pl.Stages) {
				for i := range was.Stages {
					if was.Stages[i].Devices > pl.Stages[i].Devices {
						fewer++
						break
					}
				}
			}
		}
	}
	if fewer < 10 {
		t.Errorf("of the plans only %d have fewer devices for the network's sake", fewer)
	}
}

// TestExactOnNetworks: what `exact` says of problems with networks is true: its bound is
// above every scheme, and what it calls optimal is.
func TestExactOnNetworks(t *testing.T) {
	instances := uint64(120)
	if testing.Short() {
		instances = 30
	}
	defer func(n int) { exactEnumerates = n }(exactEnumerates)
	open := 0
	for seed := range instances {
		exactEnumerates = []int{0, 1 << 17}[seed%2]
		r := rand.New(rand.NewPCG(seed, 3))
		s := networked(r, []Merge{Contiguous, ByType, Convex}[seed%3])
		inside := slices.ContainsFunc(s.Cluster.Pools, func(p hw.Pool) bool { return p.Inside != "" })
		if !inside && r.IntN(2) == 0 { // pools that are alike but for where they are
			s.Cluster.Pools[1] = s.Cluster.Pools[0]
			s.Cluster.Pools[1].Name = "like"
		}
		p, err := NewProblem(s)
		if err != nil {
			continue
		}
		opt := Options{Fidelity: []Fidelity{ClosedForm, Recurrence}[r.IntN(2)]}
		want := mustSearch(t, "exhaustive", p, opt)
		policy, _ := LookupPolicy("exact")
		got, err := policy.Search(context.Background(), p, opt)
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		if !want.Fitness.Feasible {
			if got.Fitness.Feasible || got.Bound > 0 && strings.HasPrefix(got.Certificate, "optimal") {
				t.Errorf("seed %d: nothing fits, and exact says %+v: %s", seed, got.Fitness, got.Certificate)
			}
			continue
		}
		if got.Bound > 0 && got.Bound < want.Fitness.Value*(1-1e-9) {
			t.Errorf("seed %d (%s, %s): bound %g, the best is %g: %s", seed, s.Merge, opt.Fidelity, got.Bound, want.Fitness.Value, got.Certificate)
		}
		best := got.Fitness.Value >= want.Fitness.Value*(1-1e-9)
		if strings.HasPrefix(got.Certificate, "optimal") && !best || strings.HasPrefix(got.Certificate, "no scheme fits") {
			t.Errorf("seed %d (%s, %s): %s, at %g; the best is %g", seed, s.Merge, opt.Fidelity, got.Certificate, got.Fitness.Value, want.Fitness.Value)
		}
		if got.Gap > 1e-6 {
			open++
		}
	}
	t.Logf("gaps left open: %d of %d", open, instances)
}

// cabled are two pools of one node with two devices each, a cable of so many B/s between
// the nodes, and a chain of two equal layers that sends elements and has no gradients.
func cabled(t *testing.T, bandwidth float64) (*Problem, Scheme) {
	t.Helper()
	m := &workloads.Model{Name: "two"}
	for _, name := range []string{"a", "b"} {
		m.Layers = append(m.Layers, workloads.Layer{Name: name, Kind: workloads.Linear, FLOPs: 1e9, Params: 1000, Output: 1e4, Stored: 1e4, Backward: 2, Parallel: 1})
	}
	m.Edges = []workloads.Edge{{From: 0, To: 1, Elements: 1e4}}
	c := cluster(cpuPool("x", 2, 1), cpuPool("y", 2, 1))
	c.Network = hw.Network{Topology: hw.Cables, Cables: []hw.Cable{{From: "x:0", To: "y:0", Bandwidth: unit.Rate(bandwidth)}}}
	return mustProblem(t, spec(m, c)), Scheme{0, 1}
}

// TestRoutesByHand: a step of 8 micro-batches of 128 samples sends 8 x 128 x 1e4 x 4
// bytes over the cable in each direction. With 1F1B and two stages, two micro-batches are
// on their way at a time, each of which crosses the cable twice, once in each direction.
func TestRoutesByHand(t *testing.T) {
	const bytes = 8 * 128 * 1e4 * 4
	for _, bandwidth := range []float64{1e6, 1e8} {
		p, sc := cabled(t, bandwidth)
		ev := NewEvaluator(p)
		f := ev.ClosedForm(sc)
		compute := 0.0
		for i := range ev.stages {
			compute += ev.stepTime(i, ev.best[i])
		}
		compute = 0
		for i := range ev.stages {
			st := &ev.stages[i]
			compute += st.serial + st.parallel*p.share(st.pool, ev.best[i]).device
		}
		crossing := bytes / bandwidth
		want := max(crossing, (compute+2*crossing)/2)
		if got := float64(p.Batch) / f.Throughput; math.Abs(got/want-1) > 1e-9 {
			t.Errorf("%g B/s: a step takes %v s, by hand %v", bandwidth, got, want)
		}
	}
}

// TestTrafficByHand: a job that has the same cable nearly all the time leaves half of it,
// as links are shared, so that every crossing takes twice as long.
func TestTrafficByHand(t *testing.T) {
	p, sc := cabled(t, 1e6)
	other := NewEvaluator(p).Plan(sc)
	step := func(plan *Plan) float64 {
		s := p.Spec
		s.Cluster = cluster(append([]hw.Pool(nil), s.Cluster.Pools...)...)
		s.Cluster.Network = p.Cluster.Network
		for i := range s.Cluster.Pools {
			s.Cluster.Pools[i].Count = 2
			if plan != nil {
				plan.Stages[i].Devices, plan.Stages[i].Replicas = 1, 1
			}
		}
		s.Reserved = []Reservation{{Job: "other", Devices: []int{1, 1}, Of: p, Plan: plan}}
		q := mustProblem(t, s)
		return float64(q.Batch) / NewEvaluator(q).ClosedForm(sc).Throughput
	}
	alone, beside := step(nil), step(other)
	if crossing := 8 * 128 * 1e4 * 4 / 1e6; math.Abs((beside-alone)/crossing-1) > 1e-9 {
		t.Errorf("a step takes %v s with nothing on the cable, %v s beside a job that is always there: %v s more are right", alone, beside, crossing)
	}
}

// TestNear: plans near one fit, are not it, and have devices that there are; among them
// are its scheme with a device more, where the pool has one, and with a layer elsewhere.
func TestNear(t *testing.T) {
	same, other := 0, 0
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 4))
		p := mustProblem(t, networked(r, []Merge{Contiguous, ByType, Convex}[seed%3]))
		ev := NewEvaluator(p)
		pl := ev.Plan(randomScheme(r, p.layers, p.pools, 0.3))
		if !pl.Fitness.Feasible {
			continue
		}
		for _, near := range ev.Near(pl) {
			used := make([]int, p.pools)
			alike := slices.Equal(near.Scheme, pl.Scheme)
			for i := range near.Stages {
				st := &near.Stages[i]
				used[st.Pool] += st.Replicas
				alike = alike && st.Devices == pl.Stages[i].Devices
			}
			if alike && near.Servers == pl.Servers || !near.Fitness.Feasible {
				t.Fatalf("seed %d: near %+v is %+v", seed, pl, near)
			}
			for pool, n := range used {
				if n > p.count[pool] {
					t.Fatalf("seed %d: %d replicas of %d on pool %d", seed, n, p.count[pool], pool)
				}
			}
			if slices.Equal(near.Scheme, pl.Scheme) {
				same++
			} else {
				other++
			}
		}
	}
	if same < 20 || other < 100 {
		t.Errorf("%d plans with other devices, %d with other layers", same, other)
	}
}

// TestFinalistsDiffer: where the network counts, no two finalists have runs of layers on
// the same pools in the same order, and each is the best of its kind that was seen.
func TestFinalistsDiffer(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 5))
		p := mustProblem(t, networked(r, Contiguous))
		out := mustSearch(t, "exhaustive", p, Options{Keep: 5})
		ev, sc := NewEvaluator(p), make(Scheme, p.layers)
		for i, f := range out.Finalists {
			for _, before := range out.Finalists[:i] {
				if before.Scheme.shaped(f.Scheme) || outranks(f.Fitness, before.Fitness) {
					t.Errorf("seed %d: finalist %d is %v at %v after %v at %v", seed, i, f.Scheme, f.Fitness.Value, before.Scheme, before.Fitness.Value)
				}
			}
			for range 50 { // others of its kind: some layer joins a run beside it
				copy(sc, f.Scheme)
				if at, to := boundary(sc, r.IntN(len(sc))); sc[at] != to {
					sc[at] = to
				}
				if g := ev.ClosedForm(sc); sc.shaped(f.Scheme) && outranks(g, f.Fitness) {
					t.Errorf("seed %d: finalist %v at %v, there is %v at %v", seed, f.Scheme, f.Fitness.Value, sc, g.Value)
				}
			}
		}
	}
}

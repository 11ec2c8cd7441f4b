package sim

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"stowage/hw"
	"stowage/sim/network"
	"stowage/sim/placement"
	"stowage/workloads"
)

// racks are pools, one for each stage, of nodes with perNode devices: 1 GB/s ports, 2
// GB/s host links, 8 GB/s among the devices of a node, and no latency.
func racks(perNode int, devices ...int) (pools []hw.Pool) {
	for i, k := range devices {
		p := machine(fmt.Sprintf("gpu%d", i), k)
		p.Node.Devices = perNode
		p.Node.HostLink = hw.Link{Bandwidth: 2e9}
		p.Node.PeerLink = hw.Link{Bandwidth: 8e9}
		pools = append(pools, p)
	}
	return pools
}

// split is a model of a layer of 2 ms for each pool, which sends elements a sample on
// and holds params, on all devices and a network.
func split(t testing.TB, pools []hw.Pool, n hw.Network, elements, params float64, a network.Algorithm) Job {
	t.Helper()
	return splitInto(t, 1, pools, n, elements, params, a)
}

// splitInto is split with some micro-batches.
func splitInto(t testing.TB, micro int, pools []hw.Pool, n hw.Network, elements, params float64, a network.Algorithm) Job {
	t.Helper()
	m := &workloads.Model{Name: "m"}
	scheme, devices := make(placement.Scheme, len(pools)), make([]int, len(pools))
	for i := range pools {
		l := timed(i, time.Millisecond, time.Millisecond, 64, pools[i].Name)
		l.Params = int64(params)
		m.Layers = append(m.Layers, l)
		if i > 0 {
			m.Edges = append(m.Edges, workloads.Edge{From: i - 1, To: i, Elements: elements})
			m.Layers[i-1].Output = elements
		}
		scheme[i], devices[i] = uint8(i), pools[i].Count
	}
	spec := specOf(m, pools...)
	spec.Cluster.Network = n
	spec.Batch, spec.Microbatches = 64*micro, micro
	spec.Sync, spec.Collective = placement.Ring, a
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := placement.NewEvaluator(p).PlanDevices(scheme, devices)
	if err != nil {
		t.Fatal(err)
	}
	if !pl.Fitness.Feasible {
		t.Fatalf("the fixture is infeasible: %s", pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: 2}
}

// Gradients of a stage go over the cluster's links: on a switch at the rate of the
// ports, across oversubscribed leaves at that of the uplinks.
func TestSyncOverTopology(t *testing.T) {
	const params = 2.5e8 // 1 GB
	sync := func(n hw.Network, a network.Algorithm, devices, perNode int) float64 {
		t.Helper()
		run := train(t, split(t, racks(perNode, devices), n, 0, params, a))
		return run.Usage[0].Sync.Seconds() / 2 // rounds
	}
	test := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: gradients take %g s, want %g", what, got, want)
		}
	}
	one := hw.Network{Topology: hw.OneSwitch}
	test("a ring of 4 nodes", sync(one, "", 4, 1), 2*3./4)
	test("a ring inside a node", sync(one, "", 4, 4), 2*3./4/8)
	leaves := hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 2, Spines: 1, Oversubscription: 1}
	test("a ring over leaves", sync(leaves, "", 4, 1), 2*3./4)
	leaves.Oversubscription = 8 // 2 ports of 1 GB/s share 0.25 GB/s, and the ring crosses once each way
	test("a ring over oversubscribed leaves", sync(leaves, network.RingAlgorithm, 4, 1), 2*3./4*4)
	// Near first: the two pairs exchange halves inside a leaf, then all four exchange
	// quarters across: 2 x (0.5 / 1 + 2 x 0.25 / 0.25) s.
	test("halving over oversubscribed leaves", sync(leaves, network.HalvingDoubling, 4, 1), 2*(0.5+2))
	// 2 nodes of 4: inside 2 x 3/4 / 8, across 4 rings of a quarter on one port.
	test("a hierarchical one", sync(one, network.Hierarchical, 8, 4), 2*3./4/8+2*4*(0.25/2))
	half := one
	half.HalfDuplex = true
	test("a ring on half duplex ports", sync(half, "", 4, 1), 2*2*3./4)
}

// What stages send each other contends where routes meet, and only there.
func TestTransfersOverTopology(t *testing.T) {
	const elements = 1e6 // per sample: 256 MB a micro-batch each way
	step := func(n hw.Network, devices []int, perNode int) float64 {
		t.Helper()
		run := train(t, split(t, racks(perNode, devices...), n, elements, 0, ""))
		return run.Rounds[1].StepTime.Seconds()
	}
	test := func(what string, got, transfers float64, devices int) {
		t.Helper()
		if want := transfers + 4e-3/float64(devices); math.Abs(got-want) > 1e-6 {
			t.Errorf("%s: a step takes %g s, want %g", what, got, want)
		}
	}
	one := hw.Network{Topology: hw.OneSwitch}
	test("two nodes", step(one, []int{1, 1}, 1), 2*0.256, 1)
	test("two nodes each", step(one, []int{2, 2}, 1), 2*0.128, 2)
	// Of three devices the middle one has samples of both of the others': each gets or
	// sends half of all.
	if got, want := step(one, []int{3, 2}, 1), 2*0.128+2e-3/3+2e-3/2; math.Abs(got-want) > 1e-6 {
		t.Errorf("three nodes and two: a step takes %g s, want %g", got, want)
	}
	test("devices that share ports", step(one, []int{2, 2}, 2), 2*0.256, 2)
	thin := hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 2, Spines: 1, Oversubscription: 4}
	test("over an uplink of half a port", step(thin, []int{2, 2}, 1), 2*0.256*2, 2)
	listed := hw.Network{Topology: hw.Cables, Cables: []hw.Cable{
		{From: "gpu0:0", To: "a", Bandwidth: 1e9}, {From: "gpu1:0", To: "b", Bandwidth: 1e9},
		{From: "a", To: "b", Bandwidth: 0.25e9, Latency: time.Millisecond},
	}}
	test("over a listed link", step(listed, []int{1, 1}, 1), 2*(0.256*4+1e-3), 1)
}

// Without gradients to synchronise, one switch is ports of their own; with them, the
// last stage's gradients share its ports with what it sends back, and take longer.
func TestOneSwitchIsOwnPorts(t *testing.T) {
	for _, devices := range [][]int{{1, 1}, {4, 4}, {8, 2, 4}, {3, 2}, {4, 3}, {7, 8, 6}, {16, 15}} {
		end := func(topology hw.Topology, params float64) float64 {
			return train(t, split(t, racks(1, devices...), hw.Network{Topology: topology}, 1e5, params, "")).End.Seconds()
		}
		if a, b := end(hw.OwnPorts, 0), end(hw.OneSwitch, 0); math.Abs(a-b) > 1e-6*a {
			t.Errorf("devices %v: %g s with own ports, %g s at one switch", devices, a, b)
		}
		a, b := end(hw.OwnPorts, 1e6), end(hw.OneSwitch, 1e6)
		if last := devices[len(devices)-1]; last > 1 && !(b > 1.01*a) || last == 1 && math.Abs(a-b) > 1e-6*a {
			t.Errorf("devices %v, with gradients: %g s with own ports, %g s at one switch", devices, a, b)
		}
	}
}

// The same job gives the same run, to the nanosecond, on every topology.
func TestTopologiesAreDeterministic(t *testing.T) {
	pools := racks(4, 10, 14, 8)
	for _, n := range []hw.Network{
		{Topology: hw.OneSwitch},
		{Topology: hw.LeafSpine, NodesPerLeaf: 2, Spines: 3, Oversubscription: 2},
		{Topology: hw.FatTree, Oversubscription: 1},
		{Topology: hw.Rail, NodesPerLeaf: 4, Spines: 2, Oversubscription: 1},
	} {
		var ends []time.Duration
		for range 3 {
			run := train(t, split(t, pools, n, 1e5, 1e6, network.Hierarchical))
			ends = append(ends, run.End)
		}
		if len(slices.Compact(ends)) != 1 {
			t.Errorf("%s: the same job ends at %v", n.Topology, ends)
		}
	}
}

// The links that a run reports: what crosses an oversubscribed leaf uses its uplink most.
func TestBusiestLinks(t *testing.T) {
	n := hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 2, Spines: 1, Oversubscription: 8}
	run := train(t, split(t, racks(1, 4), n, 0, 2.5e8, network.RingAlgorithm))
	if len(run.Links) != MostLinks {
		t.Fatalf("%d links: %+v", len(run.Links), run.Links)
	}
	for i, l := range run.Links {
		uplink := l.Name == "leaf 0 -> spine 0" || l.Name == "spine 0 -> leaf 0" || l.Name == "leaf 1 -> spine 0" || l.Name == "spine 0 -> leaf 1"
		if uplink != (i < 4) {
			t.Errorf("link %d is %q", i, l.Name)
		}
		// Two rounds, in each of which every hop of the ring carries 3/2 of 1 GB.
		if l.Bytes != 3e9 || l.Use > l.Busy*(1+1e-9) || l.Busy > 1 || i < 4 && l.Use < 0.99 {
			t.Errorf("link %d: %+v", i, l)
		}
	}
	if own := train(t, split(t, racks(1, 4), hw.Network{}, 0, 2.5e8, "")); own.Links != nil {
		t.Errorf("without a network: %+v", own.Links)
	}
}

// TestRecurrenceKnowsRoutes: on any network a step of two stages, between which nothing
// contends, takes what the recurrence says, to the rounding of its parts; one of more
// stages, whose transfers may meet, no less.
func TestRecurrenceKnowsRoutes(t *testing.T) {
	networks := []hw.Network{
		{Topology: hw.OneSwitch},
		{Topology: hw.LeafSpine, NodesPerLeaf: 1, Spines: 1, Oversubscription: 8},
		{Topology: hw.LeafSpine, NodesPerLeaf: 2, Spines: 2, Oversubscription: 3},
		{Topology: hw.FatTree, SwitchPorts: 4, Oversubscription: 4},
		{Topology: hw.Rail, Rails: 2, NodesPerLeaf: 1, Spines: 1, Oversubscription: 2},
	}
	slowest := 0.0
	for _, n := range networks {
		for _, a := range []network.Algorithm{"", network.Hierarchical, network.TreeAlgorithm} {
			for _, devices := range [][]int{{2, 2}, {4, 4}, {3, 6}, {8, 1}, {2, 4, 2}, {2, 2, 2, 2}} {
				for _, params := range []float64{0, 1e6, 2.5e8} {
					job := splitInto(t, 4, racks(4, devices...), n, 1e5, params, a)
					job.Rounds = 1
					rec, err := job.Problem.RecurrenceOf(job.Plan)
					if err != nil {
						t.Fatal(err)
					}
					want, got := float64(job.Problem.Batch)/rec.Throughput, train(t, job).End.Seconds()
					if params == 0 && len(devices) == 2 && math.Abs(got-want) > 1e-7 || got < want*(1-1e-9)-1e-7 {
						t.Errorf("%s, %q, %v devices, %g parameters: a step takes %v s, by recurrence %v s", n.Topology, a, devices, params, got, want)
					}
					slowest = max(slowest, got/want)
				}
			}
		}
	}
	t.Logf("at most %.3g times as long as by recurrence", slowest)
}

package placement

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"stowage/hw/unit"
	"stowage/workloads"
)

// TestServersAreOptimal compares provisioning with every vector of devices and
// every number of servers, where servers are dear, their nodes hold several, and
// what goes through their ports decides.
func TestServersAreOptimal(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 12))
	limited, several := 0, 0
	for range 1500 {
		s := spec(randomModel(r, 5), cluster(cpuPool("c", 1+r.IntN(7), 0.1+3*r.Float64()), gpuPool("g", 1+r.IntN(5), 0.1+r.Float64())))
		for i := range s.Model.Layers {
			s.Model.Layers[i].Params *= 20
		}
		s.Sync, s.Servers = Server, 1+r.IntN(2)
		s.Objective = []Objective{Throughput, Cost, Time}[r.IntN(3)]
		for i := range s.Cluster.Pools {
			n := &s.Cluster.Pools[i].Node
			n.Devices, n.NIC.Bandwidth = 1+r.IntN(3), unit.Rate(1e7*math.Pow(1000, r.Float64()))
		}
		p := mustProblem(t, s)
		sc := randomScheme(r, 5, 2, 0.3)
		if f := NewEvaluator(p).ClosedForm(sc); f.Feasible && r.IntN(2) == 0 {
			s.MinThroughput = f.Throughput * r.Float64() * 1.1
			s.MaxPrice = f.Price * (0.5 + r.Float64())
			if r.IntN(2) == 0 {
				s.MaxCost = f.Cost * (0.5 + r.Float64())
			}
			p = mustProblem(t, s)
		}
		if f := checkProvision(t, p, sc); f.Feasible {
			pl := NewEvaluator(p).Plan(sc)
			slowest := 0.0
			for i := range pl.Stages {
				slowest = max(slowest, pl.Stages[i].StepTime)
			}
			if float64(s.Batch)/f.Throughput > slowest*(1+1e-9) {
				limited++
			}
			if pl.Servers > 1 {
				several++
			}
		}
	}
	if limited < 50 || several < 50 {
		t.Errorf("servers decide the step in %d draws, and are several in %d: the test tests little", limited, several)
	}
}

// TestServersByHand: 2 devices push and pull 3 MB x 4 bytes each, 48 MB a step. A port
// of 1e8 B/s carries that in 0.48 s.
func TestServersByHand(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "fc", FLOPs: 1e6, Params: 3_000_000, Backward: 2, Parallel: 1}}}
	servers := cpuPool("ps", 5, 1)
	servers.Node.NIC.Bandwidth, servers.Node.NIC.Latency = 1e8, 0
	s := spec(m, cluster(gpuPool("g", 8, 2), servers))
	s.Sync, s.Servers, s.Microbatches = Server, 2, 1
	p := mustProblem(t, s)
	ev := NewEvaluator(p)
	for _, c := range []struct {
		devices, servers int
		price, seconds   float64
	}{
		{1, 5, 7, 0.08}, // 5 servers have the ports of 3 nodes
		{2, 5, 9, 0.16},
	} {
		pl, err := ev.PlanDevices(Scheme{0}, []int{c.devices})
		if err != nil {
			t.Fatal(err)
		}
		if f := pl.Fitness; pl.Servers != c.servers || f.Price != c.price || math.Abs(float64(s.Batch)/f.Throughput-c.seconds) > 1e-12 {
			t.Errorf("%d devices: %d servers, %+v; want %d servers at %v USD/h in all, %v s", c.devices, pl.Servers, f, c.servers, c.price, c.seconds)
		}
		pipe, _, err := p.Pipeline(pl)
		if err != nil || math.Abs(pipe.Sync[0].Seconds()-c.seconds) > 1e-9 {
			t.Errorf("%d devices: synchronised in %v, %v; want %v s", c.devices, pipe.Sync, err, c.seconds)
		}
	}
	// Alone, one device a step is what its port allows.
	if pl := ev.Plan(Scheme{0}); pl.Stages[0].Devices != 1 || pl.Servers != 5 || math.Abs(pl.Fitness.Throughput-1024/0.08) > 1e-6 {
		t.Errorf("%d devices, %d servers, %+v", pl.Stages[0].Devices, pl.Servers, pl.Fitness)
	}
	// Stages leave no server.
	pl, err := ev.PlanDevices(Scheme{1}, []int{5})
	if want := `its stages on pool "ps" need all of its 5 devices, and the parameter servers at least one`; err != nil || pl.Reason != want {
		t.Errorf("%v, %q", err, pl.Reason)
	}
}

func TestServerErrors(t *testing.T) {
	for _, c := range []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.Servers = 3 }, "servers = 3: 1 + one of the 2 pools, or 0"},
		{func(s *Spec) { s.Servers, s.Sync = 1, Ring }, `servers = "c": parameter servers need training with sync = "ps"`},
		{func(s *Spec) { s.Servers, s.Inference = 1, true }, `servers = "c": parameter servers need training`},
	} {
		s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
		s.Sync = Server
		c.change(&s)
		if _, err := NewProblem(s); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}

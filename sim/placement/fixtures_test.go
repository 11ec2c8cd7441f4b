package placement

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/workloads"
)

// cpuType and gpuType are device types with round numbers.
func cpuType(name string) *hw.Device {
	return &hw.Device{
		Name: name, Kind: hw.CPU,
		Peak:     map[hw.Precision]unit.FLOPS{hw.FP32: 2e12, hw.FP16: 2e12},
		Memory:   hw.Memory{Capacity: 64 << 30, Bandwidth: 100e9},
		Gather:   hw.Gather{Rows: 50e6, Bandwidth: 20e9},
		Parallel: 0.98,
	}
}

func gpuType(name string) *hw.Device {
	return &hw.Device{
		Name: name, Kind: hw.GPU,
		Peak:     map[hw.Precision]unit.FLOPS{hw.FP32: 15e12, hw.FP16: 120e12},
		Memory:   hw.Memory{Capacity: 16 << 30, Bandwidth: 900e9},
		Gather:   hw.Gather{Rows: 1e9, Bandwidth: 350e9},
		Overhead: 10 * time.Microsecond,
		Parallel: 0.97,
	}
}

// cpuPool has nodes of 2 sockets with 1e10 B/s network ports.
func cpuPool(name string, count int, price float64) hw.Pool {
	d := cpuType(name)
	return hw.Pool{
		Name: name, Device: d, Host: d, Count: count, Price: unit.Price(price),
		Node: hw.Node{
			Name: name, Device: name, Devices: 2, Host: name, Hosts: 2,
			DRAM: hw.Memory{Capacity: 128 << 30, Bandwidth: 200e9},
			NIC:  hw.Link{Name: "nic", Bandwidth: 1e10, Latency: 5 * time.Microsecond},
		},
	}
}

// gpuPool has nodes of 8 GPUs with 1.2e10 B/s host links and network ports.
func gpuPool(name string, count int, price float64) hw.Pool {
	return hw.Pool{
		Name: name, Device: gpuType(name), Host: cpuType("host"), Count: count, Price: unit.Price(price),
		Node: hw.Node{
			Name: name, Device: name, Devices: 8, Host: "host", Hosts: 2,
			DRAM:     hw.Memory{Capacity: 384 << 30, Bandwidth: 200e9},
			HostLink: hw.Link{Name: "pcie", Bandwidth: 1.2e10, Latency: 2 * time.Microsecond},
			PeerLink: hw.Link{Name: "nvlink", Bandwidth: 1.2e11, Latency: 2 * time.Microsecond},
			NIC:      hw.Link{Name: "nic", Bandwidth: 1.2e10, Latency: 5 * time.Microsecond},
		},
	}
}

func cluster(pools ...hw.Pool) *hw.Cluster { return &hw.Cluster{Pools: pools} }

// flushed returns the schedules that any merge can have.
func flushed() []pipeline.Schedule {
	return slices.DeleteFunc(slices.Clone(pipeline.Schedules), func(s pipeline.Schedule) bool { return s.Staleness > 0 })
}

func schedule(name string) pipeline.Schedule {
	s, ok := pipeline.LookupSchedule(name)
	if !ok {
		panic("no schedule " + name)
	}
	return s
}

// spec is a problem with the usual settings.
func spec(m *workloads.Model, c *hw.Cluster) Spec {
	return Spec{
		Model: m, Cluster: c, Batch: 1024, Microbatches: 8, Schedule: schedule("1f1b"),
		Precision: hw.FP32, Optimizer: AdaGrad, Sync: NoSync, Merge: Contiguous, Objective: Throughput, CommParallel: 1,
	}
}

func mustProblem(t testing.TB, s Spec) *Problem {
	t.Helper()
	p, err := NewProblem(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// randomModel is a chain of n layers with some skip edges: the first few layers
// move memory (an input, embeddings), the rest compute.
func randomModel(r *rand.Rand, n int) *workloads.Model {
	m := &workloads.Model{Name: "random"}
	logUniform := func(lo, decades float64) float64 {
		v := lo
		for range int(decades * 3 * r.Float64()) {
			v *= 2.15
		}
		return v * (1 + r.Float64())
	}
	for l := range n {
		ly := workloads.Layer{
			Name: "l" + string(rune('a'+l%26)) + string(rune('a'+l/26%26)), Kind: workloads.Linear, Backward: 2, Parallel: -1,
			FLOPs: logUniform(1e4, 4), Traffic: logUniform(1e2, 2), Params: int64(logUniform(1e2, 4)), Output: logUniform(8, 2),
		}
		ly.Stored = ly.Output
		switch {
		case l == 0:
			ly.Kind, ly.Backward, ly.Params = workloads.Input, 0, 0
		case r.IntN(4) == 0:
			ly.Kind, ly.FLOPs, ly.Params, ly.Backward = workloads.Embedding, 0, 0, 1
			ly.Tables = []workloads.Table{{Name: "t", Rows: int64(logUniform(1e5, 3)), Dim: 16, Lookups: 1 + r.IntN(40)}}
		}
		m.Layers = append(m.Layers, ly)
		for k := range l {
			if k == l-1 || r.IntN(3*n) == 0 {
				m.Edges = append(m.Edges, workloads.Edge{From: k, To: l, Elements: m.Layers[k].Output})
			}
		}
	}
	return m
}

// randomScheme draws runs of layers: change is the chance that a layer starts one.
func randomScheme(r *rand.Rand, layers, pools int, change float64) Scheme {
	sc := make(Scheme, layers)
	for l := range sc {
		if sc[l] = uint8(r.IntN(pools)); l > 0 && r.Float64() >= change {
			sc[l] = sc[l-1]
		}
	}
	return sc
}

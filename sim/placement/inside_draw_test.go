package placement

import (
	"math/rand/v2"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/workloads"
)

// divide says of the layers of a model which parts of them are divided, reduced and
// computed again.
func divide(r *rand.Rand, m *workloads.Model) {
	for l := range m.Layers {
		ly := &m.Layers[l]
		if r.IntN(4) == 0 {
			continue
		}
		a := r.Float64()
		ly.Split = workloads.Amounts{FLOPs: a * ly.FLOPs, Traffic: a * ly.Traffic, Params: float64(int(a * float64(ly.Params))), Stored: a * ly.Stored}
		b := r.Float64()
		ly.Core = workloads.Amounts{FLOPs: b * ly.FLOPs, Traffic: b * ly.Traffic, Stored: b * ly.Stored}
		ly.Reduce = workloads.Reduction{Times: 1 + r.IntN(2), Elements: ly.Output}
		ly.ReduceBack = workloads.Reduction{Times: 1, Elements: ly.Output / 2}
		ly.Keep = r.IntN(5) == 0
	}
}

// drawInside draws how the stages of a spec are shared. Everything is allowed with what
// the spec has.
func drawInside(t *rapid.T, r *rand.Rand, s *Spec) {
	m := *s.Model
	m.Layers = append([]workloads.Layer(nil), m.Layers...)
	divide(r, &m)
	s.Model = &m
	s.Tensor = make([]int, len(s.Cluster.Pools))
	for i := range s.Tensor {
		s.Tensor[i] = 1
		pool := &s.Cluster.Pools[i]
		if pool.Device.Kind.Accelerator() && rapid.IntRange(0, 3).Draw(t, "group") == 0 {
			other := gpuType("other")
			other.Peak = map[hw.Precision]unit.FLOPS{hw.FP32: 5e12, hw.FP16: 5e12}
			other.Memory.Capacity = pool.Device.Memory.Capacity / 2
			price := pool.Price
			grouped := pool.Grouped(other)
			if grouped.Price = price; CheckGroup(&grouped, 1, s.Sync) == nil {
				*pool = grouped
			}
		}
		if n := rapid.IntRange(2, 4).Draw(t, "tensor parallel"); CheckTeam(pool, n, s.Sync) == nil && CheckGroup(pool, n, s.Sync) == nil {
			s.Tensor[i] = n
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "reserved") == 0 {
		s.ReservedMemory = s.Cluster.Pools[0].LeastMemory() / 8
		for i := range s.Cluster.Pools {
			s.ReservedMemory = min(s.ReservedMemory, s.Cluster.Pools[i].LeastMemory()/8)
		}
	}
	s.Shares = rapid.SampledFrom([]Shares{"", Even}).Draw(t, "shares")
	s.SequenceParallel = rapid.Bool().Draw(t, "sequence parallel")
	if rapid.Bool().Draw(t, "pieces") {
		s.ReplicaBatch = s.Batch / s.Microbatches / rapid.SampledFrom([]int{1, 2, 4}).Draw(t, "pieces of a micro-batch")
	}
	if s.Inference {
		return
	}
	if s.Sync != Server {
		s.Sync = rapid.SampledFrom([]Sync{Ring, NoSync}).Draw(t, "sync")
	}
	if s.Sync == Ring {
		s.Zero = rapid.IntRange(0, 3).Draw(t, "zero")
	}
	s.OverlapSync = rapid.Bool().Draw(t, "overlap")
	if s.Schedule.Delay == nil {
		s.Recompute = rapid.SampledFrom([]Recompute{"", Selective, Full}).Draw(t, "recompute")
	}
}

// inOrder returns per-pool numbers in another order of pools: new -> old.
func inOrder(tensor []int, order []int) []int {
	if tensor == nil {
		return nil
	}
	var out []int
	for _, from := range order {
		out = append(out, tensor[from])
	}
	return out
}

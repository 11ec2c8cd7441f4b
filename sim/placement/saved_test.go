package placement

import (
	"testing"

	"stowage/hw"
	"stowage/workloads"
)

// Two stages of 1000 and 500 parameters in fp16 with Adam: 2 bytes, and 4 + 8 of optimizer
// state (a master copy and two moments), once whatever the number of replicas and however
// ZeRO divides them.
func TestCheckpointBytes(t *testing.T) {
	m := &workloads.Model{Name: "two", Edges: []workloads.Edge{{From: 0, To: 1, Elements: 1}}}
	for i, params := range []int64{1000, 500} {
		m.Layers = append(m.Layers, workloads.Layer{Name: string(rune('a' + i)), Kind: workloads.Linear, Params: params, FLOPs: 1e9, Backward: 2})
	}
	for zero := range 4 {
		s := spec(m, cluster(gpuPool("a", 8, 1), gpuPool("b", 8, 1)))
		s.Precision, s.Optimizer, s.Sync, s.Zero = hw.FP16, Adam, Ring, zero
		p := mustProblem(t, s)
		for _, devices := range [][]int{{1, 1}, {4, 2}} {
			pl, err := NewEvaluator(p).PlanDevices(Scheme{0, 1}, devices)
			if err != nil || !pl.Fitness.Feasible {
				t.Fatalf("%v %s", err, pl.Reason)
			}
			if got := p.CheckpointBytes(pl); got != 1500*14 {
				t.Errorf("ZeRO %d on %v devices: %g bytes, want 21000", zero, devices, got)
			}
		}
	}
}

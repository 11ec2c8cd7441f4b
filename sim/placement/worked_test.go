package placement

import (
	"fmt"
	"math"
	"testing"

	"stowage/hw"
	"stowage/workloads"
)

// workedProblem is the two-stage example of the published cost model: a batch of
// 1000 takes 2 s on one CPU (alpha 0.95, price 0.04) and then 1 s on one GPU
// (alpha 0.9, price 2.42), and nothing is moved.
func workedProblem(t testing.TB, o Objective, floor float64) *Problem {
	layer := func(name, device string, alpha, seconds float64) workloads.Layer {
		return workloads.Layer{Name: name, Kind: workloads.Block, Parallel: alpha, OnlyProfiled: true, Profiles: []workloads.Profile{
			{Device: device, Points: []workloads.ProfilePoint{{Batch: 1000, Forward: seconds / 4, Backward: seconds * 3 / 4}}},
		}}
	}
	m := &workloads.Model{
		Layers: []workloads.Layer{layer("one", "cpu", 0.95, 2), layer("two", "gpu", 0.9, 1)},
		Edges:  []workloads.Edge{{From: 0, To: 1}},
	}
	s := spec(m, cluster(cpuPool("cpu", 4096, 0.04), gpuPool("gpu", 4096, 2.42)))
	s.Batch, s.Microbatches, s.Objective, s.MinThroughput = 1000, 1, o, floor
	return mustProblem(t, s)
}

// TestWorkedExample checks k_min(X) = ceil(alpha / (B/(X C) - (1 - alpha))) and
// Cost(X) = M/X sum p k_min for M = 1e6 samples, in price x seconds. At X = 5000
// the first stage needs exactly 19 CPUs.
func TestWorkedExample(t *testing.T) {
	for _, c := range []struct {
		floor float64
		k     [2]int
		cost  float64 // at exactly X
		tol   float64 // of the published digits
	}{
		{300, [2]int{1, 1}, 8200, 1e-9},
		{500, [2]int{1, 1}, 4920, 1e-9},
		{1000, [2]int{3, 1}, 2540, 1e-9},
		{2000, [2]int{5, 3}, 3730, 1e-9},
		{3000, [2]int{9, 4}, 3346.7, 1e-5},
		{5000, [2]int{19, 9}, 4508, 1e-9},
	} {
		t.Run(fmt.Sprint(c.floor), func(t *testing.T) {
			p := workedProblem(t, Cost, c.floor)
			ev := NewEvaluator(p)
			ev.merge(Scheme{0, 1})
			copy(ev.free, p.count)
			for i := range 2 {
				ev.k[i], ev.times[i] = 1, ev.stepTime(i, 1)
				if k := ev.minDevices(i, 1000/(c.floor*(1-slack))); k != c.k[i] {
					t.Errorf("k_min of stage %d is %d, want %d", i, k, c.k[i])
				}
			}
			price := 0.04*float64(c.k[0]) + 2.42*float64(c.k[1])
			if at := 1e6 / c.floor * price; math.Abs(at-c.cost) > c.tol*c.cost {
				t.Errorf("cost at X is %v, want %v", at, c.cost)
			}
			f := ev.ClosedForm(Scheme{0, 1})
			if !f.Feasible || f.Throughput < c.floor*(1-slack) || f.Cost*3600 > c.cost*(1+c.tol) {
				t.Errorf("under the floor %v: %+v, want at most %v", c.floor, f, c.cost)
			}
		})
	}
}

// TestWorkedRefusal: a measured layer runs only where it was measured.
func TestWorkedRefusal(t *testing.T) {
	ev := NewEvaluator(workedProblem(t, Throughput, 0))
	pl := ev.Plan(Scheme{1, 0})
	want := `layer "one" cannot run on gpu: it was measured on cpu only, and has no FLOPs for a roofline (and 1 more layers)`
	if pl.Fitness.Feasible || pl.Reason != want || len(pl.Stages) != 0 {
		t.Errorf("%+v", pl)
	}
	if one := ev.Plan(Scheme{0, 0}); one.Fitness.Value <= pl.Fitness.Value || one.Fitness.Value >= 0 {
		t.Errorf("one refused layer has value %v, two have %v", one.Fitness.Value, pl.Fitness.Value)
	}
}

// TestLayerTime checks the roofline with its overhead once in each direction,
// and the gather of embedding rows, by hand.
func TestLayerTime(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{
		{Name: "fc", FLOPs: 3e6, Params: 1000, Output: 10, Stored: 10, Backward: 2, Parallel: -1},
		{Name: "emb", Backward: 1, Parallel: 1, Tables: []workloads.Table{{Rows: 1000, Dim: 16, Lookups: 5}}},
	}}
	s := spec(m, cluster(gpuPool("gpu", 8, 2)))
	p := mustProblem(t, s) // 128 samples a micro-batch
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12*want {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	fc, work := &p.costs[0], 128*3e6/15e12
	near("fc", fc.serial+fc.parallel, 10e-6+work+10e-6+2*work)
	near("fc parallel", fc.parallel/(fc.serial+fc.parallel), 0.97)
	near("fc forward", fc.forwardShare, (10e-6+work)/(20e-6+3*work))
	gather := 640/1e9 + 640*64/350e9
	near("emb", p.costs[1].parallel, 2*(10e-6+gather))
	if p.costs[1].serial != 0 {
		t.Errorf("alpha 1 leaves a serial part of %v", p.costs[1].serial)
	}
	s.Inference = true
	q := mustProblem(t, s)
	near("fc, inference", q.costs[0].serial+q.costs[0].parallel, 10e-6+work)
	s.Precision = hw.FP8
	if q = mustProblem(t, s); !q.work[0].refused || q.refusals[0] != `layer "fc" cannot run on gpu: gpu has no peak for fp8: it has fp32, fp16` {
		t.Errorf("fp8: %q", q.refusals[0])
	}
}

package sim

import (
	"fmt"
	"math"
	"testing"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/sim/placement"
	"stowage/workloads"
)

// language is a training run of a small transformer on stages of so many devices each,
// in nodes of 4 at one switch, two of which compute together.
func language(t testing.TB, change func(*placement.Spec), devices ...int) Job {
	t.Helper()
	m, err := workloads.Transformer{Layers: 4, Hidden: 256, Heads: 4, Sequence: 64, Vocabulary: 1000}.Model("small")
	if err != nil {
		t.Fatal(err)
	}
	spec := specOf(m)
	var tensor []int
	for i, k := range devices {
		pool := machine(fmt.Sprint("stage", i), k)
		d := *pool.Device
		d.Peak = map[hw.Precision]unit.FLOPS{hw.FP16: 1e13}
		pool.Device, pool.Node.Devices = &d, 4
		pool.Node.HostLink.Latency = 0 // which the formula of rings leaves out
		pool.Node.NIC.Latency, pool.Node.PeerLink = 2*time.Microsecond, hw.Link{Bandwidth: 1e10, Latency: time.Microsecond}
		spec.Cluster.Pools, tensor = append(spec.Cluster.Pools, pool), append(tensor, 2)
	}
	spec.Cluster.Network = hw.Network{Topology: hw.OneSwitch}
	spec.Batch, spec.Microbatches, spec.Precision, spec.Optimizer = 32, 4, hw.FP16, placement.Adam
	spec.Sync, spec.Collective, spec.Tensor = placement.Ring, network.RingAlgorithm, tensor
	change(&spec)
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	scheme := make(placement.Scheme, len(m.Layers))
	for l := range scheme {
		scheme[l] = uint8(l * len(devices) / len(scheme))
	}
	pl, err := placement.NewEvaluator(p).PlanDevices(scheme, devices)
	if err != nil || !pl.Fitness.Feasible {
		t.Fatal(err, pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: 2}
}

// TestTeamsOverANetwork: in a network with nothing else on the links, replicas of two
// devices synchronise in the time that the recurrence counts, whatever ZeRO leaves of it
// to passes, and beside passes as well as behind them; but parameters that are gathered
// beside the last pass share its links with the gradients of that pass.
func TestTeamsOverANetwork(t *testing.T) {
	for _, devices := range []int{4, 8, 16} { // in one node, two, four
		for zero := range 4 {
			for _, overlap := range []bool{false, true} {
				job := language(t, func(s *placement.Spec) { s.Zero, s.OverlapSync = zero, overlap }, devices)
				pipe, _, err := job.Problem.Pipeline(job.Plan)
				if err != nil {
					t.Fatal(err)
				}
				run, want := train(t, job), recurrenceEnds(t, job)
				if run.Usage[0].Sync == 0 || pipe.Sync[0] == 0 {
					t.Fatalf("%d devices, zero = %d: nothing is synchronised", devices, zero)
				}
				for r := range want {
					if zero == 3 && overlap && devices > 4 {
						if run.Rounds[r].End <= want[r] {
							t.Errorf("%d devices: nothing contends in round %d", devices, r)
						}
						continue
					}
					if off := run.Rounds[r].End - want[r]; math.Abs(off.Seconds()) > 1e-6*want[r].Seconds() {
						t.Errorf("%d devices, zero = %d, overlap = %v: round %d ends at %v, by recurrence at %v", devices, zero, overlap, r, run.Rounds[r].End, want[r])
					}
				}
			}
		}
	}
}

// TestInsideRun: two stages of several replicas of two devices run, keep their promises,
// and say so in the result; more is hidden where synchronisation overlaps.
func TestInsideRun(t *testing.T) {
	ends := map[bool]time.Duration{}
	for _, overlap := range []bool{false, true} {
		job := language(t, func(s *placement.Spec) {
			s.Zero, s.OverlapSync, s.Recompute, s.SequenceParallel = 1, overlap, placement.Full, true
		}, 8, 8)
		job.Record = RecordStep
		run := train(t, job)
		ends[overlap] = run.End
		for i, m := range run.Timeline.Memory {
			if peak, _ := m.Peak(); math.Abs(float64(peak-job.Plan.Stages[i].Memory.Activations)) > 3 {
				t.Errorf("stage %d holds %v of activations, the closed form says %v", i, peak, job.Plan.Stages[i].Memory.Activations)
			}
		}
		r := schemeOf(job.Problem, job.Plan)
		if st := r.Stages[0]; st.Devices != 8 || st.TensorParallel != 2 {
			t.Errorf("%+v", st)
		}
	}
	if ends[true] >= ends[false] {
		t.Errorf("two rounds take %v with overlap, %v without", ends[true], ends[false])
	}
}

package sim

import (
	"math"
	"testing"

	"stowage/hw"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// wide is language with replicas of eight devices, which fill two nodes.
func wide(t testing.TB, change func(*placement.Spec), devices ...int) Job {
	t.Helper()
	return language(t, func(s *placement.Spec) {
		for i := range s.Tensor {
			s.Tensor[i] = 8
		}
		change(s)
	}, devices...)
}

// likeRecurrence holds the ends of a run's rounds against those of the recurrence.
func likeRecurrence(t *testing.T, what string, job Job, tolerance float64) {
	t.Helper()
	run, want := train(t, job), recurrenceEnds(t, job)
	for r := range want {
		if off := run.Rounds[r].End - want[r]; math.Abs(off.Seconds()) > tolerance*want[r].Seconds() {
			t.Errorf("%s: round %d ends at %v, by recurrence at %v", what, r, run.Rounds[r].End, want[r])
		}
	}
}

// Alone on the links, all-reduces and gatherings of parameters in passes take as flows
// what their formulas say, by every algorithm and however passes come about.
func TestSharedPassesAlone(t *testing.T) {
	for what, change := range map[string]func(*placement.Spec){
		"plain":             func(*placement.Spec) {},
		"sequence parallel": func(s *placement.Spec) { s.SequenceParallel = true },
		"recomputed":        func(s *placement.Spec) { s.Recompute = placement.Full },
		"by scores":         func(s *placement.Spec) { s.Recompute = placement.Selective },
		"by the sample":     func(s *placement.Spec) { s.ReplicaBatch = 1 },
		"inference":         func(s *placement.Spec) { s.Inference = true },
		"gpipe":             func(s *placement.Spec) { s.Schedule, _ = pipeline.LookupSchedule("gpipe") },
		"zb-h1":             func(s *placement.Spec) { s.Schedule, _ = pipeline.LookupSchedule("zb-h1") },
		"zero 3":            func(s *placement.Spec) { s.Zero = 3 },
		"hierarchical":      func(s *placement.Spec) { s.Collective = network.Hierarchical },
		"halving":           func(s *placement.Spec) { s.Collective = network.HalvingDoubling },
		"trees":             func(s *placement.Spec) { s.Collective = network.TreeAlgorithm },
	} {
		for _, devices := range []int{8, 16} {
			job := wide(t, change, devices)
			if passes, err := job.Problem.SharedPasses(job.Plan); err != nil || passes == nil || passes[0].Sums.Bytes == 0 {
				t.Fatalf("%s: %v, nothing goes over the network: %+v", what, err, passes)
			}
			likeRecurrence(t, what, job, 1e-5)
			// Leaves that hold nobody up have switches with latencies of their own.
			leaves := wide(t, func(s *placement.Spec) {
				change(s)
				s.Cluster.Network = hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 1, Spines: 1, Oversubscription: 1}
			}, devices)
			likeRecurrence(t, what+" over leaves", leaves, 0.01)
		}
	}
}

// Inside a node passes keep their formula: nothing is asked of the network.
func TestPassesInsideNodes(t *testing.T) {
	for _, zero := range []int{0, 3} {
		job := language(t, func(s *placement.Spec) { s.Zero = zero }, 4)
		if passes, err := job.Problem.SharedPasses(job.Plan); err != nil || passes != nil {
			t.Errorf("zero = %d: %v, %+v", zero, err, passes)
		}
	}
	job := language(t, func(s *placement.Spec) { s.Zero = 3 }, 8)
	passes, err := job.Problem.SharedPasses(job.Plan)
	if err != nil || passes == nil || passes[0].Sums.Times > 0 || passes[0].Gather.Bytes == 0 {
		t.Errorf("replicas in two nodes: %v, %+v", err, passes)
	}
}

// Ports of half the bandwidth make what goes over them take twice as long, and nothing
// else: by hand, 2 x 7/8 of the bytes of each pass at 1 GB/s.
func TestSharedPassesOnWeakPorts(t *testing.T) {
	job := wide(t, func(s *placement.Spec) { s.Sync = placement.NoSync }, 8)
	passes, err := job.Problem.SharedPasses(job.Plan)
	if err != nil {
		t.Fatal(err)
	}
	bytes := passes[0].Sums.Bytes + passes[1].Sums.Bytes
	whole := train(t, job)
	job.Trouble = &Trouble{Links: []WeakLink{{Pool: 0, Node: 1, Factor: 0.5}}}
	weak := train(t, job)
	want := float64(job.Rounds) * 4 * 2 * 7. / 8 * bytes / 1e9
	if got := (weak.End - whole.End).Seconds(); math.Abs(got-want) > 1e-5*want {
		t.Errorf("%g s more, by hand %g", got, want)
	}
	if u := weak.Usage[0]; u.Busy != weak.End {
		t.Errorf("busy for %v of %v", u.Busy, weak.End)
	}
}

// Two equal jobs whose replicas lie across the same uplink share it while both send: the
// bytes of each take twice as long as alone, and latencies, a few per cent here, as long.
func TestSharedPassesContend(t *testing.T) {
	for name, change := range map[string]func(*placement.Spec){
		"sums":        func(*placement.Spec) {},
		"gatherings":  func(s *placement.Spec) { s.Zero, s.Tensor = 3, []int{1, 1} },
		"beside them": func(s *placement.Spec) { s.Zero, s.Tensor, s.OverlapSync = 3, []int{1, 1}, true },
	} {
		// Nodes 0 to 3 of the pool: jobs have 0 and 1, 2 and 3, of which two are at a leaf.
		both := wide(t, func(s *placement.Spec) {
			change(s)
			s.Sync = placement.Ring
			pool := &s.Cluster.Pools[0]
			pool.Count = 16
			s.Cluster.Pools = s.Cluster.Pools[:1]
			s.Tensor = s.Tensor[:1]
			var cables []hw.Cable
			for node, leaf := range []string{"a", "b", "a", "b"} {
				cables = append(cables, hw.Cable{From: pool.Name + ":" + string(rune('0'+node)), To: leaf, Bandwidth: 1e9})
			}
			s.Cluster.Network = hw.Network{Topology: hw.Cables, Cables: append(cables, hw.Cable{From: "a", To: "b", Bandwidth: 1e9})}
		}, 8)
		job, other := both, both
		other.Taken = []int{8}
		alone := train(t, job)
		runs, err := TrainTogether(t.Context(), []Job{job, other})
		if err != nil {
			t.Fatal(err)
		}
		pipe, _, err := job.Problem.Pipeline(job.Plan)
		if err != nil {
			t.Fatal(err)
		}
		passes, err := job.Problem.SharedPasses(job.Plan)
		if err != nil {
			t.Fatal(err)
		}
		// Two rounds of four micro-batches. Beside computing it takes all the time.
		sent := 2*pipe.Sync[0] + 8*(pipe.Segments[0].Forward-passes[0].Compute+pipe.Segments[0].Backward-passes[1].Compute)
		if job.Problem.OverlapSync {
			sent = alone.End
		}
		for _, run := range runs {
			if longer := run.End - alone.End; longer < sent*9/10 || longer > sent {
				t.Errorf("%s: %v together, %v alone, of which %v are sent", name, run.End, alone.End, sent)
			}
		}
	}
}

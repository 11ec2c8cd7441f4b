package sim

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/sim/placement"
	"stowage/workloads"
)

// sameAsRecurrence checks every round's end to the nanosecond.
func sameAsRecurrence(t *rapid.T, job Job) {
	run, err := Train(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	pipe, _, err := job.Problem.Pipeline(job.Plan)
	if err != nil {
		t.Fatal(err)
	}
	for r, want := range recurrenceEnds(t, job) {
		if run.Rounds[r].End != want {
			t.Fatalf("round %d of %d stages ends at %v, by recurrence at %v\n%+v", r, pipe.Stages, run.Rounds[r].End, want, pipe)
		}
	}
	if len(run.Rounds) != job.Rounds || run.End != run.Rounds[job.Rounds-1].End || run.Elapsed != run.End {
		t.Fatalf("%d of %d rounds, end %v, elapsed %v", len(run.Rounds), job.Rounds, run.End, run.Elapsed)
	}
}

// Transfers of measured times hold no link, so any graph, merge and schedule is
// free of contention.
func TestTrainIsRecurrenceWithMeasuredTransfers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { sameAsRecurrence(t, randomJob(t, instant, false, 3)) })
}

// In a chain of forward passes every stage sends to one other and receives from
// one other: no two transfers share a port.
func TestTrainIsRecurrenceWithBytesForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, true, 3)
		job.Problem = recompiled(t, job.Problem, func(s *placement.Spec) {
			s.Inference, s.Recompute, s.Zero, s.OverlapSync = true, "", 0, false
		})
		job.Plan = placement.NewEvaluator(job.Problem).Plan(job.Plan.Scheme)
		sameAsRecurrence(t, job)
	})
}

// Two stages talk in both directions at once over full-duplex ports.
func TestTrainIsRecurrenceWithBytesOfTwoStages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, true, 2)
		cut := rapid.IntRange(0, len(job.Plan.Scheme)).Draw(t, "cut")
		for l := range job.Plan.Scheme {
			job.Plan.Scheme[l] = 0
			if l >= cut && job.Problem.Pools() > 1 {
				job.Plan.Scheme[l] = 1
			}
		}
		job.Plan = placement.NewEvaluator(job.Problem).Plan(job.Plan.Scheme)
		sameAsRecurrence(t, job)
	})
}

func recompiled(t *rapid.T, p *placement.Problem, change func(*placement.Spec)) *placement.Problem {
	spec := p.Spec
	change(&spec)
	q, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// Transfers that share ports only lose time: each is as fast as alone at best, but
// for the nanosecond to which every change of rate rounds.
func TestContentionNeverHelps(t *testing.T) {
	slower := 0
	rapid.Check(t, func(t *rapid.T) {
		job := randomJob(t, carrying, false, 3)
		run, err := Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		pipe, _, _ := job.Problem.Pipeline(job.Plan)
		rounding := time.Duration(2 * len(pipe.Channels) * pipe.Microbatches * job.Rounds)
		for r, alone := range recurrenceEnds(t, job) {
			if run.Rounds[r].End < alone-rounding {
				t.Fatalf("round %d ends at %v, without contention at %v", r, run.Rounds[r].End, alone)
			}
			if run.Rounds[r].End > alone+rounding {
				slower++
			}
		}
	})
	if slower == 0 && !testing.Short() { // in short runs rapid draws too few
		t.Error("no plan contended: the test shows nothing")
	}
}

// Three stages, 1F1B, three micro-batches, passes of 1 ms, transfers of 4 ms
// alone. By hand: gradient 0 reaches stage 1's inward port while activation 2 is
// still on it (12 to 14 ms), and from 19 ms on activation 2 leaves stage 1
// through the port that gradients leave by. The step takes 39 ms instead of 34.
func TestContentionByHand(t *testing.T) {
	const ms = time.Millisecond
	m := &workloads.Model{Name: "three"}
	for i := range 3 {
		m.Layers = append(m.Layers, timed(i, ms, ms, 1, "a", "b", "c"))
		if i > 0 {
			m.Edges = append(m.Edges, workloads.Edge{From: i - 1, To: i, Elements: 1e6})
		}
	}
	spec := specOf(m, machine("a", 1), machine("b", 1), machine("c", 1))
	spec.Batch, spec.Microbatches = 3, 3
	job := planned(t, spec, placement.Scheme{0, 1, 2})
	if alone := recurrenceEnds(t, job)[0]; alone != 34*ms {
		t.Errorf("without contention %v, want 34ms", alone)
	}
	run := train(t, job)
	if run.End != 39*ms {
		t.Errorf("the step took %v, want 39ms", run.End)
	}
	for i, u := range run.Usage {
		if u.Busy != 6*ms || u.Sync != 0 || u.Stall != 0 {
			t.Errorf("stage %d: %+v, want 6ms busy", i, u)
		}
	}
}

func TestTrainRefuses(t *testing.T) {
	m := &workloads.Model{Name: "one", Layers: []workloads.Layer{timed(0, 1, 1, 1, "a")}}
	job := planned(t, specOf(m, machine("a", 1)), placement.Scheme{0})
	check := func(job Job, want string) {
		t.Helper()
		if _, err := Train(t.Context(), job); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	none := job
	none.Rounds = 0
	check(none, "rounds = 0: at least 1")

	full := job
	full.Plan = &placement.Plan{Reason: "too large"}
	check(full, "the scheme cannot be run: too large")

	free := &workloads.Model{Name: "free", Layers: []workloads.Layer{timed(0, 1, 0, 1, "a")}}
	free.Layers[0].Profiles[0].Points[0].Forward = 1e-10 // rounds to no time at all
	check(planned(t, specOf(free, machine("a", 1)), placement.Scheme{0}), "the scheme takes no time: every part of it is shorter than half a nanosecond")
}

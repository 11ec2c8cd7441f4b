package sim

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/sim/placement"
	"stowage/workloads"
)

// pair is two stages of 0.5 ms with a megabyte between them, on the pools a and b of two
// devices each, whose nodes are at the switches left and right.
func pair(t rapid.TB, between hw.Cable, rounds int) Job {
	t.Helper()
	m := &workloads.Model{Name: "two", Edges: []workloads.Edge{{From: 0, To: 1, Elements: 250_000}}}
	for i := range 2 {
		m.Layers = append(m.Layers, timed(i, ms/4, ms/4, 1, "a", "b"))
	}
	spec := specOf(m, machine("a", 2), machine("b", 2))
	between.From, between.To = "left", "right"
	spec.Cluster.Network = hw.Network{Topology: hw.Cables, Cables: []hw.Cable{
		{From: "a:0", To: "left", Bandwidth: 1e9}, {From: "a:1", To: "left", Bandwidth: 1e9},
		{From: "b:0", To: "right", Bandwidth: 1e9}, {From: "b:1", To: "right", Bandwidth: 1e9}, between,
	}}
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	pl, err := placement.NewEvaluator(p).PlanDevices(placement.Scheme{0, 1}, []int{1, 1})
	if err != nil || !pl.Fitness.Feasible {
		t.Fatalf("%v %s", err, pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: rounds}
}

// second is the job on the other device of each pool.
func second(job Job) Job {
	job.Taken = []int{1, 1}
	return job
}

func together(t rapid.TB, jobs ...Job) []*Run {
	t.Helper()
	runs, err := TrainTogether(context.Background(), jobs)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// Over a link that carries both at once, two jobs are each as alone, to the nanosecond;
// over one that does not, transfers of equal steps take twice as long.
func TestJobsShareLinks(t *testing.T) {
	wide, narrow := hw.Cable{Bandwidth: 2e9}, hw.Cable{Bandwidth: 1e9}
	alone := train(t, pair(t, wide, 3))
	for _, run := range together(t, pair(t, wide, 3), second(pair(t, wide, 3))) {
		run.Events, run.Links = alone.Events, alone.Links
		if d := cmp.Diff(alone, run, cmp.AllowUnexported(Run{})); d != "" {
			t.Errorf("beside another job on other links: %s", d)
		}
	}
	// A round alone: 1 ms of passes, two transfers of 1 ms, and two times 7 us of latency.
	if want := 9*ms + 42*us; alone.End != want {
		t.Fatalf("alone %v, by hand %v", alone.End, want)
	}
	for i, run := range together(t, pair(t, narrow, 3), second(pair(t, narrow, 3))) {
		if want := 15*ms + 42*us; run.End != want {
			t.Errorf("job %d: %v, by hand %v", i, run.End, want)
		}
	}
	// The second one is over after a round; from then on the first is as alone.
	runs := together(t, pair(t, narrow, 3), second(pair(t, narrow, 1)))
	if a, b := runs[0].End, runs[1].End; a != 11*ms+42*us || b != 5*ms+14*us || runs[1].Elapsed != b {
		t.Errorf("%v and %v, by hand 11.042ms and 5.014ms", a, b)
	}
}

// Jobs that only share links lose time, if anything, and order makes no difference to who
// they are.
func TestJobsNeverHelp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		between := hw.Cable{Bandwidth: 1e9, HalfDuplex: rapid.Bool().Draw(t, "half")}
		a, b := pair(t, between, rapid.IntRange(1, 5).Draw(t, "rounds")), second(pair(t, between, rapid.IntRange(1, 5).Draw(t, "other rounds")))
		a.Trouble = &Trouble{Stragglers: []Straggler{{Devices: all(0), Factor: rapid.Float64Range(1, 3).Draw(t, "factor")}}}
		runs, err := TrainTogether(t.Context(), []Job{a, b})
		if err != nil {
			t.Fatal(err)
		}
		for i, job := range []Job{a, b} {
			alone := train(t, job)
			rounding := time.Duration(4 * (a.Rounds + b.Rounds))
			if runs[i].End < alone.End-rounding || len(runs[i].Rounds) != job.Rounds {
				t.Fatalf("job %d: %v, alone %v", i, runs[i].End, alone.End)
			}
		}
	})
}

// A loss in one job leaves the other one running, and frees the links meanwhile.
func TestLossBesideAJob(t *testing.T) {
	narrow := hw.Cable{Bandwidth: 1e9}
	job := pair(t, narrow, 3)
	job.Trouble = &Trouble{
		// In the first transfer, when half of it is through.
		Losses:   []Loss{{Devices: Devices{Stage: -1, Pool: 0, From: 0, To: 1}, At: ms/4 + 7*us + ms}},
		Recovery: Recovery{Restart: time.Second},
	}
	runs := together(t, job, second(pair(t, narrow, 3)))
	// The other has 0.5 MB left at 1.257 ms, which then takes 0.5 ms instead of 1 ms.
	if want := 9*ms + 42*us + ms/2; runs[1].End != want {
		t.Errorf("the other job ends at %v, by hand at %v", runs[1].End, want)
	}
	if want := time.Second + ms/4 + 7*us + ms + 9*ms + 42*us; runs[0].End != want {
		t.Errorf("the job ends at %v, by hand at %v", runs[0].End, want)
	}
	checkAccount(t, Job{Rounds: 3}, runs[0])
	// The other job's devices are not its own.
	job.Trouble.Losses[0].From, job.Trouble.Losses[0].To = 1, 2
	if run := together(t, job, second(pair(t, narrow, 3)))[0]; run.Losses > 0 || len(run.Notes) != 1 {
		t.Errorf("%d losses, notes %q", run.Losses, run.Notes)
	}
}

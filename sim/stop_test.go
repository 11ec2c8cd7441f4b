package sim

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"stowage/sim/engine"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads"
)

// fuse is a context that ends after it was asked some times: a cancellation at the
// same place of every run.
type fuse struct {
	context.Context
	left int
}

func (f *fuse) Err() error {
	if f.left--; f.left < 0 {
		return context.Canceled
	}
	return nil
}

// busy is a run of some 15 events a round on two stages with a slot table.
func busy(t *testing.T, rounds int) Job {
	t.Helper()
	m := &workloads.Model{Name: "busy", Edges: []workloads.Edge{{From: 0, To: 1, Elements: 100}}}
	for i := range 2 {
		m.Layers = append(m.Layers, timed(i, 10*time.Microsecond, 20*time.Microsecond, 1, "a", "b"))
	}
	m.Layers[0].Kind, m.Layers[0].Tables = workloads.Embedding, []workloads.Table{{Name: "rows", Rows: 50, Dim: 4, Lookups: 2}}
	m.Layers[1].Params = 1000
	spec := specOf(m, machine("a", 1), machine("b", 3))
	spec.Batch, spec.Microbatches, spec.Sync = 4, 4, placement.Ring
	spec.Lookups = []placement.LayerLookups{{Slots: 10, Unique: 2, Misses: 1}, {}}
	job := planned(t, spec, placement.Scheme{0, 1})
	keys := make([]uint32, 2*rounds)
	for i := range keys {
		keys[i] = uint32(i*i) % 50
	}
	trace := traceOf(t, 50, 2, keys)
	job.Rounds = rounds
	job.Embeddings = []Embedding{{Layer: 0, Trace: trace, RowBytes: 16, Slots: slots.Config{Slots: 10, Rows: 50, Policy: "lru"}}}
	return job
}

// sameStart checks that a stopped run is the beginning of the whole one.
func sameStart(t *testing.T, part, whole *Run) {
	t.Helper()
	for r := range part.Rounds {
		a, b := part.Rounds[r], whole.Rounds[r]
		if *a.Slots != *b.Slots {
			t.Fatalf("round %d: %+v, in the whole run %+v", r, *a.Slots, *b.Slots)
		}
		if a.Slots, b.Slots = nil, nil; a != b {
			t.Fatalf("round %d: %+v, in the whole run %+v", r, a, b)
		}
	}
	if n := len(part.Rounds); n > 0 && part.End != part.Rounds[n-1].End {
		t.Errorf("the run ends at %v, its last round at %v", part.End, part.Rounds[n-1].End)
	}
	if part.Elapsed < part.End {
		t.Errorf("elapsed %v before the end %v", part.Elapsed, part.End)
	}
}

func TestCancel(t *testing.T) {
	whole := train(t, busy(t, 200))
	cut := 0
	for looks := range 12 {
		run, err := Train(&fuse{context.Background(), looks}, busy(t, 200))
		if err == nil {
			if len(run.Rounds) != 200 {
				t.Fatalf("no error after %d of 200 rounds", len(run.Rounds))
			}
			break
		}
		if !errors.Is(err, context.Canceled) || run == nil {
			t.Fatalf("got %v and %v", run, err)
		}
		if looks == 0 && len(run.Rounds) != 0 {
			t.Errorf("cancelled before it began: %d rounds", len(run.Rounds))
		}
		if len(run.Rounds) > 0 && len(run.Rounds) < 200 {
			cut++
		}
		sameStart(t, run, whole)
	}
	if cut == 0 {
		t.Error("no run was cut in the middle")
	}
}

func TestEventLimit(t *testing.T) {
	job := busy(t, 200)
	whole := train(t, job)
	job.MaxEvents = whole.Events
	if run := train(t, job); len(run.Rounds) != 200 {
		t.Errorf("as many events as the run has gave %d of 200 rounds", len(run.Rounds))
	}
	job.MaxEvents = whole.Events / 2
	run, err := Train(t.Context(), job)
	var limit *engine.LimitError
	if !errors.As(err, &limit) || limit.Value != job.MaxEvents {
		t.Fatalf("got %v", err)
	}
	if !strings.HasPrefix(err.Error(), "limits.events = ") {
		t.Errorf("the error does not name limits.events first: %v", err)
	}
	if n := len(run.Rounds); n < 50 || n > 150 {
		t.Errorf("half of the events gave %d of 200 rounds", n)
	}
	sameStart(t, run, whole)
}

// The same job gives the same run: nothing of the first is left in the plan, the
// trace or the configuration.
func TestTrainTwice(t *testing.T) {
	job := busy(t, 50)
	a, b := train(t, job), train(t, job)
	if a.Events != b.Events || a.Counts != b.Counts || a.End != b.End {
		t.Errorf("%+v\n%+v", a, b)
	}
	sameStart(t, a, b)
}

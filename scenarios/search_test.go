package scenarios

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"stowage/sim"
	"stowage/sim/placement"
)

// memory keeps the last checkpoint.
type memory struct{ data []byte }

func (m *memory) save(write func(io.Writer) error) error {
	var b bytes.Buffer
	err := write(&b)
	m.data = b.Bytes()
	return err
}

// asked is a context that ends after it was asked so often; the search asks once
// for each batch of schemes.
type asked struct {
	context.Context
	left int
}

func (a *asked) Err() error {
	if a.left--; a.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestResume: a run that goes on from a checkpoint of a search that its budget ended,
// or an interrupt, has the result of one that was never stopped.
func TestResume(t *testing.T) {
	fresh := func() *Scenario {
		s := parsed(t, small)
		if err := s.SetPlacement("annealing"); err != nil {
			t.Fatal(err)
		}
		s.Search.Annealing.Steps = 100
		return s
	}
	want := run(t, fresh())
	stopped := fresh()
	var kept memory
	stopped.Searching.Save = kept.save
	stopped.Search.Evaluations = 40
	if r := run(t, stopped); r.Search.Stopped != "evaluations = 40" || r.Search.Evaluations != 40 {
		t.Errorf("stopped by %q after %d evaluations", r.Search.Stopped, r.Search.Evaluations)
	}
	half := kept.data
	again := fresh()
	again.Searching = Searching{Resume: bytes.NewReader(half), Save: kept.save}
	if d := gocmp.Diff(want, run(t, again), gocmp.AllowUnexported(sim.Span{})); d != "" {
		t.Error(d)
	}
	if len(kept.data) <= len(half) {
		t.Errorf("the checkpoint has %d bytes, before %d", len(kept.data), len(half))
	}

	other := fresh()
	other.SetSeed(9)
	other.Searching.Resume = bytes.NewReader(half)
	if _, err := other.Run(t.Context(), "test"); err == nil || !strings.Contains(err.Error(), "the checkpoint cannot be resumed: it is of another search: its seed is 1, this one's 9") {
		t.Error(err)
	}
	full := errors.New("no room")
	other.Searching = Searching{Save: func(func(io.Writer) error) error { return full }}
	if r, err := other.Run(t.Context(), "test"); r == nil || !errors.Is(err, full) {
		t.Errorf("%v, %v", r, err)
	}
}

// TestInterruptedSearch: the best scheme found until then is run, and the search can
// go on.
func TestInterruptedSearch(t *testing.T) {
	s := parsed(t, small)
	if err := s.SetPlacement("random"); err != nil {
		t.Fatal(err)
	}
	set, err := s.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Search.Evaluations = 400
	var kept memory
	s.Searching.Save = kept.save
	outcome, err := s.search(&asked{t.Context(), 1}, set.problem, "test")
	var cut *SearchInterrupted
	if !errors.As(err, &cut) || !errors.Is(err, context.Canceled) || outcome == nil || cut.Evaluations != outcome.Evaluations || cut.Evaluations >= 400 || !cut.Feasible {
		t.Fatalf("%+v, %v", outcome, err)
	}
	full, err := s.search(t.Context(), set.problem, "test")
	if err != nil {
		t.Fatal(err)
	}
	s.Searching.Resume = bytes.NewReader(kept.data)
	again, err := s.search(t.Context(), set.problem, "test")
	if err != nil {
		t.Fatal(err)
	}
	if d := gocmp.Diff(full, again, gocmp.AllowUnexported(sim.Span{})); d != "" {
		t.Error(d)
	}
}

// TestInterruptDuringSearch: the whole run, interrupted when the search says for the
// first time how far it is.
func TestInterruptDuringSearch(t *testing.T) {
	s := parsed(t, small)
	if err := s.SetPlacement("annealing"); err != nil {
		t.Fatal(err)
	}
	s.Search.Annealing.Steps = 1 << 20 // far longer than a Progress takes to come
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s.Searching.Progress = func(placement.Progress) { stop() }
	r, err := s.Run(ctx, "test")
	var cut *SearchInterrupted
	if !errors.As(err, &cut) || r == nil {
		t.Fatalf("%v, %v", r, err)
	}
	if len(r.Rounds) != s.Rounds || r.Search.Stopped != "interrupted" || r.Search.Evaluations != cut.Evaluations {
		t.Errorf("%d rounds, stopped by %q after %d evaluations; %v", len(r.Rounds), r.Search.Stopped, r.Search.Evaluations, cut)
	}
	if !strings.Contains(strings.Join(r.Warnings, "\n"), "the search was stopped after ") {
		t.Errorf("%q", r.Warnings)
	}
}

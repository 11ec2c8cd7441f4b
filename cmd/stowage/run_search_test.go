package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"stowage/scenarios"
	"stowage/sim/placement"
)

// TestSearchProgress: the line of a search, now and then, and not on a pipe.
func TestSearchProgress(t *testing.T) {
	now := time.Unix(0, 0)
	var b bytes.Buffer
	p := newProgress(&b, func() time.Time { return now })
	at := placement.Progress{Evaluations: 1500, Elapsed: time.Second}
	now = now.Add(time.Second)
	p.searched("ctr", at)
	if b.Len() > 0 {
		t.Errorf("shown on no terminal: %q", &b)
	}
	p.w = &b
	p.searched("ctr", at)
	p.searched("ctr", at) // too soon
	if want := "\rctr: nothing fits yet; 1500 schemes, 1.5e+03/s"; b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
	for _, c := range []struct {
		bound float64
		want  string
	}{
		{0, "\rctr: best 1e+06; 1500 schemes, 1.5e+03/s"},
		{116e6, "\rctr: best 1e+06, bound 1.16e+08, gap 11500 %; 1500 schemes, 1.5e+03/s"},
		{1.05e6, "\rctr: best 1e+06, bound 1.05e+06, gap 5 %; 1500 schemes, 1.5e+03/s"},
	} {
		now = now.Add(time.Second)
		b.Reset()
		at.Best, at.Bound = placement.Fitness{Value: 1e6, Feasible: true}, c.bound
		p.searched("ctr", at)
		if got := b.String(); got[:len(c.want)] != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

// TestCutShort: what a person is told about a search that was interrupted.
func TestCutShort(t *testing.T) {
	s := &scenarios.Scenario{Name: "x", Rounds: 8}
	cut := &scenarios.SearchInterrupted{Scenario: "x", Evaluations: 12, Feasible: true}
	for _, c := range []struct {
		flags runFlags
		err   error
		want  string
	}{
		{runFlags{}, cut, "x: the search was interrupted after 12 evaluations; the best scheme found was simulated, its results are in out/x; keep a search with --checkpoint to go on with it"},
		{runFlags{checkpoint: "f"}, cut, "x: the search was interrupted after 12 evaluations; the best scheme found was simulated, its results are in out/x; go on with --resume f"},
		{runFlags{resume: "f"}, &scenarios.SearchInterrupted{Evaluations: 3}, "x: the search was interrupted after 3 evaluations; no scheme that fits was found; go on with --resume f"},
		{runFlags{resume: "f"}, errors.Join(cut, fmt.Errorf("the checkpoint is not written: no room")), "x: the search was interrupted after 12 evaluations; the best scheme found was simulated, its results are in out/x; the checkpoint is not written: no room"},
		{runFlags{}, context.Canceled, "x: interrupted after 8 of 8 rounds; these are in out/x"},
	} {
		if err := c.flags.explain(s, 8, "out/x", c.err); err.Error() != c.want || exitCode(err) != exitFailed {
			t.Errorf("got %v (exit code %d), want %s", err, exitCode(err), c.want)
		}
	}
}

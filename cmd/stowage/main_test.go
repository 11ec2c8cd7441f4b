package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/reports"
	"stowage/scenarios"
	"stowage/sim"
	"stowage/sim/engine"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads"
)

// command runs the command line in this process.
func command(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// namesOf returns the names of things.
func namesOf[T any](all []T, name func(T) string) []string {
	var names []string
	for _, x := range all {
		names = append(names, name(x))
	}
	return names
}

// TestLists: every list has a head, then a line for everything that a scenario
// can name, in the order of the code.
func TestLists(t *testing.T) {
	want := map[string][]string{
		"devices":      namesOf(hw.Devices(), func(d *hw.Device) string { return d.Name }),
		"nodes":        namesOf(hw.Nodes(), func(n *hw.Node) string { return n.Name }),
		"links":        namesOf(hw.Links(), func(l *hw.Link) string { return l.Name }),
		"models":       workloads.Models(),
		"placements":   placement.PolicyNames(),
		"replacements": namesOf(slots.Policies(), func(p slots.Policy) string { return p.Name }),
		"schedules":    pipeline.ScheduleNames(),
		"plots": append(append(namesOf(reports.Plots(), func(p reports.Plot) string { return p.Name }),
			namesOf(reports.ComparePlots(), func(p [2]string) string { return p[0] })...), "mrc"),
		"metrics": namesOf(sim.MetricKinds, func(k sim.MetricKind) string { return k.Name }),
	}
	if len(want) != len(lists) {
		t.Errorf("%d lists, this test knows %d", len(lists), len(want))
	}
	for _, l := range lists {
		code, stdout, stderr := command("list", l.name)
		if code != exitFine || stderr != "" {
			t.Errorf("list %s: exit code %d, %s", l.name, code, stderr)
		}
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if !strings.HasPrefix(lines[0], "NAME ") {
			t.Errorf("list %s: the head is %q", l.name, lines[0])
		}
		got := namesOf(lines[1:], func(line string) string { return strings.Fields(line)[0] })
		if !slices.Equal(got, want[l.name]) {
			t.Errorf("list %s: %q, want %q", l.name, got, want[l.name])
		}
	}
}

func TestExitCode(t *testing.T) {
	plain := errors.New("plain")
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, exitFine},
		{plain, exitInput},
		{&spec.Error{File: "a.toml", Line: 1, Col: 1}, exitInput},
		{failure{plain}, exitFailed},
		{fmt.Errorf("around: %w", failed("%w", plain)), exitFailed},
		{errors.Join(plain, failure{plain}), exitFailed}, // part of it was simulated
	} {
		if got := exitCode(c.err); got != c.want {
			t.Errorf("exitCode(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}

// TestExplain: which errors of a run are outcomes, and what they say about the
// rounds that are over.
func TestExplain(t *testing.T) {
	s := &scenarios.Scenario{Name: "x", Rounds: 9}
	for _, c := range []struct {
		err      error
		finished int
		code     int
		want     string
	}{
		{errors.New("a trace ends"), 0, exitInput, "a trace ends"},
		{errors.New("a trace ends"), 3, exitFailed, "a trace ends"},
		{&scenarios.Infeasible{Scenario: "x", Policy: "greedy"}, 0, exitFailed, "x: infeasible: greedy"},
		{&engine.DeadlockError{Now: time.Second}, 0, exitFailed, "deadlock at 1s"},
		{&slots.ShortageError{Unique: 7, Need: 7, Slots: 5}, 0, exitFailed, "at least 7 slots"},
		{engine.ErrTooLong, 0, exitFailed, "104 days"},
		{&engine.LimitError{Limit: "MaxEvents", Value: 50}, 4, exitFailed,
			"x: stopped after 4 of 9 rounds, at the limit of 50 events; these are in d: raise limits.events"},
		{context.Canceled, 0, exitFailed, "x: interrupted after 0 of 9 rounds; nothing is written"},
		{context.Canceled, 4, exitFailed, "x: interrupted after 4 of 9 rounds; these are in d"},
	} {
		got := explain(s, c.finished, "d", fmt.Errorf("around: %w", c.err))
		if code := exitCode(got); code != c.code || !strings.Contains(got.Error(), c.want) {
			t.Errorf("explain(%d, %v) = %v with exit code %d, want %q with %d", c.finished, c.err, got, code, c.want, c.code)
		}
	}
}

// TestComplain: one line for each error, places in files first on their line.
func TestComplain(t *testing.T) {
	var faults spec.Errors
	faults.Add(&spec.Error{File: "a.toml", Line: 3, Col: 2, Key: "seed", Message: "wrong"})
	faults.Add(&spec.Error{File: "a.toml", Line: 1, Col: 1, Message: "first"})
	var b bytes.Buffer
	complain(&b, errors.Join(faults.Err(), fmt.Errorf("--placement: %w", errors.New("unknown")), failed("x: stopped")))
	complain(&b, nil)
	const want = "a.toml:1:1: first\na.toml:3:2: seed: wrong\nstowage: --placement: unknown\nstowage: x: stopped\n"
	if b.String() != want {
		t.Errorf("got:\n%swant:\n%s", &b, want)
	}
}

// full is a disk with no space left after some bytes.
type full struct{ left int }

var errFull = errors.New("no space left")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestFullOutput: whatever a command prints, output that cannot be written is
// exit code 1 and said once, however many lines were lost.
func TestFullOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole scenarios, one after the other")
	}
	scenario := filepath.Join(t.TempDir(), "x.toml")
	writeFile(t, scenario, strings.Replace(longScenario, "10_000", "1", 1))
	trace := writeTrace(t, 100)
	for _, c := range []struct {
		left int
		args []string
	}{
		{0, []string{"help"}},
		{10, []string{"list", "devices"}},
		{10, []string{"check", scenario, scenario}},
		{10, []string{"run", "-o", t.TempDir(), scenario}},
		{0, []string{"run", "-o", t.TempDir(), "--format", "json", scenario}},
		{10, []string{"run", "-o", t.TempDir(), "--format", "csv", scenario}},
		{10, []string{"run", "-o", t.TempDir(), "--format", "bench", scenario}},
		{10, []string{"replay", "--slots", "3", trace}},
		{0, []string{"replay", "--slots", "3", "--format", "json", trace}},
		{10, []string{"replay", "--slots", "3", "--format", "csv", trace}},
	} {
		var errs bytes.Buffer
		code := run(context.Background(), c.args, &full{c.left}, &errs)
		if code != exitFailed || strings.Count(errs.String(), errFull.Error()) != 1 {
			t.Errorf("%q with %d bytes left: exit code %d, standard error:\n%s", c.args, c.left, code, &errs)
		}
	}
	// With an error of the input besides, both are told.
	var errs bytes.Buffer
	if code := run(context.Background(), []string{"check", scenario, "nosuch.toml"}, &full{}, &errs); code != exitFailed ||
		!strings.Contains(errs.String(), "nosuch.toml") || !strings.Contains(errs.String(), errFull.Error()) {
		t.Errorf("exit code %d, standard error:\n%s", code, &errs)
	}
}

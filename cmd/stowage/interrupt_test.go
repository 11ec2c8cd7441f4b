package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"stowage/scenarios"
	"stowage/sim/placement"
)

// longScenario takes minutes: 10 000 rounds of 4096 micro-batches. Its search
// takes no time, so that what is interrupted is the simulation.
const longScenario = `
[model]
use = "nce"

[[cluster.pool]]
device = "xeon-6148"
count  = 2

[[cluster.pool]]
device = "v100-16"
count  = 4

[training]
batch        = 16384
microbatches = 4096
rounds       = 10_000

[placement]
policy = "fixed"
scheme = ["xeon-6148", "xeon-6148", "v100-16", "v100-16", "v100-16"]

[limits]
events = 100_000_000_000
`

// interrupted runs the scenario in a process of its own, sends it an interrupt
// after a while, and returns its standard error.
func interrupted(t *testing.T, dir string, after time.Duration) (stderr string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	var out, errs bytes.Buffer
	c := exec.CommandContext(ctx, "stowage", "run", "long.toml")
	c.Dir, c.Stdout, c.Stderr = dir, &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := c.Wait(); !errors.As(err, &exit) {
		t.Fatalf("interrupted, it ends with %v, not with exit code 1; standard error:\n%s", err, &errs)
	}
	if code := exit.ExitCode(); code == -1 && errs.Len() == 0 && out.Len() == 0 && ctx.Err() == nil {
		return "" // the process had not even begun to listen for signals
	} else if code != exitFailed {
		t.Fatalf("exit code %d, want %d; standard error:\n%s", code, exitFailed, &errs)
	}
	return errs.String()
}

// TestInterrupt interrupts a simulation: the rounds that are over are written,
// whole and as an uninterrupted run has them, and the message tells their number.
func TestInterrupt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes cannot be sent an interrupt there")
	}
	dir := t.TempDir()
	scenario := filepath.Join(dir, "long.toml")
	writeFile(t, scenario, longScenario)
	message := regexp.MustCompile(`(?m)^stowage: long: interrupted after (\d+) of 10000 rounds; (.*)$`)
	finished := 0
	// How far a busy machine gets in a given time is not known, so wait longer
	// until a round is over.
	for after := 250 * time.Millisecond; finished == 0; after *= 2 {
		if after > 10*time.Second {
			t.Fatal("no round is over after 10 s")
		}
		stderr := interrupted(t, dir, after)
		if stderr == "" {
			continue
		}
		m := message.FindStringSubmatch(stderr)
		if m == nil {
			t.Fatalf("standard error does not say after how many rounds:\n%s", stderr)
		}
		finished, _ = strconv.Atoi(m[1])
		_, err := os.Stat(filepath.Join(dir, "out"))
		if wrote := err == nil; wrote != (finished > 0) || (m[2] == "these are in out/long") != wrote {
			t.Fatalf("out exists: %v; message: %s", wrote, m[0])
		}
	}

	results := readFile(t, filepath.Join(dir, "out", "long", "result.json"))
	if n, err := countRounds(strings.NewReader(results)); err != nil || n != strconv.Itoa(finished) {
		t.Errorf("result.json holds %s rounds (%v), the message said %d", n, err, finished)
	}
	if want := fmt.Sprintf("the run was stopped after %d of 10000 rounds", finished); !strings.Contains(results, want) {
		t.Errorf("result.json does not warn that %s", want)
	}
	rows := strings.Split(strings.TrimSpace(readFile(t, filepath.Join(dir, "out", "long", "rounds.csv"))), "\n")
	if len(rows) != finished+1 {
		t.Errorf("rounds.csv has %d lines, want a header and %d rounds", len(rows), finished)
	}
	whole := filepath.Join(dir, "whole")
	writeFile(t, scenario, strings.Replace(longScenario, "10_000", "1", 1))
	if code, _, stderr := command("run", "-o", whole, scenario); code != exitFine {
		t.Fatal(stderr)
	}
	if want := readFile(t, filepath.Join(whole, "rounds.csv")); strings.Join(rows[:2], "\n")+"\n" != want {
		t.Errorf("the first round of the interrupted run is not that of a whole one:\n%s\n%s", rows[1], want)
	}
	if temps, err := filepath.Glob(filepath.Join(dir, "out", "long", ".*")); err != nil || len(temps) > 0 {
		t.Errorf("left behind: %q %v", temps, err)
	}
}

// TestInterruptEarly: a context that has ended before anything is simulated.
func TestInterruptEarly(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, placement := range []string{"fixed", "genetic", "exhaustive"} {
		writeFile(t, "a.toml", longScenario)
		writeFile(t, "b.toml", longScenario)
		ctx, stop := context.WithCancel(context.Background())
		stop()
		var out, errs bytes.Buffer
		if code := run(ctx, []string{"run", "--placement", placement, "a.toml", "b.toml"}, &out, &errs); code != exitFailed {
			t.Errorf("%s: exit code %d, want %d", placement, code, exitFailed)
		}
		want := "stowage: a: interrupted after 0 of 10000 rounds; nothing is written\n" +
			"stowage: interrupted: 1 of 2 scenarios were not run\n"
		if errs.String() != want || out.Len() > 0 {
			t.Errorf("%s: standard output %q, standard error:\n%swant:\n%s", placement, &out, &errs, want)
		}
		if _, err := os.Stat("out"); err == nil {
			t.Errorf("%s: something was written", placement)
		}
	}
}

// A comparison that is interrupted before a run is over writes nothing.
func TestInterruptCompare(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeFile(t, "a.toml", longScenario)
	writeFile(t, "b.toml", longScenario)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	var out, errs bytes.Buffer
	code := run(ctx, []string{"compare", "--placement", "genetic,greedy", "a.toml", "b.toml"}, &out, &errs)
	want := "stowage: a: interrupted before a run was over; nothing is written\n" +
		"stowage: interrupted: 1 of 2 scenarios were not compared\n"
	if code != exitFailed || errs.String() != want || out.Len() > 0 {
		t.Errorf("exit code %d, standard output %q, standard error:\n%swant:\n%s", code, &out, &errs, want)
	}
	if _, err := os.Stat("out"); err == nil {
		t.Error("something was written")
	}
}

// The line on a terminal names the run and what its search has found.
func TestCompareProgress(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{w: &b, now: func() time.Time { return now }, every: time.Second}
	s := &scenarios.Scenario{Name: "ctr", Problem: placement.Spec{Objective: placement.Cost}}
	at := scenarios.CompareProgress{Done: 3, All: 60, Policy: "random", Seed: 4}
	p.compared(s, at)
	at.Search = placement.Progress{Evaluations: 1200, Best: placement.Fitness{Value: 4, Feasible: true}, Bound: 5}
	p.compared(s, at) // too soon
	now = now.Add(time.Second)
	p.compared(s, at)
	want := "\rctr: 3 of 60 runs; random, seed 4\rctr: 3 of 60 runs; random, seed 4: 1200 schemes, best 0.25, gap 25 %"
	if b.String() != want {
		t.Errorf("got %q, want %q", &b, want)
	}
}

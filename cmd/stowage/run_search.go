package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
	"stowage/sim/placement"
)

// checkBudget checks the flags that end a search early.
func (f *runFlags) checkBudget(c *cobra.Command) error {
	if c.Flags().Changed("evaluations") && (f.evaluations < 1 || f.evaluations > scenarios.MaxEvaluations) {
		return fmt.Errorf("--evaluations %d: from 1 to %d", f.evaluations, scenarios.MaxEvaluations)
	}
	if c.Flags().Changed("time") && f.time <= 0 {
		return fmt.Errorf("--time %v: more than 0, such as 30s", f.time)
	}
	if c.Flags().Changed("checkpoint") && f.checkpoint == "" {
		return fmt.Errorf(`--checkpoint "": the name of a file`)
	}
	if c.Flags().Changed("resume") && f.resume == "" {
		return fmt.Errorf(`--resume "": the name of a file that --checkpoint wrote`)
	}
	return nil
}

// budget gives a scenario the limits from the command line.
func (f *runFlags) budget(c *cobra.Command, s *scenarios.Scenario) {
	if c.Flags().Changed("evaluations") {
		s.Search.Evaluations = f.evaluations
	}
	s.Search.Time = f.time
}

// file is where the search is kept; "": nowhere.
func (f *runFlags) file() string {
	if f.checkpoint == "" {
		return f.resume
	}
	return f.checkpoint
}

// watch lets a search be seen on a terminal, go on from a checkpoint and be kept.
func (f *runFlags) watch(s *scenarios.Scenario, bar *progress) error {
	if bar.w != nil {
		s.Searching.Progress = func(p placement.Progress) { bar.searched(s.Name, p) }
	}
	if f.resume != "" {
		data, err := os.ReadFile(f.resume) // whole, since the same file is written
		if err != nil {
			return fmt.Errorf("--resume: %w", err)
		}
		s.Searching.Resume = bytes.NewReader(data)
	}
	if name := f.file(); name != "" {
		s.Searching.Save = func(write func(io.Writer) error) error { return reports.WriteFile(name, write) }
	}
	return nil
}

// explain is explain for a run whose search may have been interrupted.
func (f *runFlags) explain(s *scenarios.Scenario, finished int, dir string, err error) error {
	var cut *scenarios.SearchInterrupted
	if errors.As(err, &cut) {
		return f.cutShort(s, cut, dir, err)
	}
	return explain(s, finished, dir, err)
}

// cutShort is the error of a run whose search was interrupted.
func (f *runFlags) cutShort(s *scenarios.Scenario, cut *scenarios.SearchInterrupted, dir string, err error) error {
	kept := "no scheme that fits was found"
	if cut.Feasible {
		kept = "the best scheme found was simulated, its results are in " + dir
	}
	next := "keep a search with --checkpoint to go on with it"
	if name := f.file(); name != "" {
		next = "go on with --resume " + name
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // what became of the checkpoint
		for _, e := range joined.Unwrap() {
			if !errors.As(e, &cut) {
				next = e.Error()
			}
		}
	}
	return failed("%s: the search was interrupted after %d evaluations; %s; %s", s.Name, cut.Evaluations, kept, next)
}

// searched says how far a search is, now and then.
func (p *progress) searched(name string, at placement.Progress) {
	if !p.due() {
		return
	}
	best := "nothing fits yet"
	if at.Best.Feasible {
		best = fmt.Sprintf("best %.6g", at.Best.Value)
		if at.Bound > 0 {
			best += fmt.Sprintf(", bound %.6g, gap %.2g %%", at.Bound, 100*(at.Bound/at.Best.Value-1))
		}
	}
	rate := 0.0
	if at.Elapsed >= time.Millisecond {
		rate = float64(at.Evaluations) / at.Elapsed.Seconds()
	}
	p.line(fmt.Sprintf("%s: %s; %d schemes, %.3g/s", name, best, at.Evaluations, rate))
}

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
		file, err := openCheckpoint(f.resume)
		if err != nil {
			return fmt.Errorf("--resume: %w", err)
		}
		s.Searching.Resume = file
	}
	if name := f.file(); name != "" {
		if err := checkCheckpoint(name, f.checkpoint == ""); err != nil {
			return fmt.Errorf("the search cannot be kept: %w", err)
		}
		s.Searching.Save = func(write func(io.Writer) error) error { return reports.WriteFile(name, write) }
	}
	return nil
}

// openCheckpoint opens a file to be read to its end once, which closes it. It is not
// read whole at first: what is no checkpoint may never end.
func openCheckpoint(name string) (io.Reader, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		file.Close()
		return nil, fmt.Errorf("%s is a folder", name)
	}
	return untilEnd{file}, nil
}

// untilEnd is a file that closes itself when reading it ends.
type untilEnd struct{ file *os.File }

func (u untilEnd) Read(p []byte) (int, error) {
	n, err := u.file.Read(p)
	if err != nil {
		u.file.Close()
	}
	return n, err
}

// checkCheckpoint says before a search why it could not be kept in a file, so that no
// hours are spent in vain, and guards what is no checkpoint from being replaced: one
// that is resumed shows what it is.
func checkCheckpoint(name string, resumed bool) error {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder: want a file", name)
	case !resumed && info.Mode().IsRegular() && info.Size() > 0:
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		if !placement.IsCheckpoint(file) {
			return fmt.Errorf("%s is there and no checkpoint: name another file, or remove it", name)
		}
	}
	probe, err := os.CreateTemp(filepath.Dir(name), ".stowage-*")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// explain is explain for a run whose search may have been interrupted.
func (f *runFlags) explain(s *scenarios.Scenario, finished int, dir string, err error) error {
	var cut *scenarios.SearchInterrupted
	var other *scenarios.ResumeError
	switch {
	case errors.As(err, &cut):
		return f.cutShort(s, cut, dir, err)
	case errors.As(err, &other):
		return fmt.Errorf("%s: --resume %s: %w", s.Name, f.resume, other.Unwrap())
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

// gapText prints a gap in per cent to two digits, or all that are before the point.
func gapText(percent float64) string {
	if percent >= 99.5 {
		return fmt.Sprintf("%.0f %%", percent)
	}
	return fmt.Sprintf("%.2g %%", percent)
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
			best += fmt.Sprintf(", bound %.6g, gap %s", at.Bound, gapText(100*(at.Bound/at.Best.Value-1)))
		}
	}
	rate := 0.0
	if at.Elapsed >= time.Millisecond {
		rate = float64(at.Evaluations) / at.Elapsed.Seconds()
	}
	p.line(fmt.Sprintf("%s: %s; %d schemes, %.3g/s", name, best, at.Evaluations, rate))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
	"stowage/sim"
	"stowage/sim/engine"
	"stowage/sim/placement"
)

type runFlags struct {
	out    string
	format choice
	seed   int64
	policy choice

	evaluations int
	time        time.Duration
	trace       string
	checkpoint  string
	resume      string
}

func newRun() *cobra.Command {
	f := runFlags{
		format: choice{value: "table", known: []string{"table", "json", "csv", "bench"}},
		policy: choice{known: placement.PolicyNames()},
	}
	c := &cobra.Command{
		Use:   "run SCENARIO.toml…",
		Short: "Simulate scenarios: print a summary, write results and plots",
		Long: `Run searches the target scheme of each scenario, simulates it on the event engine,
prints a summary and writes report.html (one page for people that needs no network),
result.json, rounds.csv, bench.txt and plots (SVG and PNG) to out/NAME, NAME being the
scenario's name.

Ctrl-C during the search ends the search: the best scheme that it found is
simulated and written. Ctrl-C during the simulation stops it: the rounds that are
over are written. A second Ctrl-C ends the command at once.

With --trace the whole run is written as a timeline, a track for the devices of every
stage and for every link, to be opened in ui.perfetto.dev. Beyond a hundred thousand
passes and transfers *.pftrace is smaller and opens sooner.

With --checkpoint a search is kept, every minute and when it ends, whether by itself,
at its budget or by Ctrl-C. With --resume it goes on where it was: its results are
those of a search that was never stopped. A budget of --time depends on how fast the
machine is, and so do results under it.`,
		Example: `  stowage run scenarios/ctr.toml
  stowage run -o /tmp/ctr --format json scenarios/ctr.toml
  stowage run --trace ctr.json scenarios/ctr.toml
  stowage run --placement heuristic scenarios/ctr.toml
  stowage run --evaluations 500 --checkpoint ctr.search scenarios/ctr.toml
  stowage run --resume ctr.search scenarios/ctr.toml`,
		Args:              scenarioFiles,
		ValidArgsFunction: tomlFiles,
		RunE:              func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringVarP(&f.out, "out", "o", "", "`folder` for the results of one scenario (default out/NAME)")
	c.Flags().Var(&f.format, "format", "what to print; json: one document for each scenario")
	c.Flags().Int64Var(&f.seed, "seed", 0, "seed instead of the scenario's")
	c.Flags().Var(&f.policy, "placement", "placement `policy` instead of the scenario's (see stowage list placements)")
	c.Flags().IntVar(&f.evaluations, "evaluations", 0, "most schemes that the search evaluates, instead of the scenario's limit")
	c.Flags().DurationVar(&f.time, "time", 0, "longest `time` that the search takes, such as 30s")
	c.Flags().StringVar(&f.checkpoint, "checkpoint", "", "`file` that the search is kept in (default: that of --resume)")
	c.Flags().StringVar(&f.resume, "resume", "", "`file` of a checkpoint that the search goes on from")
	c.Flags().StringVar(&f.trace, "trace", "", "`file` for what happened when, in all rounds: *.json for Chrome and Perfetto, *.pftrace for Perfetto alone")
	complete(c, "format", f.format.known)
	complete(c, "placement", placementHelp())
	return c
}

func (f *runFlags) run(c *cobra.Command, paths []string) error {
	if n := len(paths); n > 1 {
		if f.out != "" {
			return fmt.Errorf("-o names the folder of one scenario; %d were given: leave it out and find the results in out/NAME", n)
		}
		if f.format.value == "csv" {
			return fmt.Errorf("--format csv prints the rounds of one scenario; %d were given: leave it out and find rounds.csv in out/NAME", n)
		}
		if f.trace != "" {
			return fmt.Errorf("--trace names the file of one scenario; %d were given", n)
		}
		if f.checkpoint != "" || f.resume != "" {
			return fmt.Errorf("--checkpoint and --resume name the search of one scenario; %d were given", n)
		}
	}
	if err := f.checkBudget(c); err != nil {
		return err
	}
	if err := checkTraceName(f.trace); err != nil {
		return err
	}
	loaded, err := f.load(c, paths)
	if err != nil {
		return err
	}
	results, errs := each(c, loaded, "run", func(s *scenarios.Scenario, _ bool) (*sim.Result, error) { return f.one(c, s) })
	if f.format.value == "bench" {
		errs = append(errs, reports.Bench(c.OutOrStdout(), results))
	}
	return errors.Join(errs...)
}

// each does something with every scenario, until it is interrupted, and returns what came
// out, and the errors. Further is whether anything came out of an earlier one.
func each[R any](c *cobra.Command, loaded []*scenarios.Scenario, done string, one func(s *scenarios.Scenario, further bool) (*R, error)) (results []*R, errs []error) {
	for i, s := range loaded {
		if i > 0 && c.Context().Err() != nil {
			errs = append(errs, failed("interrupted: %d of %d scenarios were not %s", len(loaded)-i, len(loaded), done))
			break
		}
		r, err := one(s, len(results) > 0)
		if r != nil {
			results = append(results, r)
		}
		errs = append(errs, err)
	}
	return results, errs
}

// load reads all scenarios before the first one runs, so that a mistake in the
// last file does not cost the time of the others.
func (f *runFlags) load(c *cobra.Command, paths []string) ([]*scenarios.Scenario, error) {
	var loaded []*scenarios.Scenario
	var errs []error
	names := map[string]string{}
	for _, path := range paths {
		s, err := scenarios.Load(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, ok := names[s.Name]; ok {
			errs = append(errs, fmt.Errorf("%s: the name %q is that of %s too: their results would overwrite one another", path, s.Name, other))
		}
		names[s.Name] = path
		if c.Flags().Changed("seed") {
			s.SetSeed(f.seed)
		}
		if f.policy.value != "" {
			if err := s.SetPlacement(f.policy.value); err != nil {
				errs = append(errs, fmt.Errorf("--placement: %w", err))
			}
		}
		f.budget(c, s)
		loaded = append(loaded, s)
	}
	return loaded, errors.Join(errs...)
}

// one runs a scenario, writes its results and prints them. The result of a run
// that was stopped is that of the finished rounds; it comes with an error.
func (f *runFlags) one(c *cobra.Command, s *scenarios.Scenario) (*sim.Result, error) {
	dir := f.out
	if dir == "" {
		dir = filepath.Join("out", s.Name)
	}
	bar := newProgress(c.ErrOrStderr(), time.Now)
	if err := f.watch(s, bar); err != nil {
		return nil, err
	}
	if f.trace != "" {
		s.Recording = sim.RecordAll
	}
	r, err := s.Run(c.Context(), version)
	bar.clear()
	if r == nil || len(r.Rounds) == 0 {
		return nil, f.explain(s, 0, dir, err)
	}
	if err != nil {
		if n := len(r.Rounds); n < s.Rounds {
			r.Warnings = append(r.Warnings, fmt.Sprintf("the run was stopped after %d of %d rounds", n, s.Rounds))
		}
		err = f.explain(s, len(r.Rounds), dir, err)
	}
	if f.format.value != "table" { // the table ends with them
		for _, w := range r.Warnings {
			fmt.Fprintf(c.ErrOrStderr(), "stowage: %s: warning: %s\n", s.Name, w)
		}
	}
	files, werr := reports.Write(dir, r)
	noteUndrawable(c.ErrOrStderr(), reports.Run{Result: r})
	if werr != nil {
		werr = failed("%s: results not written: %w", s.Name, werr)
	}
	if terr := f.writeTrace(c.ErrOrStderr(), r); terr != nil && werr == nil {
		werr = terr
	}
	if perr := f.print(c.OutOrStdout(), r, dir, files); perr != nil && werr == nil {
		werr = failure{perr}
	}
	return r, errors.Join(err, werr)
}

// explain makes the error of a run one for the person who started it. The
// results of the finished rounds, if any, are in dir.
func explain(s *scenarios.Scenario, finished int, dir string, err error) error {
	kept := "nothing is written"
	if finished > 0 {
		kept = "these are in " + dir
	}
	var limit *engine.LimitError
	switch {
	case errors.Is(err, context.Canceled):
		return failed("%s: interrupted after %d of %d rounds; %s", s.Name, finished, s.Rounds, kept)
	case errors.As(err, &limit):
		return failed("%s: stopped after %d of %d rounds, at the limit of %d events; %s: raise limits.events in the scenario",
			s.Name, finished, s.Rounds, limit.Value, kept)
	case finished > 0 || isOutcome(err):
		return failure{err}
	}
	return err
}

// print prints r in the format that the user chose; lines for benchstat are
// printed for all results together, at the end.
func (f *runFlags) print(w io.Writer, r *sim.Result, dir string, files []string) error {
	switch f.format.value {
	case "json":
		return reports.JSON(w, r)
	case "csv":
		return reports.RoundsCSV(w, r)
	case "bench":
		return nil
	}
	if err := reports.Summary(w, r, terminalWidth()); err != nil || len(files) == 0 {
		return err
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = filepath.Base(file)
	}
	_, err := fmt.Fprintf(w, "Written to %s: %s\n", dir, strings.Join(names, " "))
	return err
}

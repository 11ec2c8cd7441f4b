package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
	"stowage/sim"
	"stowage/sim/placement"
)

type compareFlags struct {
	out          string
	format       choice
	placements   nameList
	replacements nameList
	seeds        int
	seed         int64
}

func newCompare() *cobra.Command {
	f := compareFlags{
		format:       choice{value: "table", known: outputFormats},
		placements:   nameList{what: "placement policy", known: placement.PolicyNames()},
		replacements: nameList{what: "replacement policy", known: replacementNames()},
	}
	c := &cobra.Command{
		Use:   "compare SCENARIO.toml…",
		Short: "The same experiment under several policies, side by side",
		Long: `Compare searches the target scheme of each scenario by several placement policies, or
runs it under several replacement policies, with several seeds, on all processors. It
prints a line for each policy: best, median and worst over the seeds, and how far the
median is from the best that any scheme could reach; on a terminal also the median time
of a search. Results, plots (SVG, PNG and CSV) and report.html, one page for people, go to
out/NAME/compare, NAME being the scenario's name.

With --placement all searches are about one problem: lookups are drawn with the
scenario's seed, whatever the seed of a search. Policies that draw nothing run once.
With --replacement a seed draws the lookups too. Policies that do not apply to a
scenario are listed with the reason.

Ctrl-C stops it: the runs that are over are kept.`,
		Example: `  stowage compare scenarios/ctr.toml --placement genetic,greedy,exact --seeds 30
  stowage compare scenarios/ctr.toml --replacement lru,lfu,min
  stowage compare scenarios/*.toml --placement all --seeds 30`,
		Args:              scenarioFiles,
		ValidArgsFunction: tomlFiles,
		RunE:              func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.Var(&f.placements, "placement", "placement `policies`, commas between them, or all (the default; see stowage list placements)")
	flags.Var(&f.replacements, "replacement", "replacement `policies` instead, commas between them, or all (see stowage list replacements)")
	flags.IntVar(&f.seeds, "seeds", 5, "how many `seeds` to run each policy with that draws something")
	flags.Int64Var(&f.seed, "seed", 0, "first seed instead of the scenario's")
	flags.Var(&f.format, "format", "what to print")
	flags.StringVarP(&f.out, "out", "o", "", "`folder` for the results of one scenario (default out/NAME/compare)")
	complete(c, "format", f.format.known)
	complete(c, "placement", placementHelp())
	complete(c, "replacement", replacementHelp())
	return c
}

func (f *compareFlags) run(c *cobra.Command, paths []string) error {
	if len(f.placements.names) > 0 && len(f.replacements.names) > 0 {
		return errors.New("--placement and --replacement: want one of them: placement policies are compared, or replacement policies")
	}
	if f.seeds < 1 || f.seeds > scenarios.MaxCompareSeeds {
		return fmt.Errorf("--seeds %d: want 1 to %d", f.seeds, scenarios.MaxCompareSeeds)
	}
	if len(f.placements.names) == 0 {
		f.placements.names = f.placements.known
	}
	if f.out != "" && len(paths) > 1 {
		return fmt.Errorf("-o names the folder of one scenario; %d were given: leave it out and find the results in out/NAME/compare", len(paths))
	}
	loading := runFlags{seed: f.seed}
	loaded, err := loading.load(c, paths)
	if err != nil {
		return err
	}
	all, errs := each(c, loaded, "compared", func(s *scenarios.Scenario, further bool) (*sim.Comparison, error) { return f.one(c, s, further) })
	if err := f.printAll(c.OutOrStdout(), all); err != nil {
		errs = append(errs, failure{err})
	}
	return errors.Join(errs...)
}

// one compares a scenario, writes what came out and prints it. A comparison that was
// stopped is that of its finished runs; it comes with an error.
func (f *compareFlags) one(c *cobra.Command, s *scenarios.Scenario, further bool) (*sim.Comparison, error) {
	bar := newProgress(c.ErrOrStderr(), time.Now)
	how := scenarios.Comparing{Seeds: f.seeds, Version: version, Progress: func(p scenarios.CompareProgress) { bar.compared(s, p) }}
	var r *sim.Comparison
	var err error
	if len(f.replacements.names) > 0 {
		how.Policies = f.replacements.names
		r, err = s.CompareReplacements(c.Context(), how)
	} else {
		how.Policies = f.placements.names
		r, err = s.ComparePlacements(c.Context(), how)
	}
	bar.clear()
	if r == nil || len(r.Runs) == 0 {
		if err != nil && errors.Is(err, context.Canceled) {
			return nil, failed("%s: interrupted before a run was over; nothing is written", s.Name)
		}
		return nil, err
	}
	if err != nil {
		err = failed("%s: interrupted: %s; these are in %s", s.Name, r.Stopped, f.dir(s))
	} else if !slices.ContainsFunc(r.Runs, func(run sim.ComparedRun) bool { return run.Infeasible == "" }) {
		err = failed("%s: infeasible: no policy found a scheme that fits: %s", s.Name, r.Runs[0].Infeasible)
	}
	if f.format.value != "table" { // the table ends with them
		for _, k := range r.Skipped {
			fmt.Fprintf(c.ErrOrStderr(), "stowage: %s: note: not compared: %s: %s\n", s.Name, k.Policy, k.Reason)
		}
	}
	dir := f.dir(s)
	files, werr := reports.WriteComparison(dir, r)
	noteUndrawable(c.ErrOrStderr(), reports.Run{Comparison: r})
	if werr != nil {
		werr = failed("%s: results not written: %w", s.Name, werr)
	}
	if f.format.value == "table" {
		if !isTerminal(c.OutOrStdout()) {
			timeless(r)
		}
		if perr := printComparison(c.OutOrStdout(), r, dir, files, further); perr != nil && werr == nil {
			werr = failure{perr}
		}
	}
	return r, errors.Join(err, werr)
}

// dir is the folder for the results of a scenario.
func (f *compareFlags) dir(s *scenarios.Scenario) string {
	if f.out != "" {
		return f.out
	}
	return filepath.Join("out", s.Name, "compare")
}

// timeless takes wall-clock times out: they are for people who wait, and what goes to a
// pipe or a file is a function of scenario, seeds and version.
func timeless(r *sim.Comparison) {
	for i := range r.Runs {
		r.Runs[i].Elapsed = 0
	}
}

func printComparison(w io.Writer, r *sim.Comparison, dir string, files []string, further bool) error {
	if further {
		fmt.Fprintln(w)
	}
	if err := reports.CompareSummary(w, r, terminalWidth()); err != nil || len(files) == 0 {
		return err
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = filepath.Base(file)
	}
	_, err := fmt.Fprintf(w, "Written to %s: %s\n", dir, strings.Join(names, " "))
	return err
}

// printAll prints what is printed for all scenarios together.
func (f *compareFlags) printAll(w io.Writer, all []*sim.Comparison) error {
	switch f.format.value {
	case "json":
		return reports.CompareJSON(w, all)
	case "csv":
		return reports.CompareCSV(w, all)
	case "bench":
		return reports.CompareBench(w, all)
	}
	if len(all) < 2 || len(f.replacements.names) > 0 {
		return nil
	}
	fmt.Fprintln(w)
	return reports.CompareGaps(w, all, terminalWidth())
}

// compared says how far a comparison is, and what the search that there is news of has
// found.
func (p *progress) compared(s *scenarios.Scenario, at scenarios.CompareProgress) {
	if !p.due() {
		return
	}
	text := fmt.Sprintf("%s: %d of %d runs; %s, seed %d", s.Name, at.Done, at.All, at.Policy, at.Seed)
	if found := at.Search; found.Best.Feasible {
		best, _ := sim.Natural(string(s.Problem.Objective), found.Best.Value)
		text += fmt.Sprintf(": %d schemes, best %.4g", found.Evaluations, best)
		if found.Bound > 0 {
			text += ", gap " + gapText(sim.Gap(found.Best.Value, found.Bound))
		}
	}
	p.line(text)
}

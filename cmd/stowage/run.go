package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
	"stowage/sim"
)

type runFlags struct {
	out    string
	format choice
	seed   int64
	policy string
}

func newRun() *cobra.Command {
	f := runFlags{format: choice{value: "table", known: []string{"table", "json", "csv", "bench"}}}
	c := &cobra.Command{
		Use:   "run SCENARIO.toml…",
		Short: "Simulate scenarios: print a summary, write results and plots",
		Long: `Run searches the target scheme of each scenario, simulates it on the event engine,
prints a summary and writes result.json, rounds.csv, bench.txt and plots (SVG and
PNG) to out/NAME, NAME being the scenario's name.`,
		Example: `  stowage run scenarios/ctr.toml
  stowage run -o /tmp/ctr --format json scenarios/ctr.toml
  stowage run --placement heuristic scenarios/ctr.toml`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: tomlFiles,
		RunE:              func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().StringVarP(&f.out, "out", "o", "", "folder for the results of one scenario (default out/NAME)")
	c.Flags().Var(&f.format, "format", "what to print: table, json, csv or bench")
	c.Flags().Int64Var(&f.seed, "seed", 0, "seed instead of the scenario's")
	c.Flags().StringVar(&f.policy, "placement", "", "placement policy instead of the scenario's")
	complete(c, "format", f.format.known)
	complete(c, "placement", placementHelp())
	return c
}

func (f *runFlags) run(c *cobra.Command, paths []string) error {
	if f.out != "" && len(paths) > 1 {
		return fmt.Errorf("-o names the folder of one scenario; %d were given: leave it out and find the results in out/NAME", len(paths))
	}
	loaded, err := f.load(c, paths)
	if err != nil {
		return err
	}
	var results []*sim.Result
	for _, s := range loaded {
		r, err := s.Run(c.Context(), version())
		if r == nil {
			return err
		}
		dir := f.out
		if dir == "" {
			dir = filepath.Join("out", s.Name)
		}
		files, werr := reports.Write(dir, r)
		if werr != nil {
			return fmt.Errorf("%w: results of %s: %w", errFailed, s.Name, werr)
		}
		if perr := f.print(c.OutOrStdout(), r, dir, files); perr != nil {
			return fmt.Errorf("%w: %w", errFailed, perr)
		}
		results = append(results, r)
		if err != nil { // interrupted: what there is was written
			return err
		}
	}
	if f.format.value == "bench" {
		return reports.Bench(c.OutOrStdout(), results)
	}
	return nil
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
		if f.policy != "" {
			if err := s.SetPlacement(f.policy); err != nil {
				errs = append(errs, fmt.Errorf("--placement: %w", err))
			}
		}
		loaded = append(loaded, s)
	}
	return loaded, errors.Join(errs...)
}

func (f *runFlags) print(w io.Writer, r *sim.Result, dir string, files []string) error {
	switch f.format.value {
	case "json":
		return reports.JSON(w, r)
	case "csv":
		return reports.RoundsCSV(w, r)
	case "bench":
		return nil
	}
	if err := reports.Summary(w, r, terminalWidth(w)); err != nil {
		return err
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = filepath.Base(file)
	}
	_, err := fmt.Fprintf(w, "Written to %s: %s\n", dir, strings.Join(names, " "))
	return err
}

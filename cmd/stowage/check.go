package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
)

type checkFlags struct{ run bool }

func newCheck() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check SCENARIO.toml…",
		Short: "Validate scenarios without running them; with --run, check what they expect",
		Long: `Check reads scenarios and says what is wrong with them, without running anything.

With --run it runs those that have expectations, entries of the form

  [[expect]]
  metric = "throughput" # as in result.json
  value  = 47.386       # in the metric's unit
  within = "10 %"       # how far off the prediction may be
  source = "where the value is from"

and prints reference, prediction, how far off it is, and the average and maximum error.
An entry with known_gap = true must miss, so that a gap that was closed is noticed.
Exit code 1 says that an expectation came out otherwise.`,
		Example: `  stowage check scenarios/*.toml
  stowage check --run scenarios/published/*.toml`,
		Args:              scenarioFiles,
		ValidArgsFunction: tomlFiles,
		RunE:              func(c *cobra.Command, paths []string) error { return f.check(c, paths) },
	}
	c.Flags().BoolVar(&f.run, "run", false, "run the scenarios that have expectations, and check these")
	return c
}

func (f *checkFlags) check(c *cobra.Command, paths []string) error {
	var errs []error
	var loaded []*scenarios.Scenario
	for _, path := range paths {
		s, err := scenarios.Load(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		loaded = append(loaded, s)
		if !f.run || len(s.Expect) == 0 {
			fmt.Fprintf(c.OutOrStdout(), "%s: fine (%d layers, %d pools, %d rounds, placement %s)%s\n",
				path, len(s.Model.Layers), len(s.Cluster.Pools), s.Rounds, s.Policy.Name, unchecked(s))
		}
	}
	if !f.run || len(errs) > 0 {
		return errors.Join(errs...)
	}
	return expect(c, loaded)
}

// unchecked says that there is more to check.
func unchecked(s *scenarios.Scenario) string {
	switch n := len(s.Expect); n {
	case 0:
		return ""
	case 1:
		return "; 1 expectation, which --run checks"
	default:
		return fmt.Sprintf("; %d expectations, which --run checks", n)
	}
}

// expect runs scenarios and prints what became of their expectations.
func expect(c *cobra.Command, loaded []*scenarios.Scenario) error {
	var all []reports.Checked
	var errs []error
	missed := 0
	bar := newProgress(c.ErrOrStderr(), time.Now)
	for _, s := range loaded {
		if len(s.Expect) == 0 {
			continue
		}
		if bar.due() {
			bar.line(s.Name)
		}
		expected, err := s.Check(c.Context(), version)
		if err != nil {
			err = explain(s, 0, "", err) // nothing is written anyway
		}
		errs = append(errs, err)
		one := reports.Checked{Scenario: s.Name, Expected: expected}
		all = append(all, one)
		if one.Failed() {
			missed++
		}
		if c.Context().Err() != nil {
			break
		}
	}
	bar.clear()
	if err := reports.ExpectSummary(c.OutOrStdout(), all, terminalWidth()); err != nil {
		errs = append(errs, failure{err})
	}
	if missed > 0 {
		errs = append(errs, failed("the expectations of %d of %d scenarios are not as they say", missed, len(all)))
	}
	return errors.Join(errs...)
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
	"stowage/sim"
	"stowage/sim/placement"
)

type benchFlags struct {
	placements   nameList
	replacements nameList
	seeds        int
	save         string
	against      string
	thresholds   thresholdFlag
	timed        bool
	markdown     string
	junit        string
	html         string
}

// thresholdFlag reads thresholds of metrics; it may be given several times.
type thresholdFlag struct {
	reports.Thresholds
	given []string
}

func (t *thresholdFlag) String() string { return "" }
func (t *thresholdFlag) Type() string   { return "metric=share" }

// Set takes METRIC=1%,….
func (t *thresholdFlag) Set(s string) error {
	t.given = append(t.given, s)
	return t.Parse(s)
}

func newBench() *cobra.Command {
	f := benchFlags{
		placements:   nameList{what: "placement policy", known: placement.PolicyNames()},
		replacements: nameList{what: "replacement policy", known: replacementNames()},
		thresholds:   thresholdFlag{Thresholds: reports.Thresholds{}},
	}
	c := &cobra.Command{
		Use:   "bench SCENARIO.toml… --save FILE | --against FILE",
		Short: "Regression benchmark of policies: fails when one got worse",
		Long: `Bench runs each scenario under each placement policy, replacement policy and seed,
and saves the figures as a baseline, or compares them with one.

A baseline is a file in the Go benchmark format: benchstat reads it as it is. With
--against every metric of every experiment is compared, pair by pair of equal seeds.
Exit code 1 says that the mean of one got worse by more than its threshold, or that
something of the baseline could not be compared: a scenario has changed, a case or a
metric is gone. What is new is said. Simulated figures are exact, so an unchanged run
is the same in every digit; their default threshold is the rounding of another
processor. With --time the wall-clock times of searches are compared too, which count
from 10 % and p < 0.05 on: that takes 6 seeds or more, and a quiet machine.

The seed is that of the search and of the lookups. Seeds count from the scenario's on.`,
		Example: `  stowage bench scenarios/*.toml --seeds 5 --save baseline.txt
  stowage bench scenarios/*.toml --seeds 5 --against baseline.txt --threshold throughput=1%,evaluations=off
  stowage bench ctr.toml --placement genetic,greedy --replacement lru,lfu --against old.txt --save new.txt
  benchstat old.txt new.txt`,
		Args:              scenarioFiles,
		ValidArgsFunction: tomlFiles,
		RunE:              func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.save, "save", "", "`file` to save the figures in")
	flags.StringVar(&f.against, "against", "", "`file` of a baseline to compare with")
	flags.Var(&f.placements, "placement", "placement `policies`, commas between them, or all (default: the scenario's)")
	flags.Var(&f.replacements, "replacement", "replacement `policies`, commas between them, or all (default: the scenario's)")
	flags.IntVar(&f.seeds, "seeds", 5, "how many `seeds` to run each experiment with that draws something")
	flags.Var(&f.thresholds, "threshold", "how much worse a metric may get: METRIC=1%, METRIC=0.5 in its unit, METRIC=off, or all=…")
	flags.BoolVar(&f.timed, "time", false, "measure wall-clock times of searches too")
	flags.StringVar(&f.markdown, "markdown", "", "`file` for the comparison in Markdown, for a pull request")
	flags.StringVar(&f.junit, "junit", "", "`file` for the comparison as JUnit XML, for CI systems")
	flags.StringVar(&f.html, "html", "", "`file` for the comparison as one page for people")
	complete(c, "placement", placementHelp())
	complete(c, "replacement", replacementHelp())
	complete(c, "threshold", reports.SuiteMetrics())
	return c
}

func (f *benchFlags) check() error {
	switch {
	case f.save == "" && f.against == "":
		return errors.New("bench: want --save FILE, to keep the figures as a baseline, or --against FILE, to compare with one")
	case f.against == "" && f.markdown != "":
		return errors.New("--markdown: there is no comparison without --against FILE")
	case f.against == "" && f.junit != "":
		return errors.New("--junit: there is no comparison without --against FILE")
	case f.against == "" && f.html != "":
		return errors.New("--html: there is no comparison without --against FILE")
	case f.against == "" && len(f.thresholds.given) > 0:
		return errors.New("--threshold: there is no comparison without --against FILE")
	case f.seeds < 1 || f.seeds > scenarios.MaxCompareSeeds:
		return fmt.Errorf("--seeds %d: want 1 to %d", f.seeds, scenarios.MaxCompareSeeds)
	}
	return nil
}

func (f *benchFlags) run(c *cobra.Command, paths []string) error {
	if err := f.check(); err != nil {
		return err
	}
	var old *reports.Suite
	if f.against != "" { // before minutes are spent
		var err error
		if old, err = readSuite(f.against); err != nil {
			return err
		}
	}
	loading := runFlags{}
	loaded, err := loading.load(c, paths)
	if err != nil {
		return err
	}
	now := &reports.Suite{Version: version}
	for _, s := range loaded {
		if err := f.measure(c.Context(), c.ErrOrStderr(), now, s); err != nil {
			return err
		}
	}
	return f.conclude(c.OutOrStdout(), old, now)
}

// conclude compares with the baseline and saves, whichever is asked for.
func (f *benchFlags) conclude(w io.Writer, old, now *reports.Suite) error {
	var text bytes.Buffer
	if err := reports.WriteSuite(&text, now); err != nil {
		return failure{err}
	}
	var verdict error
	if old != nil {
		// What is compared is what the file says of both sides.
		read, err := reports.ReadSuite("these figures", text.Bytes())
		if err != nil {
			return failure{err}
		}
		if verdict, err = f.compare(w, old, read); err != nil {
			return err
		}
	}
	if f.save != "" {
		if err := writeText(f.save, text.Bytes()); err != nil {
			return errors.Join(verdict, failure{err})
		}
		fmt.Fprintf(w, "Written to %s: %d runs\n", f.save, len(now.Cases))
	}
	return verdict
}

// compare prints and writes the comparison; the verdict is the error of one that failed.
func (f *benchFlags) compare(w io.Writer, old, now *reports.Suite) (verdict, err error) {
	a := reports.CompareSuites(f.against, old, now, f.thresholds.Thresholds)
	if err := reports.AgainstSummary(w, a, terminalWidth()); err != nil {
		return nil, failure{err}
	}
	for _, out := range []struct {
		path  string
		write func(io.Writer, *reports.Against) error
	}{{f.markdown, reports.AgainstMarkdown}, {f.junit, reports.AgainstJUnit}, {f.html, reports.AgainstHTML}} {
		if out.path == "" {
			continue
		}
		if err := reports.WriteFile(out.path, func(w io.Writer) error { return out.write(w, a) }); err != nil {
			return nil, failure{err}
		}
	}
	if a.Failed() {
		verdict = failed("%s: %s", f.against, a.Conclusion())
	}
	return verdict, nil
}

func writeText(path string, text []byte) error {
	return reports.WriteFile(path, func(w io.Writer) error { _, err := w.Write(text); return err })
}

func readSuite(path string) (*reports.Suite, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--against: %w", err)
	}
	return reports.ReadSuite(path, data)
}

// measure runs a scenario under all policies and adds what came out. Half a suite is of
// no use, so an interruption is an error.
func (f *benchFlags) measure(ctx context.Context, notes io.Writer, suite *reports.Suite, s *scenarios.Scenario) error {
	hash, err := s.Fingerprint()
	if err != nil {
		return err
	}
	for _, one := range f.variants(notes, s) {
		r, err := f.bench(ctx, notes, one)
		if err != nil {
			return err
		}
		for _, k := range r.Skipped {
			fmt.Fprintf(notes, "stowage: %s: note: not measured: %s: %s\n", s.Name, k.Policy, k.Reason)
		}
		for i := range r.Runs {
			if run := &r.Runs[i]; run.Infeasible != "" {
				fmt.Fprintf(notes, "stowage: %s: note: %s, seed %d: no scheme fits: %s\n", s.Name, run.Policy, run.Seed, run.Infeasible)
			}
		}
		replacement := ""
		if one.Slots != nil {
			replacement = one.Slots.Replacement
		}
		suite.Add(r, hash, replacement, f.timed)
	}
	return nil
}

// variants are the scenario under each replacement policy.
func (f *benchFlags) variants(notes io.Writer, s *scenarios.Scenario) []*scenarios.Scenario {
	if len(f.replacements.names) == 0 {
		return []*scenarios.Scenario{s}
	}
	if s.Slots == nil {
		fmt.Fprintf(notes, "stowage: %s: note: it has no section slots: it is measured once, without a replacement policy\n", s.Name)
		return []*scenarios.Scenario{s}
	}
	var all []*scenarios.Scenario
	for _, name := range f.replacements.names {
		one := *s
		if err := one.SetReplacement(name); err != nil {
			panic(err) // a known name, and there are slots
		}
		all = append(all, &one)
	}
	return all
}

func (f *benchFlags) bench(ctx context.Context, notes io.Writer, s *scenarios.Scenario) (*sim.Comparison, error) {
	policies := f.placements.names
	if len(policies) == 0 {
		policies = []string{s.Policy.Name}
	}
	bar := newProgress(notes, time.Now)
	r, err := s.Bench(ctx, scenarios.Comparing{
		Policies: policies, Seeds: f.seeds, Version: version,
		Progress: func(p scenarios.CompareProgress) { bar.compared(s, p) },
	})
	bar.clear()
	if errors.Is(err, context.Canceled) {
		return nil, failed("%s: interrupted; nothing is saved or compared", s.Name)
	}
	return r, err
}

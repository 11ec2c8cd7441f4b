package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/sim"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain METRIC…",
		Short: "Say what a number means, its unit and how it is computed",
		Long: `Explain says what a metric means, in which unit it is, how it is computed, and what to
conclude from it. Stowage list metrics lists them all.`,
		Example: `  stowage explain hit_ratio
  stowage explain throughput warm_throughput gap`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return metricHelp(), cobra.ShellCompDirectiveNoFileComp
		},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("explain: no metric given: want some of %s", strings.Join(metricNames(), ", "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, name := range args {
				// People write what they saw in a table.
				if _, ok := sim.Explain(underscored(name)); !ok {
					return fmt.Errorf("explain: unknown metric %q: want one of %s%s", name, strings.Join(metricNames(), ", "), didYouMean("", underscored(name), metricNames()))
				}
			}
			for i, name := range args {
				if i > 0 {
					fmt.Fprintln(c.OutOrStdout())
				}
				explainMetric(c.OutOrStdout(), underscored(name), terminalWidth())
			}
			return nil
		},
	}
}

func underscored(name string) string { return strings.ReplaceAll(strings.TrimSpace(name), " ", "_") }

func explainMetric(w io.Writer, name string, width int) {
	e, _ := sim.Explain(name)
	k := e.Kind
	unit := k.Unit
	if unit == "" {
		unit = "samples/s, Msamples/USD or steps/s, by the objective"
	}
	better := k.Better + " is better"
	if k.Better == "" {
		better = "neither more nor less is better"
	}
	from := map[string]string{
		"": "a count, or a property of the plan", sim.FromSimulation: "the simulation",
		sim.FromClosedForm: "the closed form", sim.FromRecurrence: "the recurrence", sim.FromSearch: "the search, at its fidelity",
	}[k.From]
	fmt.Fprintf(w, "%s (%s; %s; from %s)\n", k.Name, unit, better, from)
	for _, p := range []struct{ name, text string }{{"means", k.Means + "."}, {"computed", e.How}, {"read it", e.Read}} {
		fmt.Fprint(w, reports.Paragraph(p.name, p.text, width))
	}
}

func metricNames() []string {
	var names []string
	for _, k := range sim.MetricKinds {
		names = append(names, k.Name)
	}
	return names
}

// metricHelp lists the metrics with what they mean for completion.
func metricHelp() []string {
	var words []string
	for _, k := range sim.MetricKinds {
		words = append(words, k.Name+"\t"+k.Means)
	}
	return words
}

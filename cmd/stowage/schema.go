package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/scenarios"
)

// schemas are the documents that have a JSON Schema.
var schemas = []struct {
	name string
	text func() []byte
}{
	{"scenario", scenarios.Schema},
	{"run", reports.Schema},
	{"timeline", reports.TimelineSchema},
	{"compare", reports.CompareSchema},
	{"comparison", reports.ComparisonSchema},
	{"replay", reports.ReplaySchema},
}

func newSchema() *cobra.Command {
	var names []string
	for _, s := range schemas {
		names = append(names, s.name)
	}
	return &cobra.Command{
		Use:   "schema " + strings.Join(names, "|"),
		Short: "Print the JSON Schema of scenarios or of what a command prints as JSON",
		Long: `Schema prints a JSON Schema (draft 2020-12): of scenario files, by which editors
complete and check them; of what run, compare and replay print with --format json; or
of the files timeline.json and comparison.json, which plots are drawn from again.`,
		Example: `  stowage schema scenario >scenario.schema.json
  stowage schema run`,
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("schema: want one of %s; got %d names", strings.Join(names, ", "), len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, s := range schemas {
				if s.name == args[0] {
					_, err := c.OutOrStdout().Write(s.text())
					return err
				}
			}
			return fmt.Errorf("schema: unknown document %q: want one of %s%s", args[0], strings.Join(names, ", "), didYouMean("", args[0], names))
		},
	}
}

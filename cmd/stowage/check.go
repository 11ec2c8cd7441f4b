package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"stowage/hw"
	"stowage/scenarios"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:               "check SCENARIO.toml…",
		Short:             "Validate scenarios without running them",
		Example:           "  stowage check scenarios/*.toml",
		Args:              scenarioFiles,
		ValidArgsFunction: tomlFiles,
		RunE: func(c *cobra.Command, paths []string) error {
			var errs []error
			for _, path := range paths {
				s, err := scenarios.Load(path)
				if err != nil {
					errs = append(errs, err)
					continue
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: fine (%d layers, %d pools, %d rounds, placement %s)\n",
					path, len(s.Model.Layers), len(s.Cluster.Pools), s.Rounds, s.Policy.Name)
				if s.Cluster.Network.Topology != hw.OwnPorts {
					fmt.Fprintf(c.OutOrStdout(), "  network: %s\n", s.Cluster.DescribeNetwork())
				}
			}
			return errors.Join(errs...)
		},
	}
}

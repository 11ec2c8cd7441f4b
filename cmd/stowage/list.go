package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"stowage/hw"
	"stowage/sim"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads"
)

// lists is every kind of thing that `list` knows, in the order of help.
var lists = []struct {
	name  string
	print func(w io.Writer) error
}{
	{"devices", listDevices},
	{"nodes", listNodes},
	{"links", listLinks},
	{"models", listModels},
	{"placements", listPlacements},
	{"replacements", listReplacements},
	{"schedules", listSchedules},
	{"plots", listPlots},
	{"metrics", listMetrics},
}

func newList() *cobra.Command {
	names := make([]string, len(lists))
	for i, l := range lists {
		names[i] = l.name
	}
	return &cobra.Command{
		Use:   "list " + strings.Join(names, "|"),
		Short: "List what scenarios can name",
		Long:  "List lists what scenarios and flags can name, what can be drawn, and what is measured.",
		Example: `  stowage list devices
  stowage list placements
  stowage list metrics`,
		ValidArgs: names,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("list: want one of %s; got %d names", strings.Join(names, ", "), len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			for _, l := range lists {
				if l.name == args[0] {
					w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
					if err := l.print(w); err != nil {
						return err
					}
					return w.Flush()
				}
			}
			return fmt.Errorf("list: unknown list %q: want one of %s%s", args[0], strings.Join(names, ", "), didYouMean("", args[0], names))
		},
	}
}

func listDevices(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tKIND\tFP32\tFP16\tMEMORY\tBANDWIDTH\tPRICE\tTITLE")
	for _, d := range hw.Devices() {
		peak := func(p hw.Precision) string {
			if v, ok := d.Peak[p]; ok {
				return v.String()
			}
			return "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%v\t%v\t%v\t%s\n", d.Name, d.Kind, peak(hw.FP32), peak(hw.FP16),
			d.Memory.Capacity, d.Memory.Bandwidth, d.Price, d.Title)
	}
	return nil
}

func listNodes(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tDEVICES\tHOST\tDRAM\tNIC\tTITLE")
	for _, n := range hw.Nodes() {
		fmt.Fprintf(w, "%s\t%d x %s\t%d x %s\t%v\t%s\t%s\n", n.Name, n.Devices, n.Device, n.Hosts, n.Host, n.DRAM.Capacity, n.NIC.Name, n.Title)
	}
	return nil
}

func listLinks(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tBANDWIDTH\tLATENCY\tTITLE")
	for _, l := range hw.Links() {
		fmt.Fprintf(w, "%s\t%v\t%v\t%s\n", l.Name, l.Bandwidth, l.Latency, l.Title)
	}
	return nil
}

func listModels(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tLAYERS\tPARAMETERS\tEMBEDDING ROWS\tGFLOP/SAMPLE\tTITLE")
	for _, name := range workloads.Models() {
		m, err := workloads.LookupModel(name)
		if err != nil {
			return err
		}
		t := m.Totals()
		fmt.Fprintf(w, "%s\t%d\t%.4g M\t%.4g M\t%.4g\t%s\n", name, len(m.Layers), float64(t.Params)/1e6, float64(t.EmbeddingRows)/1e6, t.FLOPs/1e9, m.Title)
	}
	return nil
}

func listPlacements(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tTITLE")
	for _, p := range placement.Policies {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.Title)
	}
	return nil
}

func listReplacements(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tTITLE")
	for _, p := range slots.Policies() {
		fmt.Fprintf(w, "%s\t%s\n", p.Name, p.Summary)
	}
	return nil
}

func listSchedules(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tTITLE")
	for _, s := range pipeline.Schedules {
		fmt.Fprintf(w, "%s\t%s\n", s.Name, s.Title)
	}
	return nil
}

func listPlots(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tTITLE")
	for _, p := range plotList() {
		fmt.Fprintf(w, "%s\t%s\n", p[0], p[1])
	}
	return nil
}

func listMetrics(w io.Writer) error {
	fmt.Fprintln(w, "NAME\tUNIT\tBETTER\tFROM\tMEANS")
	for _, m := range sim.MetricKinds {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", m.Name, m.Unit, m.Better, m.From, m.Means)
	}
	return nil
}

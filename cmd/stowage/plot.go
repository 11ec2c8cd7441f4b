package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"stowage/reports"
)

type plotFlags struct {
	plot   choice
	out    string
	labels []string
}

func newPlot() *cobra.Command {
	f := plotFlags{plot: choice{value: "throughput", known: plotNames()}}
	c := &cobra.Command{
		Use:   "plot RESULT.json…",
		Short: "Draw a plot again from saved results, several runs on one sheet",
		Long: `Plot draws a plot of what run wrote: of one result, or of several on one sheet. The
throughput of several runs is drawn in one panel, a line for each; other plots stand
below each other. Device types have the same colours on every sheet. Beside the plot
a CSV file has the data that it shows.

A folder stands for the result.json in it. The format is that of the file's name: svg,
png or pdf. The same results give the same bytes.`,
		Example: `  stowage plot out/ctr/result.json --plot stages -o stages.pdf
  stowage plot out/before out/after -o before-after.svg
  stowage plot out/a out/b out/c --label small,large,mixed -o clusters.png`,
		Args: func(_ *cobra.Command, args []string) error {
			if n := len(args); n < 1 || n > reports.MaxSheet {
				return fmt.Errorf("plot: %d results: from 1 to %d, as in stowage plot out/ctr/result.json", n, reports.MaxSheet)
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"json"}, cobra.ShellCompDirectiveFilterFileExt
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().Var(&f.plot, "plot", "what to draw (see stowage list plots)")
	c.Flags().StringVarP(&f.out, "out", "o", "", "`file` to write: svg, png or pdf (default PLOT.svg)")
	c.Flags().StringSliceVar(&f.labels, "label", nil, "`names` of the runs, with commas between (default: what tells them apart)")
	complete(c, "plot", plotHelp())
	return c
}

func (f *plotFlags) run(c *cobra.Command, paths []string) error {
	file := f.out
	if file == "" {
		file = f.plot.value + ".svg"
	}
	format := strings.TrimPrefix(filepath.Ext(file), ".")
	if !slices.Contains(reports.SheetFormats(), format) {
		return fmt.Errorf("-o %s: the name of a file that ends with .%s%s", file, strings.Join(reports.SheetFormats(), ", ."), didYouMean(".", format, reports.SheetFormats()))
	}
	runs, err := f.read(paths)
	if err != nil {
		return err
	}
	sheet, err := reports.NewSheet(f.plot.value, runs)
	if err != nil {
		return err
	}
	files, err := sheet.Write(file)
	if err != nil {
		return failed("plot: %w", err)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "Written to %s\n", strings.Join(files, " and "))
	return err
}

// read reads the results and names them.
func (f *plotFlags) read(paths []string) ([]reports.Run, error) {
	if n := len(f.labels); n > 0 && n != len(paths) {
		return nil, fmt.Errorf("--label: %d names for %d results", n, len(paths))
	}
	runs := make([]reports.Run, len(paths))
	var errs []error
	for i, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			path = filepath.Join(path, reports.ResultFile)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("plot: %w", err))
			continue
		}
		if runs[i].Result, err = reports.ReadResult(data); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for i, label := range runLabels(runs, paths) {
		runs[i].Label = label
		if len(f.labels) > 0 {
			runs[i].Label = f.labels[i]
		}
	}
	return runs, nil
}

// runLabels are the shortest names that tell runs apart: that of the scenario, of the
// folder, with the seed, or else the whole path.
func runLabels(runs []reports.Run, paths []string) []string {
	for _, name := range []func(i int) string{
		func(i int) string { return runs[i].Result.Scenario },
		func(i int) string { return folderOf(paths[i]) },
		func(i int) string {
			return runs[i].Result.Scenario + ", seed " + strconv.FormatInt(runs[i].Result.Seed, 10)
		},
	} {
		labels := make([]string, len(runs))
		for i := range runs {
			labels[i] = name(i)
		}
		sorted := slices.Sorted(slices.Values(labels))
		if len(slices.Compact(sorted)) == len(labels) && !slices.Contains(labels, "") {
			return labels
		}
	}
	return paths
}

// folderOf is the last folder of a path to a result.
func folderOf(path string) string {
	path = filepath.Clean(path)
	if filepath.Ext(path) == ".json" {
		if name := filepath.Base(path); name != reports.ResultFile {
			return strings.TrimSuffix(name, ".json")
		}
		path = filepath.Dir(path)
	}
	return filepath.Base(path)
}

func plotNames() []string {
	var names []string
	for _, p := range reports.Plots() {
		names = append(names, p.Name)
	}
	return names
}

// plotHelp lists the plots with their titles for completion.
func plotHelp() []string {
	var words []string
	for _, p := range reports.Plots() {
		words = append(words, p.Name+"\t"+p.Title)
	}
	return words
}

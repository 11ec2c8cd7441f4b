package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
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
	f := plotFlags{plot: choice{known: plotNames()}}
	c := &cobra.Command{
		Use:   "plot FOLDER…",
		Short: "Draw a plot again from saved results, several runs on one sheet",
		Long: `Plot draws a plot of what run, compare or replay -o wrote: of one result, or of several
of one command on one sheet. The throughput of several runs is drawn in one panel, a
line for each, and so are miss ratios of several traces; other plots stand below each
other. Device types have the same colours on every sheet. Beside the plot a CSV file
has the data that it shows.

A folder stands for the result.json, comparison.json or replay.json in it. Without
--plot it is throughput, or the first plot that compare or replay draws. The format is
that of the file's name: svg, png or pdf. The same results give the same bytes.`,
		Example: `  stowage plot out/ctr --plot stages -o stages.pdf
  stowage plot out/before out/after -o before-after.svg
  stowage plot out/a out/b out/c --label small,large,mixed -o clusters.png
  stowage plot out/ctr/compare --plot pareto
  stowage plot curves/replay.json --plot mrc`,
		Args: func(_ *cobra.Command, args []string) error {
			if n := len(args); n < 1 || n > reports.MaxSheet {
				return fmt.Errorf("plot: %d results: from 1 to %d, as in stowage plot out/ctr", n, reports.MaxSheet)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	c.Flags().Var(&f.plot, "plot", "`plot` to draw (see stowage list plots)")
	c.Flags().StringVarP(&f.out, "out", "o", "", "`file` to write: svg, png or pdf (default PLOT.svg)")
	c.Flags().StringSliceVar(&f.labels, "label", nil, "`names` of the runs, with commas between (default: what tells them apart)")
	complete(c, "plot", plotHelp())
	return c
}

func (f *plotFlags) run(c *cobra.Command, paths []string) error {
	if format := strings.TrimPrefix(filepath.Ext(f.out), "."); f.out != "" && !slices.Contains(reports.SheetFormats(), format) {
		return fmt.Errorf("-o %s: the name of a file that ends with .%s%s", f.out, strings.Join(reports.SheetFormats(), ", ."), didYouMean(".", format, reports.SheetFormats()))
	}
	runs, err := f.read(paths)
	if err != nil {
		return err
	}
	sheet, err := reports.NewSheet(f.plot.value, runs)
	if err != nil {
		return err
	}
	file := f.out
	if file == "" {
		file = sheet.Name + ".svg"
	}
	files, err := sheet.Write(file)
	if err != nil {
		return failed("plot: %w", err)
	}
	noteUndrawable(c.ErrOrStderr(), runs...)
	_, err = fmt.Fprintf(c.OutOrStdout(), "Written to %s\n", strings.Join(files, " and "))
	return err
}

// noteUndrawable says which characters plots show as "?".
func noteUndrawable(w io.Writer, runs ...reports.Run) {
	if missing := reports.Undrawable(runs...); missing != "" {
		fmt.Fprintf(w, "stowage: note: the font of plots has no %s: they show ? instead; tables and report.html have all characters\n", strings.Join(strings.Split(missing, ""), " "))
	}
}

// read reads what was saved, and names it.
func (f *plotFlags) read(paths []string) ([]reports.Run, error) {
	var runs []reports.Run
	var from []string // paths
	var errs []error
	for _, path := range paths {
		saved, err := reports.ReadSaved(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		runs, from = append(runs, saved...), append(from, slices.Repeat([]string{path}, len(saved))...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	labels := f.labels
	if len(labels) == 0 {
		labels = reports.Labels(runs, from)
	}
	if n := len(labels); n != len(runs) {
		return nil, fmt.Errorf("--label: %d names for %d results", n, len(runs))
	}
	for i := range runs {
		runs[i].Label = labels[i]
	}
	return runs, nil
}

// plotList are names and titles of all plots, each once: run and replay share the name
// of one.
func plotList() (list [][2]string) {
	for _, p := range reports.Plots() {
		list = append(list, [2]string{p.Name, p.Title})
	}
	for _, p := range reports.ComparePlots() {
		list = append(list, [2]string{p[0], p[1] + " (of stowage compare)"})
	}
	for _, p := range reports.ReplayPlots() {
		if !slices.ContainsFunc(list, func(q [2]string) bool { return q[0] == p[0] }) {
			list = append(list, [2]string{p[0], p[1] + " (of stowage replay)"})
		}
	}
	return list
}

func plotNames() (names []string) {
	for _, p := range plotList() {
		names = append(names, p[0])
	}
	return names
}

// plotHelp lists the plots with their titles for completion.
func plotHelp() (words []string) {
	for _, p := range plotList() {
		words = append(words, p[0]+"\t"+p[1])
	}
	return words
}

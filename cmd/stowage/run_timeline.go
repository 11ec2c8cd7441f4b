package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"stowage/reports"
	"stowage/sim"
)

// timelineFormats are the formats of --trace by extension.
var timelineFormats = []struct {
	extension string
	write     func(io.Writer, *sim.Result) error
}{
	{".json", reports.ChromeTrace},
	{".pftrace", reports.PerfettoTrace},
}

// checkTraceName refuses a file of --trace whose name says no format.
func checkTraceName(file string) error {
	if file == "" || timelineWriter(file) != nil {
		return nil
	}
	var known []string
	for _, f := range timelineFormats {
		known = append(known, "*"+f.extension)
	}
	return fmt.Errorf("--trace %s: the name says the format: %s", file, strings.Join(known, " or "))
}

func timelineWriter(file string) func(io.Writer, *sim.Result) error {
	for _, f := range timelineFormats {
		if strings.EqualFold(filepath.Ext(file), f.extension) {
			return f.write
		}
	}
	return nil
}

// writeTrace writes the timeline of a run where --trace asks for it, and says what a
// person should know about the file.
func (f *runFlags) writeTrace(w io.Writer, r *sim.Result) error {
	if f.trace == "" || r.Timeline == nil {
		return nil
	}
	write := timelineWriter(f.trace)
	if err := reports.WriteFile(f.trace, func(w io.Writer) error { return write(w, r) }); err != nil {
		return failed("%s: trace not written: %w", r.Scenario, err)
	}
	if n := len(r.Timeline.Spans); n > reports.PerfettoSpans && strings.EqualFold(filepath.Ext(f.trace), ".json") {
		fmt.Fprintf(w, "stowage: %s has %d slices: a *.pftrace is smaller and opens sooner\n", f.trace, n)
	}
	if n := r.Timeline.Missing; n > 0 {
		fmt.Fprintf(w, "stowage: %s ends early: %d slices are beyond the limit of MaxSpans = %d; take fewer rounds\n", f.trace, n, sim.MaxSpans)
	}
	return nil
}

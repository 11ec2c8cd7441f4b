package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"stowage/reports"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

type replayFlags struct {
	out     string
	print   choice
	format  choice // of the traces
	column  string
	policy  nameList
	slots   slotList
	warmup  warmupFlag
	mrc     choice
	rate    shareFlag
	sampled int // most keys of the sample
	row     bytesFlag
	devices deviceList
	offload offloadFlags

	maxLookups int64
	maxLine    int
	maxBytes   bytesFlag
	maxKept    int64
	maxHeld    int64
}

func newReplay() *cobra.Command {
	f := replayFlags{
		print:  choice{known: outputFormats},
		format: choice{known: traceFormats()},
		policy: nameList{names: []string{"lru"}, what: "replacement policy", known: replacementNames()},
		mrc:    choice{known: []string{reports.ExactCurve, reports.SampledCurve}},
		rate:   0.01,
	}
	c := &cobra.Command{
		Use:   "replay TRACE…",
		Short: "Replay traces of lookups on slot tables: hits by replacement policy and number of slots",
		Long: `Replay reads each trace once, lookup by lookup, through a slot table for every
replacement policy and number of slots, on all processors, and prints hits and misses.

Traces are text (a key to a line), lirs, csv or parquet (a named column), arc or
oracle (libCacheSim's oracleGeneral); the format follows from the name unless it is
given. All but parquet may be packed by gzip or zstd.

--format takes words for what is printed (table, json, csv, bench) and for the format
of the traces (text, lirs, arc, oracle, parquet), or both: --format oracle,json. The
word csv is what is printed, as in stowage run; --trace-format csv reads as CSV.

Memory does not grow with the trace but for: min, lookahead and static, which must
know the future and hold the trace; lfu-admit, which holds all keys; numbers of slots
in per cent, --mrc, and --offload-stats without --tables, which hold the unique keys.
These three also read the trace twice, as does --warmup in per cent. A note says so.

--offload-stats writes what TorchRec's planner wants to know of every embedding table
(the fields of EmbeddingOffloadStats) as a JSON array. Keys are then rows, numbered
through the tables of --tables, and --batch lookups make a global batch.

Without --slots there are tables of 1% and 10% of the unique keys, or none where
--mrc or --offload-stats is given and no --policy is named.

Ctrl-C stops it: what has been counted is printed.`,
		Example: `  stowage replay --policy lru,sieve,s3-fifo --slots 1000,1%,10% trace.oracleGeneral.zst
  stowage replay --policy all --slots 5% --warmup 25% --format json trace.csv --column row
  stowage replay --mrc --row 256B --out curves trace.txt.gz`,
		Args: traceFiles,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	flags := c.Flags()
	flags.SortFlags = false
	flags.Var(&f.policy, "policy", "replacement `policies`, commas between them, or all (see stowage list replacements)")
	flags.Var(&f.slots, "slots", "`numbers` of slots, commas between them; per cent are of the unique keys")
	flags.Var(&f.warmup, "warmup", "`lookups` at the start that are not counted, as a number or in per cent")
	flags.Var(onceChoice{&f.mrc}, "mrc", "LRU at every number of slots: exact, or shards for an estimate from a sample")
	flags.Lookup("mrc").NoOptDefVal = reports.ExactCurve
	flags.Var(&f.rate, "shards", "share of the keys in the sample of --mrc=shards, which it implies")
	flags.IntVar(&f.sampled, "shards-keys", 0, "most `keys` in that sample, whose rate then falls as it must (0: no bound)")
	flags.Var(&formatWords{&f.print, &f.format}, "format", "what to print, or the format of the traces, or both with a comma")
	flags.Var(onceChoice{&f.print}, "print", "what to print, by itself")
	flags.Var(onceChoice{&f.format}, "trace-format", "the `format` of the traces, by itself: "+strings.Join(f.format.known, ", ")+" (default by their names)")
	flags.StringVar(&f.column, "column", "", "`name` of the column with the keys, in csv and parquet")
	flags.StringVarP(&f.out, "out", "o", "", "`folder` for replay.json, replay.csv, report.html and plots")
	flags.Var(&f.row, "row", "`size` of a slot, as 256B: marks what fits the memory of every accelerator")
	flags.Var(&f.devices, "devices", "mark these device `types` instead, commas between them")
	flags.StringVar(&f.offload.file, "offload-stats", "", "`file` for per-table statistics, for TorchRec's planner")
	flags.Var(&f.offload.tables, "tables", "`rows` of each table, as 1460,583 or user=1460,item=583 (default one of all unique keys)")
	flags.IntVar(&f.offload.batch, "batch", 0, "`lookups` of a global batch, over all tables")
	flags.IntVar(&f.offload.bins, "bins", 1000, "`bins` of the histograms")
	flags.Int64Var(&f.maxLookups, "max-lookups", lookups.DefaultFileKeys, "most lookups of one trace")
	flags.IntVar(&f.maxLine, "max-line", lookups.DefaultFileLine, "most bytes of one line")
	f.maxBytes.Bytes = lookups.DefaultFileBytes
	flags.Var(&f.maxBytes, "max-bytes", "most bytes of one trace, unpacked")
	flags.Int64Var(&f.maxKept, "max-kept", slots.DefaultReplayKept, "most keys in slots and remembered, over all tables")
	flags.Int64Var(&f.maxHeld, "max-held", slots.DefaultReplayTrace, "most lookups held for policies that must know the future")
	complete(c, "policy", replacementHelp())
	complete(c, "format", append(append([]string{}, outputFormats...), f.format.known...))
	complete(c, "print", outputFormats)
	complete(c, "trace-format", f.format.known)
	complete(c, "mrc", f.mrc.known)
	complete(c, "devices", deviceHelp())
	return c
}

// traceFiles asks for at least one trace.
func traceFiles(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return errors.New("replay: no trace given: name at least one file, as in stowage replay --slots 1000 trace.txt")
	}
	return nil
}

func (f *replayFlags) run(c *cobra.Command, paths []string) error {
	if err := f.complete(c, len(paths)); err != nil {
		return err
	}
	var replays []*reports.Replay // what can be written
	var shown []*reports.Replay
	var errs []error
	for i, path := range paths {
		if c.Context().Err() != nil {
			if i > 0 {
				errs = append(errs, failed("interrupted: %d of %d traces were not replayed", len(paths)-i, len(paths)))
			}
			break
		}
		r, err := f.one(c, path)
		errs = append(errs, err)
		if r == nil {
			continue
		}
		shown = append(shown, r)
		if c.Context().Err() == nil {
			replays = append(replays, r)
		}
		if f.print.value == "table" {
			if len(shown) > 1 {
				fmt.Fprintln(c.OutOrStdout())
			}
			if err := reports.ReplaySummary(c.OutOrStdout(), r, terminalWidth()); err != nil {
				return failure{err}
			}
			if f.offload.file != "" && err == nil {
				fmt.Fprintf(c.OutOrStdout(), "\nWritten: %s\n", f.offload.file)
			}
		}
	}
	if err := f.printAll(c.OutOrStdout(), shown); err != nil {
		return failure{err}
	}
	return errors.Join(append(errs, f.write(c, replays))...)
}

// complete makes what the flags leave open definite.
func (f *replayFlags) complete(c *cobra.Command, traces int) error {
	set := c.Flags().Changed
	if err := f.offload.complete(set, traces); err != nil {
		return err
	}
	if f.print.value == "" {
		f.print.value = "table"
	}
	if set("shards") || set("shards-keys") {
		if f.mrc.value == reports.ExactCurve {
			return errors.New("--mrc is exact and --shards is of a sample: want one of them")
		}
		f.mrc.value = reports.SampledCurve
	}
	if f.sampled < 0 {
		return fmt.Errorf("--shards-keys %d: want how many keys to hold, or 0 for no bound", f.sampled)
	}
	if f.mrc.value == "" && f.offload.file == "" || set("policy") {
		if len(f.slots) == 0 {
			f.slots = slotList{{share: 0.01}, {share: 0.1}}
		}
	}
	if set("devices") && f.row.Bytes == 0 {
		return errors.New("--devices: how many slots fit depends on their size: give --row as well, as in --row 256B")
	}
	for _, limit := range []struct {
		flag  string
		value int64
	}{{"max-lookups", f.maxLookups}, {"max-line", int64(f.maxLine)}, {"max-kept", f.maxKept}, {"max-held", f.maxHeld}} {
		if limit.value < 1 {
			return fmt.Errorf("--%s %d: want 1 or more", limit.flag, limit.value)
		}
	}
	return nil
}

// one replays one trace. What was counted before an error is returned with it.
func (f *replayFlags) one(c *cobra.Command, path string) (*reports.Replay, error) {
	t := &traceReplay{flags: f, path: path, bar: newProgress(c.ErrOrStderr(), time.Now)}
	t.note = func(format string, args ...any) {
		t.bar.clear()
		fmt.Fprintf(c.ErrOrStderr(), "stowage: note: %s: %s\n", path, fmt.Sprintf(format, args...))
	}
	r, err := t.run(c.Context())
	t.bar.clear()
	return r, err
}

// printAll prints what is not printed trace by trace.
func (f *replayFlags) printAll(w io.Writer, replays []*reports.Replay) error {
	if len(replays) == 0 {
		return nil
	}
	switch f.print.value {
	case "json":
		return reports.ReplayJSON(w, replays)
	case "csv":
		return reports.ReplayCSV(w, replays)
	case "bench":
		return reports.ReplayBench(w, replays)
	}
	return nil
}

// write writes the files, if they were asked for.
func (f *replayFlags) write(c *cobra.Command, replays []*reports.Replay) error {
	if f.out == "" || len(replays) == 0 {
		return nil
	}
	files, err := reports.WriteReplays(f.out, replays)
	if err != nil {
		return failed("results not written: %w", err)
	}
	if f.print.value != "table" {
		return nil
	}
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = filepath.Base(file)
	}
	if _, err := fmt.Fprintf(c.OutOrStdout(), "\nWritten to %s: %s\n", f.out, strings.Join(names, " ")); err != nil {
		return failure{err}
	}
	return nil
}

// fileOptions says how to read a trace.
func (f *replayFlags) fileOptions() lookups.FileOptions {
	return lookups.FileOptions{
		Format: f.format.value, Column: f.column,
		MaxKeys: f.maxLookups, MaxLine: f.maxLine, MaxBytes: int64(f.maxBytes.Bytes),
	}
}

// raise says which flag raises the limit that err is about.
func raise(err error) error {
	var long *lookups.LineError
	if errors.As(err, &long) {
		long.By = "--max-line"
	}
	var limit *lookups.LimitError
	if !errors.As(err, &limit) {
		return err
	}
	flag := ""
	switch limit.What {
	case "keys":
		flag = "--max-lookups"
	case "bytes after decompression", "bytes in the file":
		flag = "--max-bytes"
	default:
		return err
	}
	raised := *limit
	raised.Raise += " by " + flag
	return &raised
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"stowage/reports"
	"stowage/workloads/lookups"
)

// batchKeys is how many keys are read at a time.
const batchKeys = 1 << 15

// errInterrupted ends a read that the user stopped.
var errInterrupted = errors.New("interrupted")

// exists complains about a file that does not exist, and about a space between --mrc
// and its word.
func (t *traceReplay) exists() error {
	_, err := os.Stat(t.path)
	if err != nil && t.path == "-" {
		return fmt.Errorf("%w; standard input is /dev/stdin", err)
	}
	if errors.Is(err, fs.ErrNotExist) && t.flags.mrc.value != "" && slices.Contains(t.flags.mrc.known, t.path) {
		return fmt.Errorf("%w; did you mean \"--mrc=%s\"?", err, t.path)
	}
	return err
}

// exact reports whether the exact curve is asked for.
func (t *traceReplay) exact() bool { return t.flags.mrc.value == reports.ExactCurve }

// count reads the trace a first time where unique keys or lookups must be known.
func (t *traceReplay) count(ctx context.Context) error {
	f := t.flags
	unique := f.slots.shares() || t.renumbers()
	if !unique && f.warmup.share == 0 {
		return nil
	}
	if err := t.twice(); err != nil {
		return err
	}
	switch {
	case t.renumbers() && !t.exact():
		t.note("--offload-stats without --tables reads the trace twice, first to count the unique keys, and holds these, about 30 to 45 bytes each")
	case t.exact():
		t.note("--mrc reads the trace twice, first to count the unique keys, and holds these, about 30 to 45 bytes each; --mrc=shards reads it once and holds a sample")
	case unique:
		t.note("--slots in per cent reads the trace twice, first to count the unique keys, which it holds meanwhile, 15 to 25 bytes each")
	default:
		t.note("--warmup in per cent reads the trace twice, first to count its lookups")
	}
	if unique {
		t.numbers = lookups.NewDensifier()
	}
	var ids []uint32
	_, n, err := t.read(ctx, "counting", 0, func(keys []uint64, at *lookups.KeyReader) (err error) {
		if unique {
			if ids, err = t.numbers.Dense(ids, keys); err != nil {
				return at.At(err)
			}
		}
		return nil
	})
	if errors.Is(err, errInterrupted) {
		return failed("%s: interrupted after %d lookups of the first read; nothing was replayed", t.path, n)
	}
	t.counted, t.lookups, t.end = true, n, err
	if n == 0 {
		return t.empty(err)
	}
	if unique {
		t.unique = t.numbers.Distinct()
	}
	if !t.renumbers() {
		t.numbers = nil
	}
	return nil
}

// renumbers reports whether the second read needs the numbers of the first.
func (t *traceReplay) renumbers() bool {
	o := &t.flags.offload
	return t.exact() || o.file != "" && len(o.tables) == 0
}

// dense returns a function that renumbers batches as the first read did.
func (t *traceReplay) dense() func(keys []uint64) ([]uint32, error) {
	var ids []uint32
	return func(keys []uint64) (dense []uint32, err error) {
		t.renumbering.Lock()
		defer t.renumbering.Unlock()
		if ids, err = t.numbers.Dense(ids, keys); err != nil {
			return nil, err
		}
		if t.numbers.Distinct() > t.unique {
			return nil, errors.New("it changed while it was read: there are keys that were not there")
		}
		return ids, nil
	}
}

// empty is the error of a trace without keys.
func (t *traceReplay) empty(err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: there is no key in it", t.path)
}

// twice reports what cannot be read twice.
func (t *traceReplay) twice() error {
	info, err := os.Stat(t.path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return fmt.Errorf("%s is not a regular file, and is read twice: give --slots and --warmup as numbers, --mrc=shards, and --offload-stats with --tables", t.path)
	}
	return err
}

// read reads the trace, up to limit keys (0: all of them), and hands them on batch by
// batch. It returns the format and how many were read, and how the trace ended: nil at
// its end.
func (t *traceReplay) read(ctx context.Context, doing string, limit int64, each func(keys []uint64, at *lookups.KeyReader) error) (format string, n int64, err error) {
	file, err := os.Open(t.path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	opt := t.flags.fileOptions()
	r, err := lookups.NewKeyReader(file, t.path, opt)
	if err != nil {
		return "", 0, t.hint(err)
	}
	defer r.Close()
	t.bar.begin(t.path, doing, file, t.lookups)
	// Two buffers: what is handed on may be in use while the next is read.
	buffers := [2][]uint64{make([]uint64, batchKeys), make([]uint64, batchKeys)}
	for i := 0; limit == 0 || n < limit; i = 1 - i {
		if ctx.Err() != nil {
			return r.Format(), n, errInterrupted
		}
		keys := buffers[i]
		if limit > 0 {
			keys = keys[:min(int64(len(keys)), limit-n)]
		}
		got, err := r.Read(keys)
		if got > 0 {
			if err := each(keys[:got], r); err != nil {
				return r.Format(), n, err
			}
			n += int64(got)
			t.bar.show(n)
		}
		if errors.Is(err, io.EOF) {
			return r.Format(), n, nil
		}
		if err != nil {
			return r.Format(), n, raise(err)
		}
	}
	return r.Format(), n, nil
}

// hint says how to read a file as CSV whose name does not say that it is one.
func (t *traceReplay) hint(err error) error {
	if t.flags.column != "" && strings.Contains(err.Error(), "only the formats csv and parquet have columns") {
		return fmt.Errorf("%w: give --trace-format csv to read it as such", err)
	}
	return err
}

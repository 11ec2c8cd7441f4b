package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"stowage/hw/spec"
	"stowage/scenarios"
	"stowage/sim/engine"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Exit codes.
const (
	exitFine   = 0
	exitFailed = 1 // the experiment failed or was interrupted, or its results could not be written
	exitInput  = 2 // the input is wrong
)

// failure is an error about how things went though the input was right. Every
// other error is about the input: flags and arguments, files that do not load,
// and what only the attempt to run shows, such as a trace that is too short or a
// placement policy that cannot work on the cluster.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func failed(format string, args ...any) error { return failure{fmt.Errorf(format, args...)} }

func exitCode(err error) int {
	var f failure
	switch {
	case err == nil:
		return exitFine
	case errors.As(err, &f):
		return exitFailed
	}
	return exitInput
}

// isOutcome reports whether err, from a run without a result, is what the
// simulation found out.
func isOutcome(err error) bool {
	var (
		infeasible *scenarios.Infeasible
		deadlock   *engine.DeadlockError
		limit      *engine.LimitError
		short      *slots.ShortageError
	)
	return errors.As(err, &infeasible) || errors.As(err, &deadlock) || errors.As(err, &limit) ||
		errors.As(err, &short) || errors.Is(err, engine.ErrTooLong) || errors.Is(err, context.Canceled)
}

// complain prints err, each of several errors on a line of its own. One that
// begins with its place in a file is left as it is, so that editors can jump there.
func complain(w io.Writer, err error) {
	if err == nil {
		return
	}
	var place *spec.Error
	var fault *lookups.FileError
	if f, ok := err.(failure); ok {
		complain(w, f.error)
	} else if list, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range list.Unwrap() {
			complain(w, e)
		}
	} else if errors.As(err, &place) && err == error(place) || errors.As(err, &fault) && err == error(fault) {
		fmt.Fprintln(w, err)
	} else {
		fmt.Fprintln(w, "stowage:", err)
	}
}

// output is standard output that remembers its first error, so that no command
// has to look after every line it prints.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// join adds the error of the output to that of the command, which may have seen
// it too.
func (o *output) join(err error) error {
	if o.err == nil {
		return err
	}
	if errors.Is(err, o.err) {
		return failure{err}
	}
	return errors.Join(err, failure{o.err})
}

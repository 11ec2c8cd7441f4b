package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ErrTooLong ends a run in which an event was scheduled beyond 2^53 ns (104 days),
// the last instant of an exact clock.
var ErrTooLong = errors.New("engine: simulated time beyond 2^53 ns (104 days)")

var (
	errPanicked = errors.New("engine: a panic or runtime.Goexit ended the run")
	errGoexit   = errors.New("engine: a process body called runtime.Goexit")
)

// maxWaiting is how many of those who wait a deadlock's message lists.
const maxWaiting = 20

// DeadlockError says that the queue ran empty while somebody still waited.
type DeadlockError struct {
	Now time.Duration // when it happened
	// Waiting names blocked processes, each with the signal it waits for, and
	// unmet obligations: sorted, equal ones once with their number.
	Waiting []string
}

// Error lists the first twenty of those who wait.
func (err *DeadlockError) Error() string {
	shown := err.Waiting[:min(len(err.Waiting), maxWaiting)]
	text := fmt.Sprintf("engine: deadlock at %v: nothing is left to happen, but %s",
		err.Now, strings.Join(shown, "; "))
	if more := len(err.Waiting) - len(shown); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// LimitError says that a run was stopped at a limit of the engine.
type LimitError struct {
	Limit string // the field of Options that holds the limit
	Value uint64
	Now   time.Duration // when the limit was reached
}

// Error names the limit and how to raise it.
func (err *LimitError) Error() string {
	return fmt.Sprintf("engine: the run was not over after %d events, at %v; "+
		"raise %s in engine.Options if it should be that long, else look for events that schedule one another without end",
		err.Value, err.Now, err.Limit)
}

// PanicError is what Run panics with when the body of a process panicked.
type PanicError struct {
	Process string // name of the process
	Value   any    // what the body panicked with
	Stack   []byte // where: the stack of the body
}

// Error holds the value and the stack of the body.
func (err *PanicError) Error() string {
	return fmt.Sprintf("engine: process %q panicked: %v\n\n%s", err.Process, err.Value, err.Stack)
}

// Unwrap returns the value of the panic if it was an error.
func (err *PanicError) Unwrap() error {
	cause, _ := err.Value.(error)
	return cause
}

// deadlock returns an error if anybody waits, now that nothing is left to happen.
func (e *Engine) deadlock() error {
	var all []string
	for _, p := range e.processes {
		all = append(all, fmt.Sprintf("process %q waits for signal %q", p.name, p.signal.name))
	}
	for _, o := range e.expected {
		all = append(all, fmt.Sprintf("%q has not happened", o.name))
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	var waiting []string
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n] == all[0] {
			n++
		}
		line := all[0]
		if n > 1 {
			line += fmt.Sprintf(" (%d times)", n)
		}
		waiting = append(waiting, line)
		all = all[n:]
	}
	return &DeadlockError{e.Now(), waiting}
}

package engine

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
)

// contextEvery is how many events go by between two looks at the context: few
// enough that a model of heavy callbacks still stops promptly, enough that the
// look costs nothing per event.
const contextEvery = 256

// Run fires events until nothing is left to happen. It returns
//
//   - nil when nobody waits then;
//   - a *DeadlockError when a process or an obligation still waits;
//   - a *LimitError when Options.MaxEvents events did not suffice;
//   - an error that wraps ErrTooLong when the clock's range did not;
//   - the wrapped error of ctx, with the simulated time reached, when ctx is
//     done; it is looked at every few hundred events.
//
// A panic in a callback passes through Run; a panic in the body of a process
// makes Run panic with a *PanicError; runtime.Goexit in either (t.FailNow) ends
// the goroutine of Run. Whatever the end, no goroutine of the engine is left.
//
// After nil, more may be scheduled and Run called again; the clock goes on. After
// anything else the engine is finished: Run returns the reason again.
func (e *Engine) Run(ctx context.Context) error {
	if e.running {
		panic("engine: Run was called from within Run")
	}
	if e.closing {
		return fmt.Errorf("the engine cannot run again: %w", e.failed)
	}
	e.running = true
	ended := false
	defer func() {
		e.running = false
		if !ended { // a callback panicked, or called runtime.Goexit
			e.fail(errPanicked)
			e.shutdown()
		}
	}()
	err := e.loop(ctx)
	if err == nil {
		err = e.deadlock()
	}
	if err != nil {
		e.fail(err)
		e.shutdown()
	}
	ended = true
	if e.panicky != nil {
		panic(e.panicky)
	}
	if e.goexit {
		runtime.Goexit()
	}
	return err
}

// loop fires events until none is left or the run has failed.
func (e *Engine) loop(ctx context.Context) error {
	check := e.events
	for len(e.queue) > e.stale && e.failed == nil {
		if e.events >= check {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("engine: stopped at %v of simulated time: %w", e.Now(), err)
			}
			if e.events >= e.maxEvents {
				return &LimitError{"MaxEvents", e.maxEvents, e.Now()}
			}
			check = min(e.events+contextEvery, e.maxEvents)
		}
		e.step()
	}
	e.scope = nil
	return e.failed
}

// shutdown ends all processes, one after the other. simgo's Shutdown would let
// them go all at once, each on its own goroutine. Instead, aborting the event that
// a process waits for runs its deferred functions and returns when it has ended.
// The engine has failed by now, so they can schedule nothing.
func (e *Engine) shutdown() {
	e.closing = true
	for _, number := range slices.Sorted(maps.Keys(e.processes)) {
		e.processes[number].awaits.Abort()
	}
	e.expected, e.queue, e.free = nil, nil, nil
	e.stale = 0
}

// bodyPanicked notes the panic of a process body, to be repeated by Run. Only the
// first counts: later ones come from deferred functions of processes being ended.
func (e *Engine) bodyPanicked(name string, value any, stack []byte) {
	if e.panicky == nil {
		e.panicky = &PanicError{name, value, stack}
	}
	e.fail(errPanicked)
}

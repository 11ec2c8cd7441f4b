// Package engine is the clock and the event queue of a simulation: simgo made
// safe and fast. It is the only package that imports simgo, so the kernel can
// be replaced here and nowhere else.
//
// A model is written in callbacks, and where a story reads better, in processes:
//
//	e := engine.New(engine.Options{})
//	ready := e.Signal("gradients ready")
//	e.After(3*time.Millisecond, ready.Fire)
//	e.Go("all-reduce", func(p *engine.Process) {
//		p.Wait(ready)
//		p.Sleep(time.Millisecond)
//	})
//	err := e.Run(ctx)
//
// What the package promises, and plain simgo does not:
//
//   - Time is an exact whole number of nanoseconds. simgo's clock is a float64,
//     which holds whole numbers exactly up to 2^53; a run that would pass that
//     (104 days) ends with ErrTooLong.
//   - Events of one instant fire in the order in which they were scheduled.
//   - The garbage collector has no say. simgo gives every event a finalizer that
//     aborts it, and with it the process that waits for it. What processes wait for
//     here are copies, which carry no finalizer.
//   - A cancelled event is as if it had never been: it does not fire, does not
//     count and does not move the clock.
//   - A run that ends while somebody still waits is an error that names them.
//   - A panic in a process body reaches the caller of Run.
//   - When Run is over, however it ended, no goroutine of the engine is left.
//
// simgo keeps the clock, runs the processes and wakes them. What is still to come
// waits in a heap of this package, and simgo's own queue holds only what is due at
// the present instant. The reason is BenchmarkHold: an event that goes through
// simgo's queue costs at least three times as much as a bare heap, whatever is done
// around it, because container/heap boxes every item twice; and nothing can be
// taken out of that queue.
//
// An engine and all that belongs to it is used by one goroutine at a time: the
// one that builds the model and calls Run, and, while Run is going on, the
// callback or process body whose turn it is. Several engines may run in parallel.
package engine

package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestRunOnNothing(t *testing.T) {
	e := New(Options{})
	run(t, e)
	if e.Now() != 0 || e.Events() != 0 {
		t.Fatalf("now %v, %d events", e.Now(), e.Events())
	}
}

func TestRunContinues(t *testing.T) {
	e := New(Options{})
	var at []time.Duration
	note := func() { at = append(at, e.Now()) }
	e.After(5, note)
	e.After(9, func() {}).Cancel() // still in the queue at the end of the first run
	run(t, e)
	e.After(2, note)
	e.Go("p", func(p *Process) { p.Sleep(30); note() })
	run(t, e)
	if want := []time.Duration{5, 7, 35}; !slices.Equal(at, want) {
		t.Fatalf("fired at %v, want %v", at, want)
	}
}

func TestDeadlockNamesAllWhoWait(t *testing.T) {
	e := New(Options{})
	ready := e.Signal("ready")
	for range 3 {
		e.Go("worker", func(p *Process) { p.Sleep(4); p.Wait(ready) })
	}
	e.Go("boss", func(p *Process) { p.Wait(e.Signal("coffee")) })
	met := e.Expect("stage 1 of round 17")
	e.Expect("stage 2 of round 17")
	e.After(9, met)
	err := e.Run(context.Background())
	var deadlock *DeadlockError
	if !errors.As(err, &deadlock) {
		t.Fatalf("got %v, want a deadlock", err)
	}
	want := []string{
		`"stage 2 of round 17" has not happened`,
		`process "boss" waits for signal "coffee"`,
		`process "worker" waits for signal "ready" (3 times)`,
	}
	if deadlock.Now != 9 || !slices.Equal(deadlock.Waiting, want) {
		t.Fatalf("at %v: %q", deadlock.Now, deadlock.Waiting)
	}
	if again := e.Run(context.Background()); !errors.As(again, &deadlock) {
		t.Fatalf("a second run returned %v", again)
	}
}

func TestDeadlockMessageIsShort(t *testing.T) {
	e := New(Options{})
	for i := range 33 {
		e.Expect(fmt.Sprintf("transfer %02d", i))
	}
	message := fmt.Sprint(e.Run(context.Background()))
	if !strings.Contains(message, "transfer 19") || strings.Contains(message, "transfer 20") ||
		!strings.HasSuffix(message, "; and 13 more") {
		t.Fatal(message)
	}
}

func TestExpect(t *testing.T) {
	e := New(Options{})
	var met []func()
	for i := range 10 {
		met = append(met, e.Expect(fmt.Sprint(i)))
	}
	for _, i := range []int{3, 9, 0, 5, 1, 8, 2, 7, 6, 4} {
		e.After(time.Duration(i), met[i])
	}
	run(t, e)
	if panicOf(met[3]) == nil {
		t.Fatal("an obligation could be met twice")
	}
}

func TestLimit(t *testing.T) {
	for _, max := range []uint64{1, 10, contextEvery, contextEvery + 1, 3 * contextEvery} {
		e := New(Options{MaxEvents: max})
		for range max {
			e.After(1, func() {})
		}
		e.After(2, func() {}).Cancel() // does not count, even if it is still queued
		run(t, e)                      // exactly the limit is fine
		e.After(1, func() { t.Error("an event beyond the limit fired") })
		err := e.Run(context.Background())
		var limit *LimitError
		if !errors.As(err, &limit) || *limit != (LimitError{"MaxEvents", max, 1}) {
			t.Fatalf("limit %d: got %v", max, err)
		}
		if e.Events() != max {
			t.Fatalf("limit %d: %d events fired", max, e.Events())
		}
		if !strings.Contains(err.Error(), "raise MaxEvents") {
			t.Fatalf("the message does not say how to raise the limit: %v", err)
		}
	}
}

func TestTooLong(t *testing.T) {
	for name, build := range map[string]func(e *Engine){
		"callback": func(e *Engine) {
			e.After(5, func() { e.After(maxTime-4, func() {}) })
		},
		"overflow": func(e *Engine) {
			e.After(5, func() { e.After(1<<63-1, func() {}) })
		},
		"process": func(e *Engine) {
			e.Go("p", func(p *Process) {
				p.Sleep(5)
				p.Sleep(maxTime)
				t.Error("the process went on")
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := New(Options{})
			build(e)
			e.After(6, func() { t.Error("the run went on") })
			err := e.Run(context.Background())
			if !errors.Is(err, ErrTooLong) || e.Now() != 5 {
				t.Fatalf("got %v at %v", err, e.Now())
			}
			if again := e.Run(context.Background()); !errors.Is(again, ErrTooLong) {
				t.Fatalf("a second run returned %v", again)
			}
		})
	}
	e := New(Options{})
	if ev := e.After(maxTime+1, func() {}); ev.Cancel() {
		t.Fatal("an event that was not scheduled could be cancelled")
	}
	if err := e.Run(context.Background()); !errors.Is(err, ErrTooLong) {
		t.Fatalf("scheduled before the run: %v", err)
	}
}

func TestCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	e := New(Options{})
	var tick func()
	tick = func() {
		if e.After(1, tick); e.Now() == 1000 {
			cancel()
		}
	}
	tick()
	err := e.Run(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), e.Now().String()) {
		t.Fatalf("got %v at %v", err, e.Now())
	}
	if e.Now() < 1000 || e.Now() > 1000+contextEvery {
		t.Fatalf("stopped at %d, long after the cancellation at 1000", e.Now())
	}
	e = New(Options{})
	e.After(1, func() { t.Error("an event fired though the context was done") })
	if err := e.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestCallbackPanicPassesThrough(t *testing.T) {
	defer goleak.VerifyNone(t)
	e := New(Options{})
	cause := errors.New("boom")
	ended := false
	e.Go("p", func(p *Process) {
		defer func() { ended = true }()
		p.Sleep(time.Hour)
	})
	e.After(1, func() { panic(cause) })
	if got := panicOf(func() { _ = e.Run(context.Background()) }); got != cause {
		t.Fatalf("panicked with %v", got)
	}
	if !ended {
		t.Fatal("the process was not ended")
	}
	if err := e.Run(context.Background()); !errors.Is(err, errPanicked) {
		t.Fatalf("a second run returned %v", err)
	}
}

func TestRunWithinRunPanics(t *testing.T) {
	e := New(Options{})
	e.After(1, func() {
		if panicOf(func() { _ = e.Run(context.Background()) }) == nil {
			t.Error("Run was possible from within Run")
		}
	})
	run(t, e)
}

// Every end of a run must end every process, whatever it is doing, one at a time.
// The deferred functions share state without a lock: the race detector is the judge.
func TestEveryEndEndsEveryProcess(t *testing.T) {
	endings := map[string]struct {
		max    uint64
		end    func(e *Engine, cancel func()) // called at 100
		panics bool
	}{
		"deadlock":          {0, func(*Engine, func()) {}, false},
		"limit":             {500, func(e *Engine, _ func()) { forever(e) }, false},
		"cancelled context": {0, func(e *Engine, cancel func()) { cancel(); forever(e) }, false},
		"too long":          {0, func(e *Engine, _ func()) { e.After(maxTime, func() {}) }, false},
		"callback panic":    {0, func(*Engine, func()) { panic("boom") }, true},
		"body panic":        {0, func(e *Engine, _ func()) { e.Go("bad", func(*Process) { panic("boom") }) }, true},
	}
	for name, ending := range endings {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			e := New(Options{MaxEvents: ending.max})
			begun, ended := crowd(e)
			e.After(100, func() {
				e.Go("not begun when the run fails", func(p *Process) { p.Wait(e.Signal("never")) })
				ending.end(e, cancel)
			})
			var err error
			value := panicOf(func() { err = e.Run(ctx) })
			if (value != nil) != ending.panics || (err != nil) == ending.panics {
				t.Fatalf("error %v, panic %v", err, value)
			}
			if *begun == 0 || *ended != *begun {
				t.Fatalf("%d processes began, %d ended", *begun, *ended)
			}
			if len(e.processes) != 0 {
				t.Fatalf("%d processes are left", len(e.processes))
			}
		})
	}
}

// forever keeps the run going without moving the clock.
func forever(e *Engine) { e.After(0, func() { forever(e) }) }

// crowd starts processes that wait in every possible way from 100 on, and counts
// those that begin and those whose deferred functions have run.
func crowd(e *Engine) (begun, ended *int) {
	begun, ended = new(int), new(int)
	shared, fired := e.Signal("shared"), e.Signal("fired at 100")
	e.After(100, fired.Fire)
	for i := range 40 {
		e.Go("one of the crowd", func(p *Process) {
			*begun++
			defer func() { *ended++ }()
			p.Sleep(time.Duration(i))
			switch i % 4 {
			case 0:
				p.Wait(e.Signal("own"))
			case 1:
				p.Wait(shared)
			case 2:
				p.Wait(fired)
				p.Wait(shared)
			case 3:
				p.Sleep(100 - time.Duration(i))
				p.Wait(shared)
			}
		})
	}
	return begun, ended
}

func TestEngineThatNeverRunsLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	e := New(Options{})
	e.After(3, func() {})
	run(t, e)
	for range 10 {
		e.Go("p", func(*Process) { t.Error("a body began without Run") })
	}
}

func TestFailedEngineTakesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	e := New(Options{MaxEvents: 1})
	s := e.Signal("s")
	s.OnFire(func() { t.Error("a failed engine called a subscriber") })
	before := e.After(5, func() { t.Error("a failed engine fired an event") })
	e.After(3, func() {})
	if err := e.Run(context.Background()); err == nil {
		t.Fatal("the limit was not noticed")
	}
	before.Cancel()
	s.Fire()
	e.Go("q", func(*Process) { t.Error("a failed engine began a process") })
	if e.After(1, func() { t.Error("a failed engine fired an event") }).Cancel() {
		t.Error("a failed engine took an event")
	}
	var limit *LimitError
	if err := e.Run(context.Background()); !errors.As(err, &limit) || e.Now() != 3 {
		t.Fatalf("Run returned %v at %v", err, e.Now())
	}
}

// After a panic the model stands still: what was due at the same instant is void,
// and those who waited for the same signal are ended like all others.
func TestNothingHappensAfterAPanic(t *testing.T) {
	for _, panicky := range []string{"callback", "body"} {
		t.Run(panicky, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			e := New(Options{})
			s := e.Signal("s")
			ended := 0
			waiter := func(p *Process) {
				defer func() { ended++ }()
				p.Wait(s)
				t.Error("a process went on after the panic")
			}
			e.After(1, func() {
				if panicky == "callback" {
					s.OnFire(func() { panic("boom") })
				} else {
					e.Go("bad", func(p *Process) { p.Wait(s); panic("boom") })
				}
				e.Go("waiter", waiter)
				e.Go("waiter", waiter)
			})
			e.After(2, func() {
				s.Fire()
				s.OnFire(func() { t.Error("a subscriber was called after the panic") })
				e.Go("late", waiter)
			})
			if panicOf(func() { _ = e.Run(context.Background()) }) == nil {
				t.Fatal("Run did not panic")
			}
			if ended != 2 {
				t.Fatalf("%d processes ended, want the 2 that had begun", ended)
			}
		})
	}
}

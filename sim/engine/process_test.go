package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestProcessTellsItsStoryInOrder(t *testing.T) {
	e := New(Options{})
	var story []string
	tell := func(what string) { story = append(story, fmt.Sprintf("%d %s", e.Now(), what)) }
	forward, done := e.Signal("forward done"), e.Signal("all done")
	e.Go("forward", func(p *Process) {
		tell("forward begins")
		p.Sleep(30)
		forward.Fire()
		tell("forward ends")
	})
	e.Go("backward", func(p *Process) {
		p.Wait(forward)
		tell("backward begins")
		p.Sleep(60)
		p.Wait(forward) // long fired: returns at once
		tell("backward ends")
		done.Fire()
	})
	done.OnFire(func() { tell("done") })
	e.After(0, func() { tell("zero") })
	run(t, e)
	want := []string{
		"0 forward begins", "0 zero", "30 forward ends", "30 backward begins",
		"90 backward ends", "90 done",
	}
	if !slices.Equal(story, want) {
		t.Fatalf("got %q", story)
	}
	// Two beginnings, two sleeps, one wait, one subscriber, one callback.
	if e.Events() != 7 {
		t.Fatalf("%d events, want 7", e.Events())
	}
}

func TestSignal(t *testing.T) {
	e := New(Options{})
	s := e.Signal("s")
	var woken []string
	add := func(name string) func() { return func() { woken = append(woken, name) } }
	// Those who come before wake in the order in which they came.
	s.OnFire(add("callback 1"))
	e.Go("p", func(p *Process) { p.Wait(s); add("process 1")() })
	e.After(1, func() { s.OnFire(add("callback 2")) })
	e.After(2, func() {
		if s.Fired() {
			t.Error("fired before Fire")
		}
		s.Fire()
		s.Fire() // ignored
		if !s.Fired() {
			t.Error("not fired after Fire")
		}
		if len(woken) > 0 {
			t.Errorf("%q woke inside Fire", woken)
		}
		s.OnFire(add("callback 3")) // fired but not yet processed
		e.After(0, add("next event"))
	})
	e.After(5, func() {
		s.OnFire(add("late callback"))
		add("after subscribing")()
	})
	run(t, e)
	want := []string{"callback 1", "process 1", "callback 2", "callback 3", "next event", "after subscribing", "late callback"}
	if !slices.Equal(woken, want) {
		t.Fatalf("woken %q", woken)
	}
}

func TestBodyPanicReachesRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	cause := errors.New("boom")
	e := New(Options{})
	e.Go("bad", func(p *Process) { p.Sleep(3); explode(cause) })
	e.Go("good", func(p *Process) { p.Sleep(4); t.Error("the run went on after a panic") })
	value := panicOf(func() { _ = e.Run(context.Background()) })
	got, ok := value.(*PanicError)
	if !ok || got.Process != "bad" || !errors.Is(got, cause) {
		t.Fatalf("Run panicked with %v", value)
	}
	if !strings.Contains(got.Error(), "explode") {
		t.Fatalf("the stack of the body is not in the message:\n%v", got)
	}
	if e.Now() != 3 {
		t.Fatalf("stopped at %v", e.Now())
	}
}

//go:noinline
func explode(err error) { panic(err) }

// t.FailNow in a body or a callback calls runtime.Goexit, which must not hang the
// run nor pass for the normal end of a process.
func TestGoexitEndsRun(t *testing.T) {
	for name, build := range map[string]func(e *Engine){
		"body":     func(e *Engine) { e.Go("p", func(p *Process) { p.Sleep(1); runtime.Goexit() }) },
		"callback": func(e *Engine) { e.After(1, runtime.Goexit) },
	} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			e := New(Options{})
			build(e)
			e.Go("q", func(p *Process) { p.Wait(e.Signal("never")) })
			returned := false
			over := make(chan struct{})
			go func() {
				defer close(over)
				_ = e.Run(context.Background())
				returned = true
			}()
			<-over
			if returned {
				t.Fatal("Run returned")
			}
			if err := e.Run(context.Background()); err == nil {
				t.Fatal("the engine could run again")
			}
		})
	}
}

// Deferred functions of a process that is being ended may do all that they do at
// the end of a normal life. None of it has an effect, and none of it may hang.
func TestDeferredFunctionsMayUseTheEngine(t *testing.T) {
	defer goleak.VerifyNone(t)
	e := New(Options{})
	never, other := e.Signal("never"), e.Signal("other")
	var ended []int
	for i := range 6 {
		met := e.Expect("the end of a process")
		e.Go("p", func(p *Process) {
			defer func() { ended = append(ended, i) }()
			defer met()
			defer other.Fire()
			defer e.After(1, func() { t.Error("fired after the end") })
			defer e.Go("heir", func(*Process) { t.Error("began after the end") })
			switch i {
			case 0, 1:
				defer p.Sleep(1)
			case 2, 3:
				defer p.Wait(other)
			}
			p.Sleep(time.Duration(i))
			p.Wait(never)
		})
	}
	var deadlock *DeadlockError
	if err := e.Run(context.Background()); !errors.As(err, &deadlock) {
		t.Fatalf("got %v", err)
	}
	if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(ended, want) {
		t.Fatalf("ended in the order %v", ended)
	}
}

func TestDeferredPanicReachesRun(t *testing.T) {
	defer goleak.VerifyNone(t)
	e := New(Options{})
	for i := range 3 {
		e.Go(fmt.Sprint(i), func(p *Process) {
			defer panic("in a deferred function")
			p.Wait(e.Signal("never"))
		})
	}
	value := panicOf(func() { _ = e.Run(context.Background()) })
	if got, ok := value.(*PanicError); !ok || got.Process != "0" {
		t.Fatalf("Run panicked with %v", value)
	}
}

// While a body unwinds from a panic of its own, the rest of the model goes on:
// its deferred functions may still wait.
func TestBodyMayRecoverAndWait(t *testing.T) {
	e := New(Options{})
	var at []time.Duration
	e.Go("p", func(p *Process) {
		func() {
			defer func() { _ = recover() }()
			defer p.Sleep(5)
			panic("recovered by the body")
		}()
		at = append(at, p.Now())
	})
	run(t, e)
	if !slices.Equal(at, []time.Duration{5}) {
		t.Fatalf("went on at %v, want 5", at)
	}
}

func TestMisuseOfProcessPanics(t *testing.T) {
	e := New(Options{})
	var p *Process
	e.Go("p", func(self *Process) {
		p = self
		if got := panicOf(func() { self.Wait(New(Options{}).Signal("foreign")) }); got == nil {
			t.Error("a process could wait for a signal of another engine")
		}
		self.Sleep(2)
	})
	e.After(1, func() {
		if panicOf(func() { p.Sleep(1) }) == nil {
			t.Error("a callback could put a process to sleep")
		}
	})
	run(t, e)
	if panicOf(func() { p.Sleep(1) }) == nil {
		t.Error("a process could sleep after its end")
	}
}

// Nothing but the engine refers to what these processes wait for. simgo's own
// events would be aborted by their finalizers here, and the processes with them,
// in the middle of the run and from another goroutine.
func TestGarbageCollectorAbortsNobody(t *testing.T) {
	e := New(Options{})
	ended := 0
	for i := range 50 {
		e.Go("waiter", func(p *Process) {
			defer func() { ended++ }()
			if i%2 == 0 {
				p.Wait(e.Signal("forgotten"))
			}
			p.Sleep(time.Duration(i) * time.Microsecond)
			p.Wait(e.Signal("forgotten"))
		})
	}
	for i := range 10 {
		e.After(time.Duration(i)*time.Millisecond, func() {
			runtime.GC()
			time.Sleep(time.Millisecond) // let finalizers run
			if ended > 0 {
				t.Errorf("%d processes were ended during the run", ended)
			}
		})
	}
	err := e.Run(context.Background())
	var deadlock *DeadlockError
	if !errors.As(err, &deadlock) {
		t.Fatalf("got %v", err)
	}
	want := []string{`process "waiter" waits for signal "forgotten" (50 times)`}
	if deadlock.Now != 9*time.Millisecond || !slices.Equal(deadlock.Waiting, want) || ended != 50 {
		t.Fatalf("%v; %d ended", err, ended)
	}
}

// A process that sleeps is a chain of callbacks in disguise.
func TestSleepersAgreeWithCallbacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		naps := rapid.SliceOfN(rapid.SliceOfN(rapid.IntRange(0, 5), 0, 8), 1, 8).Draw(t, "naps")
		var processes, callbacks []string
		a, b := New(Options{}), New(Options{})
		for who, list := range naps {
			a.Go("sleeper", func(p *Process) {
				for _, d := range list {
					p.Sleep(time.Duration(d))
					processes = append(processes, fmt.Sprint(who, p.Now()))
				}
			})
			var next func()
			next = func() {
				if len(list) == 0 {
					return
				}
				d := list[0]
				list = list[1:]
				b.After(time.Duration(d), func() {
					callbacks = append(callbacks, fmt.Sprint(who, b.Now()))
					next()
				})
			}
			b.After(0, next)
		}
		for _, e := range []*Engine{a, b} {
			if err := e.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(processes, callbacks) || a.Events() != b.Events() || a.Now() != b.Now() {
			t.Fatalf("processes: %d events, %v\ncallbacks: %d events, %v", a.Events(), processes, b.Events(), callbacks)
		}
	})
}

package engine

import (
	"context"
	"slices"
	"testing"
	"time"
)

// A scope that ends takes its events, those that they would have scheduled, its
// processes and its obligations with it; the rest goes on.
func TestScopeEnds(t *testing.T) {
	e := New(Options{})
	var log []string
	note := func(s string) func() { return func() { log = append(log, s) } }
	s := e.NewScope()
	e.Enter(s)
	e.After(1, func() {
		note("first")()
		e.After(1, note("second")) // at 2, before the end of s
		e.After(5, note("never"))
		if e.Present() != s {
			t.Error("what an event of a scope schedules is not of the scope")
		}
		e.Enter(nil)
		e.After(6, note("outside"))
	})
	e.Expect("a thing that never happens")
	never := e.Signal("never")
	deferred := 0
	e.Go("waits", func(p *Process) { defer func() { deferred++ }(); p.Wait(never); note("woken")() })
	e.Go("sleeps", func(p *Process) { defer func() { deferred++ }(); p.Sleep(100); note("slept")() })
	e.Go("goes on", func(p *Process) {
		for {
			p.Sleep(2)
			note("tick")()
		}
	})
	e.Enter(nil)
	e.After(3, func() { s.End(); s.End(); note("end")() })
	e.After(9, func() {
		defer e.Enter(e.Enter(s))
		e.After(0, note("after the end"))
		e.Go("late", func(*Process) { note("late")() })
	})
	e.After(10, note("last"))
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first", "tick", "second", "end", "outside", "last"}; !slices.Equal(log, want) {
		t.Errorf("%q, want %q", log, want)
	}
	if deferred != 2 || e.Now() != 10 || len(e.processes) != 0 {
		t.Errorf("%d deferred calls, now %v, %d processes", deferred, e.Now(), len(e.processes))
	}
}

// Obligations of others are met and missed as if the scope had never been.
func TestScopeLeavesOtherObligations(t *testing.T) {
	e := New(Options{})
	one := e.Expect("one")
	s := e.NewScope()
	e.Enter(s)
	e.Expect("of the scope")
	e.Enter(nil)
	two := e.Expect("two")
	e.After(time.Second, func() { s.End(); two() })
	if err := e.Run(context.Background()); err == nil || err.(*DeadlockError).Waiting[0] != `"one" has not happened` {
		t.Errorf("%v", err)
	}
	_ = one
}

func TestScopeEndsFromWithin(t *testing.T) {
	e := New(Options{})
	s := e.NewScope()
	e.Enter(s)
	e.Go("suicide", func(p *Process) { p.Sleep(1); s.End() })
	e.Enter(nil)
	defer func() {
		if err, ok := recover().(*PanicError); !ok || err.Value != `engine: process "suicide" ends its own scope` {
			t.Errorf("%v", err)
		}
	}()
	e.Run(context.Background())
}

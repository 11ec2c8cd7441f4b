package engine

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/fschuetz04/simgo"
)

// Process is a story told in order, on a goroutine of its own that takes turns
// with the rest of the model: no two ever run at once. Its methods may be called
// from its own body only. A wait costs several times as much as a callback, and a
// process some 3 KB: use processes for few, long-lived things.
type Process struct {
	engine *Engine
	name   string
	number uint64
	proc   simgo.Process
	active bool // it is this process's turn
	scope  *Scope
	ended  bool // with its scope

	// events are copies, which carry no finalizer. They are used in turn, because a
	// process waits for the next inside the handler of the last.
	events [2]simgo.Event
	turn   int
	wake   func()       // bound once; the callback of what the process waits for
	awaits *simgo.Event // which of events a blocked process waits for
	signal *Signal      // what fires it; nil if time does
}

// Go starts a process. The body begins at this instant, after what is already
// due. It should end by returning; if it panics, the run ends and Run panics with
// a *PanicError.
//
// When the run ends before the body does (deadlock, limit, cancelled context,
// panic), the body is ended at the Sleep or Wait it is in: nothing after that
// runs but its deferred functions. Bodies are ended one after the other, so their
// deferred functions never run concurrently with one another nor with the model,
// in the order in which they were started. A body that had not begun never does.
//
// A process takes a goroutine when its body begins.
func (e *Engine) Go(name string, body func(p *Process)) {
	if body == nil {
		panic("engine: Go without a body")
	}
	if e.failed != nil {
		return
	}
	p := &Process{engine: e, name: name, number: e.started, scope: e.scope}
	p.wake = p.resume
	e.started++
	e.schedule(0, func() {
		e.processes[p.number] = p
		e.sim.Process(func(proc simgo.Process) {
			p.proc = proc
			p.run(body)
		})
		e.drain()
	})
}

// resume gives the process its turn. It returns when the process waits again or has
// ended.
func (p *Process) resume() {
	p.awaits.Trigger()
	p.engine.drain()
}

// drain lets simgo process what is in its own queue: always just what is due at
// this instant.
func (e *Engine) drain() {
	for e.sim.Step() {
	}
}

// run is what the goroutine of a process executes. simgo would let a panic here
// crash the program, from a goroutine on which nobody can recover it.
func (p *Process) run(body func(p *Process)) {
	e := p.engine
	returned := false
	defer func() {
		if value := recover(); value != nil {
			e.bodyPanicked(p.name, value, debug.Stack())
		} else if !returned && !e.closing && !p.ended {
			e.goexit = true
			e.fail(errGoexit)
		}
		p.active = false
		delete(e.processes, p.number)
	}()
	p.active = true
	body(p)
	returned = true
}

// Now returns the simulated time.
func (p *Process) Now() time.Duration { return p.engine.Now() }

// Sleep lets d pass. Sleep(0) lets everything happen that is due at this instant.
// What is said of d at After holds here too.
func (p *Process) Sleep(d time.Duration) {
	p.mustBeActive("Sleep")
	// If this fails, the run has, and ends as soon as this process waits.
	p.engine.schedule(d, p.wake)
	p.wait(nil)
}

// Wait blocks until s has fired; if it has, Wait returns at once.
func (p *Process) Wait(s *Signal) {
	p.mustBeActive("Wait")
	if s.engine != p.engine {
		panic(fmt.Sprintf("engine: process %q waits for signal %q of another engine", p.name, s.name))
	}
	if s.fired {
		return
	}
	s.waiting = append(s.waiting, p.engine.take(p.wake))
	p.wait(s)
}

// wait hands over to the rest of the model until the process is woken. It does not
// return if the run ends before.
func (p *Process) wait(s *Signal) {
	if p.engine.closing || p.ended {
		runtime.Goexit() // a deferred function waits while its process is being ended
	}
	p.turn ^= 1
	ev := &p.events[p.turn]
	*ev = p.engine.blank
	p.awaits, p.signal, p.active = ev, s, false
	p.proc.Wait(ev)
	p.awaits, p.signal, p.active = nil, nil, true
}

// mustBeActive catches calls from outside the body, which would hang for ever.
func (p *Process) mustBeActive(method string) {
	if !p.active && !p.engine.closing && !p.ended {
		panic(fmt.Sprintf("engine: %s of process %q was called from outside its body", method, p.name))
	}
}

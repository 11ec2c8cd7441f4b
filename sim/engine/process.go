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

	awaits *entry  // what a blocked process waits for
	signal *Signal // what fires it; nil if time does
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
// Go takes a goroutine at once: an engine that has processes must be Run or
// closed, or the goroutine stays.
func (e *Engine) Go(name string, body func(p *Process)) {
	if body == nil {
		panic("engine: Go without a body")
	}
	if e.failed != nil {
		return
	}
	p := &Process{engine: e, name: name, number: e.started}
	e.started++
	e.unstarted++
	e.live++
	e.processes[p.number] = p
	e.sim.Process(func(proc simgo.Process) {
		p.proc = proc
		p.run(body)
	})
}

// run is what the goroutine of a process executes. simgo would let a panic here
// crash the program, from a goroutine on which nobody can recover it.
func (p *Process) run(body func(p *Process)) {
	e := p.engine
	e.unstarted--
	returned := false
	defer func() {
		if value := recover(); value != nil {
			e.bodyPanicked(p.name, value, debug.Stack())
		} else if !returned && !e.closing {
			e.goexit = true
			e.fail(errGoexit)
		}
		p.active = false
		delete(e.processes, p.number)
	}()
	if !e.closing {
		e.count()
		p.active = true
		body(p)
	}
	returned = true
}

// Now returns the simulated time.
func (p *Process) Now() time.Duration { return p.engine.Now() }

// Sleep lets d pass. Sleep(0) lets everything happen that is due at this instant.
// What is said of d at After holds here too.
func (p *Process) Sleep(d time.Duration) {
	p.mustBeActive("Sleep")
	ent := p.engine.schedule(d, wakeUp)
	if ent == nil {
		// The run has failed, and ends as soon as this process waits.
		ent = p.engine.take(wakeUp)
	}
	p.wait(ent, nil)
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
	ent := p.engine.take(wakeUp)
	s.waiting = append(s.waiting, ent)
	p.wait(ent, s)
}

// wakeUp is the callback of an entry that a process waits for. The process itself
// is woken by the handler that simgo's Wait adds behind that of the entry.
func wakeUp() {}

// wait hands over to the rest of the model until the entry fires. It does not
// return if the run ends before.
func (p *Process) wait(ent *entry, s *Signal) {
	if p.engine.closing {
		runtime.Goexit() // a deferred function waits while its process is being ended
	}
	p.awaits, p.signal, p.active = ent, s, false
	p.proc.Wait(&ent.event)
	p.awaits, p.signal, p.active = nil, nil, true
}

// mustBeActive catches calls from outside the body, which would hang for ever.
func (p *Process) mustBeActive(method string) {
	if !p.active && !p.engine.closing {
		panic(fmt.Sprintf("engine: %s of process %q was called from outside its body", method, p.name))
	}
}

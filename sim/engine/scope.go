package engine

import (
	"fmt"
	"maps"
	"slices"
)

// Scope is a part of a model that can be ended while the rest goes on: what is
// scheduled, started or expected by an event of a scope belongs to that scope too, and
// so do processes with all that they do.
type Scope struct {
	engine *Engine
	ended  bool
}

// NewScope makes a scope with nothing in it: see Enter.
func (e *Engine) NewScope() *Scope { return &Scope{engine: e} }

// Present returns the scope of the event that is being fired; nil: none.
func (e *Engine) Present() *Scope { return e.scope }

// Enter makes s the scope of what is scheduled from now on, until the present event is
// over or Enter is called again, and returns the one before. nil is what no scope ends.
func (e *Engine) Enter(s *Scope) (before *Scope) {
	before, e.scope = e.scope, s
	return before
}

// End takes back all that belongs to the scope: its events never fire, its processes
// end at the Sleep or Wait they are in (nothing after that runs but their deferred
// functions), and its obligations are void. What was scheduled for the scope at Enter
// after its end never happens either. A process of the scope cannot end it: that panics.
func (s *Scope) End() {
	if s.ended {
		return
	}
	s.ended = true
	e := s.engine
	for _, it := range e.queue {
		ent := e.entries[it.index]
		if ent.scope == s && ent.fn != nil {
			ent.generation++
			ent.fn = nil
			e.stale++
		}
	}
	if e.stale > len(e.queue)/2 {
		e.sweep()
	}
	e.expected = slices.DeleteFunc(e.expected, func(o *obligation) bool {
		if o.scope != s {
			return false
		}
		o.index = -1
		return true
	})
	for i, o := range e.expected {
		o.index = i
	}
	s.endProcesses()
}

func (s *Scope) endProcesses() {
	e := s.engine
	for _, number := range slices.Sorted(maps.Keys(e.processes)) {
		p := e.processes[number]
		if p == nil || p.scope != s {
			continue
		}
		if p.active {
			panic(fmt.Sprintf("engine: process %q ends its own scope", p.name))
		}
		p.ended = true
		p.awaits.Abort()
	}
}

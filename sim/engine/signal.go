package engine

// Signal is a named condition that comes true once. Processes wait for it and
// callbacks subscribe to it.
type Signal struct {
	engine *Engine
	name   string
	// waiting holds one entry for each who waits, in the order in which they came.
	// Each has its own, rather than a handler on one common event, so that a panic
	// in one leaves none of the others half woken.
	waiting []*entry
	fired   bool
}

// Signal makes a signal. The name is for error messages and need not be unique.
func (e *Engine) Signal(name string) *Signal {
	return &Signal{engine: e, name: name}
}

// Fire makes the condition true. Those who wait go on at this instant, after
// what is already due, in the order in which they came. A signal that has fired
// ignores Fire.
func (s *Signal) Fire() {
	if s.fired {
		return
	}
	s.fired = true
	for _, ent := range s.waiting {
		s.engine.enqueue(ent, 0)
	}
	s.waiting = nil
}

// Fired reports whether Fire has been called.
func (s *Signal) Fired() bool { return s.fired }

// OnFire calls fn when the signal fires; if it has fired already, at this instant
// after what is already due. It is never called from inside OnFire or Fire.
func (s *Signal) OnFire(fn func()) {
	if s.fired {
		s.engine.After(0, fn)
		return
	}
	if fn == nil {
		panic("engine: OnFire without a function")
	}
	s.waiting = append(s.waiting, s.engine.take(fn))
}

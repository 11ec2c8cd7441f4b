package engine

// obligation is something that must happen before the run ends.
type obligation struct {
	name  string
	index int // in Engine.expected; -1 once met
	scope *Scope
}

// Expect registers an obligation: done must be called before the run ends, or Run
// returns a *DeadlockError that names it. It is to a model in callbacks what a
// blocked process is to one in processes: without it a queue that ran dry looks
// like a normal end. Calling done twice panics.
func (e *Engine) Expect(name string) (done func()) {
	o := &obligation{name, len(e.expected), e.scope}
	e.expected = append(e.expected, o)
	return func() {
		if o.index < 0 {
			panic("engine: obligation " + name + " was met twice")
		}
		last := len(e.expected) - 1
		moved := e.expected[last]
		e.expected[o.index] = moved
		moved.index = o.index
		e.expected[last] = nil
		e.expected = e.expected[:last]
		o.index = -1
	}
}

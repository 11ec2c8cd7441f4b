package engine

import (
	"time"

	"github.com/fschuetz04/simgo"
)

// DefaultMaxEvents is the number of events that an engine fires, over all its
// runs, before it gives up with a *LimitError, unless Options says otherwise. Even an
// empty model takes a minute for that many: far more than a sensible experiment
// needs, and soon enough to stop a model that schedules without end.
const DefaultMaxEvents uint64 = 500e6

// maxTime is the last instant that the float64 clock of simgo holds exactly,
// together with all whole numbers of nanoseconds before it.
const maxTime = time.Duration(1) << 53

// Options are the settings of an engine. The zero value is ready for use.
type Options struct {
	// MaxEvents limits the events fired over the life of the engine.
	// 0 means DefaultMaxEvents.
	MaxEvents uint64
}

// Engine is a simulated clock with its queue of events. Make one with New.
type Engine struct {
	sim *simgo.Simulation
	// blank is a pending event without handlers and without finalizer: the copy of
	// an event carries none. What processes wait for are copies of it.
	blank simgo.Event

	maxEvents uint64
	events    uint64

	// The run is over when the queue holds nothing but stale items: events that are
	// cancelled.
	queue     eventQueue
	stale     int
	scheduled uint64 // number of the next item
	entries   []*entry
	free      []uint32 // entries that may be used again

	processes map[uint64]*Process // those not finished, by number
	started   uint64              // number of the next process
	expected  []*obligation
	scope     *Scope // of what is scheduled now

	running bool
	closing bool        // shutting or shut down
	failed  error       // why the engine takes no more events; nil while it does
	panicky *PanicError // the first panic of a process body
	goexit  bool        // a process body called runtime.Goexit
}

// New returns an engine at time 0 with nothing scheduled.
func New(opt Options) *Engine {
	if opt.MaxEvents == 0 {
		opt.MaxEvents = DefaultMaxEvents
	}
	sim := simgo.NewSimulation()
	return &Engine{
		sim:       sim,
		blank:     *sim.Event(),
		maxEvents: opt.MaxEvents,
		processes: map[uint64]*Process{},
	}
}

// Now returns the simulated time. After a run it is the time of the last event
// that fired.
func (e *Engine) Now() time.Duration { return time.Duration(e.sim.Now()) }

// Events returns how many events have happened: a callback called, a process
// begun or woken. Cancelled events do not count.
func (e *Engine) Events() uint64 { return e.events }

// fail ends the run at the next opportunity. The first reason is kept.
func (e *Engine) fail(err error) {
	if e.failed == nil {
		e.failed = err
	}
}

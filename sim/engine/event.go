package engine

import (
	"fmt"
	"time"

	"github.com/fschuetz04/simgo"
)

// Entries are made in slabs, which double from the smallest to the largest size:
// a run of ten events stays small, and one of a million pays for few allocations.
const (
	smallestSlab = 4
	largestSlab  = 1024
)

// Event is a handle on a scheduled callback. It is a small value: copy it freely.
// The zero Event is one that has fired.
type Event struct {
	entry      *entry
	generation uint64
}

// entry is the reusable part of an event. It is in exactly one place: with a
// signal that has not fired, in simgo's queue (live, or cancelled and not yet
// popped), in Engine.spent during the step that popped it, or in the free list. It
// is never armed again inside its own handler, because simgo forgets the handlers
// of an event after they ran; and never while a stale item of the queue points to
// it, because that item would fire it early.
type entry struct {
	event simgo.Event
	// armed is what event is set back to: pending, with the one handler bound to
	// this entry. A slice of one handler is full, so the handlers that a waiting
	// process appends go to an array of their own.
	armed      simgo.Event
	fn         func() // nil when cancelled or not in use
	generation uint64 // goes up when the event fires or is cancelled
	next       *entry // in the free list
	engine     *Engine
}

// After calls fn once the clock has moved on by d. Events of one instant fire in
// the order in which they were scheduled, so After(0, fn) runs after everything
// that is already due now. The returned Event can be cancelled until it fires.
//
// A negative d panics: it is a bug of the caller, who must check durations that
// come from outside. A d that leads beyond 2^53 ns fails the run with ErrTooLong
// at once. Once the run has failed nothing is scheduled any more.
func (e *Engine) After(d time.Duration, fn func()) Event {
	if fn == nil {
		panic("engine: After without a function")
	}
	ent := e.schedule(d, fn)
	if ent == nil {
		return Event{}
	}
	return Event{ent, ent.generation}
}

// Cancel takes the event back. It reports whether there was anything to take
// back: false if the event has fired or was cancelled already. A handle stays
// harmless for ever, whatever its entry is used for later.
//
// Cancelling takes constant time; the queue keeps the event's bookkeeping, some
// 220 bytes, until the clock passes its time.
func (ev Event) Cancel() bool {
	ent := ev.entry
	if ent == nil || ent.generation != ev.generation {
		return false
	}
	ent.generation++
	ent.fn = nil
	ent.engine.live--
	return true
}

// schedule arms an entry. It returns nil if the engine takes no more events.
func (e *Engine) schedule(d time.Duration, fn func()) *entry {
	if d < 0 {
		panic(fmt.Sprintf("engine: an event was scheduled %v before the present, %v", -d, e.Now()))
	}
	if e.failed != nil {
		return nil
	}
	if d > maxTime-e.Now() {
		e.fail(fmt.Errorf("%w: at %v an event was scheduled %v ahead", ErrTooLong, e.Now(), d))
		return nil
	}
	ent := e.take(fn)
	e.queue(ent, d)
	return ent
}

// take arms an entry from the free list.
func (e *Engine) take(fn func()) *entry {
	ent := e.free
	if ent == nil {
		ent = e.grow()
	}
	e.free = ent.next
	ent.event = ent.armed
	ent.fn = fn
	return ent
}

// queue schedules an armed entry. Its event stays pending until it is processed
// (TriggerDelayed does that, Trigger does not), so it can be aborted until then.
func (e *Engine) queue(ent *entry, d time.Duration) {
	ent.event.TriggerDelayed(float64(d))
	e.live++
}

// grow makes a slab of entries and returns the first, which heads the free list.
func (e *Engine) grow() *entry {
	slab := make([]entry, e.slab)
	e.slab = min(2*e.slab, largestSlab)
	for i := range slab {
		ent := &slab[i]
		ent.engine = e
		ent.armed = e.blank
		ent.armed.AddHandler(func(*simgo.Event) { ent.fire() })
		if i+1 < len(slab) {
			ent.next = &slab[i+1]
		}
	}
	e.free = &slab[0]
	return e.free
}

// fire is the handler of every entry.
func (ent *entry) fire() {
	e, fn := ent.engine, ent.fn
	e.spent = ent
	if fn == nil || e.closing {
		return
	}
	ent.generation++
	ent.fn = nil
	e.count()
	fn()
}

// recycle puts the entry of the last step back into the free list. It is called
// between steps, when simgo has finished with the entry.
func (e *Engine) recycle() {
	if ent := e.spent; ent != nil {
		e.spent = nil
		ent.next = e.free
		e.free = ent
	}
}

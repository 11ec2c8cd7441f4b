package engine

import (
	"fmt"
	"time"
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
// signal that has not fired, in the queue (live, or cancelled and still there), or
// in the free list. It is never reused while a stale item of the queue refers
// to it, because that item would fire it early.
type entry struct {
	fn         func() // nil when cancelled or not in use
	generation uint64 // goes up when the event fires or is cancelled
	engine     *Engine
	scope      *Scope // nil: of none
	index      uint32 // in Engine.entries
}

// After calls fn once the clock has moved on by d. Events of one instant fire in
// the order in which they were scheduled, so After(0, fn) runs after everything
// that is already due now. The returned Event can be cancelled until it fires.
//
// A negative d panics: it is a bug of the caller, who must check durations that
// come from outside. A d that leads beyond 2^53 ns fails the run with ErrTooLong
// at once. Once the run has failed, or the present scope has ended, nothing is scheduled
// any more.
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
// Cancelling takes constant time on average, and cancelled events never take up
// more than half of the queue: cancel and schedule anew as often as you like.
func (ev Event) Cancel() bool {
	ent := ev.entry
	if ent == nil || ent.generation != ev.generation {
		return false
	}
	ent.generation++
	ent.fn = nil
	e := ent.engine
	e.stale++
	if e.stale > len(e.queue)/2 {
		e.sweep()
	}
	return true
}

// sweep takes the cancelled events out of the queue.
func (e *Engine) sweep() {
	kept := e.queue[:0]
	for _, it := range e.queue {
		if e.entries[it.index].fn != nil {
			kept = append(kept, it)
		} else {
			e.free = append(e.free, it.index)
		}
	}
	e.queue = kept
	e.queue.heapify()
	e.stale = 0
}

// schedule takes an entry and puts it into the queue. It returns nil if the engine takes no more events.
func (e *Engine) schedule(d time.Duration, fn func()) *entry {
	if d < 0 {
		panic(fmt.Sprintf("engine: an event was scheduled %v before the present, %v", -d, e.Now()))
	}
	if e.failed != nil || e.scope != nil && e.scope.ended {
		return nil
	}
	if d > maxTime-e.Now() {
		e.fail(fmt.Errorf("%w: at %v an event was scheduled %v ahead", ErrTooLong, e.Now(), d))
		return nil
	}
	ent := e.take(fn)
	e.enqueue(ent, d)
	return ent
}

// take takes an entry from the free list.
func (e *Engine) take(fn func()) *entry {
	if len(e.free) == 0 {
		e.grow()
	}
	last := len(e.free) - 1
	ent := e.entries[e.free[last]]
	e.free = e.free[:last]
	ent.fn, ent.scope = fn, e.scope
	return ent
}

// enqueue schedules an entry.
func (e *Engine) enqueue(ent *entry, d time.Duration) {
	e.queue.push(item{e.Now() + d, e.scheduled, ent.index})
	e.scheduled++
}

// grow makes a slab of entries, as many as there are, and puts them into the free
// list.
func (e *Engine) grow() {
	slab := make([]entry, min(max(len(e.entries), smallestSlab), largestSlab))
	for i := range slab {
		ent := &slab[i]
		ent.engine = e
		ent.index = uint32(len(e.entries))
		e.entries = append(e.entries, ent)
		e.free = append(e.free, ent.index)
	}
}

// step fires the next event, or drops it if it is cancelled, which does not move
// the clock. The queue must not be empty.
func (e *Engine) step() {
	it := e.queue.pop()
	ent := e.entries[it.index]
	fn := ent.fn
	e.free = append(e.free, it.index)
	if fn == nil {
		e.stale--
		return
	}
	ent.fn = nil
	ent.generation++
	e.events++
	e.scope = ent.scope
	e.sim.RunUntil(float64(it.at))
	fn()
}

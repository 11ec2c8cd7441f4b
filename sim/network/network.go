// Package network moves bytes over links that transfers share max-min fairly,
// and knows what collectives cost. Rates change only when a transfer starts or
// ends, so there is no time-stepping: a completion is exact up to the clock's
// nanosecond, to which it is rounded.
package network

import (
	"fmt"
	"math"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// Network is a set of directed links and the transfers on them.
type Network struct {
	e     *engine.Engine
	links []link
	flows []*flow // active, in order of start
	pool  []*flow // to be used again

	alarm engine.Event  // at the earliest end of a transfer
	at    time.Duration // of the alarm
	armed bool
	solve bool // the rates are to be solved anew in the present instant

	wake, again func() // complete and resolve, bound once

	ended []*flow // scratch of complete
	open  []*flow // scratch of resolve: transfers without a rate
	busy  []*link // scratch of resolve: links with such transfers
}

// LinkID names a link of a Network.
type LinkID int32

type link struct {
	name     string
	capacity float64 // B/s
	carried  float64 // bytes of finished transfers
	flows    int     // crossings by active transfers
	sharing
}

type flow struct {
	path    []LinkID
	bytes   float64
	remains float64 // bytes left at time since
	rate    float64 // B/s; 0 before the first solve
	since   time.Duration
	end     time.Duration
	done    func()
	enter   func() // Network.enter of this flow, bound once
}

// forever is the end of a transfer that would end after the last instant of the clock.
const forever time.Duration = math.MaxInt64

// New returns an empty network on an engine.
func New(e *engine.Engine) *Network {
	n := &Network{e: e}
	n.wake = n.complete
	n.again = n.resolve
	return n
}

// Link adds a directed link of a capacity in B/s, which must be positive and
// finite; anything else is a bug of the caller and panics.
func (n *Network) Link(name string, capacity unit.Rate) LinkID {
	if !(capacity > 0) || math.IsInf(float64(capacity), 0) {
		panic(fmt.Sprintf("network: link %q with capacity %v", name, float64(capacity)))
	}
	n.links = append(n.links, link{name: name, capacity: float64(capacity)})
	return LinkID(len(n.links) - 1)
}

// Carried returns the bytes that a link has carried in finished transfers.
func (n *Network) Carried(l LinkID) float64 { return n.links[l].carried }

// Transfer moves bytes over a path: it waits for latency, then shares every link
// of the path with the other transfers on it, max-min fairly, and calls done on
// arrival, never from inside Transfer. The path is kept, not copied; a link that
// it names twice is paid for twice. A transfer of no bytes or with no path takes
// the latency only. One that cannot end within the clock's range ends the run
// with engine.ErrTooLong. Bytes that are negative or not finite are a bug of the
// caller and panic.
func (n *Network) Transfer(path []LinkID, bytes float64, latency time.Duration, done func()) {
	if !(bytes >= 0) || math.IsInf(bytes, 0) {
		panic(fmt.Sprintf("network: a transfer of %v bytes", bytes))
	}
	f := n.take()
	f.path, f.bytes, f.remains, f.rate, f.done = path, bytes, bytes, 0, done
	n.e.After(latency, f.enter)
}

func (n *Network) take() *flow {
	if k := len(n.pool); k > 0 {
		f := n.pool[k-1]
		n.pool = n.pool[:k-1]
		return f
	}
	f := &flow{}
	f.enter = func() { n.enter(f) }
	return f
}

func (n *Network) release(f *flow) {
	done := f.done
	f.path, f.done = nil, nil
	n.pool = append(n.pool, f)
	done()
}

// enter brings a transfer onto its links when its latency is over.
func (n *Network) enter(f *flow) {
	if f.bytes == 0 || len(f.path) == 0 {
		n.release(f)
		return
	}
	f.since, f.end = n.e.Now(), forever
	n.flows = append(n.flows, f)
	for _, l := range f.path {
		n.links[l].flows++
	}
	n.change()
}

// change schedules one solve for all arrivals and departures of this instant.
func (n *Network) change() {
	if !n.solve {
		n.solve = true
		n.e.After(0, n.again)
	}
}

// complete ends every transfer that is due.
func (n *Network) complete() {
	n.armed = false
	now := n.e.Now()
	kept := n.flows[:0]
	n.ended = n.ended[:0]
	for _, f := range n.flows {
		if f.end > now {
			kept = append(kept, f)
			continue
		}
		for _, l := range f.path {
			n.links[l].flows--
			n.links[l].carried += f.bytes
		}
		n.ended = append(n.ended, f)
	}
	clear(n.flows[len(kept):])
	n.flows = kept
	for _, f := range n.ended {
		n.release(f)
	}
	// After the calls of done: what they start without latency is on its links
	// before the solve.
	if len(n.flows) > 0 {
		n.change()
	}
}

// setRate changes a transfer's rate from now on. One whose rate stays keeps its
// end, so that an undisturbed transfer takes exactly bytes / rate.
func (f *flow) setRate(rate float64, now time.Duration) {
	if math.Abs(rate-f.rate) <= rateTolerance*rate {
		return
	}
	f.remains = max(0, f.remains-f.rate*(now-f.since).Seconds())
	f.rate, f.since = rate, now
	seconds := f.remains / rate
	if seconds > unit.MaxTime.Seconds() {
		f.end = forever
		return
	}
	d, err := unit.Seconds(seconds)
	if err != nil {
		panic(fmt.Sprintf("network: %g bytes at %g B/s: %v", f.remains, rate, err))
	}
	f.end = now + d
}

// arm sets the one alarm to the earliest end. An alarm beyond the clock's range
// makes the engine end the run.
func (n *Network) arm(now time.Duration) {
	next := forever
	for _, f := range n.flows {
		next = min(next, f.end)
	}
	if n.armed {
		if next == n.at && len(n.flows) > 0 {
			return
		}
		n.alarm.Cancel()
		n.armed = false
	}
	if len(n.flows) == 0 {
		return
	}
	n.alarm = n.e.After(next-now, n.wake)
	n.at, n.armed = next, true
}

package network

import (
	"fmt"
	"math"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// eager is the textbook, and what Network is held against: every change touches
// every transfer and fills all links from empty. It has the interface of a Network
// and shares nothing with it but the types of its arguments.
type eager struct {
	e     *engine.Engine
	links []eagerLink
	flows []*eagerFlow // active, in order of start
	pool  []*eagerFlow // to be used again

	alarm engine.Event  // at the earliest end of a transfer
	at    time.Duration // of the alarm
	armed bool
	solve bool // the rates are to be solved anew in the present instant

	wake, again func() // complete and resolve, bound once

	ended []*eagerFlow // scratch of complete
	open  []*eagerFlow // scratch of resolve: transfers without a rate
	busy  []*eagerLink // scratch of resolve: links with such transfers
}

type eagerLink struct {
	name     string
	capacity float64 // B/s
	carried  float64 // bytes of finished transfers
	flows    int     // crossings by active transfers
	eagerSharing
}

type eagerFlow struct {
	path    []LinkID
	bytes   float64
	remains float64 // bytes left at time since
	rate    float64 // B/s; 0 before the first solve
	since   time.Duration
	end     time.Duration
	done    func()
	enter   func() // eager.enter of this flow, bound once
}

// newEager returns an empty network on an engine.
func newEager(e *engine.Engine) *eager {
	n := &eager{e: e}
	n.wake = n.complete
	n.again = n.resolve
	return n
}

// Link adds a directed link of a capacity in B/s, which must be positive and
// finite; anything else is a bug of the caller and panics.
func (n *eager) Link(name string, capacity unit.Rate) LinkID {
	if !(capacity > 0) || math.IsInf(float64(capacity), 0) {
		panic(fmt.Sprintf("network: link %q with capacity %v", name, float64(capacity)))
	}
	n.links = append(n.links, eagerLink{name: name, capacity: float64(capacity)})
	return LinkID(len(n.links) - 1)
}

func (n *eager) Transfer(path []LinkID, bytes float64, latency time.Duration, done func()) {
	if !(bytes >= 0) || math.IsInf(bytes, 0) {
		panic(fmt.Sprintf("network: a transfer of %v bytes", bytes))
	}
	f := n.take()
	f.path, f.bytes, f.remains, f.rate, f.done = path, bytes, bytes, 0, done
	n.e.After(latency, f.enter)
}

func (n *eager) take() *eagerFlow {
	if k := len(n.pool); k > 0 {
		f := n.pool[k-1]
		n.pool = n.pool[:k-1]
		return f
	}
	f := &eagerFlow{}
	f.enter = func() { n.enter(f) }
	return f
}

func (n *eager) release(f *eagerFlow) {
	done := f.done
	f.path, f.done = nil, nil
	n.pool = append(n.pool, f)
	done()
}

// enter brings a transfer onto its links when its latency is over.
func (n *eager) enter(f *eagerFlow) {
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
func (n *eager) change() {
	if !n.solve {
		n.solve = true
		n.e.After(0, n.again)
	}
}

// complete ends every transfer that is due.
func (n *eager) complete() {
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
func (f *eagerFlow) setRate(rate float64, now time.Duration) {
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
func (n *eager) arm(now time.Duration) {
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

// eagerSharing is what the solver keeps for a link while it solves.
type eagerSharing struct {
	remains float64 // capacity not given away, B/s
	open    int     // crossings by transfers without a rate
	fixed   int     // crossings by transfers that got theirs in this pass
	full    bool    // this pass gives away all that remains
}

// resolve gives every transfer its max-min fair rate by progressive filling
// (Bertsekas and Gallager, Data Networks, 2nd ed., 6.5.2, recalled): the link that leaves
// least to each of its open transfers fixes their rates, and so on with what
// remains until every transfer has a rate. It costs passes x transfers x links
// of a path, with at most one pass for each link in use.
func (n *eager) resolve() {
	n.solve = false
	now := n.e.Now()
	n.share(now)
	n.arm(now)
}

func (n *eager) share(now time.Duration) {
	n.open = append(n.open[:0], n.flows...)
	n.busy = n.busy[:0]
	for i := range n.links {
		if l := &n.links[i]; l.flows > 0 {
			l.eagerSharing = eagerSharing{remains: l.capacity, open: l.flows}
			n.busy = append(n.busy, l)
		}
	}
	for len(n.open) > 0 {
		share := n.bottleneck()
		kept := n.open[:0]
		for _, f := range n.open {
			if !n.bound(f) {
				kept = append(kept, f)
				continue
			}
			for _, l := range f.path {
				n.links[l].fixed++
			}
			f.setRate(share, now)
		}
		n.open = kept
		n.give(share)
	}
}

// bottleneck returns the smallest fair share that any link leaves to its open
// transfers, and marks the links at which it is the share as full. Links that
// tie up to rounding are full in one pass.
func (n *eager) bottleneck() float64 {
	share := math.Inf(1)
	for _, l := range n.busy {
		share = min(share, l.remains/float64(l.open))
	}
	for _, l := range n.busy {
		l.full = l.remains/float64(l.open) <= share*(1+rateTolerance)
	}
	return share
}

// bound reports whether a link of f's path is full.
func (n *eager) bound(f *eagerFlow) bool {
	for _, l := range f.path {
		if n.links[l].full {
			return true
		}
	}
	return false
}

// give takes the share of the transfers fixed in this pass from their links, in
// one product for each link, lest rounding add up. Links with no open transfer
// left are of no interest any more.
func (n *eager) give(share float64) {
	kept := n.busy[:0]
	for _, l := range n.busy {
		l.remains = max(0, l.remains-share*float64(l.fixed))
		l.open -= l.fixed
		l.fixed = 0
		if l.open > 0 {
			kept = append(kept, l)
		}
	}
	n.busy = kept
}

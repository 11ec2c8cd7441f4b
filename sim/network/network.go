// Package network moves bytes over links that transfers share max-min fairly,
// and knows what collectives cost. Rates change only when a transfer starts or
// ends or a link's capacity changes, so there is no time-stepping: a completion is exact up to the clock's
// nanosecond, to which it is rounded.
//
// How it stays fast with thousands of transfers at a time:
//
//   - Transfers that are held up by the same link have the same rate. They are a
//     group with a clock of its own, which counts the bytes that each of them has
//     moved; a transfer ends when the clock reaches a mark that never changes. A
//     new rate touches the group, not its transfers (group.go).
//   - A solve works on how many transfers of which group cross which link
//     (cells.go), visits only links that the change can reach and leaves alone
//     everything slower than what has changed (solve.go).
//   - All that begins and ends in one instant is one solve, and the engine holds
//     one pending event for the whole network.
package network

import (
	"fmt"
	"math"
	"slices"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// Network is a set of directed links and the transfers on them.
type Network struct {
	e     *engine.Engine
	links []*link
	caps  []*link // private links of transfers with a limit, to be used again
	pool  []*flow // to be used again
	cells []*cell // to be used again
	begun uint64  // transfers so far

	fresh *group  // transfers that have not got a rate yet
	ends  ends    // heap of groups with transfers, by their first end
	dirty []*link // links that transfers have left since the last solve
	theta float64 // the slowest rate of these transfers, B/s

	alarm engine.Event  // at the earliest end of a transfer
	at    time.Duration // of the alarm
	armed bool
	solve bool // the rates are to be solved anew in the present instant

	wake, again func() // complete and resolve, bound once

	ended []*flow // scratch of complete
	solving
}

// LinkID names a link of a Network.
type LinkID int32

type link struct {
	id       int32
	name     string
	capacity float64 // B/s
	private  bool    // carries the limit of one transfer after another
	row      []entry // cells, by group
	group    group   // transfers that this link holds up
	ledger
	sharing
}

type flow struct {
	seq     uint64 // order of Transfer
	path    []LinkID
	limit   float64 // B/s; 0: none
	bytes   float64
	cross   []crossing // of the links of the path, while active
	private *link      // carries the limit, while active
	group   *group     // while active
	at      int        // in the group's heap
	mark    float64    // the flow ends when the group's clock is there, bytes
	done    func()
	scope   *engine.Scope // in which it was begun
	enter   func()        // Network.enter of this flow, bound once
}

// forever is the end of a transfer that would end after the last instant of the clock.
const forever time.Duration = math.MaxInt64

// New returns an empty network on an engine.
func New(e *engine.Engine) *Network {
	n := &Network{e: e, theta: math.Inf(1)}
	n.fresh = &group{id: -1, level: math.Inf(1), at: -1}
	n.wake = n.complete
	n.again = n.resolve
	return n
}

// Link adds a directed link of a capacity in B/s, which must be positive and
// finite; anything else is a bug of the caller and panics. A link of which both
// directions share one capacity (half duplex) is one Link on the paths of both.
func (n *Network) Link(name string, capacity unit.Rate) LinkID {
	return LinkID(n.add(name, float64(capacity)).id)
}

// Links returns how many links there are, those of limits included.
func (n *Network) Links() int { return len(n.links) }

// Capacity returns what a link carries now.
func (n *Network) Capacity(l LinkID) unit.Rate { return unit.Rate(n.links[l].capacity) }

func (n *Network) add(name string, capacity float64) *link {
	if !(capacity > 0) || math.IsInf(capacity, 0) {
		panic(fmt.Sprintf("network: link %q with capacity %v", name, capacity))
	}
	l := &link{id: int32(len(n.links)), name: name, capacity: capacity}
	l.group = group{id: l.id, bottleneck: l, at: -1}
	l.most = capacity
	n.links = append(n.links, l)
	return l
}

// Transfer moves bytes over a path: it waits for latency, then shares every link
// of the path with the other transfers on it, max-min fairly, and calls done on
// arrival, never from inside Transfer. The path is kept, not copied; a link that
// it names twice is paid for twice. A transfer of no bytes or with no path takes
// the latency only. One that cannot end within the clock's range ends the run
// with engine.ErrTooLong. Bytes that are negative or not finite are a bug of the
// caller and panic.
func (n *Network) Transfer(path []LinkID, bytes float64, latency time.Duration, done func()) {
	n.begin(path, bytes, 0, latency, done)
}

// Limited is Transfer at no more than limit, in B/s, however idle the links are.
// A limit that is not positive and finite is a bug of the caller and panics.
func (n *Network) Limited(path []LinkID, bytes float64, limit unit.Rate, latency time.Duration, done func()) {
	if !(limit > 0) || math.IsInf(float64(limit), 0) {
		panic(fmt.Sprintf("network: a transfer with limit %v", float64(limit)))
	}
	n.begin(path, bytes, float64(limit), latency, done)
}

func (n *Network) begin(path []LinkID, bytes, limit float64, latency time.Duration, done func()) {
	if !(bytes >= 0) || math.IsInf(bytes, 0) {
		panic(fmt.Sprintf("network: a transfer of %v bytes", bytes))
	}
	f := n.take()
	f.seq, f.path, f.bytes, f.limit, f.done = n.begun, path, bytes, limit, done
	f.scope = n.e.Present()
	n.begun++
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
	done, scope := f.done, f.scope
	f.path, f.done, f.scope = nil, nil, nil
	n.pool = append(n.pool, f)
	before := n.e.Enter(scope)
	done()
	n.e.Enter(before)
}

// enter brings a transfer onto its links when its latency is over.
func (n *Network) enter(f *flow) {
	if f.bytes == 0 || len(f.path) == 0 && f.limit == 0 {
		n.release(f)
		return
	}
	now := n.e.Now()
	f.cross = f.cross[:0]
	for _, id := range f.path {
		f.cross = append(f.cross, crossing{flow: f, link: n.links[id]})
	}
	if f.limit > 0 {
		f.private = n.private(f.limit)
		f.cross = append(f.cross, crossing{flow: f, link: f.private})
	}
	for i := range f.cross {
		f.cross[i].link.enter(f.bytes, now)
	}
	n.fresh.since = now
	n.join(f, n.fresh, f.bytes)
	n.change()
}

// private returns a link for the limit of one transfer.
func (n *Network) private(limit float64) *link {
	k := len(n.caps)
	if k == 0 {
		l := n.add("limit of a transfer", limit)
		l.private = true
		return l
	}
	l := n.caps[k-1]
	n.caps = n.caps[:k-1]
	l.capacity = limit
	return l
}

// change schedules one solve for all arrivals and departures of this instant.
func (n *Network) change() {
	if !n.solve {
		n.solve = true
		before := n.e.Enter(nil) // scopes share the network
		n.e.After(0, n.again)
		n.e.Enter(before)
	}
}

// complete ends every transfer that is due.
func (n *Network) complete() {
	n.armed = false
	now := n.e.Now()
	n.ended = n.ended[:0]
	for len(n.ends) > 0 && n.ends[0].end <= now {
		g := n.ends[0]
		n.ended = append(n.ended, g.flows[0])
		n.depart(g.flows[0], now)
		n.schedule(g)
	}
	// Transfers that end together are told in the order in which they began.
	slices.SortFunc(n.ended, func(a, b *flow) int { return int(a.seq) - int(b.seq) })
	for _, f := range n.ended {
		n.release(f)
	}
	// After the calls of done: what they start without latency is on its links
	// before the solve.
	if len(n.ends) > 0 {
		n.change()
	}
}

// depart takes a transfer that has arrived off its links.
func (n *Network) depart(f *flow, now time.Duration) {
	n.theta = min(n.theta, f.group.level)
	n.leave(f)
	for i := range f.cross {
		l := f.cross[i].link
		l.leave(f.bytes, now)
		if l != f.private {
			n.dirty = append(n.dirty, l)
		}
	}
	if f.private != nil {
		n.caps = append(n.caps, f.private)
		f.private = nil
	}
}

// arm sets the one alarm to the earliest end, for the transfers of all scopes. An alarm beyond the clock's range
// makes the engine end the run.
func (n *Network) arm(now time.Duration) {
	if n.armed {
		if len(n.ends) > 0 && n.ends[0].end == n.at {
			return
		}
		n.alarm.Cancel()
		n.armed = false
	}
	if len(n.ends) == 0 {
		return
	}
	n.at, n.armed = n.ends[0].end, true
	n.alarm = n.e.After(n.at-now, n.wake)
}

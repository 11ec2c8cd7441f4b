package network

import (
	"fmt"
	"time"
)

// ledger is what a link's books say: they are kept apart from the solver, so that
// Check can hold the one against the other.
type ledger struct {
	active  int     // crossings by active transfers
	entered float64 // bytes of transfers that came onto the link
	carried float64 // bytes of transfers that have arrived
	dropped float64 // bytes that were taken back
	ended   int     // such transfers
	busy    time.Duration
	changed time.Duration // the capacity is what it is since then
	could   float64       // bytes that the link could have carried until changed
	room    float64       // could, while it was busy
	spent   time.Duration // busy until changed
	most    float64       // largest capacity
	since   time.Duration // active > 0 since then
}

func (b *ledger) enter(bytes float64, now time.Duration) {
	if b.active == 0 {
		b.since = now
	}
	b.active++
	b.entered += bytes
}

func (b *ledger) leave(bytes float64, now time.Duration) {
	b.active--
	b.carried += bytes
	b.ended++
	if b.active == 0 {
		b.busy += now - b.since
	}
}

// Carried returns the bytes that a link has carried in finished transfers.
func (n *Network) Carried(l LinkID) float64 { return n.links[l].carried }

// Could returns the bytes that a link could have carried until now.
func (n *Network) Could(l LinkID) float64 {
	b := n.links[l]
	return b.could + b.capacity*(n.e.Now()-b.changed).Seconds()
}

// turn closes the books of a capacity.
func (b *ledger) turn(capacity float64, now time.Duration) {
	busy := b.busyUntil(now)
	b.could += capacity * (now - b.changed).Seconds()
	b.room += capacity * (busy - b.spent).Seconds()
	b.changed, b.spent = now, busy
}

// Busy returns how long a link has had a transfer on it until now.
func (n *Network) Busy(l LinkID) time.Duration { return n.links[l].busyUntil(n.e.Now()) }

func (b *ledger) busyUntil(now time.Duration) time.Duration {
	if b.active > 0 {
		return b.busy + now - b.since
	}
	return b.busy
}

// Check holds the books of all links against what cannot be otherwise: a link is
// busy no longer than time has passed, carries no more than its capacity in the
// time that it was busy, and once nothing is under way everything sent has
// arrived. An error, which names the link, is a bug of this package.
func (n *Network) Check() error {
	now := n.e.Now()
	for _, l := range n.links {
		if err := l.check(now); err != nil {
			return fmt.Errorf("network: link %d (%q): %w", l.id, l.name, err)
		}
	}
	return nil
}

// bookTolerance is the relative error of long sums of bytes.
const bookTolerance = 1e-9

func (l *link) check(now time.Duration) error {
	busy := l.busyUntil(now)
	// An end is rounded to the nanosecond, by half of one.
	room := l.room + l.capacity*(busy-l.spent).Seconds() + l.most*0.5e-9*float64(l.ended)
	switch {
	case busy < 0 || busy > now:
		return fmt.Errorf("busy for %v of %v", busy, now)
	case l.private:
		return nil // its capacity was another one before
	case l.carried > room*(1+bookTolerance):
		return fmt.Errorf("carried %g bytes in %v, at %g B/s it can carry %g", l.carried, busy, l.capacity, room)
	case l.active == 0 && !near(l.entered, l.carried+l.dropped):
		return fmt.Errorf("%g bytes were sent, %g have arrived", l.entered-l.dropped, l.carried)
	case l.carried > l.entered*(1+bookTolerance):
		return fmt.Errorf("%g bytes were sent, %g have arrived", l.entered, l.carried)
	}
	return nil
}

func near(a, b float64) bool {
	return a <= b*(1+bookTolerance) && b <= a*(1+bookTolerance)
}

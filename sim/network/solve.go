package network

import (
	"math"
	"time"
)

// sharing is what the solver keeps for a link while it solves.
type sharing struct {
	reached uint64  // number of the solve that has reached the link
	left    float64 // capacity not given away, B/s
	open    int     // crossings by transfers without a rate
}

// solving is the state of a solve and what is used again by the next one.
type solving struct {
	number uint64
	scope  []*link // that the change can reach
	heap   []keyed // of these, those with open crossings
	rising int     // open crossings of all links
}

// keyed is a link and no more than the share that it leaves to each of its open
// transfers.
type keyed struct {
	key  float64
	id   int32
	link *link
}

// resolve gives every transfer its max-min fair rate after arrivals and departures,
// by progressive filling (Bertsekas and Gallager, Data Networks, 2nd ed., 6.5.2,
// recalled): all rates rise together; the link that is full first fixes those of
// its transfers, and the others rise on. Nothing below the threshold changes, and
// links that no transfer above it joins to the change are not looked at.
func (n *Network) resolve() {
	n.solve = false
	now := n.e.Now()
	theta := n.threshold() * (1 - thresholdMargin)
	for {
		lower, again := n.reach(theta)
		if !again {
			break
		}
		theta = lower
	}
	n.dirty, n.theta = n.dirty[:0], math.Inf(1)
	n.fill(now)
	n.arm(now)
}

// thresholdMargin is by how much, relatively, the threshold is lowered, so that
// rounding takes nothing out of a solve that belongs in it.
const thresholdMargin = 1e-9

// threshold returns a rate below which filling goes as it went before. The filling
// before and after the change are the same until a transfer that has left would
// have stopped rising, or a link is full because of one that has come.
func (n *Network) threshold() float64 {
	theta := n.theta
	for _, c := range n.fresh.col {
		theta = min(theta, c.cell.link.fullAt(theta))
	}
	return theta
}

// fullAt returns the rate at which the link is full if transfers with a rate rise
// to no more than it and those without one rise on, or a rate of at least enough.
// It is a root of a concave, piecewise linear function; Newton's method reaches it
// from below, exactly.
func (l *link) fullAt(enough float64) float64 {
	x := 0.0
	for x < enough {
		left, rising := l.capacity, 0
		for i := range l.row {
			c := l.row[i].cell
			if c.group.level < x {
				left -= float64(c.count) * c.group.level
			} else {
				rising += c.count
			}
		}
		next := left / float64(rising)
		if !(next > x) {
			return x
		}
		x = next
	}
	return x
}

// reach collects the links that the change can reach, and what transfers below the
// threshold leave of them. If a transfer above it crosses a link that holds up
// transfers below it, which only rounding can cause, it says at which threshold to
// begin again.
func (n *Network) reach(theta float64) (lower float64, again bool) {
	n.number++
	n.scope = n.scope[:0]
	for _, l := range n.dirty {
		n.visit(l)
	}
	n.visitAll(n.fresh)
	for i := 0; i < len(n.scope); i++ {
		l := n.scope[i]
		l.left, l.open = l.capacity, 0
		for k := range l.row {
			c := l.row[k].cell
			if c.group.level < theta {
				l.left -= float64(c.count) * c.group.level
				continue
			}
			l.open += c.count
			n.visitAll(c.group)
		}
	}
	lower = theta
	for _, l := range n.scope {
		if l.open > 0 && len(l.group.flows) > 0 && l.group.level < lower {
			lower, again = l.group.level*(1-thresholdMargin), true
		}
	}
	return lower, again
}

func (n *Network) visit(l *link) {
	if l.reached != n.number {
		l.reached = n.number
		n.scope = append(n.scope, l)
	}
}

// visitAll opens a group and visits its links.
func (n *Network) visitAll(g *group) {
	if g.open == n.number {
		return
	}
	g.open = n.number
	for i := range g.col {
		n.visit(g.col[i].cell.link)
	}
}

// fill lets the open transfers rise.
func (n *Network) fill(now time.Duration) {
	n.heap, n.rising = n.heap[:0], 0
	for _, l := range n.scope {
		if l.open > 0 {
			n.rising += l.open
			n.heap = append(n.heap, keyed{max(0, l.left) / float64(l.open), l.id, l})
		}
	}
	for i := len(n.heap)/2 - 1; i >= 0; i-- {
		n.sift(i, n.heap[i])
	}
	level := 0.0 // of the last link that was full
	for n.rising > 0 {
		top := n.heap[0]
		l := top.link
		if l.open == 0 {
			n.pop()
			continue
		}
		// A share only rises while others stop, so that keys may be old: the first
		// link is looked at again.
		if key := max(level, l.left/float64(l.open)); key > top.key {
			top.key = key
			n.sift(0, top)
			if n.heap[0].link != l {
				continue
			}
		}
		level = max(level, top.key)
		n.freeze(n.settled(l, level), level, now)
	}
}

// settled returns a link that is full at the same level as l, up to rounding, and
// already holds up transfers that cross l, or else l: where links tie, transfers
// stay in their group.
func (n *Network) settled(l *link, level float64) *link {
	for i := range l.row {
		g := l.row[i].cell.group
		if g.open != n.number || g == &l.group || g == n.fresh {
			continue
		}
		b := g.bottleneck
		if b.open > 0 && b.left <= level*float64(b.open)*(1+rateTolerance) {
			return b
		}
	}
	return l
}

// freeze gives the open transfers that cross a link their rate. They become the
// link's group.
func (n *Network) freeze(l *link, level float64, now time.Duration) {
	g := &l.group
	g.setLevel(level, now)
	// From the end: a cell that gets empty is replaced by the last one of the row.
	for i := len(l.row) - 1; i >= 0; i-- {
		c := l.row[i].cell
		from := c.group
		if from == g || from.open != n.number {
			continue
		}
		for c.link == l && c.group == from { // until the cell is empty, and dropped
			n.move(c.first.flow, g, now)
		}
	}
	g.open = 0
	for i := range g.col {
		c := g.col[i].cell
		c.link.left = max(0, c.link.left-level*float64(c.count))
		c.link.open -= c.count
		n.rising -= c.count
	}
	n.schedule(g)
}

// sift puts an item at heap[i] or below, where it belongs.
func (n *Network) sift(i int, it keyed) {
	h := n.heap
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && less(&h[c+1], &h[c]) {
			c++
		}
		if !less(&h[c], &it) {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = it
}

func less(a, b *keyed) bool { return a.key < b.key || a.key == b.key && a.id < b.id }

func (n *Network) pop() {
	last := len(n.heap) - 1
	it := n.heap[last]
	n.heap = n.heap[:last]
	if last > 0 {
		n.sift(0, it)
	}
}

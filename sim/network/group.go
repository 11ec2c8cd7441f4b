package network

import (
	"fmt"
	"math"
	"time"

	"stowage/hw/unit"
)

// rateTolerance is the relative difference below which two rates count as one:
// far above rounding (1e-16), far below what anybody could measure.
const rateTolerance = 1e-12

// A group is the transfers that one link holds up, all of the same rate. Its clock
// counts the bytes that each of them has moved since the group was last empty; a
// transfer ends when the clock reaches its mark.
type group struct {
	id         int32
	bottleneck *link // nil: transfers that have no rate yet
	level      float64
	clock      float64       // bytes, at time since
	since      time.Duration // the level holds since then
	flows      []*flow       // heap by mark
	gone       int           // transfers that have left since the clock was set back
	col        []entry       // cells, by link

	end  time.Duration // of the first transfer
	at   int           // in Network.ends; -1: not there
	open uint64        // number of the solve in which the group has no level yet
}

// reading returns the clock at a time.
func (g *group) reading(now time.Duration) float64 {
	if g.since == now {
		return g.clock
	}
	return g.clock + g.level*(now-g.since).Seconds()
}

// setLevel changes the rate of a group's transfers from now on. If it stays, so do
// the ends, and an undisturbed transfer takes exactly bytes / rate.
func (g *group) setLevel(level float64, now time.Duration) {
	switch {
	case len(g.flows) == 0:
		g.clock, g.gone = 0, 0
	case math.Abs(level-g.level) <= rateTolerance*level:
		return
	default:
		g.clock = g.reading(now)
		if g.gone > 8+len(g.flows) { // once for as many departures: it costs nothing
			g.setBack()
		}
	}
	g.level, g.since = level, now
}

// setBack lets the clock begin at 0 again, lest marks that only grow lose digits.
func (g *group) setBack() {
	for _, f := range g.flows {
		f.mark -= g.clock
	}
	g.clock, g.gone = 0, 0
}

// join puts a transfer with rest bytes to go into a group.
func (n *Network) join(f *flow, g *group, rest float64) {
	f.group = g
	f.mark = rest
	if g != n.fresh {
		f.mark += g.reading(n.e.Now())
	}
	g.push(f)
	n.attach(f)
}

// leave takes a transfer out of its group, for good or for another one. If the
// group has others, it is to be scheduled anew.
func (n *Network) leave(f *flow) {
	g := f.group
	n.detach(f)
	g.remove(f.at)
	g.gone++
	f.group = nil
	if len(g.flows) == 0 && g.at >= 0 {
		n.unschedule(g)
	}
}

// move takes a transfer to another group.
func (n *Network) move(f *flow, to *group, now time.Duration) {
	rest := f.mark
	if f.group != n.fresh {
		rest = max(0, f.mark-f.group.reading(now))
	}
	n.leave(f)
	n.join(f, to, rest)
}

// schedule brings a group with its present first end into the order of ends.
func (n *Network) schedule(g *group) {
	if len(g.flows) == 0 {
		return
	}
	end := g.firstEnd()
	switch {
	case g.at < 0:
		g.end = end
		g.at = len(n.ends)
		n.ends = append(n.ends, g)
		n.ends.up(g.at)
	case end < g.end:
		g.end = end
		n.ends.up(g.at)
	case end > g.end:
		g.end = end
		n.ends.down(g.at)
	}
}

func (n *Network) unschedule(g *group) {
	i, last := g.at, len(n.ends)-1
	n.ends.swap(i, last)
	n.ends = n.ends[:last]
	g.at = -1
	if i < last {
		n.ends.down(i)
		n.ends.up(i)
	}
}

// firstEnd returns when the first transfer ends at the present level.
func (g *group) firstEnd() time.Duration {
	rest := max(0, g.flows[0].mark-g.clock)
	seconds := rest / g.level
	if seconds > unit.MaxTime.Seconds() {
		return forever
	}
	d, err := unit.Seconds(seconds)
	if err != nil {
		panic(fmt.Sprintf("network: %g bytes at %g B/s: %v", rest, g.level, err))
	}
	return g.since + d
}

// ends is a heap of groups by their first end.
type ends []*group

func (h ends) before(i, j int) bool {
	return h[i].end < h[j].end || h[i].end == h[j].end && h[i].id < h[j].id
}

func (h ends) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}

func (h ends) up(i int) {
	for i > 0 && h.before(i, (i-1)/2) {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (h ends) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h.before(c+1, c) {
			c++
		}
		if !h.before(c, i) {
			return
		}
		h.swap(c, i)
		i = c
	}
}

// push, remove and what they need keep a group's transfers in a heap by mark, and
// by age where marks are equal.
func (g *group) push(f *flow) {
	f.at = len(g.flows)
	g.flows = append(g.flows, f)
	g.rise(f.at)
}

func (g *group) remove(i int) {
	last := len(g.flows) - 1
	g.exchange(i, last)
	g.flows[last] = nil
	g.flows = g.flows[:last]
	if i < last {
		g.sink(i)
		g.rise(i)
	}
}

func (g *group) sooner(i, j int) bool {
	a, b := g.flows[i], g.flows[j]
	return a.mark < b.mark || a.mark == b.mark && a.seq < b.seq
}

func (g *group) exchange(i, j int) {
	g.flows[i], g.flows[j] = g.flows[j], g.flows[i]
	g.flows[i].at, g.flows[j].at = i, j
}

func (g *group) rise(i int) {
	for i > 0 && g.sooner(i, (i-1)/2) {
		g.exchange(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

func (g *group) sink(i int) {
	for {
		c := 2*i + 1
		if c >= len(g.flows) {
			return
		}
		if c+1 < len(g.flows) && g.sooner(c+1, c) {
			c++
		}
		if !g.sooner(c, i) {
			return
		}
		g.exchange(c, i)
		i = c
	}
}

package network

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// SetCapacity changes what a link carries from now on: the rates of the transfers that
// this can reach are solved anew in this instant, and what they have moved so far stays.
// A capacity, in B/s, that is not positive and finite is a bug of the caller and panics.
func (n *Network) SetCapacity(id LinkID, capacity unit.Rate) {
	if !(capacity > 0) || math.IsInf(float64(capacity), 0) {
		panic(fmt.Sprintf("network: link %q with capacity %v", n.links[id].name, capacity))
	}
	l := n.links[id]
	l.turn(l.capacity, n.e.Now())
	l.capacity, l.most = float64(capacity), max(l.most, float64(capacity))
	if len(l.row) == 0 {
		return
	}
	n.dirty, n.theta = append(n.dirty, l), 0 // filling may go another way from the start
	n.change()
}

// Drop takes the transfers that were begun in a scope, which has ended, off their
// links. What they had moved is carried, the rest was never sent; their done is not
// called. Transfers that still waited for their latency have ended with the scope.
func (n *Network) Drop(s *engine.Scope) {
	var dropped []*flow
	for _, l := range n.links {
		dropped = l.group.of(s, dropped)
	}
	dropped = n.fresh.of(s, dropped)
	slices.SortFunc(dropped, func(a, b *flow) int { return cmp.Compare(a.seq, b.seq) })
	now := n.e.Now()
	for _, f := range dropped {
		g, moved := f.group, 0.0
		if g != n.fresh {
			moved = min(f.bytes, max(0, f.bytes-(f.mark-g.reading(now))))
		}
		for i := range f.cross {
			f.cross[i].link.dropped += f.bytes - moved
		}
		f.bytes = moved
		n.depart(f, now)
		if g != n.fresh {
			n.schedule(g)
		}
		f.path, f.done, f.scope = nil, nil, nil
		n.pool = append(n.pool, f)
	}
	if len(dropped) > 0 {
		n.change()
	}
}

// of adds the group's transfers of a scope to a list.
func (g *group) of(s *engine.Scope, list []*flow) []*flow {
	for _, f := range g.flows {
		if f.scope == s {
			list = append(list, f)
		}
	}
	return list
}

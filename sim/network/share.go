package network

import "math"

// rateTolerance is the relative difference below which two rates count as one:
// far above rounding (1e-16), far below what anybody could measure.
const rateTolerance = 1e-12

// sharing is what the solver keeps for a link while it solves.
type sharing struct {
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
func (n *Network) resolve() {
	n.solve = false
	now := n.e.Now()
	n.open = append(n.open[:0], n.flows...)
	n.busy = n.busy[:0]
	for i := range n.links {
		if l := &n.links[i]; l.flows > 0 {
			l.sharing = sharing{remains: l.capacity, open: l.flows}
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
	n.arm(now)
}

// bottleneck returns the smallest fair share that any link leaves to its open
// transfers, and marks the links at which it is the share as full. Links that
// tie up to rounding are full in one pass.
func (n *Network) bottleneck() float64 {
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
func (n *Network) bound(f *flow) bool {
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
func (n *Network) give(share float64) {
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

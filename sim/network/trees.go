package network

import "slices"

// trees: halves stream up two trees, to be reduced, and down again, all at once. Of
// several nodes, the first ranks are the vertices of the trees, and the others of a
// node a chain to and from it. Every send pays as many latencies as there are of its
// kind on the longest way, up and down.
func (p *Plan) trees(reduce bool, l Layout) {
	if len(l) == 1 {
		l = slices.Repeat(Layout{1}, p.Ranks)
	}
	ways := 1
	if reduce {
		ways = 2
	}
	starts := l.starts()
	var sends []Send
	edge := func(child, parent, hops int) { // of one half
		if reduce {
			sends = append(sends, Send{child, parent, 0.5, ways * hops})
		}
		if reduce || child != 0 { // rank 0 has what it broadcasts
			sends = append(sends, Send{parent, child, 0.5, ways * hops})
		}
	}
	depth := treeDepth(len(l))
	for i, s := range starts {
		for r := s + 1; r < s+l[i]; r++ {
			edge(r, r-1, slices.Max(l)-1)
			edge(r, r-1, slices.Max(l)-1)
		}
		for _, second := range []bool{false, true} {
			if up := treeParent(i, len(l), second); up >= 0 {
				edge(s, starts[up], depth)
			} else if !reduce && s != 0 { // the second tree's root gets its half first
				sends = append(sends, Send{0, s, 0.5, depth})
			}
		}
	}
	p.add(sends)
}

// treeParent returns the parent of vertex i of n in one of two binary trees, or -1 for
// the root. Odd vertices are leaves of the first tree, whose root is 0; the second is
// the first one mirrored or, for odd n, shifted by one, so that hardly anybody has
// children in both (as NCCL 2.4 builds them, recalled).
func treeParent(i, n int, second bool) int {
	switch {
	case !second:
		return treeUp(i, n)
	case n%2 == 0:
		if up := treeUp(n-1-i, n); up >= 0 {
			return n - 1 - up
		}
	default:
		if up := treeUp((i+n-1)%n, n); up >= 0 {
			return (up + 1) % n
		}
	}
	return -1
}

// treeUp replaces the lowest set bit of i by the next higher one; vertices whose parent
// would be beyond n hang one level higher.
func treeUp(i, n int) int {
	if i == 0 {
		return -1
	}
	bit := i & -i
	if up := i&^bit | bit<<1; up < n {
		return up
	}
	return i &^ bit
}

// treeDepth returns the greatest number of edges from a vertex to the root.
func treeDepth(n int) (depth int) {
	for i := range n {
		d := 0
		for v := i; v != 0; d++ {
			v = treeUp(v, n)
		}
		depth = max(depth, d)
	}
	return depth
}

package placement

// states numbers what routes know at a cut: nodes, by the leg behind it, and exits, by
// the leg before it. Both say how the skip at the cut lies:
//
//	whole   it begins in the leg before and ends in the one behind, or there is none
//	opened  it begins in the leg before and passes over the one behind, with a promise
//	passed  it passes over both, with a promise
//	closed  it passes over the leg before, with a promise, and ends in the one behind
//	lost    it begins before the leg before; more is not known
//
// Where routes keep track of no skips, there are whole ones only. Nodes of a closed
// skip need not know the promise: they know the face towards its begin.
type states struct {
	r          *relaxation
	node, exit []int // per pool: its first node, and exit, at a cut
	nodes      int   // per cut
	exits      int   // same
	promises
	next [2][][]int32 // per exit: the nodes that it leads to; first where promises are not kept
	hops []hop
	hop  []int32 // [cut*nodes + node]: its first hop; the next has its end
}

func newStates(r *relaxation) *states {
	p := r.p
	s := &states{r: r, node: make([]int, p.pools), exit: make([]int, p.pools)}
	if r.skips != nil {
		s.promises = newPromises(r)
	}
	for t := range p.pools {
		s.node[t], s.exit[t] = s.nodes, s.exits
		s.nodes += r.near[t] * total(s.nodeKinds(t))
		s.exits += r.near[t] * total(s.exitKinds())
	}
	for kept := range s.next {
		for t := range p.pools {
			for i := range r.near[t] * total(s.exitKinds()) {
				s.next[kept] = append(s.next[kept], s.behind(t, decode(r.near[t], s.exitKinds(), i), kept == 1))
			}
		}
	}
	s.hop = make([]int32, 1, p.layers*s.nodes+1)
	for a := range p.layers {
		for t := range p.pools {
			for i := range r.near[t] * total(s.nodeKinds(t)) {
				if i < s.nodesOf(t, a) {
					s.list(t, a, s.nodeOf(t, i))
				}
				s.hop = append(s.hop, int32(len(s.hops)))
			}
		}
	}
	return s
}

// state is a node or an exit of a pool, decoded: its kind, its face towards the
// neighbour, and the promise; of closed nodes, the face towards the begin of the skip.
type state struct{ kind, face, other int }

const (
	lost = iota + 1 // after whole
	opened
	passed
	closed
)

// kinds returns how many states of each kind there are for one face, in the order
// whole, lost, opened, passed, closed.
func (s *states) kinds(last int) [5]int {
	if s.r.skips == nil {
		return [5]int{1}
	}
	return [5]int{1, 1, len(s.closing), len(s.closing), last}
}

func (s *states) nodeKinds(t int) [5]int { return s.kinds(len(s.r.faces[t])) }
func (s *states) exitKinds() [5]int      { return s.kinds(len(s.closing)) }

// number returns where a state is among those of a pool with n faces.
func number(n int, kinds [5]int, v state) int {
	at := 0
	for _, k := range kinds[:v.kind] {
		at += k
	}
	return n*(at+v.other) + v.face
}

// decode is the inverse of number.
func decode(n int, kinds [5]int, i int) (v state) {
	v.face, v.other = i%n, i/n
	for ; v.other >= kinds[v.kind]; v.kind++ {
		v.other -= kinds[v.kind]
	}
	return v
}

func total(kinds [5]int) int { return kinds[0] + kinds[1] + kinds[2] + kinds[3] + kinds[4] }

// nodeAt returns the number of a node among those of a cut.
func (s *states) nodeAt(t int, v state) int {
	return s.node[t] + number(s.r.near[t], s.nodeKinds(t), v)
}

// nodeOf decodes the i-th node of a pool.
func (s *states) nodeOf(t, i int) state { return decode(s.r.near[t], s.nodeKinds(t), i) }

// nodesOf returns how many nodes a pool has at cut b.
func (s *states) nodesOf(t, b int) int {
	if !s.r.tracked(b) {
		return s.r.near[t]
	}
	return s.r.near[t] * total(s.nodeKinds(t))
}

// poolOf returns the pool of a node.
func (s *states) poolOf(node int) int {
	t := len(s.node) - 1
	for s.node[t] > node {
		t--
	}
	return t
}

// exitAt returns the number of an exit among those of a cut.
func (s *states) exitAt(t int, v state) int { return s.exit[t] + number(s.r.near[t], s.exitKinds(), v) }

// exitsAt returns how many exits a pool has at cut b.
func (s *states) exitsAt(t, b int) int {
	if !s.r.tracked(b) {
		return s.r.near[t]
	}
	return s.r.near[t] * total(s.exitKinds())
}

// hop is the legs from a node of one pool at cut a that have the same variants and
// exit and end at one of the cuts lo to hi.
type hop struct{ in, out, exit, lo, hi int }

// hopsFrom lists the hops from a node at cut a.
func (s *states) hopsFrom(a, node int) []hop {
	i := a*s.nodes + node
	return s.hops[s.hop[i]:s.hop[i+1]]
}

// list appends the hops from a node.
func (s *states) list(t, a int, v state) {
	r, end := s.r, s.r.p.layers
	k := skip{to: a}
	if r.tracked(a) {
		k = r.skips[a]
	}
	switch v.kind {
	case whole:
		s.anyExit(t, variant{kind: whole, face: v.face}, max(a, k.to)+1, end)
		return
	case lost:
		s.anyExit(t, variant{kind: loose, face: v.face}, a+1, end)
		return
	case closed:
		s.anyExit(t, variant{apart, v.face, v.other}, k.last+1, end)
		return
	}
	before := variant{kind: whole, face: v.face}
	if v.kind == passed {
		before = variant{kind: loose, face: v.face}
		if f := s.passing[v.other][t]; f >= 0 {
			before = variant{apart, v.face, f}
		}
	}
	in, last := r.indexOf(t, before), closing
	if k.last < k.to { // the leg behind need not end the skip
		last = loose
	}
	for face := range r.near[t] {
		s.hops = append(s.hops,
			hop{in, r.indexOf(t, variant{kind: loose, face: face}), s.exitAt(t, state{passed, face, v.other}), a + 1, k.last},
			hop{in, r.indexOf(t, variant{kind: last, face: face}), s.exitAt(t, state{closed, face, v.other}), a + 1, k.last})
	}
}

// anyExit appends hops to all exits that come from no promise.
func (s *states) anyExit(t int, before variant, lo, hi int) {
	r := s.r
	in := r.indexOf(t, before)
	for face := range r.near[t] {
		s.hops = append(s.hops, hop{in, r.indexOf(t, variant{kind: whole, face: face}), s.exitAt(t, state{kind: whole, face: face}), lo, hi})
		if r.skips == nil {
			continue
		}
		for own, promise := range s.of[t] {
			s.hops = append(s.hops, hop{in, r.indexOf(t, variant{apart, face, own}), s.exitAt(t, state{opened, face, promise}), lo, hi})
		}
		s.hops = append(s.hops, hop{in, r.indexOf(t, variant{kind: loose, face: face}), s.exitAt(t, state{kind: lost, face: face}), lo, hi})
	}
}

// behind lists the nodes to which an exit of pool t leads. A leg that ends a skip must
// keep its promise, if that is known at all cuts to the end.
func (s *states) behind(t int, v state, kept bool) (nodes []int32) {
	r, p := s.r, s.r.p
	for u := range p.pools {
		if u == t || r.face[t*p.pools+u] != v.face {
			continue
		}
		n := state{v.kind, r.face[u*p.pools+t], v.other}
		if v.kind == closed {
			n.other = s.passing[v.other][u]
			if kept {
				n.other = s.closing[v.other][u]
			}
			switch {
			case n.other < 0 && kept:
				continue
			case n.other < 0:
				n = state{kind: lost, face: n.face}
			}
		}
		nodes = append(nodes, int32(s.nodeAt(u, n)))
		if v.kind == opened && !kept {
			nodes = append(nodes, int32(s.nodeAt(u, state{kind: lost, face: n.face})))
		}
	}
	return nodes
}

// leads lists the nodes at cut b to which an exit leads.
func (s *states) leads(b, exit int) []int32 {
	kept := 0
	if s.r.tracked(b) && s.r.skips[b].last == s.r.skips[b].to {
		kept = 1
	}
	return s.next[kept][exit]
}

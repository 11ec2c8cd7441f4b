package network

import (
	"fmt"
	"slices"
)

// Collective is what an operation does. Its buffer is what every rank holds of it
// in the end (or, for ReduceScatter and AllToAll, in the beginning).
type Collective string

// The collective operations.
const (
	AllReduceOp     Collective = "all-reduce"
	ReduceScatterOp Collective = "reduce-scatter"
	AllGatherOp     Collective = "all-gather"
	AllToAllOp      Collective = "all-to-all"
	BroadcastOp     Collective = "broadcast" // from rank 0
)

// Collectives lists the operations in the order of help.
func Collectives() []Collective {
	return []Collective{AllReduceOp, ReduceScatterOp, AllGatherOp, AllToAllOp, BroadcastOp}
}

// Algorithm is how ranks go about a collective operation.
type Algorithm string

// The algorithms. An all-to-all goes straight from every rank to every other one,
// but for the hierarchical one; reduce-scatter and all-gather by trees do not exist
// and are rings.
const (
	// RingAlgorithm passes chunks on from rank to rank (Patarasuk and Yuan, JPDC 2009).
	RingAlgorithm Algorithm = "ring"
	// TreeAlgorithm streams halves over two binary trees such that nobody has children
	// in both (Sanders, Speck and Traeff, "Two-tree algorithms for full bandwidth
	// broadcast, reduction and scan", Parallel Computing 2009). Inside a node it is a
	// chain to and from one rank (as in NCCL 2.4).
	TreeAlgorithm Algorithm = "tree"
	// HalvingDoubling exchanges halves with partners at distances 1, 2, 4, ...; ranks
	// beyond a power of two first hand their data to a partner (Rabenseifner 2004;
	// Thakur, Rabenseifner and Gropp, IJHPCA 2005).
	HalvingDoubling Algorithm = "halving-doubling"
	// Hierarchical works inside every node, then across nodes among the ranks of the
	// same place, then inside again. Nodes with unlike numbers of ranks take part
	// through one rank each.
	Hierarchical Algorithm = "hierarchical"
)

// Algorithms lists the algorithms in the order of help.
func Algorithms() []Algorithm {
	return []Algorithm{RingAlgorithm, TreeAlgorithm, HalvingDoubling, Hierarchical}
}

// Layout is how many ranks are in each node, in the order of ranks.
type Layout []int

// Uniform is n ranks in nodes of perNode, the last one with what is left.
func Uniform(n, perNode int) (l Layout) {
	for ; n > 0; n -= perNode {
		l = append(l, min(n, perNode))
	}
	return l
}

// Ranks returns how many there are in all nodes.
func (l Layout) Ranks() (n int) {
	for _, k := range l {
		n += k
	}
	return n
}

// starts returns the first rank of each node.
func (l Layout) starts() []int {
	s := make([]int, len(l))
	for i := 1; i < len(l); i++ {
		s[i] = s[i-1] + l[i-1]
	}
	return s
}

// New returns the plan of an operation for a buffer of one byte. Names that are not
// among those listed are a bug of the caller and panic.
func (c Collective) New(a Algorithm, l Layout) *Plan {
	n := l.Ranks()
	p := &Plan{Ranks: n}
	if n < 2 {
		return p
	}
	hierarchical := a == Hierarchical && len(l) > 1 && len(l) < n
	switch {
	case !slices.Contains(Algorithms(), a) || !slices.Contains(Collectives(), c):
		panic(fmt.Sprintf("network: no %q by %q", c, a))
	case hierarchical && slices.Min(l) == slices.Max(l):
		p.levels(c, len(l), l[0])
	case hierarchical && c != AllToAllOp:
		p.leaders(c, l)
	case c == AllToAllOp:
		p.direct()
	case a == TreeAlgorithm && (c == AllReduceOp || c == BroadcastOp):
		p.trees(c == AllReduceOp, l)
	case a == HalvingDoubling:
		p.halving(c)
	default:
		p.ring(c)
	}
	return p
}

// ring: every rank streams to the next one. An all-reduce is a reduce-scatter and an
// all-gather of n-1 steps each; a broadcast is a chain.
func (p *Plan) ring(c Collective) {
	n := p.Ranks
	steps, last := n-1, n
	bytes := float64(steps) / float64(n)
	switch c {
	case AllReduceOp:
		steps, bytes = 2*steps, 2*bytes
	case BroadcastOp:
		last, bytes = n-1, 1
	}
	sends := make([]Send, last)
	for r := range sends {
		sends[r] = Send{r, (r + 1) % n, bytes, steps}
	}
	p.add(sends)
}

// direct: every rank sends its part to every other one.
func (p *Plan) direct() {
	n := p.Ranks
	sends := make([]Send, 0, n*(n-1))
	for r := range n {
		for d := 1; d < n; d++ { // nobody is everybody's first
			sends = append(sends, Send{r, (r + d) % n, 1 / float64(n), 1})
		}
	}
	p.add(sends)
}

// halving: partners at distances 1, 2, 4, ... exchange halves, quarters, eighths, so
// that most bytes stay near; an all-gather goes the same way backwards. 2^k ranks
// take part; of the others each stands behind one of them, its neighbour.
func (p *Plan) halving(c Collective) {
	n := p.Ranks
	k := log2(n)
	half := 1 << k
	behind := n - half
	rank := func(i int) int { return i + min(i, behind) } // of participant i
	aside := func(bytes float64, back bool) {
		var sends []Send
		for i := range behind {
			s := Send{rank(i) + 1, rank(i), bytes, 1}
			if back {
				s.From, s.To = s.To, s.From
			}
			sends = append(sends, s)
		}
		p.add(sends)
	}
	exchange := func(bit int, bytes float64) {
		sends := make([]Send, half)
		for i := range sends {
			sends[i] = Send{rank(i), rank(i ^ 1<<bit), bytes, 1}
		}
		p.add(sends)
	}
	share := func(bit int) float64 { return 1 / float64(int(2)<<bit) }
	switch c {
	case AllReduceOp, ReduceScatterOp:
		aside(1, false)
		for bit := range k {
			exchange(bit, share(bit))
		}
	case AllGatherOp:
		aside(1/float64(n), false)
	case BroadcastOp: // a scatter along a binomial tree, then an all-gather (van de Geijn)
		for bit := range k {
			var sends []Send
			for i := 0; i < half; i += half >> bit {
				to := i + half>>(bit+1)
				sends = append(sends, Send{rank(i), rank(to), share(bit), 1})
			}
			p.add(sends)
		}
		for bit := range k {
			exchange(bit, float64(int(1)<<bit)/float64(half))
		}
	}
	if c == AllReduceOp || c == AllGatherOp {
		for bit := k - 1; bit >= 0; bit-- {
			exchange(bit, share(bit))
		}
	}
	if c == ReduceScatterOp {
		aside(1/float64(n), true)
	} else {
		aside(1, true)
	}
}

// levels: inside each of the nodes, then across, each place of a node on its own.
func (p *Plan) levels(c Collective, nodes, per int) {
	inner := func(c Collective) {
		p.many(nodes, per, c, 1, func(node, local int) int { return node*per + local })
	}
	outer := func(c Collective, bytes float64) {
		p.many(per, nodes, c, bytes, func(local, node int) int { return node*per + local })
	}
	part := 1 / float64(per)
	switch c {
	case AllReduceOp:
		inner(ReduceScatterOp)
		outer(AllReduceOp, part)
		inner(AllGatherOp)
	case ReduceScatterOp:
		inner(ReduceScatterOp)
		outer(ReduceScatterOp, part)
	case AllGatherOp:
		outer(AllGatherOp, part)
		inner(AllGatherOp)
	case BroadcastOp:
		p.add(star(0, per, part, true))
		outer(BroadcastOp, part)
		inner(AllGatherOp)
	case AllToAllOp: // first to the peer in the receiver's place
		inner(AllToAllOp)
		outer(AllToAllOp, 1)
	}
}

// many adds count operations at the same time, each a ring (or direct) among size
// ranks; rename says which rank of p is rank r of operation k.
func (p *Plan) many(count, size int, c Collective, bytes float64, rename func(k, r int) int) {
	one := &Plan{Ranks: size}
	if size < 2 {
		return
	}
	if c == AllToAllOp {
		one.direct()
	} else {
		one.ring(c)
	}
	for _, ph := range one.phases {
		sends := make([]Send, 0, count*len(ph.sends))
		for k := range count {
			for _, s := range ph.sends {
				sends = append(sends, Send{rename(k, s.From), rename(k, s.To), s.Bytes * bytes, s.Hops})
			}
		}
		p.add(sends)
	}
}

// star is sends between the first of ranks and the others.
func star(first, ranks int, bytes float64, out bool) (sends []Send) {
	for r := first + 1; r < first+ranks; r++ {
		s := Send{first, r, bytes, 1}
		if !out {
			s.From, s.To = r, first
		}
		sends = append(sends, s)
	}
	return sends
}

// leaders: the first rank of each node collects, takes part in a ring of those of all
// nodes, and hands out.
func (p *Plan) leaders(c Collective, l Layout) {
	n := p.Ranks
	starts := l.starts()
	chains := func(out bool) (sends []Send) {
		for i, s := range starts {
			for r := s + 1; r < s+l[i]; r++ {
				send := Send{r, r - 1, 1, l[i] - 1}
				if out {
					send.From, send.To = send.To, send.From
				}
				sends = append(sends, send)
			}
		}
		return sends
	}
	stars := func(out bool) (sends []Send) {
		for i, s := range starts {
			sends = append(sends, star(s, l[i], 1/float64(n), out)...)
		}
		return sends
	}
	switch c {
	case AllReduceOp, ReduceScatterOp:
		p.add(chains(false))
	case AllGatherOp:
		p.add(stars(false))
	}
	p.many(1, len(l), c, 1, func(_, node int) int { return starts[node] })
	if c == ReduceScatterOp {
		p.add(stars(true))
	} else {
		p.add(chains(true))
	}
}

// PushPullPlan is synchronous training with parameter servers: workers 0 to n-1 send
// each of the servers, which are ranks n and up, its part of the gradients; when a
// server has all of them it sends its part of the parameters back (Li et al.,
// "Scaling Distributed Machine Learning with the Parameter Server", OSDI 2014).
func PushPullPlan(workers, servers int) *Plan {
	p := &Plan{Ranks: workers + servers}
	for _, pull := range []bool{false, true} {
		var sends []Send
		for w := range workers {
			for i := range servers {
				s := Send{w, workers + (w+i)%servers, 1 / float64(servers), 1}
				if pull {
					s.From, s.To = s.To, s.From
				}
				sends = append(sends, s)
			}
		}
		p.add(sends)
	}
	return p
}

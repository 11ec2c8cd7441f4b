package slots

// ring is a circular list of slots from the oldest to the newest. It gives a queue
// whose oldest becomes the newest by moving one pointer.
type ring struct {
	nodes  []node // per slot
	oldest int32  // none when empty

	// The oldest slot that is not known to be pinned, while a round makes room;
	// none: start at the oldest. Slots before it in the ring are pinned.
	scan int32
}

type node struct{ prev, next int32 }

func newRing(slots int) ring {
	return ring{nodes: make([]node, slots), oldest: none, scan: none}
}

// prepare readies the ring for a round of t's. The memory is taken at the first
// round: a replay needs none.
func (r *ring) prepare(t *Table) {
	if r.nodes == nil {
		*r = newRing(t.cfg.occupiable())
	}
	r.scan = none
}

// push makes s, which is not in the ring, the newest.
func (r *ring) push(s int32) {
	if r.oldest == none {
		r.nodes[s] = node{s, s}
		r.oldest = s
		return
	}
	r.link(s)
}

// link puts s between the newest and the oldest.
func (r *ring) link(s int32) {
	first := r.oldest
	last := r.nodes[first].prev
	r.nodes[s] = node{last, first}
	r.nodes[last].next = s
	r.nodes[first].prev = s
}

// remove takes s out.
func (r *ring) remove(s int32) {
	n := r.nodes[s]
	if n.next == s {
		r.oldest = none
		return
	}
	r.nodes[n.prev].next = n.next
	r.nodes[n.next].prev = n.prev
	if r.oldest == s {
		r.oldest = n.next
	}
}

// rotate makes the oldest the newest and returns it.
func (r *ring) rotate() int32 {
	s := r.oldest
	r.oldest = r.nodes[s].next
	return s
}

// touch makes s the newest.
func (r *ring) touch(s int32) {
	n := r.nodes[s]
	if s == r.oldest {
		r.oldest = n.next
		return
	}
	r.nodes[n.prev].next = n.next
	r.nodes[n.next].prev = n.prev
	r.link(s)
}

// oldestFree takes the oldest slot without pins out and returns it. Pinned slots keep
// their place. A round's begin must have reset scan.
func (r *ring) oldestFree(pins []uint32) int32 {
	s := r.scan
	if s == none {
		s = r.oldest
	}
	for pins[s] > 0 {
		s = r.nodes[s].next
	}
	r.scan = r.nodes[s].next
	if r.scan == r.oldest {
		r.scan = none // s is the newest
	}
	r.remove(s)
	return s
}

package slots

// list is one of several doubly linked lists that share their nodes: an item is
// in one of them at most. The head is a node of its own behind the items, so that
// nothing has to ask whether a list is empty.
type list struct {
	nodes []node // of all items, then the heads
	head  int32  // its next is the oldest item, its prev the newest
	len   int

	// While a round makes room: the newest of the oldest items that are known to
	// be pinned; head: none is known.
	passed int32
}

// newLists returns n empty lists of items 0 to items-1, 8 bytes per item.
func newLists(items, n int) []list {
	nodes := make([]node, items+n)
	lists := make([]list, n)
	for i := range lists {
		h := int32(items + i)
		nodes[h] = node{h, h}
		lists[i] = list{nodes: nodes, head: h, passed: h}
	}
	return lists
}

// push makes s, which is in no list, the newest.
func (l *list) push(s int32) {
	last := l.nodes[l.head].prev
	l.nodes[s] = node{last, l.head}
	l.nodes[last].next = s
	l.nodes[l.head].prev = s
	l.len++
}

// remove takes s out of this list.
func (l *list) remove(s int32) {
	n := l.nodes[s]
	l.nodes[n.prev].next = n.next
	l.nodes[n.next].prev = n.prev
	l.len--
}

// touch makes s, which is in the list, the newest.
func (l *list) touch(s int32) {
	l.remove(s)
	l.push(s)
}

// oldest returns the oldest item of a list that is not empty.
func (l *list) oldest() int32 { return l.nodes[l.head].next }

// rescan says that pins may have been dropped.
func (l *list) rescan() { l.passed = l.head }

// unpinned returns the oldest slot without pins, or none. In one round it passes
// every pinned slot once: call rescan when the round begins, and let no slot that
// it has passed change its place.
func (l *list) unpinned(pins []uint32) int32 {
	for {
		s := l.nodes[l.passed].next
		if s == l.head {
			return none
		}
		if pins[s] == 0 {
			return s
		}
		l.passed = s
	}
}

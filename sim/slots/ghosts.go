package slots

// ghosts are keys that have left the slots and are still remembered, in one or
// more lists of bounded length in all. They cost 12 bytes each, and an index of
// the table's kind: 4 bytes per row of a dense one.
type ghosts struct {
	index index // key -> ghost
	keys  []uint32
	nodes []node // of the lists
	free  int32  // the first of those in no list, linked by next; none: all are used
}

// newGhosts returns memory for n ghosts of t's keys, and lists for them.
func newGhosts(t *Table, n, lists int) (ghosts, []list) {
	n = int(min(int64(n), t.cfg.Rows))
	all := newLists(n, lists)
	g := ghosts{index: newIndex(t.cfg.Rows, n), keys: make([]uint32, n), nodes: all[0].nodes, free: none}
	for i := int32(n) - 1; i >= 0; i-- {
		g.nodes[i].next, g.free = g.free, i
	}
	return g, all
}

// most returns the number of keys that can be remembered.
func (g *ghosts) most() int { return len(g.keys) }

// find returns the ghost of k, or none.
func (g *ghosts) find(k uint32) int32 { return g.index.get(k) }

func (g *ghosts) remembers(k uint32) bool { return g.find(k) != none }

// add remembers k as the newest of l. There is room.
func (g *ghosts) add(l *list, k uint32) int32 {
	i := g.free
	g.free = g.nodes[i].next
	g.keys[i] = k
	g.index.set(k, i)
	l.push(i)
	return i
}

// drop forgets ghost i of l.
func (g *ghosts) drop(l *list, i int32) {
	l.remove(i)
	g.index.del(g.keys[i])
	g.nodes[i].next, g.free = g.free, i
}

// ghostQueue is a queue of ghosts: the newest pushes the oldest out.
type ghostQueue struct {
	ghosts
	queue list
}

func newGhostQueue(t *Table, n int) ghostQueue {
	g, lists := newGhosts(t, n, 1)
	return ghostQueue{g, lists[0]}
}

// push remembers k, which is not remembered.
func (g *ghostQueue) push(k uint32) {
	if len(g.keys) == 0 {
		return
	}
	if g.queue.len == len(g.keys) {
		g.drop(&g.queue, g.queue.oldest())
	}
	g.add(&g.queue, k)
}

// recall forgets k and reports whether it was remembered.
func (g *ghostQueue) recall(k uint32) bool {
	i := g.find(k)
	if i == none {
		return false
	}
	g.drop(&g.queue, i)
	return true
}

package rounds

// none is the place of a row that has none.
const none int32 = -1

// denseRows is up to how many rows an lru finds its rows by an array of 4 bytes a
// row (64 MiB); beyond it, it hashes them.
const denseRows = 1 << 24

// lru is a set of rows in order of last use, each dirty or clean. A place of a row
// is valid until the next remove or oldest.
type lru struct {
	capacity int
	nodes    []node // 16 bytes a row
	newest   int32

	dense  []int32          // row -> place + 1
	sparse map[uint32]int32 // row -> place
}

// node is a row and its neighbours in the ring from the newest to the oldest and
// round to the newest.
type node struct {
	key        uint32
	next, prev int32 // towards the oldest, towards the newest
	dirty      bool
}

func newLRU(rows int64, capacity int) lru {
	c := lru{capacity: capacity, newest: none}
	if capacity > 0 && rows <= denseRows {
		c.dense = make([]int32, rows)
	} else {
		c.sparse = map[uint32]int32{}
	}
	return c
}

func (c *lru) full() bool { return len(c.nodes) == c.capacity }

// find returns the place of row k, or none.
func (c *lru) find(k uint32) int32 {
	if c.dense != nil {
		return c.dense[k] - 1
	}
	if at, ok := c.sparse[k]; ok {
		return at
	}
	return none
}

func (c *lru) place(k uint32, at int32) {
	if c.dense != nil {
		c.dense[k] = at + 1
	} else {
		c.sparse[k] = at
	}
}

func (c *lru) forget(k uint32) {
	if c.dense != nil {
		c.dense[k] = 0
	} else {
		delete(c.sparse, k)
	}
}

// add makes row k, which is not in the set, its newest. There is room.
func (c *lru) add(k uint32, dirty bool) {
	at := int32(len(c.nodes))
	c.nodes = append(c.nodes, node{key: k, dirty: dirty})
	c.place(k, at)
	c.link(at)
}

// mark makes the row at a place dirty.
func (c *lru) mark(at int32) { c.nodes[at].dirty = true }

// link makes the row at a place, which is not in the ring, the newest.
func (c *lru) link(at int32) {
	n := &c.nodes[at]
	n.next, n.prev = at, at
	if c.newest != none {
		first := &c.nodes[c.newest]
		n.next, n.prev = c.newest, first.prev
		c.nodes[first.prev].next = at
		first.prev = at
	}
	c.newest = at
}

// unlink takes the row at a place out of the ring.
func (c *lru) unlink(at int32) {
	n := c.nodes[at]
	if n.next == at {
		c.newest = none
		return
	}
	c.nodes[n.prev].next = n.next
	c.nodes[n.next].prev = n.prev
	if c.newest == at {
		c.newest = n.next
	}
}

func (c *lru) touch(at int32) {
	if c.newest != at {
		c.unlink(at)
		c.link(at)
	}
}

// remove takes the row at a place out of the set and reports whether it was dirty.
// The row at the last place moves into the gap.
func (c *lru) remove(at int32) (dirty bool) {
	dirty = c.nodes[at].dirty
	c.unlink(at)
	c.forget(c.nodes[at].key)
	last := int32(len(c.nodes) - 1)
	if at != last {
		c.move(last, at)
	}
	c.nodes = c.nodes[:last]
	return dirty
}

// move gives the row at a place another one, which is free.
func (c *lru) move(from, to int32) {
	n := c.nodes[from]
	if n.next == from {
		n.next, n.prev = to, to
	}
	c.nodes[to] = n
	c.nodes[n.prev].next = to
	c.nodes[n.next].prev = to
	c.place(n.key, to)
	if c.newest == from {
		c.newest = to
	}
}

// oldest takes the row whose last use is longest ago out of the set.
func (c *lru) oldest() (k uint32, dirty bool) {
	at := c.nodes[c.newest].prev
	k = c.nodes[at].key
	return k, c.remove(at)
}

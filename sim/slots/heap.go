package slots

// slotHeap orders slots by a priority, the least first, and among equals by when
// they got it: an indexed binary heap. 28 bytes per slot.
type slotHeap struct {
	cells []heapCell
	at    []int32 // per slot: its cell; none
	now   uint64

	// Pinned slots that were the least while a round made room: they are out of the
	// heap until the next round.
	aside []heapCell
}

type heapCell struct {
	priority float64
	since    uint64
	slot     int32
}

func newSlotHeap(slots int) slotHeap {
	h := slotHeap{cells: make([]heapCell, 0, slots), at: make([]int32, slots)}
	for s := range h.at {
		h.at[s] = none
	}
	return h
}

func (c *heapCell) before(d *heapCell) bool {
	return c.priority < d.priority || c.priority == d.priority && c.since < d.since
}

// put gives slot s, which may be in the heap already, a priority.
func (h *slotHeap) put(s int32, priority float64) {
	h.now++
	h.insert(heapCell{priority, h.now, s})
}

func (h *slotHeap) insert(c heapCell) {
	i := h.at[c.slot]
	if i == none {
		i = int32(len(h.cells))
		h.cells = append(h.cells, c)
	}
	h.settle(i, c)
}

// remove takes slot s, which is in the heap, out.
func (h *slotHeap) remove(s int32) {
	i, last := h.at[s], int32(len(h.cells)-1)
	h.at[s] = none
	c := h.cells[last]
	h.cells = h.cells[:last]
	if i != last {
		h.settle(i, c)
	}
}

// settle puts c where it belongs, from the free cell i up or down.
func (h *slotHeap) settle(i int32, c heapCell) {
	for i > 0 {
		up := (i - 1) / 2
		if !c.before(&h.cells[up]) {
			break
		}
		h.move(i, h.cells[up])
		i = up
	}
	for n := int32(len(h.cells)); 2*i+1 < n; {
		down := 2*i + 1
		if down+1 < n && h.cells[down+1].before(&h.cells[down]) {
			down++
		}
		if !h.cells[down].before(&c) {
			break
		}
		h.move(i, h.cells[down])
		i = down
	}
	h.move(i, c)
}

func (h *slotHeap) move(i int32, c heapCell) {
	h.cells[i] = c
	h.at[c.slot] = i
}

// rescan says that pins may have been dropped.
func (h *slotHeap) rescan() {
	for _, c := range h.aside {
		h.insert(c)
	}
	h.aside = h.aside[:0]
}

// unpinned returns the least slot without pins, or none. In one round it passes
// every pinned slot once: call rescan when the round begins.
func (h *slotHeap) unpinned(pins []uint32) int32 {
	for len(h.cells) > 0 {
		c := h.cells[0]
		if pins[c.slot] == 0 {
			return c.slot
		}
		h.remove(c.slot)
		h.aside = append(h.aside, c)
	}
	return none
}

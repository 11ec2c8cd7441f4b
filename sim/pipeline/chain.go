package pipeline

import "math/bits"

// chain is the recurrence of a plain chain of stages: columns and state.do, fused
// for the case that nearly every scheme is, with the state of a stage in one
// place. It computes the same maxima and sums.
type chain struct {
	cells       []cell
	at          []int32 // stage -> cell
	ring        []int64 // gradients on their way, see cell.ring
	m           int
	forwardOnly bool
	row         tandem // scratch
}

// cell is one segment, the channel to the next one and the one to the last.
// Times are in nanoseconds; "since" is when something is free.
type cell struct {
	free              int64
	forward, backward int64
	down, downSince   int64 // to the next segment: time of an activation
	up, upSince       int64 // to the last segment: time of a gradient
	window            int32
	// A gradient that segment s+1 sends in column i is used by s in column
	// i + late, late = window[s] - window[s+1]. Until then micro-batch j's is at
	// chain.ring[in + j&mask]; with late = 0 it is handed over in a register. The
	// ring of the segment before is at out.
	late, before bool
	in, mask     int32
	out, outMask int32
}

// newChain lays out p, for which isChain holds.
func newChain(p *Pipeline) *chain {
	n := len(p.Segments)
	c := &chain{cells: make([]cell, n), at: make([]int32, n), m: p.Microbatches, forwardOnly: p.ForwardOnly}
	size := 0
	for s := range c.cells {
		k := &c.cells[s]
		seg := &p.Segments[s]
		c.at[seg.Stage] = int32(s)
		k.forward, k.backward = int64(seg.Forward), int64(seg.Backward)
		k.window = int32(p.window(s))
		if s == 0 {
			continue
		}
		last, ch := &c.cells[s-1], &p.Channels[s-1]
		last.down, k.up = int64(ch.Forward), int64(ch.Backward)
		if late := last.window - k.window; late > 0 {
			// late + 1 gradients are alive at once; a power of two makes j&mask their place.
			room := 1 << bits.Len32(uint32(late))
			last.late, last.in, last.mask = true, int32(size), int32(room-1)
			k.before, k.out, k.outMask = true, last.in, last.mask
			size += room
		}
	}
	c.ring = make([]int64, size)
	c.row.tops = make([]top, 0, 2*n)
	return c
}

func (c *chain) reset() {
	for s := range c.cells {
		k := &c.cells[s]
		k.free, k.downSince, k.upSince = 0, 0, 0
	}
}

// step runs all operations of a training step in column order. In column i the
// segments lo to hi have a backward pass to do: windows do not grow, so those
// whose micro-batch i - window + 1 exists are neighbours.
func (c *chain) step() {
	if c.flushes() {
		c.flush()
		return
	}
	lo, hi := len(c.cells), len(c.cells)
	for i := range c.m + int(c.cells[0].window) - 1 {
		if i < c.m {
			c.forwardColumn()
		}
		for lo > 0 && int(c.cells[lo-1].window) <= i+1 {
			lo--
		}
		for hi > lo && int(c.cells[hi-1].window) <= i+1-c.m {
			hi--
		}
		c.backwardColumn(c.cells[lo:hi], int32(i))
	}
}

// forwardColumn passes one micro-batch through all segments. The last one's
// channel leads nowhere and takes no time.
func (c *chain) forwardColumn() {
	var arrived int64
	for s := range c.cells {
		k := &c.cells[s]
		t := max(k.free, arrived) + k.forward
		k.free = t
		arrived = max(t, k.downSince) + k.down
		k.downSince = arrived
	}
}

// backwardColumn runs the backward passes of column i, from the last segment to
// the first.
func (c *chain) backwardColumn(cells []cell, i int32) {
	var arrived int64
	for s := len(cells) - 1; s >= 0; s-- {
		k := &cells[s]
		j := i - k.window + 1
		if k.late {
			arrived = c.ring[k.in+j&k.mask]
		}
		t := max(k.free, arrived) + k.backward
		k.free = t
		arrived = max(t, k.upSince) + k.up
		k.upSince = arrived
		if k.before {
			c.ring[k.out+j&k.outMask] = arrived
		}
	}
}

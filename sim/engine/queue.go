package engine

import "time"

// item is what the queue orders: by time, then by the order of scheduling. It
// refers to its entry by number, so that sorting writes no pointers, which would
// cost a barrier each whenever the garbage collector is at work.
type item struct {
	at    time.Duration
	id    uint64
	index uint32 // in Engine.entries
}

func (a item) before(b item) bool {
	return a.at < b.at || a.at == b.at && a.id < b.id
}

// eventQueue is a heap with four children per node: half as deep as a binary one,
// and the children of a node lie side by side in memory.
type eventQueue []item

const arity = 4

func (q *eventQueue) push(it item) {
	*q = append(*q, it)
	h := *q
	i := len(h) - 1
	for i > 0 {
		parent := (i - 1) / arity
		if !it.before(h[parent]) {
			break
		}
		h[i] = h[parent]
		i = parent
	}
	h[i] = it
}

// pop removes and returns the first item of a queue that is not empty.
func (q *eventQueue) pop() item {
	h := *q
	first := h[0]
	last := len(h) - 1
	it := h[last]
	*q = h[:last]
	if last > 0 {
		q.sink(0, it)
	}
	return first
}

// sink puts an item where node i is, or further down.
func (q eventQueue) sink(i int, it item) {
	for {
		child := arity*i + 1
		if child >= len(q) {
			break
		}
		for c, end := child+1, min(child+arity, len(q)); c < end; c++ {
			if q[c].before(q[child]) {
				child = c
			}
		}
		if !q[child].before(it) {
			break
		}
		q[i] = q[child]
		i = child
	}
	q[i] = it
}

// heapify makes a heap of items in any order.
func (q eventQueue) heapify() {
	inner := (len(q) + arity - 2) / arity // nodes that have children
	for i := inner - 1; i >= 0; i-- {
		q.sink(i, q[i])
	}
}

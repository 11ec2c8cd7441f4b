package pipeline

import "math"

// tandem is what a row of resources makes of the micro-batches that all wait before the
// first one: each resource takes them one at a time, in order, and the same time for each.
// When the last one has left a resource follows without going through the others.
//
// Resource r, free since a time free(r), is done with micro-batch j at
//
//	C(r, j) = max(C(r-1, j), C(r, j-1)) + x(r), C(r, -1) = free(r).
//
// Unrolled, that is the longest path from some (k, -1) or from the first arrival to
// (r, j), which takes every resource from k to r once and j steps more; these do best on
// the slowest one:
//
//	C(r, j) = max over k <= r of free(k) + x(k) + ... + x(r) + j max(x(k), ..., x(r)).
//
// (Departures of queues in series are longest paths: Glynn and Whitt, 1991, "Departures
// from many queues in series"; here the services in a queue are all alike.) The candidates k whose slowest resource is the same one differ by a constant from
// there on. So it is enough to keep the best of each, ordered by how slow that is, the
// slowest at the bottom: a resource costs amortised constant time.
type tandem struct {
	again int64 // micro-batches after the first
	sum   int64 // of all services, which candidates are without
	tops  []top
}

// top is the best of the candidates with one slowest resource.
type top struct {
	slowest int64
	value   int64 // without tandem.sum
	best    int64 // among it and those below
}

// begin empties the row for so many micro-batches, at least 1.
func (t *tandem) begin(microbatches int) {
	t.again, t.sum, t.tops = int64(microbatches-1), 0, t.tops[:0]
}

// then adds a resource that is free since a time, 0 at the earliest, and returns when the
// last micro-batch leaves it.
func (t *tandem) then(free, service int64) int64 {
	value := free - t.sum + t.again*service
	t.sum += service
	n := len(t.tops)
	for n > 0 && t.tops[n-1].slowest <= service {
		n--
		value = max(value, t.tops[n].value+t.again*(service-t.tops[n].slowest))
	}
	best := int64(math.MinInt64)
	if n > 0 {
		best = t.tops[n-1].best
	}
	best = max(best, value)
	t.tops = append(t.tops[:n], top{service, value, best})
	return best + t.sum
}

// flushes reports whether no stage begins backward passes before it has run all forward
// passes (GPipe), or there are none: then a step is two rows of resources.
func (c *chain) flushes() bool {
	return c.forwardOnly || int(c.cells[len(c.cells)-1].window) >= c.m
}

// flush is step where flushes holds.
func (c *chain) flush() {
	t := &c.row
	t.begin(c.m)
	for s := range c.cells {
		k := &c.cells[s]
		k.free = t.then(k.free, k.forward)
		if s < len(c.cells)-1 {
			k.downSince = t.then(k.downSince, k.down)
		}
	}
	if c.forwardOnly {
		return
	}
	t.begin(c.m)
	for s := len(c.cells) - 1; s >= 0; s-- {
		k := &c.cells[s]
		k.free = t.then(k.free, k.backward)
		if s > 0 {
			k.upSince = t.then(k.upSince, k.up)
		}
	}
}

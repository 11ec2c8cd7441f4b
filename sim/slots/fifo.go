package slots

import "stowage/workloads/lookups"

// fifo evicts the row that was filled first; a hit changes nothing.
//
// State in replay: 1 byte per row, whether it is in the table, and 4 per slot, its key.
type fifo struct {
	ring
	t *Table

	replayed keyRing
}

// keyRing is the state of a replay whose rows leave in the order of filling: the
// keys in a circular array, the hand at the oldest once it is full.
type keyRing struct {
	marks []uint8 // per key
	keys  []uint32
	hand  int
}

// made returns the ring, with memory from the first replay on.
func (r *keyRing) made(t *Table) *keyRing {
	if r.marks == nil {
		r.marks, r.keys = make([]uint8, t.keySpace()), make([]uint32, t.cfg.occupiable())
	}
	return r
}

func newFIFO(t *Table) (policy, error) { return &fifo{t: t}, nil }

func (p *fifo) begin(lookups.Round) error {
	p.prepare(p.t)
	return nil
}

func (p *fifo) victim(int) int32       { return p.oldestFree(p.t.pins) }
func (p *fifo) hit(int32, int)         {}
func (p *fifo) fill(slot int32, _ int) { p.push(slot) }

func (p *fifo) mark(known []uint64) { markKeys(p.replayed.marks, known) }

func (p *fifo) replay(keys []uint32) (misses int) {
	t, r := p.t, p.replayed.made(p.t)
	marks, ring, hand, used := r.marks, r.keys, r.hand, t.used
	for _, k := range keys {
		if marks[k] != absent {
			continue
		}
		misses++
		marks[k] = fresh
		if used < len(ring) {
			ring[used] = k
			used++
			continue
		}
		marks[ring[hand]] = absent
		ring[hand] = k
		if hand++; hand == len(ring) {
			hand = 0
		}
	}
	r.hand, t.used = hand, used
	return misses
}

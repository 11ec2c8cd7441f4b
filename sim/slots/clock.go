package slots

import "stowage/workloads/lookups"

// clock is FIFO with a second chance (Corbato 1968): one bit per row, 0 when
// filled, 1 after a hit. The hand looks at the oldest: bit 1 is cleared and the row
// becomes the newest; bit 0 is evicted. The hand passes over a pinned row and leaves
// its bit: as with pages locked in memory, the row has had its turn.
//
// State in replay: 1 byte per row, whether it is in the table and its bit, and 4 per
// slot, its key.
type clock struct {
	ring
	t    *Table
	used []bool // per slot: hit since the hand last passed

	replayed keyRing
}

func newClock(t *Table) (policy, error) { return &clock{t: t}, nil }

func (p *clock) begin(lookups.Round) error {
	if p.nodes == nil {
		n := p.t.cfg.occupiable()
		p.ring, p.used = newRing(n), make([]bool, n)
	}
	return nil
}

func (p *clock) hit(slot int32, _ int) { p.used[slot] = true }

func (p *clock) fill(slot int32, _ int) {
	p.used[slot] = false
	p.push(slot)
}

func (p *clock) victim(int) int32 {
	for {
		s := p.oldest
		switch {
		case p.t.pins[s] > 0:
			p.rotate()
		case p.used[s]:
			p.used[p.rotate()] = false
		default:
			p.remove(s)
			return s
		}
	}
}

func (p *clock) mark(known []uint64) { markKeys(p.replayed.marks, known) }

func (p *clock) replay(keys []uint32) (misses int) {
	t, r := p.t, p.replayed.made(p.t)
	marks, ring, hand, used := r.marks, r.keys, r.hand, t.used
	for _, k := range keys {
		if marks[k] != absent {
			marks[k] = hit
			continue
		}
		misses++
		marks[k] = fresh
		if used < len(ring) {
			ring[used] = k
			used++
			continue
		}
		for {
			old := ring[hand]
			marks[old]--
			if marks[old] == absent {
				break
			}
			if hand++; hand == len(ring) {
				hand = 0
			}
		}
		ring[hand] = k
		if hand++; hand == len(ring) {
			hand = 0
		}
	}
	r.hand, t.used = hand, used
	return misses
}

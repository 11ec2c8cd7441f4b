package slots

import "stowage/workloads/lookups"

// clock is FIFO with a second chance: one bit per row, 0 when filled, 1 after a
// hit. The hand looks at the oldest: bit 1 is cleared and the row becomes the
// newest; bit 0 is evicted. The hand passes over a pinned row and leaves its bit:
// as with pages locked in memory, the row has had its turn.
type clock struct {
	ring
	t    *Table
	used []bool // per slot: hit since the hand last passed
}

func newClock(t *Table) (policy, error) {
	n := t.cfg.occupiable()
	return &clock{newRing(n), t, make([]bool, n)}, nil
}

func (p *clock) begin(lookups.Round) error { return nil }
func (p *clock) hit(slot int32, _ int)     { p.used[slot] = true }

func (p *clock) fill(slot int32, _ int) {
	p.used[slot] = false
	p.push(slot)
}

// advance moves the hand to the next row that may go.
func (p *clock) advance() {
	for p.used[p.oldest] {
		p.used[p.rotate()] = false
	}
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

func (p *clock) replay(keys []uint32) (misses int) {
	t := p.t
	for _, k := range keys {
		if s := t.index.get(k); s != none {
			p.used[s] = true
			continue
		}
		misses++
		if t.used < len(t.keys) {
			p.push(t.occupy(k)) // a fresh slot's bit is 0
		} else {
			p.advance()
			t.replace(p.rotate(), k)
		}
	}
	return misses
}

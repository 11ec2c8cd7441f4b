package slots

import "stowage/workloads/lookups"

// clock is FIFO with a second chance: one bit per row, 0 when filled, 1 after a
// hit. The hand looks at the oldest: bit 1 is cleared and the row becomes the
// newest; bit 0 is evicted. The hand passes over a pinned row and leaves its bit:
// as with pages locked in memory, the row has had its turn.
type clock struct {
	ring
	used []bool // per slot: hit since the hand last passed
}

func newClock(cfg Config) (policy, error) {
	n := cfg.occupiable()
	return &clock{newRing(n), make([]bool, n)}, nil
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

func (p *clock) victims(n int, pins []uint32, dst []int32) []int32 {
	for n > 0 {
		if pins[p.oldest] > 0 {
			p.rotate()
			continue
		}
		if p.used[p.oldest] {
			p.used[p.rotate()] = false
			continue
		}
		dst = append(dst, p.oldest)
		p.remove(p.oldest)
		n--
	}
	return dst
}

func (p *clock) replay(t *Table, keys []uint32) (misses int) {
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

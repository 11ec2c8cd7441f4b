package slots

import "stowage/workloads/lookups"

// fifo evicts the row that was filled first; a hit changes nothing.
type fifo struct {
	ring
	t *Table
}

func newFIFO(t *Table) (policy, error) {
	return &fifo{newRing(t.cfg.occupiable()), t}, nil
}

func (p *fifo) begin(lookups.Round) error {
	p.scan = none
	return nil
}

func (p *fifo) victim(int) int32       { return p.oldestFree(p.t.pins) }
func (p *fifo) hit(int32, int)         {}
func (p *fifo) fill(slot int32, _ int) { p.push(slot) }

func (p *fifo) replay(keys []uint32) (misses int) {
	t := p.t
	for _, k := range keys {
		if t.index.get(k) != none {
			continue
		}
		misses++
		if t.used < len(t.keys) {
			p.push(t.occupy(k))
		} else {
			t.replace(p.rotate(), k)
		}
	}
	return misses
}

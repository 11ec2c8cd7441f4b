package slots

import "stowage/workloads/lookups"

// fifo evicts the row that was filled first; a hit changes nothing.
type fifo struct{ ring }

func newFIFO(cfg Config) (policy, error) {
	return &fifo{newRing(cfg.occupiable())}, nil
}

func (p *fifo) begin(lookups.Round) error { return nil }
func (p *fifo) hit(int32, int)            {}
func (p *fifo) fill(slot int32, _ int)    { p.push(slot) }

func (p *fifo) replay(t *Table, keys []uint32) (misses int) {
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

package slots

import "stowage/workloads/lookups"

// lru evicts the row whose last use is longest ago.
type lru struct {
	ring
	t *Table
}

func newLRU(t *Table) (policy, error) {
	return &lru{newRing(t.cfg.occupiable()), t}, nil
}

func (p *lru) begin(lookups.Round) error {
	p.scan = none
	return nil
}

func (p *lru) victim(int) int32       { return p.oldestFree(p.t.pins) }
func (p *lru) hit(slot int32, _ int)  { p.touch(slot) }
func (p *lru) fill(slot int32, _ int) { p.push(slot) }

func (p *lru) replay(keys []uint32) (misses int) {
	t := p.t
	dense, nodes := t.index.dense, p.nodes
	for _, k := range keys {
		var s int32
		if dense != nil {
			s = dense[k] - 1
		} else {
			s = t.index.get(k)
		}
		if s != none {
			p.oldest = touched(nodes, p.oldest, s)
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

package slots

import "stowage/workloads/lookups"

// lru evicts the row whose last use is longest ago.
type lru struct{ ring }

func newLRU(cfg Config) (policy, error) {
	return &lru{newRing(cfg.occupiable())}, nil
}

func (p *lru) begin(lookups.Round) error { return nil }
func (p *lru) hit(slot int32, _ int)     { p.touch(slot) }
func (p *lru) fill(slot int32, _ int)    { p.push(slot) }

func (p *lru) replay(t *Table, keys []uint32) (misses int) {
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

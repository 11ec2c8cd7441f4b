package slots

import (
	"math"

	"stowage/workloads/lookups"
)

// lfuAdmit is LFU with counts of all rows, in a slot or not ("perfect LFU"), that
// admits a missed row only when it has been looked up at least as often as the row
// that would leave, as FBGEMM's LFU cache does (fbgemm_gpu,
// lfu_cache_populate, at 71d6f8b2: lookups are counted per row of the table before
// the misses of a round are inserted). Among rows of equal counts the one that
// reached it first leaves. A row that is not admitted is read from below in its
// round.
//
// It may have fewer misses than MIN, which admits every missed row.
//
// A row's lookups in a round are counted before its misses are filled. State: that
// of LFU, and a count for every row that was ever looked up and is in no slot: 4
// bytes per row of the layer in an array, 16 to 32 per such row where rows are
// hashed. Counts of rows without a slot end at 2^31-2.
type lfuAdmit struct {
	byCount
	keys []uint32 // of the round
	past index    // key -> lookups, of rows in no slot
}

func newLFUAdmit(t *Table) (policy, error) {
	p := &lfuAdmit{past: newIndex(t.cfg.Rows, t.cfg.occupiable())}
	p.prepare(t)
	return p, nil
}

// refuses says that rows may be left without a slot.
func (p *lfuAdmit) refuses() {}

func (p *lfuAdmit) begin(r lookups.Round) error {
	p.keys = r.Keys
	for i, k := range r.Keys {
		if p.t.index.get(k) == none {
			p.remember(k, p.lookups(k)+uint64(r.Counts[i]))
		}
	}
	return p.byCount.begin(r)
}

// lookups returns how often a row without a slot has been looked up.
func (p *lfuAdmit) lookups(k uint32) uint64 { return uint64(max(p.past.get(k), 0)) }

func (p *lfuAdmit) remember(k uint32, n uint64) {
	p.past.put(k, int32(min(n, math.MaxInt32-1)))
}

// recall takes the lookups of a row that gets a slot.
func (p *lfuAdmit) recall(k uint32) uint64 {
	n := p.lookups(k)
	p.past.del(k)
	return n
}

func (p *lfuAdmit) fill(slot int32, i int) { p.start(slot, p.recall(p.keys[i])) }

func (p *lfuAdmit) victim(i int) int32 {
	s := p.unpinned()
	if n := p.count(s); n <= p.lookups(p.keys[i]) {
		p.take(s)
		p.remember(p.t.keys[s], n)
		return s
	}
	return none
}

func (p *lfuAdmit) remembers(k uint32) bool { return p.past.get(k) != none }
func (p *lfuAdmit) ghosts() int             { return everyKey }

func (p *lfuAdmit) replay(keys []uint32) (misses int) {
	t := p.t
	for _, k := range keys {
		if s := t.index.get(k); s != none {
			p.add(s, 1)
			continue
		}
		misses++
		p.remember(k, p.lookups(k)+1)
		if t.used < len(t.keys) {
			p.start(t.occupy(k), p.recall(k))
			continue
		}
		s := p.first()
		n := p.count(s)
		if n > p.lookups(k) {
			continue
		}
		p.leave(s)
		p.remember(t.keys[s], n)
		t.replace(s, k)
		p.start(s, p.recall(k))
	}
	return misses
}

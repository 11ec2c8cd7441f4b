package slots

import "stowage/workloads/lookups"

// lruLFU are the frequency-then-recency lists of the cache in main memory of HierPS
// (Zhao et al.: Distributed hierarchical GPU parameter server for massive scale deep
// learning ads systems, MLSys 2020, section 5, MEM-PS), as we recall the text: a row
// that is looked up goes into an LRU list; what leaves that goes into an LFU list;
// and the row with the fewest lookups leaves the LFU list and memory, among equals
// the one that has been there longest. The rows of the batches at work are pinned.
//
// The text, as recalled, does not say how the slots are divided: the LRU list has
// half of them. A row's lookups are counted from its fill on. The next row of the LFU
// list leaves when one is pinned, and when all are, the oldest row of the LRU list.
//
// State: 45 bytes per slot.
type lruLFU struct {
	t          *Table
	counts     []uint32 // of the round
	recent     list
	recentSize int
	frequent   slotHeap
	uses       []uint64 // per slot: lookups
	isRecent   []bool   // per slot
}

func newLRULFU(t *Table) (policy, error) {
	n := t.cfg.occupiable()
	return &lruLFU{
		t: t, recent: newLists(n, 1)[0],
		recentSize: max(1, t.cfg.Slots/2),
		frequent:   newSlotHeap(n),
		uses:       make([]uint64, n), isRecent: make([]bool, n),
	}, nil
}

func (p *lruLFU) begin(r lookups.Round) error {
	p.counts = r.Counts
	p.recent.rescan()
	p.frequent.rescan()
	return nil
}

func (p *lruLFU) hit(slot int32, i int)  { p.use(slot, p.counts[i]) }
func (p *lruLFU) victim(int) int32       { return p.makeRoom() }
func (p *lruLFU) fill(slot int32, i int) { p.enter(slot, p.counts[i]) }

func (p *lruLFU) use(s int32, n uint32) {
	p.uses[s] += uint64(n)
	if p.isRecent[s] {
		p.recent.touch(s)
		return
	}
	p.frequent.remove(s)
	p.join(s)
}

func (p *lruLFU) enter(s int32, n uint32) {
	p.uses[s] = uint64(n)
	p.join(s)
}

// join makes s the newest of the LRU list. What that has too much goes on.
func (p *lruLFU) join(s int32) {
	p.isRecent[s] = true
	p.recent.push(s)
	if p.recent.len <= p.recentSize {
		return
	}
	old := p.recent.oldest()
	if p.recent.passed == old {
		p.recent.rescan()
	}
	p.recent.remove(old)
	p.isRecent[old] = false
	p.frequent.put(old, float64(p.uses[old]))
}

func (p *lruLFU) makeRoom() int32 {
	if s := p.frequent.unpinned(p.t.pins); s != none {
		p.frequent.remove(s)
		return s
	}
	s := p.recent.unpinned(p.t.pins)
	p.recent.remove(s)
	return s
}

func (p *lruLFU) replay(keys []uint32) int { return p.t.replayBy(p, keys) }

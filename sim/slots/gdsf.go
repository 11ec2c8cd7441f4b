package slots

import "stowage/workloads/lookups"

// gdsf is GreedyDual-Size-Frequency (Cherkasova: Improving WWW proxies performance
// with Greedy-Dual-Size-Frequency caching policy, HP Laboratories report
// HPL-98-69R1, 1998). A row's priority is L + lookups x cost / size as of its last
// lookup, and the row with the least leaves, the one that has had it longest among
// equals; L is then raised to it, so that rows that were hot once age. The rows of a
// slot table have one size, and cost and size are 1: it is LFU with dynamic aging.
// Sized replays rows of different sizes, which no slot table holds.
//
// Lookups are counted from the fill on, all lookups of a row in a round. The next
// row leaves when one is pinned.
//
// State: 36 bytes per slot.
type gdsf struct {
	t      *Table
	counts []uint32 // of the round
	heap   slotHeap
	uses   []uint64 // per slot: lookups
	floor  float64  // L
}

func newGDSF(t *Table) (policy, error) {
	n := t.cfg.occupiable()
	return &gdsf{t: t, heap: newSlotHeap(n), uses: make([]uint64, n)}, nil
}

func (p *gdsf) begin(r lookups.Round) error {
	p.counts = r.Counts
	p.heap.rescan()
	return nil
}

func (p *gdsf) hit(slot int32, i int)  { p.use(slot, p.counts[i]) }
func (p *gdsf) victim(int) int32       { return p.makeRoom() }
func (p *gdsf) fill(slot int32, i int) { p.enter(slot, p.counts[i]) }

func (p *gdsf) use(s int32, n uint32) {
	p.uses[s] += uint64(n)
	p.heap.put(s, p.floor+float64(p.uses[s]))
}

func (p *gdsf) enter(s int32, n uint32) {
	p.uses[s] = 0
	p.use(s, n)
}

// makeRoom takes out the row with the least priority. One that was pinned before
// may have less than L by now, which never falls.
func (p *gdsf) makeRoom() int32 {
	s := p.heap.unpinned(p.t.pins)
	p.floor = max(p.floor, p.heap.cells[p.heap.at[s]].priority)
	p.heap.remove(s)
	return s
}

func (p *gdsf) replay(keys []uint32) int { return p.t.replayBy(p, keys) }

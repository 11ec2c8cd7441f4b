package slots

import "stowage/workloads/lookups"

// lfuAged is LFU with dynamic aging, LFU-DA (Arlitt, Cherkasova, Dilley, Friedrich
// and Jin: Evaluating content management techniques for web proxy caches, ACM
// Performance Evaluation Review 27(4), 2000): the key of a row is its lookups since
// it was filled plus the age of the table at its last one, and the row with the
// smallest key leaves; among equals the one that reached it first. The age is the
// largest key of a victim so far, so that rows that were hot once are overtaken by
// new ones. There is nothing to set.
//
// In rounds, all lookups of a row in a round count at once, and pinned rows are
// passed over; then a victim's key may be below the age, which stays.
//
// Keys only grow, so that the heap need not follow every hit: an entry is put right
// when it comes to the top.
//
// State: 48 bytes per slot beside the mapping.
type lfuAged struct {
	t      *Table
	rows   []agedRow   // per slot
	heap   []agedEntry // of all occupied slots but those aside
	aside  []agedEntry // found pinned in this round
	age    uint64
	now    uint64 // uses so far
	counts []uint32
}

type agedRow struct {
	count uint64
	key   uint64
	since uint64 // the use that made the key
}

// agedEntry is a row as it was when it was put into the heap.
type agedEntry struct {
	key, since uint64
	slot       int32
}

func (a agedEntry) before(b agedEntry) bool {
	return a.key < b.key || a.key == b.key && a.since < b.since
}

func newLFUAged(t *Table) (policy, error) {
	n := t.cfg.occupiable()
	return &lfuAged{t: t, rows: make([]agedRow, n), heap: make([]agedEntry, 0, n)}, nil
}

func (p *lfuAged) begin(r lookups.Round) error {
	p.counts = r.Counts
	for _, e := range p.aside {
		p.push(e)
	}
	p.aside = p.aside[:0]
	return nil
}

func (p *lfuAged) hit(slot int32, i int)  { p.use(slot, uint64(p.counts[i])) }
func (p *lfuAged) fill(slot int32, i int) { p.start(slot, uint64(p.counts[i])) }

func (p *lfuAged) use(slot int32, n uint64) {
	r := &p.rows[slot]
	p.now++
	r.count += n
	r.key = r.count + p.age
	r.since = p.now
}

// start puts a filled slot in.
func (p *lfuAged) start(slot int32, n uint64) {
	p.rows[slot].count = 0
	p.use(slot, n)
	p.push(p.entry(slot))
}

func (p *lfuAged) entry(slot int32) agedEntry {
	r := &p.rows[slot]
	return agedEntry{r.key, r.since, slot}
}

func (p *lfuAged) victim(int) int32 {
	for {
		s := p.least()
		if p.t.pins[s] == 0 {
			return p.evict()
		}
		p.aside = append(p.aside, p.heap[0])
		p.pop()
	}
}

// least brings the slot with the smallest key to the top.
func (p *lfuAged) least() int32 {
	for {
		top := p.heap[0]
		if top.since == p.rows[top.slot].since {
			return top.slot
		}
		p.sink(p.entry(top.slot))
	}
}

// evict takes the top out.
func (p *lfuAged) evict() int32 {
	s := p.heap[0].slot
	p.age = max(p.age, p.heap[0].key)
	p.pop()
	return s
}

func (p *lfuAged) pop() {
	last := len(p.heap) - 1
	e := p.heap[last]
	p.heap = p.heap[:last]
	if last > 0 {
		p.sink(e)
	}
}

// sink puts e in from the top.
func (p *lfuAged) sink(e agedEntry) {
	at := 0
	for {
		child := 2*at + 1
		if child >= len(p.heap) {
			break
		}
		if right := child + 1; right < len(p.heap) && p.heap[right].before(p.heap[child]) {
			child = right
		}
		if !p.heap[child].before(e) {
			break
		}
		p.heap[at] = p.heap[child]
		at = child
	}
	p.heap[at] = e
}

func (p *lfuAged) push(e agedEntry) {
	at := len(p.heap)
	p.heap = append(p.heap, e)
	for at > 0 && e.before(p.heap[(at-1)/2]) {
		p.heap[at] = p.heap[(at-1)/2]
		at = (at - 1) / 2
	}
	p.heap[at] = e
}

func (p *lfuAged) replay(keys []uint32) (misses int) {
	t := p.t
	for _, k := range keys {
		if s := t.index.get(k); s != none {
			p.use(s, 1)
			continue
		}
		misses++
		if t.used < len(t.keys) {
			p.start(t.occupy(k), 1)
			continue
		}
		s := p.least()
		t.replace(s, k)
		p.age = max(p.age, p.heap[0].key)
		p.rows[s].count = 0
		p.use(s, 1)
		p.sink(p.entry(s))
	}
	return misses
}

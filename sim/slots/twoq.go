package slots

import "stowage/workloads/lookups"

// twoQ is 2Q, full version (Johnson and Shasha: 2Q, a low overhead high performance
// buffer management replacement algorithm, VLDB 1994, section 3): a row enters a
// FIFO queue (A1in), where a hit moves nothing; when it leaves, its key is
// remembered (A1out), and only a row that is looked up while it is remembered
// enters the LRU part (Am). A1in has a quarter of the slots and A1out remembers
// half as many keys as there are slots, as the paper suggests.
//
// A pinned row keeps its place: the next of its part leaves, and one of the other
// part when all rows of one are pinned.
//
// State: 9 bytes per slot, 12 per ghost; in replay 16 each.
type twoQ struct {
	t        *Table
	keys     []uint32 // of the round
	in, am   list
	inSize   int
	inAm     []bool // per slot
	out      ghostQueue
	outSize  int
	recalled bool // the key that victim made room for was a ghost

	replayed directory
}

func newTwoQ(t *Table) (policy, error) {
	return &twoQ{t: t, inSize: t.cfg.Slots / 4, outSize: t.cfg.Slots / 2}, nil
}

func (p *twoQ) begin(r lookups.Round) error {
	if p.inAm == nil {
		n := p.t.cfg.occupiable()
		lists := newLists(n, 2)
		p.in, p.am, p.inAm = lists[0], lists[1], make([]bool, n)
		p.out = newGhostQueue(p.t, p.outSize)
	}
	p.keys = r.Keys
	p.in.rescan()
	p.am.rescan()
	return nil
}

func (p *twoQ) hit(slot int32, _ int)  { p.use(slot) }
func (p *twoQ) victim(i int) int32     { return p.makeRoom(p.keys[i]) }
func (p *twoQ) fill(slot int32, _ int) { p.enter(slot) }

func (p *twoQ) use(s int32) {
	if p.inAm[s] {
		p.am.touch(s)
	}
}

// enter puts a filled slot into the LRU part when its key was a ghost, else into
// the FIFO part.
func (p *twoQ) enter(s int32) {
	p.inAm[s] = p.recalled
	if p.recalled {
		p.recalled = false
		p.am.push(s)
		return
	}
	p.in.push(s)
}

// makeRoom takes a slot out of its part, for key k.
func (p *twoQ) makeRoom(k uint32) int32 {
	p.recalled = p.out.recall(k)
	first, second := &p.am, &p.in
	if p.in.len > p.inSize {
		first, second = second, first
	}
	from := first
	s := first.unpinned(p.t.pins)
	if s == none {
		from = second
		s = second.unpinned(p.t.pins)
	}
	from.remove(s)
	if from == &p.in {
		p.out.push(p.t.keys[s])
	}
	return s
}

func (p *twoQ) ghosts() int { return int(min(int64(p.outSize), p.t.cfg.Rows)) }

func (p *twoQ) remembers(k uint32) bool {
	if d := &p.replayed; d.at != nil {
		e := d.find(k)
		return e != none && d.entries[e].list == twoQOut
	}
	return p.inAm != nil && p.out.remembers(k)
}

// The lists in replay.
const (
	twoQIn int32 = iota
	twoQAm
	twoQOut
)

func (p *twoQ) mark(known []uint64) {
	p.replayed.mark(known, twoQIn)
	p.replayed.mark(known, twoQAm)
}

func (p *twoQ) replay(keys []uint32) (misses int) {
	d := &p.replayed
	if d.at == nil {
		d.make(p.t, p.t.cfg.Slots+p.outSize, 3)
	}
	for len(keys) > 0 {
		n := min(len(keys), touchAhead)
		d.touch(keys[:n])
		for _, k := range keys[:n] {
			e := d.find(k)
			if e != none {
				switch d.entries[e].list {
				case twoQIn:
					continue
				case twoQAm:
					d.move(e, twoQAm)
					continue
				}
			}
			misses++
			p.miss(k, e)
		}
		keys = keys[n:]
	}
	p.t.used = d.lens[twoQIn] + d.lens[twoQAm]
	return misses
}

// miss lets k in, whose entry is e: that of a ghost, or none.
func (p *twoQ) miss(k uint32, e int32) {
	d := &p.replayed
	if e != none {
		d.unlink(e) // it leaves its place to the key that is remembered next
	}
	if d.lens[twoQIn]+d.lens[twoQAm] == p.t.cfg.Slots {
		p.evict()
	}
	if e != none {
		d.link(e, twoQAm)
	} else {
		d.enter(k, twoQIn)
	}
}

// evict is makeRoom by keys.
func (p *twoQ) evict() {
	d := &p.replayed
	if d.lens[twoQIn] <= p.inSize && d.lens[twoQAm] > 0 {
		d.drop(d.oldest(twoQAm))
		return
	}
	if p.outSize > 0 && d.lens[twoQOut] == p.outSize {
		d.drop(d.oldest(twoQOut))
	}
	if old := d.oldest(twoQIn); p.outSize > 0 {
		d.move(old, twoQOut)
	} else {
		d.drop(old)
	}
}

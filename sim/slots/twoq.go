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
// State: 9 bytes per slot, 12 per ghost.
type twoQ struct {
	t        *Table
	keys     []uint32 // of the round
	in, am   list
	inSize   int
	inAm     []bool // per slot
	out      ghostQueue
	recalled bool // the key that victim made room for was a ghost
}

func newTwoQ(t *Table) (policy, error) {
	n, c := t.cfg.occupiable(), t.cfg.Slots
	lists := newLists(n, 2)
	return &twoQ{
		t: t, in: lists[0], am: lists[1],
		inSize: c / 4,
		inAm:   make([]bool, n),
		out:    newGhostQueue(t, c/2),
	}, nil
}

func (p *twoQ) begin(r lookups.Round) error {
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

func (p *twoQ) remembers(k uint32) bool { return p.out.remembers(k) }
func (p *twoQ) ghosts() int             { return p.out.most() }

func (p *twoQ) replay(keys []uint32) (misses int) {
	t := p.t
	for _, k := range keys {
		if s := t.index.get(k); s != none {
			p.use(s)
			continue
		}
		misses++
		var s int32
		if t.used < len(t.keys) {
			s = t.occupy(k)
		} else {
			s = p.makeRoom(k)
			t.replace(s, k)
		}
		p.enter(s)
	}
	return misses
}

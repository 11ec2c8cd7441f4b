package slots

import "stowage/workloads/lookups"

// arc is ARC (Megiddo and Modha: ARC, a self-tuning, low overhead replacement
// cache, FAST 2003, figure 4). T1 holds rows used once lately and T2 those used
// at least twice, both by last use; B1 and B2 remember the keys that left them, as
// many together as there are slots. A lookup of a key in B1 raises the target size
// of T1, one of a key in B2 lowers it. The target is a real number and moves by
// max(1, |B2|/|B1|), or the inverse.
//
// A pinned row keeps its place: the next of its list leaves, and one of the other
// list when all rows of one are pinned. A row is used once in a round, however many
// lookups it has there.
//
// State: 9 bytes per slot, 13 per ghost; in replay 16 each.
type arc struct {
	t      *Table
	keys   []uint32 // of the round
	t1, t2 list
	inT2   []bool // per slot
	target float64

	ghost  ghosts
	b1, b2 list
	inB2   []bool // per ghost

	recalled bool // the key that victim made room for was in B1 or B2

	replayed directory
}

func newARC(t *Table) (policy, error) { return &arc{t: t}, nil }

func (p *arc) begin(r lookups.Round) error {
	if p.inT2 == nil {
		n := p.t.cfg.occupiable()
		lists := newLists(n, 2)
		g, ghostLists := newGhosts(p.t, p.t.cfg.Slots, 2)
		p.t1, p.t2, p.inT2 = lists[0], lists[1], make([]bool, n)
		p.ghost, p.b1, p.b2, p.inB2 = g, ghostLists[0], ghostLists[1], make([]bool, g.most())
	}
	p.keys = r.Keys
	p.t1.rescan()
	p.t2.rescan()
	return nil
}

func (p *arc) hit(slot int32, _ int)  { p.use(slot) }
func (p *arc) victim(i int) int32     { return p.makeRoom(p.keys[i]) }
func (p *arc) fill(slot int32, _ int) { p.enter(slot) }

// use is case I: the row becomes the newest of T2.
func (p *arc) use(s int32) {
	if p.inT2[s] {
		p.t2.touch(s)
		return
	}
	p.t1.remove(s)
	p.t2.push(s)
	p.inT2[s] = true
}

// enter puts a filled slot into T2 when its key was remembered, else into T1.
func (p *arc) enter(s int32) {
	p.inT2[s] = p.recalled
	if p.recalled {
		p.recalled = false
		p.t2.push(s)
		return
	}
	p.t1.push(s)
}

// makeRoom takes a slot out of T1 or T2 for key k, which is in no slot: cases II
// to IV. All slots hold rows.
func (p *arc) makeRoom(k uint32) int32 {
	g := p.ghost.find(k)
	if g == none {
		return p.makeRoomForNew()
	}
	p.recalled = true
	b1, b2 := float64(p.b1.len), float64(p.b2.len)
	if p.inB2[g] {
		p.target = max(p.target-max(1, b1/b2), 0)
		p.ghost.drop(&p.b2, g)
		return p.replace(float64(p.t1.len) >= p.target)
	}
	p.target = min(p.target+max(1, b2/b1), float64(p.t.cfg.Slots))
	p.ghost.drop(&p.b1, g)
	return p.replace(float64(p.t1.len) > p.target)
}

// makeRoomForNew is case IV: the key is not remembered. Lists T1 and B1 together
// hold at most as many keys as there are slots, all four twice as many.
func (p *arc) makeRoomForNew() int32 {
	slots := p.t.cfg.Slots
	switch {
	case p.t1.len == slots: // B1 is empty, and the row that leaves is not remembered
		s := p.t1.unpinned(p.t.pins)
		p.t1.remove(s)
		return s
	case p.t1.len+p.b1.len == slots:
		p.ghost.drop(&p.b1, p.b1.oldest())
	case p.b1.len+p.b2.len == slots:
		p.ghost.drop(&p.b2, p.b2.oldest())
	}
	return p.replace(float64(p.t1.len) > p.target)
}

// replace is the subroutine of that name: the oldest row of T1 or T2 leaves and is
// remembered.
func (p *arc) replace(fromT1 bool) int32 {
	if fromT1 && p.t1.len > 0 {
		if s := p.t1.unpinned(p.t.pins); s != none {
			return p.retire(s, &p.t1, &p.b1)
		}
	}
	if s := p.t2.unpinned(p.t.pins); s != none {
		return p.retire(s, &p.t2, &p.b2)
	}
	return p.retire(p.t1.unpinned(p.t.pins), &p.t1, &p.b1)
}

func (p *arc) retire(s int32, from, to *list) int32 {
	from.remove(s)
	g := p.ghost.add(to, p.t.keys[s])
	p.inB2[g] = to == &p.b2
	return s
}

func (p *arc) ghosts() int { return p.t.cfg.occupiable() }

func (p *arc) remembers(k uint32) bool {
	if d := &p.replayed; d.at != nil {
		e := d.find(k)
		return e != none && d.entries[e].list >= arcB1
	}
	return p.inB2 != nil && p.ghost.remembers(k)
}

// The lists in replay.
const (
	arcT1 int32 = iota
	arcT2
	arcB1
	arcB2
)

func (p *arc) mark(known []uint64) {
	p.replayed.mark(known, arcT1)
	p.replayed.mark(known, arcT2)
}

func (p *arc) replay(keys []uint32) (misses int) {
	d := &p.replayed
	if d.at == nil {
		d.make(p.t, 2*p.t.cfg.Slots, 4)
	}
	for len(keys) > 0 {
		n := min(len(keys), touchAhead)
		d.touch(keys[:n])
		for _, k := range keys[:n] {
			e := d.find(k)
			if e != none && d.entries[e].list <= arcT2 {
				d.move(e, arcT2)
				continue
			}
			misses++
			p.miss(k, e)
		}
		keys = keys[n:]
	}
	p.t.used = d.lens[arcT1] + d.lens[arcT2]
	return misses
}

// miss is cases II to IV for k, whose entry is e. Until all slots hold rows, no key
// is remembered.
func (p *arc) miss(k uint32, e int32) {
	d, slots := &p.replayed, p.t.cfg.Slots
	t1, b1, b2 := d.lens[arcT1], d.lens[arcB1], d.lens[arcB2]
	if e != none {
		if d.entries[e].list == arcB2 {
			p.target = max(p.target-max(1, float64(b1)/float64(b2)), 0)
			p.replaceKey(float64(t1) >= p.target)
		} else {
			p.target = min(p.target+max(1, float64(b2)/float64(b1)), float64(slots))
			p.replaceKey(float64(t1) > p.target)
		}
		d.move(e, arcT2)
		return
	}
	switch {
	case t1 == slots:
		d.drop(d.oldest(arcT1))
	case t1+d.lens[arcT2] < slots: // a slot is free
	default:
		if t1+b1 == slots {
			d.drop(d.oldest(arcB1))
		} else if b1+b2 == slots {
			d.drop(d.oldest(arcB2))
		}
		p.replaceKey(float64(t1) > p.target)
	}
	d.enter(k, arcT1)
}

// replaceKey is replace by keys.
func (p *arc) replaceKey(fromT1 bool) {
	d := &p.replayed
	if fromT1 && d.lens[arcT1] > 0 || d.lens[arcT2] == 0 {
		d.move(d.oldest(arcT1), arcB1)
	} else {
		d.move(d.oldest(arcT2), arcB2)
	}
}

package slots

import "stowage/workloads/lookups"

// byCount orders slots by the lookups that their rows have, and rows of equal counts
// by when they reached them.
//
// Rows of one count form a group, in the order in which they reached it; groups
// form a list by count. A hit moves a row a few groups on, never more than it
// has lookups.
//
// State: 12 bytes per slot beside the mapping, 24 per count that a row has.
type byCount struct {
	t      *Table
	rows   []lfuRow // per slot
	groups []lfuGroup
	free   int32 // list of unused groups by next; 0: none
	counts []uint32
	scan   int32 // while a round makes room: all rows before it are pinned; none: start at the first
}

type lfuRow struct {
	prev, next int32 // in the group; none at its ends
	group      int32
}

// lfuGroup 0 is the head of the list: its next is the smallest count.
type lfuGroup struct {
	count           uint64
	first, last     int32 // rows, by the time they reached the count
	smaller, larger int32 // groups
}

// prepare takes the memory.
func (p *byCount) prepare(t *Table) {
	// Groups are made as they are needed: n different counts take n(n+1)/2 lookups.
	*p = byCount{t: t, rows: make([]lfuRow, t.cfg.occupiable()), groups: make([]lfuGroup, 1, 64)}
}

func (p *byCount) begin(r lookups.Round) error {
	p.counts, p.scan = r.Counts, none
	return nil
}

func (p *byCount) hit(slot int32, i int)  { p.add(slot, uint64(p.counts[i])) }
func (p *byCount) fill(slot int32, i int) { p.start(slot, uint64(p.counts[i])) }

// start puts a filled slot in with a count.
func (p *byCount) start(slot int32, count uint64) {
	p.join(slot, p.seek(p.groups[0].larger, count), count)
}

// add raises the count of a slot.
func (p *byCount) add(slot int32, n uint64) {
	g := p.rows[slot].group
	count := p.groups[g].count + n
	h := p.seek(p.groups[g].larger, count)
	alone := p.groups[g].first == p.groups[g].last
	if alone && h == p.groups[g].larger && (h == 0 || p.groups[h].count != count) {
		p.groups[g].count = count // the group stays where it is in the list
		return
	}
	p.leave(slot)
	p.join(slot, h, count)
}

// seek returns the first group from g on with at least count, 0 if none.
func (p *byCount) seek(g int32, count uint64) int32 {
	for g != 0 && p.groups[g].count < count {
		g = p.groups[g].larger
	}
	return g
}

// join appends slot to the group of count, which is h or goes in before h.
func (p *byCount) join(slot, h int32, count uint64) {
	if h == 0 || p.groups[h].count != count {
		h = p.insert(h, count)
	}
	g := &p.groups[h]
	p.rows[slot] = lfuRow{prev: g.last, next: none, group: h}
	if g.last == none {
		g.first = slot
	} else {
		p.rows[g.last].next = slot
	}
	g.last = slot
}

// insert puts an empty group in before h.
func (p *byCount) insert(h int32, count uint64) int32 {
	g := p.free
	if g == 0 {
		g = int32(len(p.groups))
		p.groups = append(p.groups, lfuGroup{})
	} else {
		p.free = p.groups[g].larger
	}
	before := p.groups[h].smaller
	p.groups[g] = lfuGroup{count: count, first: none, last: none, smaller: before, larger: h}
	p.groups[before].larger = g
	p.groups[h].smaller = g
	return g
}

// leave takes slot out of its group, and an emptied group out of the list.
func (p *byCount) leave(slot int32) {
	r := p.rows[slot]
	g := &p.groups[r.group]
	if r.prev == none {
		g.first = r.next
	} else {
		p.rows[r.prev].next = r.next
	}
	if r.next == none {
		g.last = r.prev
	} else {
		p.rows[r.next].prev = r.prev
	}
	if g.first == none {
		p.groups[g.smaller].larger = g.larger
		p.groups[g.larger].smaller = g.smaller
		g.larger = p.free
		p.free = r.group
	}
}

func (p *byCount) victim(int) int32 {
	s := p.unpinned()
	p.take(s)
	return s
}

// unpinned returns the first row in the order of leaving that is not pinned. The
// next search of the round starts there.
func (p *byCount) unpinned() int32 {
	s := p.scan
	if s == none {
		s = p.first()
	}
	for p.t.pins[s] > 0 {
		s = p.after(s)
	}
	p.scan = s
	return s
}

// take takes out the row that unpinned returned.
func (p *byCount) take(s int32) {
	p.scan = p.after(s)
	p.leave(s)
}

// first returns the row that leaves first.
func (p *byCount) first() int32 { return p.groups[p.groups[0].larger].first }

// count returns the lookups that a row has.
func (p *byCount) count(s int32) uint64 { return p.groups[p.rows[s].group].count }

// after returns the row behind s: the next of its group, or the first of the next
// larger one; none behind the last.
func (p *byCount) after(s int32) int32 {
	r := p.rows[s]
	if r.next != none {
		return r.next
	}
	if g := p.groups[r.group].larger; g != 0 {
		return p.groups[g].first
	}
	return none
}

package slots

import "stowage/workloads/lookups"

// slruSegments is the number of segments: four, as in the photo caches of
// Facebook (Huang et al.: An analysis of Facebook photo caching, SOSP 2013, S4LRU).
// Two is the original.
const slruSegments = 4

// slru is segmented LRU (Karedla, Love and Wherry: Caching strategies to improve
// disk system performance, IEEE Computer 27(3), 1994). The slots are divided into
// four equal LRU segments; the lowest has what is left over. A row enters the lowest
// segment with room; a hit moves it up one segment, and where that makes a segment
// too long, its oldest row moves down to be the newest below. The oldest row of the
// lowest segment leaves.
//
// A pinned row keeps its place: the next of its segment leaves, and one of the
// next segment when all rows of the lower ones are pinned.
//
// State: 9 bytes per slot.
type slru struct {
	t        *Table
	segments []list
	sizes    [slruSegments]int
	at       []uint8 // per slot: its segment
}

func newSLRU(t *Table) (policy, error) {
	n, c := t.cfg.occupiable(), t.cfg.Slots
	p := &slru{t: t, segments: newLists(n, slruSegments), at: make([]uint8, n)}
	for i := range p.sizes {
		p.sizes[i] = c / slruSegments
	}
	p.sizes[0] += c % slruSegments
	return p, nil
}

func (p *slru) begin(lookups.Round) error {
	for i := range p.segments {
		p.segments[i].rescan()
	}
	return nil
}

func (p *slru) hit(slot int32, _ int)  { p.use(slot) }
func (p *slru) victim(int) int32       { return p.makeRoom() }
func (p *slru) fill(slot int32, _ int) { p.enter(slot) }

// use moves a row up.
func (p *slru) use(s int32) {
	i := p.at[s]
	if i == slruSegments-1 {
		p.segments[i].touch(s)
		return
	}
	p.segments[i].remove(s)
	p.put(s, i+1)
	if up := &p.segments[i+1]; up.len > p.sizes[i+1] {
		down := up.oldest()
		up.remove(down)
		p.put(down, i)
	}
}

// put makes s the newest of segment i.
func (p *slru) put(s int32, i uint8) {
	p.at[s] = i
	p.segments[i].push(s)
}

// enter puts a filled slot into the lowest segment with room.
func (p *slru) enter(s int32) {
	for i := range p.segments {
		if p.segments[i].len < p.sizes[i] {
			p.put(s, uint8(i))
			return
		}
	}
	panic("slots: slru has no room for a row in a free slot")
}

func (p *slru) makeRoom() int32 {
	for i := range p.segments {
		if s := p.segments[i].unpinned(p.t.pins); s != none {
			p.segments[i].remove(s)
			return s
		}
	}
	panic("slots: slru finds no slot without pins")
}

func (p *slru) replay(keys []uint32) (misses int) {
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
			s = p.makeRoom()
			t.replace(s, k)
		}
		p.enter(s)
	}
	return misses
}

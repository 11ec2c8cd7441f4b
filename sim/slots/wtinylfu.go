package slots

import "stowage/workloads/lookups"

// wTinyLFU is W-TinyLFU (Einziger, Friedman and Manes: TinyLFU: A highly efficient
// cache admission policy, ACM Transactions on Storage 13(4), 2017, section 4). New
// rows enter an LRU window of 1 % of the slots, at least one. The oldest row of the
// window competes with the victim of the main part, and the one that was used less
// lately by the sketch's estimate leaves; the victim stays when they are equal. The
// main part is a segmented LRU: a row enters probation, and a hit moves it into the
// protected segment, 80 % of the main part, whose oldest then goes back.
//
// A row is used once in a round, however many lookups it has there. A pinned row
// keeps its place: the next of its list competes. While all rows of the window are
// pinned it grows at the cost of the main part, which keeps what it grew: in rounds,
// the window is as large as the rounds in flight.
//
// State: 9 bytes per slot, and 8 of the sketch.
type wTinyLFU struct {
	t                            *Table
	window, probation, protected list
	windowSize, protectedSize    int
	at                           []uint8 // per slot: its list
	sketch                       sketch
	full                         bool // all slots hold rows

	hashes  [touchAhead]uint64 // in replay, of the next keys
	touched uint64             // see touch
}

// The lists, in the order of their heads.
const (
	inWindow uint8 = iota
	onProbation
	isProtected
)

func newWTinyLFU(t *Table) (policy, error) {
	n, c := t.cfg.occupiable(), t.cfg.Slots
	lists := newLists(n, 3)
	window := max(1, c/100)
	return &wTinyLFU{
		t: t, window: lists[0], probation: lists[1], protected: lists[2],
		windowSize: window, protectedSize: share(c-window, 80, 100),
		at:     make([]uint8, n),
		sketch: newSketch(n),
	}, nil
}

func (p *wTinyLFU) begin(r lookups.Round) error {
	p.window.rescan()
	p.probation.rescan()
	p.protected.rescan()
	for _, k := range r.Keys {
		p.sketch.add(p.t.hashOf(k))
	}
	return nil
}

func (p *wTinyLFU) hit(slot int32, _ int)  { p.use(slot) }
func (p *wTinyLFU) victim(int) int32       { return p.makeRoom() }
func (p *wTinyLFU) fill(slot int32, _ int) { p.enter(slot) }

func (p *wTinyLFU) use(s int32) {
	if at := p.at[s]; at != onProbation {
		p.window.touchIn(s, p.window.head+int32(at)) // of the window or the protected
		return
	}
	p.probation.remove(s)
	p.protected.push(s)
	p.at[s] = isProtected
	if p.protected.len > p.protectedSize {
		old := p.protected.oldest()
		p.protected.remove(old)
		p.admit(old)
	}
}

// admit makes s the newest of the rows on probation.
func (p *wTinyLFU) admit(s int32) {
	p.probation.push(s)
	p.at[s] = onProbation
}

// enter puts a filled slot into the window. While the table fills up, what the window
// has too much is admitted.
func (p *wTinyLFU) enter(s int32) {
	p.window.push(s)
	p.at[s] = inWindow
	if !p.full && p.window.len > p.windowSize {
		old := p.window.oldest()
		p.window.remove(old)
		p.admit(old)
	}
}

// makeRoom takes a slot out of the window or the main part.
func (p *wTinyLFU) makeRoom() int32 {
	p.full = true
	candidate := p.window.unpinned(p.t.pins)
	from := &p.probation
	s := from.unpinned(p.t.pins)
	if s == none {
		from = &p.protected
		s = from.unpinned(p.t.pins)
	}
	if candidate != none {
		p.window.remove(candidate)
		if s == none || !p.better(candidate, s) {
			return candidate
		}
		p.admit(candidate)
	}
	from.remove(s)
	return s
}

// better reports whether the row in slot a was used more lately than that in b.
func (p *wTinyLFU) better(a, b int32) bool {
	t := p.t
	return p.sketch.estimate(t.hashOf(t.keys[a])) > p.sketch.estimate(t.hashOf(t.keys[b]))
}

func (p *wTinyLFU) replay(keys []uint32) (misses int) {
	for len(keys) > 0 {
		n := min(len(keys), touchAhead)
		p.touch(keys[:n])
		misses += p.uses(keys[:n])
		keys = keys[n:]
	}
	return misses
}

// touch hashes keys that are about to be looked up and reads what the sketch and the
// mapping have on them: the processor fetches their memory at the same time.
func (p *wTinyLFU) touch(keys []uint32) {
	dense, sum := p.t.index.dense, uint64(0)
	for i, k := range keys {
		h := p.t.hashOf(k)
		p.hashes[i] = h
		sum ^= p.sketch.block(h).rows[0]
		if dense != nil {
			sum ^= uint64(dense[k])
		}
	}
	p.touched = sum // so that the reads are made
}

// uses looks up keys that have been touched.
func (p *wTinyLFU) uses(keys []uint32) (misses int) {
	t := p.t
	for i, k := range keys {
		p.sketch.add(p.hashes[i])
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

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
// State: 9 bytes per slot, in replay 22.5, and 8 of the sketch.
type wTinyLFU struct {
	t                            *Table
	window, probation, protected list
	windowSize, protectedSize    int
	at                           []uint8 // per slot: its list
	sketch                       sketch
	full                         bool // all slots hold rows

	replayed wTinyLFUReplay
}

// The lists, also in replay.
const (
	inWindow = iota
	onProbation
	isProtected
)

func newWTinyLFU(t *Table) (policy, error) {
	c := t.cfg.Slots
	window := max(1, c/100)
	return &wTinyLFU{
		t: t, windowSize: window, protectedSize: share(c-window, 80, 100),
		sketch: newSketch(t.cfg.occupiable()),
	}, nil
}

func (p *wTinyLFU) begin(r lookups.Round) error {
	if p.at == nil {
		n := p.t.cfg.occupiable()
		lists := newLists(n, 3)
		p.window, p.probation, p.protected, p.at = lists[0], lists[1], lists[2], make([]uint8, n)
	}
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
	switch p.at[s] {
	case inWindow:
		p.window.touch(s)
		return
	case isProtected:
		p.protected.touch(s)
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
func (p *wTinyLFU) better(a, b int32) bool { return p.betterKey(p.t.keys[a], p.t.keys[b]) }

func (p *wTinyLFU) betterKey(a, b uint32) bool {
	return p.sketch.estimate(p.t.hashOf(a)) > p.sketch.estimate(p.t.hashOf(b))
}

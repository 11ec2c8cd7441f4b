package slots

import "stowage/workloads/lookups"

// DefaultWindow is the window of the policy lookahead where none is given: that of
// BagPipe's published set-up.
const DefaultWindow = 200

// lookahead knows the lookups of the next rounds, Config.Window of them, as BagPipe
// (Agarwal et al.: BagPipe, accelerating deep recommendation model training, SOSP
// 2023) and ScratchPipe (Kwon and Rhu: Training personalized recommendation systems
// from (GPU) scratch, look forward not backwards, ISCA 2022) read them ahead of the
// training. Rows that no round of the window uses leave first, the one whose last use
// is longest ago before the others; then the row whose next use is farthest. So a
// window as long as the trace is MIN, and none is LRU. Unlike BagPipe it evicts only
// when a slot is needed: the rows that its window would drop earlier are those that
// leave first here.
//
// The next row leaves when one is pinned. In replay the window is in lookups, and
// the keys of one call are the whole future.
//
// State: 25 bytes per slot, 8 per round of the future and 4 per key of its rounds.
type lookahead struct {
	t      *Table
	window int
	round  int
	rounds int

	soon   belady   // rows used in the window
	idle   list     // the others, by last use
	due    []uint32 // per slot: its next use
	isSoon []bool   // per slot

	replayed windowed
}

func newLookahead(t *Table) (policy, error) {
	window := t.cfg.Window
	if window == 0 {
		window = DefaultWindow
	}
	soon, err := newMIN(t)
	if err != nil {
		return nil, err
	}
	n := t.cfg.occupiable()
	p := &lookahead{
		t: t, window: max(window, 0),
		soon: *soon.(*belady), idle: newLists(n, 1)[0],
		due: make([]uint32, n), isSoon: make([]bool, n),
	}
	if f := p.soon.future; f != nil {
		p.rounds = f.trace.Rounds()
	}
	return p, nil
}

// begin lets the rows come into the window that its last round uses.
func (p *lookahead) begin(r lookups.Round) error {
	if err := p.soon.begin(r); err != nil {
		return err
	}
	p.idle.rescan()
	p.round = p.t.planned
	if last := p.round + p.window; p.window > 0 && last < p.rounds {
		for _, k := range p.soon.future.trace.Round(last).Keys {
			s := p.t.index.get(k)
			if s != none && p.due[s] == uint32(last) {
				p.idle.remove(s)
				p.isSoon[s] = true
				p.soon.join(s, int32(last))
			}
		}
	}
	return nil
}

// hit need not take a row out of the window's: see belady.hit.
func (p *lookahead) hit(slot int32, i int) {
	if !p.isSoon[slot] {
		p.idle.remove(slot)
	}
	p.fill(slot, i)
}

func (p *lookahead) fill(slot int32, i int) {
	due := p.soon.next[i]
	p.due[slot] = due
	p.isSoon[slot] = int(due) < p.rounds && int(due) <= p.round+p.window
	if p.isSoon[slot] {
		p.soon.join(slot, int32(due))
	} else {
		p.idle.push(slot)
	}
}

func (p *lookahead) victim(i int) int32 {
	s := p.idle.unpinned(p.t.pins)
	if s == none {
		return p.soon.victim(i)
	}
	p.idle.remove(s)
	return s
}

func (p *lookahead) replay(keys []uint32) (misses int) {
	p.foretell(newForesight(keys, p.t.cfg.Rows))
	return p.step(len(keys))
}

// windowed is the state of a replay: the positions within the window that are the
// next use of a row in a slot, as a set of bits. The farthest is the largest member.
type windowed struct {
	*foresight
	at   int // the next lookup
	seen int // positions that have come into the window
	set  bitTree
}

// foretell finds all rows idle: their next uses were beyond what was foretold before.
func (p *lookahead) foretell(f *foresight) {
	for s, k := range p.t.keys[:p.t.used] {
		p.due[s] = uint32(len(f.keys))
		if at := f.first.get(k); at != none {
			p.due[s] = uint32(at)
		}
	}
	p.replayed = windowed{foresight: f, set: newBitTree(len(f.keys))}
}

func (p *lookahead) step(n int) (misses int) {
	t, w := p.t, &p.replayed
	for i := w.at; i < w.at+n; i++ {
		p.advance(min(i+p.window, len(w.keys)-1))
		k := w.keys[i]
		s := t.index.get(k)
		switch {
		case s != none:
			p.leave(s)
		case t.used < len(t.keys):
			misses++
			s = t.occupy(k)
		default:
			misses++
			s = p.latest()
			t.replace(s, k)
		}
		p.place(s, w.next[i])
	}
	w.at += n
	return misses
}

// advance lets positions up to last come into the window of a replay.
func (p *lookahead) advance(last int) {
	if p.window == 0 {
		return
	}
	w := &p.replayed
	for ; w.seen <= last; w.seen++ {
		s := p.t.index.get(w.keys[w.seen])
		if s != none && !p.isSoon[s] && p.due[s] == uint32(w.seen) {
			p.idle.remove(s)
			p.isSoon[s] = true
			w.set.set(w.seen)
		}
	}
}

// leave takes a slot out of the order of a replay.
func (p *lookahead) leave(s int32) {
	if p.isSoon[s] {
		p.replayed.set.clear(int(p.due[s]))
	} else {
		p.idle.remove(s)
	}
}

// place puts a slot into the order of a replay; its next use is at due.
func (p *lookahead) place(s int32, due uint32) {
	p.due[s] = due
	p.isSoon[s] = int(due) < p.replayed.seen
	if p.isSoon[s] {
		p.replayed.set.set(int(due))
	} else {
		p.idle.push(s)
	}
}

// latest takes out the slot that is to leave in a replay.
func (p *lookahead) latest() int32 {
	s := p.idle.oldest()
	if w := &p.replayed; p.idle.len == 0 {
		s = p.t.index.get(w.keys[w.set.max()])
	}
	p.leave(s)
	return s
}

package slots

import "stowage/workloads/lookups"

const (
	// lirsHIR is one over the share of the slots that is left to HIR rows: 1 %, as
	// the paper suggests; at least one slot.
	lirsHIR = 100

	// lirsGhosts bounds the non-resident HIR keys per slot, so that the stack holds at
	// most three times as many keys as there are slots: the paper leaves it unbounded,
	// the authors' program suggests this limit. The key that left its slot longest ago
	// is forgotten first.
	lirsGhosts = 2
)

// lirs is LIRS (Jiang and Zhang: LIRS, an efficient low inter-reference recency set
// replacement policy to improve buffer cache performance, SIGMETRICS 2002, section
// 3.3). Stack S holds keys by their last lookup, down to the LIR row looked up
// longest ago: LIR rows, and HIR keys, in a slot or not. A HIR key looked up while
// it is in S was used again sooner than that LIR row: it becomes LIR, and the row
// becomes HIR. HIR rows in slots wait in queue Q, and its oldest is the victim.
//
// A pinned row of Q keeps its place: the next leaves. When all rows of Q are pinned,
// LIR rows become HIR from the bottom of S on, until one without pins can leave.
// A round may so take slots from the LIR rows for as many new rows as it has, which
// are the first to leave once they are released; rows that are hit fill the LIR set
// up again.
//
// State: 17 bytes per slot, 20 per ghost.
type lirs struct {
	t     *Table
	keys  []uint32 // of the round
	stack list     // S, oldest first: slots, then ghosts
	queue list     // Q: slots
	state []uint8  // per slot: lir, inStack

	lirs, lirSize int

	ghost ghosts // non-resident HIR keys, all in S
	gone  list   // ghosts, by when they left their slots

	madeRoom, recalled bool // victim has made room for a key; it was a ghost
}

const (
	lir uint8 = 1 << iota
	inStack
)

func newLIRS(t *Table) (policy, error) {
	n, c := t.cfg.occupiable(), t.cfg.Slots
	g, gone := newGhosts(t, lirsGhosts*c, 1)
	return &lirs{
		t:     t,
		stack: newLists(n+g.most(), 1)[0],
		queue: newLists(n, 1)[0],
		state: make([]uint8, n), lirSize: c - max(1, c/lirsHIR),
		ghost: g, gone: gone[0],
	}, nil
}

func (p *lirs) begin(r lookups.Round) error {
	p.keys = r.Keys
	p.queue.rescan()
	return nil
}

func (p *lirs) hit(slot int32, _ int)  { p.use(slot) }
func (p *lirs) victim(i int) int32     { return p.makeRoom(p.keys[i]) }
func (p *lirs) fill(slot int32, _ int) { p.enter(slot) }

func (p *lirs) use(s int32) {
	was := p.state[s]
	if was&inStack != 0 {
		p.stack.touch(s)
	} else {
		p.stack.push(s)
		p.state[s] |= inStack
	}
	switch {
	case was&lir != 0:
		p.prune() // it may have been the lowest
	case was&inStack != 0 || p.lirs < p.lirSize:
		p.queue.remove(s)
		p.promote(s)
	default:
		p.queue.touch(s)
		p.prune()
	}
}

// enter puts a filled slot on top of the stack. Its row is LIR when its key was in
// the stack, and while the table fills up, until there are as many LIR rows as
// there may be.
func (p *lirs) enter(s int32) {
	p.stack.push(s)
	p.state[s] = inStack
	if p.recalled || !p.madeRoom && p.lirs < p.lirSize {
		p.promote(s)
	} else {
		p.queue.push(s)
		p.prune()
	}
	p.madeRoom, p.recalled = false, false
}

// promote makes s, which is on top of the stack and not in the queue, LIR.
func (p *lirs) promote(s int32) {
	p.state[s] |= lir
	p.lirs++
	if p.lirs > p.lirSize {
		p.demote()
	}
}

// demote makes the lowest LIR row HIR: it goes to the end of the queue.
func (p *lirs) demote() {
	s := p.stack.oldest()
	p.stack.remove(s)
	p.state[s] = 0
	p.lirs--
	p.queue.push(s)
	p.prune()
}

// prune removes what is below the lowest LIR row from the stack.
func (p *lirs) prune() {
	slots := int32(len(p.state))
	for p.stack.len > 0 {
		s := p.stack.oldest()
		if s >= slots {
			p.forget(s - slots)
			continue
		}
		if p.state[s]&lir != 0 {
			return
		}
		p.stack.remove(s)
		p.state[s] = 0
	}
}

// forget drops a ghost from the stack.
func (p *lirs) forget(g int32) {
	p.stack.remove(int32(len(p.state)) + g)
	p.ghost.drop(&p.gone, g)
}

// makeRoom takes a slot out, for key k.
func (p *lirs) makeRoom(k uint32) int32 {
	p.madeRoom = true
	if g := p.ghost.find(k); g != none {
		p.recalled = true
		p.forget(g)
	}
	s := p.queue.unpinned(p.t.pins)
	for s == none {
		p.demote()
		s = p.queue.unpinned(p.t.pins)
	}
	p.queue.remove(s)
	if p.state[s]&inStack != 0 {
		p.remember(s)
	}
	return s
}

// remember puts a ghost in the place in the stack of slot s, which is left.
func (p *lirs) remember(s int32) {
	if p.gone.len == p.ghost.most() {
		p.forget(p.gone.oldest())
	}
	g := int32(len(p.state)) + p.ghost.add(&p.gone, p.t.keys[s])
	n := p.stack.nodes[s]
	p.stack.nodes[g] = n
	p.stack.nodes[n.prev].next = g
	p.stack.nodes[n.next].prev = g
}

func (p *lirs) remembers(k uint32) bool { return p.ghost.remembers(k) }
func (p *lirs) ghosts() int             { return p.ghost.most() }

func (p *lirs) replay(keys []uint32) (misses int) {
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

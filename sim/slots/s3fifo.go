package slots

import "stowage/workloads/lookups"

// s3fifo is S3-FIFO (Yang, Zhang, Qiu, Yue and Rashmi: FIFO queues are all you
// need for cache eviction, SOSP 2023, algorithm 1): three queues and no movement
// on a hit. New rows enter a small queue of a tenth of the slots; those used at
// least twice there go on to the main queue, the others leave and their keys are
// remembered in a ghost queue, from which they return straight into main. Main
// gives used rows another turn, up to three.
//
// The ghost queue holds nine keys per ten slots. A row is used once in a round,
// however many lookups it has there. A pinned row keeps its place: the next of its
// queue has its turn, and that of the other queue when all rows of one are pinned.
//
// State: 9 bytes per slot, 12 per ghost; in replay see s3Replay.
type s3fifo struct {
	t           *Table
	keys        []uint32 // of the round
	small, main list
	mainSize    int
	uses        []uint8 // per slot, since it was filled or had its turn: 0 to 3
	ghost       ghostQueue
	ghostSize   int
	recalled    bool // the key that victim made room for was a ghost

	replayed s3Replay
}

func newS3FIFO(t *Table) (policy, error) {
	c := t.cfg.Slots
	return &s3fifo{t: t, mainSize: c - c/10, ghostSize: int(min(int64(share(c, 9, 10)), t.cfg.Rows))}, nil
}

// share is floor(c x part / whole).
func share(c, part, whole int) int { return int(int64(c) * int64(part) / int64(whole)) }

func (p *s3fifo) begin(r lookups.Round) error {
	if p.uses == nil {
		n := p.t.cfg.occupiable()
		lists := newLists(n, 2)
		p.small, p.main, p.uses = lists[0], lists[1], make([]uint8, n)
		p.ghost = newGhostQueue(p.t, p.ghostSize)
	}
	p.keys = r.Keys
	p.small.rescan()
	p.main.rescan()
	return nil
}

func (p *s3fifo) hit(slot int32, _ int)  { p.use(slot) }
func (p *s3fifo) victim(i int) int32     { return p.makeRoom(p.keys[i]) }
func (p *s3fifo) fill(slot int32, _ int) { p.enter(slot) }

func (p *s3fifo) use(s int32) {
	if p.uses[s] < 3 {
		p.uses[s]++
	}
}

// enter puts a filled slot into main when its key was a ghost, else into small.
func (p *s3fifo) enter(s int32) {
	p.uses[s] = 0
	if p.recalled {
		p.recalled = false
		p.main.push(s)
		return
	}
	p.small.push(s)
}

// makeRoom takes a slot out of the queues, for key k.
func (p *s3fifo) makeRoom(k uint32) int32 {
	p.recalled = p.ghost.recall(k)
	for fromMain := p.main.len > p.mainSize; ; fromMain = !fromMain {
		var s int32
		if fromMain {
			s = p.leaveMain()
		} else {
			s = p.leaveSmall()
		}
		if s != none {
			return s
		}
	}
}

// leaveSmall takes the oldest row out that was used less than twice, and moves
// those before it to main; none when small runs out of rows without pins.
func (p *s3fifo) leaveSmall() int32 {
	for {
		s := p.small.unpinned(p.t.pins)
		if s == none {
			return none
		}
		p.small.remove(s)
		if p.uses[s] < 2 {
			p.ghost.push(p.t.keys[s])
			return s
		}
		p.uses[s] = 0
		p.main.push(s)
	}
}

// leaveMain takes the oldest row out that is not used, and gives those before it
// another turn; none when main has no rows without pins.
func (p *s3fifo) leaveMain() int32 {
	for {
		s := p.main.unpinned(p.t.pins)
		if s == none {
			return none
		}
		p.main.remove(s)
		if p.uses[s] == 0 {
			return s
		}
		p.uses[s]--
		p.main.push(s)
	}
}

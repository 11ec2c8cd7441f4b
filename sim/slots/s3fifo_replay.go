package slots

// s3Replay is the state of S3-FIFO in replay: a byte per key, so that a hit touches
// nothing else, queues of keys in order of memory, and for the ghosts where in their
// queue they are, because they leave it from the middle.
//
// 5 bytes per key, 8 per slot and 8 per ghost.
type s3Replay struct {
	marks       []uint8 // per key: absent, s3Ghost, or its queue and its uses
	small, main keyQueue

	// The ghosts' queue: a key at position i is still one if its mark says so and at
	// says i.
	log       []uint32
	at        []uint32 // per key
	tail, end int
	ghosts    int
}

const (
	s3Ghost uint8 = 1
	s3Small uint8 = 4 // + uses, 0 to 3
	s3Main  uint8 = 8 // + uses
	s3Uses  uint8 = 3
)

// keyQueue is a queue of keys in a circular buffer.
type keyQueue struct {
	keys []uint32
	head int
	len  int
}

func (q *keyQueue) push(k uint32) {
	at := q.head + q.len
	if at >= len(q.keys) {
		at -= len(q.keys)
	}
	q.keys[at] = k
	q.len++
}

func (q *keyQueue) pop() uint32 {
	k := q.keys[q.head]
	q.head++
	if q.head == len(q.keys) {
		q.head = 0
	}
	q.len--
	return k
}

func (r *s3Replay) make(t *Table, ghosts int) {
	n := t.cfg.occupiable()
	r.marks = make([]uint8, t.keySpace())
	r.small.keys, r.main.keys = make([]uint32, n), make([]uint32, n)
	r.log, r.at = make([]uint32, 2*ghosts), make([]uint32, t.keySpace())
}

// isGhost reports whether the key at position i of the log is still a ghost there.
func (r *s3Replay) isGhost(i int) bool {
	k := r.log[i]
	return r.marks[k] == s3Ghost && r.at[k] == uint32(i)
}

// remember makes k the newest ghost of at most so many.
func (r *s3Replay) remember(k uint32, most int) {
	if most == 0 {
		r.marks[k] = absent
		return
	}
	if r.ghosts == most {
		for !r.isGhost(r.tail) {
			r.tail++
		}
		r.marks[r.log[r.tail]] = absent
		r.tail++
		r.ghosts--
	}
	if r.end == len(r.log) {
		r.pack()
	}
	r.log[r.end], r.at[k] = k, uint32(r.end)
	r.marks[k] = s3Ghost
	r.end++
	r.ghosts++
}

// pack moves the ghosts to the start of the log. They fill half of it at most.
func (r *s3Replay) pack() {
	end := 0
	for i := r.tail; i < r.end; i++ {
		if r.isGhost(i) {
			k := r.log[i]
			r.log[end], r.at[k] = k, uint32(end)
			end++
		}
	}
	r.tail, r.end = 0, end
}

func (p *s3fifo) ghosts() int { return p.ghostSize }

func (p *s3fifo) remembers(k uint32) bool {
	if r := &p.replayed; r.marks != nil {
		return r.marks[k] == s3Ghost
	}
	return p.uses != nil && p.ghost.remembers(k)
}

func (p *s3fifo) mark(known []uint64) {
	for k, m := range p.replayed.marks {
		if m >= s3Small {
			known[k>>6] |= 1 << (k & 63)
		}
	}
}

func (p *s3fifo) replay(keys []uint32) (misses int) {
	r, t := &p.replayed, p.t
	if r.marks == nil {
		r.make(t, p.ghostSize)
	}
	marks := r.marks
	for _, k := range keys {
		m := marks[k]
		if m >= s3Small {
			if m&s3Uses < s3Uses {
				marks[k] = m + 1
			}
			continue
		}
		misses++
		if m == s3Ghost {
			marks[k] = absent
			r.ghosts--
		}
		if t.used < t.cfg.Slots {
			t.used++
		} else {
			p.evict()
		}
		if m == s3Ghost {
			marks[k] = s3Main
			r.main.push(k)
		} else {
			marks[k] = s3Small
			r.small.push(k)
		}
	}
	return misses
}

// evict is makeRoom by keys.
func (p *s3fifo) evict() {
	r := &p.replayed
	if r.main.len > p.mainSize || !p.evictSmall() {
		for {
			k := r.main.pop()
			if r.marks[k] == s3Main {
				r.marks[k] = absent
				return
			}
			r.marks[k]--
			r.main.push(k)
		}
	}
}

// evictSmall is leaveSmall by keys: false when small has run out.
func (p *s3fifo) evictSmall() bool {
	r := &p.replayed
	for r.small.len > 0 {
		k := r.small.pop()
		if r.marks[k]&s3Uses < 2 {
			r.remember(k, p.ghostSize)
			return true
		}
		r.marks[k] = s3Main
		r.main.push(k)
	}
	return false
}

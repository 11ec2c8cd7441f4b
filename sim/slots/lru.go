package slots

import (
	"math/bits"

	"stowage/workloads/lookups"
)

// lru evicts the row whose last use is longest ago.
//
// State in replay: 4 bytes per row, where its last use is in the log, and 12.4 per
// slot, three uses of a key and a bit.
type lru struct {
	ring
	t *Table

	replayed useLog
}

func newLRU(t *Table) (policy, error) { return &lru{t: t}, nil }

func (p *lru) begin(lookups.Round) error {
	p.prepare(p.t)
	return nil
}

func (p *lru) victim(int) int32       { return p.oldestFree(p.t.pins) }
func (p *lru) hit(slot int32, _ int)  { p.touch(slot) }
func (p *lru) fill(slot int32, _ int) { p.push(slot) }

// useLog is the state of LRU in replay: the uses of the past, one after the other,
// and a bit for each that says whether it is still the last one of its key. A hit
// clears a bit and appends; the victim is the first bit from the tail. A list of
// slots would take two or three misses of the processor's caches for a hit where
// this takes one, for the key's entry, and appends in order of memory. When the log
// is full, the last uses are moved to its start: with three uses per slot, half a
// move per lookup at most.
type useLog struct {
	last []uint32 // per key: position of its last use + 1; 0: not in the table
	keys []uint32 // per position
	live []uint64 // a bit per position; those from end on are set
	tail int      // all bits before it are clear
	end  int
}

// touchAhead is how many keys are looked at together before they are looked up one
// by one: their entries are fetched from memory at the same time.
const touchAhead = 64

func (l *useLog) make(t *Table) {
	n := min((3*t.cfg.occupiable()+127)&^63, 1<<32-64) // positions are uint32
	l.last, l.keys, l.live = make([]uint32, t.keySpace()), make([]uint32, n), make([]uint64, n/64)
	setAll(l.live)
}

func setAll(words []uint64) {
	for i := range words {
		words[i] = ^uint64(0)
	}
}

// pack moves the last uses to the start of the log.
func (l *useLog) pack() {
	end := uint32(0)
	for g := l.tail >> 6; g < len(l.live); g++ {
		for word := l.live[g]; word != 0; word &= word - 1 {
			k := l.keys[g<<6|bits.TrailingZeros64(word)]
			l.keys[end] = k
			end++
			l.last[k] = end
		}
	}
	setAll(l.live)
	l.tail, l.end = 0, int(end)
}

func (p *lru) mark(known []uint64) { markKeys(p.replayed.last, known) }

func (p *lru) replay(keys []uint32) (misses int) {
	l := &p.replayed
	if l.last == nil {
		l.make(p.t)
	}
	for len(keys) > 0 {
		if l.end == len(l.keys) {
			l.pack()
		}
		n := min(len(l.keys)-l.end, len(keys), touchAhead)
		misses += p.uses(keys[:n])
		keys = keys[n:]
	}
	return misses
}

// uses looks up keys for which the log has room.
func (p *lru) uses(keys []uint32) (misses int) {
	l, slots, used := &p.replayed, p.t.cfg.occupiable(), p.t.used
	last, log, live, tail := l.last, l.keys[l.end:l.end+len(keys)], l.live, l.tail
	for i, k := range keys {
		log[i] = last[k] // a write, so that the read is made
	}
	for i, k := range keys {
		at := last[k]
		last[k] = uint32(l.end + i + 1)
		log[i] = k
		if at != 0 {
			live[(at-1)>>6] &^= 1 << ((at - 1) & 63)
			continue
		}
		misses++
		if used < slots {
			used++
			continue
		}
		g := tail >> 6
		word := live[g]
		for word == 0 {
			g++
			word = live[g]
		}
		live[g] = word & (word - 1)
		tail = g<<6 | bits.TrailingZeros64(word)
		last[l.keys[tail]] = 0
		tail++
	}
	l.tail, l.end, p.t.used = tail, l.end+len(keys), used
	return misses
}

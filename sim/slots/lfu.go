package slots

import (
	"cmp"
	"math"
	"slices"

	"stowage/workloads/lookups"
)

// lfu evicts the row with the fewest lookups since it was filled; among equals
// the one that reached that count first. Counts are kept for rows in slots only
// ("in-cache LFU"), and a fill counts its own lookups: 1 in replay, all lookups
// of the row in the round otherwise, as ColossalAI's cache manager and FBGEMM's
// LFU counters do.
//
// State in replay: 8 bytes per row, its lookups and when the last one was, and 16 per
// slot, its place in the queue and in the heap.
type lfu struct {
	byCount
	replayed useCounts
}

func newLFU(t *Table) (policy, error) { return &lfu{byCount: byCount{t: t}}, nil }

func (p *lfu) begin(r lookups.Round) error {
	if p.rows == nil {
		p.prepare(p.t)
	}
	return p.byCount.begin(r)
}

// useCounts is the state of LFU in replay. A hit only writes the entry of its key:
// nothing is put in order before something has to leave. A row with one lookup is
// where it was filled in, in a queue. Almost always the victim is the oldest of
// these; those before it in the queue that have more lookups go into a heap, from
// which a victim comes only when no row has one lookup. An entry of the heap is put
// right when it comes to the top: keys only grow.
type useCounts struct {
	uses   []useCount // per key
	queue  []uint32   // circular: keys in the order of filling
	oldest int
	queued int
	heap   []heapedUse
	now    uint32
}

// useCount is what is known of a key in the table.
type useCount struct {
	n    uint32 // lookups, up to 2^32-1; 0: not in the table
	last uint32 // the lookup that made it n
}

// heapedUse is a key as it was when it was put into the heap.
type heapedUse struct {
	useCount
	key uint32
}

func (a useCount) before(b useCount) bool { return a.n < b.n || a.n == b.n && a.last < b.last }

func (p *lfu) mark(known []uint64) {
	for k, u := range p.replayed.uses {
		if u.n != 0 {
			known[k>>6] |= 1 << (k & 63)
		}
	}
}

func (p *lfu) replay(keys []uint32) (misses int) {
	t, u := p.t, &p.replayed
	if u.uses == nil {
		n := t.cfg.occupiable()
		u.uses, u.queue, u.heap = make([]useCount, t.keySpace()), make([]uint32, n), make([]heapedUse, 0, n)
	}
	for len(keys) > 0 {
		if u.now == math.MaxUint32 {
			u.renumber()
		}
		n := int(min(int64(len(keys)), int64(math.MaxUint32-u.now)))
		misses += u.replay(keys[:n], &t.used)
		keys = keys[n:]
	}
	return misses
}

func (u *useCounts) replay(keys []uint32, used *int) (misses int) {
	uses, now := u.uses, u.now
	for _, k := range keys {
		now++
		if n := uses[k].n; n != 0 {
			if n < math.MaxUint32 {
				uses[k].n = n + 1
			}
			uses[k].last = now
			continue
		}
		misses++
		if *used < len(u.queue) {
			*used++
		} else {
			uses[u.victim()].n = 0
		}
		uses[k] = useCount{1, now}
		u.enqueue(k)
	}
	u.now = now
	return misses
}

func (u *useCounts) enqueue(k uint32) {
	at := u.oldest + u.queued
	if at >= len(u.queue) {
		at -= len(u.queue)
	}
	u.queue[at] = k
	u.queued++
}

// victim takes out the key that leaves.
func (u *useCounts) victim() uint32 {
	for u.queued > 0 {
		k := u.queue[u.oldest]
		if u.oldest++; u.oldest == len(u.queue) {
			u.oldest = 0
		}
		u.queued--
		if u.uses[k].n == 1 {
			return k
		}
		u.push(heapedUse{u.uses[k], k})
	}
	for {
		top := u.heap[0]
		now := u.uses[top.key]
		if now == top.useCount {
			break
		}
		u.sink(0, heapedUse{now, top.key})
	}
	k, last := u.heap[0].key, len(u.heap)-1
	e := u.heap[last]
	u.heap = u.heap[:last]
	if last > 0 {
		u.sink(0, e)
	}
	return k
}

func (u *useCounts) push(e heapedUse) {
	at := len(u.heap)
	u.heap = append(u.heap, e)
	for at > 0 && e.before(u.heap[(at-1)/2].useCount) {
		u.heap[at] = u.heap[(at-1)/2]
		at = (at - 1) / 2
	}
	u.heap[at] = e
}

// sink puts e in from at downwards.
func (u *useCounts) sink(at int, e heapedUse) {
	for {
		child := 2*at + 1
		if child >= len(u.heap) {
			break
		}
		if right := child + 1; right < len(u.heap) && u.heap[right].before(u.heap[child].useCount) {
			child = right
		}
		if !u.heap[child].before(e.useCount) {
			break
		}
		u.heap[at] = u.heap[child]
		at = child
	}
	u.heap[at] = e
}

// renumber numbers the last lookups of the keys anew, in the same order, when the
// numbers run out.
func (u *useCounts) renumber() {
	var keys []uint32
	for i := range u.queued {
		keys = append(keys, u.queue[(u.oldest+i)%len(u.queue)])
	}
	for _, e := range u.heap {
		keys = append(keys, e.key)
	}
	slices.SortFunc(keys, func(a, b uint32) int { return cmp.Compare(u.uses[a].last, u.uses[b].last) })
	for i, k := range keys {
		u.uses[k].last = uint32(i) + 1
	}
	u.now = uint32(len(keys))
	for i := len(u.heap) - 1; i >= 0; i-- {
		k := u.heap[i].key
		u.sink(i, heapedUse{u.uses[k], k})
	}
}

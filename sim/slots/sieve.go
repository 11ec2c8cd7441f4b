package slots

import "stowage/workloads/lookups"

// sieve is SIEVE (Zhang et al., NSDI 2024, algorithm 1): rows stay in the order of
// filling, with one bit each, 0 when filled, 1 after a hit. The hand goes from the
// oldest towards the newest and then starts again at the oldest: bit 1 is cleared
// and the hand moves on, bit 0 is evicted and the hand stays on the next newer
// row. Unlike CLOCK's, a row that was spared keeps its place, so that new rows are
// looked at soon after old ones have been sifted out.
//
// In rounds the hand passes over a pinned row and leaves its bit: the row has had
// its turn, and its uses count when the hand comes back.
//
// State in replay: 1 byte per row, as CLOCK's, and 5 per slot, its key and a quarter of
// one to spare.
type sieve struct {
	ring
	t    *Table
	hand int32  // none: at the oldest
	used []bool // per slot: hit since the hand last passed

	replayed sieveArray
}

func newSIEVE(t *Table) (policy, error) { return &sieve{t: t, hand: none}, nil }

func (p *sieve) begin(lookups.Round) error {
	if p.nodes == nil {
		n := p.t.cfg.occupiable()
		p.ring, p.used = newRing(n), make([]bool, n)
	}
	return nil
}

func (p *sieve) hit(slot int32, _ int) { p.used[slot] = true }

func (p *sieve) fill(slot int32, _ int) {
	p.used[slot] = false
	p.push(slot)
}

func (p *sieve) victim(int) int32 {
	s := p.hand
	if s == none {
		s = p.oldest
	}
	for p.t.pins[s] > 0 || p.used[s] {
		if p.t.pins[s] == 0 {
			p.used[s] = false
		}
		s = p.nodes[s].next // from the newest to the oldest
	}
	if p.hand = p.nodes[s].next; p.hand == p.oldest {
		p.hand = none // s is the newest, or alone
	}
	p.remove(s)
	return s
}

// sieveArray is SIEVE's queue of keys in an array, so that the hand reads memory in
// order: [0, kept) are the rows that the hand has spared since it started at the
// oldest, [hand, end) those ahead of it. What the hand evicts widens the gap
// between them; when the array is full the gap is closed. With a quarter of the
// slots to spare, that moves at most four keys per miss on average.
type sieveArray struct {
	marks []uint8 // per key
	keys  []uint32
	kept  int
	hand  int
	end   int
}

func (p *sieve) mark(known []uint64) { markKeys(p.replayed.marks, known) }

func (p *sieve) replay(keys []uint32) (misses int) {
	t, q := p.t, &p.replayed
	n := t.cfg.occupiable()
	if q.marks == nil {
		q.marks, q.keys = make([]uint8, t.keySpace()), make([]uint32, n+n/4+1)
	}
	marks, queue := q.marks, q.keys
	kept, hand, end, used := q.kept, q.hand, q.end, t.used
	for _, k := range keys {
		if marks[k] != absent {
			marks[k] = hit
			continue
		}
		misses++
		marks[k] = fresh
		if used < n {
			used++
		} else {
			for {
				if hand == end {
					kept, hand, end = 0, 0, kept
				}
				old := queue[hand]
				hand++
				marks[old]--
				if marks[old] == absent {
					break
				}
				queue[kept] = old
				kept++
			}
			if hand == end {
				kept, hand, end = 0, 0, kept
			}
		}
		if end == len(queue) {
			hand, end = kept, kept+copy(queue[kept:], queue[hand:end])
		}
		queue[end] = k
		end++
	}
	q.kept, q.hand, q.end, t.used = kept, hand, end, used
	return misses
}

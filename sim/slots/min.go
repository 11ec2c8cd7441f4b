package slots

import (
	"errors"
	"fmt"
	"slices"

	"stowage/workloads/lookups"
)

// belady is MIN: it evicts the row whose next use is farthest (Belady 1966;
// Mattson et al. 1970). No policy has fewer misses.
//
// In replay, time is the position of a lookup. In rounds, time is the round, and
// MIN stays optimal with rounds in flight: which rows are pinned when round r is
// planned, P(r) = the rows of rounds r-d to r, depends on the trace alone, so
// every policy faces the same requests P(r), each to be held whole. Rows of P(r)
// that are not of round r are held already and cost nothing; for a row outside
// P(r), its next request is its next use. So this is paging with requests of
// whole sets, for which the exchange argument goes through victim by victim:
// swapping a victim for one that is used later never adds a miss. What is least
// is the sum of misses (unique rows filled); another policy can have more
// HitLookups, because a row's lookups in one round count once here.
type belady struct {
	future *future // nil: replay only
	round  int     // the next to begin
	next   []uint32

	// Occupied slots by the round of their next use; bucket Rounds() is never.
	nodes []node  // per slot, within a bucket; none at the ends
	at    []int32 // per slot: its bucket
	heads []int32 // per bucket: plus one
	live  bitTree // buckets that are not empty
}

func newMIN(cfg Config) (policy, error) {
	if cfg.future == nil && cfg.Future != nil {
		cfg.future = foresee(cfg.Future)
	}
	if cfg.future == nil {
		return &belady{}, nil
	}
	n, buckets := cfg.occupiable(), cfg.future.trace.Rounds()+1
	return &belady{
		future: cfg.future,
		nodes:  make([]node, n),
		at:     make([]int32, n),
		heads:  make([]int32, buckets),
		live:   newBitTree(buckets),
	}, nil
}

func (p *belady) begin(r lookups.Round) error {
	if p.future == nil {
		return errors.New("replacement policy min: it needs the future, and the table has no future trace")
	}
	if p.round >= p.future.trace.Rounds() {
		return fmt.Errorf("replacement policy min: round %d is beyond the %d rounds of the future trace", p.round, p.future.trace.Rounds())
	}
	if !slices.Equal(r.Keys, p.future.trace.Round(p.round).Keys) {
		return fmt.Errorf("replacement policy min: round %d is not that of the future trace", p.round)
	}
	p.next = p.future.round(p.round)
	p.round++
	return nil
}

// hit moves the slot to its next bucket. It need not leave the old one: that is
// the bucket of this very round, and every row that is not used in this round has
// a later one, so it is never read again.
func (p *belady) hit(slot int32, i int) { p.fill(slot, i) }

func (p *belady) fill(slot int32, i int) {
	b := int32(p.next[i])
	head := p.heads[b] - 1
	p.nodes[slot] = node{none, head}
	p.at[slot] = b
	if head == none {
		p.live.set(int(b))
	} else {
		p.nodes[head].prev = slot
	}
	p.heads[b] = slot + 1
}

func (p *belady) leave(slot int32) {
	n, b := p.nodes[slot], p.at[slot]
	if n.next != none {
		p.nodes[n.next].prev = n.prev
	}
	if n.prev != none {
		p.nodes[n.prev].next = n.next
		return
	}
	p.heads[b] = n.next + 1
	if n.next == none {
		p.live.clear(int(b))
	}
}

func (p *belady) victims(n int, pins []uint32, dst []int32) []int32 {
	for b := p.live.max(); n > 0; b = p.live.below(b) {
		for s := p.heads[b] - 1; s != none && n > 0; {
			next := p.nodes[s].next
			if pins[s] == 0 {
				p.leave(s)
				dst = append(dst, s)
				n--
			}
			s = next
		}
	}
	return dst
}

// replay keeps the positions of the next uses of the rows in slots as a set of
// bits: the farthest is the largest member, and the key at that position is the
// victim.
func (p *belady) replay(t *Table, keys []uint32) (misses int) {
	next, first := nextUses(keys, t.cfg.Rows)
	never := uint32(len(keys))
	due := newBitTree(len(keys))
	var dead []int32 // slots of rows that are never used again
	for s, k := range t.keys[:t.used] {
		if at := first.get(k); at != none {
			due.set(int(uint32(at)))
		} else {
			dead = append(dead, int32(s))
		}
	}
	for i, k := range keys {
		s := t.index.get(k)
		switch {
		case s != none:
			due.clear(i)
		case t.used < len(t.keys):
			misses++
			s = t.occupy(k)
		default:
			misses++
			if n := len(dead); n > 0 {
				s, dead = dead[n-1], dead[:n-1]
			} else {
				far := due.max()
				due.clear(far)
				s = t.index.get(keys[far])
			}
			t.replace(s, k)
		}
		if next[i] == never {
			dead = append(dead, s)
		} else {
			due.set(int(next[i]))
		}
	}
	return misses
}

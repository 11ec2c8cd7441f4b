package slots

import "stowage/workloads/lookups"

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
	t      *Table
	future *future // nil: replay only
	next   []uint32
	scan   int32 // while a round makes room: all rows before it are pinned; none: start at the farthest

	// Occupied slots by the round of their next use; bucket Rounds() is never.
	nodes []node  // per slot, within a bucket; none at the ends
	at    []int32 // per slot: its bucket
	heads []int32 // per bucket: plus one
	live  bitTree // buckets that are not empty

	replayed foreseen
}

func newMIN(t *Table) (policy, error) {
	cfg := t.cfg
	if cfg.Future == nil {
		return &belady{t: t}, nil
	}
	n, buckets := cfg.occupiable(), cfg.Future.Rounds()+1
	return &belady{
		t:      t,
		future: foresee(cfg.Future),
		nodes:  make([]node, n),
		at:     make([]int32, n),
		heads:  make([]int32, buckets),
		live:   newBitTree(buckets),
	}, nil
}

func (p *belady) begin(r lookups.Round) error {
	if p.future == nil {
		return noFuture(p.t.cfg.Policy)
	}
	next, err := p.future.expect(p.t.cfg.Policy, p.t.planned, r)
	if err != nil {
		return err
	}
	p.next, p.scan = next, none
	return nil
}

// hit moves the slot to its next bucket. It need not leave the old one: that is
// the bucket of this very round, and every row that is not used in this round has
// a later one, so it is never read again.
func (p *belady) hit(slot int32, i int) { p.fill(slot, i) }

func (p *belady) fill(slot int32, i int) { p.join(slot, int32(p.next[i])) }

// join puts a slot into bucket b.
func (p *belady) join(slot, b int32) {
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

func (p *belady) victim(int) int32 {
	s := p.scan
	if s == none {
		s = p.heads[p.live.max()] - 1
	}
	for p.t.pins[s] > 0 {
		s = p.after(s)
	}
	p.scan = p.after(s)
	p.leave(s)
	return s
}

// after returns the row behind s: the next of its bucket, or the first of the next
// nearer one; none behind the last.
func (p *belady) after(s int32) int32 {
	if next := p.nodes[s].next; next != none {
		return next
	}
	if b := p.live.below(int(p.at[s])); b >= 0 {
		return p.heads[b] - 1
	}
	return none
}

func (p *belady) replay(keys []uint32) (misses int) {
	p.foretell(newForesight(keys, p.t.cfg.Rows))
	return p.step(len(keys))
}

// foreseen is the state of a replay: the positions of the next uses of the rows in
// slots as a set of bits. The farthest is the largest member, and the key at that
// position is the victim.
type foreseen struct {
	*foresight
	at   int // the next lookup
	due  bitTree
	dead []int32 // slots of rows that are never used again
}

func (p *belady) foretell(f *foresight) {
	t, s := p.t, foreseen{foresight: f, due: newBitTree(len(f.keys))}
	for slot, k := range t.keys[:t.used] {
		if at := f.first.get(k); at != none {
			s.due.set(int(uint32(at)))
		} else {
			s.dead = append(s.dead, int32(slot))
		}
	}
	p.replayed = s
}

func (p *belady) step(n int) (misses int) {
	t, f := p.t, &p.replayed
	never := uint32(len(f.keys))
	for i := f.at; i < f.at+n; i++ {
		k := f.keys[i]
		s := t.index.get(k)
		switch {
		case s != none:
			f.due.clear(i)
		case t.used < len(t.keys):
			misses++
			s = t.occupy(k)
		default:
			misses++
			s = p.farthest()
			t.replace(s, k)
		}
		if f.next[i] == never {
			f.dead = append(f.dead, s)
		} else {
			f.due.set(int(f.next[i]))
		}
	}
	f.at += n
	return misses
}

// farthest takes out the slot whose row is used farthest ahead.
func (p *belady) farthest() int32 {
	f := &p.replayed
	if n := len(f.dead); n > 0 {
		s := f.dead[n-1]
		f.dead = f.dead[:n-1]
		return s
	}
	far := f.due.max()
	f.due.clear(far)
	return p.t.index.get(f.keys[far])
}

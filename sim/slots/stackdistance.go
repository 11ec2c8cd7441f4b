package slots

import (
	"fmt"
	"math/bits"
)

// StackDistances finds the misses of LRU at all numbers of slots in one pass
// over single lookups (Mattson et al., "Evaluation techniques for storage
// hierarchies", IBM Systems Journal 1970): LRU with s slots holds the s keys used
// last, so a lookup hits from as many slots on as its key's place in the order
// of last use, its stack distance, counted from 1.
//
// Memory is bounded by rows, whatever the length of the trace: 4 bytes a row, 3
// to 6 bits a row for the order, and 4 to 8 bytes a distinct key for the
// counts.
type StackDistances struct {
	order  recency
	counts distances
	warmup int64 // lookups still to go before counting begins
}

// NewStackDistances returns the state before the first lookup. All keys are below
// rows, 1 to 2^30. The first warmup lookups move keys but are not counted.
func NewStackDistances(rows, warmup int64) (*StackDistances, error) {
	order, err := newRecency(rows)
	if err != nil {
		return nil, err
	}
	if warmup < 0 {
		return nil, fmt.Errorf("warm-up = %d lookups: want >= 0", warmup)
	}
	return &StackDistances{order: order, warmup: warmup}, nil
}

// LRUCurve returns the misses of LRU at every number of slots. All keys are below
// rows; the first warmup lookups are not counted.
func LRUCurve(keys []uint32, rows, warmup int64) (*Curve, error) {
	s, err := NewStackDistances(rows, warmup)
	if err != nil {
		return nil, err
	}
	s.Add(keys)
	return s.Curve(), nil
}

// Add looks keys up, in order.
func (s *StackDistances) Add(keys []uint32) {
	for len(keys) > 0 {
		n := min(len(keys), s.order.room(1))
		if s.warmup > 0 {
			n = int(min(int64(n), s.warmup))
		}
		s.counts.reserve(min(len(s.order.last), int(s.order.live)+n), uint64(n))
		s.run(keys[:n])
		keys = keys[n:]
		if s.warmup > 0 {
			if s.warmup -= int64(n); s.warmup == 0 {
				s.counts.forget()
			}
		}
	}
}

// runBlock is how many lookups take each step of run together.
const runBlock = 256

// run looks up keys for which there is room, a block at a time: first where each
// was used last, then the distances, then the counts. A step waits for memory, and one alone
// is short enough for the processor to wait for many lookups at once. That
// a key is twice in a block does no harm: the bits of positions to come are set.
func (s *StackDistances) run(keys []uint32) {
	var buffer [runBlock]uint32
	for len(keys) > 0 {
		n := min(len(keys), runBlock)
		block := buffer[:n]
		s.recall(keys[:n], block)
		s.measure(block)
		for _, d := range block {
			s.counts.at[d]++ // a first use counts at 0, where no use does
		}
		keys = keys[n:]
	}
	s.counts.cold += int64(s.counts.at[0])
	s.counts.at[0] = 0
}

// recall replaces the last uses of the keys by the positions to come, and returns
// them, plus one, in last.
func (s *StackDistances) recall(keys, last []uint32) {
	all, now := s.order.last, s.order.now
	for i, k := range keys {
		now++
		last[i] = all[k]
		all[k] = now
	}
}

// measure turns last uses into distances, 0 for a first use, and passes the
// positions. It is recency.from and recency.clear in one walk.
func (s *StackDistances) measure(block []uint32) {
	words, ones := s.order.words, s.order.ones
	leaves := uint32(len(words))
	unused := s.order.positions() - s.order.now
	cold := uint32(0)
	for b, p := range block {
		if p == 0 {
			unused--
			cold++
			continue
		}
		p--
		w := p / 64
		word := words[w]
		words[w] = word &^ (1 << (p % 64))
		n := uint32(bits.OnesCount64(word >> (p % 64)))
		for i := leaves + w; i > 1; {
			right := i & 1
			i /= 2
			c := ones[i]
			n += c & (right - 1)
			ones[i] = c - right
		}
		block[b] = n - unused
		unused--
	}
	s.order.now += uint32(len(block))
	s.order.live += cold
}

// Curve returns the misses of the lookups so far. It takes 8 bytes a distinct key,
// and more lookups may follow.
func (s *StackDistances) Curve() *Curve {
	if s.warmup > 0 {
		return &Curve{hits: []int64{0}}
	}
	return s.counts.curve()
}

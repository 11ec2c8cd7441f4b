package slots

import (
	"fmt"

	"stowage/workloads/lookups"
)

// RoundDistances does the same for rounds of unique keys, which is what training
// does: whether a key of a round hits depends on the rounds before it, never on
// the other keys of its own round.
//
// The order it counts in is that of the last use, by round and within a round by
// position. An LRU that orders rows so, with rounds not in flight, is a stack
// algorithm at every number of slots that the largest round fits into: after a
// round it holds the round's keys and, of the others, those that were newest, which
// are the newest of all keys. Its misses are the curve's, to the last one.
//
// A table that touches a round's hits before it fills the misses, as [Table] does,
// orders the keys of a round by whether they hit. It is not a stack algorithm: a
// key may be in the smaller of two tables and not in the larger. But it evicts
// rounds' keys in the same order, and can differ only within the round that is
// being evicted at the time. A key last used in round q hits in both when the slots
// take all keys last used in q or later, and misses in both when they take none of
// q's.
type RoundDistances struct {
	order        recency
	keys, looked distances // per unique key, and per lookup
	depth        []uint32  // of one round
	warmup       int       // rounds still to go before counting begins
	least        int
}

// NewRoundDistances returns the state before the first round. All keys are below
// rows, 1 to 2^30. The first warmup rounds move keys but are not counted.
func NewRoundDistances(rows int64, warmup int) (*RoundDistances, error) {
	order, err := newRecency(rows)
	if err != nil {
		return nil, err
	}
	if warmup < 0 {
		return nil, fmt.Errorf("warm-up = %d rounds: want >= 0", warmup)
	}
	return &RoundDistances{order: order, warmup: warmup}, nil
}

// Add plans one round.
func (s *RoundDistances) Add(r lookups.Round) {
	s.order.room(len(r.Keys))
	s.least = max(s.least, len(r.Keys))
	s.measure(r.Keys)
	if s.warmup > 0 {
		s.warmup--
	} else {
		s.count(r)
	}
	s.use(r.Keys)
}

// measure finds the distance of every key before the round changes the order, 0
// for a first use.
func (s *RoundDistances) measure(keys []uint32) {
	if cap(s.depth) < len(keys) {
		s.depth = make([]uint32, len(keys))
	}
	s.depth = s.depth[:len(keys)]
	for i, k := range keys { // by itself, the processor waits for many at once
		s.depth[i] = s.order.last[k]
	}
	unused := s.order.positions() - s.order.now
	for i, p := range s.depth {
		if p != 0 {
			s.depth[i] = s.order.from(p-1) - unused
		}
	}
}

func (s *RoundDistances) count(r lookups.Round) {
	s.keys.reserve(int(s.order.live), uint64(len(r.Keys)))
	s.looked.reserve(int(s.order.live), uint64(r.Lookups))
	for i, d := range s.depth {
		if d == 0 {
			s.keys.cold++
			s.looked.cold += int64(r.Counts[i])
			continue
		}
		s.keys.at[d]++
		s.looked.at[d] += r.Counts[i]
	}
}

// use makes the keys the newest, in the order of the round.
func (s *RoundDistances) use(keys []uint32) {
	start := s.order.now
	for _, k := range keys {
		if s.order.last[k] > start {
			panic(fmt.Sprintf("slots: key %d is twice in a round: rounds must be unique", k))
		}
		s.order.use(k)
	}
}

// Least returns the number of slots that the curves hold from: the unique keys of
// the largest round. A table with fewer is short of slots.
func (s *RoundDistances) Least() int { return s.least }

// Unique returns the misses among the unique keys of the rounds so far: the rows
// to be moved.
func (s *RoundDistances) Unique() *Curve { return s.keys.curve() }

// Lookups returns the misses among the lookups before they were made unique: a
// lookup hits when its row was in a slot before its round.
func (s *RoundDistances) Lookups() *Curve { return s.looked.curve() }

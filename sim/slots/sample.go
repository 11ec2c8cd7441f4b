package slots

import (
	"math"
	"math/bits"
)

// sample is the keys whose hash is below a threshold, in the order of their last
// use: spatial sampling (Waldspurger et al., "Efficient MRC construction with
// SHARDS", FAST 2015). Any stretch of lookups has about rate times as many sampled keys
// as keys.
type sample struct {
	threshold uint64 // sampled keys have a smaller hash
	most      int    // keys held before the threshold is lowered; 0: no bound

	ids   map[uint64]uint32 // key -> id
	free  []uint32          // ids below next that no key has
	next  uint32
	order recency      // of ids
	when  []uint64     // per position of order: the time of that use
	held  []sampledKey // heap by hash, largest first; only with a bound
}

type sampledKey struct{ hash, key uint64 }

// firstSample is for how many sampled keys there is room at first.
const firstSample = 1 << 10

func newSample(rate float64, most int) *sample {
	order, err := newRecency(firstSample)
	if err != nil {
		panic(err) // a constant
	}
	return &sample{
		threshold: thresholdOf(rate),
		most:      most,
		ids:       make(map[uint64]uint32, firstSample),
		order:     order,
		when:      make([]uint64, order.positions()),
	}
}

// thresholdOf returns the hash below which a share of all hashes lies.
func thresholdOf(rate float64) uint64 {
	if rate >= 1 {
		return math.MaxUint64
	}
	return uint64(rate * 0x1p64)
}

// rate returns the share of keys that are sampled now.
func (s *sample) rate() float64 {
	if s.threshold == math.MaxUint64 {
		return 1
	}
	return float64(s.threshold) / 0x1p64
}

// place returns the place of a sampled key in the order of last use, 1 for the
// newest, 0 for a key that was not used before.
func (s *sample) place(key uint64) int {
	id, ok := s.ids[key]
	if !ok {
		return 0
	}
	return s.order.place(id)
}

// since returns how many sampled keys were last used after a time.
func (s *sample) since(time uint64) int {
	unused := s.order.positions() - s.order.now
	low, high := uint32(0), s.order.now
	for low < high {
		if mid := (low + high) / 2; s.when[mid] > time {
			high = mid
		} else {
			low = mid + 1
		}
	}
	if low == s.order.now {
		return 0
	}
	return int(s.order.from(low) - unused)
}

// use makes a key whose hash is below the threshold the newest. Beyond the bound, the
// keys with the largest hash leave and the threshold is lowered to it.
func (s *sample) use(key, hash, time uint64) {
	id, ok := s.ids[key]
	if !ok {
		id = s.enter(key, hash)
	}
	if s.order.now == s.order.positions() {
		s.renumber()
	}
	s.when[s.order.now] = time
	s.order.use(id)
	if s.most > 0 && len(s.ids) > s.most {
		s.shrink()
	}
}

func (s *sample) enter(key, hash uint64) uint32 {
	var id uint32
	if n := len(s.free); n > 0 {
		id, s.free = s.free[n-1], s.free[:n-1]
	} else {
		if int(s.next) == len(s.order.last) {
			s.grow()
		}
		id = s.next
		s.next++
	}
	s.ids[key] = id
	if s.most > 0 {
		s.push(sampledKey{hash, key})
	}
	return id
}

// renumber makes room for positions, and moves the times with them.
func (s *sample) renumber() {
	kept := uint32(0)
	for p, word := range s.order.words {
		for ; word != 0; word &= word - 1 {
			s.when[kept] = s.when[p*64+bits.TrailingZeros64(word)]
			kept++
		}
	}
	s.order.renumber()
}

func (s *sample) grow() {
	s.renumber()
	if err := s.order.grow(); err != nil {
		panic("slots: a billion sampled keys: sample fewer, or bound the sample")
	}
	when := make([]uint64, s.order.positions())
	copy(when, s.when[:s.order.now])
	s.when = when
}

// leave takes a key out, if it is in.
func (s *sample) leave(key uint64) {
	if id, ok := s.ids[key]; ok {
		s.order.remove(id)
		delete(s.ids, key)
		s.free = append(s.free, id)
	}
}

// shrink lowers the threshold until the bound holds.
func (s *sample) shrink() {
	for len(s.ids) > s.most {
		s.threshold = s.held[0].hash
		for len(s.held) > 0 && s.held[0].hash >= s.threshold {
			s.leave(s.pop().key)
		}
	}
}

func (s *sample) push(k sampledKey) {
	s.held = append(s.held, k)
	h := s.held
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if h[up].hash >= h[i].hash {
			break
		}
		h[up], h[i] = h[i], h[up]
		i = up
	}
}

func (s *sample) pop() sampledKey {
	h := s.held
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	s.held = h
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return top
		}
		if child+1 < len(h) && h[child+1].hash > h[child].hash {
			child++
		}
		if h[i].hash >= h[child].hash {
			return top
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

package slots

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
)

// DefaultHead is how many keys HeadShards counts exactly when not told.
const DefaultHead = 1024

// Until the head is full, candidates are drawn seekMore times as often as lookups,
// and a key joins the head when it has been a candidate headAfter times.
const (
	seekMore  = 10
	headAfter = 6
)

// HeadShards estimates the misses of LRU at every number of slots as Shards does,
// but counts the head, the hottest keys, exactly and samples only the tail.
//
// Shards errs on skewed traces for two reasons, both in the head: whether a hot key is
// in the sample changes how many lookups the sample stands for, and how many keys
// it finds in every stretch of the trace. Here
//
//   - lookups are drawn, not keys: each with probability Rate, whatever its
//     key. A drawn lookup of a key is watched until the key's next lookup,
//     whose distance is measured. A hot key is drawn as often as it is due.
//   - a distance is the number of head keys used since, counted exactly, plus
//     that of the sampled tail keys used since, divided by the rate; in
//     stretches so short that few are sampled, it is the number of tail lookups, times the
//     share of distinct keys in all such stretches.
//   - keys that are drawn often join the head as the trace goes on. Lookups of the head and
//     of the tail are weighed by how many there were of each.
//
// First uses are counted among the sampled keys.
//
// Memory is about 40 bytes a head key, 70 a sampled tail key and 60 a watched lookup; MaxKeys
// bounds the sampled keys and the watched lookups both.
type HeadShards struct {
	cfg     ShardsConfig
	salt    uint64
	rng     *rand.Rand
	now     uint64 // lookups so far
	heads   uint64 // of these, lookups of the head
	sampled uint64 // and lookups of sampled tail keys

	head  headKeys
	tail  *sample
	short distinctRatios

	watched  map[uint64]moment // tail key -> when it was last looked up, if that was drawn
	filter   []uint8           // by low bits of the hash: watched keys, at most 255
	draw     float64           // probability with which lookups are drawn
	halved   uint              // how often that was halved, modulo 64
	headNext uint64            // lookups of the head until the next is drawn
	tailNext uint64            // and of the tail
	seekNext uint64            // lookups of the tail until the next candidate for the head
	seen     map[uint64]uint32 // tail key -> how often it was a candidate lately

	headHits, tailHits weights // of drawn lookups
	cold               float64
	warmHeads          uint64 // lookups of the head in the warm-up
}

// moment is a point of the trace: the lookups up to it, how many of them were of
// the tail, and of these, of sampled keys.
type moment struct{ time, tails, sampled uint64 }

// moment returns that of this lookup.
func (s *HeadShards) moment() moment { return moment{s.now, s.now - s.heads, s.sampled} }

// filterBits is the width of the filter before the map of watched keys.
const filterBits = 18

// NewHeadShards returns the state before the first lookup, which will count the
// given number of keys exactly; 0 means DefaultHead. The error says what is wrong with the
// configuration.
func NewHeadShards(cfg ShardsConfig, head int) (*HeadShards, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if head == 0 {
		head = DefaultHead
	}
	if head < 1 || head > 1<<20 {
		return nil, fmt.Errorf("head = %d keys: want 1 to %d, or 0 for %d", head, 1<<20, DefaultHead)
	}
	s := &HeadShards{
		cfg:     cfg,
		salt:    saltOf(cfg.Seed),
		rng:     rand.New(rand.NewPCG(cfg.Seed, 0x68656164)),
		head:    newHeadKeys(head),
		tail:    newSample(cfg.Rate, cfg.MaxKeys),
		watched: map[uint64]moment{},
		filter:  make([]uint8, 1<<filterBits),
		draw:    cfg.Rate,
		seen:    map[uint64]uint32{},
	}
	s.headNext, s.tailNext, s.seekNext = s.gap(s.draw), s.gap(s.draw), s.gap(seekMore*s.draw)
	return s, nil
}

// gap draws how many lookups to pass over until the next that is drawn with a
// probability.
func (s *HeadShards) gap(probability float64) uint64 {
	if probability >= 1 {
		return 0
	}
	return uint64(min(s.rng.ExpFloat64()/-math.Log1p(-probability), 1<<62))
}

// Add looks keys up, in order. Any 64-bit keys will do.
func (s *HeadShards) Add(keys []uint64) { addHeadShards(s, keys) }

// AddRows looks rows up, in order: row r is key r.
func (s *HeadShards) AddRows(rows []uint32) { addHeadShards(s, rows) }

func addHeadShards[K uint32 | uint64](s *HeadShards, keys []K) {
	for len(keys) > 0 {
		n, warmup := uint64(len(keys)), uint64(s.cfg.Warmup)
		if s.now < warmup {
			n = min(n, warmup-s.now)
		}
		lookHeadShards(s, keys[:n])
		keys = keys[n:]
		if s.now == warmup {
			s.forget()
		}
	}
}

// forget starts the counts again.
func (s *HeadShards) forget() {
	clear(s.headHits)
	clear(s.tailHits)
	s.cold, s.warmHeads = 0, s.heads
}

// lookHeadShards passes over lookups of the tail at which nothing is due, and over
// lookups of the head but for a mark of the time.
func lookHeadShards[K uint32 | uint64](s *HeadShards, keys []K) {
	salt, filter, threshold := s.salt, s.filter, s.tail.threshold
	now, heads := s.now, s.heads
	head, cells, mask := &s.head, s.head.cells, s.head.mask
	quiet := min(s.tailNext, s.seekNext) // lookups of the tail until one is due
	left := quiet
	for _, k := range keys {
		now++
		key := uint64(k)
		h := fmix64(key ^ salt)
		if i := findHead(cells, mask, key, h); i != 0 {
			heads++
			if s.headNext == 0 {
				s.now, s.heads = now, heads
				s.measureHead(i)
			} else {
				s.headNext--
			}
			head.last[i] = now
			head.tails[i] = now - heads
			head.sampled[i] = s.sampled
			continue
		}
		if filter[h&(1<<filterBits-1)] == 0 && h >= threshold && left > 0 {
			left--
			continue
		}
		s.now, s.heads = now, heads
		s.pass(quiet - left)
		s.lookTail(key, h)
		threshold = s.tail.threshold
		quiet = min(s.tailNext, s.seekNext)
		left = quiet
	}
	s.now, s.heads = now, heads
	s.pass(quiet - left)
}

// pass counts down for lookups of the tail at which nothing was due.
func (s *HeadShards) pass(n uint64) {
	s.tailNext -= n
	s.seekNext -= n
}

// measureHead measures the lookup of head key i at this time.
func (s *HeadShards) measureHead(i uint32) {
	s.headNext = s.gap(s.draw)
	at := moment{s.head.last[i], s.head.tails[i], s.head.sampled[i]}
	s.headHits.add(s.distance(at, s.now-s.heads-at.tails), 1/s.draw)
}

// distance estimates the place in the order of last use of a key that was last
// used at a moment, with so many tail lookups since.
func (s *HeadShards) distance(at moment, tails uint64) float64 {
	head := float64(s.head.since(at.time))
	keys := float64(s.tail.since(at.time))
	rate := s.tail.rate()
	if all := float64(tails); rate < 1 && all*rate < shortKeys {
		return 1 + head + all*s.short.distinct(tails, keys, float64(s.sampled-at.sampled))
	}
	return 1 + head + keys/rate
}

// lookTail looks up a tail key that may be watched, sampled, drawn or a candidate.
func (s *HeadShards) lookTail(key, hash uint64) {
	if at, watched := s.watched[key]; watched {
		s.tailHits.add(s.distance(at, s.now-s.heads-at.tails-1), 1/s.draw)
		s.unwatch(key, hash)
	}
	sampled := hash < s.tail.threshold
	if sampled {
		s.sampled++
		if s.tail.place(key) == 0 {
			s.cold += 1 / s.tail.rate()
		}
	}
	drawn := s.tailNext == 0
	if drawn {
		s.tailNext = s.gap(s.draw)
	} else {
		s.tailNext--
	}
	if s.candidate(key) {
		s.tail.leave(key)
		s.head.add(key, hash, s.moment())
		return // the key's next lookup is one of the head, and measured as such
	}
	if sampled {
		s.tail.use(key, hash, s.now)
	}
	if drawn {
		s.watch(key, hash)
	}
}

// candidate counts down to the next candidate and says whether this key has been
// one often enough to join the head.
func (s *HeadShards) candidate(key uint64) bool {
	if s.seekNext > 0 {
		s.seekNext--
		return false
	}
	if s.head.full() {
		s.seekNext, s.seen = math.MaxUint64, nil
		return false
	}
	s.seekNext = s.gap(seekMore * s.draw)
	s.seen[key]++
	if s.seen[key] >= headAfter {
		delete(s.seen, key)
		return true
	}
	if len(s.seen) > 8*len(s.head.last) {
		s.decay()
	}
	return false
}

// decay forgets a time as a candidate of every key, and the keys that have no other.
func (s *HeadShards) decay() {
	for key, n := range s.seen {
		if n == 1 {
			delete(s.seen, key)
		} else {
			s.seen[key] = n - 1
		}
	}
}

func (s *HeadShards) watch(key, hash uint64) {
	cell := &s.filter[hash&(1<<filterBits-1)]
	if *cell == 255 {
		return // hundreds of thousands are watched
	}
	*cell++
	s.watched[key] = s.moment()
	if s.cfg.MaxKeys > 0 {
		s.thin()
	}
}

func (s *HeadShards) unwatch(key, hash uint64) {
	s.filter[hash&(1<<filterBits-1)]--
	delete(s.watched, key)
}

// thin draws half as many lookups from now on, and lets go of about half of those that are
// watched, until the bound holds: each time by another bit of a hash of
// key and time, so that it does not matter in which order they come.
func (s *HeadShards) thin() {
	for len(s.watched) > s.cfg.MaxKeys {
		s.draw /= 2
		for key, at := range s.watched {
			if hash := fmix64(key ^ s.salt); fmix64(hash+at.time)>>s.halved&1 == 0 {
				s.unwatch(key, hash)
			}
		}
		s.halved = (s.halved + 1) % 64
	}
}

// Head returns the number of keys counted exactly so far.
func (s *HeadShards) Head() int { return s.head.n }

// Keys returns the number of sampled tail keys held.
func (s *HeadShards) Keys() int { return len(s.tail.ids) }

// Watched returns the number of drawn lookups whose key was not looked up since.
func (s *HeadShards) Watched() int { return len(s.watched) }

// Estimate returns the estimate of the lookups so far.
func (s *HeadShards) Estimate() *Estimate {
	counted := uint64(0)
	if s.now > uint64(s.cfg.Warmup) {
		counted = s.now - uint64(s.cfg.Warmup)
	}
	e := &Estimate{lookups: int64(counted), hits: make([]float64, max(len(s.headHits), len(s.tailHits), 1))}
	if counted == 0 {
		return e
	}
	heads := s.heads - s.warmHeads
	tail := max(float64(counted-heads)-s.cold, 0)
	s.headHits.scaleInto(e.hits, float64(heads))
	s.tailHits.scaleInto(e.hits, tail)
	for b := 1; b < len(e.hits); b++ {
		e.hits[b] += e.hits[b-1]
	}
	return e
}

// headKeys are the keys counted exactly: the time of the last use of each. Looking a
// key up writes one word; counting how many were used since a time reads them
// all, which is done for drawn lookups only.
type headKeys struct {
	cells []headCell
	mask  uint64
	n     int

	// From 1 on, per key, the moment of its last use.
	last, tails, sampled []uint64
}

type headCell struct {
	key uint64
	at  uint32 // in last; 0: free
}

func newHeadKeys(most int) headKeys {
	cells := 4 << bits.Len(uint(most-1))
	return headKeys{
		cells: make([]headCell, cells), mask: uint64(cells - 1),
		last: make([]uint64, most+1), tails: make([]uint64, most+1), sampled: make([]uint64, most+1),
	}
}

func (h *headKeys) full() bool { return h.n+1 == len(h.last) }

// findHead returns where in last the key is, 0 when it is not of the head.
func findHead(cells []headCell, mask, key, hash uint64) uint32 {
	for at := hash >> filterBits & mask; ; at = (at + 1) & mask {
		c := &cells[at]
		if c.at == 0 || c.key == key {
			return c.at
		}
	}
}

func (h *headKeys) add(key, hash uint64, now moment) {
	at := hash >> filterBits & h.mask
	for h.cells[at].at != 0 {
		at = (at + 1) & h.mask
	}
	h.n++
	h.cells[at] = headCell{key, uint32(h.n)}
	h.last[h.n], h.tails[h.n], h.sampled[h.n] = now.time, now.tails, now.sampled
}

// since returns how many head keys were last used after a time. The sign of the
// difference tells, times being far below 2^63: no branch, four at a time.
func (h *headKeys) since(time uint64) int {
	last := h.last[1 : h.n+1]
	n := uint64(0)
	for ; len(last) >= 4; last = last[4:] {
		n += (time-last[0])>>63 + (time-last[1])>>63 + (time-last[2])>>63 + (time-last[3])>>63
	}
	for _, t := range last {
		n += (time - t) >> 63
	}
	return int(n)
}

// shortKeys is how many sampled keys a stretch should have to be measured by
// them alone.
const shortKeys = 64

// distinctRatios are the distinct keys per lookup of the sampled tail keys in
// stretches of about the same length, 2^(i-1) to 2^i tail lookups.
type distinctRatios [65]struct{ keys, lookups float64 }

// distinct takes note of a stretch of the given length with so many sampled keys
// and lookups of them, and returns the ratio for its length.
func (r *distinctRatios) distinct(length uint64, keys, lookups float64) float64 {
	of := &r[bits.Len64(length)]
	of.keys += keys
	of.lookups += lookups
	return (of.keys + 1) / (of.lookups + 1) // until something is known, all are distinct
}

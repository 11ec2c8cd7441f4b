package slots

import "sort"

// Curve is the misses of LRU at every number of slots, exact.
type Curve struct {
	lookups int64
	cold    int64
	hits    []int64 // hits[s]: lookups that hit with s slots; the last for more slots, too
}

// Lookups returns the number of lookups counted.
func (c *Curve) Lookups() int64 { return c.lookups }

// Cold returns the lookups that miss whatever the slots: first uses of a key.
func (c *Curve) Cold() int64 { return c.cold }

// Hits returns how many lookups hit with the given number of slots.
func (c *Curve) Hits(slots int) int64 { return c.hits[max(0, min(slots, len(c.hits)-1))] }

// Misses returns how many lookups miss with the given number of slots.
func (c *Curve) Misses(slots int) int64 { return c.lookups - c.Hits(slots) }

// HitRatio is the share of lookups that hit; 0 without lookups.
func (c *Curve) HitRatio(slots int) float64 {
	if c.lookups == 0 {
		return 0
	}
	return float64(c.Hits(slots)) / float64(c.lookups)
}

// MissRatio is the share of lookups that miss; 0 without lookups.
func (c *Curve) MissRatio(slots int) float64 {
	if c.lookups == 0 {
		return 0
	}
	return float64(c.Misses(slots)) / float64(c.lookups)
}

// Enough returns the least number of slots with which only first uses miss.
func (c *Curve) Enough() int { return len(c.hits) - 1 }

// SlotsFor returns the least number of slots whose hit ratio is at least the one
// given; ok is false when no number reaches it.
func (c *Curve) SlotsFor(hitRatio float64) (slots int, ok bool) {
	slots = sort.Search(len(c.hits), func(s int) bool { return c.HitRatio(s) >= hitRatio })
	return slots, slots < len(c.hits)
}

// spillAt is how much a distances counts in 32 bits before it moves them on.
const spillAt = 1 << 31

// distances is a histogram of stack distances: at[d] uses of a key hit with d
// slots and miss with d-1. Counts are 32 bits while they are written, since
// half the memory is fewer cache misses, and 64 bits for ever.
type distances struct {
	at      []uint32
	written uint64 // upper bound of any count in at
	moved   []int64
	cold    int64
}

// reserve makes room for distances up to d and for n more counts.
func (h *distances) reserve(d int, n uint64) {
	if d >= len(h.at) {
		at := make([]uint32, max(d+1, 2*len(h.at)))
		copy(at, h.at)
		h.at = at
	}
	if h.written+n > spillAt {
		h.spill()
	}
	h.written += n
}

func (h *distances) spill() {
	if len(h.moved) < len(h.at) {
		h.moved = append(h.moved, make([]int64, len(h.at)-len(h.moved))...)
	}
	for d, n := range h.at {
		h.moved[d] += int64(n)
	}
	clear(h.at)
	h.written = 0
}

// forget starts the counts again.
func (h *distances) forget() {
	clear(h.at)
	*h = distances{at: h.at}
}

// curve sums the counts up.
func (h *distances) curve() *Curve {
	most := 0
	count := func(d int) (n int64) {
		if d < len(h.moved) {
			n = h.moved[d]
		}
		return n + int64(h.at[d])
	}
	for d := range h.at {
		if count(d) > 0 {
			most = d
		}
	}
	c := &Curve{cold: h.cold, hits: make([]int64, most+1)}
	for d := 1; d <= most; d++ {
		c.hits[d] = c.hits[d-1] + count(d)
	}
	c.lookups = c.cold + c.hits[most]
	return c
}

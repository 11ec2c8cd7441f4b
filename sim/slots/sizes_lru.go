package slots

import (
	"cmp"
	"math/bits"
	"slices"
)

// lruSizes is LRU at several sizes: one log of uses, as useLog, with a tail for each.
// A table holds the keys that were used last (Mattson et al., 1970), so that all are in
// the largest one, and a lookup hits in every size whose tail is not past the key's
// last use.
//
// Which tails those are is a byte for every 64 positions. Tails move at the end of a
// block of lookups, by as many bits as there were misses: within the block none can
// get further than as many bits as it has lookups. Only a key that was last used in
// such a stretch needs its tails moved at once. So a lookup takes no branch that
// depends on what it finds.
//
// 4 bytes per key, and 12.6 per slot of the largest size, whatever the others.
type lruSizes struct {
	last   []uint32 // per key: position of its last use; 0: in no table
	keys   []uint32 // per position; the first 64 are not used
	live   []uint64 // a bit per position, set at the last uses and from end on
	behind []uint8  // per word of live: how many tails are past it; open; the first: all
	end    int      // next position

	sizes []sizeTail // from the smallest to the largest
	used  int        // keys in the largest table

	// Lookups by how many sizes they missed, of this block, and before it.
	recent, counted []int64
}

// sizeTail is where one table ends.
type sizeTail struct {
	slots int // at most the keys there are
	place int // in the caller's list
	tail  int // no position before it is in the table

	// Words of live in which the tail is in this block.
	first, stop int
}

const (
	open         = 255 // some tail may pass it in this block
	mostLRUSizes = 128 // below open
)

func newLRUSizes(keys int64, sizes []int) *lruSizes {
	l := &lruSizes{recent: make([]int64, len(sizes)+1), counted: make([]int64, len(sizes)+1)}
	for i, s := range sizes {
		l.sizes = append(l.sizes, sizeTail{slots: int(min(int64(s), keys)), place: i})
	}
	slices.SortStableFunc(l.sizes, func(x, y sizeTail) int { return cmp.Compare(x.slots, y.slots) })
	n := min(3*l.sizes[len(sizes)-1].slots+3*touchAhead-1, 1<<32-1) &^ 63 // positions are uint32
	l.last, l.keys = make([]uint32, keys), make([]uint32, n)
	l.live, l.behind = make([]uint64, n/64), make([]uint8, n/64)
	l.restart(touchAhead)
	return l
}

func (l *lruSizes) misses() []int64 {
	misses := make([]int64, len(l.sizes))
	n := int64(0)
	for j := len(l.sizes) - 1; j >= 0; j-- {
		n += l.counted[j+1]
		misses[l.sizes[j].place] = n
	}
	return misses
}

func (l *lruSizes) mark(known []uint64) { markKeys(l.last, known) }

func (l *lruSizes) run(keys []uint32) {
	for len(keys) > 0 {
		if l.end == len(l.keys) {
			l.pack()
		}
		n := min(len(l.keys)-l.end, len(keys), touchAhead)
		l.uses(keys[:n])
		l.settle()
		l.foresee()
		keys = keys[n:]
	}
}

// uses looks up a block of keys for which the log has room.
func (l *lruSizes) uses(keys []uint32) {
	last, log, live, behind, recent := l.last, l.keys[l.end:l.end+len(keys)], l.live, l.behind, l.recent
	for i, k := range keys {
		log[i] = last[k] // a write, so that the read is made
	}
	for i, k := range keys {
		at := last[k]
		n := int(behind[at>>6])
		if n == open {
			n, at = l.look(k)
		}
		recent[n]++
		live[at>>6] &^= 1 << (at & 63)
		log[i] = k
		last[k] = uint32(l.end)
		l.end++
	}
}

// look moves the tails, and returns how many sizes miss k, and its last use.
func (l *lruSizes) look(k uint32) (missing int, at uint32) {
	l.settle()
	at = l.last[k]
	if at == 0 {
		return len(l.sizes), 0
	}
	for missing < len(l.sizes) && int(at) < l.sizes[missing].tail {
		missing++
	}
	return missing, at
}

// settle moves every tail past as many last uses as there were misses in its table
// that found it full. The largest table is the last: what leaves it is forgotten.
func (l *lruSizes) settle() {
	misses := 0
	for n, lookups := range l.recent {
		misses += int(lookups)
		l.counted[n] += lookups
	}
	for j := range l.sizes {
		x := &l.sizes[j]
		misses -= int(l.recent[j]) // misses that smaller tables had and this one had not
		leave := misses - (x.slots - min(l.used, x.slots))
		switch {
		case leave <= 0:
		case j < len(l.sizes)-1:
			x.tail = l.skip(x.tail, leave)
		default:
			l.forget(x, leave)
		}
	}
	l.used = min(l.used+misses, l.sizes[len(l.sizes)-1].slots)
	clear(l.recent)
}

// forget moves the tail of the largest table past n last uses, and takes their keys
// out.
func (l *lruSizes) forget(x *sizeTail, n int) {
	g := x.tail >> 6
	for ; n > 0; n-- {
		for l.live[g] == 0 {
			g++
		}
		x.tail = g<<6 + bits.TrailingZeros64(l.live[g]) + 1
		l.last[l.keys[x.tail-1]] = 0
		l.live[g] &= l.live[g] - 1
	}
}

// skip returns the position after the first n bits that are set from at on.
func (l *lruSizes) skip(at, n int) int {
	g := at >> 6
	word := l.live[g] &^ (1<<(at&63) - 1)
	for ones := bits.OnesCount64(word); ones < n; ones = bits.OnesCount64(word) {
		n -= ones
		g++
		word = l.live[g]
	}
	for ; n > 1; n-- {
		word &= word - 1
	}
	return g<<6 + bits.TrailingZeros64(word) + 1
}

// foresee opens the words that tails may pass in the next block: as many bits as it
// has lookups, each of which clears one at most or lets a tail pass it.
func (l *lruSizes) foresee() {
	for j := range l.sizes {
		x := &l.sizes[j]
		if x.slots-l.used >= touchAhead {
			continue // it will not be full
		}
		first := x.tail >> 6
		stop, ones := first+1, bits.OnesCount64(l.live[first]>>(x.tail&63))
		for ; ones < touchAhead && stop < len(l.live); stop++ {
			ones += bits.OnesCount64(l.live[stop])
		}
		if first != x.first || stop != x.stop {
			from, to := x.first, max(x.stop, stop)
			x.first, x.stop = first, stop
			l.review(from, to)
		}
	}
}

// review says of words of live which tails are past them.
func (l *lruSizes) review(from, to int) {
	for g := from; g < to; g++ {
		n := 0
		for j := range l.sizes {
			if x := &l.sizes[j]; g < x.first {
				n++
			} else if g < x.stop {
				n = open
				break
			}
		}
		l.behind[g] = uint8(n)
	}
}

// pack moves the last uses to the start of the log, which is full.
func (l *lruSizes) pack() {
	end := touchAhead
	for g := l.sizes[len(l.sizes)-1].tail >> 6; g < len(l.live); g++ {
		for word := l.live[g]; word != 0; word &= word - 1 {
			k := l.keys[g<<6|bits.TrailingZeros64(word)]
			l.keys[end], l.last[k] = k, uint32(end)
			end++
		}
	}
	l.restart(end)
}

// restart begins a log that has only last uses before end.
func (l *lruSizes) restart(end int) {
	l.end = end
	setAll(l.live)
	clear(l.behind)
	l.behind[0] = uint8(len(l.sizes)) // of keys that are in no table
	for j := range l.sizes {
		x := &l.sizes[j]
		x.tail, x.first, x.stop = max(touchAhead, end-x.slots), 1, 1
	}
	l.foresee()
}

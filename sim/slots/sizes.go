package slots

import (
	"fmt"
	"slices"
	"strings"

	"stowage/workloads/lookups"
)

// sizePolicies are the policies that SizeReplay takes: those whose state beside
// the queue is a bit per row, and LRU, whose tables are parts of one another.
var sizePolicies = []string{"lru", "fifo", "clock", "sieve"}

// SizePolicies returns the names of the replacement policies that can be replayed at several
// sizes in one pass.
func SizePolicies() []string { return slices.Clone(sizePolicies) }

// SizeReplay replays single lookups at several sizes of one policy in one pass:
// every lookup is one access to memory for eight sizes, where a replay per size
// takes one each. Misses are those of Table.Replay at each size.
//
// Memory is 2 bytes a row for every eight sizes, and 4 bytes a slot (SIEVE 5);
// for LRU 4 bytes a row, and 12.6 a slot of the largest size.
type SizeReplay struct {
	sizes  []int
	warmup int64       // lookups still to go before counting begins
	groups []sizeGroup // of some of the sizes each
	before []int64     // misses in the warm-up
}

// sizeGroup replays several sizes.
type sizeGroup interface {
	run(keys []uint32)
	misses() []int64     // per size
	mark(known []uint64) // sets the bit of every key that is in a table
}

// NewSizeReplay returns empty tables of the given sizes, in slots. All keys are
// below rows. The first warmup lookups move rows but are not counted. The error
// says which policy or size cannot be.
func NewSizeReplay(policy string, rows int64, sizes []int, warmup int64) (*SizeReplay, error) {
	if !slices.Contains(sizePolicies, policy) {
		return nil, fmt.Errorf("replacement policy %q cannot be replayed at several sizes in one pass: want one of %s", policy, strings.Join(sizePolicies, ", "))
	}
	if rows < 1 || rows > lookups.MaxRows {
		return nil, fmt.Errorf("rows = %d: want 1 to %d", rows, int64(lookups.MaxRows))
	}
	if warmup < 0 {
		return nil, fmt.Errorf("warm-up = %d lookups: want >= 0", warmup)
	}
	for _, s := range sizes {
		if s < 1 {
			return nil, fmt.Errorf("slots = %d: want at least 1", s)
		}
	}
	r := &SizeReplay{sizes: slices.Clone(sizes), warmup: warmup}
	for group := range slices.Chunk(r.sizes, groupOf(policy)) {
		r.groups = append(r.groups, newSizeGroup(policy, rows, group))
	}
	return r, nil
}

func newSizeGroup(policy string, rows int64, sizes []int) sizeGroup {
	switch policy {
	case "lru":
		return newLRUSizes(rows, sizes)
	case "fifo":
		return newFIFOSizes(rows, sizes)
	case "clock":
		return newClockSizes(rows, sizes)
	case "sieve":
		return newSieveSizes(rows, sizes)
	}
	panic("slots: no sizes for policy " + policy)
}

// ReplaySizes returns the misses of one policy at each of the sizes.
func ReplaySizes(keys []uint32, policy string, rows int64, sizes []int) ([]int64, error) {
	r, err := NewSizeReplay(policy, rows, sizes, 0)
	if err != nil {
		return nil, err
	}
	r.Add(keys)
	return r.Misses(), nil
}

// sizeBatch is how many lookups one group takes before the next does: they stay
// in the first cache.
const sizeBatch = 4096

// Add looks keys up, in order.
func (r *SizeReplay) Add(keys []uint32) {
	for len(keys) > 0 {
		n := min(len(keys), sizeBatch)
		if r.warmup > 0 {
			n = int(min(int64(n), r.warmup))
		}
		for _, g := range r.groups {
			g.run(keys[:n])
		}
		keys = keys[n:]
		if r.warmup > 0 {
			if r.warmup -= int64(n); r.warmup == 0 {
				r.before = r.total()
			}
		}
	}
}

// Misses returns the misses so far at each size, in the order given.
func (r *SizeReplay) Misses() []int64 {
	if r.warmup > 0 {
		return make([]int64, len(r.sizes))
	}
	misses := r.total()
	for i, n := range r.before {
		misses[i] -= n
	}
	return misses
}

// total returns the misses with those of the warm-up.
func (r *SizeReplay) total() (misses []int64) {
	for _, g := range r.groups {
		misses = append(misses, g.misses()...)
	}
	return misses
}

// groupOf is how many sizes a group of the policy takes.
func groupOf(policy string) int {
	if policy == "lru" {
		return mostLRUSizes
	}
	return groupSizes
}

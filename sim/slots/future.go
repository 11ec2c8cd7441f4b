package slots

import (
	"fmt"
	"slices"

	"stowage/workloads/lookups"
)

// noFuture is what a table says that must know the future and does not.
func noFuture(policy string) error {
	return fmt.Errorf("replacement policy %s: it needs the future, and the table has no future trace", policy)
}

// future says, for every key of every round of a trace, in which later round it
// is used next; the number of rounds means never. It does not change once made.
type future struct {
	trace *lookups.Trace
	next  []uint32
	start []int64 // per round, where its keys begin in next
}

// foresee reads a trace backwards.
func foresee(trace *lookups.Trace) *future {
	rounds := trace.Rounds()
	f := &future{
		trace: trace,
		next:  make([]uint32, trace.Keys()),
		start: make([]int64, rounds+1),
	}
	for r := range rounds {
		f.start[r+1] = f.start[r] + int64(len(trace.Round(r).Keys))
	}
	later := newIndex(trace.Rows(), int(trace.Keys()/16))
	for r := rounds - 1; r >= 0; r-- {
		next := f.round(r)
		for i, k := range trace.Round(r).Keys {
			next[i] = uint32(rounds)
			if at := later.put(k, int32(r)); at != none {
				next[i] = uint32(at)
			}
		}
	}
	return f
}

// expect returns the next uses of the keys of round r, which must be the given one.
// An error names the policy.
func (f *future) expect(policy string, r int, round lookups.Round) ([]uint32, error) {
	if r >= f.trace.Rounds() {
		return nil, fmt.Errorf("replacement policy %s: round %d is beyond the %d rounds of the future trace", policy, r, f.trace.Rounds())
	}
	if !slices.Equal(round.Keys, f.trace.Round(r).Keys) {
		return nil, fmt.Errorf("replacement policy %s: round %d is not that of the future trace", policy, r)
	}
	return f.round(r), nil
}

// round returns the next uses of the keys of round r.
func (f *future) round(r int) []uint32 { return f.next[f.start[r]:f.start[r+1]] }

// nextUses returns for every lookup the position of the next lookup of its key
// (len(keys) means never), and the position of the first lookup of each key.
// Positions are uint32 in both, carried as int32 bits by the index.
func nextUses(keys []uint32, rows int64) (next []uint32, first index) {
	next = make([]uint32, len(keys))
	first = newIndex(rows, len(keys)/16)
	for i := len(keys) - 1; i >= 0; i-- {
		next[i] = uint32(len(keys))
		if at := first.put(keys[i], int32(uint32(i))); at != none {
			next[i] = uint32(at)
		}
	}
	return next, first
}

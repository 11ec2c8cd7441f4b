package slots

import "stowage/workloads/lookups"

// MinSlots returns the least capacity at which no round of the trace is short of
// slots with a look-ahead of lookahead rounds: the largest number of distinct
// rows in lookahead+1 rounds in a row.
func MinSlots(trace *lookups.Trace, lookahead int) int {
	last := newIndex(trace.Rows(), int(trace.Keys()/16)) // the last round of each key
	most, now := 0, 0
	for r := range trace.Rounds() {
		if gone := r - lookahead - 1; gone >= 0 {
			for _, k := range trace.Round(gone).Keys {
				if last.get(k) == int32(gone) {
					now--
				}
			}
		}
		for _, k := range trace.Round(r).Keys {
			if at := last.put(k, int32(r)); at == none || int(at) < r-lookahead {
				now++
			}
		}
		most = max(most, now)
	}
	return most
}

package rounds

import "math"

// hottest chooses the rows that every device holds: those with the most lookups in
// the profile, or else in all rounds. One device has nobody
// to share with.
func (l *Layer) hottest(spec *Spec) []uint32 {
	if spec.Replicated == 0 || spec.Devices == 1 {
		return nil
	}
	all := l.Profile
	if all == nil {
		all = l.Trace
	}
	if all.Rounds() > spec.Rounds {
		all = all.Passes([]int{spec.Rounds})
	}
	return all.Hottest(int(math.Round(spec.Replicated * float64(l.Rows))))
}

// replicated reports whether every device holds the row of a number.
func (l *layerTables) replicated(number uint32) bool { return l.owners.IsReplicated(number) }

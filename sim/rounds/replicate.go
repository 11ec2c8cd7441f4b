package rounds

import "math"

// replicate chooses the rows that every device holds: those with the most lookups in
// all rounds, the first to come among equals. One device has nobody to share with.
func (l *layerTables) replicate(spec *Spec) {
	if spec.Replicated == 0 || spec.Devices == 1 {
		return
	}
	n := int(math.Round(spec.Replicated * float64(l.Rows)))
	l.owners.Replicate(l.units.Hottest(n))
}

// replicated reports whether every device holds the row of a number.
func (l *layerTables) replicated(number uint32) bool { return l.owners.IsReplicated(number) }

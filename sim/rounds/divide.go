package rounds

import (
	"slices"

	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// divide says what every table has to plan of unit u: the unit at once, or under
// Split, when its rows exceed the slots, parts of fewer samples each.
func (t *tables) divide(u int) [][]part {
	var whole []part
	for i := range t.layers {
		for w, own := range t.layers[i].traces {
			whole = append(whole, part{i, w, own.Round(u)})
		}
	}
	if t.layers[0].Slots.Shortage != slots.Split || t.within(whole) {
		return [][]part{whole}
	}
	// unitEnds has left one round. Halves, quarters, … of its samples: a sample
	// alone that does not fit is the table's error.
	t.splits++
	r := t.ends[u] - 1
	batch := t.layers[0].Layout.Batch
	for n := 2; ; n *= 2 {
		parts := t.cut(r, min(n, batch))
		if n >= batch || !slices.ContainsFunc(parts, func(ps []part) bool { return !t.within(ps) }) {
			return parts
		}
	}
}

// within reports whether every table has a slot for each row of its part.
func (t *tables) within(ps []part) bool {
	for _, p := range ps {
		if len(p.round.Keys) > t.layers[p.layer].tables[p.owner].Slots() {
			return false
		}
	}
	return true
}

// cut divides the samples of round r into n parts.
func (t *tables) cut(r, n int) [][]part {
	parts := make([][]part, n)
	for i := range t.layers {
		l := &t.layers[i]
		if l.uniquer == nil {
			l.uniquer = lookups.NewUniquer(l.units.Rows())
		}
		for k := range parts {
			from, to := l.Layout.Share(k, n)
			l.raw = l.Layout.Slice(l.raw[:0], l.Trace.Raw(r), from, to)
			for w, own := range l.owners.Divide(l.uniquer.Unique(l.raw)) {
				own.Keys, own.Counts = slices.Clone(own.Keys), slices.Clone(own.Counts)
				parts[k] = append(parts[k], part{i, w, own})
			}
		}
	}
	return parts
}

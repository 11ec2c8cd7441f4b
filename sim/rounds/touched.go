package rounds

import "stowage/hw/unit"

// updated is what moves when all rows that a round has updated in slots return to
// host memory. Bypassed rows are there already; they are taken off evenly. Where the
// tier below is exclusive it has no copy of a row in a slot, and takes the row when it
// leaves (Hierarchy.WriteBack).
func (t *tables) updated(r, bypassed int) (m rowMove, bytes float64, n int) {
	load := newLoad(t.spec)
	for i := range t.layers {
		l := &t.layers[i]
		if l.tiers[0].exclusive() {
			continue
		}
		n += t.touched(l, r, l.RowBytes, load.back)
	}
	if n == 0 {
		return m, 0, 0
	}
	left := float64(n-bypassed) / float64(n)
	for w := range load.back {
		f := &load.back[w]
		f.link *= left
		f.host.n *= left
		f.host.bytes *= left
	}
	m, bytes = load.move(load.back)
	return m, bytes, n - bypassed
}

// state is what moves in each direction when the optimizer state of a round's rows
// is read or written on the hosts.
func (t *tables) state(r int) (m rowMove, bytes float64) {
	load := newLoad(t.spec)
	for i := range t.layers {
		if l := &t.layers[i]; l.StateBytes > 0 {
			t.touched(l, r, l.StateBytes, load.back)
		}
	}
	return load.move(load.back)
}

// touched adds the unique rows of a layer that round r looks up, by owner.
func (t *tables) touched(l *layerTables, r int, each unit.Bytes, by []flow) int {
	keys := l.Trace.Round(r).Keys
	for _, k := range keys {
		by[l.owners.Owner(k)].add(1, each)
	}
	return len(keys)
}

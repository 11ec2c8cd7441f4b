package lookups

// Compact returns the same trace with its keys renumbered 0, 1, 2, … in order of
// first appearance, so that Rows is the number of rows that it touches. Hits and
// misses stay the same under every replacement policy, since none looks at the
// key itself; tables shrink from the layer's rows to the touched ones, and hot
// rows, which appear early, become neighbours in memory.
func (t *Trace) Compact() *Trace {
	c := &Trace{keys: make([]uint32, len(t.keys)), counts: t.counts, ends: t.ends, lookups: t.lookups}
	u := NewUniquer(t.rows)
	touched := u.Unique(t.keys).Keys // all keys as one round
	c.rows = int64(len(touched))
	for i, k := range t.keys {
		c.keys[i] = u.position(k)
	}
	if t.raw != nil {
		c.raw, c.rawEnds = make([]uint32, len(t.raw)), t.rawEnds
		for i, k := range t.raw {
			c.raw[i] = u.position(k)
		}
	}
	c.origin = make([]uint32, len(touched))
	for i, k := range touched {
		c.origin[i] = t.Original(k)
	}
	return c
}

// Original returns what key k of a compact trace was before: its row in the layer.
func (t *Trace) Original(k uint32) uint32 {
	if t.origin == nil {
		return k
	}
	return t.origin[k]
}

// Origins returns Original for every key, nil when keys are what they were. It
// belongs to the trace.
func (t *Trace) Origins() []uint32 { return t.origin }

// position returns where key k of the present round stands in its unique keys.
func (u *Uniquer) position(k uint32) uint32 {
	if u.hashed == nil {
		return uint32(u.cells[k])
	}
	return uint32(u.cells[u.find(k)])
}

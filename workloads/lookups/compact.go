package lookups

// Compact returns the same trace with its keys renumbered 0, 1, 2, … in order of
// first appearance, so that Rows is the number of rows that it touches. Hits and
// misses stay the same under every replacement policy, since none looks at the
// key itself; tables shrink from the layer's rows to the touched ones, and hot
// rows, which appear early, become neighbours in memory.
func (t *Trace) Compact() *Trace { return CompactTogether(t)[0] }

// CompactTogether is Compact of several traces of one layer, with the same new
// numbers in all of them.
func CompactTogether(traces ...*Trace) []*Trace {
	var all []uint32
	for _, t := range traces {
		all = append(all, t.keys...)
	}
	u := NewUniquer(traces[0].rows)
	touched := u.Unique(all).Keys // all keys as one round
	renumber := func(keys []uint32) []uint32 {
		out := make([]uint32, len(keys))
		for i, k := range keys {
			out[i] = u.position(k)
		}
		return out
	}
	origin := make([]uint32, len(touched))
	for i, k := range touched {
		origin[i] = traces[0].Original(k)
	}
	out := make([]*Trace, len(traces))
	for i, t := range traces {
		out[i] = &Trace{
			rows: int64(len(touched)), keys: renumber(t.keys), counts: t.counts, ends: t.ends, lookups: t.lookups,
			rawEnds: t.rawEnds, origin: origin,
		}
		if t.raw != nil {
			out[i].raw = renumber(t.raw)
		}
	}
	return out
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

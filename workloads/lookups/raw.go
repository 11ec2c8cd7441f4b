package lookups

import "stowage/workloads"

// Raw returns the lookups of round i as the stream gave them, table after table and
// sample after sample; nil when they were not kept (RecordRaw). The slice belongs
// to the trace.
func (t *Trace) Raw(i int) []uint32 {
	if t.raw == nil {
		return nil
	}
	from, to := int64(0), t.rawEnds[i]
	if i > 0 {
		from = t.rawEnds[i-1]
	}
	return t.raw[from:to:to]
}

// Layout says where the lookups of a sample are in a round.
type Layout struct {
	Batch     int   // samples of a round
	PerSample []int // lookups per sample of every table
}

// NewLayout returns the layout of the rounds of NewStream.
func NewLayout(tables []workloads.Table, batch int) Layout {
	l := Layout{Batch: batch}
	for i := range tables {
		l.PerSample = append(l.PerSample, tables[i].Lookups)
	}
	return l
}

// Slice appends the lookups of samples [from, to) of a round to dst, table after
// table.
func (l Layout) Slice(dst, raw []uint32, from, to int) []uint32 {
	start := 0
	for _, n := range l.PerSample {
		dst = append(dst, raw[start+from*n:start+to*n]...)
		start += l.Batch * n
	}
	return dst
}

// Share returns the samples of part i of n of a batch: as even as whole samples
// allow.
func (l Layout) Share(i, n int) (from, to int) {
	return int(int64(l.Batch) * int64(i) / int64(n)), int(int64(l.Batch) * int64(i+1) / int64(n))
}

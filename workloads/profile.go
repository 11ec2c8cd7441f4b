package workloads

import "sort"

// Profile returns what was measured for the layer on a device type, or nil.
func (l *Layer) Profile(device string) *Profile {
	i := sort.Search(len(l.Profiles), func(i int) bool { return l.Profiles[i].Device >= device })
	if i < len(l.Profiles) && l.Profiles[i].Device == device {
		return &l.Profiles[i]
	}
	return nil
}

// At returns the seconds of one forward and one backward pass of a batch.
//
// Between two measured batches it interpolates linearly. Outside the measured
// range nothing is known: inside is false, and the times are those of the
// nearest measured batch scaled in proportion to the batch (the ray from the
// origin through that point), so that a caller may go on, but with a warning.
// A batch below 1 takes no time and is outside.
func (p *Profile) At(batch int) (forward, backward float64, inside bool) {
	if batch < 1 || len(p.Points) == 0 {
		return 0, 0, false
	}
	i := sort.Search(len(p.Points), func(i int) bool { return p.Points[i].Batch >= batch })
	if i < len(p.Points) && p.Points[i].Batch == batch {
		return p.Points[i].Forward, p.Points[i].Backward, true
	}
	if i == 0 || i == len(p.Points) {
		nearest := p.Points[min(i, len(p.Points)-1)]
		scale := float64(batch) / float64(nearest.Batch)
		return nearest.Forward * scale, nearest.Backward * scale, false
	}
	a, b := p.Points[i-1], p.Points[i]
	share := float64(batch-a.Batch) / float64(b.Batch-a.Batch)
	return a.Forward + share*(b.Forward-a.Forward), a.Backward + share*(b.Backward-a.Backward), true
}

// Totals are the sums over the layers of a model.
type Totals struct {
	Params            int64   // dense trainable parameters, elements
	EmbeddingRows     int64   // rows of all tables
	EmbeddingElements int64   // elements of all tables
	FLOPs             float64 // forward, per sample
}

// Totals sums up the model.
func (m *Model) Totals() Totals {
	var t Totals
	for i := range m.Layers {
		l := &m.Layers[i]
		t.Params += l.Params
		t.FLOPs += l.FLOPs
		for _, table := range l.Tables {
			t.EmbeddingRows += table.Rows
			t.EmbeddingElements += table.Rows * int64(table.Dim)
		}
	}
	return t
}

package workloads

import (
	"cmp"
	"math"
	"sort"
)

// Degree returns how many devices computed the layer together.
func (p *Profile) Degree() int { return max(1, p.Tensor) }

// compare orders profiles by device type and degree.
func (p *Profile) compare(device string, degree int) int {
	return cmp.Or(cmp.Compare(p.Device, device), cmp.Compare(p.Degree(), max(1, degree)))
}

// Profile returns what was measured for the layer on so many devices of a type
// together, or nil.
func (l *Layer) Profile(device string, degree int) *Profile {
	i := sort.Search(len(l.Profiles), func(i int) bool { return l.Profiles[i].compare(device, degree) >= 0 })
	if i < len(l.Profiles) && l.Profiles[i].compare(device, degree) == 0 {
		return &l.Profiles[i]
	}
	return nil
}

// Degrees lists on how many devices of a type together the layer was measured,
// ascending.
func (l *Layer) Degrees(device string) (degrees []int) {
	for i := range l.Profiles {
		if l.Profiles[i].Device == device {
			degrees = append(degrees, l.Profiles[i].Degree())
		}
	}
	return degrees
}

// At returns the seconds of one forward and one backward pass of a batch.
//
// Between two measured batches it interpolates linearly. Outside the measured
// range nothing is known: inside is false, and the times are those of the
// nearest measured batch scaled in proportion to the batch (the ray from the
// origin through that point), so that a caller may go on, but with a warning.
// A batch below 1 takes no time and is outside.
//
// No batch takes longer than a larger one that was measured: filled up it would be as
// fast as that. A pass that was slower is taken to have been disturbed. (Short ones are:
// the host is late with launching them.)
func (p *Profile) At(batch int) (forward, backward float64, inside bool) {
	if batch < 1 || len(p.Points) == 0 {
		return 0, 0, false
	}
	i := sort.Search(len(p.Points), func(i int) bool { return p.Points[i].Batch >= batch })
	if i < len(p.Points) && p.Points[i].Batch == batch {
		point := p.undisturbed(i)
		return point.Forward, point.Backward, true
	}
	if i == 0 || i == len(p.Points) {
		nearest := p.undisturbed(min(i, len(p.Points)-1))
		scale := float64(batch) / float64(nearest.Batch)
		return nearest.Forward * scale, nearest.Backward * scale, false
	}
	a, b := p.undisturbed(i-1), p.undisturbed(i)
	share := float64(batch-a.Batch) / float64(b.Batch-a.Batch)
	return a.Forward + share*(b.Forward-a.Forward), a.Backward + share*(b.Backward-a.Backward), true
}

// undisturbed returns a measured point, each pass as fast as that of any larger batch.
func (p *Profile) undisturbed(i int) ProfilePoint {
	point := p.Points[i]
	for _, larger := range p.Points[i+1:] {
		point.Forward, point.Backward = min(point.Forward, larger.Forward), min(point.Backward, larger.Backward)
	}
	return point
}

// Update returns the seconds in which the optimizer updates the layer's parameters, as it
// was measured beside a batch: that of the nearest one that was measured, the smaller of
// two as near. It has nothing to do with the batch.
func (p *Profile) Update(batch int) float64 {
	nearest := ProfilePoint{}
	for i, point := range p.Points {
		if i == 0 || math.Abs(float64(point.Batch-batch)) < math.Abs(float64(nearest.Batch-batch)) {
			nearest = point
		}
	}
	return nearest.Update
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

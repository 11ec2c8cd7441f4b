package rounds

import "testing"

// Rows 0, 0, 1 on one slot, 100 bytes each: below the slots is no copy of a row that
// is in one, so that eager write-backs move nothing, and row 0 moves when it leaves.
func TestEagerAboveExclusive(t *testing.T) {
	spec := oneLayer(t, 1, 0, 0, 1)
	spec.WriteBack = Eager
	spec.Layers[0].BelowSlots = Exclusive
	g := newRig(t, spec)
	g.mustRun()
	if w, _ := g.total(); w.Out != 100 {
		t.Errorf("%v bytes out, want 100", w.Out)
	}
}

// The rows of a pass stay in their slots in all of its rounds.
func TestUsedInAPass(t *testing.T) {
	spec := batches(t, 2, 4, 0, 1, 2, 3, 0, 1, 0, 1)
	spec.Pass = 2
	g := newRig(t, spec)
	g.mustRun()
	for r := range 4 {
		if used := g.feed.Round(r).Counts.Used; used != 4 {
			t.Errorf("round %d: %d slots in use, want 4", r, used)
		}
	}
	if c := g.feed.Round(1).Counts; c.Unique != 0 {
		t.Errorf("round 1 counts what was planned with round 0: %+v", c)
	}
}

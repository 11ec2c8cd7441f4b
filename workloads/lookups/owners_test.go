package lookups

import (
	"slices"
	"testing"

	"stowage/workloads"
)

// TestHottestTies: which of equally hot keys are chosen depends on the rows behind
// them, not on when they are looked up, and every part of the trace gets its share.
func TestHottestTies(t *testing.T) {
	const rows, hot = 4000, 1000
	hottest := func(keys []uint32) []uint32 {
		s, err := NewStream([]workloads.Table{{Name: "a", Rows: rows, Lookups: 1}}, Spec{Generator: Traced, Keys: keys}, len(keys), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		trace, err := Record(s, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		c := trace.Compact()
		got := c.Hottest(hot)
		for i, k := range got {
			got[i] = c.Original(k)
		}
		return got
	}
	up, down := make([]uint32, rows), make([]uint32, rows)
	for i := range up {
		up[i], down[i] = uint32(i), uint32(rows-1-i)
	}
	got := hottest(up)
	if !slices.Equal(got, hottest(down)) {
		t.Error("the order of lookups decides what is hottest")
	}
	slices.Sort(got)
	if early, _ := slices.BinarySearch(got, rows/2); len(got) != hot || early < hot*45/100 || early > hot*55/100 {
		t.Errorf("%d of the %d hottest are of the first half, want half", early, len(got))
	}
	if got := hottest([]uint32{7, 5, 9, 5, 9, 9}); !slices.Equal(got[:2], []uint32{9, 5}) {
		t.Errorf("hottest %v, want 9 and 5 first", got)
	}
}

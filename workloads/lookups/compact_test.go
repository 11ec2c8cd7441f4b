package lookups

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Compact numbers keys by first appearance and leaves everything else alone,
// whether the layer is small (direct cells) or large (hashed ones).
func TestCompact(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rows := rapid.SampledFrom([]int64{50, denseRows + 1}).Draw(rt, "rows")
		tr := &Trace{rows: rows}
		u := NewUniquer(rows)
		for range rapid.IntRange(1, 6).Draw(rt, "rounds") {
			keys := rapid.SliceOfN(rapid.Uint32Range(0, 49), 1, 60).Draw(rt, "keys")
			r := u.Unique(keys)
			tr.append(Round{len(keys), slices.Clone(r.Keys), slices.Clone(r.Counts)})
		}
		c := tr.Compact()
		number := map[uint32]uint32{}
		for i := range tr.Rounds() {
			was, is := tr.Round(i), c.Round(i)
			if was.Lookups != is.Lookups || !slices.Equal(was.Counts, is.Counts) {
				rt.Fatalf("round %d: %v became %v", i, was, is)
			}
			for j, k := range was.Keys {
				if _, ok := number[k]; !ok {
					number[k] = uint32(len(number))
				}
				if is.Keys[j] != number[k] {
					rt.Fatalf("round %d: key %d became %d, want %d", i, k, is.Keys[j], number[k])
				}
			}
		}
		if c.Rows() != int64(len(number)) {
			rt.Fatalf("%d rows, want %d", c.Rows(), len(number))
		}
	})
}

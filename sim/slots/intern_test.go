package slots

import (
	"testing"

	"pgregory.net/rapid"
)

// TestInterner compares the ids of 64-bit keys with a map, over sweeps that keep some
// of them, whatever is left of a cell for a part of the hash.
func TestInterner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.IntRange(1, 40).Draw(t, "ids")
		x := newInterner(ids)
		x.above <<= rapid.IntRange(0, 32).Draw(t, "fewer bits of the hash")
		// Keys near each other, and some whose hashes begin alike.
		key := rapid.OneOf(rapid.Uint64Range(0, 60), rapid.Uint64Range(1<<32-30, 1<<32+30), rapid.Uint64())
		model := map[uint64]uint32{}
		for range rapid.IntRange(1, 12).Draw(t, "batches") {
			keys := rapid.SliceOfN(key, 1, 70).Draw(t, "keys")
			dst := make([]uint32, len(keys))
			n := intern(x, dst, keys)
			for i, k := range keys[:n] {
				id, there := model[k]
				if !there {
					id = dst[i]
					model[k] = id
				}
				if dst[i] != id || x.keys[id] != k {
					t.Fatalf("key %d has id %d of key %d, before it had %d", k, dst[i], x.keys[dst[i]], id)
				}
			}
			if n == len(keys) {
				continue
			}
			if _, there := model[keys[n]]; there || len(model) != ids {
				t.Fatalf("no id for key %d: %d of %d are given", keys[n], len(model), ids)
			}
			keep := rapid.Uint64().Draw(t, "keep") &^ (1 << model[keys[0]]) // never all
			x.sweep(func(known []uint64) { known[0] = keep & (1<<ids - 1) })
			for k, id := range model {
				if keep>>id&1 == 0 {
					delete(model, k)
				}
			}
		}
	})
}

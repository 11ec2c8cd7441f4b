package slots

import "testing"

// TestHashOf: the hash is that of the original key, however keys were numbered.
// The values of fmix64 are MurmurHash3's own, computed with integers of any size.
func TestHashOf(t *testing.T) {
	plain := newTable(t, Config{Slots: 1, Rows: 1<<32 - 1, Policy: "fifo"})
	for k, want := range map[uint32]uint64{0: 0, 1: 0xb456bcfc34c2cb2c, 123456789: 0x8f7c29206384f886} {
		if got := plain.hashOf(k); got != want {
			t.Errorf("hashOf(%d) = %#x, want %#x", k, got, want)
		}
	}
	renumbered := newTable(t, Config{Slots: 1, Rows: 2, Policy: "fifo", Origin: []uint32{7, 123456789}})
	interned := newTable(t, Config{Slots: 1, Rows: 2, Policy: "fifo"})
	interned.interned = []uint64{7, 123456789}
	for k, o := range []uint32{7, 123456789} {
		want := plain.hashOf(o)
		if got := renumbered.hashOf(uint32(k)); got != want {
			t.Errorf("renumbered: hashOf(%d) = %#x, want %#x", k, got, want)
		}
		if got := interned.hashOf(uint32(k)); got != want {
			t.Errorf("interned: hashOf(%d) = %#x, want %#x", k, got, want)
		}
	}
}

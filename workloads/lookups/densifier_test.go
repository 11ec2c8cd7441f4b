package lookups

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDensifierTwin compares with a map, batch after batch, over keys that are
// alike in their low or their high bits.
func TestDensifierTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := NewDensifier()
		ids := map[uint64]uint32{}
		shift := rapid.IntRange(0, 56).Draw(t, "shift")
		key := rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, 200), rapid.Map(rapid.Uint64Range(0, 200), func(k uint64) uint64 { return k << shift }))
		var dst []uint32
		for range rapid.IntRange(1, 5).Draw(t, "batches") {
			keys := rapid.SliceOfN(key, 0, 300).Draw(t, "keys")
			var err error
			if dst, err = d.Dense(dst, keys); err != nil || len(dst) != len(keys) {
				t.Fatalf("%d numbers for %d keys, %v", len(dst), len(keys), err)
			}
			for i, k := range keys {
				id, ok := ids[k]
				if !ok {
					id = uint32(len(ids))
					ids[k] = id
				}
				if dst[i] != id {
					t.Fatalf("key %d becomes %d, want %d", k, dst[i], id)
				}
			}
		}
		if d.Distinct() != int64(len(ids)) {
			t.Fatalf("%d distinct keys, want %d", d.Distinct(), len(ids))
		}
	})
}

// TestDensifierFull: the 2^32-th distinct key is refused, with the numbers before.
func TestDensifierFull(t *testing.T) {
	d := NewDensifier()
	d.n = MaxRows - 1
	ids, err := d.Dense(nil, []uint64{7, 7, 8, 7})
	if fmt.Sprint(ids) != fmt.Sprint([]uint32{MaxRows - 1, MaxRows - 1}) || err == nil {
		t.Errorf("numbers %v, %v", ids, err)
	}
}

// TestDensifierMemory: bytes per distinct key are what the page says, whatever the
// number of keys, and growing takes no more.
func TestDensifierMemory(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates, too")
	}
	d := NewDensifier()
	keys, ids := make([]uint64, 1000), []uint32(nil)
	x := uint64(0)
	for x < 1e6 {
		for i := range keys {
			keys[i] = x * 977
			x++
		}
		ids, _ = d.Dense(ids, keys)
		if x < 1e5 || x%50000 != 0 {
			continue
		}
		cells := 0
		for i := range d.shards {
			cells += len(d.shards[i].cells)
		}
		perKey := 12 * float64(cells) / float64(d.Distinct())
		if perKey < 12/0.81 || perKey > 12/0.53 {
			t.Errorf("%d keys: %.2f bytes per key in cells", x, perKey)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	runtime.KeepAlive(d)
	d = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := float64(before.HeapAlloc-after.HeapAlloc) / 1e6; held < 15 || held > 23 {
		t.Errorf("%.2f bytes per key are held", held)
	}
}

func TestCountDistinct(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"5\n6\n5\n", "3 2 <nil>"},
		{"", "0 0 <nil>"},
		{"5\n6\n5\nx\n", `3 2 a.txt:4: "x": not a key: want one whole number from 0 to 18446744073709551615`},
	} {
		r, err := NewKeyReader(strings.NewReader(test.in), "a.txt", FileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		keys, distinct, err := CountDistinct(r)
		if got := fmt.Sprintf("%d %d %v", keys, distinct, err); got != test.want {
			t.Errorf("%q: %s, want %s", test.in, got, test.want)
		}
	}
	r, err := OpenKeys(sharedData(t, "traces", "P3.lis.zst"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	keys, distinct, err := CountDistinct(r)
	if keys != 3912296 || distinct != 762543 || err != nil {
		t.Errorf("%d keys, %d distinct, %v; want 3912296, 762543", keys, distinct, err)
	}
}

package slots

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestSizedByHand: six bytes. a (1 byte) and b (4) are held; b has the priority 1/4.
// c (2) does not fit beside them: b leaves, L = 1/4, c has 1/4 + 1/2. d (3) fits. e (2):
// the least is d, 1/4 + 1/3 < 3/4, L = 7/12; e has 7/12 + 1/2. x (7) is larger than the
// memory. c is hit: 7/12 + 2/2. f (3): a (1) leaves, 3 bytes are still too few; L = 1; then e
// (13/12) leaves.
func TestSizedByHand(t *testing.T) {
	z, err := NewSized(6, 26)
	if err != nil {
		t.Fatal(err)
	}
	size := map[byte]uint32{'a': 1, 'b': 4, 'c': 2, 'd': 3, 'e': 2, 'f': 3, 'x': 7}
	var c SizedCounts
	for _, step := range strings.Fields("a:a b:ab c:ac d:acd e:ace x:ace c:ace f:cf") {
		one, err := z.Replay([]uint32{uint32(step[0] - 'a')}, []uint32{size[step[0]]})
		if err != nil {
			t.Fatal(err)
		}
		c.Lookups += one.Lookups
		c.Misses += one.Misses
		c.LookupBytes += one.LookupBytes
		c.MissedBytes += one.MissedBytes
		held := ""
		for k := range uint32(26) {
			if z.Holds(k) {
				held += string(rune('a' + k))
			}
		}
		if held != step[2:] {
			t.Fatalf("after %c: %s, want %s", step[0], held, step[2:])
		}
	}
	if want := (SizedCounts{Lookups: 8, Misses: 7, LookupBytes: 24, MissedBytes: 22}); c != want {
		t.Errorf("counts %+v, want %+v", c, want)
	}
}

// slowSized is Sized in slices and maps.
type slowSized struct {
	bytes    int
	order    []uint32 // by last use
	size     map[uint32]int
	uses     map[uint32]int
	priority map[uint32]float64
	floor    float64
}

// lookup returns whether it missed.
func (q *slowSized) lookup(k uint32, size int) bool {
	miss := !slices.Contains(q.order, k)
	if miss {
		if size > q.bytes {
			return true
		}
		for q.used()+size > q.bytes {
			v := slices.MinFunc(q.order, func(a, b uint32) int {
				if q.priority[a] < q.priority[b] {
					return -1
				}
				if q.priority[a] > q.priority[b] {
					return 1
				}
				return 0
			})
			q.floor = q.priority[v]
			q.order = without(q.order, v)
		}
		q.size[k], q.uses[k] = size, 0
	}
	q.uses[k]++
	q.priority[k] = q.floor + float64(q.uses[k])/float64(q.size[k])
	q.order = append(without(q.order, k), k)
	return miss
}

func (q *slowSized) used() (sum int) {
	for _, k := range q.order {
		sum += q.size[k]
	}
	return sum
}

// TestSizedTwin compares the rows held after every lookup, and the misses.
func TestSizedTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 24, 200)
		bytes := rapid.IntRange(1, 120).Draw(t, "bytes")
		varying := rapid.Bool().Draw(t, "sizes change")
		z, err := NewSized(int64(bytes), 24)
		if err != nil {
			t.Fatal(err)
		}
		q := &slowSized{bytes: bytes, size: map[uint32]int{}, uses: map[uint32]int{}, priority: map[uint32]float64{}}
		for i, k := range keys {
			size := 1 + int(fmix64(uint64(k))%16)
			if varying {
				size = 1 + int(fmix64(uint64(i))%16)
			}
			c, err := z.Replay([]uint32{k}, []uint32{uint32(size)})
			if err != nil {
				t.Fatal(err)
			}
			if missed := q.lookup(k, size); missed != (c.Misses == 1) {
				t.Fatalf("lookup %d: missed %v, want %v", i, c.Misses == 1, missed)
			}
			if z.Used() != int64(q.used()) || z.Used() > int64(bytes) {
				t.Fatalf("lookup %d: %d bytes used, want %d of %d", i, z.Used(), q.used(), bytes)
			}
			for k := range uint32(24) {
				if z.Holds(k) != slices.Contains(q.order, k) {
					t.Fatalf("lookup %d: row %d is held: %v, want %v", i, k, z.Holds(k), !z.Holds(k))
				}
			}
		}
	})
}

// TestSizedOfOne: with sizes of 1, it is the policy gdsf.
func TestSizedOfOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 24, 400)
		slots := rapid.IntRange(1, 24).Draw(t, "slots")
		z, err := NewSized(int64(slots), 24)
		if err != nil {
			t.Fatal(err)
		}
		c, err := z.Replay(keys, slices.Repeat([]uint32{1}, len(keys)))
		if err != nil {
			t.Fatal(err)
		}
		if want := newTable(t, Config{Slots: slots, Rows: 24, Policy: "gdsf"}).Replay(keys); c.Misses != want {
			t.Fatalf("%d misses, gdsf %d", c.Misses, want)
		}
	})
}

// TestGDSFIsLFUAged: with one size, GDSF is LFU with dynamic aging, which is made
// apart from it.
func TestGDSFIsLFUAged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := drawKeys(t, 24, 400)
		slots := rapid.IntRange(1, 24).Draw(t, "slots")
		misses := func(policy string) int {
			return newTable(t, Config{Slots: slots, Rows: 24, Policy: policy}).Replay(keys)
		}
		if got, want := misses("gdsf"), misses("lfu-aged"); got != want {
			t.Fatalf("gdsf misses %d, lfu-aged %d", got, want)
		}
	})
}

func TestSizedErrors(t *testing.T) {
	for _, test := range []struct {
		bytes, rows int64
		want        string
	}{
		{0, 1, "bytes = 0: want at least 1"},
		{1, 0, "rows = 0: want 1 to 4294967295"},
	} {
		if _, err := NewSized(test.bytes, test.rows); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want … %s …", err, test.want)
		}
	}
	z, err := NewSized(8, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		keys, sizes []uint32
		want        string
	}{
		{[]uint32{1, 2}, []uint32{1}, "1 sizes for 2 lookups"},
		{[]uint32{1, 4}, []uint32{1, 1}, "lookup 1: key 4 is not below 4 rows"},
		{[]uint32{0}, []uint32{0}, "lookup 0: key 0 has size 0"},
	} {
		if _, err := z.Replay(test.keys, test.sizes); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want … %s …", err, test.want)
		}
	}
	if !z.Holds(1) {
		t.Error("the lookups before the wrong one are not replayed")
	}
	if z.Holds(4) {
		t.Error("a key beyond the rows is held")
	}
}

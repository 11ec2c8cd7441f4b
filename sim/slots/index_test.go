package slots

import (
	"testing"

	"pgregory.net/rapid"
)

// TestIndex compares both forms of the index with a map.
func TestIndex(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Keys near each other and near the top of 32 bits make runs that wrap.
		key := rapid.OneOf(rapid.Uint32Range(0, 40), rapid.Uint32Range(1<<32-40, 1<<32-2))
		small := rapid.Bool().Draw(t, "dense")
		x := newHashed(1)
		if small {
			x = newIndex(41, 41)
			key = rapid.Uint32Range(0, 40)
		}
		model := map[uint32]int32{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			k := key.Draw(t, "key")
			old, there := model[k]
			if !there {
				old = none
			}
			switch v := rapid.Int32Range(0, 1000).Draw(t, "value"); {
			case there && v < 400:
				x.del(k)
				delete(model, k)
			case !there && v < 400:
				x.set(k, v)
				model[k] = v
			default:
				if got := x.put(k, v); got != old {
					t.Fatalf("put(%d) returns %d, want %d", k, got, old)
				}
				model[k] = v
			}
			for k, v := range model {
				if got := x.get(k); got != v {
					t.Fatalf("get(%d) = %d, want %d", k, got, v)
				}
			}
			if _, there := model[k]; !there && x.get(k) != none {
				t.Fatalf("get(%d) finds a deleted key", k)
			}
		}
	})
}

func TestNewIndexForm(t *testing.T) {
	for _, test := range []struct {
		rows  int64
		slots int
		dense bool
	}{
		{1 << 24, 1, true},
		{1<<24 + 1, 1, false},
		{1<<24 + 1, 1 << 19, true},
		{1<<28 + 1, 1, false},
	} {
		x := newIndex(test.rows, test.slots)
		if got := x.dense != nil; got != test.dense {
			t.Errorf("%d rows, %d slots: dense %v, want %v", test.rows, test.slots, got, test.dense)
		}
	}
}

func TestMarkable(t *testing.T) {
	for _, test := range []struct {
		rows  int64
		slots int
		want  bool
	}{
		{1 << 24, 1, true},
		{1<<24 + 1, 1, false},
		{1 << 28, 1 << 20, true},
		{1 << 28, 1<<20 - 1, false},
		{1<<28 + 1, 1 << 28, false},
	} {
		if got := markable(test.rows, test.slots); got != test.want {
			t.Errorf("%d rows, %d slots: arrays by key %v, want %v", test.rows, test.slots, got, test.want)
		}
	}
	// Where rows are too many, keys are interned.
	table := newTable(t, Config{Slots: 2, Rows: 1 << 30, Policy: "fifo"})
	if n := table.Replay([]uint32{1<<30 - 1, 5, 7, 5, 1<<30 - 1}); n != 4 || table.ids == nil {
		t.Errorf("%d misses, want 4; interned: %v", n, table.ids != nil)
	}
}

// TestBitTree compares with a slice of booleans over one to three levels.
func TestBitTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 63, 64, 65, 4096, 4097, 10000}).Draw(t, "n")
		tree, model := newBitTree(n), make([]bool, n)
		largest := func(below int) int {
			for i := below - 1; i >= 0; i-- {
				if model[i] {
					return i
				}
			}
			return -1
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			i := rapid.IntRange(0, n-1).Draw(t, "i")
			if rapid.Bool().Draw(t, "set") {
				tree.set(i)
				model[i] = true
			} else {
				tree.clear(i)
				model[i] = false
			}
			if got, want := tree.max(), largest(n); got != want {
				t.Fatalf("max %d, want %d", got, want)
			}
			j := rapid.IntRange(0, n-1).Draw(t, "j")
			if got, want := tree.below(j), largest(j); got != want {
				t.Fatalf("below(%d) = %d, want %d", j, got, want)
			}
		}
	})
}

package rounds

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func count(t interface{ Fatal(...any) }, rows int64, scope Scope, replicated func(uint32) bool, keys [][]uint32) *Demand {
	c, err := NewDemandCounter(rows, len(keys), scope, replicated)
	if err != nil {
		t.Fatal(err)
	}
	return c.Count(keys)
}

func TestDemand(t *testing.T) {
	keys := [][]uint32{{0, 1, 1, 3, 5, 9, 9, 9}, {1, 3, 3, 4, 9}}
	nine := func(k uint32) bool { return k == 9 }
	for _, c := range []struct {
		scope      Scope
		replicated func(uint32) bool
		want       Demand
		inflation  float64
	}{
		{NoUnique, nil, Demand{[][]int{{1, 7}, {1, 4}}, []int{2, 4}, []int{0, 0}, 0}, 8. / 6},
		{PerDevice, nil, Demand{[][]int{{1, 4}, {1, 3}}, []int{2, 4}, []int{0, 0}, 0}, 8. / 6},
		{PerBatch, nil, Demand{[][]int{{2, 4}, {2, 4}}, []int{2, 4}, []int{0, 0}, 0}, 8. / 6},
		{NoUnique, nine, Demand{[][]int{{1, 4}, {1, 3}}, []int{2, 3}, []int{3, 1}, 1}, 6. / 5},
		{PerDevice, nine, Demand{[][]int{{1, 3}, {1, 2}}, []int{2, 3}, []int{1, 1}, 1}, 6. / 5},
		{PerBatch, nine, Demand{[][]int{{2, 3}, {2, 3}}, []int{2, 3}, []int{1, 1}, 1}, 6. / 5},
	} {
		got := count(t, 10, c.scope, c.replicated, keys)
		if !reflect.DeepEqual(*got, c.want) {
			t.Errorf("scope %s, replicated %v: %+v, want %+v", c.scope, c.replicated != nil, *got, c.want)
		}
		if !near(got.Inflation(), c.inflation) {
			t.Errorf("scope %s: padding multiplies rows by %g, want %g", c.scope, got.Inflation(), c.inflation)
		}
	}
	if got := count(t, 10, PerDevice, nil, [][]uint32{{}, {}}).Inflation(); got != 1 {
		t.Errorf("without rows padding multiplies by %g", got)
	}
}

// drawLookups draws lookups of some devices, a few rows hotter than the others.
func drawLookups(t *rapid.T, devices, rows int) [][]uint32 {
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	keys := make([][]uint32, devices)
	for i := range keys {
		for range rng.IntN(60) {
			among := rows
			if rng.IntN(2) == 0 {
				among = min(rows, 5)
			}
			keys[i] = append(keys[i], uint32(rng.IntN(among)))
		}
	}
	return keys
}

// TestDemandTwin counts with sets, and compares rounds of one counter.
func TestDemandTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		devices := rapid.IntRange(1, 9).Draw(t, "devices")
		rows := rapid.IntRange(1, 80).Draw(t, "rows")
		hot := uint32(rapid.IntRange(0, 10).Draw(t, "hot"))
		replicated := func(k uint32) bool { return k < hot }
		scope := rapid.SampledFrom(Scopes()).Draw(t, "scope")
		c, err := NewDemandCounter(int64(rows), devices, scope, replicated)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			keys := drawLookups(t, devices, rows)
			got := c.Count(keys)
			batch := slices.Concat(keys...)
			slices.Sort(batch)
			batch = slices.Compact(batch)
			for d := range devices {
				own := slices.Clone(keys[d])
				slices.Sort(own)
				if scope != NoUnique {
					own = slices.Compact(own)
				}
				copies := len(own)
				own = slices.DeleteFunc(own, replicated)
				copies -= len(own)
				if scope == PerBatch || scope == PerPass {
					own = slices.DeleteFunc(slices.Clone(batch), replicated)
				}
				want := make([]int, devices)
				for _, k := range own {
					want[int(k)%devices]++
				}
				if !slices.Equal(got.Rows[d], want) || got.Copies[d] != copies {
					t.Fatalf("device %d gets %v and copies %d, want %v and %d", d, got.Rows[d], got.Copies[d], want, copies)
				}
			}
			cold := slices.DeleteFunc(slices.Clone(batch), replicated)
			if got.Unique() != len(cold) || got.Hot != len(batch)-len(cold) {
				t.Fatalf("%d rows and %d hot ones, want %d and %d", got.Unique(), got.Hot, len(cold), len(batch)-len(cold))
			}
		}
	})
}

func TestDemandErrors(t *testing.T) {
	for want, make := range map[string]func() error{
		"rows = 0: want 1 to":             func() error { _, err := NewDemandCounter(0, 1, PerDevice, nil); return err },
		"devices = 0: want at least 1":    func() error { _, err := NewDemandCounter(1, 0, PerDevice, nil); return err },
		`unknown scope "gpu": want one o`: func() error { _, err := NewDemandCounter(1, 1, "gpu", nil); return err },
	} {
		if err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	defer func() {
		if got := fmt.Sprint(recover()); !strings.Contains(got, "lookups of 1 devices, want 2") {
			t.Errorf("panic %q", got)
		}
	}()
	c, err := NewDemandCounter(10, 2, PerDevice, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Count([][]uint32{{1}})
}

// Counting a round like the ones before does not allocate.
func TestDemandAllocations(t *testing.T) {
	c, err := NewDemandCounter(1000, 4, PerDevice, func(k uint32) bool { return k < 10 })
	if err != nil {
		t.Fatal(err)
	}
	keys := make([][]uint32, 4)
	for i := range 400 {
		keys[i%4] = append(keys[i%4], uint32(i*i%1000))
	}
	c.Count(keys)
	if n := testing.AllocsPerRun(20, func() { c.Count(keys) }); n > 0 {
		t.Errorf("%g allocations a round", n)
	}
}

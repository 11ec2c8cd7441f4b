package slots

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads"
)

// TestOffloadByHand: two tables of 4 and 2 rows over four batches. The first
// table's batches are {0 1} {0} {2 0} {1}: behind how many other rows its keys are found is
// - -, 1 (key 1 was used after 0 in the first), - 0, 2. The second's are
// {} {0} {0 1} {0}: -, 0 -, 1.
func TestOffloadByHand(t *testing.T) {
	trace := record(t, 6, [][]uint32{{0, 1, 0}, {0, 4}, {2, 4, 0, 5}, {1, 1, 4}})
	tables := []workloads.Table{{Name: "user", Rows: 4}, {Name: "item", Rows: 2}}
	got, err := Offload(trace, tables, 4, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []TableOffload{
		{"user", 4, 3, OffloadStats{(0 + 1 + 2) / 3. / 4, 6 / 4., []int64{1, 1, 1, 0}, 4}},
		{"item", 4, 2, OffloadStats{(0 + 1) / 2. / 2, 4 / 4., []int64{1, 0, 1, 0}, 2}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	text, err := json.Marshal(got[0])
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"table":"user","batches":4,"cold":3,"stats":{"cacheability":0.25,"expected_lookups":1.5,"mrc_hist_counts":[1,1,1,0],"height":4}}`; string(text) != want {
		t.Errorf("JSON %s, want %s", text, want)
	}
	// What the planner makes of it: 1 of 3 behind none, 2 of 3 up to one.
	for share, want := range map[float64]float64{0: 1, 0.25: 2 / 3., 0.5: 1 / 3., 0.75: 0, 1: 0} {
		if got := got[0].Stats.MissRate(share); math.Abs(got-want) > 1e-12 {
			t.Errorf("load factor %v: miss rate %v, want %v", share, got, want)
		}
	}
	got, err = Offload(trace, tables, 4, 2)
	if err != nil {
		t.Fatal(err)
	}
	if s := got[0]; s.Batches != 2 || s.Cold != 1 || s.Stats.ExpectedLookups != 1.5 || !reflect.DeepEqual(s.Stats.MRCHistCounts, []int64{1, 0, 1, 0}) {
		t.Errorf("after two rounds: %+v", s)
	}
}

// TestMissRateAsPlanner: the values that TorchRec's own tests expect of
// estimate_cache_miss_rate (test_shard_estimators.py, TestEmbeddingOffloadStats).
func TestMissRateAsPlanner(t *testing.T) {
	ten := OffloadStats{MRCHistCounts: []int64{10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, Height: 100}
	few := OffloadStats{MRCHistCounts: []int64{0, 6, 0, 8}, Height: 4}
	three := OffloadStats{MRCHistCounts: []int64{99, 98, 97}, Height: 92}
	none := OffloadStats{MRCHistCounts: []int64{0, 0}, Height: 2}
	for _, test := range []struct {
		stats OffloadStats
		share float64
		want  float64
	}{
		{three, 0, 1}, {three, 0.5, 1 - (99.+98)/(99+98+97)}, {three, 1, 0},
		{few, 0, 1}, {few, 0.25, 1}, {few, 0.5, 8. / 14}, {few, 0.75, 8. / 14}, {few, 1, 0},
		{ten, 0, 1}, {ten, 0.09, 0.9}, {ten, 0.1, 0.9}, {ten, 0.11, 0.8}, {ten, 0.89, 0.1}, {ten, 0.99, 0}, {ten, 1, 0},
		{none, 0, 0}, {none, 0.5, 0}, {none, 1, 0},
	} {
		if got := test.stats.MissRate(test.share); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%+v at %v: %v, want %v", test.stats, test.share, got, test.want)
		}
	}
}

func TestOffloadErrors(t *testing.T) {
	trace := record(t, 6, [][]uint32{{0}})
	six := []workloads.Table{{Name: "t", Rows: 6}}
	for _, test := range []struct {
		tables       []workloads.Table
		bins, warmup int
		want         string
	}{
		{six, 0, 0, "bins = 0: want 1 to 1048576"},
		{six, 1 << 21, 0, "bins = 2097152: want 1 to 1048576"},
		{six, 1, 1, "warm-up = 1 rounds: want 0 to 0, the trace has 1"},
		{six, 1, -1, "warm-up = -1 rounds"},
		{six[:0], 1, 0, "the trace has keys below 6, the tables have 0 rows together"},
		{[]workloads.Table{{Name: "a", Rows: 6}, {Name: "b"}}, 1, 0, `table "b": rows = 0`},
	} {
		if _, err := Offload(trace, test.tables, test.bins, test.warmup); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v", test, err)
		}
	}
}

// TestOffloadIsLRU: with a bin per row, what the planner reads at every size is
// what an LRU of that size misses of the rows that it has seen before.
func TestOffloadIsLRU(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trace := record(t, 30, drawRounds(t, 30, 40, 10))
		cut := rapid.Int64Range(1, 29).Draw(t, "rows of the first table")
		tables := []workloads.Table{{Name: "a", Rows: cut}, {Name: "b", Rows: 30 - cut}}
		all, err := Offload(trace, tables, int(tables[1].Rows), 0)
		if err != nil {
			t.Fatal(err)
		}
		var rounds [][]uint32 // of the second table alone
		for r := range trace.Rounds() {
			round := []uint32{}
			for _, k := range trace.Round(r).Keys {
				if int64(k) >= cut {
					round = append(round, k-uint32(cut))
				}
			}
			rounds = append(rounds, round)
		}
		alone := record(t, tables[1].Rows, rounds)
		got := all[1]
		if want := float64(alone.Keys()) / float64(alone.Rounds()); got.Stats.ExpectedLookups != want {
			t.Fatalf("%v rows per batch, want %v", got.Stats.ExpectedLookups, want)
		}
		area := 0.0
		for slots := 1; slots <= int(tables[1].Rows); slots++ {
			twin := orderedLRU{slots: max(slots, MinSlots(alone, 0))}
			misses := int64(0)
			for r := range alone.Rounds() {
				m, _ := twin.plan(alone.Round(r))
				misses += m
			}
			warm := alone.Keys() - got.Cold
			want := 0.0
			if warm > 0 {
				want = float64(misses-got.Cold) / float64(warm)
			}
			rate := got.Stats.MissRate(float64(slots) / float64(tables[1].Rows))
			area += rate / float64(tables[1].Rows)
			if twin.slots == slots && math.Abs(rate-want) > 1e-9 {
				t.Fatalf("%d slots: the planner reads %v, LRU misses %v", slots, rate, want)
			}
		}
		if math.Abs(area-got.Stats.Cacheability) > 1e-9 {
			t.Fatalf("cacheability %v, want %v", got.Stats.Cacheability, area)
		}
	})
}

// TestOffloadMeter: rounds that come one by one, and what is asked in between.
func TestOffloadMeter(t *testing.T) {
	trace := record(t, 6, [][]uint32{{0, 1, 0}, {0, 4}, {2, 4, 0, 5}, {1, 1, 4}})
	tables := []workloads.Table{{Name: "user", Rows: 4}, {Name: "item", Rows: 2}}
	m, err := NewOffloadMeter(tables, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rows() != 6 {
		t.Errorf("%d rows", m.Rows())
	}
	for i := range trace.Rounds() {
		if got, err := m.Tables(); (err == nil) != (i > 1) {
			t.Errorf("after %d rounds: %v, %v", i, got, err)
		}
		m.Add(trace.Round(i))
	}
	got, err := m.Tables()
	if err != nil {
		t.Fatal(err)
	}
	want, err := Offload(trace, tables, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, err := NewOffloadMeter(tables, 4, -1); err == nil {
		t.Error("a negative warm-up is accepted")
	}
}

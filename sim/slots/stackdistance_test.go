package slots

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"pgregory.net/rapid"

	"stowage/workloads/lookups"
)

func lruCurve(t failer, keys []uint32, rows, warmup int64) *Curve {
	t.Helper()
	c, err := LRUCurve(keys, rows, warmup)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCurveByHand: of a b c a a b, with places in the order of last use - - - 3 1 3.
func TestCurveByHand(t *testing.T) {
	c := lruCurve(t, []uint32{7, 2, 5, 7, 7, 2}, 8, 0)
	for slots, want := range map[int]int64{-1: 6, 0: 6, 1: 5, 2: 5, 3: 3, 4: 3, 1 << 40: 3} {
		if got := c.Misses(slots); got != want {
			t.Errorf("%d slots: %d misses, want %d", slots, got, want)
		}
	}
	if c.Lookups() != 6 || c.Cold() != 3 || c.Enough() != 3 {
		t.Errorf("%d lookups, %d cold, %d slots are enough; want 6, 3, 3", c.Lookups(), c.Cold(), c.Enough())
	}
	for _, test := range []struct {
		ratio float64
		slots int
		ok    bool
	}{{0, 0, true}, {0.1, 1, true}, {0.2, 3, true}, {0.5, 3, true}, {0.51, 4, false}} {
		slots, ok := c.SlotsFor(test.ratio)
		if ok != test.ok || ok && slots != test.slots {
			t.Errorf("slots for a hit ratio of %v: %d, %v; want %d, %v", test.ratio, slots, ok, test.slots, test.ok)
		}
	}
	c = lruCurve(t, []uint32{7, 2, 5, 7, 7, 2}, 8, 4)
	if c.Lookups() != 2 || c.Cold() != 0 || c.Misses(1) != 1 || c.Misses(3) != 0 {
		t.Errorf("after a warm-up of 4: %d lookups, %d cold, %d and %d misses; want 2, 0, 1, 0", c.Lookups(), c.Cold(), c.Misses(1), c.Misses(3))
	}
	c = lruCurve(t, []uint32{7, 7, 7}, 8, 5)
	if c.Lookups() != 0 || c.Misses(1) != 0 || c.HitRatio(1) != 0 || c.MissRatio(1) != 0 {
		t.Errorf("within the warm-up: %+v", c)
	}
}

func TestCurveErrors(t *testing.T) {
	for _, test := range []struct {
		rows, warmup int64
		want         string
	}{
		{0, 0, "rows = 0: stack distances want 1 to 1073741824: renumber the keys by first appearance (Trace.Compact, Densify)"},
		{1<<30 + 1, 0, "rows = 1073741825: stack distances want 1 to 1073741824: renumber the keys by first appearance (Trace.Compact, Densify)"},
		{1, -1, "warm-up = -1 lookups: want >= 0"},
	} {
		if _, err := NewStackDistances(test.rows, test.warmup); err == nil || err.Error() != test.want {
			t.Errorf("rows %d, warm-up %d: error %v, want %s", test.rows, test.warmup, err, test.want)
		}
	}
	if _, err := NewRoundDistances(0, 0); err == nil {
		t.Error("no error for rounds over 0 rows")
	}
	if _, err := NewRoundDistances(1, -1); err == nil || err.Error() != "warm-up = -1 rounds: want >= 0" {
		t.Errorf("error %v", err)
	}
}

// TestCurveIsReplay: at every number of slots, whatever the batches and the
// warm-up, the curve has the misses of LRU replayed at that number. Few rows make
// positions run out many times.
func TestCurveIsReplay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 70).Draw(t, "rows")
		keys := drawKeys(t, rows, 600)
		warmup := rapid.IntRange(0, len(keys)).Draw(t, "warm-up")
		s, err := NewStackDistances(int64(rows), int64(warmup))
		if err != nil {
			t.Fatal(err)
		}
		for rest := keys; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			s.Add(rest[:n])
			rest = rest[n:]
			s.Curve() // looking changes nothing
		}
		c := s.Curve()
		for slots := 1; slots <= rows+1; slots++ {
			table := newTable(t, Config{Slots: slots, Rows: int64(rows), Policy: "lru"})
			table.Replay(keys[:warmup])
			if got, want := c.Misses(slots), int64(table.Replay(keys[warmup:])); got != want {
				t.Fatalf("%d slots, warm-up %d: %d misses, replayed %d", slots, warmup, got, want)
			}
		}
	})
}

// TestDistancesSpill: counts survive the move to 64 bits.
func TestDistancesSpill(t *testing.T) {
	var h distances
	h.reserve(2, spillAt)
	h.at[1], h.at[2] = spillAt-1, 1
	h.reserve(3, spillAt)
	h.at[1], h.at[3] = spillAt-1, 1
	h.reserve(4, 1)
	h.at[2]++
	h.cold = 5
	c := h.curve()
	if c.Hits(1) != 2*spillAt-2 || c.Hits(2) != 2*spillAt || c.Hits(3) != 2*spillAt+1 || c.Lookups() != 2*spillAt+6 || c.Enough() != 3 {
		t.Errorf("hits %v of %d lookups", c.hits, c.Lookups())
	}
}

// TestCurveReference compares with the misses of LRU that libCacheSim counted on
// real traces, to the last one.
func TestCurveReference(t *testing.T) {
	if raceDetector {
		t.Skip("4 M lookups")
	}
	traces := filepath.Join(sharedData(t), "traces")
	f, err := os.Open(filepath.Join(traces, "reference.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	curves := map[string]*Curve{}
	checked := 0
	for _, row := range rows[1:] {
		if row[1] != "lru" {
			continue
		}
		if curves[row[0]] == nil {
			keys, bound := realTrace(t, traces, row[0])
			curves[row[0]] = lruCurve(t, keys, bound, 0)
		}
		c := curves[row[0]]
		slots, n, misses := atoi(t, row[2]), atoi(t, row[3]), atoi(t, row[4])
		if c.Lookups() != int64(n) || c.Misses(slots) != int64(misses) {
			t.Errorf("%s, %d slots: %d misses of %d lookups, want %d of %d", row[0], slots, c.Misses(slots), c.Lookups(), misses, n)
		}
		checked++
	}
	if checked < 35 {
		t.Errorf("only %d rows of the reference were checked", checked)
	}
}

// realTrace reads a trace of the reference figures.
func realTrace(t *testing.T, dir, name string) (keys []uint32, bound int64) {
	t.Helper()
	if name == "P3.lis.zst" {
		return arcTrace(t, filepath.Join(dir, name))
	}
	if name == "cloudPhysicsIO.oracleGeneral.bin" {
		name = "cloudPhysicsIO.txt"
	}
	keys, bound, err := lookups.LoadKeys(filepath.Join(dir, name), lookups.FileOptions{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return keys, bound
}

// arcTrace reads lines of "start count ignored sequence": blocks start … start+count-1.
func arcTrace(t *testing.T, path string) ([]uint32, int64) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := zstd.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var keys []uint64
	for lines := bufio.NewScanner(plain); lines.Scan(); {
		var start, count uint64
		if _, err := fmt.Sscan(lines.Text(), &start, &count); err != nil {
			t.Fatal(err)
		}
		for i := range count {
			keys = append(keys, start+i)
		}
	}
	dense, distinct, err := lookups.Densify(keys)
	if err != nil {
		t.Fatal(err)
	}
	return dense, distinct
}

// TestCurveIntZipf checks figures that other programs get on z1.0_1m_20m.
func TestCurveIntZipf(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("20 M lookups")
	}
	c := lruCurve(t, intZipf(1e6, 20e6), 1e6, 0)
	if c.Misses(10000) != 8296590 || c.Cold() != 914766 || c.Misses(1e6) != 914766 {
		t.Errorf("%d misses with 10 000 slots, %d with 1 M, %d cold; want 8 296 590, 914 766, 914 766", c.Misses(10000), c.Misses(1e6), c.Cold())
	}
}

// TestAddDoesNotAllocate: nothing is allocated per lookup once counts have grown.
func TestAddDoesNotAllocate(t *testing.T) {
	keys := intZipf(1e4, 100000)
	s, err := NewStackDistances(1e4, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Add(keys)
	s.Add(keys)
	if n := testing.AllocsPerRun(5, func() { s.Add(keys) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

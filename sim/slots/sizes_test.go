package slots

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plainSieve is SIEVE at one size as plainly as possible: keys from the oldest to the
// newest, and the hand is a key.
func plainSieve(keys []uint32, slots int) (misses int64) {
	var order []uint32
	hit := map[uint32]bool{}
	hand := -1 // index into order
	for _, k := range keys {
		if slices.Contains(order, k) {
			hit[k] = true
			continue
		}
		misses++
		if len(order) == slots {
			hand = max(hand, 0)
			for hit[order[hand]] {
				hit[order[hand]] = false
				hand = (hand + 1) % len(order)
			}
			delete(hit, order[hand])
			order = slices.Delete(order, hand, hand+1)
			if hand == len(order) {
				hand = -1 // past the newest: begin at the oldest, whatever comes in before
			}
		}
		order = append(order, k)
	}
	return misses
}

// aloneAt returns the misses of one policy at one size by other code.
func aloneAt(t failer, keys []uint32, policy string, rows, slots int) int64 {
	t.Helper()
	if policy == "sieve" {
		return plainSieve(keys, slots)
	}
	return int64(newTable(t, Config{Slots: slots, Rows: int64(rows), Policy: policy}).Replay(keys))
}

// TestSizesAlone: in one pass every size has the misses that it has alone,
// whatever the batches, the warm-up and the number of sizes.
func TestSizesAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.IntRange(1, 40).Draw(t, "rows")
		keys := drawKeys(t, rows, 300)
		policy := rapid.SampledFrom(SizePolicies()).Draw(t, "policy")
		sizes := rapid.SliceOfN(rapid.IntRange(1, rows+2), 1, 19).Draw(t, "sizes")
		warmup := rapid.IntRange(0, len(keys)).Draw(t, "warm-up")
		r, err := NewSizeReplay(policy, int64(rows), sizes, int64(warmup))
		if err != nil {
			t.Fatal(err)
		}
		for rest := keys; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "batch")
			r.Add(rest[:n])
			rest = rest[n:]
		}
		got := r.Misses()
		for i, slots := range sizes {
			want := aloneAt(t, keys, policy, rows, slots) - aloneAt(t, keys[:warmup], policy, rows, slots)
			if got[i] != want {
				t.Fatalf("%s with %d slots, warm-up %d: %d misses, alone %d", policy, slots, warmup, got[i], want)
			}
		}
	})
}

func TestSizesErrors(t *testing.T) {
	for _, test := range []struct {
		policy       string
		rows, warmup int64
		sizes        []int
		want         string
	}{
		{"arc", 1, 0, nil, `replacement policy "arc" cannot be replayed at several sizes in one pass: want one of lru, fifo, clock, sieve`},
		{"fifo", 0, 0, nil, "rows = 0: want 1 to"},
		{"clock", 1, -1, nil, "warm-up = -1 lookups: want >= 0"},
		{"clock", 1, 0, []int{1, 0}, "slots = 0: want at least 1"},
	} {
		_, err := NewSizeReplay(test.policy, test.rows, test.sizes, test.warmup)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: error %v", test, err)
		}
	}
	if misses, err := ReplaySizes([]uint32{1}, "fifo", 2, nil); err != nil || len(misses) != 0 {
		t.Errorf("no sizes: %v, %v", misses, err)
	}
}

// TestSizesReference compares with the misses that libCacheSim counted, all sizes of a
// trace in one pass.
func TestSizesReference(t *testing.T) {
	if raceDetector {
		t.Skip("14 M lookups")
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
	type run struct{ file, policy string }
	sizes, misses := map[run][]int{}, map[run][]int64{}
	var runs []run
	for _, row := range rows[1:] {
		r := run{row[0], row[1]}
		if !slices.Contains(sizePolicies, r.policy) || row[5] != "yes" {
			continue
		}
		if sizes[r] == nil {
			runs = append(runs, r)
		}
		sizes[r] = append(sizes[r], atoi(t, row[2]))
		misses[r] = append(misses[r], int64(atoi(t, row[4])))
	}
	if len(runs) < 4*6 {
		t.Errorf("only %d runs in the reference", len(runs))
	}
	keys, bounds := map[string][]uint32{}, map[string]int64{}
	for _, r := range runs {
		if keys[r.file] == nil {
			keys[r.file], bounds[r.file] = realTrace(t, traces, r.file)
		}
		got, err := ReplaySizes(keys[r.file], r.policy, bounds[r.file], sizes[r])
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, misses[r]) {
			t.Errorf("%s of %s with %v slots: %d misses, want %d", r.policy, r.file, sizes[r], got, misses[r])
		}
	}
}

// TestSizesIntZipf checks figures that other programs get on z1.0_1m_20m.
func TestSizesIntZipf(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("20 M lookups")
	}
	keys := intZipf(1e6, 20e6)
	for policy, want := range map[string]int64{"fifo": 8994654, "clock": 8103894, "sieve": 6787518} {
		got, err := ReplaySizes(keys, policy, 1e6, []int{10000, 2e6})
		if err != nil {
			t.Fatal(err)
		}
		if got[0] != want || got[1] != 914766 {
			t.Errorf("%s: misses %d, want %d and 914766", policy, got, want)
		}
	}
}

func TestSizesDoNotAllocate(t *testing.T) {
	keys := intZipf(1e4, 100000)
	for _, policy := range SizePolicies() {
		r, err := NewSizeReplay(policy, 1e4, []int{10, 100, 1000}, 0)
		if err != nil {
			t.Fatal(err)
		}
		r.Add(keys)
		r.Add(keys)
		if n := testing.AllocsPerRun(5, func() { r.Add(keys) }); n > 0 {
			t.Errorf("%s: %v allocations", policy, n)
		}
	}
}

package slots

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"stowage/workloads/lookups"
)

// sharedData returns the folder of traces and reference figures beside the
// repository, and skips the test when it is not there.
func sharedData(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data")
		if info, err := os.Stat(data); err == nil && info.IsDir() {
			return data
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("shared/data is not there")
		}
		dir = up
	}
}

// TestReference replays real traces and compares with the misses that
// libCacheSim counted, to the last one.
func TestReference(t *testing.T) {
	traces := filepath.Join(sharedData(t), "traces")
	ours := map[string]string{"belady": "min", "s3fifo": "s3-fifo"} // libCacheSim's names where they differ
	for _, p := range Policies() {
		ours[p.Name] = p.Name
	}
	files := map[string]string{ // our reader takes the text form of the first
		"cloudPhysicsIO.oracleGeneral.bin": "cloudPhysicsIO.txt",
		"cache2k_web12.txt.gz":             "cache2k_web12.txt.gz",
		"lirs_2_pools.trace.gz":            "lirs_2_pools.trace.gz",
		"lirs_loop.trace.gz":               "lirs_loop.trace.gz",
		"lirs_sprite.trace.gz":             "lirs_sprite.trace.gz",
		"P3.lis.zst":                       "P3.lis.zst",
	}
	if testing.Short() || raceDetector {
		delete(files, "P3.lis.zst") // 3.9 M lookups
	}
	f, err := os.Open(filepath.Join(traces, "reference.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"file", "policy", "slots", "lookups", "misses", "deterministic"}; !slices.Equal(rows[0], want) {
		t.Fatalf("columns %v, want %v", rows[0], want)
	}
	keys, bounds := map[string][]uint32{}, map[string]int64{}
	checked := 0
	for _, row := range rows[1:] {
		name, policy := row[0], ours[row[1]]
		if files[name] == "" || policy == "" || row[5] != "yes" {
			continue
		}
		if keys[name] == nil {
			keys[name], bounds[name], err = lookups.LoadKeys(filepath.Join(traces, files[name]), lookups.FileOptions{}, 0)
			if err != nil {
				t.Fatal(err)
			}
		}
		if some := []string{"4096", "32768", "262144"}; name == "P3.lis.zst" && !*large && !slices.Contains(some, row[2]) {
			continue
		}
		slots, n, misses := atoi(t, row[2]), atoi(t, row[3]), atoi(t, row[4])
		if len(keys[name]) != n {
			t.Fatalf("%s: %d lookups, want %d", name, len(keys[name]), n)
		}
		// Its LIRS has other bounds; its SLRU leaves slots unused when there are not
		// four equal segments.
		tolerance := 0
		switch {
		case policy == "lirs":
			tolerance = misses * 3 / 100
		case policy == "slru" && slots%4 != 0:
			tolerance = 1 + misses/1000
		}
		trace, cfg := keys[name], Config{Slots: slots, Rows: bounds[name], Policy: policy}
		t.Run(fmt.Sprintf("%s/%s/%d", name, policy, slots), func(t *testing.T) {
			t.Parallel()
			if got := newTable(t, cfg).Replay(trace); got < misses-tolerance || got > misses+tolerance {
				t.Errorf("%d misses, want %d within %d", got, misses, tolerance)
			}
		})
		checked++
	}
	// 26 sizes of the five small files by eleven policies of this package, and 3 of
	// the 9 of P3.
	if want := 11 * (26 + 3*(len(files)-5)); checked < want {
		t.Errorf("only %d rows of the reference were checked, want %d", checked, want)
	}
}

func atoi(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestIntZipfMisses checks the figures that other programs get on the IntZipf
// trace z1.0_1m_20m with 10 000 slots.
func TestIntZipfMisses(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("20 M lookups")
	}
	z, err := lookups.NewIntZipf(1e6, 1, 42)
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]uint32, 20e6)
	z.Fill(keys)
	for policy, want := range map[string]int{"fifo": 8994654, "clock": 8103894, "sieve": 6787518, "lru": 8296590} {
		table, err := New(Config{Slots: 10000, Rows: 1e6, Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Replay(keys); got != want {
			t.Errorf("%s: %d misses, want %d", policy, got, want)
		}
	}
}

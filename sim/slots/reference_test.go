package slots

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"

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
	// Informative rows, of that simulator's own parameters.
	delete(ours, "slru")
	delete(ours, "lirs")
	files := map[string]string{ // our reader takes the text form of the first
		"cloudPhysicsIO.oracleGeneral.bin": "cloudPhysicsIO.txt",
		"cache2k_web12.txt.gz":             "cache2k_web12.txt.gz",
		"lirs_2_pools.trace.gz":            "lirs_2_pools.trace.gz",
		"lirs_loop.trace.gz":               "lirs_loop.trace.gz",
		"lirs_sprite.trace.gz":             "lirs_sprite.trace.gz",
		"P3.lis.zst":                       "P3.lis.zst",
	}
	if testing.Short() || raceDetector {
		delete(files, "P3.lis.zst") // 3.9 M lookups, 9 sizes
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
			path := filepath.Join(traces, files[name])
			if filepath.Ext(path) == ".zst" {
				keys[name], bounds[name], err = loadARC(path)
			} else {
				keys[name], bounds[name], err = lookups.LoadKeys(path, lookups.FileOptions{}, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		slots, n, misses := atoi(t, row[2]), atoi(t, row[3]), atoi(t, row[4])
		if len(keys[name]) != n {
			t.Fatalf("%s: %d lookups, want %d", name, len(keys[name]), n)
		}
		table, err := New(Config{Slots: slots, Rows: bounds[name], Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Replay(keys[name]); got != misses {
			t.Errorf("%s, %s, %d slots: %d misses, want %d", name, policy, slots, got, misses)
		}
		checked++
	}
	// 26 sizes of the five small files by eight policies of this package, and 9
	// sizes of P3.
	if want := 8 * (26 + 9*(len(files)-5)); checked < want {
		t.Errorf("only %d rows of the reference were checked", checked)
	}
}

// loadARC reads a zstd-compressed trace in the ARC format, renumbered by first
// appearance: a line "start count ignored number" is count lookups, of the blocks
// from start on.
func loadARC(path string) (keys []uint32, rows int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f)
	if err != nil {
		return nil, 0, err
	}
	defer z.Close()
	ids := map[uint64]uint32{}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		var start, count uint64
		if _, err := fmt.Sscan(lines.Text(), &start, &count); err != nil {
			return nil, 0, err
		}
		for b := start; b < start+count; b++ {
			id, known := ids[b]
			if !known {
				id = uint32(len(ids))
				ids[b] = id
			}
			keys = append(keys, id)
		}
	}
	return keys, int64(len(ids)), lines.Err()
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
	for policy, want := range map[string]int{"fifo": 8994654, "clock": 8103894, "lru": 8296590} {
		table, err := New(Config{Slots: 10000, Rows: 1e6, Policy: policy})
		if err != nil {
			t.Fatal(err)
		}
		if got := table.Replay(keys); got != want {
			t.Errorf("%s: %d misses, want %d", policy, got, want)
		}
	}
}

package lookups

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestUniquerTwin compares both forms with a map, over rounds that share keys.
func TestUniquerTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dense, hash := NewUniquer(1<<12), NewUniquer(1<<12)
		hash.cells = nil
		hash.size(4) // small, so that it grows
		if rapid.Bool().Draw(t, "near the end of the epochs") {
			dense.epoch, hash.epoch = 1<<32-2, 1<<32-2
		}
		key := rapid.OneOf(rapid.Uint32Range(0, 1<<12-1), rapid.Uint32Range(0, 5))
		for range rapid.IntRange(1, 5).Draw(t, "rounds") {
			keys := rapid.SliceOfN(key, 0, 60).Draw(t, "keys")
			var want Round
			want.Lookups = len(keys)
			for _, k := range keys {
				if i := slices.Index(want.Keys, k); i >= 0 {
					want.Counts[i]++
				} else {
					want.Keys = append(want.Keys, k)
					want.Counts = append(want.Counts, 1)
				}
			}
			for name, u := range map[string]*Uniquer{"dense": dense, "hash": hash} {
				got := u.Unique(keys)
				if got.Lookups != want.Lookups || !slices.Equal(got.Keys, want.Keys) || !slices.Equal(got.Counts, want.Counts) {
					t.Fatalf("%s: %+v, want %+v", name, got, want)
				}
			}
		}
	})
}

func TestUniquerForms(t *testing.T) {
	if u := NewUniquer(denseRows); u.hashed != nil {
		t.Error("a small layer is hashed")
	}
	u := NewUniquer(MaxRows)
	if u.hashed == nil {
		t.Fatal("a large layer is not hashed")
	}
	keys := make([]uint32, 5000)
	for i := range keys {
		keys[i] = uint32(MaxRows - 1 - i%3000)
	}
	if r := u.Unique(keys); len(r.Keys) != 3000 || r.Keys[2999] != MaxRows-3000 || r.Counts[0] != 2 {
		t.Errorf("%d unique keys, last %d, first counted %d times", len(r.Keys), r.Keys[len(r.Keys)-1], r.Counts[0])
	}
	if n := testing.AllocsPerRun(10, func() { u.Unique(keys) }); n > 0 {
		t.Errorf("%v allocations per round", n)
	}
}

func TestRecord(t *testing.T) {
	spec := Spec{Generator: Traced, Keys: []uint32{4, 4, 1, 1, 4, 2, 0}}
	record := func(rounds int, limit int64) (*Trace, error) {
		return Record(stream(t, tables(5), spec, 3, 0), rounds, limit)
	}
	trace, err := record(100, 0) // more than there are
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range trace.Rounds() {
		got = append(got, fmt.Sprint(trace.Round(i)))
	}
	if want := "[{3 [4 1] [2 1]} {3 [1 4 2] [1 1 1]} {1 [0] [1]}]"; fmt.Sprint(got) != want {
		t.Errorf("rounds %v, want %s", got, want)
	}
	if trace.Rows() != 5 || trace.Keys() != 6 {
		t.Errorf("%d rows and %d keys, want 5 and 6", trace.Rows(), trace.Keys())
	}
	if r := trace.Round(0); cap(r.Keys) != len(r.Keys) {
		t.Error("appending to a round would write into the next")
	}

	trace, err = record(100, 5)
	var limit *LimitError
	if !errors.As(err, &limit) || limit.Limit != 5 || !strings.Contains(err.Error(), "round 2: more than 5 unique keys of 100 recorded rounds: record fewer") {
		t.Errorf("error %v, want the limit of 5 keys", err)
	}
	if trace.Rounds() != 2 {
		t.Errorf("%d rounds are kept, want 2", trace.Rounds())
	}
	if _, err := record(0, 0); err == nil {
		t.Error("no rounds are accepted")
	}
}

// TestIntZipf checks the generator against the figures that other languages get.
func TestIntZipf(t *testing.T) {
	for _, test := range []struct {
		alpha float64
		rows  int64
		sum   uint64
		first [4]uint32
		sha   string // of 20 M keys
	}{
		{0.9, 1e6, 33403828485302, [4]uint32{371566, 815875, 415697, 380888}, ""},
		{1, 1e6, 15824970387316, [4]uint32{153924, 178806, 72831, 425120}, "32540b4bc756c011d00862f3f586a96b1b6051423f6a9c176a6a4879f5414799"},
		{1, 1e7, 18356688975801, [4]uint32{39072, 1050328, 7274139, 6258176}, ""},
	} {
		z, err := NewIntZipf(test.rows, test.alpha, 42)
		if err != nil {
			t.Fatal(err)
		}
		if z.Weight() != test.sum {
			t.Errorf("alpha %v, %d rows: W = %d, want %d", test.alpha, test.rows, z.Weight(), test.sum)
		}
		keys := make([]uint32, 4)
		z.Fill(keys)
		if [4]uint32(keys) != test.first {
			t.Errorf("alpha %v, %d rows: first keys %v, want %v", test.alpha, test.rows, keys, test.first)
		}
		if test.sha == "" || testing.Short() || raceDetector {
			continue
		}
		h := sha256.New()
		buf := make([]byte, 0, 4*20e6)
		rest := make([]uint32, 20e6-4)
		z.Fill(rest)
		for _, k := range append(keys, rest...) {
			buf = binary.LittleEndian.AppendUint32(buf, k)
		}
		h.Write(buf)
		if got := fmt.Sprintf("%x", h.Sum(nil)); got != test.sha {
			t.Errorf("alpha %v, %d rows: sha256 %s, want %s", test.alpha, test.rows, got, test.sha)
		}
	}
	for _, bad := range []struct {
		rows  int64
		alpha float64
	}{{0, 1}, {1 << 32, 1}, {5, -1}} {
		if _, err := NewIntZipf(bad.rows, bad.alpha, 1); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

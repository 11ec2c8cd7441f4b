package slots

import (
	"fmt"
	"sync"
	"testing"

	"stowage/workloads"
	"stowage/workloads/lookups"
)

// The benchmark trace: IntZipf(1.0), 1 M keys. Ten million lookups are enough for
// the ratio to the floor.
var benchKeys = sync.OnceValue(func() []uint32 { return intZipf(1e6, 10e6) })

func intZipf(rows int64, n int) []uint32 {
	z, err := lookups.NewIntZipf(rows, 1, 42)
	if err != nil {
		panic(err)
	}
	keys := make([]uint32, n)
	z.Fill(keys)
	return keys
}

// bareLRU is the floor: an LRU in plain arrays and nothing else.
func bareLRU(keys []uint32, rows, slots int) (misses int) {
	slot := make([]int32, rows) // plus one
	held := make([]uint32, slots)
	prev, next := make([]int32, slots), make([]int32, slots)
	used, oldest := int32(0), int32(0)
	for _, k := range keys {
		s := slot[k] - 1
		switch {
		case s >= 0:
			if s == oldest {
				oldest = next[s]
				continue
			}
			p, n := prev[s], next[s]
			next[p], prev[n] = n, p
			last := prev[oldest]
			prev[s], next[s] = last, oldest
			next[last], prev[oldest] = s, s
			continue
		case int(used) < slots:
			s = used
			used++
			last := prev[oldest]
			prev[s], next[s] = last, oldest
			next[last], prev[oldest] = s, s
		default:
			s = oldest
			oldest = next[s]
			slot[held[s]] = 0
		}
		misses++
		held[s] = k
		slot[k] = s + 1
	}
	return misses
}

func TestBareLRU(t *testing.T) {
	keys := intZipf(1e4, 100000)
	for _, slots := range []int{1, 2, 1000} {
		table, err := New(Config{Slots: slots, Rows: 1e4, Policy: "lru"})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := bareLRU(keys, 1e4, slots), table.Replay(keys); got != want {
			t.Errorf("%d slots: the floor misses %d, LRU %d", slots, got, want)
		}
	}
}

// BenchmarkReplay reports ns per lookup of every policy beside the floor.
func BenchmarkReplay(b *testing.B) {
	keys := benchKeys()
	for _, slots := range []int{10000, 100000} {
		perLookup := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(keys)), "ns/lookup")
			b.ReportMetric(0, "ns/op")
		}
		b.Run(fmt.Sprintf("slots=%d/policy=floor", slots), func(b *testing.B) {
			for b.Loop() {
				bareLRU(keys, 1e6, slots)
			}
			perLookup(b)
		})
		for _, p := range Policies() {
			b.Run(fmt.Sprintf("slots=%d/policy=%s", slots, p.Name), func(b *testing.B) {
				for b.Loop() {
					t, err := New(Config{Slots: slots, Rows: 1e6, Policy: p.Name})
					if err != nil {
						b.Fatal(err)
					}
					t.Replay(keys)
				}
				perLookup(b)
			})
		}
	}
}

// BenchmarkPlan reports ns per unique key of planning and releasing rounds of
// 65 536 Zipf(1.2) lookups over 8 M rows, 50 000 slots, two rounds
// ahead.
func BenchmarkPlan(b *testing.B) {
	tables := []workloads.Table{{Name: "t", Rows: 8e6, Dim: 128, Lookups: 1}}
	s, err := lookups.NewStream(tables, lookups.Spec{Generator: lookups.Zipf, Alpha: 1.2}, 65536, 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	trace, err := lookups.Record(s, 200, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range Policies() {
		b.Run("policy="+p.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := RoundCounts(trace, Config{Slots: 50000, Policy: p.Name}, 2); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(trace.Keys()), "ns/key")
			b.ReportMetric(0, "ns/op")
		})
	}
}

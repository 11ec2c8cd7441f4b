package slots

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// touchFloor is the floor of one pass over lookups: touch one entry of an array
// per lookup.
func touchFloor(keys []uint32, rows int) uint32 {
	seen := make([]uint32, rows)
	for _, k := range keys {
		seen[k]++
	}
	return seen[0]
}

// curveTraces are the IntZipf(1.0) traces of the benchmarks.
var curveTraces = []struct {
	name string
	rows int64
	keys func() []uint32
}{
	{"rows=1M", 1e6, sync.OnceValue(func() []uint32 { return intZipf(1e6, 20e6) })},
	{"rows=10M", 10e6, sync.OnceValue(func() []uint32 { return intZipf(10e6, 50e6) })},
}

// perLookup reports ns per lookup and how many times the floor that is, the floor
// being run before and after.
func perLookup(b *testing.B, keys []uint32, rows int64, pass func()) {
	b.Helper()
	floor := cpuTime()
	touchFloor(keys, int(rows))
	floor = cpuTime() - floor
	start := cpuTime()
	n := 0
	for b.Loop() {
		pass()
		n++
	}
	each := float64(cpuTime()-start) / float64(n)
	again := cpuTime()
	touchFloor(keys, int(rows))
	floor = min(floor, cpuTime()-again)
	b.ReportMetric(each/float64(len(keys)), "cpu-ns/lookup")
	b.ReportMetric(float64(floor)/float64(len(keys)), "floor-ns/lookup")
	b.ReportMetric(each/float64(floor), "floors")
	b.ReportMetric(0, "ns/op")
}

// heapBytes returns the bytes that f leaves on the heap.
func heapBytes[T any](f func() T) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := f()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return float64(after.HeapAlloc) - float64(before.HeapAlloc)
}

// BenchmarkCurve reports the exact curve of LRU at all sizes in one pass: time per
// lookup beside the floor, and bytes per row.
func BenchmarkCurve(b *testing.B) {
	for _, trace := range curveTraces {
		b.Run(trace.name, func(b *testing.B) {
			keys := trace.keys()
			pass := func() *StackDistances {
				s, err := NewStackDistances(trace.rows, 0)
				if err != nil {
					b.Fatal(err)
				}
				s.Add(keys)
				return s
			}
			perLookup(b, keys, trace.rows, func() { pass() })
			b.ReportMetric(heapBytes(pass)/float64(trace.rows), "B/row")
		})
	}
}

// BenchmarkRoundCurve does the same for rounds of 65 536 lookups made unique, per
// unique key.
func BenchmarkRoundCurve(b *testing.B) {
	for _, trace := range curveTraces[:1] {
		b.Run(fmt.Sprintf("%s/round=65536", trace.name), func(b *testing.B) {
			rounds := inRounds(b, trace.rows, trace.keys(), 65536)
			var unique []uint32
			for r := range rounds.Rounds() {
				unique = append(unique, rounds.Round(r).Keys...)
			}
			perLookup(b, unique, trace.rows, func() { roundDistances(b, rounds, 0) })
		})
	}
}

// BenchmarkShards reports the estimates at 1 % beside the floor, and what they
// hold in all.
func BenchmarkShards(b *testing.B) {
	for _, trace := range curveTraces {
		b.Run(trace.name+"/plain", func(b *testing.B) {
			keys := trace.keys()
			pass := func() *Shards {
				s := newShards(b, ShardsConfig{Rate: 0.01, Seed: 1})
				s.AddRows(keys)
				return s
			}
			perLookup(b, keys, trace.rows, func() { pass() })
			b.ReportMetric(heapBytes(pass)/float64(pass().Keys()), "B/sampled-key")
		})
		b.Run(trace.name+"/head", func(b *testing.B) {
			keys := trace.keys()
			pass := func() *HeadShards {
				s := newHeadShards(b, ShardsConfig{Rate: 0.01, Seed: 1}, 0)
				s.AddRows(keys)
				return s
			}
			perLookup(b, keys, trace.rows, func() { pass() })
			b.ReportMetric(heapBytes(pass)/1e6, "MB")
		})
	}
}

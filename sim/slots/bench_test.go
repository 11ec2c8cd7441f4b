package slots

import (
	"flag"
	"fmt"
	"runtime"
	"testing"
	"time"

	"stowage/workloads"
	"stowage/workloads/lookups"
)

var large = flag.Bool("large", false, "the reference test replays P3 at all sizes, and benchmarks also replay the IntZipf traces of 10 M and 100 M keys, which takes minutes and 2 GB")

// benchTrace is an IntZipf(1.0) trace and the slots to replay it with.
type benchTrace struct {
	name  string
	rows  int64
	n     int
	slots []int
}

func benchTraces() []benchTrace {
	if testing.Short() {
		return []benchTrace{{"z1.0_100k_200k", 1e5, 2e5, []int{1000}}}
	}
	list := []benchTrace{{"z1.0_1m_20m", 1e6, 20e6, []int{10000, 100000}}}
	if *large {
		list = append(list, benchTrace{"z1.0_10m_50m", 1e7, 50e6, []int{1000000}}, benchTrace{"z1.0_100m_50m", 1e8, 50e6, []int{1000000}})
	}
	return list
}

func intZipf(rows int64, n int) []uint32 {
	z, err := lookups.NewIntZipf(rows, 1, 42)
	if err != nil {
		panic(err)
	}
	keys := make([]uint32, n)
	z.Fill(keys)
	return keys
}

// BenchmarkReplay reports the processor time per lookup of every policy, and of
// its floor, which runs in turns with it: on a machine that others use as well only
// their ratio says something. Policies without a floor are measured against LRU's.
func BenchmarkReplay(b *testing.B) {
	for _, trace := range benchTraces() {
		keys := intZipf(trace.rows, trace.n)
		for _, slots := range trace.slots {
			name := func(policy string) string {
				return fmt.Sprintf("trace=%s/slots=%d/policy=%s", trace.name, slots, policy)
			}
			for _, p := range Policies() {
				floor := floors[p.Name]
				if floor == nil {
					floor = bareLRU
				}
				b.Run(name(p.Name), func(b *testing.B) {
					inTurns(b, len(keys), func() { floor(keys, int(trace.rows), slots) }, func() {
						newTable(b, Config{Slots: slots, Rows: trace.rows, Policy: p.Name}).Replay(keys)
					})
				})
			}
			b.Run(name("lru-as-a-list"), func(b *testing.B) {
				inTurns(b, len(keys), func() { bareLRU(keys, int(trace.rows), slots) }, func() { bareLRUList(keys, int(trace.rows), slots) })
			})
		}
	}
}

// inTurns runs floor and pass in turns and reports ns per lookup of both, and how
// many floors a pass is, in processor time.
func inTurns(b *testing.B, lookups int, floor, pass func()) {
	b.Helper()
	var base, own time.Duration
	n := 0
	timed := func(f func()) time.Duration {
		runtime.GC() // of the arrays of the turn before
		start := cpuTime()
		f()
		return cpuTime() - start
	}
	for b.Loop() {
		base += timed(floor)
		own += timed(pass)
		n++
	}
	all := float64(n) * float64(lookups)
	b.ReportMetric(float64(own)/all, "cpu-ns/lookup")
	b.ReportMetric(float64(base)/all, "floor-ns/lookup")
	b.ReportMetric(float64(own)/float64(base), "floors")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkReplayMemory reports the bytes that a replay takes per slot and per
// row of the layer, and for min per lookup: what two replays differ by, of which
// one has twice as many.
func BenchmarkReplayMemory(b *testing.B) {
	for _, p := range Policies() {
		b.Run("policy="+p.Name, func(b *testing.B) {
			taken := func(slots int, rows int64, n int) float64 {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				newTable(b, Config{Slots: slots, Rows: rows, Policy: p.Name}).Replay(make([]uint32, n))
				runtime.ReadMemStats(&after)
				return float64(after.TotalAlloc-before.TotalAlloc) - 4*float64(n)
			}
			const slots, rows, n = 1 << 18, 1 << 20, 1 << 16
			for b.Loop() {
				base := taken(slots, rows, n)
				b.ReportMetric((taken(2*slots, rows, n)-base)/slots, "B/slot")
				b.ReportMetric((taken(slots, 2*rows, n)-base)/rows, "B/row")
				b.ReportMetric((taken(slots, rows, 2*n)-base)/n, "B/lookup")
			}
			b.ReportMetric(0, "ns/op")
		})
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
				if _, err := roundCounts(trace, Config{Slots: 50000, Policy: p.Name}, 2); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(trace.Keys()), "ns/key")
			b.ReportMetric(0, "ns/op")
		})
	}
}

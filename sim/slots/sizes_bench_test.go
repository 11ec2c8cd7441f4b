package slots

import (
	"testing"
	"time"
)

// bareRuns are the floors of one size.
var bareRuns = []struct {
	policy string
	run    func(keys []uint32, rows, slots int) int
}{
	{"fifo", bareFIFO}, {"clock", bareCLOCK}, {"sieve", bareSIEVE}, {"lru", bareLRU},
}

func TestBareRuns(t *testing.T) {
	keys := intZipf(1e4, 200000)
	for _, bare := range bareRuns {
		sizes := []int{1, 2, 100, 1000, 20000}
		want, err := ReplaySizes(keys, bare.policy, 1e4, sizes)
		if err != nil {
			t.Fatal(err)
		}
		for i, slots := range sizes {
			if got := bare.run(keys, 1e4, slots); int64(got) != want[i] {
				t.Errorf("%s with %d slots: the bare run misses %d, sizes %d", bare.policy, slots, got, want[i])
			}
		}
	}
}

// BenchmarkSizes reports eight sizes in one pass: how many bare runs at the fourth
// of them it takes the time of, and what share of eight bare runs, one at each; and
// where misses are not those of one order, how many times bareMarks it takes.
func BenchmarkSizes(b *testing.B) {
	for _, trace := range curveTraces {
		rows := int(trace.rows)
		// From 0.25 % of the rows to 32 %, doubling.
		sizes := make([]int, 8)
		for j := range sizes {
			sizes[j] = rows / 400 << j
		}
		for _, bare := range bareRuns {
			b.Run(trace.name+"/policy="+bare.policy, func(b *testing.B) {
				keys := trace.keys()
				var one, eight, pass time.Duration
				n := 0
				for b.Loop() {
					for j, slots := range sizes {
						start := cpuTime()
						bare.run(keys, rows, slots)
						eight += cpuTime() - start
						if j == 3 {
							one += cpuTime() - start
						}
					}
					start := cpuTime()
					if _, err := ReplaySizes(keys, bare.policy, trace.rows, sizes); err != nil {
						b.Fatal(err)
					}
					pass += cpuTime() - start
					n++
				}
				lookups := float64(n) * float64(len(keys))
				if bare.policy != "lru" {
					floor := forcedTime(bare.policy, keys, rows, sizes)
					b.ReportMetric(floor, "floor-ns/lookup")
					b.ReportMetric(float64(pass)/lookups/floor, "floors")
				}
				b.ReportMetric(float64(pass)/lookups, "cpu-ns/lookup")
				b.ReportMetric(float64(one)/lookups, "bare-ns/lookup")
				b.ReportMetric(float64(pass)/float64(one), "bare-runs")
				b.ReportMetric(float64(pass)/float64(eight), "of-eight")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// forcedTime returns the ns per lookup of bareMarks, on lookups after the tables have
// filled up.
func forcedTime(policy string, keys []uint32, rows int, sizes []int) float64 {
	const lookups = 2e6
	forced := forcedRows(policy, keys[:rows+lookups], rows, sizes, rows)
	marks := make([]uint16, rows)
	bareMarks(forced, marks) // the first touch of its memory
	start := cpuTime()
	bareMarks(forced, marks)
	return float64(cpuTime()-start) / lookups
}

// BenchmarkReplayerSizes reports what a Replayer of eight sizes of one policy takes of
// the processor time of three Replayers of the fourth size, from sparse keys on: what
// someone who asks for several sizes saves.
func BenchmarkReplayerSizes(b *testing.B) {
	for _, trace := range benchTraces() {
		keys := sparse(intZipf(trace.rows, trace.n))
		for _, policy := range sizePolicies {
			b.Run(trace.name+"/policy="+policy, func(b *testing.B) {
				var tables []Config
				for j := range 8 {
					tables = append(tables, Config{Policy: policy, Slots: int(trace.rows) / 400 << j})
				}
				var one, eight time.Duration
				for b.Loop() {
					start := cpuTime()
					replayAll(b, tables[3:4], ReplayOptions{}, keys, (*Replayer).Feed)
					one += cpuTime() - start
					start = cpuTime()
					replayAll(b, tables, ReplayOptions{}, keys, (*Replayer).Feed)
					eight += cpuTime() - start
				}
				b.ReportMetric(float64(one)/float64(b.N)/float64(len(keys)), "one-ns/lookup")
				b.ReportMetric(float64(eight)/float64(b.N)/float64(len(keys)), "eight-ns/lookup")
				b.ReportMetric(float64(eight)/float64(3*one), "of-three-runs")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

package slots

import "testing"

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

// BenchmarkSizes reports eight sizes in one pass beside a bare run at the fourth
// of them: "bare-runs" is how many of those the pass takes the time of.
func BenchmarkSizes(b *testing.B) {
	for _, trace := range curveTraces {
		rows := int(trace.rows)
		// From 0.25 % of the rows to 32 %, doubling; a bare run has 2 %.
		sizes := make([]int, 8)
		for j := range sizes {
			sizes[j] = rows / 400 << j
		}
		for _, bare := range bareRuns {
			b.Run(trace.name+"/policy="+bare.policy, func(b *testing.B) {
				keys := trace.keys()
				var bareTime, sizesTime float64
				n := 0.0
				for b.Loop() {
					start := cpuTime()
					bare.run(keys, rows, sizes[3])
					bareTime += float64(cpuTime() - start)
					start = cpuTime()
					if _, err := ReplaySizes(keys, bare.policy, trace.rows, sizes); err != nil {
						b.Fatal(err)
					}
					sizesTime += float64(cpuTime() - start)
					n++
				}
				b.ReportMetric(sizesTime/n/float64(len(keys)), "cpu-ns/lookup")
				b.ReportMetric(bareTime/n/float64(len(keys)), "bare-ns/lookup")
				b.ReportMetric(sizesTime/bareTime, "bare-runs")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

package slots

import "testing"

// bareFIFO, bareClock and bareSieve are one size in plain arrays and nothing else:
// key -> slot, and a queue over slots.

func bareFIFO(keys []uint32, rows, slots int) (misses int) {
	slot := make([]int32, rows) // plus one
	held := make([]uint32, slots)
	used, hand := 0, 0
	for _, k := range keys {
		if slot[k] != 0 {
			continue
		}
		misses++
		s := hand
		if used < slots {
			s = used
			used++
		} else {
			slot[held[s]] = 0
			if hand++; hand == slots {
				hand = 0
			}
		}
		held[s] = k
		slot[k] = int32(s) + 1
	}
	return misses
}

func bareClock(keys []uint32, rows, slots int) (misses int) {
	slot := make([]int32, rows) // plus one
	held, hit := make([]uint32, slots), make([]bool, slots)
	used, hand := 0, 0
	for _, k := range keys {
		if s := slot[k]; s != 0 {
			hit[s-1] = true
			continue
		}
		misses++
		s := used
		if used < slots {
			used++
		} else {
			for hit[hand] {
				hit[hand] = false
				if hand++; hand == slots {
					hand = 0
				}
			}
			s = hand
			slot[held[s]] = 0
			if hand++; hand == slots {
				hand = 0
			}
		}
		held[s] = k
		slot[k] = int32(s) + 1
	}
	return misses
}

func bareSieve(keys []uint32, rows, slots int) (misses int) {
	slot := make([]int32, rows) // plus one
	hit := make([]bool, slots)
	q := newSieveQueue(slots)
	hand, before := int32(none), int32(none)
	for _, k := range keys {
		if s := slot[k]; s != 0 {
			hit[s-1] = true
			continue
		}
		misses++
		s := int32(q.used)
		if q.used < slots {
			q.used++
		} else {
			if s = hand; s == none {
				s, before = q.oldest, none
			}
			for hit[s] {
				hit[s] = false
				if s, before = q.nodes[s].newer, s; s == none {
					s, before = q.oldest, none
				}
			}
			newer := q.nodes[s].newer
			if before == none {
				q.oldest = newer
			} else {
				q.nodes[before].newer = newer
			}
			if newer == none {
				q.newest = before
			}
			hand = newer
			slot[q.nodes[s].key] = 0
		}
		q.nodes[s] = sieveNode{k, none}
		if q.newest == none {
			q.oldest = s
		} else {
			q.nodes[q.newest].newer = s
		}
		q.newest = s
		slot[k] = s + 1
	}
	return misses
}

var bareRuns = []struct {
	policy string
	run    func(keys []uint32, rows, slots int) int
}{
	{"fifo", bareFIFO}, {"clock", bareClock}, {"sieve", bareSieve}, {"lru", bareLRU},
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

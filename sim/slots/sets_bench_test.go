package slots

import (
	"fmt"
	"testing"

	"stowage/workloads"
	"stowage/workloads/lookups"
)

// BenchmarkPlanSets is BenchmarkPlan with sets of 32 ways beside one set: the cost
// per unique key, to set against the fully associative table of the same policy.
func BenchmarkPlanSets(b *testing.B) {
	tables := []workloads.Table{{Name: "t", Rows: 8e6, Dim: 128, Lookups: 1}}
	s, err := lookups.NewStream(tables, lookups.Spec{Generator: lookups.Zipf, Alpha: 1.2}, 65536, 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	trace, err := lookups.Record(s, 100, 0)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range SetPolicies() {
		for _, ways := range []int{0, 32} {
			b.Run(fmt.Sprintf("policy=%s/ways=%d", p, ways), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := roundCounts(trace, Config{Slots: 50000, Ways: ways, Policy: p, Shortage: Bypass}, 2); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(trace.Keys()), "ns/key")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

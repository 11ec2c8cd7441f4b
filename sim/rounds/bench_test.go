package rounds

import (
	"testing"

	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// BenchmarkHierarchy moves rows of a Zipf trace up and down, each out of its slot
// as soon as it is in one, beside a loop that only looks at their cells.
func BenchmarkHierarchy(b *testing.B) {
	z, err := lookups.NewIntZipf(1e6, 1, 42)
	if err != nil {
		b.Fatal(err)
	}
	keys := make([]uint32, 1<<20)
	z.Fill(keys)
	perRow := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/row")
	}
	b.Run("floor", func(b *testing.B) {
		cells := make([]int32, 1e6)
		for b.Loop() {
			for _, k := range keys {
				cells[k]++
			}
		}
		perRow(b)
	})
	for _, rule := range []Rule{Inclusive, Exclusive} {
		b.Run(string(rule), func(b *testing.B) {
			h, err := NewHierarchy(HierarchyConfig{Rows: 1e6, Host: 1e5, Slots: rule, Store: rule})
			if err != nil {
				b.Fatal(err)
			}
			one := make([]slots.Move, 1)
			b.ReportAllocs()
			for b.Loop() {
				for i, k := range keys {
					one[0] = slots.Move{Key: k, Dirty: i%2 == 0}
					h.Fetch(one)
					h.Evict(one)
				}
			}
			perRow(b)
		})
	}
}

// BenchmarkDemand counts what eight devices need of each other, beside making their
// lookups unique alone.
func BenchmarkDemand(b *testing.B) {
	z, err := lookups.NewIntZipf(1e6, 1, 42)
	if err != nil {
		b.Fatal(err)
	}
	const devices, each = 8, 1 << 16
	keys := make([][]uint32, devices)
	for i := range keys {
		keys[i] = make([]uint32, each)
		z.Fill(keys[i])
	}
	perLookup := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*devices*each), "ns/lookup")
	}
	b.Run("unique", func(b *testing.B) {
		u := lookups.NewUniquer(1e6)
		for b.Loop() {
			for _, own := range keys {
				u.Unique(own)
			}
		}
		perLookup(b)
	})
	b.Run("demand", func(b *testing.B) {
		c, err := NewDemandCounter(1e6, devices, PerDevice, func(k uint32) bool { return k < 1000 })
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			c.Count(keys)
		}
		perLookup(b)
	})
}

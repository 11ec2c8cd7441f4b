package rounds

import (
	"fmt"
	"testing"

	"stowage/hw"
	"stowage/workloads/lookups"
)

// BenchmarkFeed runs feeds of one device. With one key a round it is the events
// alone; their cost per round must not grow with the number of rounds. With many
// keys it is the tables, beside a loop that only looks at the cells of the keys.
func BenchmarkFeed(b *testing.B) {
	z, err := lookups.NewIntZipf(64, 1, 42)
	if err != nil {
		b.Fatal(err)
	}
	for _, size := range []struct{ rounds, batch int }{{10, 1}, {100, 1}, {1000, 1}, {10_000, 1}, {100, 4096}} {
		keys := make([]uint32, size.rounds*size.batch)
		z.Fill(keys)
		rows := int64(64)
		if size.batch > 1 {
			rows = 1_000_003
			for i := range keys {
				keys[i] = uint32(i*7919) % uint32(rows) // each once in many rounds
			}
		}
		trace, layout := rawTrace(b, rows, size.batch, 1, keys)
		spec := oneLayer(b, max(32, 16*size.batch), 0)
		spec.Rounds, spec.Lookahead = size.rounds, 2
		l := &spec.Layers[0]
		l.Trace, l.Layout, l.Rows, l.Slots.Rows = trace, layout, rows, rows
		spec.Costs.Read, spec.Costs.Index = 1e-7, 1e7
		spec.Costs.Host, spec.Costs.Link = hw.Gather{Rows: 1e6, Bandwidth: 1e10}, hw.Link{Bandwidth: 1e9, Latency: us}
		b.Run(fmt.Sprintf("rounds=%d/keys=%d", size.rounds, size.batch), func(b *testing.B) {
			b.ReportAllocs()
			events := uint64(0)
			for b.Loop() {
				g := newRig(b, spec)
				g.forward, g.backward = always(2*us), always(4*us)
				g.mustRun()
				events = g.e.Events()
			}
			n := float64(b.N * size.rounds)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/round")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/(n*float64(size.batch)), "ns/key")
			b.ReportMetric(float64(events)/float64(size.rounds), "events/round")
		})
		if size.batch == 1 {
			continue
		}
		b.Run("floor", func(b *testing.B) {
			cells := make([]int32, rows)
			for b.Loop() {
				for r := range trace.Rounds() {
					for _, k := range trace.Round(r).Keys {
						cells[k]++
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(keys)), "ns/key")
		})
	}
}

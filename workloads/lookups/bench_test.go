package lookups

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"stowage/workloads"
)

// BenchmarkNext reports ns per lookup of the generators beside the floor: a bare
// draw of the random source.
func BenchmarkNext(b *testing.B) {
	const batch = 65536
	table := []workloads.Table{{Name: "t", Rows: 8e6, Lookups: 1}}
	perLookup := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/lookup")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("floor", func(b *testing.B) {
		rng, dst := rand.NewPCG(1, 2), make([]uint32, batch)
		for b.Loop() {
			for i := range dst {
				dst[i] = uint32(rng.Uint64())
			}
		}
		perLookup(b)
	})
	for name, spec := range map[string]Spec{
		"uniform":            {Generator: Uniform},
		"zipf-0.8":           {Generator: Zipf, Alpha: 0.8},
		"zipf-1.2":           {Generator: Zipf, Alpha: 1.2},
		"zipf-1.2-scattered": {Generator: Zipf, Alpha: 1.2, Scatter: true},
		"drift":              {Generator: Drifting, Alpha: 1, Drift: Drift{Rows: 0.01, Lookups: 0.9, Move: 100}},
	} {
		b.Run(name, func(b *testing.B) {
			s := stream(b, table, spec, batch, 1)
			dst := next(b, s)
			b.ReportAllocs()
			for b.Loop() {
				dst, _ = s.Next(dst)
			}
			perLookup(b)
		})
	}
}

// BenchmarkUnique reports ns per lookup of both forms.
func BenchmarkUnique(b *testing.B) {
	const batch = 65536
	for _, rows := range []int64{8e6, 1e9} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			keys := next(b, stream(b, tables(rows), Spec{Generator: Zipf, Alpha: 1.2}, batch, 1))
			u := NewUniquer(rows)
			b.ReportAllocs()
			for b.Loop() {
				u.Unique(keys)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/batch, "ns/lookup")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkReadText reports ns per key and MB/s of plain text.
func BenchmarkReadText(b *testing.B) {
	var text []byte
	for i := range 100000 {
		text = fmt.Appendf(text, "%d\n", 42932745+i*977)
	}
	b.SetBytes(int64(len(text)))
	buf := make([]uint64, 4096)
	for b.Loop() {
		r, err := NewKeyReader(bytes.NewReader(text), "b.txt", FileOptions{})
		if err != nil {
			b.Fatal(err)
		}
		for err == nil {
			_, err = r.Read(buf)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100000, "ns/key")
}

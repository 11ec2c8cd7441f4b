package lookups

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"

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
		"histogram":          {Generator: Reused, Histogram: NamedHistogram("meta-2021")},
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

// BenchmarkFitRates reports the time that a stream of the histogram generator takes
// to start.
func BenchmarkFitRates(b *testing.B) {
	h := NamedHistogram("meta-2021")
	for b.Loop() {
		fitRates(h)
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

// BenchmarkDense reports ns per key and, of the distinct keys, bytes per key, of
// the sparse keys of a skewed trace, beside the floor: a table indexed by dense
// keys.
func BenchmarkDense(b *testing.B) {
	const batch, batches = 4096, 512
	for _, rows := range []int64{1e5, 1e7} {
		z, err := NewIntZipf(rows, 1, 42)
		if err != nil {
			b.Fatal(err)
		}
		rank, keys := make([]uint32, batch*batches), make([]uint64, batch*batches)
		z.Fill(rank)
		for i, r := range rank {
			keys[i] = uint64(r) * 0x9e3779b97f4a7c15
		}
		perKey := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(batch*batches), "ns/key")
			b.ReportMetric(0, "ns/op")
		}
		b.Run(fmt.Sprintf("rows=%d/floor", rows), func(b *testing.B) {
			ids := make([]uint32, rows)
			for b.Loop() {
				clear(ids)
				n := uint32(0)
				for _, r := range rank {
					if ids[r] == 0 {
						n++
						ids[r] = n
					}
				}
			}
			perKey(b)
		})
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			var dst []uint32
			cells, distinct := 0, int64(0)
			for b.Loop() {
				d := NewDensifier()
				for i := range batches {
					dst, _ = d.Dense(dst, keys[i*batch:(i+1)*batch])
				}
				cells, distinct = 0, d.Distinct()
				for i := range d.shards {
					cells += len(d.shards[i].cells)
				}
			}
			perKey(b)
			b.ReportMetric(12*float64(cells)/float64(distinct), "B/key")
		})
	}
}

// BenchmarkRead reports ns per key and MB/s of every format, without compression,
// beside the floor: a bare loop over the bytes of the text.
func BenchmarkRead(b *testing.B) {
	const n = 100000
	var keys []uint64
	for i := range uint64(n) {
		keys = append(keys, 42932745+i*977)
	}
	var text []byte
	for _, k := range keys {
		text = fmt.Appendf(text, "%d\n", k)
	}
	csv := []byte("time,key\n")
	for _, k := range keys {
		csv = fmt.Appendf(csv, "17,%d\n", k)
	}
	var arc []byte
	for i := 0; i < n; i += 8 {
		arc = fmt.Appendf(arc, "%d 8 0 %d\n", keys[i], i)
	}
	files := map[string][]byte{
		TextFormat: text, CSVFormat: csv, ARCFormat: arc, OracleFormat: oracleRecords(keys...),
	}
	type row struct {
		Key uint64 `parquet:"key"`
	}
	var rows []row
	for _, k := range keys {
		rows = append(rows, row{k})
	}
	var columns bytes.Buffer
	w := parquet.NewGenericWriter[row](&columns)
	_, err := w.Write(rows)
	if err = errors.Join(err, w.Close()); err != nil {
		b.Fatal(err)
	}
	files[ParquetFormat] = columns.Bytes()
	perKey := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/key")
		b.ReportMetric(0, "ns/op")
	}
	b.Run("floor", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		sum := 0
		for b.Loop() {
			for _, c := range text {
				sum += int(c)
			}
		}
		if sum == 0 {
			b.Fatal("nothing was read")
		}
		perKey(b)
	})
	for _, format := range Formats() {
		opt := FileOptions{Format: format}
		if format == CSVFormat || format == ParquetFormat {
			opt.Column = "key"
		}
		file := files[format]
		if file == nil {
			file = text
		}
		read := func(b *testing.B, sizes []uint32) {
			b.SetBytes(int64(len(file)))
			buf := make([]uint64, 4096)
			for b.Loop() {
				r, err := NewKeyReader(bytes.NewReader(file), "b", opt)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.read(buf, sizes)
				}
				if r.Keys() != n {
					b.Fatal(r.Keys(), err)
				}
			}
			perKey(b)
		}
		b.Run(format, func(b *testing.B) { read(b, nil) })
		if format == OracleFormat {
			b.Run(format+"-sized", func(b *testing.B) { read(b, make([]uint32, 4096)) })
		}
	}
}

package network

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"stowage/sim/engine"
)

// BenchmarkAlone is a transfer that shares nothing; floor is its three events
// on a bare engine.
func BenchmarkAlone(b *testing.B) {
	perTransfer := func(b *testing.B, begin func(e *engine.Engine, count int)) {
		const count = 1000
		for b.Loop() {
			e := engine.New(engine.Options{})
			begin(e, count)
			run(b, e)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/count, "ns/transfer")
	}
	b.Run("transfer", func(b *testing.B) {
		perTransfer(b, func(e *engine.Engine, count int) {
			n := New(e)
			path := []LinkID{n.Link("l", 1e9)}
			var next func()
			next = func() {
				if count--; count >= 0 {
					n.Transfer(path, 1e3, 10, next)
				}
			}
			next()
		})
	})
	b.Run("floor", func(b *testing.B) {
		perTransfer(b, func(e *engine.Engine, count int) {
			left := 3 * count
			var next func()
			next = func() {
				if left--; left >= 0 {
					e.After(10, next)
				}
			}
			next()
		})
	})
}

// BenchmarkTree is a burst of transfers over 100 hosts in 10 racks, all there
// from the start: each departure is a solve over those that are left.
func BenchmarkTree(b *testing.B) {
	for _, count := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(count), func(b *testing.B) {
			for b.Loop() {
				r := rand.New(rand.NewPCG(1, 2))
				e := engine.New(engine.Options{})
				n := New(e)
				path := tree(n)
				for range count {
					src := r.IntN(100)
					dst := (src + 1 + r.IntN(99)) % 100
					n.Transfer(path(src, dst), 1e9*(1+r.Float64()), time.Duration(r.IntN(1e6)), func() {})
				}
				run(b, e)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(count), "us/transfer")
		})
	}
}

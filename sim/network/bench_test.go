package network

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"stowage/hw/unit"
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

// mover is what Network and its textbook twin have in common.
type mover interface {
	Link(name string, capacity unit.Rate) LinkID
	Transfer(path []LinkID, bytes float64, latency time.Duration, done func())
}

// BenchmarkTree is a burst of transfers over 100 hosts in 10 racks, all there
// almost from the start: each arrival and each departure is a solve over all.
//
//	groups    this package
//	textbook  every solve fills all links for all transfers anew (eager_test.go)
//	events    the floor: three events a transfer on a bare engine, and no sharing
//
// cpu-us/transfer by the number of transfers is the growth: 10 times as many cost the
// textbook more than 100 times as much.
func BenchmarkTree(b *testing.B) {
	for _, count := range []int{10, 100, 1000, 10000} {
		b.Run(fmt.Sprintf("groups/%d", count), func(b *testing.B) {
			burst(b, count, func(e *engine.Engine) mover { return New(e) })
		})
		if count < 10000 { // 40 s
			b.Run(fmt.Sprintf("textbook/%d", count), func(b *testing.B) {
				burst(b, count, func(e *engine.Engine) mover { return newEager(e) })
			})
		}
		b.Run(fmt.Sprintf("events/%d", count), func(b *testing.B) {
			burst(b, count, func(e *engine.Engine) mover { return bare{e} })
		})
	}
}

func burst(b *testing.B, count int, make func(e *engine.Engine) mover) {
	b.ReportAllocs()
	began := cpuTime()
	for b.Loop() {
		r := rand.New(rand.NewPCG(1, 2))
		e := engine.New(engine.Options{})
		n := make(e)
		path := tree(n, 1)
		for range count {
			src := r.IntN(100)
			dst := (src + 1 + r.IntN(99)) % 100
			n.Transfer(path(src, dst), 1e9*(1+r.Float64()), time.Duration(r.IntN(1e6)), func() {})
		}
		run(b, e)
	}
	b.ReportMetric((cpuTime()-began).Seconds()*1e6/float64(b.N)/float64(count), "cpu-us/transfer")
}

// bare takes three events for a transfer, as Network does.
type bare struct{ e *engine.Engine }

func (bare) Link(string, unit.Rate) LinkID { return 0 }

func (m bare) Transfer(_ []LinkID, bytes float64, latency time.Duration, done func()) {
	m.e.After(latency, func() {
		m.e.After(0, func() { m.e.After(time.Duration(bytes), done) })
	})
}

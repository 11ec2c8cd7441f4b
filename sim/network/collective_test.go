package network

import (
	"math"
	"testing"
	"time"

	"stowage/hw/unit"
)

func TestRingAllReduce(t *testing.T) {
	test := func(bytes float64, n int, bandwidth unit.Rate, latency time.Duration, want float64) {
		t.Helper()
		if got := RingAllReduce(bytes, n, bandwidth, latency); math.Abs(got-want) > 1e-12*want {
			t.Errorf("RingAllReduce(%g, %d, %v, %v) = %g s, want %g", bytes, n, float64(bandwidth), latency, got, want)
		}
	}
	test(1e9, 0, 1e9, time.Second, 0)
	test(1e9, 1, 1e9, time.Second, 0)
	test(1e9, 2, 1e9, 0, 1)           // 2 x half the bytes
	test(1e9, 4, 1e9, 0, 1.5)         // 6 x a quarter
	test(1e9, 4, 1e9, 100*ms, 2.1)    // and 6 latencies
	test(0, 8, 1e9, time.Second, 14)  // latency alone
	test(1e9, 1000, 1e9, 0, 2*0.999)  // never more than twice the bytes
	test(1e9, 1000, 2e9, 0, 2*0.4995) // half of that at twice the rate
}

// The formula is what the ring takes when it is run as transfers: in each step
// every participant sends 1/n of the bytes to the next over a link of its own.
func TestRingAllReduceAsTransfers(t *testing.T) {
	for _, n := range []int{2, 3, 8} {
		const bytes, bandwidth, latency = 24e6, 1e9, 5 * time.Microsecond
		var capacities []unit.Rate
		for range n {
			capacities = append(capacities, bandwidth)
		}
		e, net, ids := build(capacities)
		var step func(i, left int)
		step = func(i, left int) {
			if left > 0 {
				net.Transfer(ids[i:i+1], bytes/float64(n), latency, func() { step((i+1)%n, left-1) })
			}
		}
		for i := range n {
			step(i, 2*(n-1))
		}
		run(t, e)
		if want, _ := unit.Seconds(RingAllReduce(bytes, n, bandwidth, latency)); e.Now() != want {
			t.Errorf("%d participants: the transfers take %v, the formula says %v", n, e.Now(), want)
		}
	}
}

func TestPushPull(t *testing.T) {
	test := func(bytes float64, n, ports int, bandwidth unit.Rate, latency time.Duration, want float64) {
		t.Helper()
		if got := PushPull(bytes, n, ports, bandwidth, latency); math.Abs(got-want) > 1e-12*want {
			t.Errorf("PushPull(%g, %d, %d, %v, %v) = %g s, want %g", bytes, n, ports, float64(bandwidth), latency, got, want)
		}
	}
	test(1e9, 0, 1, 1e9, time.Second, 0)
	test(1e9, 1, 1, 1e9, 0, 2)
	test(1e9, 1, 1, 1e9, time.Second, 4)
	test(1e9, 4, 4, 1e9, 0, 2)   // a server port for each
	test(1e9, 4, 100, 1e9, 0, 2) // more do not help
	test(1e9, 4, 1, 1e9, 0, 8)   // all through one port
	test(1e9, 4, 0, 1e9, 0, 8)   // no port counts as one
	test(1e9, 6, 4, 2e9, 0, 1.5)
}

// The formula is what pushes take when they are run as transfers: every
// participant over a link of its own, then all over what the servers' ports carry.
func TestPushPullAsTransfers(t *testing.T) {
	for _, c := range []struct{ n, ports int }{{1, 1}, {4, 1}, {4, 2}, {3, 8}} {
		const bytes, bandwidth, latency = 24e6, 1e9, 5 * time.Microsecond
		e, net, _ := build([]unit.Rate{unit.Rate(bandwidth * float64(c.ports))})
		for range c.n {
			path := []LinkID{net.Link("participant", bandwidth), 0}
			net.Transfer(path, bytes, latency, func() { net.Transfer(path, bytes, latency, func() {}) })
		}
		run(t, e)
		if want, _ := unit.Seconds(PushPull(bytes, c.n, c.ports, bandwidth, latency)); e.Now() != want {
			t.Errorf("%d participants, %d ports: the transfers take %v, the formula says %v", c.n, c.ports, e.Now(), want)
		}
	}
}

func TestRingAllGather(t *testing.T) {
	test := func(bytes float64, n int, bandwidth unit.Rate, latency time.Duration, want float64) {
		t.Helper()
		if got := RingAllGather(bytes, n, bandwidth, latency); math.Abs(got-want) > 1e-12*want {
			t.Errorf("RingAllGather(%g, %d, %v, %v) = %g s, want %g", bytes, n, float64(bandwidth), latency, got, want)
		}
	}
	test(1e9, 0, 1e9, time.Second, 0)
	test(1e9, 1, 1e9, time.Second, 0)
	test(1e9, 2, 1e9, 0, 1)
	test(1e9, 8, 1e9, 0, 7)
	test(1e9, 8, 2e9, 100*ms, 4.2)
	test(0, 8, 1e9, time.Second, 7)
	// A ring all-reduce scatters sums of 1/n of the bytes, then gathers them.
	test(1e9/8, 8, 1e9, ms, RingAllReduce(1e9, 8, 1e9, ms)/2)
}

// The formula is what the ring takes when it is run as transfers, each begun when
// the one before it has arrived.
func TestRingAllGatherAsTransfers(t *testing.T) {
	for _, n := range []int{2, 3, 8} {
		const bytes, bandwidth, latency = 24e6, 1e9, 5 * time.Microsecond
		var capacities []unit.Rate
		for range n {
			capacities = append(capacities, bandwidth)
		}
		e, net, ids := build(capacities)
		var step func(i, left int)
		step = func(i, left int) {
			if left > 0 {
				net.Transfer(ids[i:i+1], bytes, latency, func() { step((i+1)%n, left-1) })
			}
		}
		for i := range n {
			step(i, n-1)
		}
		run(t, e)
		if want, _ := unit.Seconds(RingAllGather(bytes, n, bandwidth, latency)); e.Now() != want {
			t.Errorf("%d participants: the transfers take %v, the formula says %v", n, e.Now(), want)
		}
	}
}

func TestAllToAll(t *testing.T) {
	test := func(bytes float64, n int, bandwidth unit.Rate, latency time.Duration, want float64) {
		t.Helper()
		if got := AllToAll(bytes, n, bandwidth, latency); math.Abs(got-want) > 1e-12*want {
			t.Errorf("AllToAll(%g, %d, %v, %v) = %g s, want %g", bytes, n, float64(bandwidth), latency, got, want)
		}
	}
	test(1e9, 0, 1e9, time.Second, 0)
	test(1e9, 1, 1e9, time.Second, 0)
	test(1e9, 2, 1e9, 0, 1)
	test(1e9, 8, 1e9, time.Second, 8)
	test(1e9, 8, 2e9, 0, 3.5)
}

// The formula is what the transfers take that all begin at once.
func TestAllToAllAsTransfers(t *testing.T) {
	for _, n := range []int{2, 3, 8} {
		const bytes, bandwidth, latency = 24e6, 1e9, 5 * time.Microsecond
		e, net, _ := build(nil)
		var up, down []LinkID
		for range n {
			up, down = append(up, net.Link("up", bandwidth)), append(down, net.Link("down", bandwidth))
		}
		for i := range n {
			for j := range n {
				if i != j {
					net.Transfer([]LinkID{up[i], down[j]}, bytes, latency, func() {})
				}
			}
		}
		run(t, e)
		if want, _ := unit.Seconds(AllToAll(bytes, n, bandwidth, latency)); e.Now() != want {
			t.Errorf("%d participants: the transfers take %v, the formula says %v", n, e.Now(), want)
		}
	}
}

package rounds

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/sim/engine"
	"stowage/sim/network"
)

func fabric(devices int, wiring Wiring, latency time.Duration) *Fabric {
	return &Fabric{Devices: devices, Wiring: wiring, Link: hw.Link{Name: "link", Bandwidth: 1e3, Latency: latency}}
}

func TestFabricByHand(t *testing.T) {
	// Device 0 needs 3 rows of 1 and 1 of 2; 1 needs 2 of 0; 2 needs 1 of 0 and 4 of
	// its own. Buckets 3, 3 and 4.
	d := &Demand{Rows: [][]int{{0, 3, 1}, {2, 0, 0}, {1, 0, 4}}, Buckets: []int{3, 3, 4}, Copies: []int{1, 0, 2}, Hot: 2}
	const row, ms = 100, time.Millisecond
	for _, c := range []struct {
		name           string
		got            Exchange
		sent, received []float64
		busiest        float64
		seconds        float64
	}{
		{"pull over a switch", fabric(3, Switched, ms).AllToAll(d.pulled(row)), []float64{300, 300, 100}, []float64{400, 200, 100}, 400, 0.401},
		{"pull over links", fabric(3, Meshed, ms).AllToAll(d.pulled(row)), []float64{300, 300, 100}, []float64{400, 200, 100}, 300, 0.301},
		{"push over a switch", fabric(3, Switched, ms).AllToAll(d.pushed(row)), []float64{400, 200, 100}, []float64{300, 300, 100}, 400, 0.401},
		// 2 steps of the largest bucket.
		{"padded pull", fabric(3, Switched, ms).PullPadded(d, row), []float64{800, 800, 800}, []float64{800, 800, 800}, 800, 0.802},
		// 4 steps of a third of 3 buckets.
		{"padded push", fabric(3, Switched, ms).PushPadded(d, row), []float64{1600, 1600, 1600}, []float64{1600, 1600, 1600}, 1600, 1.604},
		{"replicas", fabric(3, Switched, ms).PushHot(d, 150), []float64{400, 400, 400}, []float64{400, 400, 400}, 400, 0.404},
	} {
		x := c.got
		if !slices.EqualFunc(x.Sent, c.sent, near) || !slices.EqualFunc(x.Received, c.received, near) ||
			!near(x.Busiest, c.busiest) || !near(x.Seconds, c.seconds) {
			t.Errorf("%s: %+v, want sent %v, received %v, busiest %g, %g s", c.name, x, c.sent, c.received, c.busiest, c.seconds)
		}
	}
}

func TestCubeMesh(t *testing.T) {
	f := fabric(8, CubeMesh, time.Millisecond)
	for _, c := range []struct {
		from, to, via int
		relayed       bool
	}{
		{0, 3, 0, false}, {5, 6, 0, false}, {2, 6, 0, false}, {6, 2, 0, false},
		{0, 5, 4, true}, {3, 4, 7, true}, {7, 0, 3, true},
	} {
		via, relayed := f.Relay(c.from, c.to)
		if relayed != c.relayed || relayed && via != c.via {
			t.Errorf("from %d to %d: relayed %v by %d, want %v by %d", c.from, c.to, relayed, via, c.relayed, c.via)
		}
	}
	// One transfer in two hops; then all pairs: the link between the quads carries
	// what its device sends to the 4 others, a link in a quad its own and a relayed one.
	one := f.AllToAll(func(from, to int) float64 {
		if from == 0 && to == 5 {
			return 100
		}
		return 0
	})
	if one.Links[0][4] != 100 || one.Links[4][5] != 100 || one.Sent[4] != 0 || !near(one.Seconds, 0.102) {
		t.Errorf("from 0 to 5: %+v", one)
	}
	all := f.AllToAll(func(int, int) float64 { return 100 })
	if all.Links[1][5] != 400 || all.Links[5][6] != 200 || all.Links[0][5] != 0 || !near(all.Seconds, 0.402) {
		t.Errorf("all to all: %+v", all)
	}
	// The ring visits all devices over links that exist.
	at, seen := 0, 0
	for range 8 {
		next := f.next(at)
		if at/4 != next/4 && next != (at+4)%8 {
			t.Errorf("the ring goes from %d to %d, where there is no link", at, next)
		}
		at = next
		seen |= 1 << at
	}
	if at != 0 || seen != 0xff {
		t.Errorf("the ring ends at %d and visits %08b", at, seen)
	}
}

// With 5 to 7 of the 8 every pair is reached over links that exist, and the ring
// loads none of them twice.
func TestCubeMeshPart(t *testing.T) {
	linked := func(a, b int) bool { return a/4 == b/4 || b == (a+4)%8 }
	for n := 1; n <= 8; n++ {
		f := fabric(n, CubeMesh, time.Millisecond)
		for from := range n {
			for to := range n {
				via, relayed := f.Relay(from, to)
				if relayed && (via >= n || !linked(from, via) || !linked(via, to)) || !relayed && !linked(from, to) {
					t.Errorf("%d devices, from %d to %d: relayed %v by %d", n, from, to, relayed, via)
				}
			}
		}
		x := f.AllReduce(100)
		want, hops := 2*float64(n-1)/float64(n)*100, 1.0
		if n > 4 && n < 8 {
			hops = 2
		}
		if !near(x.Busiest, want) || !near(x.Seconds, want/1e3+2*float64(n-1)*hops*1e-3) {
			t.Errorf("%d devices: the ring loads a link with %g and takes %g s, want %g", n, x.Busiest, x.Seconds, want)
		}
	}
	// What 2 sends to 4 cannot pass through 6, which is not there.
	if via, relayed := fabric(6, CubeMesh, 0).Relay(2, 4); !relayed || via != 0 {
		t.Errorf("from 2 to 4 of 6: relayed %v by %d, want by 0", relayed, via)
	}
}

func drawFabric(t *rapid.T) *Fabric {
	f := fabric(rapid.IntRange(1, 9).Draw(t, "devices"), rapid.SampledFrom([]Wiring{Switched, Meshed, CubeMesh}).Draw(t, "wiring"),
		time.Duration(rapid.IntRange(0, 3).Draw(t, "latency"))*time.Millisecond)
	if f.Wiring == CubeMesh {
		f.Devices = min(8, f.Devices)
	}
	return f
}

// Bytes are conserved at every device and over every link, one device moves none,
// rows that are not needed twice or filled up never cost more bytes, and on a switch
// never more time.
func TestExchangeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFabric(t)
		keys := drawLookups(t, f.Devices, 60)
		hot := uint32(rapid.IntRange(0, 5).Draw(t, "hot"))
		demand := func(s Scope) *Demand {
			return count(t, 60, s, func(k uint32) bool { return k < hot }, keys)
		}
		const row = 8
		duplicates, unique, batch := demand(NoUnique), demand(PerDevice), demand(PerBatch)
		exchanges := []Exchange{
			f.AllToAll(duplicates.pulled(row)), f.AllToAll(unique.pulled(row)), f.AllToAll(batch.pulled(row)), f.PullPadded(batch, row),
			f.AllToAll(unique.pushed(row)), f.PushPadded(unique, row), f.PushHot(unique, row),
		}
		for i, x := range exchanges {
			conserved(t, f, i, &x)
		}
		padded := &exchanges[3]
		for d := range f.Devices {
			a, b, c := exchanges[0].Received[d], exchanges[1].Received[d], exchanges[2].Received[d]
			if a < b || b > c || c > padded.Received[d] {
				t.Fatalf("device %d receives %g with duplicates, %g unique, %g of the batch, %g padded", d, a, b, c, padded.Received[d])
			}
			if want := float64((f.Devices - 1) * batch.MaxBucket() * row); padded.Received[d] != want {
				t.Fatalf("device %d receives %g padded, want %g", d, padded.Received[d], want)
			}
		}
		if x := &exchanges[1]; f.Wiring == Switched && x.Seconds > padded.Seconds*(1+1e-12) {
			t.Fatalf("unique rows take %g s, padded %g", x.Seconds, padded.Seconds)
		}
		if pull, push := &exchanges[1], &exchanges[4]; f.Wiring != CubeMesh && !near(pull.Seconds, push.Seconds) {
			t.Fatalf("rows take %g s one way and %g back", pull.Seconds, push.Seconds)
		}
	})
}

func conserved(t *rapid.T, f *Fabric, i int, x *Exchange) {
	sent, received := 0.0, x.Bytes()
	for d := range f.Devices {
		sent += x.Sent[d]
		in, out := 0.0, 0.0
		for e := range f.Devices {
			in += x.Links[e][d]
			out += x.Links[d][e]
		}
		if diff := (out - x.Sent[d]) - (in - x.Received[d]); diff > 1e-6 || diff < -1e-6 || x.Links[d][d] != 0 {
			t.Fatalf("exchange %d: device %d sends %g, receives %g, its links carry %g out and %g in", i, d, x.Sent[d], x.Received[d], out, in)
		}
	}
	if !near(sent, received) {
		t.Fatalf("exchange %d: %g bytes sent, %g received", i, sent, received)
	}
	if f.Devices == 1 && (received != 0 || x.Seconds != 0) {
		t.Fatalf("exchange %d: one device moves %g bytes in %g s", i, received, x.Seconds)
	}
	if (received == 0) != (x.Seconds == 0) || x.Seconds < x.Busiest/float64(f.Link.Bandwidth)*(1-1e-12) {
		t.Fatalf("exchange %d: %g bytes, %g over the busiest link, in %g s", i, received, x.Busiest, x.Seconds)
	}
}

// play runs an all-to-all as transfers that share links, and returns when the last
// one has arrived.
func play(t interface{ Fatal(...any) }, f *Fabric, bytes func(from, to int) float64) time.Duration {
	e := engine.New(engine.Options{})
	net := network.New(e)
	links := map[[2]int]network.LinkID{}
	link := func(from, to int) network.LinkID {
		k := [2]int{from, to}
		if _, ok := links[k]; !ok {
			links[k] = net.Link(fmt.Sprint(k), f.Link.Bandwidth)
		}
		return links[k]
	}
	for from := range f.Devices {
		for to := range f.Devices {
			if from == to {
				continue
			}
			path := []network.LinkID{link(from, to)}
			if via, relayed := f.Relay(from, to); relayed {
				path = []network.LinkID{link(from, via), link(via, to)}
			} else if f.Wiring == Switched {
				path = []network.LinkID{link(from, -1), link(-1, to)}
			}
			latency := f.Link.Latency
			if f.Wiring == CubeMesh {
				latency *= time.Duration(len(path))
			}
			net.Transfer(path, bytes(from, to), latency, func() {})
		}
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e.Now()
}

// Where all pairs move as much, the busiest link is busy all the time: the closed
// form is what the transfers take. Where they do not, shares of a link may idle it,
// so it is a bound.
func TestAllToAllAsTransfers(t *testing.T) {
	for _, wiring := range []Wiring{Switched, Meshed, CubeMesh} {
		f := fabric(8, wiring, 0)
		equal := func(int, int) float64 { return 125 }
		if got, want := play(t, f, equal).Seconds(), f.AllToAll(equal).Seconds; !near(got, want) {
			t.Errorf("%s: the transfers take %g s, the closed form %g", wiring, got, want)
		}
		uneven := func(from, to int) float64 { return float64((from*7+to*3)%11) * 50 }
		got, want := play(t, f, uneven).Seconds(), f.AllToAll(uneven).Seconds
		if got < want*(1-1e-6) || got > 1.5*want {
			t.Errorf("%s, uneven: the transfers take %g s, the closed form %g", wiring, got, want)
		}
	}
}

package rounds

import (
	"fmt"
	"time"

	"stowage/hw"
	"stowage/sim/network"
)

// Wiring is how the accelerators of a node are connected.
type Wiring string

// The wirings.
const (
	Switched Wiring = "switch"    // one port each into a switch that holds nobody up
	Meshed   Wiring = "mesh"      // a link between every two
	CubeMesh Wiring = "cube-mesh" // at most 8: two meshed quads, and a link from each to its like in the other
)

// Wirings lists the wirings in the order of help.
func Wirings() []Wiring { return []Wiring{Switched, Meshed, CubeMesh} }

// Fabric is accelerators and the links between them. It never changes and may be
// shared. Link is one port or link; it carries its bandwidth in each direction.
type Fabric struct {
	Devices int
	Wiring  Wiring
	Link    hw.Link
}

// Relay returns the device that bytes pass through on their way, if one is needed.
// On a cube mesh bytes go straight to the own quad (id / 4 equal) and to the like in
// the other quad ((id + 4) mod 8), and to others through that one (Paddle,
// heter_comm.h: topology-aware transfer). If only some of the 8 are there and that
// one is not, they go through the receiver's like.
func (f *Fabric) Relay(from, to int) (via int, needed bool) {
	via = (from + 4) % 8
	if f.Wiring != CubeMesh || from/4 == to/4 || to == via {
		return 0, false
	}
	if via >= f.Devices {
		via = to - 4
	}
	return via, true
}

// Exchange is bytes that moved between accelerators, and the time that it took.
type Exchange struct {
	Sent, Received []float64   // bytes by device, what passes through it not counted
	Links          [][]float64 // [from][to]: bytes over that link, relays included; over ports of a switch: between the two
	Busiest        float64     // bytes over the busiest link or port, in its busier direction
	Seconds        float64

	between []float64 // Spec.Crossing: bytes between nodes, [from*nodes+to], that Seconds leaves out
}

// Bytes returns what all accelerators received.
func (x *Exchange) Bytes() (sum float64) {
	for _, b := range x.Received {
		sum += b
	}
	return sum
}

func newExchange(devices int) Exchange {
	x := Exchange{
		Sent: make([]float64, devices), Received: make([]float64, devices),
		Links: make([][]float64, devices),
	}
	for i := range x.Links {
		x.Links[i] = make([]float64, devices)
	}
	return x
}

func (f *Fabric) check(d *Demand) {
	if d.Devices() != f.Devices {
		panic(fmt.Sprintf("rounds: demand of %d devices on a fabric of %d", d.Devices(), f.Devices))
	}
}

// AllToAll moves bytes(from, to) between all accelerators at once. It takes as long
// as the busiest link or port, which is busy all the time, and the latency of each
// hop of the longest route.
func (f *Fabric) AllToAll(bytes func(from, to int) float64) Exchange {
	x := newExchange(f.Devices)
	hops := 0
	for from := range f.Devices {
		for to := range f.Devices {
			b := bytes(from, to)
			if from == to || b == 0 {
				continue
			}
			x.Sent[from] += b
			x.Received[to] += b
			hops = max(hops, f.carry(&x, from, to, b))
		}
	}
	x.Busiest = f.busiest(&x)
	if hops > 0 {
		x.Seconds = x.Busiest/float64(f.Link.Bandwidth) + float64(hops)*f.Link.Latency.Seconds()
	}
	return x
}

// carry puts bytes on the links of their route and returns its hops.
func (f *Fabric) carry(x *Exchange, from, to int, bytes float64) (hops int) {
	via, relayed := f.Relay(from, to)
	if !relayed {
		x.Links[from][to] += bytes
		return 1
	}
	x.Links[from][via] += bytes
	x.Links[via][to] += bytes
	return 2
}

func (f *Fabric) busiest(x *Exchange) (bytes float64) {
	for i := range x.Links {
		if f.Wiring == Switched {
			bytes = max(bytes, x.Sent[i], x.Received[i])
			continue
		}
		for _, b := range x.Links[i] {
			bytes = max(bytes, b)
		}
	}
	return bytes
}

// PullPadded is how Paddle's XPU cache manager gets rows: every owner fills its
// bucket up to the largest one, and all gather all buckets in a ring, so that each
// receives (W-1) x MaxBucket rows, needed or not (heter_comm_inl.h).
func (f *Fabric) PullPadded(d *Demand, row float64) Exchange {
	f.check(d)
	bucket := float64(d.MaxBucket()) * row
	x, step := f.ring(float64(f.Devices-1) * bucket)
	if bucket > 0 {
		x.Seconds = network.RingAllGather(bucket, f.Devices, f.Link.Bandwidth, step)
	}
	return x
}

// PushPadded is how it updates them: each sums its gradients into an array of W x
// MaxBucket rows, and a ring all-reduce adds the arrays up.
func (f *Fabric) PushPadded(d *Demand, row float64) Exchange {
	f.check(d)
	return f.AllReduce(float64(f.Devices*d.MaxBucket()) * row)
}

// PushHot adds up the gradients of the replicated rows that any device has looked
// up, so that all copies stay equal (BagPipe, SOSP 2023).
func (f *Fabric) PushHot(d *Demand, row float64) Exchange {
	return f.AllReduce(float64(d.Hot) * row)
}

// AllReduce is a ring all-reduce of bytes that every accelerator has.
func (f *Fabric) AllReduce(bytes float64) Exchange {
	w := float64(f.Devices)
	x, step := f.ring(2 * (w - 1) / w * bytes)
	if bytes > 0 {
		x.Seconds = network.RingAllReduce(bytes, f.Devices, f.Link.Bandwidth, step)
	}
	return x
}

// ring moves bytes from every accelerator to the next one of a ring, and returns the
// latency of a step.
func (f *Fabric) ring(bytes float64) (x Exchange, step time.Duration) {
	x = newExchange(f.Devices)
	if f.Devices < 2 {
		return x, 0
	}
	hops := 0
	for i := range f.Devices {
		next := f.next(i)
		x.Sent[i], x.Received[next] = bytes, bytes
		hops = max(hops, f.carry(&x, i, next, bytes))
	}
	x.Busiest = f.busiest(&x)
	return x, time.Duration(hops) * f.Link.Latency
}

// next is the neighbour in the ring. On a whole cube mesh the ring goes once through
// each quad, 0 1 2 3 7 6 5 4, so that every step is a link. Where only 5 to 7 are
// there, the ring crosses between the quads in two hops; even so no link carries two
// of its steps.
func (f *Fabric) next(i int) int {
	switch {
	case f.Wiring != CubeMesh || f.Devices < 8:
		return (i + 1) % f.Devices
	case i == 3:
		return 7
	case i < 3:
		return i + 1
	case i == 4:
		return 0
	}
	return i - 1
}

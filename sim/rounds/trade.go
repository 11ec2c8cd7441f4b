package rounds

import (
	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
)

// Collective is how devices give each other the rows that they look up.
type Collective string

// The collectives.
const (
	AllToAll   Collective = "all-to-all" // each device gets of each owner what it asks for
	Padded     Collective = "padded"     // all get all buckets, padded to the largest (Paddle's XPU cache manager)
	NoExchange Collective = "none"       // it is free: to see what it costs
)

// Collectives lists the collectives in the order of help.
func Collectives() []Collective { return []Collective{AllToAll, Padded, NoExchange} }

// trade is what the devices exchange for one round.
type trade struct {
	pull, push float64   // seconds: rows before, gradients after computing
	bytes      float64   // that all devices receive, both ways
	asked      []float64 // rows that each owner is asked for
}

// counter counts what the devices ask of each other in one layer.
type counter struct {
	demand *DemandCounter
	keys   [][]uint32 // by device
	share  []uint32
}

// counters makes the demand counters of a layer, if its devices trade.
func (l *layerTables) counters(spec *Spec) error {
	if spec.Devices == 1 || spec.Exchange == NoExchange {
		return nil
	}
	d, err := NewDemandCounter(l.owners.Rows(), spec.Devices, spec.Scope, l.replicated)
	l.counter = counter{demand: d, keys: make([][]uint32, spec.Devices)}
	return err
}

// trade counts round r and times its exchange: the layers one after the other.
func (t *tables) trade(r int) trade {
	out := trade{asked: make([]float64, t.spec.Devices)}
	for i := range t.layers {
		l := &t.layers[i]
		if l.demand == nil {
			continue
		}
		d := l.count(r, t.spec.Devices)
		for _, of := range d.Rows {
			for owner, n := range of {
				out.asked[owner] += float64(n)
			}
		}
		t.exchange(d, float64(l.OutBytes), &out)
	}
	return out
}

// count returns the demand of the devices in round r: each looks up its share of
// the samples.
func (l *layerTables) count(r, devices int) *Demand {
	raw := l.Trace.Raw(r)
	for d := range devices {
		from, to := l.Layout.Share(d, devices)
		l.share = l.Layout.Slice(l.share[:0], raw, from, to)
		l.keys[d] = l.keys[d][:0]
		for _, k := range l.share {
			l.keys[d] = append(l.keys[d], l.owners.Number(k))
		}
	}
	return l.demand.Count(l.keys)
}

// exchange adds the exchange of one layer's rows. Devices of one node reach each
// other over its peer links, those of different nodes over the nodes' ports; both
// work at the same time.
func (t *tables) exchange(d *Demand, row float64, out *trade) {
	spec := t.spec
	if spec.Exchange == Padded {
		t.padded(float64(d.MaxBucket())*row, out)
	} else {
		seconds, bytes := t.routed(func(from, to int) float64 { return float64(d.Rows[to][from]) * row })
		out.pull += seconds
		out.bytes += bytes
		if !spec.ReadOnly {
			seconds, bytes = t.routed(func(from, to int) float64 { return float64(d.Rows[from][to]) * row })
			out.push += seconds
			out.bytes += bytes
		}
	}
	if !spec.ReadOnly {
		t.agree(float64(d.Hot)*row, out)
	}
}

// padded adds the exchange of buckets of equal bytes: all devices gather all of them,
// and reduce the gradients of all.
func (t *tables) padded(bucket float64, out *trade) {
	w, link := t.spec.Devices, t.ring()
	out.pull += network.RingAllGather(bucket, w, link.Bandwidth, link.Latency)
	out.bytes += float64(w*(w-1)) * bucket
	if !t.spec.ReadOnly {
		t.agree(float64(w)*bucket, out)
	}
}

// agree adds the all-reduce of some bytes that every device has, such as the gradients
// of replicated rows: all add theirs up. Each sends 2 (W-1)/W of the bytes.
func (t *tables) agree(bytes float64, out *trade) {
	if bytes == 0 {
		return
	}
	w, link := t.spec.Devices, t.ring()
	out.push += network.RingAllReduce(bytes, w, link.Bandwidth, link.Latency)
	out.bytes += 2 * float64(w-1) * bytes
}

// ring is the slowest link of a ring through all devices.
func (t *tables) ring() hw.Link {
	if t.spec.Devices > t.spec.Costs.PerNode {
		return t.spec.Costs.NIC
	}
	return t.spec.Costs.Peer
}

// routed is an all-to-all of bytes(from, to).
func (t *tables) routed(bytes func(from, to int) float64) (seconds, sum float64) {
	c, w := &t.spec.Costs, t.spec.Devices
	nodes := (w + c.PerNode - 1) / c.PerNode
	for n := range nodes {
		first := n * c.PerNode
		inner := Fabric{Devices: min(c.PerNode, w-first), Wiring: c.wiring(), Link: c.wire()}
		x := inner.AllToAll(func(from, to int) float64 { return bytes(first+from, first+to) })
		seconds, sum = max(seconds, x.Seconds), sum+x.Bytes()
	}
	if nodes == 1 {
		return seconds, sum
	}
	between := make([]float64, nodes*nodes)
	for from := range w {
		for to := range w {
			between[from/c.PerNode*nodes+to/c.PerNode] += bytes(from, to)
		}
	}
	outer := Fabric{Devices: nodes, Wiring: Switched, Link: c.NIC}
	x := outer.AllToAll(func(from, to int) float64 { return between[from*nodes+to] })
	return max(seconds, x.Seconds), sum + x.Bytes()
}

// wiring is how the devices of a full node are connected.
func (c *Costs) wiring() Wiring {
	if c.Wiring == CubeMesh && c.PerNode == 8 {
		return CubeMesh
	}
	return orDefault(c.Wiring, Switched)
}

// wire is one link between two devices of a node: Peer is all that a device has.
func (c *Costs) wire() hw.Link {
	l := c.Peer
	switch c.wiring() {
	case Meshed:
		l.Bandwidth /= unit.Rate(max(1, c.PerNode-1))
	case CubeMesh:
		l.Bandwidth /= 4 // three in the quad, one to the other quad
	}
	return l
}

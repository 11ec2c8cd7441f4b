package rounds

import (
	"stowage/hw"
	"stowage/hw/unit"
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

	// Spec.Crossing: bytes that nodes send each other, [from*nodes+to], which pull and
	// push then leave out; nil: none.
	pullNodes, pushNodes []float64
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
		t.spec.exchange(d, float64(l.OutBytes), &out)
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

// exchange adds the exchange of one layer's rows, of row bytes each. Rings go through
// all devices. In an all-to-all, devices of one node reach each other over its peer
// links, those of different nodes over the nodes' ports; both work at the same time.
func (s *Spec) exchange(d *Demand, row float64, out *trade) {
	ring := s.Costs.ring(s.Devices)
	pull, push := ring.PullPadded, ring.PushPadded
	if s.Exchange != Padded {
		pull, push = s.pull, s.push
	}
	out.add(&out.pull, &out.pullNodes, pull(d, row))
	if s.ReadOnly {
		return
	}
	out.add(&out.push, &out.pushNodes, push(d, row))
	out.add(&out.push, &out.pushNodes, ring.PushHot(d, row))
}

// add adds an exchange to the times before or after computing.
func (t *trade) add(to *float64, nodes *[]float64, x Exchange) {
	*to += x.Seconds
	if len(*nodes) < len(x.between) {
		*nodes = make([]float64, len(x.between))
	}
	for i, b := range x.between {
		(*nodes)[i] += b
	}
	t.bytes += x.Bytes()
}

// ring is the fabric of rings through w devices: all links of a device, as there are as
// many rings as links, or the network ports where they are on several nodes.
func (c *Costs) ring(w int) *Fabric {
	f := &Fabric{Devices: w, Wiring: Switched, Link: c.Peer}
	if w > c.PerNode {
		f.Link = c.NIC
	}
	return f
}

// pull is an all-to-all of the rows that each device needs of each owner.
func (s *Spec) pull(d *Demand, row float64) Exchange { return s.routed(d.pulled(row)) }

// push is an all-to-all of gradients from the devices to the owners of the rows.
func (s *Spec) push(d *Demand, row float64) Exchange { return s.routed(d.pushed(row)) }

// routed is an all-to-all of bytes(from, to): Received and Seconds of it.
func (s *Spec) routed(bytes func(from, to int) float64) (sum Exchange) {
	c, w := &s.Costs, s.Devices
	nodes := (w + c.PerNode - 1) / c.PerNode
	for n := range nodes {
		first := n * c.PerNode
		inner := Fabric{Devices: min(c.PerNode, w-first), Wiring: c.wiring(), Link: c.wire()}
		sum.beside(inner.AllToAll(func(from, to int) float64 { return bytes(first+from, first+to) }))
	}
	if nodes == 1 {
		return sum
	}
	between := make([]float64, nodes*nodes)
	for from := range w {
		for to := range w {
			between[from/c.PerNode*nodes+to/c.PerNode] += bytes(from, to)
		}
	}
	if s.Crossing {
		for n := range nodes {
			between[n*nodes+n] = 0 // went inside
		}
		sum.between = between
		return sum
	}
	outer := Fabric{Devices: nodes, Wiring: Switched, Link: c.NIC}
	sum.beside(outer.AllToAll(func(from, to int) float64 { return between[from*nodes+to] }))
	return sum
}

// beside adds an exchange that goes on at the same time over other links.
func (x *Exchange) beside(y Exchange) {
	x.Received = append(x.Received, y.Received...)
	x.Seconds = max(x.Seconds, y.Seconds)
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

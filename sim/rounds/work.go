package rounds

import (
	"stowage/hw/unit"
	"stowage/sim/slots"
)

// Work is what a unit asks of the hardware.
type Work struct {
	Counts  slots.Counts // of all tables together
	In, Out float64      // bytes: hosts to slots, slots to hosts

	// Past are bytes between hosts and devices, both ways, that go past the slots:
	// bypassed rows, and optimizer state that stays on the hosts.
	Past float64

	// Rows that host memory reads and writes on behalf of those that go into slots,
	// and of those that leave: also copies that it keeps, and what it moves to the store.
	HostUp, HostDown float64

	Dumped Dump // of Out, HostDown and StoreWrites: what is written back after a pass

	Traded float64 // bytes that devices receive from each other

	// Rows that the tiers below host memory read and wrote.
	StoreReads, StoreWrites int

	index float64 // seconds of the busiest device's index
	fill  rowMove // misses into slots
	back  rowMove // rows that leave, to the host
	serve rowMove // bypassed rows, each round

	storeUp, storeDown float64 // seconds of the busiest node's store
}

// Dump is rows that are written back after the last round of a unit.
type Dump struct {
	Out         float64 // bytes
	HostDown    float64 // rows
	StoreWrites int
}

// rowMove is rows that move between host memory and devices.
type rowMove struct {
	host float64 // seconds in which the busiest host gathers them
	link float64 // bytes on the busiest device's link, times the devices
}

func (m *rowMove) add(n rowMove) {
	m.host += n.host
	m.link += n.link
}

// add appends the work of another part, done after w.
func (w *Work) add(v Work) {
	w.Counts = w.Counts.Add(v.Counts)
	w.In += v.In
	w.Out += v.Out
	w.Past += v.Past
	w.HostUp += v.HostUp
	w.HostDown += v.HostDown
	w.Traded += v.Traded
	w.StoreReads += v.StoreReads
	w.StoreWrites += v.StoreWrites
	w.index += v.index
	w.fill.add(v.fill)
	w.back.add(v.back)
	w.serve.add(v.serve)
	w.storeUp += v.storeUp
	w.storeDown += v.storeDown
}

// load adds up the work of one plan by owner.
type load struct {
	spec               *Spec
	counts             slots.Counts
	used               int
	index              []float64 // keys, by owner
	fill, back, serve  []flow    // by owner
	storeUp, storeDown []rows    // by owner
}

// flow is rows between host memory and one device.
type flow struct {
	link float64 // bytes
	host rows    // that host memory reads or writes for them
}

// rows is an amount of rows.
type rows struct{ n, bytes float64 }

func (r *rows) add(n int, b unit.Bytes) {
	r.n += float64(n)
	r.bytes += float64(n) * float64(b)
}

// add is n rows that host memory gathers and the link carries.
func (f *flow) add(n int, b unit.Bytes) {
	f.link += float64(n) * float64(b)
	f.host.add(n, b)
}

func newLoad(spec *Spec) *load {
	d := spec.Devices
	return &load{
		spec: spec, index: make([]float64, d),
		fill: make([]flow, d), back: make([]flow, d), serve: make([]flow, d),
		storeUp: make([]rows, d), storeDown: make([]rows, d),
	}
}

// plan adds what planning a table of one owner asks for. Without uniqueness a row
// crosses the link once for each lookup that misses.
func (l *load) plan(owner int, c slots.Counts, layer *Layer) {
	l.counts = l.counts.Add(c)
	l.used += c.Used
	keys, again, bypassed := c.Unique, 0, 0
	if l.spec.Scope == NoUnique {
		keys, bypassed = c.Lookups, c.BypassLookups-c.Bypasses
		again = c.Lookups - c.HitLookups - c.BypassLookups - c.Fills()
	}
	if l.spec.Scope != PerDevice || l.spec.Devices == 1 || l.spec.Exchange == NoExchange {
		l.index[owner] += float64(keys)
	}
	l.fill[owner].add(again, layer.RowBytes)
	l.fill[owner].link += float64(c.Fills()) * float64(layer.RowBytes)
	l.serve[owner].add(bypassed, layer.RowBytes)
	l.serve[owner].link += float64(c.Bypasses) * float64(layer.RowBytes)
}

// up adds what the tiers do for rows that go into slots.
func (l *load) up(owner int, t Traffic, layer *Layer) {
	l.fill[owner].host.add(t.HostReads+t.StoreReads+t.HostFills+t.StoreWrites, layer.RowBytes)
	l.store(owner, t, layer)
}

// serves adds what the tiers do for rows that bypass the slots.
func (l *load) serves(owner int, t Traffic, layer *Layer) {
	l.serve[owner].host.add(t.HostReads+t.StoreReads, layer.RowBytes)
	l.store(owner, t, layer)
}

// down adds what the tiers do for rows that leave slots, or stay and are written
// back.
func (l *load) down(owner int, t Traffic, layer *Layer) {
	n := t.HostWrites
	if n == 0 {
		n = t.StoreWrites // past the host
	}
	l.back[owner].link += float64(n) * float64(layer.RowBytes)
	l.back[owner].host.add(t.HostWrites+t.StoreWrites, layer.RowBytes)
	l.store(owner, t, layer)
}

// store adds what the store reads and writes: whole rows, with the optimizer state that
// stays below the slots.
func (l *load) store(owner int, t Traffic, layer *Layer) {
	whole := layer.RowBytes + layer.StateBytes
	l.storeUp[owner].add(t.StoreReads, whole)
	l.storeDown[owner].add(t.StoreWrites, whole)
}

// work turns the amounts into seconds and bytes.
func (l *load) work() Work {
	w := Work{Counts: l.counts}
	w.Counts.Used = l.used
	for _, n := range l.index {
		if rate := float64(l.spec.Costs.Index); rate > 0 {
			w.index = max(w.index, n/rate)
		}
	}
	w.fill, w.In = l.move(l.fill)
	w.back, w.Out = l.move(l.back)
	w.serve, w.Past = l.move(l.serve)
	if !l.spec.ReadOnly {
		w.Past *= 2 // read before computing, written after
	}
	for i := range l.fill {
		w.HostUp += l.fill[i].host.n
		w.HostDown += l.back[i].host.n
	}
	w.storeUp, w.StoreReads = l.inStore(l.storeUp)
	w.storeDown, w.StoreWrites = l.inStore(l.storeDown)
	return w
}

// nodes calls do with the owners of each node.
func (l *load) nodes(do func(first, end int)) {
	for first := 0; first < l.spec.Devices; first += l.spec.Costs.PerNode {
		do(first, min(first+l.spec.Costs.PerNode, l.spec.Devices))
	}
}

// move returns what moving the rows of all owners takes, and their bytes.
func (l *load) move(by []flow) (m rowMove, bytes float64) {
	c := &l.spec.Costs
	busiest := 0.0
	l.nodes(func(first, end int) {
		var node rows
		for _, f := range by[first:end] {
			node.n += f.host.n
			node.bytes += f.host.bytes
			bytes += f.link
			busiest = max(busiest, f.link)
		}
		if c.Sockets > 0 {
			m.host = max(m.host, c.Host.Seconds(node.n, node.bytes)/c.Sockets)
		}
	})
	m.link = busiest * float64(l.spec.Devices)
	return m, bytes
}

// inStore returns how long the store of the busiest node is busy, and the rows of
// all.
func (l *load) inStore(by []rows) (seconds float64, n int) {
	l.nodes(func(first, end int) {
		var node rows
		for _, r := range by[first:end] {
			node.n += r.n
			node.bytes += r.bytes
		}
		n += int(node.n)
		seconds = max(seconds, l.spec.Costs.Store.Seconds(node.n, node.bytes))
	})
	return seconds, n
}

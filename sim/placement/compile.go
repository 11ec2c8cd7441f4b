package placement

import (
	"errors"
	"fmt"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/workloads"
)

// layerCost is one layer on one pool. Times are seconds per micro-batch on one
// replica, split by Amdahl's law: serial + parallel / k.
type layerCost struct {
	serial, parallel    float64
	forwardShare        float64 // of serial + parallel
	weightShare         float64 // of what forwardShare leaves: computing gradients of weights
	weights, table, act float64 // bytes: per device; shared by k; per micro-batch in flight, shared by k
	sharded, gathered   float64 // bytes of parameters, gradients and state that k share; of those, in whole while the layer runs
	scratch             float64 // bytes beside act while the layer's backward pass runs, shared by k
	backing             float64 // bytes of rows in host memory behind a slot table
	rows                rowWork // per round, shared by k
	gather              float64 // of the forward seconds, behind a slot table: reading rows in the device's own memory
	update              float64 // seconds of the optimizer after a step, on each device
	most                int     // devices that can divide its slots; 0: any number
	refused             string  // why its slot table cannot be
}

// layerWork is what merging adds up for every layer, small enough to stay in cache.
type layerWork struct {
	serial, parallel float64 // seconds per step on one device
	weights, act     float64 // as in layerCost
	table            float64 // same
	slotted          bool    // behind a slot table: the rest of layerCost counts too
	refused          bool
}

// edgeCost is one edge of the model: bytes per micro-batch, or measured seconds.
type edgeCost struct {
	from, to int
	bytes    float64 // 0 if measured
	seconds  float64
	fan      int32 // edges of the same layer from here on: all of them at its first
	gradient bool  // backward passes send as much the other way
}

// sent is what a layer sends to one stage for a micro-batch. Layers of one stage
// that read the same layer share what comes: what is sent grows with every edge,
// up to the layer's whole output; of measured times the longest is paid, once.
type sent struct{ bytes, seconds float64 }

func (s *sent) add(e *edgeCost, output float64) {
	if s.bytes += e.bytes; s.bytes > output {
		s.bytes = output
	}
	if e.seconds > s.seconds {
		s.seconds = e.seconds
	}
}

// linkClass is a set of ports that transfers of one stage share.
type linkClass uint8

const (
	nicClass  linkClass = iota // network ports of the nodes
	peerClass                  // links among devices of one node
	hostClass                  // links between devices and their host
	linkClasses
)

// cutLink is how two pools reach each other.
type cutLink struct {
	class    linkClass
	from, to float64 // B/s of one port (NIC) or one device at either end
	latency  float64 // seconds
	fromStep float64 // seconds per step of one byte per micro-batch at either end
	toStep   float64
}

func (p *Problem) compilePools() {
	n := p.pools
	p.memory, p.price, p.host, p.hostLink = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	p.count, p.perNode = make([]int, n), make([]int, n)
	p.hostLatency, p.dram = make([]float64, n), make([]float64, n)
	p.links, p.shares = make([]cutLink, n*n), make([][]share, n)
	p.hostStep = make([]float64, n)
	for t := range n {
		pool := &p.Cluster.Pools[t]
		team := p.unit(t)
		p.memory[t] = p.memoryLeft(pool)
		p.price[t], p.perNode[t] = float64(pool.Price)*float64(team), pool.Node.Devices/team
		p.count[t], _ = p.replicas(t)
		p.host[t], p.hostLink[t] = float64(max(1, pool.Node.Hosts)), float64(pool.Node.HostLink.Bandwidth)*float64(team)
		p.hostLatency[t], p.dram[t] = pool.Node.HostLink.Latency.Seconds(), float64(pool.Node.DRAM.Capacity)
		p.totalDevices += p.count[t]
		if pool.Device.Kind.Accelerator() {
			p.hostStep[t] = float64(p.Microbatches) / p.hostLink[t]
		}
		for k := range min(p.count[t], tabulated) + 1 {
			p.shares[t] = append(p.shares[t], p.newShare(t, max(1, k)))
		}
		for u := range n {
			l := p.cutLink(t, u)
			l.fromStep, l.toStep = float64(p.Microbatches)/l.from, float64(p.Microbatches)/l.to
			p.links[t*n+u] = l
		}
	}
}

// cutLink chooses how stages on pools t and u reach each other: inside one node
// when the whole pool is one node, over the host links when u's devices are the
// host sockets of t's nodes, else through the nodes' network ports. Each device of a
// replica sends its part.
func (p *Problem) cutLink(t, u int) cutLink {
	a, b := &p.Cluster.Pools[t], &p.Cluster.Pools[u]
	teamA, teamB := float64(p.unit(t)), float64(p.unit(u))
	if t == u && a.Count <= a.Node.Devices && a.Node.PeerLink.Bandwidth > 0 {
		l := a.Node.PeerLink
		return cutLink{class: peerClass, from: float64(l.Bandwidth) * teamA, to: float64(l.Bandwidth) * teamA, latency: l.Latency.Seconds()}
	}
	if a.Inside == b.Name && b.Node.HostLink.Bandwidth > 0 {
		l := b.Node.HostLink
		return cutLink{class: hostClass, from: float64(l.Bandwidth) * devicesPerSocket(b, a), to: float64(l.Bandwidth) * teamB, latency: l.Latency.Seconds()}
	}
	if b.Inside == a.Name && a.Node.HostLink.Bandwidth > 0 {
		l := a.Node.HostLink
		return cutLink{class: hostClass, from: float64(l.Bandwidth) * teamA, to: float64(l.Bandwidth) * devicesPerSocket(a, b), latency: l.Latency.Seconds()}
	}
	return cutLink{class: nicClass, from: float64(a.Node.NIC.Bandwidth), to: float64(b.Node.NIC.Bandwidth),
		latency: max(a.Node.NIC.Latency, b.Node.NIC.Latency).Seconds()}
}

// devicesPerSocket returns how many accelerators' host links end at one socket.
func devicesPerSocket(accelerators, sockets *hw.Pool) float64 {
	return float64(accelerators.Node.Devices) / float64(max(1, sockets.Node.Devices))
}

// tabulated is the most segments for which windows are kept in a table, and the
// most devices for which shares are.
const tabulated = 64

func (p *Problem) compileWindows() {
	p.windows = make([][]float64, min(p.layers, tabulated)+1)
	for n := 1; n < len(p.windows); n++ {
		p.windows[n] = make([]float64, n)
		for g := range n {
			p.windows[n][g] = p.window(g, n)
		}
	}
}

// window returns how many micro-batches' activations segment g of n keeps, every
// stage having one segment. Where several share a stage it is the most.
func (p *Problem) window(g, n int) float64 {
	if p.Inference {
		return 1
	}
	return float64(p.Schedule.Held(g, n, p.Microbatches))
}

func (p *Problem) compileLayers() error {
	p.costs = make([]layerCost, p.pools*p.layers)
	p.work = make([]layerWork, p.pools*p.layers)
	p.refusals = make([]string, p.pools*p.layers)
	m := float64(p.Microbatches)
	p.updates = p.StepOverhead > 0
	for t := range p.pools {
		for l := range p.layers {
			c, err := p.compileLayer(t, l)
			i := t*p.layers + l
			if err != nil {
				p.work[i].refused = true
				p.refusals[i] = fmt.Sprintf("layer %q cannot run on %s: %v", p.Model.Layers[l].Name, p.Cluster.Pools[t].Name, err)
				continue
			}
			if !c.sound() {
				return fmt.Errorf("layer %q on pool %q has a time or size that is negative, not a number or above MaxAmount = %g: %+v", p.Model.Layers[l].Name, p.Cluster.Pools[t].Name, MaxAmount, c)
			}
			p.costs[i] = c
			p.updates = p.updates || c.update > 0
			p.work[i] = layerWork{
				serial: m * c.serial, parallel: m * c.parallel, weights: c.weights, act: c.act, table: c.table,
				slotted: c.backing > 0 || c.rows != (rowWork{}) || c.gather > 0,
			}
		}
	}
	return nil
}

// sound reports whether every part can be an amount.
func (c *layerCost) sound() bool {
	for _, v := range [...]float64{c.serial, c.parallel, c.forwardShare, c.weights, c.table, c.act, c.gather, c.sharded, c.scratch, c.update} {
		if !amount(v) {
			return false
		}
	}
	return c.rows.sound()
}

func (p *Problem) compileEdges() error {
	for i, e := range p.Model.Edges {
		from := &p.Model.Layers[e.From]
		c := edgeCost{
			from: e.From, to: e.To, seconds: e.Seconds,
			gradient: !p.Inference && !(from.Kind == workloads.Input && from.Backward == 0),
		}
		if bytes := e.Elements * p.micro * float64(elementBytes(p.Precision)); !amount(bytes) || !amount(c.seconds) {
			return fmt.Errorf("edge %d of the model, from layer %q, moves %v bytes in %v s per micro-batch: numbers from 0 to MaxAmount = %g", i, from.Name, bytes, c.seconds, MaxAmount)
		} else if c.seconds == 0 {
			c.bytes = bytes
		}
		p.edges = append(p.edges, c)
	}
	sortEdges(p.edges)
	p.compileFans()
	return nil
}

// compileFans counts the edges of each layer, and finds the most that it sends
// to one stage: its output, or its largest edge if that says more.
func (p *Problem) compileFans() {
	p.output = make([]float64, p.layers)
	for l := range p.output {
		p.output[l] = p.Model.Layers[l].Output * p.micro * float64(elementBytes(p.Precision))
	}
	for i := len(p.edges) - 1; i >= 0; i-- {
		e := &p.edges[i]
		e.fan = 1
		if i+1 < len(p.edges) && p.edges[i+1].from == e.from {
			e.fan += p.edges[i+1].fan
		}
		p.output[e.from] = max(p.output[e.from], e.bytes)
	}
}

// elementBytes returns the bytes of a weight or activation at a precision.
func elementBytes(pr hw.Precision) int {
	switch pr {
	case hw.FP64:
		return 8
	case hw.FP16, hw.BF16:
		return 2
	case hw.FP8, hw.INT8:
		return 1
	}
	return 4
}

// paramBytes returns weight, gradient and optimizer bytes per dense parameter.
// Below fp32 the optimizer keeps an fp32 master copy (Micikevicius et al., Mixed
// Precision Training, ICLR 2018).
func (s *Spec) paramBytes() (weight, gradient, optimizer int) {
	e := elementBytes(s.Precision)
	if s.Inference {
		return e, 0, 0
	}
	optimizer = 4 * s.Optimizer.States()
	if e < 4 {
		optimizer += 4
	}
	return e, e, optimizer
}

// RowBytes returns the bytes of one slot of a layer: the widest row of its
// tables in fp32 with its optimizer state, unless that stays on the host.
func (s *Spec) RowBytes(l *workloads.Layer) unit.Bytes {
	if s.HostState {
		return ValueBytes(l)
	}
	return ValueBytes(l) + s.stateBytes(l)
}

// ValueBytes returns the bytes of the widest row of a layer's tables in fp32.
func ValueBytes(l *workloads.Layer) unit.Bytes {
	dim := 0
	for _, t := range l.Tables {
		dim = max(dim, t.Dim)
	}
	return unit.Bytes(4 * dim)
}

// StateBytes returns the bytes of optimizer state that stay on the host for each
// row of a layer.
func (s *Spec) StateBytes(l *workloads.Layer) unit.Bytes {
	if !s.HostState {
		return 0
	}
	return s.stateBytes(l)
}

func (s *Spec) stateBytes(l *workloads.Layer) unit.Bytes {
	if s.Inference {
		return 0
	}
	return ValueBytes(l) * unit.Bytes(s.Optimizer.States())
}

// compileLayer computes what layer l costs on pool t. Its error says why the
// pool cannot run it.
func (p *Problem) compileLayer(t, l int) (layerCost, error) {
	layer, pool := &p.Model.Layers[l], &p.Cluster.Pools[t]
	if p.Only != nil && p.Only[l] != 0 && p.Only[l] != t+1 {
		must := fmt.Errorf("it must be on %s", p.Cluster.Pools[p.Only[l]-1].Name)
		if gone := p.noneLeft(p.Only[l] - 1); gone != nil {
			must = fmt.Errorf("%w, and there %w", must, gone)
		}
		return layerCost{}, must
	}
	if err := p.noneLeft(t); err != nil {
		return layerCost{}, err
	}
	c := p.layerMemory(t, l)
	ps, err := p.passes(t, l)
	if err != nil {
		return c, err
	}
	alpha := layer.Parallel
	if alpha < 0 {
		if alpha = pool.Device.Parallel; p.ReplicaBatch > 0 {
			alpha = 1 // replicas have whole pieces of a micro-batch each
		}
	}
	total := ps.forward + ps.backward + ps.again
	c.serial, c.parallel = total*(1-alpha), total*alpha
	if sums := ps.reduce + ps.back; sums > 0 {
		total += sums
		c.serial, c.parallel = c.serial+ps.latency, c.parallel+sums-ps.latency
	}
	if total > 0 {
		c.forwardShare = (ps.forward + ps.reduce) / total
	}
	c.update = ps.update
	c.weightShare = weightShare(layer)
	if whole := ps.backward + ps.again + ps.back; whole > ps.backward {
		c.weightShare *= ps.backward / whole
	}
	if layer.Sparse() {
		p.compileTables(&c, t, l)
	}
	if c.refused != "" {
		return c, errors.New(c.refused)
	}
	return c, nil
}

// layerMemory returns what layer l keeps on one device of a replica on pool t.
func (p *Problem) layerMemory(t, l int) (c layerCost) {
	layer, team, e := &p.Model.Layers[l], p.Team(t), float64(elementBytes(p.Precision))
	params := p.own(layer, team).Params
	weight, gradient, optimizer := p.paramBytes()
	whole, divided := weight+gradient+optimizer, 0
	for _, part := range []int{optimizer, gradient, weight}[:p.Zero] {
		whole, divided = whole-part, divided+part
	}
	c.weights, c.sharded = params*float64(whole), params*float64(divided)
	if p.Zero == 3 {
		c.gathered = params * float64(weight)
	}
	if p.Inference {
		c.act = (layer.Output + p.reads[l]) * p.micro * e
		if p.SequenceParallel && layer.Divided() {
			c.act /= float64(team)
		}
		return c
	}
	kept, again := p.kept(l, team)
	c.act, c.scratch = kept*p.micro*e, again*p.micro*e
	return c
}

// compileTables adds table memory and, behind a slot table, the work of one
// round's fetch.
func (p *Problem) compileTables(c *layerCost, t, l int) {
	layer, pool := &p.Model.Layers[l], &p.Cluster.Pools[t]
	row, full := float64(p.RowBytes(layer)), float64(ValueBytes(layer)+p.stateBytes(layer))
	whole := 0.0
	for _, tb := range layer.Tables {
		whole += float64(tb.Rows) * float64(tb.Dim) * full / float64(maxDim(layer))
	}
	team := p.Team(t) // of a group each device has its part of the tables
	if p.Lookups == nil || p.Lookups[l].Slots == 0 || !pool.Device.Kind.Accelerator() {
		c.table = whole / float64(team)
		return
	}
	if pool.Group() > 1 {
		c.refused = "its rows are in slots, which like devices divide: this pool has groups of unlike ones"
		return
	}
	if team > 1 {
		c.refused = fmt.Sprintf("its rows are in slots, which replicas of one device divide: this pool has tensor_parallel = %d", team)
		return
	}
	lk := p.Lookups[l]
	if lk.Refused != "" {
		c.refused = lk.Refused
		return
	}
	c.most = lk.Most
	c.backing = whole
	c.table = float64(lk.Slots) * row
	c.rows = newRowWork(&lk, pool, row, full, float64(p.StateBytes(layer)))
	c.gather = min((c.serial+c.parallel)*c.forwardShare, p.gatherSeconds(layer, pool, p.micro))
	if lk.Hosted > 0 {
		c.backing = min(whole, float64(lk.Hosted)*full)
	}
}

func maxDim(l *workloads.Layer) int {
	dim := 1
	for _, t := range l.Tables {
		dim = max(dim, t.Dim)
	}
	return dim
}

// Package placement decides what runs where before a run: it generates schemes
// (layer -> pool), merges layers on one device type into stages, provisions an
// integer number of devices for every stage, and gives each scheme a fitness.
// It has no clock: fitness by closed form and by recurrence are pure functions.
package placement

import (
	"fmt"
	"math"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/pipeline"
	"stowage/workloads"
)

// Limits of a problem.
const (
	MaxPools  = 64
	MaxLayers = workloads.MaxLayers
)

// Merge says which layers of one pool form a stage.
type Merge string

// The two readings of "combining the network layers corresponding to the same
// device type into one stage" (US20230206075A1, abstract).
const (
	Contiguous Merge = "contiguous" // each maximal run of consecutive layers
	ByType     Merge = "by-type"    // all layers of the pool
)

// Objective is what a placement policy optimises.
type Objective string

// The objectives.
const (
	Throughput Objective = "throughput" // samples/s
	Cost       Objective = "cost"       // USD per million samples
	Time       Objective = "time"       // seconds per step
)

// Sync is how the replicas of a stage agree on dense gradients.
type Sync string

// The ways to synchronise.
const (
	Ring   Sync = "ring" // ring all-reduce
	Server Sync = "ps"   // push to and pull from parameter servers, as many ports as the stage has
	NoSync Sync = "none"
)

// Optimizer decides how many numbers are kept beside each parameter.
type Optimizer string

// The optimizers.
const (
	SGD      Optimizer = "sgd"
	Momentum Optimizer = "momentum"
	AdaGrad  Optimizer = "adagrad"
	Adam     Optimizer = "adam"
)

// States returns the optimizer's fp32 numbers per parameter.
func (o Optimizer) States() int {
	switch o {
	case Momentum, AdaGrad:
		return 1
	case Adam:
		return 2
	}
	return 0
}

// LayerLookups is what one round asks of a slot table, warm, for one layer.
// Slots = 0: no slot table; an accelerator then holds the whole tables.
type LayerLookups struct {
	Slots                      int
	Unique, Misses, WriteBacks float64 // rows per round
}

// Spec is a placement problem as people state it.
type Spec struct {
	Model   *workloads.Model
	Cluster *hw.Cluster

	Batch        int // samples per round over all replicas
	Microbatches int
	Schedule     pipeline.Schedule
	Inference    bool // forward passes only
	Precision    hw.Precision
	Optimizer    Optimizer
	Sync         Sync
	Merge        Merge

	Objective     Objective
	MinThroughput float64 // samples/s; 0: none
	MaxPrice      float64 // USD/h of the whole scheme; 0: none
	MaxCost       float64 // USD per million samples; 0: none

	// CommParallel is beta of the published cost model: the share of a stage's
	// communication that its ports divide among themselves.
	CommParallel float64

	Lookups   []LayerLookups // per layer, or nil
	Lookahead int            // rounds whose rows are fetched ahead; 0: fetch, then compute
}

// Scheme maps every layer to a pool of the cluster, by index.
type Scheme []uint8

// Problem is a Spec compiled to numbers: immutable, safe to share.
type Problem struct {
	Spec
	// Warnings are things a person should know: measured profiles used outside
	// the measured range, for instance.
	Warnings []string

	layers, pools int
	micro         float64     // samples per micro-batch
	costs         []layerCost // [pool*layers + layer]
	refusals      []string    // why a layer cannot run on a pool, or ""
	edges         []edgeCost
	links         []cutLink // [from*pools + to]
	memory        []float64 // capacity of one device, bytes
	price         []float64 // USD/h
	count         []int
	perNode       []int
	host          []float64 // host sockets per port
	hostLink      []float64 // B/s
	totalDevices  int
}

// layerCost is one layer on one pool. Times are seconds per micro-batch on one
// device, split by Amdahl's law: serial + parallel / k.
type layerCost struct {
	serial, parallel                  float64
	forwardShare                      float64 // of serial + parallel
	weights, table, act               float64 // bytes: per device; shared by k; per micro-batch in flight, shared by k
	plan, hostTime, bytesIn, bytesOut float64 // per round, shared by k
	refused                           bool
}

// edgeCost is one edge of the model: bytes per micro-batch, or measured seconds.
type edgeCost struct {
	from, to int
	bytes    float64
	seconds  float64
	gradient bool // backward passes send as much the other way
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
}

// NewProblem checks and compiles a spec. Errors name the key that is wrong.
func NewProblem(spec Spec) (*Problem, error) {
	p := &Problem{Spec: spec}
	if err := p.check(); err != nil {
		return nil, err
	}
	p.layers, p.pools = len(spec.Model.Layers), len(spec.Cluster.Pools)
	p.micro = float64(spec.Batch) / float64(spec.Microbatches)
	p.compilePools()
	p.costs = make([]layerCost, p.pools*p.layers)
	p.refusals = make([]string, p.pools*p.layers)
	for t := range p.pools {
		for l := range p.layers {
			c, err := p.compileLayer(t, l)
			if err != nil {
				c.refused = true
				p.refusals[t*p.layers+l] = err.Error()
			}
			p.costs[t*p.layers+l] = c
		}
	}
	for _, e := range spec.Model.Edges {
		from := &spec.Model.Layers[e.From]
		p.edges = append(p.edges, edgeCost{
			from: e.From, to: e.To, seconds: e.Seconds,
			gradient: !spec.Inference && !(from.Kind == workloads.Input && from.Backward == 0),
			bytes:    e.Elements * p.micro * float64(elementBytes(spec.Precision)),
		})
	}
	return p, nil
}

func (p *Problem) check() error {
	s := &p.Spec
	switch {
	case s.Model == nil || len(s.Model.Layers) == 0:
		return fmt.Errorf("the model has no layers")
	case len(s.Model.Layers) > MaxLayers:
		return fmt.Errorf("the model has %d layers: at most MaxLayers = %d", len(s.Model.Layers), MaxLayers)
	case s.Cluster == nil || len(s.Cluster.Pools) == 0:
		return fmt.Errorf("the cluster has no pools")
	case len(s.Cluster.Pools) > MaxPools:
		return fmt.Errorf("the cluster has %d pools: at most MaxPools = %d", len(s.Cluster.Pools), MaxPools)
	case s.Microbatches < 1:
		return fmt.Errorf("microbatches = %d: at least 1", s.Microbatches)
	case s.Batch < 1 || s.Batch%s.Microbatches != 0:
		return fmt.Errorf("batch = %d: a positive multiple of microbatches = %d", s.Batch, s.Microbatches)
	case s.Schedule.Window == nil:
		return fmt.Errorf("no schedule: one of %v", pipeline.ScheduleNames())
	case s.Merge != Contiguous && s.Merge != ByType:
		return fmt.Errorf("merge = %q: %q or %q", s.Merge, Contiguous, ByType)
	case s.Objective != Throughput && s.Objective != Cost && s.Objective != Time:
		return fmt.Errorf("objective = %q: %q, %q or %q", s.Objective, Throughput, Cost, Time)
	case s.Sync != Ring && s.Sync != Server && s.Sync != NoSync:
		return fmt.Errorf("sync = %q: %q, %q or %q", s.Sync, Ring, Server, NoSync)
	case !(s.CommParallel >= 0 && s.CommParallel <= 1):
		return fmt.Errorf("comm_parallel = %v: a number from 0 to 1", s.CommParallel)
	case s.Lookups != nil && len(s.Lookups) != len(s.Model.Layers):
		return fmt.Errorf("lookups of %d layers for a model of %d", len(s.Lookups), len(s.Model.Layers))
	}
	return nil
}

func (p *Problem) compilePools() {
	n := p.pools
	p.memory, p.price, p.host, p.hostLink = make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	p.count, p.perNode = make([]int, n), make([]int, n)
	p.links = make([]cutLink, n*n)
	for t := range n {
		pool := &p.Cluster.Pools[t]
		p.memory[t] = float64(pool.DeviceMemory())
		p.price[t], p.count[t], p.perNode[t] = float64(pool.Price), pool.Count, pool.Node.Devices
		p.host[t], p.hostLink[t] = float64(max(1, pool.Node.Hosts)), float64(pool.Node.HostLink.Bandwidth)
		p.totalDevices += pool.Count
		for u := range n {
			p.links[t*n+u] = p.cutLink(t, u)
		}
	}
}

// cutLink chooses how stages on pools t and u reach each other: inside one node
// when the whole pool is one node, over the host links when u's devices are the
// host sockets of t's nodes, else through the nodes' network ports.
func (p *Problem) cutLink(t, u int) cutLink {
	a, b := &p.Cluster.Pools[t], &p.Cluster.Pools[u]
	if t == u && a.Count <= a.Node.Devices && a.Node.PeerLink.Bandwidth > 0 {
		l := a.Node.PeerLink
		return cutLink{peerClass, float64(l.Bandwidth), float64(l.Bandwidth), l.Latency.Seconds()}
	}
	if a.Inside == b.Name && b.Node.HostLink.Bandwidth > 0 {
		l := b.Node.HostLink
		return cutLink{hostClass, float64(l.Bandwidth) * devicesPerSocket(b, a), float64(l.Bandwidth), l.Latency.Seconds()}
	}
	if b.Inside == a.Name && a.Node.HostLink.Bandwidth > 0 {
		l := a.Node.HostLink
		return cutLink{hostClass, float64(l.Bandwidth), float64(l.Bandwidth) * devicesPerSocket(a, b), l.Latency.Seconds()}
	}
	return cutLink{nicClass, float64(a.Node.NIC.Bandwidth), float64(b.Node.NIC.Bandwidth),
		max(a.Node.NIC.Latency, b.Node.NIC.Latency).Seconds()}
}

// devicesPerSocket returns how many accelerators' host links end at one socket.
func devicesPerSocket(accelerators, sockets *hw.Pool) float64 {
	return float64(accelerators.Node.Devices) / float64(max(1, sockets.Node.Devices))
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
// tables in fp32 with its optimizer state.
func (s *Spec) RowBytes(l *workloads.Layer) unit.Bytes {
	dim := 0
	for _, t := range l.Tables {
		dim = max(dim, t.Dim)
	}
	states := s.Optimizer.States()
	if s.Inference {
		states = 0
	}
	return unit.Bytes(4 * dim * (1 + states))
}

// compileLayer computes what layer l costs on pool t.
func (p *Problem) compileLayer(t, l int) (layerCost, error) {
	layer, pool := &p.Model.Layers[l], &p.Cluster.Pools[t]
	weight, gradient, optimizer := p.paramBytes()
	c := layerCost{
		weights: float64(layer.Params) * float64(weight+gradient+optimizer),
		act:     layer.Stored * p.micro * float64(elementBytes(p.Precision)),
	}
	if p.Inference {
		c.act = layer.Output * p.micro * float64(elementBytes(p.Precision))
	}
	forward, backward, err := p.layerTime(layer, pool)
	if err != nil {
		return c, fmt.Errorf("layer %q cannot run on %s: %w", layer.Name, pool.Name, err)
	}
	alpha := layer.Parallel
	if alpha < 0 {
		alpha = pool.Device.Parallel
	}
	total := forward + backward
	c.serial, c.parallel = total*(1-alpha), total*alpha
	if total > 0 {
		c.forwardShare = forward / total
	}
	if layer.Sparse() {
		p.compileTables(&c, t, l)
	}
	return c, nil
}

// compileTables adds table memory and, behind a slot table, the work of one
// round's fetch.
func (p *Problem) compileTables(c *layerCost, t, l int) {
	layer, pool := &p.Model.Layers[l], &p.Cluster.Pools[t]
	row := float64(p.RowBytes(layer))
	if p.Lookups == nil || p.Lookups[l].Slots == 0 || !pool.Device.Kind.Accelerator() {
		for _, tb := range layer.Tables {
			c.table += float64(tb.Rows) * float64(tb.Dim) * row / float64(maxDim(layer))
		}
		return
	}
	lk := p.Lookups[l]
	c.table = float64(lk.Slots) * row
	c.plan = lk.Unique / float64(pool.Device.Gather.Rows)
	c.hostTime = pool.Host.Gather.Seconds(lk.Misses+lk.WriteBacks, (lk.Misses+lk.WriteBacks)*row)
	c.bytesIn, c.bytesOut = lk.Misses*row, lk.WriteBacks*row
}

func maxDim(l *workloads.Layer) int {
	dim := 1
	for _, t := range l.Tables {
		dim = max(dim, t.Dim)
	}
	return dim
}

// Forward and backward seconds of one layer for one micro-batch on one device of
// a pool: a measured profile wins, else the roofline, and rows are gathered
// beside it.
func (p *Problem) layerTime(l *workloads.Layer, pool *hw.Pool) (forward, backward float64, err error) {
	if prof := l.Profile(pool.Device.Name); prof != nil {
		var inside bool
		batch := int(math.Round(p.micro))
		forward, backward, inside = prof.At(batch)
		if !inside {
			p.warn("layer %q on %s: micro-batch %d is outside the measured batches %d to %d; times are scaled in proportion",
				l.Name, pool.Device.Name, batch, prof.Points[0].Batch, prof.Points[len(prof.Points)-1].Batch)
		}
		if p.Inference {
			backward = 0
		}
		return forward, backward, nil
	}
	if l.OnlyProfiled {
		return 0, 0, fmt.Errorf("it was measured on %s only, and has no FLOPs for a roofline", profiled(l))
	}
	bytes := float64(elementBytes(p.Precision)) * (l.Traffic*p.micro + float64(l.Params))
	forward, err = pool.Device.Compute(l.FLOPs*p.micro, bytes, p.Precision)
	if err != nil {
		return 0, 0, err
	}
	if l.Sparse() {
		rows, row := 0.0, 0.0
		for _, t := range l.Tables {
			rows += float64(t.Lookups) * p.micro
			row += float64(t.Lookups) * p.micro * float64(4*t.Dim)
		}
		forward += pool.Device.Gather.Seconds(rows, row)
	}
	if !p.Inference {
		backward = forward * l.Backward
	}
	return forward, backward, nil
}

func profiled(l *workloads.Layer) string {
	s := ""
	for i, p := range l.Profiles {
		if i > 0 {
			s += ", "
		}
		s += p.Device
	}
	return s
}

// MaxWarnings bounds Problem.Warnings.
const MaxWarnings = 3

func (p *Problem) warn(format string, args ...any) {
	if len(p.Warnings) < MaxWarnings {
		p.Warnings = append(p.Warnings, fmt.Sprintf(format, args...))
	} else if len(p.Warnings) == MaxWarnings {
		p.Warnings = append(p.Warnings, "more of the same")
	}
}

// Layers and Pools give the size of the search space: Pools^Layers schemes.
func (p *Problem) Layers() int { return p.layers }

// Pools returns the number of pools.
func (p *Problem) Pools() int { return p.pools }

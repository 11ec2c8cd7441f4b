// Package placement decides what runs where before a run: it generates schemes
// (layer -> pool), merges layers on one device type into stages, provisions an
// integer number of devices for every stage, and gives each scheme a fitness.
// It has no clock: fitness by closed form and by recurrence are pure functions.
package placement

import (
	"fmt"
	"slices"

	"stowage/hw"
	"stowage/sim/network"
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
// device type into one stage" (US20230206075A1, abstract), and what planners for
// pipelines of graphs ask for. Convex is ByType under a condition: the stages can
// be put in an order in which every edge goes forward, so that micro-batches pass
// each stage once. A scheme without such an order is infeasible.
const (
	Contiguous Merge = "contiguous" // each maximal run of consecutive layers
	ByType     Merge = "by-type"    // all layers of the pool
	Convex     Merge = "convex"     // all layers of the pool, stages in one direction
)

// Merges lists the readings in the order of help.
func Merges() []string { return []string{string(Contiguous), string(ByType), string(Convex)} }

// Communication is how the closed form counts what stages send each other.
type Communication string

// The ways to count. Overlap is that of the published cost model, ET = max(CT, DT).
// Added is that of Tarnawski et al., "Efficient Algorithms for Device Placement of
// DNN Graph Operators" (NeurIPS 2020): accelerators compute, then transfer, CT + DT;
// CPUs do not pay for transfers. Every transfer goes between an accelerator and
// host memory, over its host link or in an edge's measured time: a layer's output
// once out of its own stage if any other stage reads it, and once into each stage
// that reads it.
const (
	Overlap Communication = "overlap"
	Added   Communication = "added"
)

// OnlyClosedForm says why schemes are not judged by recurrence under Added.
const OnlyClosedForm = `communication = "added" is a model of the closed form alone: in a pipeline, transfers go from stage to stage and beside computing`

// Communications lists the ways to count in the order of help.
func Communications() []string { return []string{string(Overlap), string(Added)} }

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
	Server Sync = "ps"   // push to and pull from parameter servers: Spec.Servers, or as many ports as the stage has
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
	Unique, Misses, WriteBacks float64 // rows per round: looked up, into slots, out of them

	// Dumped are rows per round that are written back after it, or after a pass, before
	// anything else goes on.
	Dumped float64

	// Bypasses are rows per round that get no slot: they are read from host memory
	// before computing and written there after it.
	Bypasses float64

	// Hosted is how many rows host memory holds; 0: all. StoreReads, StoreWrites and
	// StoreDumps are rows per round that the tier below it reads and writes. For it,
	// host memory handles more rows than cross the links: Staged are those besides
	// Misses, WriteBacks and Dumped.
	Hosted                              int64
	StoreReads, StoreWrites, StoreDumps float64
	StagedUp, StagedDown, StagedDump    float64

	// Most is how many devices can divide the slots among themselves, and MostWhy what
	// keeps one more from it; 0: any number can.
	Most    int
	MostWhy string

	// Refused says why no slot table of this size can serve the layer; empty: it
	// can. Accelerators then refuse the layer.
	Refused string
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
	Collective   network.Algorithm // of Sync = Ring; "": a ring
	Merge        Merge

	Objective     Objective
	MinThroughput float64 // samples/s; 0: none
	MaxPrice      float64 // USD/h of the whole scheme; 0: none
	MaxCost       float64 // USD per million samples; 0: none

	Communication Communication // "": Overlap

	Inside // how the devices of a stage share it

	// Samples is how many the whole training run takes, for its price and duration;
	// 0: not said. Nothing depends on it.
	Samples float64

	// CommParallel is beta of the published cost model: the share of a stage's
	// communication that its ports divide among themselves.
	CommParallel float64

	// Only says for each layer on which pool it must be: 1 + the pool; 0: on any.
	// nil: all on any.
	Only []int

	// Servers is 1 + the pool whose devices are the parameter servers of Sync =
	// Server: as many as a step needs, counted against the pool and paid. 0: servers
	// are none of the cluster's devices, and free.
	Servers int

	// Reserved are devices that other jobs have when this one is planned. It gets
	// what is left of each pool, wherever that is: ports and host memory are those of the
	// fewest nodes that its devices fill.
	Reserved []Reservation
	// Unrouted lets fitness take every stage to have ports of its own, into a switch that
	// holds nobody up, although the cluster has a network.
	Unrouted bool

	Lookups   []LayerLookups // per layer, or nil
	HostState bool           // the optimizer's state of embedding rows stays on the host, not in slots

	// Trade is the seconds in which devices of a pool that own a layer's rows together
	// exchange what a round looks up, before computing, and the gradients, after it.
	// nil: that takes no time.
	Trade func(layer, pool, devices int) (pull, push float64)

	// Input is the seconds in which the samples of a round are read and made unique:
	// beside the rounds before, or before the round if Sequential.
	Input      float64
	Sequential bool

	// Store is the time in which one node's tier below host memory reads or writes
	// rows of bytes in all; nil: there is none.
	Store     func(pool int, rows, bytes float64) float64
	Lookahead int // rounds whose rows are fetched ahead; 0: fetch, then compute
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
	splits        float64     // most parts of a micro-batch: its samples, at least 1; no limit for measured units of work
	servers       int         // pool of the parameter servers; -1: none
	push          float64     // bytes that go to and from the servers per byte of stage.weights
	million       float64     // steps per million samples, and hours per second: for costs
	costs         []layerCost // [pool*layers + layer]
	work          []layerWork // the part of costs that every scheme needs, same index
	refusals      []string    // why a layer cannot run on a pool, or ""
	edges         []edgeCost  // by from, then to
	output        []float64   // most bytes per micro-batch that a layer sends to one stage
	byPool        bool        // a pool's layers are one stage
	added         bool        // Communication
	hostStep      []float64   // Added: seconds per step of one byte per micro-batch over a device's host link; 0 for CPUs
	links         []cutLink   // [from*pools + to]
	memory        []float64   // capacity of one device, bytes
	price         []float64   // USD/h of a replica
	count         []int       // replicas that can be had: devices, unless several compute one; at least 1
	perNode       []int       // replicas of a node; 0: a replica fills several
	host          []float64   // host sockets per port
	hostLink      []float64   // B/s of one replica
	hostLatency   []float64   // seconds
	dram          []float64   // host memory of a node, bytes; 0: not known
	slotted       []int       // layers behind slot tables on accelerators
	groups        [][]worker  // per pool: the devices of a replica that share its samples
	members       [][]member  // per pool: the same, as memory sees them; nil: one
	least         []float64   // per pool: the least share that a device of a replica has
	reads         []float64   // elements per sample that come into each layer
	updates       bool        // some layer's update takes time
	divides       bool        // stages have parts beside those of layerWork: see stage.divide
	rare          bool        // they have such parts, or layers behind slot tables
	plain         bool        // stages are runs of layers, and have none of that: see mergeRuns
	windows       [][]float64 // [segments][segment], for few segments
	shares        [][]share   // [pool][devices], for few devices
	totalDevices  int
	before        []int                                 // devices of each pool that others have in front of this job's
	collective    func(pool, replicas int) network.Cost // of Collective, among one device of each
	teamCost      func(pool int) network.Cost           // of Collective, among the devices of a replica
	routes        func() *wiring                        // nil: stages have ports of their own
}

// NewProblem checks and compiles a spec. Errors name the key that is wrong.
func NewProblem(spec Spec) (*Problem, error) {
	p := &Problem{Spec: spec}
	p.collective = costsOnce(p.collectiveCost)
	team := costsOnce(func(pool, _ int) network.Cost { return p.costInNode(pool, p.Team(pool)) })
	p.teamCost = func(pool int) network.Cost { return team(pool, 0) }
	for _, check := range []func() error{p.checkSpec, p.checkNumbers, p.checkModel, p.checkInside} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	p.layers, p.pools = len(spec.Model.Layers), len(spec.Cluster.Pools)
	p.micro = float64(spec.Batch) / float64(spec.Microbatches)
	p.splits = spec.splits(p.micro)
	p.divides = spec.Zero > 0 || spec.recomputes()
	p.compileServers()
	p.byPool, p.added = spec.Merge != Contiguous, spec.Communication == Added
	p.before = spec.inFront()
	p.million = 1e6 / float64(spec.Batch) / 3600
	p.compilePools()
	p.compileWindows()
	for l := range spec.Lookups {
		if spec.Lookups[l].Slots > 0 {
			p.slotted = append(p.slotted, l)
		}
	}
	p.reads = make([]float64, p.layers)
	for _, e := range spec.Model.Edges {
		p.reads[e.To] += e.Elements
	}
	p.compileGroups()
	p.compileMembers()
	if err := p.compileLayers(); err != nil {
		return nil, err
	}
	p.rare = p.divides || slices.ContainsFunc(p.work, func(w layerWork) bool { return w.slotted })
	p.plain = spec.Merge == Contiguous && !spec.Inference && !p.rare
	if err := p.compileEdges(); err != nil {
		return nil, err
	}
	w, err := p.newWiring()
	if w != nil {
		p.routes = func() *wiring { return w }
	}
	return p, err
}

func (p *Problem) checkSpec() error {
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
	case s.Schedule.Staleness > 0 && s.Merge != Contiguous:
		return fmt.Errorf("schedule = %q does not flush: it needs stages of one run of layers, merge = %q; this is %q", s.Schedule.Name, Contiguous, s.Merge)
	case !slices.Contains(Merges(), string(s.Merge)):
		return fmt.Errorf("merge = %q: one of %q", s.Merge, Merges())
	case s.Communication != "" && !slices.Contains(Communications(), string(s.Communication)):
		return fmt.Errorf("communication = %q: one of %q", s.Communication, Communications())
	case s.Objective != Throughput && s.Objective != Cost && s.Objective != Time:
		return fmt.Errorf("objective = %q: %q, %q or %q", s.Objective, Throughput, Cost, Time)
	case s.Sync != Ring && s.Sync != Server && s.Sync != NoSync:
		return fmt.Errorf("sync = %q: %q, %q or %q", s.Sync, Ring, Server, NoSync)
	case s.Collective != "" && !slices.Contains(network.Algorithms(), s.Collective):
		return fmt.Errorf("collective = %q: one of %q", s.Collective, network.Algorithms())
	}
	if err := s.Cluster.Validate(); err != nil {
		return err
	}
	return s.checkReserved()
}

// MaxAmount bounds every time, size and price of a problem, far beyond any real
// one, so that their sums and products stay finite.
const MaxAmount = 1e60

// amount reports whether v can be an amount: from 0 to MaxAmount.
func amount(v float64) bool { return v >= 0 && v <= MaxAmount }

func (p *Problem) checkNumbers() error {
	s := &p.Spec
	for _, c := range []struct {
		key string
		v   float64
	}{{"min_throughput", s.MinThroughput}, {"max_price", s.MaxPrice}, {"max_cost", s.MaxCost}, {"samples", s.Samples}} {
		if !amount(c.v) {
			return fmt.Errorf("%s = %v: a number from 0 to MaxAmount = %g; 0 for none", c.key, c.v, MaxAmount)
		}
	}
	switch {
	case !(s.CommParallel >= 0 && s.CommParallel <= 1):
		return fmt.Errorf("comm_parallel = %v: a number from 0 to 1", s.CommParallel)
	case s.Servers < 0 || s.Servers > len(s.Cluster.Pools):
		return fmt.Errorf("servers = %d: 1 + one of the %d pools, or 0", s.Servers, len(s.Cluster.Pools))
	case s.Servers > 0 && (s.Sync != Server || s.Inference):
		return fmt.Errorf("servers = %q: parameter servers need training with sync = %q", s.Cluster.Pools[s.Servers-1].Name, Server)
	case s.Lookahead < 0:
		return fmt.Errorf("lookahead = %d: at least 0 rounds", s.Lookahead)
	case s.Lookups != nil && len(s.Lookups) != len(s.Model.Layers):
		return fmt.Errorf("lookups of %d layers for a model of %d", len(s.Lookups), len(s.Model.Layers))
	}
	for l, lk := range s.Lookups {
		if lk.Slots < 0 || !amount(lk.Unique) || !amount(lk.Misses) || !amount(lk.WriteBacks) {
			return fmt.Errorf("lookups of layer %q: %+v: numbers from 0 to MaxAmount = %g", s.Model.Layers[l].Name, lk, MaxAmount)
		}
	}
	for i := range s.Cluster.Pools {
		pool := &s.Cluster.Pools[i]
		if !amount(float64(pool.Price)) {
			return fmt.Errorf("pool %q has a price of %v USD/h: a number from 0 to MaxAmount = %g", pool.Name, float64(pool.Price), MaxAmount)
		}
		if pool.DeviceMemory() <= 0 {
			return fmt.Errorf("pool %q has devices with %v of memory: more than 0", pool.Name, pool.DeviceMemory())
		}
		if pool.Device.Kind.Accelerator() && pool.LeastMemory() <= s.ReservedMemory {
			return fmt.Errorf("reserved_memory = %v: devices of pool %q have %v", s.ReservedMemory, pool.Name, pool.LeastMemory())
		}
		if pool.Price == 0 && s.Objective == Cost {
			return fmt.Errorf("objective = %q needs prices: pool %q is free, and schemes on it alone would all cost nothing", Cost, pool.Name)
		}
	}
	return nil
}

// checkModel checks what models made by hand may get wrong; those of package
// workloads pass.
func (p *Problem) checkModel() error {
	m := p.Model
	for i := range m.Layers {
		if ly := &m.Layers[i]; !(ly.Parallel <= 1) {
			return fmt.Errorf("layer %q: parallel = %v: a share up to 1, or negative for the device type's", ly.Name, ly.Parallel)
		}
	}
	for i, e := range m.Edges {
		if e.From < 0 || e.To >= len(m.Layers) || e.From >= e.To {
			return fmt.Errorf("edge %d of the model goes from layer %d to %d: it must go forward within %d layers", i, e.From, e.To, len(m.Layers))
		}
	}
	return nil
}

// Layers and Pools give the size of the search space: Pools^Layers schemes.
func (p *Problem) Layers() int { return p.layers }

// Pools returns the number of pools.
func (p *Problem) Pools() int { return p.pools }

// meets reports whether a result is within the floor and the caps. They hold to
// a billionth: sums of prices and times are rounded, and people write 0.3 for
// three devices at 0.1.
func (p *Problem) meets(throughput, price, cost float64) bool {
	return throughput >= p.MinThroughput*(1-slack) && p.affords(price) && (p.MaxCost == 0 || cost <= p.MaxCost*(1+slack))
}

// affords reports whether a price in USD/h is within the cap.
func (p *Problem) affords(price float64) bool {
	return p.MaxPrice == 0 || price <= p.MaxPrice*(1+slack)
}

const slack = 1e-9

// sortEdges orders edges by from, then to; equals keep their order.
func sortEdges(edges []edgeCost) {
	slices.SortStableFunc(edges, func(a, b edgeCost) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.to - b.to
	})
}

package scenarios

import (
	"stowage/hw/unit"
	"stowage/sim/placement"
)

// The sections of a scenario file. Defaults are set before decoding; a pointer
// is a section or value that may be absent.

type file struct {
	Name        string      `toml:"name"`  // default: the file's base name
	Title       string      `toml:"title"` // one line for people
	Description string      `toml:"description"`
	Seed        int64       `toml:"seed"`
	Model       modelFile   `toml:"model"`
	Cluster     clusterFile `toml:"cluster"`
	Training    trainFile   `toml:"training"`
	Placement   placeFile   `toml:"placement"`
	Lookups     *lookupFile `toml:"lookups"`
	Slots       *slotsFile  `toml:"slots"`
	Sweep       *sweepFile  `toml:"sweep"`
	WhatIf      *whatifFile `toml:"whatif"`
	Limits      limitsFile  `toml:"limits"`
}

// modelFile names the model: a shipped one (use), or a file.
type modelFile struct {
	Use    string `toml:"use"`    // name of a shipped model
	File   string `toml:"file"`   // path, relative to the scenario
	Format string `toml:"format"` // toml (default), pipedream, dnn-partitioning

	Device string `toml:"device"` // pipedream: device type that was measured
	Batch  int    `toml:"batch"`  // pipedream: batch that was measured

	CPU         string `toml:"cpu"`         // dnn-partitioning: device type of cpuLatency
	Accelerator string `toml:"accelerator"` // dnn-partitioning: device type of fpgaLatency
	IgnoreCost  bool   `toml:"ignore_cost"` // dnn-partitioning: links decide, not the file's transfer times
}

type clusterFile struct {
	Pool    []poolFile   `toml:"pool"`
	Network *networkFile `toml:"network"`
}

// networkFile is how nodes are connected. hw.Network explains it.
type networkFile struct {
	Topology         string         `toml:"topology"` // switch, leaf-spine, fat-tree, rail, links
	NodesPerLeaf     int            `toml:"nodes_per_leaf"`
	Spines           int            `toml:"spines"`
	Oversubscription float64        `toml:"oversubscription"`
	SwitchPorts      int            `toml:"switch_ports"` // default: the fewest that suffice
	Rails            int            `toml:"rails"`        // default: one for each device of a node
	HopLatency       *unit.Duration `toml:"hop_latency"`
	Duplex           string         `toml:"duplex"` // of the nodes' ports: full, half
	Link             []cableFile    `toml:"link"`
}

// cableFile joins two switches, or a switch and a node, named "pool:i".
type cableFile struct {
	From      string         `toml:"from"`
	To        string         `toml:"to"`
	Bandwidth unit.Rate      `toml:"bandwidth"` // in each direction
	Latency   *unit.Duration `toml:"latency"`
	Duplex    string         `toml:"duplex"` // full, half: both directions share the bandwidth
}

// poolFile is one pool. What it leaves out comes from the node type.
type poolFile struct {
	Device string `toml:"device"`
	Count  int    `toml:"count"`
	Name   string `toml:"name"`   // default: the device type
	Node   string `toml:"node"`   // node type; default: the shipped one with this device
	Inside string `toml:"inside"` // pool whose nodes these devices are the host sockets of

	PerNode  int         `toml:"per_node"`
	NIC      string      `toml:"nic"`
	HostLink string      `toml:"host_link"`
	PeerLink string      `toml:"peer_link"`
	Price    *unit.Price `toml:"price"` // per device
}

type trainFile struct {
	Batch        int     `toml:"batch"`
	Microbatches int     `toml:"microbatches"`
	Samples      int64   `toml:"samples"` // of the whole training run
	Rounds       int     `toml:"rounds"`
	Schedule     string  `toml:"schedule"`
	Chunks       int     `toml:"chunks"`    // interleaved, fixed: of every stage, to check the scheme against
	Staleness    int     `toml:"staleness"` // async: steps that weights may be old; default: the schedule's
	Inference    bool    `toml:"inference"`
	Precision    string  `toml:"precision"`
	Optimizer    string  `toml:"optimizer"`
	Sync         string  `toml:"sync"`
	Collective   string  `toml:"collective"` // of sync = "ring"; default: one ring over the devices
	CommParallel float64 `toml:"comm_parallel"`
}

type placeFile struct {
	Policy          string      `toml:"policy"`
	Fitness         string      `toml:"fitness"`
	Merge           string      `toml:"merge"`
	Communication   string      `toml:"communication"`
	Servers         string      `toml:"servers"` // pool of the parameter servers
	Objective       string      `toml:"objective"`
	MinThroughput   float64     `toml:"min_throughput"` // samples/s
	MaxPrice        *unit.Price `toml:"max_price"`
	MaxCost         float64     `toml:"max_cost"`    // USD per million samples
	Scheme          []string    `toml:"scheme"`      // fixed: pool per layer
	Devices         []int       `toml:"devices"`     // fixed: devices per stage
	Evaluations     int         `toml:"evaluations"` // most distinct schemes; default: no limit, but for random
	Finalists       int         `toml:"finalists"`   // the best schemes seen, which are simulated to decide; 0: the best one alone
	placement.Knobs             // [placement.genetic] and so on
}

type lookupFile struct {
	Generator string     `toml:"generator"`
	Alpha     float64    `toml:"alpha"`
	Scatter   bool       `toml:"scatter"`
	Drift     *driftFile `toml:"drift"`
	File      string     `toml:"file"` // trace, histogram: path, relative to the scenario
	Format    string     `toml:"format"`
	Column    string     `toml:"column"`
	Wrap      bool       `toml:"wrap"`

	Histogram string    `toml:"histogram"` // a shipped one, or the section of file
	Samples   int       `toml:"samples"`   // batch that the bins are of; default: any
	Bins      []binFile `toml:"bin"`
}

// binFile is one bin of a reuse histogram: the rows that are looked up more than
// above and at most up_to times in a round.
type binFile struct {
	Above   int64      `toml:"above"`
	UpTo    int64      `toml:"up_to"` // 0: no end
	Rows    unit.Ratio `toml:"rows"`
	Lookups unit.Ratio `toml:"lookups"` // 0 in all bins: not known
}

type driftFile struct {
	Rows    unit.Ratio `toml:"rows"`
	Lookups unit.Ratio `toml:"lookups"`
	Move    int64      `toml:"move"`
}

// slotsFile is how embedding rows get into slots. Its rules are explained in
// sim/rounds and sim/slots.
type slotsFile struct {
	Capacity    Amount `toml:"capacity"`
	Replacement string `toml:"replacement"`
	Window      int    `toml:"window"` // rounds that the policy lookahead sees; default: slots.DefaultWindow
	Ways        int    `toml:"ways"`   // slots of a set; default: one set
	Shortage    string `toml:"shortage"`
	Lookahead   int    `toml:"lookahead"` // rounds

	Scope     string `toml:"scope"`
	Pass      int    `toml:"pass"` // rounds of a pass
	Rebuild   bool   `toml:"rebuild"`
	Release   string `toml:"release"`
	WriteBack string `toml:"write_back"`
	DirtyBit  *bool  `toml:"dirty_bit"`
	State     string `toml:"state"` // where the optimizer's state of a row is: slot, host
	Overlap   *bool  `toml:"overlap"`
	Queue     int    `toml:"queue"`

	Read   float64      `toml:"read"`   // samples/s of the input pipeline
	Unique unit.RowRate `toml:"unique"` // lookups/s made unique

	Exchange   string     `toml:"exchange"`   // all-to-all, padded, none
	Wiring     string     `toml:"wiring"`     // of the devices of a node: switch, mesh, cube-mesh
	Replicated unit.Ratio `toml:"replicated"` // hottest share of the rows that every device holds

	Host   *hostFile   `toml:"host"`
	SSD    *ssdFile    `toml:"ssd"`
	Remote *remoteFile `toml:"remote"`
}

// hostFile makes host memory a cache of a lower tier.
type hostFile struct {
	Capacity Amount `toml:"capacity"`
	Rule     string `toml:"rule"` // inclusive, exclusive: of the slots
}

// ssdFile is flash below host memory. What it leaves out comes from the node type.
type ssdFile struct {
	Rule      string         `toml:"rule"` // inclusive, exclusive: of host memory
	Bandwidth unit.Rate      `toml:"bandwidth"`
	IOPS      unit.RowRate   `toml:"iops"`
	Latency   *unit.Duration `toml:"latency"` // of one batched get
	Batch     int            `toml:"batch"`   // rows
}

// remoteFile is parameter servers below host memory. What it leaves out comes from
// the pool's host and network port.
type remoteFile struct {
	Rule      string         `toml:"rule"`
	Servers   int            `toml:"servers"`
	Rows      unit.RowRate   `toml:"rows"`      // rows/s that a server gathers
	Bandwidth unit.Rate      `toml:"bandwidth"` // of a server's gathering
	Latency   *unit.Duration `toml:"latency"`   // of a request
	Batch     int            `toml:"batch"`     // rows of a request
}

// sweepFile asks what the target scheme would do with other slot tables, and with
// an embedding layer on other pools.
type sweepFile struct {
	Layer       string   `toml:"layer"`       // default: the embedding layer with the most rows
	Capacity    []Amount `toml:"capacity"`    // of the slot tables
	Replacement []string `toml:"replacement"` // default: the scenario's
	Pools       []string `toml:"pools"`       // where the layer goes; default: all pools
}

type limitsFile struct {
	Events    uint64 `toml:"events"`     // default engine.DefaultMaxEvents
	TraceKeys int64  `toml:"trace_keys"` // default lookups.DefaultTraceKeys
	// lookups kept for the devices' shares; default lookups.DefaultRawLookups
	TraceLookups int64 `toml:"trace_lookups"`
}

func defaults() file {
	return file{
		Seed: 1,
		Training: trainFile{
			Microbatches: 1, Rounds: 10, Schedule: "1f1b", Precision: "fp32",
			Optimizer: "sgd", Sync: "ring", CommParallel: 1,
		},
		Placement: placeFile{Policy: "genetic", Fitness: "closed-form", Merge: "contiguous", Communication: "overlap", Objective: "throughput", Knobs: placement.DefaultKnobs()},
	}
}

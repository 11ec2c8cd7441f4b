package scenarios

import (
	"stowage/hw/unit"
	"stowage/sim/placement"
	"stowage/workloads"
)

// The sections of a scenario file. Defaults are set before decoding; a pointer
// is a section or value that may be absent.

type file struct {
	Name        string          `toml:"name"`        // default: the file's base name
	Title       string          `toml:"title"`       // one line for people
	Description string          `toml:"description"` // what the experiment is about, for people
	Seed        int64           `toml:"seed"`        // of every random choice of the run
	Model       modelFile       `toml:"model"`
	Cluster     clusterFile     `toml:"cluster"`
	Training    trainFile       `toml:"training"`
	Placement   placeFile       `toml:"placement"`
	Lookups     *lookupFile     `toml:"lookups"`
	Slots       *slotsFile      `toml:"slots"`
	Sweep       *sweepFile      `toml:"sweep"`
	WhatIf      *whatifFile     `toml:"whatif"`
	Trouble     []troubleFile   `toml:"trouble"` // what goes wrong in the simulated run; searches know nothing of it
	Job         []jobFile       `toml:"job"`     // other jobs on the cluster, which share its network
	Checkpoint  *checkpointFile `toml:"checkpoint"`
	Recovery    *recoveryFile   `toml:"recovery"`
	Limits      limitsFile      `toml:"limits"`
	Expect      []expectFile    `toml:"expect"` // what sources say of metrics; check --run checks them
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

	Transformer *workloads.Transformer `toml:"transformer"` // a language model by its shape
}

type clusterFile struct {
	Pool    []poolFile   `toml:"pool"` // the pools of devices of one type
	Network *networkFile `toml:"network"`
}

// networkFile is how nodes are connected. hw.Network explains it.
type networkFile struct {
	Topology         string         `toml:"topology"`         // switch, leaf-spine, fat-tree, rail, links
	NodesPerLeaf     int            `toml:"nodes_per_leaf"`   // nodes at each leaf switch
	Spines           int            `toml:"spines"`           // spine switches; default 1
	Oversubscription float64        `toml:"oversubscription"` // bandwidth into a leaf switch over that out of it; default 1
	SwitchPorts      int            `toml:"switch_ports"`     // default: the fewest that suffice
	Rails            int            `toml:"rails"`            // default: one for each device of a node
	HopLatency       *unit.Duration `toml:"hop_latency"`      // time that one more switch takes
	Duplex           string         `toml:"duplex"`           // of the nodes' ports: full, half
	Link             []cableFile    `toml:"link"`             // links: the cables
}

// cableFile joins two switches, or a switch and a node, named "pool:i".
type cableFile struct {
	From      string         `toml:"from"`      // a switch, or a node as "pool:i"
	To        string         `toml:"to"`        // the other end
	Bandwidth unit.Rate      `toml:"bandwidth"` // in each direction
	Latency   *unit.Duration `toml:"latency"`   // of the cable
	Duplex    string         `toml:"duplex"`    // full, half: both directions share the bandwidth
}

// poolFile is one pool. What it leaves out comes from the node type.
type poolFile struct {
	Device string `toml:"device"` // device type (stowage list devices)
	Count  int    `toml:"count"`  // devices of the pool
	Name   string `toml:"name"`   // default: the device type
	Node   string `toml:"node"`   // node type; default: the shipped one with this device
	Inside string `toml:"inside"` // pool whose nodes these devices are the host sockets of

	PerNode  int         `toml:"per_node"`  // devices of a node
	NIC      string      `toml:"nic"`       // link of each node to the network (stowage list links)
	HostLink string      `toml:"host_link"` // link of each device to its host
	PeerLink string      `toml:"peer_link"` // link between the devices of a node
	Price    *unit.Price `toml:"price"`     // per device

	Beside []string `toml:"beside"` // device types: one of each stands beside each device, and they share samples as a group

	ComputeEfficiency *unit.Ratio    `toml:"compute_efficiency"` // reached share of the peak, of work of any size; default: the device type's
	MemoryEfficiency  *unit.Ratio    `toml:"memory_efficiency"`  // reached share of the memory's bandwidth; default: the device type's
	Launch            *unit.Duration `toml:"launch"`             // time in which the host launches one of a layer's separate operations; default: the device type's

	TensorParallel int `toml:"tensor_parallel"` // devices that compute every layer of a replica together; default: the training's
}

type trainFile struct {
	Batch        int    `toml:"batch"`        // samples of a training round
	Microbatches int    `toml:"microbatches"` // parts that a round is cut into, which fill the pipeline
	Samples      int64  `toml:"samples"`      // of the whole training run
	Rounds       int    `toml:"rounds"`       // training rounds that are simulated
	Schedule     string `toml:"schedule"`     // order of micro-batches through the stages (stowage list schedules)
	Chunks       int    `toml:"chunks"`       // interleaved, fixed: of every stage, to check the scheme against
	Staleness    int    `toml:"staleness"`    // async: steps that weights may be old; default: the schedule's
	Inference    bool   `toml:"inference"`    // forward passes only
	Precision    string `toml:"precision"`    // number format of computation
	Optimizer    string `toml:"optimizer"`    // decides the state that is kept for each parameter
	Sync         string `toml:"sync"`         // of gradients: ring among replicas, ps for parameter servers, none
	Collective   string `toml:"collective"`   // of sync = "ring"; default: one ring over the devices
	insideFile
	CommParallel float64 `toml:"comm_parallel"` // share of a stage's communication that its ports divide among themselves, from 0 to 1: beta of the closed form
}

// insideFile is how the devices of a stage share its work and memory.
// placement.Inside explains it.
type insideFile struct {
	TensorParallel   int            `toml:"tensor_parallel"`   // accelerators that compute every layer of a replica together
	SequenceParallel bool           `toml:"sequence_parallel"` // they divide what tensor parallelism leaves whole, too
	Recompute        string         `toml:"recompute"`         // activations that are computed again: none, selective, full
	Zero             int            `toml:"zero"`              // replicas divide optimizer state (1), gradients too (2), parameters too (3)
	OverlapSync      bool           `toml:"overlap_sync"`      // gradients are synchronised beside the last backward pass
	ReplicaBatch     int            `toml:"replica_batch"`     // samples of a micro-batch that a replica takes at a time; default: its share
	Shares           string         `toml:"shares"`            // of unlike devices of a group in a replica's samples: by-speed, even
	ReservedMemory   unit.Bytes     `toml:"reserved_memory"`   // of every accelerator's: what contexts, libraries and the framework's buffers take
	Transfers        string         `toml:"transfers"`         // between stages: overlapped with computing, or blocking it
	Eager            *unit.Bytes    `toml:"eager"`             // blocking: what one device sends at once up to this size blocks nobody; default: 4 MiB, the buffers of NCCL
	StepOverhead     *unit.Duration `toml:"step_overhead"`     // between steps, in which hosts have devices wait: framework, input that is not ahead
	CollectiveTimes  string         `toml:"collective_times"`  // of all-reduces inside nodes: links for a formula, measured where they were
}

type placeFile struct {
	Policy          string      `toml:"policy"`         // search algorithm (stowage list placements)
	Fitness         string      `toml:"fitness"`        // fidelity of the search
	Merge           string      `toml:"merge"`          // how layers on one device type become stages
	Communication   string      `toml:"communication"`  // closed-form: whether transfers overlap with computation or are added to it
	Servers         string      `toml:"servers"`        // pool of the parameter servers
	Objective       string      `toml:"objective"`      // what is maximised: throughput, or the inverse of cost or time
	MinThroughput   float64     `toml:"min_throughput"` // samples/s
	MaxPrice        *unit.Price `toml:"max_price"`      // most that all devices together may cost
	MaxCost         float64     `toml:"max_cost"`       // USD per million samples
	Scheme          []string    `toml:"scheme"`         // fixed: pool per layer
	Devices         []int       `toml:"devices"`        // fixed: devices per stage
	Evaluations     int         `toml:"evaluations"`    // most distinct schemes; default: no limit, but for random
	Routes          *bool       `toml:"routes"`         // whether searches see how transfers share the links of cluster.network; default: true
	Finalists       int         `toml:"finalists"`      // the best schemes seen, which are simulated to decide; 0: the best one alone
	Improve         int         `toml:"improve"`        // simulations of a local search that begins at the finalists
	placement.Knobs             // [placement.genetic] and so on
}

type lookupFile struct {
	Generator string     `toml:"generator"` // where lookups come from: drawn, or from a trace or a histogram
	Alpha     float64    `toml:"alpha"`     // zipf, drift: exponent of the popularity of rows
	Scatter   bool       `toml:"scatter"`   // popular rows are spread over the table, not at its front
	Drift     *driftFile `toml:"drift"`
	File      string     `toml:"file"`   // trace, histogram: path, relative to the scenario
	Format    string     `toml:"format"` // of the trace; default: by the name of the file
	Column    string     `toml:"column"` // csv, parquet: the column with the keys
	Wrap      bool       `toml:"wrap"`   // the trace begins again where it ends

	Histogram string    `toml:"histogram"` // a shipped one, or the section of file
	Samples   int       `toml:"samples"`   // batch that the bins are of; default: any
	Bins      []binFile `toml:"bin"`       // the bins of a histogram, written here
}

// binFile is one bin of a reuse histogram: the rows that are looked up more than
// above and at most up_to times in a round.
type binFile struct {
	Above   int64      `toml:"above"`   // lookups of a row in a round, more than these
	UpTo    int64      `toml:"up_to"`   // 0: no end
	Rows    unit.Ratio `toml:"rows"`    // share of the rows
	Lookups unit.Ratio `toml:"lookups"` // 0 in all bins: not known
}

type driftFile struct {
	Rows    unit.Ratio `toml:"rows"`    // share of the rows that are hot
	Lookups unit.Ratio `toml:"lookups"` // share of the lookups that go to hot rows
	Move    int64      `toml:"move"`    // rows that leave the hot set each round; as many enter
}

// slotsFile is how embedding rows get into slots. Its rules are explained in
// sim/rounds and sim/slots.
type slotsFile struct {
	Capacity    Amount `toml:"capacity"`
	Replacement string `toml:"replacement"` // which row leaves for another (stowage list replacements); default lru
	Window      int    `toml:"window"`      // rounds that the policy lookahead sees; default: slots.DefaultWindow
	Ways        int    `toml:"ways"`        // slots of a set; default: one set
	Shortage    string `toml:"shortage"`    // what happens when the slots of a round do not suffice; default evict
	Lookahead   int    `toml:"lookahead"`   // rounds

	Scope     string `toml:"scope"`      // among which lookups a row moves once; default device
	Pass      int    `toml:"pass"`       // rounds of a pass
	Rebuild   bool   `toml:"rebuild"`    // the tables are emptied after each pass
	Release   string `toml:"release"`    // when rows of a round may leave again; default after-update
	WriteBack string `toml:"write_back"` // when updated rows return to host memory; default on-evict
	DirtyBit  *bool  `toml:"dirty_bit"`  // false: rows go back also when nothing changed them; default true
	State     string `toml:"state"`      // where the optimizer's state of a row is: slot, host
	Overlap   *bool  `toml:"overlap"`    // false: a round is read only when the one before has ended; default true
	Queue     int    `toml:"queue"`      // rounds between two phases of the input; default 2

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
	Rule      string         `toml:"rule"`      // inclusive, exclusive: of host memory
	Bandwidth unit.Rate      `toml:"bandwidth"` // of reading and writing
	IOPS      unit.RowRate   `toml:"iops"`      // rows per second
	Latency   *unit.Duration `toml:"latency"`   // of one batched get
	Batch     int            `toml:"batch"`     // rows
}

// remoteFile is parameter servers below host memory. What it leaves out comes from
// the pool's host and network port.
type remoteFile struct {
	Rule      string         `toml:"rule"`      // inclusive, exclusive: of host memory
	Servers   int            `toml:"servers"`   // parameter servers
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
			insideFile: insideFile{TensorParallel: 1, Recompute: "none", Shares: "by-speed", Transfers: placement.OverlappedTransfers, CollectiveTimes: "links"},
		},
		Placement: placeFile{Policy: "genetic", Fitness: "closed-form", Merge: "contiguous", Communication: "overlap", Objective: "throughput", Knobs: placement.DefaultKnobs()},
	}
}

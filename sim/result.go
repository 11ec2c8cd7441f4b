package sim

import (
	"time"

	"stowage/hw/unit"
	"stowage/sim/slots"
)

// Result is what a run yields: a value without ties to the run, a function of
// scenario, seed and version alone. Wall-clock figures never enter it.
type Result struct {
	Scenario string `json:"scenario"`
	Title    string `json:"title,omitempty"`
	Seed     int64  `json:"seed"`
	Version  string `json:"version"`

	// Replacement names the replacement policy of the slot tables; empty when no
	// layer of the target scheme uses one.
	Replacement string `json:"replacement,omitempty"`

	Metrics Metrics `json:"metrics"`
	Scheme  Scheme  `json:"scheme"`
	Search  *Search `json:"search,omitempty"`
	// Levels is nil when the search alone decided.
	Levels *Levels `json:"levels,omitempty"`
	Rounds []Round `json:"rounds,omitempty"`
	// Curves holds hit ratios by number of slots, a curve for every embedding
	// layer that the target scheme puts behind a slot table.
	Curves []Curve `json:"curves,omitempty"`
	// Stalls says what stages waited for when they waited for embedding rows, in the
	// order of the way of a row; causes without a wait are left out.
	Stalls []Stall `json:"stalls,omitempty"`
	// Links are those of the cluster's network that carried most for what they can, the
	// first one most; absent without a network.
	Links []Link `json:"links,omitempty"`
	// Jobs are this one and those beside it, which share the network; absent without others.
	Jobs []SharedJob `json:"jobs,omitempty"`
	// Incidents say when which trouble was, and Lost where the time went that no round
	// had that counts; absent where nothing goes wrong.
	Incidents []Incident `json:"incidents,omitempty"`
	Lost      []LostTime `json:"lost,omitempty"`
	// LostRounds were finished, then lost with a device and done again. They are not in
	// Rounds.
	LostRounds []Round `json:"lost_rounds,omitempty"`
	// CacheStats are FBGEMM's counters over all slot tables; nil: there are none.
	CacheStats *slots.CacheStats `json:"cache_stats,omitempty"`
	// Sweep holds what the target scheme would do with other slot tables.
	Sweep *Sweep `json:"sweep,omitempty"`
	// WhatIf answers questions about variations of the scenario.
	WhatIf *WhatIf `json:"whatif,omitempty"`
	// Timeline says what happened when in one warm step. It is not part of the JSON.
	Timeline *Timeline `json:"-"`
	// Warnings are things to know before trusting the numbers.
	Warnings []string `json:"warnings,omitempty"`
	// Resolved is the scenario as it was run, in TOML: with defaults and what the
	// command line changed. It can be run again.
	Resolved string `json:"resolved,omitempty"`
}

// Link is what a link of the cluster's network did in the run.
type Link struct {
	Name  string  `json:"name"`  // what it joins
	Bytes int64   `json:"bytes"` // carried
	Use   float64 `json:"use"`   // of what it could have carried in all the time, 0 to 1
	Busy  float64 `json:"busy"`  // share of the time with something on it
}

// Scheme is the target scheme and how busy its stages were.
type Scheme struct {
	Placement  string   `json:"placement"`   // placement policy
	Fitness    string   `json:"fitness"`     // fidelity the policy searched with: closed-form, recurrence
	Objective  string   `json:"objective"`   // throughput, cost, time
	Merge      string   `json:"merge"`       // contiguous, by-type, convex
	Schedule   string   `json:"schedule"`    // gpipe, 1f1b
	LayerNames []string `json:"layer_names"` // in model order
	Layers     []string `json:"layers"`      // device type of each layer
	Pools      []string `json:"pools"`       // pool of each layer
	Stages     []Stage  `json:"stages"`
	Servers    *Servers `json:"servers,omitempty"` // nil: none are provisioned
}

// Servers are the parameter servers that the stages push gradients to.
type Servers struct {
	Device  string `json:"device"` // device type
	Pool    string `json:"pool"`
	Devices int    `json:"devices"`
}

// Stage is one stage of the target scheme. Busy, Sync, Stall, Idle and
// Lost are shares of the run's time and sum to 1.
type Stage struct {
	Device  string `json:"device"` // device type
	Kind    string `json:"kind"`   // cpu, gpu, npu
	Pool    string `json:"pool"`
	First   int    `json:"first"` // first layer
	Last    int    `json:"last"`  // last layer (a by-type stage may skip layers between)
	Layers  []int  `json:"layers"`
	Devices int    `json:"devices"`
	// TensorParallel is how many of the devices compute every layer of a replica
	// together; 0: each is a replica.
	TensorParallel int `json:"tensor_parallel,omitempty"`

	// Samples are those that each device of a group of unlike ones takes of what a replica
	// takes at a time; nil: the devices are alike.
	Samples []int `json:"samples,omitempty"`

	Busy  float64 `json:"busy"`  // computing
	Sync  float64 `json:"sync"`  // synchronising gradients among replicas
	Stall float64 `json:"stall"` // waiting for embedding rows to reach slots
	Idle  float64 `json:"idle"`  // waiting for other stages: bubbles
	// Lost is the share spent on checkpoints, restarts, reconfigurations and waiting for devices; work
	// that was lost is in the others.
	Lost float64 `json:"lost,omitempty"`

	Forward  time.Duration `json:"forward_ns"`  // per micro-batch
	Backward time.Duration `json:"backward_ns"` // per micro-batch

	Memory Memory `json:"memory"` // peak of one device
}

// Memory is the peak memory of one device of a stage, by use.
type Memory struct {
	Weights     unit.Bytes `json:"weights"`
	Gradients   unit.Bytes `json:"gradients"`
	Optimizer   unit.Bytes `json:"optimizer"`
	Activations unit.Bytes `json:"activations"`
	Slots       unit.Bytes `json:"slots"` // slot tables, or whole tables where no slot table is used
	Total       unit.Bytes `json:"total"`
	Capacity    unit.Bytes `json:"capacity"`
}

// Search says how the target scheme was found.
type Search struct {
	Evaluations int          `json:"evaluations"`           // distinct schemes whose fitness was computed
	Repeats     int          `json:"repeats,omitempty"`     // times that the policy came back to one of them
	Certificate string       `json:"certificate,omitempty"` // what was proven about the target scheme; empty: nothing
	Stopped     string       `json:"stopped,omitempty"`     // the budget or interrupt that ended the search; empty: it ended by itself
	History     []Generation `json:"history,omitempty"`
	// Front holds the schemes seen that no other one beats in both throughput and cost,
	// by rising cost, and Target is where the target scheme lies, all by the fidelity of
	// the search. Where nothing costs anything there is no front.
	Front  []FrontPoint `json:"front,omitempty"`
	Target *FrontPoint  `json:"target,omitempty"`
}

// Generation is the state of a search after some evaluations: for `genetic`
// one a generation, for other policies one at every improvement.
type Generation struct {
	Generation  int     `json:"generation"`
	Evaluations int     `json:"evaluations"`
	Best        float64 `json:"best"`           // best fitness so far
	Mean        float64 `json:"mean,omitempty"` // mean fitness of the feasible part of the population; 0: none
	// Feasible is the feasible share of the population; 0 where it does not apply.
	Feasible float64 `json:"feasible,omitempty"`
}

// Round is one training round (step) of the run. Counters sum over all slot tables.
type Round struct {
	Round      int           `json:"round"`
	Start      time.Duration `json:"start_ns"` // the End of the round before, or when the job went on after trouble
	End        time.Duration `json:"end_ns"`
	StepTime   time.Duration `json:"step_ns"` // End - Start
	Throughput float64       `json:"throughput"`
	Stall      time.Duration `json:"stall_ns"` // longest wait of a stage for embedding rows
	// Redone says how often the round had been finished and lost before.
	Redone int `json:"redone,omitempty"`

	// Slots is nil when no layer of the scheme uses a slot table.
	Slots *SlotCounters `json:"slots,omitempty"`
}

// SlotCounters count what one round did to the slot tables.
type SlotCounters struct {
	Lookups     int64   `json:"lookups"`
	Unique      int64   `json:"unique"`
	Hits        int64   `json:"hits"`               // unique rows found in a slot
	Misses      int64   `json:"misses"`             // unique rows that were in no slot
	Bypasses    int64   `json:"bypasses,omitempty"` // of Misses: served from host memory, without a slot
	Evictions   int64   `json:"evictions"`
	WriteBacks  int64   `json:"write_backs"`
	HitRatio    float64 `json:"hit_ratio"`              // hits / unique
	Traded      int64   `json:"bytes_traded,omitempty"` // between devices: rows and gradients
	StoreReads  int64   `json:"store_reads,omitempty"`  // rows from the tier below host memory
	StoreWrites int64   `json:"store_writes,omitempty"`
	BytesIn     int64   `json:"bytes_in"`             // host into slots
	BytesOut    int64   `json:"bytes_out"`            // slots to host
	BytesPast   int64   `json:"bytes_past,omitempty"` // between host and device, both ways, past the slots
	Used        int64   `json:"used"`                 // slots in use after the round
}

// Stall is how long stages waited for embedding rows for one cause, summed over
// stages.
type Stall struct {
	Cause string        `json:"cause"` // input, order, slots, index, ssd, remote, host, link, devices
	Time  time.Duration `json:"time_ns"`
	Share float64       `json:"share"` // of all stalls
}

// Sweep is the best scheme, simulated, with an embedding layer on each of several
// pools, and there with slot tables of several capacities and replacement policies.
type Sweep struct {
	Layer    string       `json:"layer"`     // the layer that moves
	RowBytes unit.Bytes   `json:"row_bytes"` // of one slot
	Rows     int64        `json:"rows"`      // of the layer
	Points   []SweepPoint `json:"points"`
	// Devices are the device types whose memory the points can be measured against:
	// those of the cluster's accelerators.
	Devices []SweepDevice `json:"devices,omitempty"`
}

// SweepPoint is one run of a sweep. Without a slot table (a layer on a CPU) there is
// no replacement policy, no slots and no hit ratio.
type SweepPoint struct {
	Pool        string  `json:"pool"` // of the layer
	Device      string  `json:"device"`
	Kind        string  `json:"kind"` // cpu, gpu, npu
	Replacement string  `json:"replacement,omitempty"`
	Slots       int     `json:"slots,omitempty"`            // of the layer
	HitRatio    float64 `json:"hit_ratio,omitempty"`        // unique rows, last three quarters of the rounds
	LookupHits  float64 `json:"lookup_hit_ratio,omitempty"` // lookups, the same rounds
	Throughput  float64 `json:"throughput,omitempty"`       // samples/s over the last quarter of the rounds; 0: see Infeasible
	// Infeasible says why the scheme cannot be run with this slot table.
	Infeasible string `json:"infeasible,omitempty"`
}

// SweepDevice is a device type and how many slots its memory would hold.
type SweepDevice struct {
	Device string `json:"device"`
	Slots  int64  `json:"slots"` // memory / row_bytes
}

// Curve is hit ratio by number of slots for one embedding layer.
type Curve struct {
	Layer    string       `json:"layer"`
	Policy   string       `json:"policy"`
	RowBytes unit.Bytes   `json:"row_bytes"` // of one slot
	Rows     int64        `json:"rows"`      // rows of the layer's tables
	Slots    int          `json:"slots"`     // what the scenario gives the layer
	Points   []CurvePoint `json:"points"`
}

// CurvePoint is one point of a Curve. Warm leaves out the first quarter of the rounds.
type CurvePoint struct {
	Slots    int     `json:"slots"`
	HitRatio float64 `json:"hit_ratio"` // hits / unique rows over all rounds
	Warm     float64 `json:"warm"`
}

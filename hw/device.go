package hw

import (
	"time"

	"stowage/hw/unit"
)

// Kind is the class of a device type.
type Kind string

// The kinds of device types.
const (
	CPU Kind = "cpu"
	GPU Kind = "gpu"
	NPU Kind = "npu" // any other accelerator with its own memory
)

// Accelerator reports whether devices of this kind have a memory of their own
// apart from the host's, so that embedding rows must be moved into it.
func (k Kind) Accelerator() bool { return k != CPU }

// Precision names a number format of arithmetic.
type Precision string

// The precisions for which a device file may state a peak.
const (
	FP64 Precision = "fp64"
	FP32 Precision = "fp32"
	TF32 Precision = "tf32"
	BF16 Precision = "bf16"
	FP16 Precision = "fp16"
	FP8  Precision = "fp8"
	INT8 Precision = "int8"
)

// Device is a device type: a kind of CPU socket, GPU or accelerator card.
type Device struct {
	Name   string // how scenarios call it: "v100-16"
	Title  string // for people: "NVIDIA Tesla V100 SXM2 16 GB"
	Vendor string
	Kind   Kind
	Year   int // of release

	Peak   map[Precision]unit.FLOPS // dense arithmetic, no sparsity
	Memory Memory
	Gather Gather // random access to embedding rows in the device's own memory

	Overhead time.Duration // per layer and direction: kernel launches, framework dispatch

	// Launch is how long the host takes to launch one operation of a layer whose
	// operations run one after the other. It launches ahead: only where the device is
	// faster does it wait. 0: no time.
	Launch time.Duration

	ComputeEfficiency Efficiency // reached share of peak, by FLOPs of one layer call
	MemoryEfficiency  Curve      // reached share of bandwidth, by bytes of one layer call

	// Parallel is Amdahl's alpha of a dense layer when k devices of this type
	// share it: time x ((1 - alpha) + alpha / k). A layer may override it.
	Parallel float64

	Price unit.Price // per device and hour

	Sources map[string]string // TOML key -> where its value comes from
}

// Memory is a memory of a device or a node.
type Memory struct {
	Capacity  unit.Bytes
	Bandwidth unit.Rate
}

// Gather is the cost of reading or writing rows at random places of a memory:
// n rows of b bytes take n / Rows + n*b / Bandwidth. Both terms count: a row
// gather is far slower than a copy of as many bytes.
type Gather struct {
	Rows      unit.RowRate // rows/s when rows are tiny: the per-row cost
	Bandwidth unit.Rate    // bytes/s when rows are long
}

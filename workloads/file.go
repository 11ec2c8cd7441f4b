package workloads

import (
	"stowage/hw/unit"
)

// A model file is TOML:
//
//	title  = "VGG-16"
//	source = "where the architecture and its numbers come from"
//
//	[[layer]]
//	name = "conv1"
//	op   = [{ conv = { in = 3, out = 64, kernel = 3, size = 224 } }, { activation = { elements = 3_211_264 } }]
//
// A layer is a list of operations: conv, linear, attention, recurrent, norm,
// activation, pool, lookup, dot, concat, loss (their keys: ops.go). FLOPs,
// traffic, parameters, kept activations and output follow from the shapes; its
// output is that of the last operation. Any of the keys flops, traffic, params,
// output, stored, backward replaces the derived amount; a layer without
// operations gives them itself. The kind is that of the operations when they
// agree, else "block", else what the key kind says.
//
// repeat = 24 makes a chain of 24 such layers, NAME.1 to NAME.24.
//
// What tensor parallelism divides of a layer follows from operations that say split,
// and from attention; layers without operations may say it themselves:
//
//	split       = { flops = 6.4e10, traffic = 4.2e6, params = 16_777_216, stored = 4.2e6 }
//	reduce      = { times = 1, elements = 2_097_152 } # all-reduces of a forward pass
//	reduce_back = { times = 1, elements = 2_097_152 } # and of a backward pass
//
// core = { flops, traffic, stored } is what selective recomputation computes again, and
// keep = true exempts the layer from recomputation of any kind.
//
// Operations of a layer are timed as one, whose arithmetic hides its memory traffic;
// with separate = true they run one after the other, and their times add up, as frameworks
// run them that do not fuse them. At the top of a file it holds for all layers of which
// operations say all (flops, traffic, params, backward and split are not given).
//
// A sparse layer has tables instead of operations,
//
//	table = [{ name = "user", rows = 1_000_000, dim = 16, lookups = 3 }]
//
// and hands on one vector a table, the sum of its lookups (pooling = "sum", the
// default), or all rows (pooling = "none").
//
// Measured times go into profiles, one entry per device type, number of devices and batch:
//
//	[[layer.profile]]
//	device = "v100-16"
//	batch = 128
//	forward = "22.3 ms"
//	backward = "24.6 ms"
//
// With only_profiled = true, device types without a profile cannot run the
// layer; else they are timed by roofline.
//
// An entry may say tensor_parallel = 4 (default 1): so many devices computed the layer
// together, and what they summed up among themselves is in the times. Replicas of so many
// devices take these times as they are. For a number that was not measured, times of one
// device are scaled by what each of them has to do, and the all-reduces of the layer are
// added; a layer with only_profiled = true cannot run on so many. An entry may also say
// update = "1.3 ms", the optimizer's time for the layer's parameters on a device, which
// follows the synchronisation of gradients; without it that takes no time.
//
// Without edges the layers are a chain. Else edges are complete:
//
//	edge = [{ from = "input", to = "embedding", elements = 26 }]
//
// elements (per sample) defaults to the output of the layer it comes from. An
// edge to a repeated layer's NAME goes to its first copy, from NAME comes from
// its last. Layers that are out of order are sorted, keeping the file's order
// where edges allow.
type modelFile struct {
	Title    string      `toml:"title"`
	Source   string      `toml:"source"`
	Separate bool        `toml:"separate"`
	Layers   []layerFile `toml:"layer"`
	Edges    []edgeFile  `toml:"edge"`
}

type layerFile struct {
	Name   string `toml:"name"`
	Kind   string `toml:"kind"`
	Repeat *int   `toml:"repeat"`

	Ops     []opFile    `toml:"op"`
	Tables  []tableFile `toml:"table"`
	Pooling string      `toml:"pooling"`

	FLOPs    *float64 `toml:"flops"`
	Traffic  *float64 `toml:"traffic"`
	Params   *int64   `toml:"params"`
	Output   *float64 `toml:"output"`
	Stored   *float64 `toml:"stored"`
	Backward *float64 `toml:"backward"`
	Parallel *float64 `toml:"parallel"`

	Split      *amountsFile   `toml:"split"`
	Core       *amountsFile   `toml:"core"`
	Reduce     *reductionFile `toml:"reduce"`
	ReduceBack *reductionFile `toml:"reduce_back"`
	Keep       bool           `toml:"keep"`
	Separate   bool           `toml:"separate"`

	Profiles     []profileFile `toml:"profile"`
	OnlyProfiled bool          `toml:"only_profiled"`
}

// amountsFile is a part of a layer's amounts.
type amountsFile struct {
	FLOPs   float64 `toml:"flops"`
	Traffic float64 `toml:"traffic"`
	Params  float64 `toml:"params"`
	Stored  float64 `toml:"stored"`
}

type reductionFile struct {
	Times    int     `toml:"times"`
	Elements float64 `toml:"elements"` // per sample, of all times
}

type opFile struct {
	Conv       *convOp       `toml:"conv"`
	Linear     *linearOp     `toml:"linear"`
	Attention  *attentionOp  `toml:"attention"`
	Recurrent  *recurrentOp  `toml:"recurrent"`
	Norm       *normOp       `toml:"norm"`
	Activation *activationOp `toml:"activation"`
	Pool       *poolOp       `toml:"pool"`
	Lookup     *lookupOp     `toml:"lookup"`
	Dot        *dotOp        `toml:"dot"`
	Concat     *concatOp     `toml:"concat"`
	Loss       *lossOp       `toml:"loss"`
}

// opNames lists the operations as model files name them.
const opNames = "conv, linear, attention, recurrent, norm, activation, pool, lookup, dot, concat, loss"

// given returns the operations that the entry names, with their keys.
func (f *opFile) given() (ops []operation, keys []string) {
	add := func(key string, op operation, ok bool) {
		if ok {
			ops, keys = append(ops, op), append(keys, key)
		}
	}
	add("conv", f.Conv, f.Conv != nil)
	add("linear", f.Linear, f.Linear != nil)
	add("attention", f.Attention, f.Attention != nil)
	add("recurrent", f.Recurrent, f.Recurrent != nil)
	add("norm", f.Norm, f.Norm != nil)
	add("activation", f.Activation, f.Activation != nil)
	add("pool", f.Pool, f.Pool != nil)
	add("lookup", f.Lookup, f.Lookup != nil)
	add("dot", f.Dot, f.Dot != nil)
	add("concat", f.Concat, f.Concat != nil)
	add("loss", f.Loss, f.Loss != nil)
	return ops, keys
}

type tableFile struct {
	Name    string `toml:"name"`
	Rows    int64  `toml:"rows"`
	Dim     int    `toml:"dim"`
	Lookups *int   `toml:"lookups"` // default 1
}

type profileFile struct {
	Device   string         `toml:"device"`
	Tensor   *int           `toml:"tensor_parallel"` // devices that computed the layer together; default 1
	Batch    int            `toml:"batch"`
	Forward  *unit.Duration `toml:"forward"`
	Backward *unit.Duration `toml:"backward"`
	Update   *unit.Duration `toml:"update"` // the optimizer's, of the layer's parameters on one device; default: not measured
}

type edgeFile struct {
	From     string         `toml:"from"`
	To       string         `toml:"to"`
	Elements *float64       `toml:"elements"`
	Time     *unit.Duration `toml:"time"` // measured transfer time per micro-batch; replaces elements
}

// Package workloads says what is asked of machines: models as graphs of
// layers, the tables of embedding layers, and measured layer profiles.
//
// Amounts are per sample and in elements (numbers), not bytes: the training
// precision decides how many bytes an element takes. Models are embedded TOML
// files (models/*.toml) or are imported from profile formats of other tools.
package workloads

// Kind is what a layer computes. It decides defaults and colours, not time.
type Kind string

// The kinds of layers.
const (
	Input       Kind = "input"       // reads and decodes samples
	Embedding   Kind = "embedding"   // looks rows up in tables
	Linear      Kind = "linear"      // fully connected
	Conv        Kind = "conv"        // convolution
	Attention   Kind = "attention"   //
	Recurrent   Kind = "recurrent"   // LSTM, GRU
	Norm        Kind = "norm"        // batch or layer normalisation
	Activation  Kind = "activation"  // element-wise: ReLU, GELU, dropout, add
	Pool        Kind = "pool"        //
	Interaction Kind = "interaction" // feature crosses, concatenation, dot products
	Loss        Kind = "loss"        //
	Block       Kind = "block"       // several of the above as one layer
)

// Model is a network as a graph of layers in topological order.
type Model struct {
	Name   string
	Title  string
	Source string // where the architecture and its numbers come from
	Layers []Layer
	Edges  []Edge // sorted by (From, To); From < To always
}

// Layer is the unit of placement.
type Layer struct {
	Name string
	Kind Kind

	FLOPs    float64 // forward, per sample; a multiply-add counts 2
	Traffic  float64 // forward memory traffic beside weights and table rows, elements read and written per sample
	Params   int64   // dense trainable parameters, elements
	Output   float64 // elements per sample handed to the layers behind
	Stored   float64 // elements per sample kept from forward to backward
	Backward float64 // work of backward as a multiple of forward (2 for matrix products, 0: none)

	// Parallel is Amdahl's alpha for this layer; negative: the device type's.
	Parallel float64

	// Split is what devices that compute the layer together, by tensor parallelism,
	// divide of its amounts; each of them does and keeps all of the rest.
	Split Amounts
	// Reduce and ReduceBack are what they sum up among themselves for it, in a forward
	// and in a backward pass.
	Reduce, ReduceBack Reduction
	// Core is the part of the layer that selective recomputation drops and computes
	// again before its backward pass: of attention all that grows with the square of
	// the sequence. Its Params count for nothing.
	Core Amounts
	// Keep exempts the layer from recomputation.
	Keep bool
	// Calls are the operations of the layer that run one after the other, so that their
	// times add up; nil: the layer runs as one, and its arithmetic hides its traffic.
	Calls []Call

	// OnlyProfiled says that the layer's work is known through Profiles alone:
	// FLOPs and Traffic do not describe it, so a device type without a profile
	// cannot run it (a roofline would call it free).
	OnlyProfiled bool

	// Tables are the embedding tables that the layer looks up, in key order:
	// the row ids of a layer are numbered through its tables.
	Tables []Table

	Profiles []Profile // measured times, at most one per device type and degree, sorted by both
}

// Amounts are parts of a layer's, per sample where those are.
type Amounts struct{ FLOPs, Traffic, Params, Stored float64 }

// Call is one operation of a layer.
type Call struct {
	Amounts          // forward, per sample; Stored counts for nothing
	Split    Amounts // what of it tensor parallelism divides
	Backward float64 // as that of a layer
	Core     bool    // selective recomputation computes it again
}

// Reduction is a number of all-reduces and the elements per sample of all of them.
type Reduction struct {
	Times    int
	Elements float64
}

// Divided reports whether tensor parallelism divides anything of the layer. Sequence
// parallelism then divides what that leaves whole of its passes, too.
func (l *Layer) Divided() bool { return l.Split != Amounts{} || l.Reduce.Times+l.ReduceBack.Times > 0 }

// Sparse reports whether the layer looks up embedding tables.
func (l *Layer) Sparse() bool { return len(l.Tables) > 0 }

// Rows returns the number of rows of all tables of the layer.
func (l *Layer) Rows() int64 {
	var n int64
	for i := range l.Tables {
		n += l.Tables[i].Rows
	}
	return n
}

// Table is an embedding table.
type Table struct {
	Name    string
	Rows    int64
	Dim     int // elements per row
	Lookups int // per sample
}

// Profile is what was measured for one layer on one device type, or on several devices
// of it that computed the layer together.
type Profile struct {
	Device string         // device type name
	Tensor int            // devices that computed it together, by tensor parallelism; 0: one
	Points []ProfilePoint // sorted by Batch, at least one
}

// ProfilePoint holds seconds for one forward and one backward pass of a batch. Where
// several devices computed the layer, what they summed up among themselves is in them.
type ProfilePoint struct {
	Batch             int
	Forward, Backward float64
	Update            float64 // the optimizer's, of the layer's parameters on one of the devices; 0: not measured
}

// Edge is a dependency of layer To on layer From. Cutting it moves data.
type Edge struct {
	From, To int     // indices into Layers
	Elements float64 // per sample
	// Seconds is a measured transfer time per micro-batch that overrides
	// Elements when positive (some profile formats carry it).
	Seconds float64
}

package workloads

import "fmt"

// work is what one operation, or a layer of several, asks for: the amounts of
// a Layer. It is derived from shapes, which are harder to get wrong than sums.
//
// One convention throughout, that of the training frameworks: an operation
// keeps its input for the backward pass (stored), except where it works in
// place. FLOPs count a multiply-add as 2; element-wise work is counted too,
// so totals lie slightly above figures that count multiply-adds alone.
type work struct {
	flops, traffic, params, output, stored float64

	backward float64 // multiple of forward

	split, core        Amounts
	reduce, reduceBack Reduction
	calls              []Call // nil: one
}

// separate returns the operations that run one after the other.
func (w *work) separate() []Call {
	if w.calls != nil {
		return w.calls
	}
	return []Call{{Amounts: w.all(), Split: w.split, Backward: w.backward}}
}

// all returns everything that a layer of w alone can divide.
func (w *work) all() Amounts {
	return Amounts{FLOPs: w.flops, Traffic: w.traffic, Params: w.params, Stored: w.stored}
}

func (a Amounts) add(b Amounts) Amounts {
	return Amounts{a.FLOPs + b.FLOPs, a.Traffic + b.Traffic, a.Params + b.Params, a.Stored + b.Stored}
}

func (r Reduction) add(o Reduction) Reduction {
	return Reduction{r.Times + o.Times, r.Elements + o.Elements}
}

// The ratio of backward to forward. A matrix product has two of its own size
// behind it, one for each operand's gradient. An embedding's is what TorchRec's
// planner charges (torchrec/distributed/planner: backward multiplier 2).
// Element-wise work moves about as much backwards as forwards (PipeDream's
// measured ResNet-50: ReLU 1.4 and 1.5 ms).
const (
	matrixBackward      = 2
	embeddingBackward   = 2
	elementwiseBackward = 1
)

// Batch normalisation of images in training cannot know a channel's mean before it has
// seen all of it: its input is read twice and its output written once; backwards the
// input and the gradient are read twice, and a gradient is written. (PipeDream's measured
// ResNet-50 on a V100, less 0.33 ms a call of the profiler: layers of 411 MB move 3.4 times
// as much forwards and 5.3 times backwards.) A token fits into registers: layer
// normalisation reads its input once, but backwards, where the gradients of its weights are another
// operation, it reads input and gradient twice, too.
const (
	batchNormTraffic  = 3
	batchNormBackward = 5.0 / 3
	layerNormBackward = 5.0 / 2
)

// Arithmetic per element. Batch and layer normalisation: mean (1), variance
// (3), normalise (2), scale and shift (2). Softmax with loss: maximum,
// subtract, exponential, sum, divide.
const (
	normOps = 8
	lossOps = 5
)

// operation is one shape of a model file.
type operation interface {
	kind() Kind
	// work derives the amounts. A shape that cannot be is an error that starts
	// with the key at fault.
	work() (work, error)
}

// convOp is a 2-D convolution with square kernels and images. Its output is
// Out x Size x Size.
type convOp struct {
	In     int   `toml:"in"`     // channels
	Out    int   `toml:"out"`    // channels
	Kernel int   `toml:"kernel"` // height and width
	Size   int   `toml:"size"`   // height and width of the output
	Stride int   `toml:"stride"` // default 1
	Groups int   `toml:"groups"` // default 1
	Bias   *bool `toml:"bias"`   // default true
}

func (o *convOp) kind() Kind { return Conv }

func (o *convOp) work() (work, error) {
	stride, groups := orOne(o.Stride), orOne(o.Groups)
	err := shapes("in", o.In, "out", o.Out, "kernel", o.Kernel, "size", o.Size, "stride", stride, "groups", groups)
	if err != nil {
		return work{}, err
	}
	if o.In%groups != 0 || o.Out%groups != 0 {
		return work{}, fmt.Errorf("groups: %d divides not both in = %d and out = %d", groups, o.In, o.Out)
	}
	input := product(o.In, o.Size, stride, o.Size, stride)
	output := product(o.Out, o.Size, o.Size)
	weights := product(o.Kernel, o.Kernel, o.In/groups, o.Out)
	return work{
		flops:    2 * product(o.Kernel, o.Kernel, o.In/groups) * output,
		traffic:  input + output,
		params:   weights + bias(o.Bias, o.Out),
		output:   output,
		stored:   input,
		backward: matrixBackward,
	}, nil
}

// linearOp is a fully connected layer, applied to every token of a sample.
type linearOp struct {
	In     int   `toml:"in"`
	Out    int   `toml:"out"`
	Tokens int   `toml:"tokens"` // default 1
	Bias   *bool `toml:"bias"`   // default true
	Tied   bool  `toml:"tied"`   // the weights are another layer's: only the bias counts as parameters
	// Split is how tensor parallelism divides the weights: "column" (every device makes
	// a part of the output, and knows a part of the input's gradient, which all sum up) or
	// "row" (it has a part of the input, and knows a part of the sum that is the output);
	// default: not at all. A column before a row needs nothing between them (Shoeybi et
	// al. 2019, arXiv:1909.08053).
	Split string `toml:"split"`
}

func (o *linearOp) kind() Kind { return Linear }

func (o *linearOp) work() (work, error) {
	tokens := orOne(o.Tokens)
	if err := shapes("in", o.In, "out", o.Out, "tokens", tokens); err != nil {
		return work{}, err
	}
	input, output := product(o.In, tokens), product(o.Out, tokens)
	params := bias(o.Bias, o.Out)
	if !o.Tied {
		params += product(o.In, o.Out)
	}
	w := work{
		flops:    2 * float64(o.In) * output,
		traffic:  input + output,
		params:   params,
		output:   output,
		stored:   input,
		backward: matrixBackward,
	}
	w.split = w.all()
	switch o.Split {
	case "":
		w.split = Amounts{}
	case "column":
		w.split.Traffic, w.split.Stored = output, 0
		w.reduceBack = Reduction{1, input}
	case "row":
		w.split.Traffic, w.split.Params = input, params-bias(o.Bias, o.Out)
		w.reduce = Reduction{1, output}
	default:
		return work{}, fmt.Errorf(`split: unknown way %q; known: "column", "row"`, o.Split)
	}
	return w, nil
}

// recurrentOp is one LSTM layer.
type recurrentOp struct {
	In     int `toml:"in"`
	Hidden int `toml:"hidden"`
	Tokens int `toml:"tokens"`
}

func (o *recurrentOp) kind() Kind { return Recurrent }

// work: four gates, each a product with the input and with the last state; two
// bias vectors a gate (cuDNN's and PyTorch's form). The gates and the cell
// state of every token are kept beside the input.
func (o *recurrentOp) work() (work, error) {
	if err := shapes("in", o.In, "hidden", o.Hidden, "tokens", o.Tokens); err != nil {
		return work{}, err
	}
	input, output := product(o.In, o.Tokens), product(o.Hidden, o.Tokens)
	return work{
		flops:    lstmFLOPs(o.In, o.Hidden) * output,
		traffic:  input + 9*output, // gates written and read, state written
		params:   4 * (product(o.In+o.Hidden, o.Hidden) + 2*float64(o.Hidden)),
		output:   output,
		stored:   input + 5*output,
		backward: matrixBackward,
	}, nil
}

// lstmFLOPs returns the FLOPs of an LSTM for each element of its output.
func lstmFLOPs(in, hidden int) float64 { return 2 * 4 * float64(in+hidden) }

// normOp is batch or layer normalisation of Channels x positions.
type normOp struct {
	Channels int `toml:"channels"`
	Size     int `toml:"size"`   // height and width of an image
	Tokens   int `toml:"tokens"` // of a sequence; default 1
}

func (o *normOp) kind() Kind { return Norm }

func (o *normOp) work() (work, error) {
	if o.Size != 0 && o.Tokens != 0 {
		return work{}, fmt.Errorf("tokens: give either size (an image) or tokens (a sequence), not both")
	}
	size, tokens := orOne(o.Size), orOne(o.Tokens)
	if err := shapes("channels", o.Channels, "size", size, "tokens", tokens); err != nil {
		return work{}, err
	}
	n := product(o.Channels, size, size, tokens)
	w := work{
		flops: normOps * n, traffic: 2 * n, params: 2 * float64(o.Channels),
		output: n, stored: n, backward: elementwiseBackward,
	}
	switch {
	case o.Size != 0:
		w.traffic, w.backward = batchNormTraffic*n, batchNormBackward
	case o.Tokens != 0:
		w.backward = layerNormBackward
	}
	return w, nil
}

// activationOp is element-wise work: ReLU, GELU, dropout, a residual add.
type activationOp struct {
	Elements int     `toml:"elements"`
	Ops      float64 `toml:"ops"`   // FLOPs per element; default 1
	Kept     float64 `toml:"kept"`  // elements kept for backward, per element; default 0, in place
	Moved    float64 `toml:"moved"` // elements read and written, per element; default 2
	Split    bool    `toml:"split"` // tensor parallelism divides it, as between split linears
}

func (o *activationOp) kind() Kind { return Activation }

func (o *activationOp) work() (work, error) {
	if err := shapes("elements", o.Elements); err != nil {
		return work{}, err
	}
	if o.Ops < 0 || o.Ops > 1000 {
		return work{}, fmt.Errorf("ops: %v per element; 0 to 1000 are accepted", o.Ops)
	}
	if o.Kept < 0 || o.Kept > 1000 {
		return work{}, fmt.Errorf("kept: %v per element; 0 to 1000 are accepted", o.Kept)
	}
	if o.Moved < 0 || o.Moved > 1000 {
		return work{}, fmt.Errorf("moved: %v per element; 0 to 1000 are accepted", o.Moved)
	}
	ops, moved := o.Ops, o.Moved
	if ops == 0 {
		ops = 1
	}
	if moved == 0 {
		moved = 2
	}
	n := float64(o.Elements)
	w := work{flops: ops * n, traffic: moved * n, output: n, stored: o.Kept * n, backward: elementwiseBackward}
	if o.Split {
		w.split = w.all()
	}
	return w, nil
}

// poolOp is maximum or average pooling of an image.
type poolOp struct {
	Channels int `toml:"channels"`
	Kernel   int `toml:"kernel"`
	Size     int `toml:"size"`   // height and width of the output
	Stride   int `toml:"stride"` // default: the kernel
}

func (o *poolOp) kind() Kind { return Pool }

func (o *poolOp) work() (work, error) {
	stride := o.Stride
	if stride == 0 {
		stride = o.Kernel
	}
	if err := shapes("channels", o.Channels, "kernel", o.Kernel, "size", o.Size, "stride", stride); err != nil {
		return work{}, err
	}
	input := product(o.Channels, o.Size, stride, o.Size, stride)
	output := product(o.Channels, o.Size, o.Size)
	return work{
		flops:    product(o.Kernel, o.Kernel) * output,
		traffic:  input + output,
		output:   output,
		stored:   input,
		backward: elementwiseBackward,
	}, nil
}

// lookupOp is a small embedding whose table is trained densely, as in language
// models: its rows are parameters, not slots. Tables are for the large ones.
type lookupOp struct {
	Vocabulary int  `toml:"vocabulary"`
	Hidden     int  `toml:"hidden"`
	Tokens     int  `toml:"tokens"`
	Split      bool `toml:"split"` // tensor parallelism divides the vocabulary
}

func (o *lookupOp) kind() Kind { return Embedding }

func (o *lookupOp) work() (work, error) {
	if err := shapes("vocabulary", o.Vocabulary, "hidden", o.Hidden, "tokens", o.Tokens); err != nil {
		return work{}, err
	}
	output := product(o.Hidden, o.Tokens)
	w := work{
		traffic: 2*output + float64(o.Tokens), params: product(o.Vocabulary, o.Hidden),
		output: output, stored: float64(o.Tokens), backward: embeddingBackward,
	}
	if o.Split { // every device finds its part of the rows, and all sum up
		w.split = Amounts{Params: w.params}
		w.reduce = Reduction{1, output}
	}
	return w, nil
}

// dotOp is DLRM's interaction: the dot products of every pair of Vectors,
// behind the first vector itself (Naumov et al. 2019).
type dotOp struct {
	Vectors int `toml:"vectors"`
	Dim     int `toml:"dim"`
}

func (o *dotOp) kind() Kind { return Interaction }

func (o *dotOp) work() (work, error) {
	if err := shapes("vectors", o.Vectors, "dim", o.Dim); err != nil {
		return work{}, err
	}
	input, square := product(o.Vectors, o.Dim), product(o.Vectors, o.Vectors)
	output := float64(o.Dim) + product(o.Vectors, o.Vectors-1)/2
	return work{
		flops: 2 * square * float64(o.Dim), traffic: input + square + output,
		output: output, stored: input, backward: matrixBackward,
	}, nil
}

// concatOp gathers its inputs side by side: Elements in, as many out.
type concatOp struct {
	Elements int `toml:"elements"`
}

func (o *concatOp) kind() Kind { return Interaction }

func (o *concatOp) work() (work, error) {
	if err := shapes("elements", o.Elements); err != nil {
		return work{}, err
	}
	n := float64(o.Elements)
	return work{traffic: 2 * n, output: n, backward: elementwiseBackward}, nil
}

// lossOp is a softmax or logistic loss over Elements logits; one number comes out.
type lossOp struct {
	Elements int     `toml:"elements"`
	Split    bool    `toml:"split"` // tensor parallelism divides the logits, as those of a linear split by columns
	Moved    int     `toml:"moved"` // elements read and written for each logit; default 2
	Kept     float64 `toml:"kept"`  // elements kept for backward, for each logit; default 1
}

func (o *lossOp) kind() Kind { return Loss }

func (o *lossOp) work() (work, error) {
	if err := shapes("elements", o.Elements); err != nil {
		return work{}, err
	}
	moved := 2
	if o.Moved != 0 {
		moved = o.Moved
	}
	if err := shapes("moved", moved); err != nil {
		return work{}, err
	}
	if o.Kept < 0 || o.Kept > 1000 {
		return work{}, fmt.Errorf("kept: %v per logit; 0 to 1000 are accepted", o.Kept)
	}
	kept := o.Kept
	if kept == 0 {
		kept = 1
	}
	n := float64(o.Elements)
	w := work{flops: lossOps * n, traffic: float64(moved) * n, output: 1, stored: kept * n, backward: elementwiseBackward}
	if o.Split { // the maximum, the sum and the target's logit, a number a token each: too few to take more than latency
		w.split, w.reduce = w.all(), Reduction{Times: 3}
	}
	return w, nil
}

// add puts a second operation behind w. Backward stays the ratio of the sums,
// weighted by FLOPs, or by traffic where nothing is computed.
func (w work) add(next work) work {
	mine, theirs := w.flops, next.flops
	if mine+theirs == 0 {
		mine, theirs = w.traffic, next.traffic
	}
	ratio := max(w.backward, next.backward)
	if mine+theirs > 0 {
		ratio = (mine*w.backward + theirs*next.backward) / (mine + theirs)
	}
	return work{
		flops:    w.flops + next.flops,
		traffic:  w.traffic + next.traffic,
		params:   w.params + next.params,
		output:   next.output,
		stored:   w.stored + next.stored,
		backward: ratio,
		split:    w.split.add(next.split), core: w.core.add(next.core),
		reduce: w.reduce.add(next.reduce), reduceBack: w.reduceBack.add(next.reduceBack),
		calls: append(w.separate(), next.separate()...),
	}
}

// shapes checks pairs of key and value: each value is at least 1 and at most MaxShape.
func shapes(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		key, v := pairs[i].(string), pairs[i+1].(int)
		if v < 1 {
			return fmt.Errorf("%s: %d (or missing); it must be 1 or more", key, v)
		}
		if v > MaxShape {
			return fmt.Errorf("%s: %d; at most %d is accepted (workloads.MaxShape)", key, v, MaxShape)
		}
	}
	return nil
}

// product multiplies in float64, where shapes within the limits are exact far
// beyond any real layer and cannot wrap.
func product(factors ...int) float64 {
	p := 1.0
	for _, f := range factors {
		p *= float64(f)
	}
	return p
}

func orOne(v int) int {
	if v == 0 {
		return 1
	}
	return v
}

func bias(given *bool, out int) float64 {
	if given != nil && !*given {
		return 0
	}
	return float64(out)
}

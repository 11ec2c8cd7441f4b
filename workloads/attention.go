package workloads

import "fmt"

// A softmax of scores, scaled and masked as one operation, reads and writes them, and so
// does the dropout behind it, which writes a mask of one byte, too: half an element.
// Backwards the dropout does as much, and the softmax reads its output and a gradient and
// writes one.
const (
	softmaxTraffic  = 4.5
	softmaxBackward = 5.5 / 4.5
)

// attentionOp is multi-head self-attention with its four projections and the
// two dropouts: Hidden wide, Tokens long, the whole score matrix (also under a
// causal mask, as Megatron-LM counts).
type attentionOp struct {
	Hidden int `toml:"hidden"`
	Heads  int `toml:"heads"`
	Tokens int `toml:"tokens"`
}

func (o *attentionOp) kind() Kind { return Attention }

// work: three projections run as one product, then the scores, their softmax and dropout, the
// context and the last projection: 8 s h^2 FLOPs for the projections and 4 s^2 h for scores and context
// (Narayanan et al. 2021, appendix). Kept activations are 11 s h + 5 a s^2
// bytes at 2 bytes an element (Korthikanti et al. 2022, section 4.1), of which tensor
// parallelism divides 8 s h + 5 a s^2 (section 4.2.1) and selective recomputation drops
// 5 a s^2 (section 5).
func (o *attentionOp) work() (work, error) {
	if err := shapes("hidden", o.Hidden, "heads", o.Heads, "tokens", o.Tokens); err != nil {
		return work{}, err
	}
	if o.Hidden%o.Heads != 0 {
		return work{}, fmt.Errorf("heads: %d does not divide hidden = %d", o.Heads, o.Hidden)
	}
	h, s := float64(o.Hidden), float64(o.Tokens)
	scores := float64(o.Heads) * s * s
	// Heads are divided: all but the input, the output, its bias and the last dropout's mask.
	qkv := Amounts{FLOPs: 6 * s * h * h, Traffic: 4 * s * h, Params: 3*h*h + 3*h, Stored: 4 * s * h}
	products := Amounts{FLOPs: 2 * s * s * h, Traffic: 2*s*h + scores} // queries with keys, and weights with values
	softmax := Amounts{Traffic: softmaxTraffic * scores, Stored: 2.5 * scores}
	output := Amounts{FLOPs: 2 * s * h * h, Traffic: 2 * s * h, Params: h*h + h, Stored: 1.5 * s * h}
	ownQKV, ownOutput := qkv, output
	ownQKV.Traffic, ownQKV.Stored = 3*s*h, 3*s*h
	ownOutput.Traffic, ownOutput.Params, ownOutput.Stored = s*h, h*h, s*h
	w := work{
		output: s * h, backward: matrixBackward,
		reduce: Reduction{1, s * h}, reduceBack: Reduction{1, s * h},
		calls: []Call{
			{Amounts: qkv, Split: ownQKV, Backward: matrixBackward},
			{Amounts: products, Split: products, Backward: matrixBackward, Core: true},
			{Amounts: softmax, Split: softmax, Backward: softmaxBackward, Core: true},
			{Amounts: products, Split: products, Backward: matrixBackward, Core: true},
			{Amounts: output, Split: ownOutput, Backward: matrixBackward},
		},
	}
	for _, c := range w.calls {
		w.flops, w.traffic, w.params, w.stored = w.flops+c.FLOPs, w.traffic+c.Traffic, w.params+c.Params, w.stored+c.Stored
		w.split = w.split.add(c.Split)
		if c.Core {
			w.core = w.core.add(c.Amounts)
		}
	}
	return w, nil
}

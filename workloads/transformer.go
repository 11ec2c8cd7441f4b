package workloads

import "fmt"

// Transformer is the shape of a decoder-only language model: GPT-2, GPT-3 and their
// kin.
type Transformer struct {
	Layers      int  `toml:"layers"`       // blocks
	Hidden      int  `toml:"hidden"`       // width
	Heads       int  `toml:"heads"`        // attention heads of a block
	Sequence    int  `toml:"sequence"`     // tokens of a sample
	Vocabulary  int  `toml:"vocabulary"`   // default 51 200: GPT-2's, padded as Megatron-LM does
	FeedForward int  `toml:"feed_forward"` // width of the perceptron between; default 4 x hidden
	Untied      bool `toml:"untied"`       // the output has weights of its own, not those of the word embedding
}

// DefaultVocabulary is GPT-2's 50 257 tokens, padded to a multiple of 128 x 8 as
// Megatron-LM does for 8-way tensor parallelism.
const DefaultVocabulary = 51200

// Model lays the transformer out: an embedding of words and positions, its blocks, the
// head and the loss. FLOPs and parameters are those of Narayanan et al. 2021
// (arXiv:2104.04473), kept activations, and what tensor and sequence parallelism and
// recomputation make of them, those of Korthikanti et al. 2022 (arXiv:2205.05198).
// Blocks can be recomputed, embedding, head and loss are kept, as in Megatron-LM, and
// operations run one after the other. The error says which key is wrong.
func (t Transformer) Model(name string) (*Model, error) {
	if t.Vocabulary == 0 {
		t.Vocabulary = DefaultVocabulary
	}
	if t.FeedForward == 0 {
		t.FeedForward = 4 * t.Hidden
	}
	err := shapes("layers", t.Layers, "hidden", t.Hidden, "heads", t.Heads, "sequence", t.Sequence, "vocabulary", t.Vocabulary, "feed_forward", t.FeedForward)
	if err != nil {
		return nil, err
	}
	if t.Layers > MaxLayers-3 {
		return nil, fmt.Errorf("layers: %d; at most %d are accepted beside embedding, head and loss (workloads.MaxLayers)", t.Layers, MaxLayers-3)
	}
	m := &Model{
		Name:   name,
		Title:  fmt.Sprintf("transformer, %d blocks of %d, %d heads, %d tokens", t.Layers, t.Hidden, t.Heads, t.Sequence),
		Source: "generated: Narayanan et al. 2021 (arXiv:2104.04473), Korthikanti et al. 2022 (arXiv:2205.05198)",
	}
	width := t.Hidden * t.Sequence
	if err := t.add(m, "embedding", true,
		&lookupOp{Vocabulary: t.Vocabulary, Hidden: t.Hidden, Tokens: t.Sequence, Split: true},
		&lookupOp{Vocabulary: t.Sequence, Hidden: t.Hidden, Tokens: t.Sequence},
		&activationOp{Elements: width, Kept: 0.5}); err != nil {
		return nil, err
	}
	for i := range t.Layers {
		if err := t.add(m, fmt.Sprintf("block.%d", i+1), false, t.block()...); err != nil {
			return nil, err
		}
	}
	none := false
	if err := t.add(m, "head", true,
		&normOp{Channels: t.Hidden, Tokens: t.Sequence},
		&linearOp{In: t.Hidden, Out: t.Vocabulary, Tokens: t.Sequence, Tied: !t.Untied, Bias: &none, Split: "column"}); err != nil {
		return nil, err
	}
	// Megatron-LM's cross entropy casts logits to fp32, which counts twice, finds the
	// maximum, subtracts it, exponentiates, sums up and divides: 19 elements of half
	// precision read or written for each. Backwards it scales and casts: 7. Both count 13.
	// It keeps them in fp32: 4sbv bytes (Korthikanti et al. 2022, section 4.3).
	if err := t.add(m, "loss", true, &lossOp{Elements: t.Vocabulary * t.Sequence, Split: true, Moved: 13, Kept: 2}); err != nil {
		return nil, err
	}
	for l := range len(m.Layers) - 1 {
		m.Edges = append(m.Edges, Edge{From: l, To: l + 1, Elements: m.Layers[l].Output})
	}
	return m, m.Validate()
}

// block lists the operations of one block.
func (t *Transformer) block() []operation {
	h, s, f := t.Hidden, t.Sequence, t.FeedForward
	return []operation{
		&normOp{Channels: h, Tokens: s},
		&attentionOp{Hidden: h, Heads: t.Heads, Tokens: s},
		&activationOp{Elements: h * s, Ops: 2, Moved: 3.5}, // dropout (its mask is kept with attention), add
		&normOp{Channels: h, Tokens: s},
		&linearOp{In: h, Out: f, Tokens: s, Split: "column"},
		&activationOp{Elements: f * s, Ops: 8, Kept: 1, Split: true}, // GELU
		&linearOp{In: f, Out: h, Tokens: s, Split: "row"},
		&activationOp{Elements: h * s, Ops: 2, Moved: 3.5, Kept: 0.5}, // dropout with its mask, add
	}
}

// add appends a layer of operations.
func (t *Transformer) add(m *Model, name string, keep bool, ops ...operation) error {
	var sum work
	for i, op := range ops {
		w, err := op.work()
		if err != nil {
			return err
		}
		if i == 0 {
			sum = w
		} else {
			sum = sum.add(w)
		}
	}
	l := Layer{
		Name: name, Kind: Block, FLOPs: sum.flops, Traffic: sum.traffic, Params: int64(sum.params),
		Output: sum.output, Stored: sum.stored, Backward: sum.backward, Parallel: -1,
		Split: sum.split, Core: sum.core, Reduce: sum.reduce, ReduceBack: sum.reduceBack, Keep: keep,
		Calls: sum.separate(),
	}
	switch name {
	case "embedding":
		l.Kind = Embedding
	case "head":
		l.Kind = Linear
	case "loss":
		l.Kind = Loss
	}
	m.Layers = append(m.Layers, l)
	return nil
}

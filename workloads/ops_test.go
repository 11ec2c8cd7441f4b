package workloads

import (
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWorkByHand(t *testing.T) {
	no := false
	for _, test := range []struct {
		name string
		op   operation
		want work
	}{
		// 2 channels of 4 x 4 in, 3 of 4 x 4 out, 3 x 3 kernels: 48 outputs of 18 products each.
		{"conv", &convOp{In: 2, Out: 3, Kernel: 3, Size: 4}, work{flops: 2 * 18 * 48, traffic: 32 + 48, params: 54 + 3, output: 48, stored: 32, backward: 2}},
		{"conv, stride 2", &convOp{In: 2, Out: 3, Kernel: 1, Size: 2, Stride: 2, Bias: &no}, work{flops: 2 * 2 * 12, traffic: 32 + 12, params: 6, output: 12, stored: 32, backward: 2}},
		{"conv, depthwise", &convOp{In: 4, Out: 4, Kernel: 3, Size: 2, Groups: 4, Bias: &no}, work{flops: 2 * 9 * 16, traffic: 32, params: 36, output: 16, stored: 16, backward: 2}},
		{"linear", &linearOp{In: 5, Out: 3}, work{flops: 30, traffic: 8, params: 18, output: 3, stored: 5, backward: 2}},
		{"linear, tied", &linearOp{In: 5, Out: 3, Tokens: 2, Tied: true}, work{flops: 60, traffic: 16, params: 3, output: 6, stored: 10, backward: 2}},
		// 2 tokens of 4, 2 heads: projections 4 x 2 x 16 x 2, scores and context 2 x 2 x 4 x 2 each.
		{"attention", &attentionOp{Hidden: 4, Heads: 2, Tokens: 2}, work{flops: 256 + 64, traffic: 48 + 32 + 52, params: 64 + 16, output: 8, stored: 44 + 20, backward: 2,
			// Scores are 8: written, moved 4.5 times by softmax and dropout, read. All but 8
			// elements in, 8 out, their kept input, half a mask and the last bias is divided.
			split: Amounts{FLOPs: 320, Traffic: 32 + 32 + 52, Params: 64 + 12, Stored: 64 - 12}, core: Amounts{FLOPs: 64, Traffic: 32 + 52, Stored: 20},
			reduce: Reduction{1, 8}, reduceBack: Reduction{1, 8}}},
		{"linear, column", &linearOp{In: 5, Out: 3, Tokens: 2, Split: "column"}, work{flops: 60, traffic: 16, params: 18, output: 6, stored: 10, backward: 2,
			split: Amounts{FLOPs: 60, Traffic: 6, Params: 18}, reduceBack: Reduction{1, 10}}},
		{"linear, row", &linearOp{In: 5, Out: 3, Tokens: 2, Split: "row"}, work{flops: 60, traffic: 16, params: 18, output: 6, stored: 10, backward: 2,
			split: Amounts{FLOPs: 60, Traffic: 10, Params: 15, Stored: 10}, reduce: Reduction{1, 6}}},
		{"activation, split", &activationOp{Elements: 6, Kept: 1, Split: true}, work{flops: 6, traffic: 12, output: 6, stored: 6, backward: 1,
			split: Amounts{FLOPs: 6, Traffic: 12, Stored: 6}}},
		{"lookup, split", &lookupOp{Vocabulary: 10, Hidden: 4, Tokens: 3, Split: true}, work{traffic: 27, params: 40, output: 12, stored: 3, backward: 2,
			split: Amounts{Params: 40}, reduce: Reduction{1, 12}}},
		{"loss, kept", &lossOp{Elements: 4, Kept: 2}, work{flops: 20, traffic: 8, output: 1, stored: 8, backward: 1}},
		{"loss, split", &lossOp{Elements: 4, Split: true}, work{flops: 20, traffic: 8, output: 1, stored: 4, backward: 1,
			split: Amounts{FLOPs: 20, Traffic: 8, Stored: 4}, reduce: Reduction{Times: 3}}},
		{"recurrent", &recurrentOp{In: 3, Hidden: 2, Tokens: 5}, work{flops: 2 * 4 * 2 * 5 * 5, traffic: 15 + 90, params: 4 * (10 + 4), output: 10, stored: 15 + 50, backward: 2}},
		{"norm", &normOp{Channels: 3}, work{flops: 24, traffic: 6, params: 6, output: 3, stored: 3, backward: 1}},
		{"norm, image", &normOp{Channels: 3, Size: 2}, work{flops: 96, traffic: 36, params: 6, output: 12, stored: 12, backward: 5.0 / 3}},
		{"norm, tokens", &normOp{Channels: 3, Tokens: 4}, work{flops: 96, traffic: 24, params: 6, output: 12, stored: 12, backward: 2.5}},
		{"activation", &activationOp{Elements: 6}, work{flops: 6, traffic: 12, output: 6, backward: 1}},
		{"activation, kept", &activationOp{Elements: 6, Ops: 8, Kept: 0.5}, work{flops: 48, traffic: 12, output: 6, stored: 3, backward: 1}},
		{"activation, moved", &activationOp{Elements: 6, Moved: 3.5}, work{flops: 6, traffic: 21, output: 6, backward: 1}},
		{"pool", &poolOp{Channels: 2, Kernel: 2, Size: 3}, work{flops: 72, traffic: 72 + 18, output: 18, stored: 72, backward: 1}},
		{"lookup", &lookupOp{Vocabulary: 10, Hidden: 4, Tokens: 3}, work{traffic: 27, params: 40, output: 12, stored: 3, backward: 2}},
		{"dot", &dotOp{Vectors: 3, Dim: 2}, work{flops: 36, traffic: 6 + 9 + 5, output: 5, stored: 6, backward: 2}},
		{"concat", &concatOp{Elements: 7}, work{traffic: 14, output: 7, backward: 1}},
		{"loss", &lossOp{Elements: 4}, work{flops: 20, traffic: 8, output: 1, stored: 4, backward: 1}},
	} {
		got, err := test.op.work()
		got.calls = nil // TestSeparateCalls
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v\nwant %+v", test.name, got, err, test.want)
		}
	}
}

func TestShapesThatCannotBe(t *testing.T) {
	for _, test := range []struct {
		op   operation
		want string
	}{
		{&convOp{In: 3, Out: 4, Kernel: 0, Size: 4}, "kernel: 0 (or missing)"},
		{&convOp{In: 3, Out: 4, Kernel: 3, Size: 4, Groups: 2}, "groups: 2 divides not both in = 3 and out = 4"},
		{&convOp{In: 3, Out: 4, Kernel: 3, Size: 4, Stride: -1}, "stride: -1"},
		{&linearOp{In: 3, Out: MaxShape + 1}, "out: 1073741825; at most"},
		{&linearOp{In: 3, Out: 3, Tokens: -2}, "tokens: -2"},
		{&linearOp{In: 3, Out: 3, Split: "rows"}, `split: unknown way "rows"`},
		{&attentionOp{Hidden: 10, Heads: 3, Tokens: 4}, "heads: 3 does not divide hidden = 10"},
		{&recurrentOp{In: 3, Hidden: 3}, "tokens: 0"},
		{&normOp{Channels: 3, Size: 2, Tokens: 2}, "either size"},
		{&activationOp{Elements: 3, Ops: -1}, "ops: -1"},
		{&activationOp{Elements: 3, Kept: 1001}, "kept: 1001"},
		{&poolOp{Channels: 3, Size: 2}, "kernel: 0"},
		{&lookupOp{Vocabulary: 3, Hidden: 2}, "tokens: 0"},
		{&dotOp{Vectors: 2}, "dim: 0"},
		{&concatOp{}, "elements: 0"},
		{&lossOp{Elements: -1}, "elements: -1"},
	} {
		if _, err := test.op.work(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.op, err, test.want)
		}
	}
}

// A 1 x 1 convolution is a linear layer applied to every pixel, and an LSTM's
// FLOPs are two per weight and token.
func TestOperationsThatAreOthersInDisguise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in, out := rapid.IntRange(1, 500).Draw(t, "in"), rapid.IntRange(1, 500).Draw(t, "out")
		size := rapid.IntRange(1, 60).Draw(t, "size")
		conv, err := (&convOp{In: in, Out: out, Kernel: 1, Size: size}).work()
		if err != nil {
			t.Fatal(err)
		}
		linear, err := (&linearOp{In: in, Out: out, Tokens: size * size}).work()
		if err != nil || !reflect.DeepEqual(conv, linear) {
			t.Fatalf("conv %+v, linear %+v, %v", conv, linear, err)
		}
		lstm, err := (&recurrentOp{In: in, Hidden: out, Tokens: size}).work()
		if err != nil || lstm.flops != 2*float64(size)*(lstm.params-8*float64(out)) {
			t.Fatalf("lstm %+v, %v", lstm, err)
		}
	})
}

// Backward of a sum is weighted by FLOPs, or by traffic where none are.
func TestAddByHand(t *testing.T) {
	a := work{flops: 30, traffic: 5, params: 1, output: 9, stored: 2, backward: 2}
	b := work{flops: 10, traffic: 5, params: 2, output: 4, stored: 3, backward: 1}
	calls := []Call{{Amounts: Amounts{FLOPs: 30, Traffic: 5, Params: 1, Stored: 2}, Backward: 2}, {Amounts: Amounts{FLOPs: 10, Traffic: 5, Params: 2, Stored: 3}, Backward: 1}}
	if got, want := a.add(b), (work{flops: 40, traffic: 10, params: 3, output: 4, stored: 5, backward: 1.75, calls: calls}); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	a.flops, b.flops, b.traffic = 0, 0, 15
	if got := a.add(b).backward; got != 1.25 {
		t.Errorf("backward %v, want 1.25", got)
	}
	if got := (work{backward: 2}).add(work{backward: 1}).backward; got != 2 {
		t.Errorf("backward of nothing %v, want the larger, 2", got)
	}
}

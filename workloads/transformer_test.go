package workloads

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// TestTransformerFormulas: a generated model has the parameters and FLOPs of Narayanan et
// al. 2021 and keeps what Korthikanti et al. 2022 say, whole, divided and recomputed.
func TestTransformerFormulas(t *testing.T) {
	for _, c := range []Transformer{
		{Layers: 96, Hidden: 12288, Heads: 96, Sequence: 2048},
		{Layers: 4, Hidden: 256, Heads: 8, Sequence: 512, Vocabulary: 1000},
	} {
		m, err := c.Model("gpt")
		if err != nil {
			t.Fatal(err)
		}
		if c.Vocabulary == 0 {
			c.Vocabulary = DefaultVocabulary
		}
		l, h, s, a, v := float64(c.Layers), float64(c.Hidden), float64(c.Sequence), float64(c.Heads), float64(c.Vocabulary)
		sum := m.Totals()
		if want := 12*l*h*h*(1+13/(12*h)+(v+s)/(12*l*h)) + 2*h; math.Abs(float64(sum.Params)-want) > 1 {
			t.Errorf("%+v: %d parameters, want %.0f", c, sum.Params, want)
		}
		if want := 24 * s * l * h * h * (1 + s/(6*h) + v/(12*l*h)); math.Abs(sum.FLOPs/want-1) > 0.02 { // element-wise work is beyond the formula
			t.Errorf("%+v: %.4g FLOPs, want %.4g", c, sum.FLOPs, want)
		}
		b, ends := &m.Layers[1], m.Layers[0].Stored+m.Layers[c.Layers+1].Stored+m.Layers[c.Layers+2].Stored
		for what, of := range map[string][2]float64{
			"kept":                   {2 * b.Stored, s * h * (34 + 5*a*s/h)},
			"kept at the ends":       {2 * ends, s*h + 4*s*h*(1+v/h) + 4*s}, // 4 s: the tokens
			"kept in 8 parts":        {2 * (b.Stored - b.Split.Stored + b.Split.Stored/8), s * h * (10 + 24./8 + 5*a*s/(8*h))},
			"kept without the core":  {2 * (b.Stored - b.Core.Stored), 34 * s * h},
			"summed up forward":      {b.Reduce.Elements, 2 * s * h},
			"summed up backward":     {b.ReduceBack.Elements, 2 * s * h},
			"FLOPs of the core":      {b.Core.FLOPs, 4 * s * s * h},
			"all-reduces of a pass":  {float64(b.Reduce.Times + b.ReduceBack.Times), 4},
			"parameters not divided": {float64(b.Params) - b.Split.Params, 6 * h}, // two norms, two biases
		} {
			if math.Abs(of[0]-of[1]) > 1e-9*of[1] {
				t.Errorf("%+v: %s: %v, want %v", c, what, of[0], of[1])
			}
		}
	}
}

// TestTransformerIsTheShippedModel: GPT-3 XL as a file and generated are the same blocks.
func TestTransformerIsTheShippedModel(t *testing.T) {
	m, err := Transformer{Layers: 24, Hidden: 2048, Heads: 16, Sequence: 2048, Vocabulary: 50257}.Model("gpt")
	if err != nil {
		t.Fatal(err)
	}
	shipped := lookup(t, "gpt-3-1.3b")
	for i := range m.Layers {
		got, want := m.Layers[i], shipped.Layers[i+1] // a sample is read first
		if got.Kind == Loss {                         // in the file it is as fast as can be
			want.Traffic, want.Split.Traffic = got.Traffic, got.Split.Traffic
			want.Stored, want.Split.Stored = 2*want.Stored, 2*want.Split.Stored // and in the precision of all
			want.Calls = got.Calls
		}
		if got.Name = want.Name; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: generated %+v\nshipped %+v", want.Name, got, want)
		}
	}
}

func TestTransformersThatCannotBe(t *testing.T) {
	for _, c := range []struct {
		of   Transformer
		want string
	}{
		{Transformer{Hidden: 8, Heads: 2, Sequence: 4}, "layers: 0 (or missing)"},
		{Transformer{Layers: 2, Hidden: 8, Heads: 3, Sequence: 4}, "heads: 3 does not divide hidden = 8"},
		{Transformer{Layers: MaxLayers, Hidden: 8, Heads: 2, Sequence: 4}, "layers: 20000; at most 19997"},
		{Transformer{Layers: 1, Hidden: 8, Heads: 2, Sequence: 4, Vocabulary: -1}, "vocabulary: -1"},
	} {
		if _, err := c.of.Model("x"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.of, err, c.want)
		}
	}
}

// TestPartsOfLayers: a file may say itself what is divided, and no more than there is.
func TestPartsOfLayers(t *testing.T) {
	const head = "[[layer]]\nname = \"a\"\nkind = \"linear\"\nflops = 10\nparams = 6\nstored = 4\noutput = 2\n"
	m, err := ParseModel("m.toml", []byte(head+"split = { flops = 10, params = 5, stored = 2 }\ncore = { flops = 1, stored = 1 }\nreduce = { times = 2, elements = 8 }\nreduce_back = { times = 1 }\nkeep = true\n"))
	if err != nil {
		t.Fatal(err)
	}
	l := m.Layers[0]
	if l.Split != (Amounts{FLOPs: 10, Params: 5, Stored: 2}) || l.Core != (Amounts{FLOPs: 1, Stored: 1}) || l.Reduce != (Reduction{2, 8}) || l.ReduceBack != (Reduction{1, 0}) || !l.Keep || !l.Divided() {
		t.Errorf("%+v", l)
	}
	for text, want := range map[string]string{
		"split = { flops = 11 }":       "m.toml:8:9: layer[0].split: flops: 11 of the layer's 10",
		"core = { stored = -1 }":       "stored: -1 of the layer's 4",
		"reduce = { elements = 3 }":    "times: 0 all-reduces of 3 elements",
		"reduce_back = { times = -1 }": "times: -1; 0 to 1000",
		"split = { flopz = 1 }":        "flopz",
	} {
		if _, err := ParseModel("m.toml", []byte(head+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// TestSeparateCalls: operations that run one after the other add up to the layer, and so
// do their parts that are divided.
func TestSeparateCalls(t *testing.T) {
	m, err := Transformer{Layers: 2, Hidden: 64, Heads: 4, Sequence: 16, Vocabulary: 100}.Model("gpt")
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Layers {
		l := &m.Layers[i]
		var sum, split Amounts
		for _, c := range l.Calls {
			sum, split = sum.add(c.Amounts), split.add(c.Split)
		}
		if want := (Amounts{l.FLOPs, l.Traffic, float64(l.Params), l.Stored}); sum != want || split != l.Split {
			t.Errorf("%s: calls add up to %+v, divided %+v; want %+v and %+v", l.Name, sum, split, want, l.Split)
		}
	}
	if n := len(m.Layers[1].Calls); n != 12 { // attention is five: two projections, two products, a softmax
		t.Errorf("a block has %d calls, want 12", n)
	}
	const text = "[[layer]]\nname = \"a\"\nseparate = true\nop = [{ norm = { channels = 8 } }, { linear = { in = 8, out = 4 } }]\n"
	if m, err = ParseModel("m.toml", []byte(text)); err != nil || len(m.Layers[0].Calls) != 2 || m.Layers[0].Calls[1].FLOPs != 64 {
		t.Errorf("%+v, %v", m, err)
	}
	const all = "separate = true\n[[layer]]\nname = \"a\"\nop = [{ norm = { channels = 8 } }, { linear = { in = 8, out = 4 } }]\n"
	if m, err = ParseModel("m.toml", []byte(all)); err != nil || len(m.Layers[0].Calls) != 2 {
		t.Errorf("%+v, %v", m, err)
	}
	if m, err = ParseModel("m.toml", []byte(all+"backward = 1\n")); err != nil || m.Layers[0].Calls != nil {
		t.Errorf("%+v, %v: operations do not say all, so that the layer runs as one", m, err)
	}
	if _, err := ParseModel("m.toml", []byte(text+"flops = 3\n")); err == nil || !strings.Contains(err.Error(), "m.toml:3:12: layer[0].separate: layer \"a\"") {
		t.Errorf("%v", err)
	}
}

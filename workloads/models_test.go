package workloads

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func lookup(t testing.TB, name string) *Model {
	t.Helper()
	m, err := LookupModel(name)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// within fails when got is further than tolerance (relative) from want.
func within(t testing.TB, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*math.Abs(want) {
		t.Errorf("%s is %.6g, want %.6g within %g %%", what, got, want, 100*tolerance)
	}
}

func TestModelsAreValidAndSourced(t *testing.T) {
	want := []string{"2emb", "bert-large", "bert24-measured", "ctrdnn", "dlrm", "dlrm-kaggle", "gpt-3-1.3b", "matchnet", "nce", "resnet-50", "vgg-16", "vgg-16-measured"}
	if got := Models(); !slices.Equal(got, want) {
		t.Fatalf("models are %q, want %q", got, want)
	}
	for _, name := range Models() {
		m := lookup(t, name)
		if err := m.Validate(); err != nil {
			t.Error(err)
		}
		if m.Name != name || m.Title == "" || m.Title == name || len(m.Source) < 40 {
			t.Errorf("%s: name %q, title %q, source %q; all three must be given", name, m.Name, m.Title, m.Source)
		}
		if strings.HasSuffix(name, "-measured") {
			continue // typed in from profiles, which have their own ends: see TestMeasuredModels
		}
		if m.Layers[0].Kind != Input || m.Layers[len(m.Layers)-1].Kind != Loss {
			t.Errorf("%s begins with %s and ends with %s; want input and loss", name, m.Layers[0].Kind, m.Layers[len(m.Layers)-1].Kind)
		}
		for i := range m.Layers {
			if l := &m.Layers[i]; l.Traffic == 0 || l.Output == 0 || (l.Backward == 0) != (l.Kind == Input) {
				t.Errorf("%s: layer %s has traffic %v, output %v, backward %v", name, l.Name, l.Traffic, l.Output, l.Backward)
			}
		}
	}
}

// The parameter counts are those that the publications or the reference
// implementations give, to the last parameter.
func TestParameterTotals(t *testing.T) {
	for _, test := range []struct {
		model  string
		params int64
		source string
	}{
		{"vgg-16", 138_357_544, "torchvision's vgg16"},
		{"resnet-50", 25_557_032, "torchvision's resnet50"},
		{"bert-large", 336_226_108, "BertForPreTraining, large: 24 x 12 596 224 + 31 782 912 + 1 049 600 + 2050 + 1 049 600 + 2048 + 30 522"},
		{"gpt-3-1.3b", 24*(12*2048*2048+13*2048) + (50257+2048)*2048 + 2*2048, "12 h^2 + 13 h a block, embeddings, last norm"},
		{"dlrm", (13*512 + 512) + (512*256 + 256) + (256*128 + 128) +
			(479*1024 + 1024) + (1024*1024 + 1024) + (1024*512 + 512) + (512*256 + 256) + (256 + 1), "the two perceptrons"},
		{"dlrm-kaggle", (13*512 + 512) + (512*256 + 256) + (256*64 + 64) + (64*16 + 16) +
			(367*512 + 512) + (512*256 + 256) + (256 + 1), "the two perceptrons"},
	} {
		if got := lookup(t, test.model).Totals().Params; got != test.params {
			t.Errorf("%s has %d parameters, want %d (%s)", test.model, got, test.params, test.source)
		}
	}
}

func TestFLOPsAgainstPublications(t *testing.T) {
	within(t, "VGG-16 FLOPs", lookup(t, "vgg-16").Totals().FLOPs, 2*15.47e9, 0.005)     // 15.47 G multiply-adds
	within(t, "ResNet-50 FLOPs", lookup(t, "resnet-50").Totals().FLOPs, 2*4.09e9, 0.02) // 4.09 G; normalisation and ReLU come on top

	// Narayanan et al. 2021: a forward pass is 24 s l h^2 (1 + s/6h) + 2 s h V.
	const l, s, h, v = 24.0, 2048.0, 2048.0, 50257.0
	within(t, "GPT-3 1.3B FLOPs", lookup(t, "gpt-3-1.3b").Totals().FLOPs, 24*s*l*h*h*(1+s/(6*h))+2*s*h*v, 0.002)
	const bs, bh = 512.0, 1024.0
	within(t, "BERT-large FLOPs", lookup(t, "bert-large").Totals().FLOPs,
		24*bs*l*bh*bh*(1+bs/(6*bh))+2*80*bh*30522+2*81*bh*bh, 0.003)

	// DLRM: 2 per weight of the perceptrons, and a 27 x 27 product of 128.
	const weights = 13*512 + 512*256 + 256*128 + 479*1024 + 1024*1024 + 1024*512 + 512*256 + 256
	within(t, "DLRM FLOPs", lookup(t, "dlrm").Totals().FLOPs, 2*weights+2*27*27*128, 0.002)
	const kaggle = 13*512 + 512*256 + 256*64 + 64*16 + 367*512 + 512*256 + 256
	within(t, "DLRM Kaggle FLOPs", lookup(t, "dlrm-kaggle").Totals().FLOPs, 2*kaggle+2*27*27*16, 0.004)
}

// Korthikanti et al. 2022, section 4.1: a block keeps s b h (34 + 5 a s / h)
// bytes at 2 bytes an element.
func TestBlocksKeepWhatThePublicationSays(t *testing.T) {
	for _, test := range []struct {
		model, layer string
		s, h, a      float64
	}{{"gpt-3-1.3b", "decoder.7", 2048, 2048, 16}, {"bert-large", "encoder.24", 512, 1024, 16}} {
		m := lookup(t, test.model)
		i := slices.IndexFunc(m.Layers, func(l Layer) bool { return l.Name == test.layer })
		if i < 0 {
			t.Fatalf("%s has no layer %s", test.model, test.layer)
		}
		if got, want := 2*m.Layers[i].Stored, test.s*test.h*(34+5*test.a*test.s/test.h); got != want {
			t.Errorf("%s keeps %v bytes, want %v", test.layer, got, want)
		}
	}
}

func TestReconstructionsAreUsefulForPlacement(t *testing.T) {
	for name, layers := range map[string]int{"ctrdnn": 16, "matchnet": 16, "2emb": 10, "nce": 5} {
		m := lookup(t, name)
		if len(m.Layers) != layers {
			t.Errorf("%s has %d layers, want %d", name, len(m.Layers), layers)
		}
		if !strings.Contains(m.Source, "reconstruction") {
			t.Errorf("%s does not say that it is a reconstruction: %q", name, m.Source)
		}
		if rows := m.Totals().EmbeddingRows; rows < 20_000_000 || rows >= MaxRows {
			t.Errorf("%s has %d rows; tens of millions are wanted", name, rows)
		}
		sparse := 0
		for i := range m.Layers {
			l := &m.Layers[i]
			moved := l.Traffic + float64(l.Params) // weights as if read for one sample: the worst case
			for _, table := range l.Tables {
				moved += float64(table.Lookups * table.Dim)
			}
			intensity := l.FLOPs / moved
			if l.Sparse() {
				sparse++
			} else if l.Kind == Embedding {
				t.Errorf("%s: %s looks nothing up", name, l.Name)
			}
			if l.Kind == Linear && l.Params > 10_000 && intensity < 1 {
				t.Errorf("%s: %s has %.2f FLOPs an element; a fully connected layer should compute", name, l.Name, intensity)
			}
			if (l.Kind == Embedding || l.Kind == Pool) && intensity > 1 {
				t.Errorf("%s: %s has %.2f FLOPs an element; it should move memory", name, l.Name, intensity)
			}
		}
		if sparse == 0 {
			t.Errorf("%s has no sparse layer", name)
		}
	}
}

func TestDLRMTables(t *testing.T) {
	m := lookup(t, "dlrm")
	i := slices.IndexFunc(m.Layers, func(l Layer) bool { return l.Sparse() })
	l := &m.Layers[i]
	if len(l.Tables) != 26 || l.Rows() != 204_184_588 || l.Output != 26*128 {
		t.Errorf("embedding: %d tables, %d rows, output %v; want 26, 204184588, 3328", len(l.Tables), l.Rows(), l.Output)
	}
	capped := 0
	for _, table := range l.Tables {
		if table.Dim != 128 || table.Lookups != 1 {
			t.Errorf("table %s: dim %d, lookups %d; want 128, 1", table.Name, table.Dim, table.Lookups)
		}
		if table.Rows == 40_000_000 {
			capped++
		}
	}
	if capped != 5 {
		t.Errorf("%d tables are capped at 40 M rows, want 5", capped)
	}
	j := slices.IndexFunc(m.Layers, func(l Layer) bool { return l.Name == "interaction" })
	if m.Layers[j].Output != 479 {
		t.Errorf("interaction puts out %v, want 479: 128 + 27 x 26 / 2", m.Layers[j].Output)
	}
}

// The Kaggle tables have the sizes that the data set's publishers list.
func TestKaggleTables(t *testing.T) {
	m := lookup(t, "dlrm-kaggle")
	i := slices.IndexFunc(m.Layers, func(l Layer) bool { return l.Sparse() })
	l := &m.Layers[i]
	if len(l.Tables) != 26 || l.Rows() != 33_762_577 || l.Output != 26*16 {
		t.Errorf("embedding: %d tables, %d rows, output %v; want 26, 33762577, 416", len(l.Tables), l.Rows(), l.Output)
	}
	for j, size := range strings.Fields(string(sharedFile(t, "lookups", "criteo_kaggle_cardinalities.txt"))) {
		if got := fmt.Sprint(l.Tables[j].Rows); got != size {
			t.Errorf("table %d has %s rows, want %s", j+1, got, size)
		}
	}
}

// A layer takes in what its edges bring: the widths that files write down twice
// must agree. Labels and positions ride along uncounted.
func TestEdgesBringWhatLinearLayersTake(t *testing.T) {
	for _, test := range []struct {
		model, layer string
		input        float64
	}{
		{"ctrdnn", "concat", 429}, {"ctrdnn", "fc1", 429}, {"ctrdnn", "pooling", 1600}, {"ctrdnn", "fc5", 256},
		{"matchnet", "cross", 256}, {"matchnet", "user_fc1", 160}, {"2emb", "fc1", 128}, {"nce", "nce", 129},
		{"dlrm", "interaction", 27 * 128}, {"dlrm", "top1", 479}, {"dlrm-kaggle", "interaction", 27 * 16}, {"dlrm-kaggle", "top1", 367}, {"vgg-16", "fc6", 25088}, {"resnet-50", "fc", 2048},
		{"resnet-50", "conv3_1", 256 * 56 * 56}, {"resnet-50", "conv5.2", 2048 * 49}, {"bert-large", "encoder.1", 512 * 1024},
	} {
		m := lookup(t, test.model)
		got, found := 0.0, false
		for _, e := range m.Edges {
			if m.Layers[e.To].Name == test.layer {
				got, found = got+e.Elements, true
			}
		}
		if !found || got != test.input {
			t.Errorf("%s: %s takes in %v elements, want %v", test.model, test.layer, got, test.input)
		}
	}
}

func TestLookupModelProposes(t *testing.T) {
	for name, want := range map[string]string{
		"vgg16":       `unknown model "vgg16"; did you mean "vgg-16"?`,
		"transformer": `unknown model "transformer"; known: ["2emb" "bert-large" "bert24-measured" "ctrdnn" "dlrm" "dlrm-kaggle" "gpt-3-1.3b" "matchnet" "nce" "resnet-50" "vgg-16" "vgg-16-measured"]`,
	} {
		if _, err := LookupModel(name); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func ExampleModel_Totals() {
	for _, name := range Models() {
		m, err := LookupModel(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		t := m.Totals()
		fmt.Printf("%-10s %2d layers %7.1f M params %5.1f M rows %9.4g GFLOP\n",
			name, len(m.Layers), float64(t.Params)/1e6, float64(t.EmbeddingRows)/1e6, t.FLOPs/1e9)
	}
	// Output:
	// 2emb       10 layers     1.7 M params  30.0 M rows  0.003415 GFLOP
	// bert-large 28 layers   336.2 M params   0.0 M rows     340.8 GFLOP
	// bert24-measured 32 layers   367.5 M params   0.0 M rows         0 GFLOP
	// ctrdnn     16 layers     3.6 M params  33.8 M rows  0.007285 GFLOP
	// dlrm       12 layers     2.4 M params 204.2 M rows  0.004921 GFLOP
	// dlrm-kaggle 11 layers     0.5 M params  33.8 M rows 0.0009742 GFLOP
	// gpt-3-1.3b 28 layers  1315.7 M params   0.0 M rows      6200 GFLOP
	// matchnet   16 layers     1.8 M params  36.9 M rows  0.003687 GFLOP
	// nce         5 layers     0.0 M params  20.0 M rows 2.022e-05 GFLOP
	// resnet-50  22 layers    25.6 M params   0.0 M rows     8.303 GFLOP
	// vgg-16     23 layers   138.4 M params   0.0 M rows     30.98 GFLOP
	// vgg-16-measured 41 layers   138.4 M params   0.0 M rows     30.96 GFLOP
}

package workloads

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// smallProfile is a conv net of batch 2 with a residual add and an LSTM with
// three outputs, in scrambled order as the profiler writes it.
const smallProfile = `node3 -- ReLU(inplace) -- forward_compute_time=0.500, backward_compute_time=0.250, activation_size=128.000, parameter_size=0.000
node1 -- Input -- forward_compute_time=3.000, backward_compute_time=0.000, activation_size=64.000, parameter_size=0.000
node2 -- Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1)) -- forward_compute_time=1.500, backward_compute_time=4.000, activation_size=128.000, parameter_size=304.000
node4 -- Add(inplace) -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=128.000, parameter_size=0.000
node10 -- Linear(in_features=4, out_features=8, bias=True) -- forward_compute_time=0.100, backward_compute_time=0.200, activation_size=64.000, parameter_size=160.000 -- stage_id=1
node5 -- LSTM(16, 4) -- forward_compute_time=2.000, backward_compute_time=4.000, activation_size=[32.0; 16.0; 8.0], parameter_size=1408.000
node6 -- __getitem__(0) -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=32.000, parameter_size=0.000
	node2 -- node3
	node1 -- node2
	node3 -- node4
	node2 -- node4
	node2 -- node4
	node4 -- node5
	node5 -- node6
	node6 -- node10
`

var smallOptions = PipeDreamOptions{Device: "v100-16", Batch: 2}

func TestImportPipeDreamByHand(t *testing.T) {
	m, err := ImportPipeDream("profiles/small/graph.txt", strings.NewReader(smallProfile), smallOptions)
	if err != nil {
		t.Fatal(err)
	}
	at := func(forward, backward float64) []Profile {
		return []Profile{{Device: "v100-16", Points: []ProfilePoint{{2, forward / 1e3, backward / 1e3, 0}}}}
	}
	want := []Layer{
		{Name: "node1", Kind: Input, Traffic: 8, Output: 8, Parallel: -1, Profiles: at(3, 0)},
		{Name: "node2", Kind: Conv, FLOPs: 2 * 9 * 2 * 16, Traffic: 8 + 16, Params: 76, Output: 16, Stored: 16, Backward: 2, Parallel: -1, Profiles: at(1.5, 4)},
		{Name: "node3", Kind: Activation, FLOPs: 16, Traffic: 32, Output: 16, Backward: 1, Parallel: -1, Profiles: at(0.5, 0.25)},
		{Name: "node4", Kind: Activation, FLOPs: 16, Traffic: 48, Output: 16, Backward: 1, Parallel: -1, Profiles: at(0, 0)},
		{Name: "node5", Kind: Recurrent, FLOPs: 2 * 4 * (16 + 4) * 4, Traffic: 16 + 7, Params: 352, Output: 7, Stored: 7, Backward: 2, Parallel: -1, Profiles: at(2, 4)},
		{Name: "node6", Kind: Activation, Output: 4, Backward: 1, Parallel: -1, Profiles: at(0, 0)},
		{Name: "node10", Kind: Linear, FLOPs: 2 * 4 * 8, Traffic: 4 + 8, Params: 40, Output: 8, Stored: 8, Backward: 2, Parallel: -1, Profiles: at(0.1, 0.2)},
	}
	if diff := cmp.Diff(want, m.Layers); diff != "" {
		t.Errorf("layers (-want +got)\n%s", diff)
	}
	edges := []Edge{{0, 1, 8, 0}, {1, 2, 16, 0}, {1, 3, 16, 0}, {2, 3, 16, 0}, {3, 4, 16, 0}, {4, 5, 4, 0}, {5, 6, 4, 0}}
	if diff := cmp.Diff(edges, m.Edges); diff != "" {
		t.Errorf("edges (-want +got)\n%s", diff)
	}
	if m.Name != "small" || m.Source == "" {
		t.Errorf("name %q, source %q", m.Name, m.Source)
	}
}

func TestSizeMovesNothing(t *testing.T) {
	m, err := ImportPipeDream("g", strings.NewReader(`node1 -- Input -- forward_compute_time=1, backward_compute_time=0, activation_size=64, parameter_size=0
node2 -- Size(0) -- forward_compute_time=0, backward_compute_time=0, activation_size=4, parameter_size=0
node3 -- View(-1) -- forward_compute_time=0, backward_compute_time=0, activation_size=64, parameter_size=0
	node1 -- node2
	node1 -- node3
	node2 -- node3
`), smallOptions)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Edge{{0, 1, 0, 0}, {0, 2, 8, 0}, {1, 2, 0.5, 0}}, m.Edges); diff != "" {
		t.Errorf("edges (-want +got)\n%s", diff)
	}
}

// The order of lines means nothing, and sizes are per sample: twice the batch
// with twice the bytes is the same model, measured at another batch.
func TestImportPipeDreamMetamorphic(t *testing.T) {
	plain, err := ImportPipeDream("g", strings.NewReader(smallProfile), smallOptions)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(smallProfile, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.Permutation(lines).Draw(t, "lines"), "")
		got, err := ImportPipeDream("g", strings.NewReader(text), smallOptions)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			t.Fatal(diff)
		}
	})
	doubled := smallProfile
	for _, size := range []string{"64.000", "128.000", "32.000"} {
		doubled = strings.ReplaceAll(doubled, "activation_size="+size, "activation_size=2×"+size)
	}
	doubled = strings.NewReplacer("2×64.000", "128", "2×128.000", "256", "2×32.000", "64", "[32.0; 16.0; 8.0]", "[64; 32; 16]").Replace(doubled)
	got, err := ImportPipeDream("g", strings.NewReader(doubled), PipeDreamOptions{Device: "v100-16", Batch: 4})
	if err != nil {
		t.Fatal(err)
	}
	for i := range got.Layers {
		got.Layers[i].Profiles[0].Points[0].Batch = 2
	}
	got.Source = plain.Source
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Error(diff)
	}
}

func TestModuleFLOPs(t *testing.T) {
	for _, test := range []struct {
		op     string
		kind   Kind
		output float64
		flops  float64
	}{
		{"Conv2d(8, 8, kernel_size=(3, 1), stride=(1, 1), groups=8)", Conv, 10, 2 * 3 * 10},
		{"Conv1d(8, 4, kernel_size=(5,), stride=(1,))", Conv, 10, 2 * 5 * 8 * 10},
		{"ConvTranspose2d(8, 4, kernel_size=(5, 5))", Block, 10, 0},
		{"MaxPool2d(kernel_size=3, stride=2, padding=1)", Pool, 10, 90},
		{"AvgPool2d(kernel_size=(2, 3))", Pool, 10, 60},
		{"AdaptiveAvgPool2d(output_size=1)", Pool, 10, 0},
		{"BatchNorm2d(64, eps=1e-05, momentum=0.1)", Norm, 10, 80},
		{"LSTM(4, 8, num_layers=2)", Recurrent, 8, 2 * (4*8*(4+8) + 4*8*(8+8))},
		{"LSTM(4, 8, bidirectional=True)", Recurrent, 16, 2 * 2 * 4 * 8 * (4 + 8)},
		{"GRU(4, 8)", Recurrent, 8, 2 * 3 * 8 * (4 + 8)},
		{"EmuBidirLSTM(  (bidir): LSTM(4, 8, bidirectional=True)  (layer1): LSTM(4, 8)  (layer2): LSTM(4, 8))", Recurrent, 16, 2 * 2 * 4 * 8 * (4 + 8)},
		{"Classifier(  (classifier): Linear(in_features=4, out_features=8, bias=True))", Linear, 24, 2 * 4 * 24},
		{"RecurrentAttention(  (rnn): LSTM(8, 8)  (attn): BahdanauAttention(    (linear_q): Linear(in_features=8, out_features=8, bias=False)    (linear_k): Linear(in_features=8, out_features=8, bias=False)    (dropout): Dropout(p=0)  )  (dropout): Dropout(p=0))", Block, 8, 2 * (4*8*16 + 64 + 64)},
		{"Embedding(32320, 1024, padding_idx=0)", Embedding, 10, 0},
		{"Dropout(p=0.5)", Activation, 10, 10},
		{"Concat(2)", Interaction, 10, 0},
		{"View(-1)", Activation, 10, 0},
		{"Whatever(3, x=(1, (2)), 4)", Block, 10, 0},
		{"Linear(in_features=-4, out_features=8)", Block, 10, 0},
		{"Linear(((", Block, 10, 0},
		{"", Block, 10, 0},
	} {
		l := Layer{Params: 1, Output: test.output}
		m := parseModule(test.op)
		m.derive(&l, true, 5, test.output)
		if l.Kind != test.kind || l.FLOPs != test.flops {
			t.Errorf("%s: %s, %v FLOPs; want %s, %v", test.op, l.Kind, l.FLOPs, test.kind, test.flops)
		}
	}
}

func TestImportPipeDreamErrors(t *testing.T) {
	const node = "node1 -- Input -- forward_compute_time=1.0, backward_compute_time=0.0, activation_size=4.0, parameter_size=0.0\n"
	second := strings.Replace(node, "node1", "node2", 1)
	for _, test := range []struct {
		text string
		want string
	}{
		{"", "g.txt:1: no nodes"},
		{"node1\n", `g.txt:1: "node1" is no node; accepted`},
		{node + node, `g.txt:2: a second node "node1"`},
		{strings.Replace(node, "=1.0", "=x", 1), `g.txt:1: forward_compute_time: "x" is not a number`},
		{strings.Replace(node, "=1.0", "=-1.0", 1), "g.txt:1: forward_compute_time: -1 is negative"},
		{strings.Replace(node, "=1.0", "=nan", 1), "g.txt:1: forward_compute_time: NaN is not a finite number"},
		{strings.Replace(node, "=1.0", "=[1; 2]", 1), "one number is accepted"},
		{strings.Replace(node, "=4.0", "=1e30", 1), "g.txt:1: activation_size: 1e+30 is above"},
		{strings.Replace(node, "parameter_size=0.0", "parameter_size=1e17", 1), "workloads.MaxParams"},
		{strings.Replace(node, ", parameter_size=0.0", "", 1), `g.txt:1: node "node1" lacks a figure`},
		{strings.Replace(node, "parameter_size", "params", 1), `unknown figure "params"`},
		{node + "\tnode1 - node2\n", `g.txt:2: "node1 - node2" is no edge`},
		{node + "\tnode1 -- node2\n", `g.txt:2: edge to unknown node "node2"`},
		{node + "\tnode2 -- node1\n", `g.txt:2: edge from unknown node "node2"`},
		{node + "\tnode1 -- node1\n", "leads to itself"},
		{node + second + "\tnode1 -- node2\n\tnode2 -- node1\n", "g.txt: the edges form a cycle: "},
		{node + "\xff", "is not UTF-8"},
	} {
		_, err := ImportPipeDream("g.txt", strings.NewReader(test.text), smallOptions)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
	for _, opt := range []PipeDreamOptions{{}, {Device: "t4"}, {Device: "t4", Batch: -1}, {Batch: 3}} {
		if _, err := ImportPipeDream("g.txt", strings.NewReader(node), opt); err == nil {
			t.Errorf("options %+v are accepted", opt)
		}
	}
}

// What was published, against totals of the files that were taken by other
// means (awk over the columns).
func TestImportPipeDreamRealProfiles(t *testing.T) {
	for _, test := range []struct {
		name              string
		batch             int
		layers, edges     int
		params            int64
		forward, backward float64 // ms per batch
		flops             float64 // of matrix products, 2 a multiply-add
		tolerance         float64
	}{
		{"vgg16", 128, 41, 41, 138_357_544, 251.874, 438.633, 2 * 15.47e9, 0.005},
		{"resnet50", 128, 177, 193, 25_557_032, 201.450, 260.931, 2 * 4.09e9, 0.02},
		{"alexnet", 256, 23, 23, 61_100_840, 680.703, 40.520, 2 * 0.714e9, 0.01},
		{"gnmt", 64, 48, 58, 193_765_952, 33.533, 55.883, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := sharedFile(t, "pipedream", test.name, "graph.txt")
			m, err := ImportPipeDream("pipedream/"+test.name+"/graph.txt", bytes.NewReader(data), PipeDreamOptions{Device: "v100-16", Batch: test.batch})
			if err != nil {
				t.Fatal(err)
			}
			var forward, backward float64
			for i := range m.Layers {
				f, b, inside := m.Layers[i].Profile("v100-16", 1).At(test.batch)
				if !inside {
					t.Errorf("%s: the measured batch is outside", m.Layers[i].Name)
				}
				forward, backward = forward+1e3*f, backward+1e3*b
			}
			totals := m.Totals()
			if m.Name != test.name || len(m.Layers) != test.layers || len(m.Edges) != test.edges || totals.Params != test.params {
				t.Errorf("%s: %d layers, %d edges, %d parameters; want %+v", m.Name, len(m.Layers), len(m.Edges), totals.Params, test)
			}
			if math.Abs(forward-test.forward) > 1e-6 || math.Abs(backward-test.backward) > 1e-6 {
				t.Errorf("forward %.3f ms, backward %.3f ms; want %.3f, %.3f", forward, backward, test.forward, test.backward)
			}
			if test.flops > 0 {
				within(t, "FLOPs", totals.FLOPs, test.flops, test.tolerance)
			}
		})
	}
}

// The shipped VGG-16 and the profiled one are the same network.
func TestShippedModelAgreesWithProfile(t *testing.T) {
	data := sharedFile(t, "pipedream", "vgg16", "graph.txt")
	profiled, err := ImportPipeDream("vgg16/graph.txt", bytes.NewReader(data), PipeDreamOptions{Device: "v100-16", Batch: 128})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	list := func(m *Model) (convs []string) {
		for i := range m.Layers {
			if l := &m.Layers[i]; l.Kind == Conv || l.Kind == Linear {
				convs = append(convs, fmt.Sprintf("%s %d %v", l.Kind, l.Params, l.Output))
			}
		}
		return convs
	}
	got, want = list(lookup(t, "vgg-16")), list(profiled)
	if diff := cmp.Diff(want, got); diff != "" || len(want) != 16 {
		t.Errorf("(-profiled +shipped)\n%s", diff)
	}
}

func FuzzImportPipeDream(f *testing.F) {
	f.Add([]byte(smallProfile), 2)
	f.Add([]byte("a -- EmuBidirLSTM( (bidir): LSTM(4, 8)) -- forward_compute_time=1, backward_compute_time=1, activation_size=[1; 2], parameter_size=8\n b -- a\n"), 1)
	f.Add([]byte("a -- ((((( -- forward_compute_time="), 1)
	f.Fuzz(func(t *testing.T, data []byte, batch int) {
		m, err := ImportPipeDream("fuzz", bytes.NewReader(data), PipeDreamOptions{Device: "d", Batch: batch})
		if err != nil {
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		for i := range m.Layers {
			if m.Layers[i].Profile("d", 1) == nil {
				t.Fatalf("layer %s has no profile", m.Layers[i].Name)
			}
		}
	})
}

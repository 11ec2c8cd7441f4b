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

var cpuAndGPU = PartitioningOptions{CPU: "xeon", Accelerator: "gpu"}

// A training graph as the published ones are: gradient nodes repeat the size,
// gradient edges repeat the forward edges with the size of what they lead to.
const smallTraining = `{"maxSizePerFPGA": 1e9, "maxFPGAs": 2, "maxCPUs": 1, "nodes": [
 {"name": "in", "id": 1, "supportedOnFpga": 1, "cpuLatency": 0, "fpgaLatency": 0, "isBackwardNode": 0, "colorClass": 1, "size": 80},
 {"name": "ingrad", "id": 4, "supportedOnFpga": 1, "cpuLatency": 0, "fpgaLatency": 0, "isBackwardNode": true, "colorClass": 1, "size": 80},
 {"name": "mid", "id": 2, "supportedOnFpga": 1, "cpuLatency": 10, "fpgaLatency": 1, "isBackwardNode": 0, "colorClass": 2, "size": 440},
 {"name": "midgrad", "id": 5, "supportedOnFpga": 1, "cpuLatency": 20, "fpgaLatency": 2, "isBackwardNode": 1, "colorClass": 2, "size": 440},
 {"name": "out", "id": 3, "supportedOnFpga": 0, "cpuLatency": 30, "fpgaLatency": 3, "isBackwardNode": false, "colorClass": 3, "size": 120},
 {"name": "outgrad", "id": 6, "supportedOnFpga": 1, "cpuLatency": 45, "fpgaLatency": 4.5, "isBackwardNode": 1, "colorClass": 3, "size": 120}],
 "edges": [
 {"sourceId": 1, "destId": 2, "cost": 0.5, "size": 80}, {"sourceId": 4, "destId": 5, "cost": 0.5, "size": 40},
 {"sourceId": 2, "destId": 3, "cost": 0.25, "size": 40}, {"sourceId": 5, "destId": 6, "cost": 0.25, "size": 20}]}`

func TestImportPartitioningByHand(t *testing.T) {
	m, err := ImportPartitioning("x/small.json", strings.NewReader(smallTraining), cpuAndGPU)
	if err != nil {
		t.Fatal(err)
	}
	point := func(device string, forward, backward float64) Profile {
		return Profile{Device: device, Points: []ProfilePoint{{1, forward / 1e3, backward / 1e3, 0}}}
	}
	want := []Layer{
		{Name: "in", Kind: Block, Traffic: 20, Output: 20, Stored: 20, Parallel: -1, OnlyProfiled: true,
			Profiles: []Profile{point("gpu", 0, 0), point("xeon", 0, 0)}},
		{Name: "mid", Kind: Block, Params: 100, Traffic: 30, Output: 10, Stored: 10, Backward: 2, Parallel: -1, OnlyProfiled: true,
			Profiles: []Profile{point("gpu", 1, 2), point("xeon", 10, 20)}},
		{Name: "out", Kind: Block, Params: 25, Traffic: 15, Output: 5, Stored: 5, Backward: 1.5, Parallel: -1, OnlyProfiled: true,
			Profiles: []Profile{point("xeon", 30, 45)}},
	}
	if diff := cmp.Diff(want, m.Layers); diff != "" {
		t.Errorf("layers (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]Edge{{0, 1, 20, 0.0005}, {1, 2, 10, 0.00025}}, m.Edges); diff != "" {
		t.Errorf("edges (-want +got)\n%s", diff)
	}
	free := cpuAndGPU
	free.IgnoreCost = true
	m, err = ImportPartitioning("x/small.json", strings.NewReader(smallTraining), free)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Edge{{0, 1, 20, 0}, {1, 2, 10, 0}}, m.Edges); diff != "" {
		t.Errorf("edges without cost (-want +got)\n%s", diff)
	}
}

// graph writes nodes and edges in the format, tersely: node "id class forward?".
func graphJSON(nodes, edges []string) string {
	var parts []string
	for _, n := range nodes {
		var id, gradient int
		var class string
		if _, err := fmt.Sscan(n, &id, &class, &gradient); err != nil {
			panic(err)
		}
		if class != "-" {
			class = fmt.Sprintf(`"colorClass": %s, `, class)
		} else {
			class = ""
		}
		parts = append(parts, fmt.Sprintf(`{"id": %d, %s"supportedOnFpga": true, "cpuLatency": %d, "fpgaLatency": 1, "isBackwardNode": %d, "size": 4}`, id, class, 10*id, gradient))
	}
	var arrows []string
	for _, e := range edges {
		var from, to int
		if _, err := fmt.Sscan(e, &from, &to); err != nil {
			panic(err)
		}
		arrows = append(arrows, fmt.Sprintf(`{"sourceId": %d, "destId": %d, "cost": 2, "size": 4}`, from, to))
	}
	return `{"nodes": [` + strings.Join(parts, ",") + `], "edges": [` + strings.Join(arrows, ",") + `]}`
}

func TestNodesOfOneClassAreJoined(t *testing.T) {
	for _, test := range []struct {
		name         string
		nodes, edges []string
		layers       string // name:forward/backward on the CPU, ms
		want         string // edges
	}{
		{"two forward nodes", []string{"1 - 0", "2 7 0", "3 7 0", "4 - 0"}, []string{"1 2", "1 3", "2 4", "3 4"},
			"node1:10/0 node2:50/0 node4:40/0", "0-1:1 1-2:2"}, // 1's output crosses once, those of 2 and 3 both
		{"no class at all", []string{"1 - 0", "2 - 0"}, []string{"2 1"}, "node2:20/0 node1:10/0", "0-1:1"},
		{"class 0 counts", []string{"1 0 0", "2 0 1"}, nil, "node1:10/20", ""},
		{"gradient alone, tied by what feeds it and by whom it precedes",
			[]string{"1 1 0", "2 1 1", "3 3 0", "4 3 1", "5 5 1"}, []string{"1 3", "1 5", "4 5", "5 2"},
			"node1:10/20 node5:0/50 node3:30/40", "0-1:2 0-2:1 1-2:1"},
	} {
		m, err := ImportPartitioning("g", strings.NewReader(graphJSON(test.nodes, test.edges)), cpuAndGPU)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var layers, edges []string
		for i := range m.Layers {
			f, b, _ := m.Layers[i].Profile("xeon", 1).At(1)
			layers = append(layers, fmt.Sprintf("%s:%.0f/%.0f", m.Layers[i].Name, 1e3*f, 1e3*b))
		}
		for _, e := range m.Edges {
			edges = append(edges, fmt.Sprintf("%d-%d:%v", e.From, e.To, e.Elements))
		}
		if got := strings.Join(layers, " "); got != test.layers {
			t.Errorf("%s: layers %s, want %s", test.name, got, test.layers)
		}
		if got := strings.Join(edges, " "); got != test.want {
			t.Errorf("%s: edges %s, want %s", test.name, got, test.want)
		}
	}
}

func TestSizesThatHoldParametersAlone(t *testing.T) {
	text := strings.Replace(smallTraining, `"colorClass": 1, "size": 80`, `"colorClass": 1, "size": 8`, 1)
	m, err := ImportPartitioning("g", strings.NewReader(text), cpuAndGPU)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{2, 110, 30} {
		if got := m.Layers[i].Params; got != want {
			t.Errorf("%s has %d parameters, want %d: its whole size", m.Layers[i].Name, got, want)
		}
	}
}

func TestImportPartitioningErrors(t *testing.T) {
	two := func(from, to string) string { return strings.Replace(smallTraining, from, to, 1) }
	for _, test := range []struct{ text, want string }{
		{"", "g.json:1:1: unexpected end of JSON input"},
		{"{\"nodes\":\n [}", "g.json:2:3: invalid character"},
		{"{}", "g.json: no nodes; expected"},
		{two(`"id": 1,`, ``), "g.json: nodes[0]: has no id"},
		{two(`"id": 4,`, `"id": 1,`), "nodes[0] and nodes[1] both have id 1"},
		{two(`"cpuLatency": 10, `, ``), "nodes[2]: id 2 has no cpuLatency"},
		{two(`"cpuLatency": 10,`, `"cpuLatency": -10,`), "nodes[2]: id 2: cpuLatency: -10 is negative"},
		{two(`"cpuLatency": 10,`, `"cpuLatency": "x",`), "g.json:4:65: nodes.cpuLatency: expected float64, got string"},
		{two(`"supportedOnFpga": 1, `, ``), "has no supportedOnFpga"},
		{two(`"supportedOnFpga": 1,`, `"supportedOnFpga": 2,`), "2 is no truth value"},
		{two(`"destId": 2`, `"destId": 9`), "edges[0]: no node has id 9"},
		{two(`"destId": 2`, `"destId": 1`), "edges[0]: node 1 leads to itself"},
		{two(`"cost": 0.5, `, ``), "edges[0]: needs sourceId, destId and cost"},
		{two(`"cost": 0.5`, `"cost": 1e300`), "edges[0]: 1e+300 is above"},
		{two(`"size": 440`, `"size": 1e17`), "workloads.MaxParams"},
		{two(`"destId": 2`, `"destId": 2, "size": 1, "cost": 0}, {"sourceId": 3, "destId": 1`), "form a cycle once nodes of one colorClass are joined: in (colorClass 1, 2 nodes) -> mid"},
		{graphJSON([]string{"1 5 0", "2 6 0", "3 5 0"}, []string{"1 2", "2 3"}), "form a cycle"},
		{graphJSON([]string{"1 5 0", "2 6 1"}, []string{"2 1"}), "edges[0]: forward node 1 waits for gradient node 2"},
	} {
		_, err := ImportPartitioning("g.json", strings.NewReader(test.text), cpuAndGPU)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.150q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
	for _, opt := range []PartitioningOptions{{}, {CPU: "a"}, {CPU: "a", Accelerator: "a"}} {
		if _, err := ImportPartitioning("g.json", strings.NewReader(smallTraining), opt); err == nil {
			t.Errorf("options %+v are accepted", opt)
		}
	}
}

// Whatever the classes and edges, joining loses no time and no parameter.
func TestJoiningKeepsTotals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 10).Draw(t, "n")
		var nodes, edges []string
		var forward, backward float64
		for id := 1; id <= n; id++ {
			gradient := rapid.IntRange(0, 1).Draw(t, "gradient")
			if gradient == 0 {
				forward += 10 * float64(id)
			} else {
				backward += 10 * float64(id)
			}
			nodes = append(nodes, fmt.Sprintf("%d %d %d", id, rapid.IntRange(0, n).Draw(t, "class"), gradient))
		}
		for range rapid.IntRange(0, n).Draw(t, "edges") {
			from := rapid.IntRange(1, n).Draw(t, "from")
			if to := rapid.IntRange(1, n).Draw(t, "to"); from < to {
				edges = append(edges, fmt.Sprintf("%d %d", from, to))
			}
		}
		m, err := ImportPartitioning("g", strings.NewReader(graphJSON(nodes, edges)), cpuAndGPU)
		if err != nil {
			if !strings.Contains(err.Error(), "cycle") && !strings.Contains(err.Error(), "waits for gradient") {
				t.Fatal(err)
			}
			return
		}
		var f, b float64
		for i := range m.Layers {
			p := m.Layers[i].Profile("xeon", 1).Points[0]
			f, b = f+1e3*p.Forward, b+1e3*p.Backward
		}
		if math.Abs(f-forward) > 1e-9*forward || math.Abs(b-backward) > 1e-9*backward {
			t.Fatalf("forward %v, backward %v; want %v, %v", f, b, forward, backward)
		}
	})
}

// Figures of the published files, summed by other means; parameters against the
// networks' own: BERT-large with untied output weights, torchvision's ResNet-50.
func TestImportPartitioningRealGraphs(t *testing.T) {
	for _, test := range []struct {
		name          string
		layers, edges int
		params        int64
		cpu, gpu      [2]float64 // ms forward, backward
	}{
		{"bert24_inference", 32, 55, 336_226_108 + 30522*1024, [2]float64{924.06, 0}, [2]float64{92.406, 0}},
		{"bert24_training", 32, 55, 336_226_108 + 30522*1024, [2]float64{924.06, 1254.07}, [2]float64{92.406, 125.407}},
		{"resnet50_inference", 177, 193, 25_557_032 + 512_000/4, [2]float64{2014.5, 0}, [2]float64{201.45, 0}}, // the last layer's output cannot be told from parameters
		{"resnet50_training", 177, 193, 25_557_032, [2]float64{2014.5, 2609.31}, [2]float64{201.45, 260.931}},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := sharedFile(t, "dnn-partitioning", test.name+".json")
			m, err := ImportPartitioning(test.name+".json", bytes.NewReader(data), cpuAndGPU)
			if err != nil {
				t.Fatal(err)
			}
			if p := m.Totals().Params; len(m.Layers) != test.layers || len(m.Edges) != test.edges || p != test.params {
				t.Errorf("%d layers, %d edges, %d parameters; want %d, %d, %d", len(m.Layers), len(m.Edges), p, test.layers, test.edges, test.params)
			}
			for device, want := range map[string][2]float64{"xeon": test.cpu, "gpu": test.gpu} {
				var got [2]float64
				for i := range m.Layers {
					f, b, _ := m.Layers[i].Profile(device, 1).At(1)
					got[0], got[1] = got[0]+1e3*f, got[1]+1e3*b
				}
				if math.Abs(got[0]-want[0]) > 1e-6 || math.Abs(got[1]-want[1]) > 1e-6 {
					t.Errorf("%s: %v ms forward and backward, want %v", device, got, want)
				}
			}
			for _, e := range m.Edges { // bytes over 2^31, in ms
				if want := 4 * e.Elements / (1 << 31) / 1e3; math.Abs(e.Seconds-want) > 1e-12 {
					t.Errorf("edge %d-%d: %v s for %v elements, want %v", e.From, e.To, e.Seconds, e.Elements, want)
				}
			}
			if training := strings.HasSuffix(test.name, "training"); training != (m.Layers[len(m.Layers)/2].Backward > 0) {
				t.Errorf("backward %v of a middle layer", m.Layers[len(m.Layers)/2].Backward)
			}
		})
	}
}

func FuzzImportPartitioning(f *testing.F) {
	f.Add([]byte(smallTraining))
	f.Add([]byte(graphJSON([]string{"1 1 0", "2 1 1", "3 3 0", "4 3 1", "5 5 1"}, []string{"1 3", "1 5", "4 5", "5 2"})))
	f.Add([]byte(`{"nodes": [{"id": 1}], "edges": [{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ImportPartitioning("fuzz", bytes.NewReader(data), cpuAndGPU)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		for i := range m.Layers {
			if m.Layers[i].Profile("xeon", 1) == nil {
				t.Fatalf("layer %s cannot run anywhere", m.Layers[i].Name)
			}
		}
	})
}

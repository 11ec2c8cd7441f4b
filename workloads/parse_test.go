package workloads

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const smallModel = `title = "Small"
source = "by hand"
edge = [
  { from = "input", to = "embedding", elements = 4 },
  { from = "input", to = "join", elements = 2 },
  { from = "embedding", to = "join" },
  { from = "join", to = "tower" },
  { from = "tower", to = "loss", time = "2 ms" },
]

[[layer]]
name = "input"
kind = "input"
flops = 100
traffic = 12.5
output = 6

[[layer]]
name = "embedding"
table = [
  { name = "user", rows = 1_000, dim = 8 },
  { name = "items", rows = 50, dim = 4, lookups = 3 },
]

[[layer]]
name = "join"
op = [{ concat = { elements = 14 } }]

[[layer]]
name = "tower"
repeat = 2
parallel = 0.5
op = [{ linear = { in = 14, out = 14, bias = false } }, { activation = { elements = 14 } }]
stored = 7

[[layer.profile]]
device = "v100-16"
batch = 64
forward = "2 ms"
backward = "4 ms"

[[layer.profile]]
device = "a100-40"
batch = 32
forward = "500 us"
backward = "1 ms"

[[layer.profile]]
device = "v100-16"
batch = 32
forward = "1 ms"
backward = "3 ms"

[[layer]]
name = "loss"
op = [{ loss = { elements = 14 } }]
`

// TestParseDegrees: entries of one device type are a profile for each number of devices
// that computed the layer together; one is that of entries that do not say.
func TestParseDegrees(t *testing.T) {
	m, err := ParseModel("m.toml", []byte(`
[[layer]]
name = "a"
kind = "block"
output = 1
profile = [
  { device = "t4", tensor_parallel = 2, batch = 4, forward = "2 ms", update = "3 us" },
  { device = "t4", batch = 4, forward = "3 ms" },
  { device = "t4", tensor_parallel = 1, batch = 8, forward = "6 ms" },
]`))
	if err != nil {
		t.Fatal(err)
	}
	want := []Profile{
		{Device: "t4", Points: []ProfilePoint{{4, 3e-3, 0, 0}, {8, 6e-3, 0, 0}}},
		{Device: "t4", Tensor: 2, Points: []ProfilePoint{{4, 2e-3, 0, 3e-6}}},
	}
	if diff := cmp.Diff(want, m.Layers[0].Profiles); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestParseSmallModel(t *testing.T) {
	got, err := ParseModel("some/small.toml", []byte(smallModel))
	if err != nil {
		t.Fatal(err)
	}
	profiles := []Profile{
		{Device: "a100-40", Points: []ProfilePoint{{32, 0.0005, 0.001, 0}}},
		{Device: "v100-16", Points: []ProfilePoint{{32, 0.001, 0.003, 0}, {64, 0.002, 0.004, 0}}},
	}
	tower := Layer{Kind: Block, FLOPs: 392 + 14, Traffic: 28 + 28, Params: 196, Output: 14, Stored: 7,
		Backward: (392*2 + 14*1) / 406.0, Parallel: 0.5, Profiles: profiles}
	first, second := tower, tower
	first.Name, second.Name = "tower.1", "tower.2"
	want := &Model{
		Name: "small", Title: "Small", Source: "by hand",
		Layers: []Layer{
			{Name: "input", Kind: Input, FLOPs: 100, Traffic: 12.5, Output: 6, Parallel: -1},
			{Name: "embedding", Kind: Embedding, FLOPs: 8, Traffic: 4 + 12, Output: 12, Stored: 4, Backward: 2, Parallel: -1,
				Tables: []Table{{"user", 1000, 8, 1}, {"items", 50, 4, 3}}},
			{Name: "join", Kind: Interaction, Traffic: 28, Output: 14, Backward: 1, Parallel: -1},
			first, second,
			{Name: "loss", Kind: Loss, FLOPs: 70, Traffic: 28, Output: 1, Stored: 14, Backward: 1, Parallel: -1},
		},
		Edges: []Edge{{0, 1, 4, 0}, {0, 2, 2, 0}, {1, 2, 12, 0}, {2, 3, 14, 0}, {3, 4, 14, 0}, {4, 5, 14, 0.002}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPoolingNone(t *testing.T) {
	m, err := ParseModel("m.toml", []byte("[[layer]]\nname = \"e\"\npooling = \"none\"\ntable = [{ name = \"a\", rows = 9, dim = 4, lookups = 3 }]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if l := m.Layers[0]; l.Output != 12 || l.FLOPs != 0 || l.Traffic != 3+12 || l.Stored != 3 {
		t.Errorf("%+v", l)
	}
}

func TestLayersOutOfOrderAreSorted(t *testing.T) {
	m, err := ParseModel("m.toml", []byte(`
edge = [{ from = "a", to = "c" }, { from = "c", to = "d" }, { from = "b", to = "d" }]
layer = [
  { name = "d", kind = "loss", output = 1 },
  { name = "c", kind = "block", output = 2 },
  { name = "b", kind = "block", output = 3 },
  { name = "a", kind = "input", output = 4 },
]`))
	if err != nil {
		t.Fatal(err)
	}
	var names string
	for _, l := range m.Layers {
		names += l.Name
	}
	want := []Edge{{0, 3, 3, 0}, {1, 2, 4, 0}, {2, 3, 2, 0}}
	if names != "bacd" || cmp.Diff(want, m.Edges) != "" {
		t.Errorf("order %s, edges %v; want bacd, %v", names, m.Edges, want)
	}
}

// A message points at the value and says what would do.
func TestParseErrors(t *testing.T) {
	const a = "layer = [{ name = \"a\", kind = \"block\", output = 1 }, { name = \"b\", kind = \"block\", output = 1 }]\n"
	one := func(keys string) string { return "[[layer]]\nname = \"a\"\n" + keys + "\n" }
	for _, test := range []struct{ text, want string }{
		{"", "at least one [[layer]]"},
		{"title = \"x\"\nlayers = []\n", "m.toml:2:1: "},
		{"title = \"x\"\nlayers = []\n", `did you mean "layer"`},
		{one("kind = \"linea\"\noutput = 1"), `m.toml:3:8: layer[0].kind: unknown kind "linea"; known: [input embedding`},
		{one("output = 1"), "needs a kind"},
		{one("kind = \"block\""), "must give its output"},
		{one("kind = \"block\"\noutput = -1.0"), "m.toml:4:10: layer[0].output: -1 is negative"},
		{one("kind = \"block\"\noutput = 1e19"), "m.toml:4:10: layer[0].output: 1e+19 is above 1e+18"},
		{one("kind = \"block\"\noutput = nan"), "m.toml:4:10: layer[0].output"},
		{one("kind = \"block\"\noutput = 1\nparams = -5"), "m.toml:5:10: layer[0].params: -5 parameters"},
		{one("kind = \"block\"\noutput = 1\nparallel = 1.5"), "m.toml:5:12: layer[0].parallel: 1.5; it is the share"},
		{one("op = [{ linear = { in = 3, out = 0 } }]"), "layer[0].op[0].linear: out: 0 (or missing)"},
		{one("op = [{}]"), "names one operation, this one 0; known: conv, linear"},
		{one("op = [{ concat = { elements = 3 }, loss = { elements = 2 } }]"), "names one operation, this one 2"},
		{one("op = [{ linear = { in = 100_000_000, out = 10_000_000 } }]"), "layer[0].params: 1000000010000000 parameters"},
		{one("op = [{ concat = { elements = 3 } }]\ntable = [{ name = \"t\", rows = 3, dim = 2 }]"), "make it two layers"},
		{one("table = [{ name = \"t\", rows = 3, dim = 0 }]"), "layer[0].table[0]: table \"t\": rows 3, dim 0, lookups 1"},
		{one("table = [{ name = \"t\", rows = 3, dim = 1 }, { name = \"t\", rows = 3, dim = 1 }]"), "layer[0].table[1]: two tables are named \"t\""},
		{one("table = [{ name = \"t\", rows = 4_294_967_295, dim = 1 }, { name = \"u\", rows = 1, dim = 1 }]"), "table \"u\" brings the layer to 2^32 rows"},
		{one("pooling = \"max\"\ntable = [{ name = \"t\", rows = 3, dim = 1 }]"), `m.toml:3:11: layer[0].pooling: unknown pooling "max"`},
		{one("repeat = 0\nkind = \"block\"\noutput = 1"), "m.toml:3:10: layer[0].repeat: 0 copies"},
		{one("repeat = 20_001\nkind = \"block\"\noutput = 1"), "20000 layers in all (workloads.MaxLayers)"},
		{"[[layer]]\nkind = \"block\"\noutput = 1\n", "a layer needs a name"},
		{strings.Replace(a, `"b"`, `"a"`, 1), "layer[1].name: a second layer \"a\""},
		{one("kind = \"block\"\noutput = 1\n[[layer.profile]]\nbatch = 3\nforward = \"1 ms\""), "names the device type"},
		{one("kind = \"block\"\noutput = 1\n[[layer.profile]]\ndevice = \"t4\"\nforward = \"1 ms\""), "gives the batch that was measured"},
		{one("kind = \"block\"\noutput = 1\n[[layer.profile]]\ndevice = \"t4\"\nbatch = 2"), "gives the forward time"},
		{one("kind = \"block\"\noutput = 1\nbackward = 2\n[[layer.profile]]\ndevice = \"t4\"\nbatch = 2\nforward = \"1 ms\""), "gives the backward time"},
		{one("kind = \"block\"\noutput = 1\n[[layer.profile]]\ndevice = \"t4\"\nbatch = 2\nforward = \"1 m\""), "m.toml:8:11: layer[0].profile[0].forward"},
		{one("kind = \"block\"\noutput = 1\n[[layer.profile]]\ndevice = \"t4\"\nbatch = 2\nforward = \"1 ms\"\n[[layer.profile]]\ndevice = \"t4\"\nbatch = 2\nforward = \"1 ms\""), "batch 2 on device type \"t4\" is given twice"},
		{one("kind = \"block\"\noutput = 1\nprofile = [{ device = \"t4\", tensor_parallel = 2, batch = 2, forward = \"1 ms\" }, { device = \"t4\", tensor_parallel = 2, batch = 2, forward = \"1 ms\" }]"), "batch 2 on 2 of device type \"t4\" together is given twice"},
		{one("kind = \"block\"\noutput = 1\nprofile = [{ device = \"t4\", tensor_parallel = 0, batch = 2, forward = \"1 ms\" }]"), "layer[0].profile[0].tensor_parallel: 0; it is how many devices computed the layer together, 1 to 1024"},
		{one("kind = \"block\"\noutput = 1\nonly_profiled = true"), "m.toml:5:17: layer[0].only_profiled: layer \"a\" has no [[layer.profile]]"},
		{a + "edge = [{ from = \"a\", to = \"c\" }]", `m.toml:2:28: edge[0].to: unknown layer "c"`},
		{a + "edge = [{ from = \"a\" }]", "to is missing"},
		{a + "edge = [{ from = \"a\", to = \"a\" }]", "layer \"a\" leads to itself"},
		{a + "edge = [{ from = \"a\", to = \"b\", elements = -1 }]", "edge[0].elements: -1 is negative"},
		{a + "edge = [{ from = \"a\", to = \"b\" }, { from = \"a\", to = \"b\" }]", "edge[1]: a second edge from \"a\" to \"b\""},
		{a + "edge = [{ from = \"a\", to = \"b\" }, { from = \"b\", to = \"a\" }]", "the edges form a cycle: "},
		{one("kind = \"block\"\noutput = 1\nrepeat = 3") + "[[edge]]\nfrom = \"a.3\"\nto = \"a.1\"", "m.toml:6:1: edge[0]: the edges form a cycle: a.1 -> a.2 -> a.3 -> a.1"},
	} {
		m, err := ParseModel("m.toml", []byte(test.text))
		if err == nil {
			t.Errorf("%q is accepted: %+v; want %q", test.text, m, test.want)
		} else if !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q:\ngot  %v\nwant %s", test.text, err, test.want)
		}
	}
}

func TestTablesOfAllCopiesAreLimited(t *testing.T) {
	var text strings.Builder
	text.WriteString("[[layer]]\nname = \"e\"\nrepeat = 1000\ntable = [\n")
	for i := range 101 {
		fmt.Fprintf(&text, "{ name = \"t%d\", rows = 1, dim = 1 },\n", i)
	}
	text.WriteString("]\n")
	if _, err := ParseModel("m.toml", []byte(text.String())); err == nil || !strings.Contains(err.Error(), "workloads.MaxTables") {
		t.Errorf("got %v, want workloads.MaxTables", err)
	}
}

func TestModelName(t *testing.T) {
	for path, want := range map[string]string{
		"vgg-16.toml": "vgg-16", "models/gpt-3-1.3b.toml": "gpt-3-1.3b", "a/b/vgg16/graph.txt": "vgg16",
		"graph.txt": "graph", "./graph.txt": "graph", "../graph.txt": "graph", "x": "x", "a/.toml": "a/.toml",
	} {
		if got := modelName(filepath.FromSlash(path)); got != want {
			t.Errorf("modelName(%q) = %q, want %q", path, got, want)
		}
	}
}

// Writing a chain out as edges, in whatever order its layers are written, gives
// the model that the chain gives.
func TestChainEqualsItsEdges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(t, "n")
		lines, edges := make([]string, n), make([]string, n-1)
		for i := range n {
			lines[i] = fmt.Sprintf("[[layer]]\nname = \"l%d\"\nkind = \"block\"\noutput = %d\n", i, rapid.IntRange(1, 99).Draw(t, "out"))
			if i > 0 {
				edges[i-1] = fmt.Sprintf("{ from = \"l%d\", to = \"l%d\" }", i-1, i)
			}
		}
		plain, err := ParseModel("m.toml", []byte(strings.Join(lines, "")))
		if err != nil {
			t.Fatal(err)
		}
		lines, edges = rapid.Permutation(lines).Draw(t, "lines"), rapid.Permutation(edges).Draw(t, "edges")
		written, err := ParseModel("m.toml", []byte("edge = ["+strings.Join(edges, ",")+"]\n"+strings.Join(lines, "")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, written); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzParseModel(f *testing.F) {
	f.Add([]byte(smallModel))
	f.Add([]byte("[[layer]]\nname = \"a\"\nkind = \"block\"\noutput = 1\nprofile = [{ device = \"d\", tensor_parallel = 8, batch = 1, forward = \"1 s\", update = \"1 ms\" }]"))
	f.Add([]byte("[[layer]]\nname = \"a\"\nrepeat = 3\nkind = \"block\"\noutput = 1\nonly_profiled = true\n[[layer.profile]]\ndevice = \"d\"\nbatch = 1\nforward = \"1 s\""))
	f.Add([]byte("edge = [{ from = \"a\", to = \"b\" }, { from = \"b\", to = \"a\" }]\nlayer = [{ name = \"a\", output = 1, kind = \"loss\" }, { name = \"b\", output = 1, kind = \"loss\" }]"))
	files, err := filepath.Glob("models/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseModel("fuzz.toml", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.toml") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		if totals := m.Totals(); totals.Params < 0 || totals.EmbeddingElements < 0 {
			t.Fatalf("totals wrap: %+v", totals)
		}
	})
}

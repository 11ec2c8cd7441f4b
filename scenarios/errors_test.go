package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"stowage/hw/spec"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// fine is a scenario without a fault. Its lines are those of the error table.
const fine = `name = "fine"
seed = 3
[model]
use = "2emb"
[[cluster.pool]]
device = "xeon-6148"
count = 2
[[cluster.pool]]
device = "v100-16"
count = 8
[training]
batch = 512
microbatches = 4
rounds = 3
[placement]
policy = "genetic"
[lookups]
generator = "zipf"
alpha = 1.1
[slots]
capacity = "5 %"
replacement = "lru"
lookahead = 1
`

// halves is a scheme of fine: five layers on either pool.
const halves = `scheme = ["xeon-6148", "xeon-6148", "xeon-6148", "xeon-6148", "xeon-6148", "v100-16", "v100-16", "v100-16", "v100-16", "v100-16"]`

// faults is the table: in the scenario fine, each from becomes to; the errors are
// want, a line each, after the file's name.
var faults = []struct {
	name, from, to, want string
}{
	// Expectations.
	{"expectation without anything", "lookahead = 1\n", "lookahead = 1\n[[expect]]\nknown_gap = true\n",
		`x.toml:24:1: expect[0]: missing key "metric" (the name of a metric of result.json, e.g. "throughput")` + "\n" +
			`x.toml:24:1: expect[0]: missing key "value" (what the source says, in the metric's unit)` + "\n" +
			`x.toml:24:1: expect[0]: missing key "within" (how far off is allowed, e.g. "5 %")` + "\n" +
			`x.toml:24:1: expect[0]: missing key "source" (where the value is from: paper and table, or repository, commit and file)`},
	{"wrong expectations", "lookahead = 1\n", "lookahead = 1\n[[expect]]\nmetric = \"troughput\"\nvalue = 0\nwithin = \"100 %\"\nsource = \"x\"\n",
		`x.toml:25:10: expect[0].metric: unknown value "troughput"; did you mean "throughput"? (known: ` + strings.Join(metricNames(), ", ") + ")\n" + `x.toml:26:9: expect[0].value: 0: how far off a prediction is, is a share of the value` + "\n" + `x.toml:27:10: expect[0].within: "100 %": from 0 to below 100 %`},
	// The file.
	{"empty", fine, ``,
		`x.toml:1:1: model: missing key "use" (the name of a shipped model, e.g. "ctrdnn" (or file = "graph.txt", or transformer = { layers, hidden, heads, sequence }))` + "\n" +
			`x.toml:1:1: cluster: missing key "pool" (at least one [[cluster.pool]] with a device and a count)` + "\n" +
			`x.toml:1:1: training: missing key "batch" (samples per training round, e.g. 4096)`},
	{"syntax", `seed = 3`, `seed = `,
		`x.toml:2:8: seed: the value is missing`},
	{"unknown section", `[slots]`, `[slot]`,
		`x.toml:20:2: slot: unknown key; did you mean "slots"?`},
	{"unknown key", `seed = 3`, `sede = 3`,
		`x.toml:2:1: sede: unknown key; did you mean "seed"?`},
	{"wrong type", `seed = 3`, `seed = "3"`,
		`x.toml:2:8: seed: expected an integer, got string "3"; write 3 without quotes`},
	{"twice", `seed = 3`, "seed = 3\nseed = 4",
		`x.toml:3:1: seed: written twice; first on line 2`},
	{"name with a slash", `"fine"`, `"a/b"`,
		`x.toml:1:8: name: "a/b": it names the folder of the results, so it must be printable text of at most 200 bytes, without slashes, that does not begin with a dot`},
	{"name with a backslash", `"fine"`, `'a\b'`,
		`x.toml:1:8: name: "a\\b": it names the folder of the results, so it must be printable text of at most 200 bytes, without slashes, that does not begin with a dot`},
	{"name with a dot first", `"fine"`, `".."`,
		`x.toml:1:8: name: "..": it names the folder of the results, so it must be printable text of at most 200 bytes, without slashes, that does not begin with a dot`},
	{"name with a line feed", `"fine"`, `"a\nb"`,
		`x.toml:1:8: name: "a\nb": it names the folder of the results, so it must be printable text of at most 200 bytes, without slashes, that does not begin with a dot`},
	{"long name", `"fine"`, `"` + strings.Repeat("n", MaxNameBytes+1) + `"`,
		`x.toml:1:8: name: "` + strings.Repeat("n", MaxNameBytes+1) + `": it names the folder of the results, so it must be printable text of at most 200 bytes, without slashes, that does not begin with a dot`},

	// Model.
	{"no model", `use = "2emb"`, ``,
		`x.toml:3:1: model: missing key "use" (the name of a shipped model, e.g. "ctrdnn" (or file = "graph.txt", or transformer = { layers, hidden, heads, sequence }))`},
	{"unknown model", `use = "2emb"`, `use = "2emd"`,
		`x.toml:4:7: model.use: unknown model "2emd"; did you mean "2emb"?`},
	{"model twice", `use = "2emb"`, "use = \"2emb\"\nfile = \"x.toml\"",
		`x.toml:5:8: model.file: a model comes from use or from file, not from both`},
	{"model.use with a file's key", `use = "2emb"`, "use = \"2emb\"\nbatch = 3",
		`x.toml:5:9: model.batch: it goes with model.file only`},
	{"model file missing", `use = "2emb"`, `file = "none.toml"`,
		`x.toml:4:8: model.file: open none.toml: no such file or directory`},
	{"model file wrong", `use = "2emb"`, `file = "wrong-model.toml"`,
		`x.toml:4:8: model.file: wrong-model.toml:2:1: layer[0]: layer "a" has neither op nor table, so it must give its output (elements per sample), and flops and traffic where they are not 0`},
	{"model format unknown", `use = "2emb"`, "file = \"none.txt\"\nformat = \"pipedraem\"",
		`x.toml:5:10: model.format: unknown value "pipedraem"; did you mean "pipedream"? (known: toml, pipedream, dnn-partitioning)`},
	{"model key of another format", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"pipedream\"\ndevice = \"v100-16\"\nbatch = 1\ncpu = \"xeon-6148\"",
		`x.toml:4:8: model.file: graph.txt:1: "nothing of the sort" is no node; accepted: "node1 -- operation -- forward_compute_time=…, backward_compute_time=…, activation_size=…, parameter_size=…" (edges are indented)` + "\n" +
			`x.toml:8:7: model.cpu: it goes with format = "dnn-partitioning" only`},
	{"pipedream without device", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"pipedream\"\nbatch = 1",
		`x.toml:3:1: model: missing key "device" (the device type that was measured, e.g. "v100-16")`},
	{"pipedream with an unknown device", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"pipedream\"\nbatch = 1\ndevice = \"v100-61\"",
		`x.toml:7:10: model.device: unknown device "v100-61"; did you mean v100-16?`},
	{"pipedream without batch", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"pipedream\"\ndevice = \"v100-16\"",
		`x.toml:3:1: model: missing key "batch" (the batch that was measured, e.g. 128)`},
	{"pipedream batch of 0", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"pipedream\"\ndevice = \"v100-16\"\nbatch = 0",
		`x.toml:7:9: model.batch: 0: the batch that was measured, at least 1`},
	{"pipedream file wrong", `use = "2emb"`, "file = \"wrong-model.toml\"\nformat = \"pipedream\"\ndevice = \"v100-16\"\nbatch = 1",
		`x.toml:4:8: model.file: wrong-model.toml:1: "title = \"wrong\"" is no node; accepted: "node1 -- operation -- forward_compute_time=…, backward_compute_time=…, activation_size=…, parameter_size=…" (edges are indented)`},
	{"dnn-partitioning without devices", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"dnn-partitioning\"",
		`x.toml:3:1: model: missing key "cpu" (the device type of cpuLatency, e.g. "v100-16")` + "\n" +
			`x.toml:3:1: model: missing key "accelerator" (the device type of fpgaLatency, e.g. "v100-16")`},
	{"dnn-partitioning file wrong", `use = "2emb"`, "file = \"graph.txt\"\nformat = \"dnn-partitioning\"\ncpu = \"xeon-6148\"\naccelerator = \"t4\"",
		`x.toml:4:8: model.file: graph.txt:1:2: invalid character 'o' in literal null (expecting 'u')`},
	{"model file is a folder", `use = "2emb"`, `file = "."`,
		`x.toml:4:8: model.file: read FOLDER: is a directory`},

	// Cluster.
	{"no pools", "[[cluster.pool]]\ndevice = \"xeon-6148\"\ncount = 2\n[[cluster.pool]]\ndevice = \"v100-16\"\ncount = 8\n", ``,
		`x.toml:1:1: cluster: missing key "pool" (at least one [[cluster.pool]] with a device and a count)`},
	{"pool as a table", "[[cluster.pool]]\ndevice = \"xeon-6148\"\ncount = 2\n[[cluster.pool]]\ndevice = \"v100-16\"", "[cluster.pool]\ndevice = \"v100-16\"",
		`x.toml:5:1: cluster.pool: expected an array of tables, got a table; write [[cluster.pool]]`},
	{"no device", `device = "xeon-6148"`, ``,
		`x.toml:5:1: cluster.pool[0]: missing key "device" (a device type, e.g. "v100-16")`},
	{"unknown device", `"v100-16"`, `"v10O"`,
		`x.toml:9:10: cluster.pool[1].device: unknown device "v10O"; did you mean v100-16?`},
	{"two unknown devices", `device = "`, `device = "q`,
		`x.toml:6:10: cluster.pool[0].device: unknown device "qxeon-6148"; did you mean xeon-6148?` + "\n" +
			`x.toml:9:10: cluster.pool[1].device: unknown device "qv100-16"; did you mean v100-16?`},
	{"no count", `count = 8`, ``,
		`x.toml:8:1: cluster.pool[1]: missing key "count" (how many devices the pool has)`},
	{"count of 0", `count = 8`, `count = 0`,
		`x.toml:10:9: cluster.pool[1].count: 0: from 1 to MaxDevices = 1048576`},
	{"count too large", `count = 8`, `count = 1048577`,
		`x.toml:10:9: cluster.pool[1].count: 1048577: from 1 to MaxDevices = 1048576`},
	{"unknown node", `count = 8`, "count = 8\nnode = \"dgx-v100\"",
		`x.toml:11:8: cluster.pool[1].node: unknown node "dgx-v100"; did you mean dgx-a100-40?`},
	{"node of another device", `count = 8`, "count = 8\nnode = \"p4d\"",
		`x.toml:11:8: cluster.pool[1].node: "p4d" is a node of a100-40, not of v100-16`},
	{"unknown link", `count = 8`, "count = 8\nnic = \"eth-1000\"\npeer_link = \"nvlink\"",
		`x.toml:11:7: cluster.pool[1].nic: unknown link "eth-1000"; did you mean eth-100?` + "\n" +
			`x.toml:12:13: cluster.pool[1].peer_link: unknown link "nvlink"; did you mean nvlink2?`},
	{"per_node of 0", `count = 8`, "count = 8\nper_node = 0",
		`x.toml:11:12: cluster.pool[1].per_node: 0: at least 1 device a node`},
	{"bad unit", `count = 8`, "count = 8\nprice = \"3 EUR/h\"",
		`x.toml:11:9: cluster.pool[1].price: bad price "3 EUR/h": unknown unit "EUR/h"; want a number and one of USD/h, USD/hour, $/h, $/hour, as in "2.42 USD/h"`},
	{"negative price", `count = 8`, "count = 8\nprice = \"-3 USD/h\"",
		`x.toml:11:9: cluster.pool[1].price: bad price "-3 USD/h": it must not be negative; want a number and one of USD/h, USD/hour, $/h, $/hour, as in "2.42 USD/h"`},
	{"one name twice", `count = 8`, "count = 8\nname = \"xeon-6148\"",
		`x.toml:11:8: cluster.pool[1].name: "xeon-6148" is the name of pool 0 too: give each a name of its own (the default is the device type)`},
	{"inside an unknown pool", `count = 2`, "count = 2\ninside = \"v100\"",
		`x.toml:8:10: cluster.pool[0].inside: unknown pool "v100"; did you mean "v100-16"? (known: xeon-6148, v100-16)`},
	{"inside itself", `count = 2`, "count = 2\ninside = \"xeon-6148\"",
		`x.toml:8:10: cluster.pool[0].inside: only a CPU pool can be inside the nodes of another pool`},
	{"accelerators inside", `count = 8`, "count = 8\ninside = \"xeon-6148\"",
		`x.toml:11:10: cluster.pool[1].inside: only a CPU pool can be inside the nodes of another pool`},
	{"inside a CPU pool", `count = 2`, "count = 2\ninside = \"c\"\n[[cluster.pool]]\nname = \"c\"\ndevice = \"xeon-6148\"\ncount = 2",
		`x.toml:8:10: cluster.pool[0].inside: "c" is not an accelerator pool: host sockets are inside the nodes of accelerators`},
	{"more sockets inside than there are", `count = 2`, "count = 3\ninside = \"v100-16\"",
		`x.toml:7:9: cluster.pool[0].count: 3 sockets inside pool "v100-16": its 1 node of 8 devices have 2`},
	{"sockets of two pools", `count = 2`, "count = 2\ninside = \"v100-16\"\n[[cluster.pool]]\nname = \"c\"\ndevice = \"xeon-6148\"\ncount = 1\ninside = \"v100-16\"",
		`x.toml:12:9: cluster.pool[1].count: 3 sockets inside pool "v100-16": its 1 node of 8 devices have 2`},
	{"too many pools", `count = 2`, "count = 2\n" + strings.Repeat("[[cluster.pool]]\ndevice = \"t4\"\ncount = 1\n", 63),
		`x.toml:198:1: cluster.pool[64]: 65 pools: at most MaxPools = 64`},
	{"free pool for cost", fine, with(`count = 8`, "count = 8\nprice = \"0 USD/h\"", `policy = "genetic"`, `objective = "cost"`),
		`x.toml:11:9: cluster.pool[1].price: 0 USD/h: with objective = "cost" every pool needs a price above 0, else schemes on it alone all cost nothing`},

	// Training.
	{"no batch", `batch = 512`, ``,
		`x.toml:11:1: training: missing key "batch" (samples per training round, e.g. 4096)`},
	{"batch of 0", `batch = 512`, `batch = 0`,
		`x.toml:12:9: training.batch: 0: from 1 to MaxBatch = 1073741824 samples`},
	{"batch too large", `batch = 512`, `batch = 1073741828`,
		`x.toml:12:9: training.batch: 1073741828: from 1 to MaxBatch = 1073741824 samples`},
	{"batch no multiple", `batch = 512`, `batch = 510`,
		`x.toml:12:9: training.batch: 510 is no multiple of microbatches = 4`},
	{"batch as a float", `batch = 512`, `batch = 512.0`,
		`x.toml:12:9: training.batch: expected an integer, got float 512.0; write 512`},
	{"microbatches of 0", `microbatches = 4`, `microbatches = 0`,
		`x.toml:13:16: training.microbatches: 0: from 1 to 2^20`},
	{"rounds of 0", `rounds = 3`, `rounds = 0`,
		`x.toml:14:10: training.rounds: 0: from 1 to MaxRounds = 16777216`},
	{"rounds too many", `rounds = 3`, `rounds = 16777217`,
		`x.toml:14:10: training.rounds: 16777217: from 1 to MaxRounds = 16777216`},
	{"unknown schedule", `rounds = 3`, "rounds = 3\nschedule = \"1f1d\"",
		`x.toml:15:12: training.schedule: unknown value "1f1d"; did you mean "1f1b"? (known: ` + strings.Join(pipeline.ScheduleNames(), ", ") + `)`},
	{"staleness with a flush", `rounds = 3`, "rounds = 3\nstaleness = 1",
		`x.toml:15:13: training.staleness: schedule "1f1b" flushes every step: staleness goes with schedule = "async"`},
	{"staleness of 0", fine, with(`rounds = 3`, "rounds = 3\nschedule = \"async\"\nstaleness = 0", "[slots]\ncapacity = \"5 %\"\nreplacement = \"lru\"\nlookahead = 1\n", ""),
		`x.toml:16:13: training.staleness: 0: from 1 to MaxStaleness = 1024 steps; steps that see all updates are those of schedule = "1f1b"`},
	{"no flush with slots", `rounds = 3`, "rounds = 3\nschedule = \"async\"",
		`x.toml:15:12: training.schedule: "async" does not flush, and rows in slots belong to the rounds that use them: leave out [slots], or take a schedule that flushes`},
	{"no flush by type", fine, with(`rounds = 3`, "rounds = 3\nschedule = \"async\"", `policy = "genetic"`, "policy = \"genetic\"\nmerge = \"by-type\"", "[slots]\ncapacity = \"5 %\"\nreplacement = \"lru\"\nlookahead = 1\n", ""),
		`x.toml:15:12: training.schedule: "async" does not flush: stages need one run of layers each, merge = "contiguous", not "by-type"`},
	{"chunks of another schedule", `rounds = 3`, "rounds = 3\nchunks = 2",
		`x.toml:15:10: training.chunks: it goes with schedule = "interleaved" only, this is "1f1b"`},
	{"chunks of a search", `rounds = 3`, "rounds = 3\nschedule = \"interleaved\"\nchunks = 2",
		`x.toml:16:10: training.chunks: it checks the scheme of policy = "fixed"; a search decides itself how many chunks stages have`},
	{"chunks of contiguous stages", fine, with(`rounds = 3`, "rounds = 3\nschedule = \"interleaved\"\nchunks = 2", `policy = "genetic"`, "policy = \"fixed\"\n"+halves),
		`x.toml:16:10: training.chunks: 2: with merge = "contiguous" every run of layers is a stage of its own; with merge = "by-type" the runs of a pool are the chunks of its stage`},
	{"other chunks", fine, with(`rounds = 3`, "rounds = 3\nschedule = \"interleaved\"\nchunks = 2", `policy = "genetic"`, "policy = \"fixed\"\nmerge = \"by-type\"\n"+halves),
		`x.toml:20:11: placement.scheme[0]: pool "xeon-6148" has 1 runs of layers: with chunks = 2 it needs as many`},
	{"chunks of 0", fine, with(`rounds = 3`, "rounds = 3\nschedule = \"interleaved\"\nchunks = 0", `policy = "genetic"`, "policy = \"fixed\"\n"+halves),
		`x.toml:16:10: training.chunks: 0: the chunks of every stage, at least 1`},
	{"unknown precision", `rounds = 3`, "rounds = 3\nprecision = \"fp31\"",
		`x.toml:15:13: training.precision: unknown value "fp31"; did you mean "fp32"? (known: fp64, fp32, tf32, bf16, fp16, fp8, int8)`},
	{"unknown optimizer", `rounds = 3`, "rounds = 3\noptimizer = \"adamw\"",
		`x.toml:15:13: training.optimizer: unknown value "adamw"; did you mean "adam"? (known: sgd, momentum, adagrad, adam)`},
	{"unknown sync", `rounds = 3`, "rounds = 3\nsync = \"tree\"",
		`x.toml:15:8: training.sync: unknown value "tree" (known: ring, ps, none)`},
	{"samples of a run", `rounds = 3`, "rounds = 3\nsamples = 0",
		`x.toml:15:11: training.samples: 0: the samples of the whole training run, at least 1`},
	{"comm_parallel", `rounds = 3`, "rounds = 3\ncomm_parallel = 1.5",
		`x.toml:15:17: training.comm_parallel: 1.5: a number from 0 to 1`},
	{"not a number", `rounds = 3`, "rounds = 3\ncomm_parallel = nan",
		`x.toml:15:17: training.comm_parallel: expected a finite number, got nan`},

	// Placement.
	{"unknown placement", `"genetic"`, `"genetics"`,
		`x.toml:16:10: placement.policy: unknown value "genetics"; did you mean "genetic"? (known: ` + strings.Join(placement.PolicyNames(), ", ") + `)`},
	{"unknown fitness", `policy = "genetic"`, `fitness = "simulated"`,
		`x.toml:16:11: placement.fitness: unknown value "simulated" (known: closed-form, recurrence)`},
	{"unknown merge", `policy = "genetic"`, `merge = "bytype"`,
		`x.toml:16:9: placement.merge: unknown value "bytype"; did you mean "by-type"? (known: contiguous, by-type, convex)`},
	{"unknown communication", `policy = "genetic"`, `communication = "add"`,
		`x.toml:16:17: placement.communication: unknown value "add"; did you mean "added"? (known: overlap, added)`},
	{"added by recurrence", `policy = "genetic"`, "fitness = \"recurrence\"\ncommunication = \"added\"",
		`x.toml:17:17: placement.communication: "added" goes with fitness = "closed-form" only: communication = "added" is a model of the closed form alone: in a pipeline, transfers go from stage to stage and beside computing`},
	{"unknown servers", "rounds = 3\n[placement]\npolicy = \"genetic\"", "rounds = 3\nsync = \"ps\"\n[placement]\nservers = \"v100-61\"",
		`x.toml:17:11: placement.servers: unknown value "v100-61"; did you mean "v100-16"? (known: xeon-6148, v100-16)`},
	{"servers without ps", `policy = "genetic"`, `servers = "xeon-6148"`,
		`x.toml:16:11: placement.servers: parameter servers need training with sync = "ps"`},
	{"no question", `policy = "genetic"`, "[whatif]",
		`x.toml:16:1: whatif: no question: it has sections price, node and cluster`},
	{"question to a fixed scheme", `policy = "genetic"`, "policy = \"fixed\"\nscheme = [\"xeon-6148\"]\n[whatif.node]",
		`x.toml:17:10: placement.scheme: 1 pools for the 10 layers of 2emb` + "\n" +
			`x.toml:18:1: whatif: a placement policy answers its questions, and "fixed" has no choice`},
	{"question about an unknown pool", `policy = "genetic"`, "[whatif.price]\npool = \"v100-61\"\n[whatif.node]\npools = [\"v100-16\", \"xeon\"]",
		`x.toml:17:8: whatif.price.pool: unknown value "v100-61"; did you mean "v100-16"? (known: xeon-6148, v100-16)` + "\n" +
			`x.toml:19:21: whatif.node.pools[1]: unknown value "xeon"; did you mean "xeon-6148"? (known: xeon-6148, v100-16)`},
	{"price range", `policy = "genetic"`, "[whatif.price]\npool = \"v100-16\"\nfrom = \"3 USD/h\"\nto = \"2 USD/h\"",
		`x.toml:18:8: whatif.price.from: 3 USD/h: want less than whatif.price.to = 2 USD/h`},
	{"price of nothing", `policy = "genetic"`, "objective = \"cost\"\n[whatif.price]\npool = \"v100-16\"\nfrom = \"0 USD/h\"",
		`x.toml:19:8: whatif.price.from: 0 USD/h: above 0 with objective = "cost", else schemes on free devices alone all cost nothing`},
	{"price without a pool", `policy = "genetic"`, "[whatif.price]\nfrom = \"3 USD/h\"",
		`x.toml:16:1: whatif.price: missing key "pool" (the pool whose price varies)`},
	{"cluster without a throughput", `policy = "genetic"`, "[whatif.cluster]",
		`x.toml:16:1: whatif.cluster: missing key "throughput" (the samples/s to reach)`},
	{"nodes and limits named twice", `policy = "genetic"`, "[whatif.node]\npools = [\"v100-16\", \"xeon-6148\", \"v100-16\"]\n[whatif.cluster]\nthroughput = 1.0\n[[whatif.cluster.limit]]\npool = \"v100-16\"\ncount = 1\n[[whatif.cluster.limit]]\npool = \"v100-16\"\ncount = 2",
		`x.toml:17:34: whatif.node.pools[2]: "v100-16": it is named twice` + "\n" +
			`x.toml:24:8: whatif.cluster.limit[1].pool: "v100-16": a second limit of this pool`},
	{"cluster limits", `policy = "genetic"`, "[whatif.cluster]\nthroughput = 0.0\n[[whatif.cluster.limit]]\npool = \"v100-16\"\ncount = 0",
		`x.toml:17:14: whatif.cluster.throughput: 0: samples/s, more than 0` + "\n" +
			`x.toml:20:9: whatif.cluster.limit[0].count: 0: from 1 to MaxDevices = 1048576 devices`},
	{"unknown objective", `policy = "genetic"`, `objective = "price"`,
		`x.toml:16:13: placement.objective: unknown value "price" (known: throughput, cost, time)`},
	{"negative floors", `policy = "genetic"`, "min_throughput = -1.0\nmax_cost = -1.0",
		`x.toml:16:18: placement.min_throughput: -1: samples/s, at least 0` + "\n" +
			`x.toml:17:12: placement.max_cost: -1: USD per million samples, at least 0`},
	{"price without a unit", `policy = "genetic"`, `max_price = 25`,
		`x.toml:16:13: placement.max_price: expected a string, got integer 25: bad price "25": it has no unit; want a number and one of USD/h, USD/hour, $/h, $/hour, as in "2.42 USD/h"`},
	{"too many finalists", `policy = "genetic"`, "policy = \"random\"\nfinalists = 1000",
		`x.toml:17:13: placement.finalists: 1000: from 0 to MaxFinalists = 256 schemes`},
	{"nothing to improve", `policy = "genetic"`, "policy = \"random\"\nimprove = 64",
		`x.toml:17:11: placement.improve: there is nothing to improve: say how many finalists, e.g. finalists = 8`},
	{"too many simulations", `policy = "genetic"`, "policy = \"random\"\nfinalists = 1\nimprove = 100000",
		`x.toml:18:11: placement.improve: 100000: from 0 to MaxImprove = 65536 simulations`},
	{"routes without a network", `policy = "genetic"`, "policy = \"random\"\nroutes = false",
		`x.toml:17:10: placement.routes: there is no [cluster.network] whose links transfers could share`},
	{"evaluations of 0", `policy = "genetic"`, "policy = \"random\"\nevaluations = 0",
		`x.toml:17:15: placement.evaluations: 0: from 1 to MaxEvaluations = 1073741824`},
	{"genetic population", `policy = "genetic"`, "[placement.genetic]\npopulation = 1",
		`x.toml:17:14: placement.genetic.population: 1: from 2 to MaxPopulation = 65536`},
	{"genetic elite", `policy = "genetic"`, "[placement.genetic]\nelite = 64",
		`x.toml:17:9: placement.genetic.elite: 64: from 0 to population - 1 = 31`},
	{"genetic selection", `policy = "genetic"`, "[placement.genetic]\nselection = \"rank\"",
		`x.toml:17:13: placement.genetic.selection: "rank": one of ["tournament" "roulette"]`},
	{"genetic mutation", `policy = "genetic"`, "[placement.genetic]\nmutation = -0.5",
		`x.toml:17:12: placement.genetic.mutation: -0.5: a number from 0 to MaxMutation = 20000`},
	{"genetic key", `policy = "genetic"`, "[placement.genetic]\nmutations = 0.5",
		`x.toml:17:1: placement.genetic.mutations: unknown key; did you mean "mutation"?`},
	{"local descent", `policy = "genetic"`, "[placement.local]\ndescent = \"down\"",
		`x.toml:17:11: placement.local.descent: "down": one of ["first" "steepest"]`},
	{"annealing accept", `policy = "genetic"`, "[placement.annealing]\naccept = 1.0",
		`x.toml:17:10: placement.annealing.accept: 1: a number above 0 and below 1`},
	{"tabu tenure", `policy = "genetic"`, "[placement.tabu]\ntenure = -1",
		`x.toml:17:10: placement.tabu.tenure: -1: from 0 to MaxSteps = 1073741824`},
	{"beam width", `policy = "genetic"`, "[placement.beam]\nwidth = 0",
		`x.toml:17:9: placement.beam.width: 0: from 1 to MaxWidth = 65536`},
	{"bayesian points", `policy = "genetic"`, "[placement.bayesian]\npoints = 5000",
		`x.toml:17:10: placement.bayesian.points: 5000: from 2 to MaxPoints = 4096`},
	{"reinforce rate", `policy = "genetic"`, "[placement.reinforce]\nlearning_rate = 0.0",
		`x.toml:17:17: placement.reinforce.learning_rate: 0: a number above 0 and below 1`},
	{"reinforce key", `policy = "genetic"`, "[placement.reinforce]\nrate = 0.1",
		`x.toml:17:1: placement.reinforce.rate: unknown key; known here: iterations, samples, hidden, learning_rate, smoothing, entropy`},
	{"scheme for another policy", `policy = "genetic"`, "policy = \"genetic\"\nscheme = [\"v100-16\"]\ndevices = [1]",
		`x.toml:17:10: placement.scheme: it goes with policy = "fixed" only` + "\n" +
			`x.toml:18:11: placement.devices: it goes with policy = "fixed" only`},
	{"fixed without scheme", `"genetic"`, `"fixed"`,
		`x.toml:15:1: placement: missing key "scheme" (a pool for each of the 10 layers of 2emb)`},
	{"fixed scheme too short", `"genetic"`, "\"fixed\"\nscheme = [\"v100-16\"]",
		`x.toml:17:10: placement.scheme: 1 pools for the 10 layers of 2emb`},
	{"fixed scheme with unknown pools", `"genetic"`, fmt.Sprintf("\"fixed\"\nscheme = [%s]", strings.Repeat(`"v100-16", `, 9)+`"v100-61"`),
		`x.toml:17:110: placement.scheme[9]: unknown pool "v100-61"; did you mean "v100-16"? (known: xeon-6148, v100-16)`},
	{"fixed with wrong devices", `"genetic"`, fmt.Sprintf("\"fixed\"\nscheme = [%s]\ndevices = [1, 2]", strings.Repeat(`"v100-16", `, 10)),
		`x.toml:18:11: placement.devices: [1 2] names 2 stages; the scheme merges into 1`},
	{"fixed with devices of 0", `"genetic"`, fmt.Sprintf("\"fixed\"\nscheme = [%s]\ndevices = [0]", strings.Repeat(`"v100-16", `, 10)),
		`x.toml:18:12: placement.devices[0]: 0: from 1 to MaxDevices = 1048576 devices`},

	// Lookups.
	{"slots without lookups", "[lookups]\ngenerator = \"zipf\"\nalpha = 1.1\n", ``,
		`x.toml:1:1: missing key "lookups" (a section that says how rows are looked up, e.g. generator = "zipf", alpha = 1.05)`},
	{"no generator", `generator = "zipf"`, ``,
		`x.toml:17:1: lookups: missing key "generator" (one of uniform, zipf, drift, trace, histogram)`},
	{"unknown generator", `"zipf"`, `"zpif"`,
		`x.toml:18:13: lookups.generator: "zpif": want one of uniform, zipf, drift, trace, histogram; did you mean zipf?`},
	{"alpha of another generator", `"zipf"`, `"uniform"`,
		`x.toml:19:9: lookups.alpha: 1.1: only the generators zipf and drift take it`},
	{"negative alpha", `1.1`, `-1.1`,
		`x.toml:19:9: lookups.alpha: -1.1: want a finite number >= 0`},
	{"drift of zipf", `alpha = 1.1`, `drift = { rows = "1 %", lookups = "90 %", move = 3 }`,
		`x.toml:19:9: lookups.drift: {Rows:0.01 Lookups:0.9 Move:3}: only the generator drift takes it`},
	{"drift without rows", "\"zipf\"\nalpha = 1.1", "\"drift\"\ndrift = { lookups = \"90 %\", move = 3 }",
		`x.toml:19:9: lookups.drift.rows: 0: want the share of rows that are hot, above 0 and at most 1`},
	{"drift share", "\"zipf\"\nalpha = 1.1", "\"drift\"\ndrift = { rows = \"1 %\", lookups = \"190 %\" }",
		`x.toml:19:35: lookups.drift.lookups: 1.9: want the share of lookups that go to the hot set, from 0 to 1`},
	{"file of zipf", `alpha = 1.1`, "alpha = 1.1\nfile = \"keys.txt\"\ncolumn = \"key\"\nformat = \"csv\"",
		`x.toml:20:8: lookups.file: it goes with generator = "trace" only` + "\n" +
			`x.toml:21:10: lookups.column: it goes with generator = "trace" only` + "\n" +
			`x.toml:22:10: lookups.format: it goes with generator = "trace" only`},
	{"wrap of zipf", `alpha = 1.1`, "alpha = 1.1\nwrap = true",
		`x.toml:20:8: lookups.wrap: true: only the generator trace takes it`},
	{"trace without file", "\"zipf\"\nalpha = 1.1", `"trace"`,
		`x.toml:17:1: lookups: missing key "file" (the path of a trace file)`},
	{"trace of two layers", "\"zipf\"\nalpha = 1.1", "\"trace\"\nfile = \"keys.txt\"",
		`x.toml:19:8: lookups.file: a trace holds the keys of one embedding layer; the model 2emb has 2`},
	{"trace file missing", fine, traced(`file = "none.txt"`),
		`x.toml:19:8: lookups.file: open none.txt: no such file or directory`},
	{"trace file without keys", fine, traced(`file = "empty.txt"`),
		`x.toml:19:8: lookups.file: empty.txt: the file holds no keys`},
	{"trace file with text", fine, traced(`file = "keys.csv.txt"`),
		`x.toml:19:8: lookups.file: keys.csv.txt:3: "1,8": not a key: want one whole number from 0 to 18446744073709551615`},
	{"trace file of another format", fine, traced("file = \"keys.csv\"\nformat = \"cvs\""),
		`x.toml:20:10: lookups.format: unknown value "cvs"; did you mean "csv"? (known: text, lirs, csv, arc, oracle, parquet)`},
	{"trace file without the column", fine, traced("file = \"keys.csv\"\ncolumn = \"kye\""),
		`x.toml:19:8: lookups.file: keys.csv:1: "time,key": no column "kye": want one of time, key; did you mean key?`},

	{"histogram of zipf", `alpha = 1.1`, "alpha = 1.1\nhistogram = \"meta-2021\"\nsamples = 5\nbin = []",
		`x.toml:20:13: lookups.histogram: it goes with generator = "histogram" only` + "\n" +
			`x.toml:21:11: lookups.samples: it goes with generator = "histogram" only` + "\n" +
			`x.toml:22:7: lookups.bin: it goes with generator = "histogram" only`},
	{"no histogram", "\"zipf\"\nalpha = 1.1", `"histogram"`,
		`x.toml:17:1: lookups: missing key "histogram" (one of meta-2021, meta-2021-split, meta-2022, a file of published statistics, or bins)`},
	{"unknown histogram", "\"zipf\"\nalpha = 1.1", "\"histogram\"\nhistogram = \"meta-2023\"",
		`x.toml:19:13: lookups.histogram: unknown value "meta-2023"; did you mean "meta-2021"? (known: meta-2021, meta-2021-split, meta-2022)`},
	{"alpha of a histogram", "\"zipf\"", "\"histogram\"\nhistogram = \"meta-2022\"",
		`x.toml:20:9: lookups.alpha: 1.1: only the generators zipf and drift take it`},
	{"samples of a published histogram", "\"zipf\"\nalpha = 1.1", "\"histogram\"\nhistogram = \"meta-2022\"\nsamples = 5",
		`x.toml:20:11: lookups.samples: it goes with bins only: published histograms have their own`},
	{"bins and a histogram", "\"zipf\"\nalpha = 1.1", "\"histogram\"\nhistogram = \"meta-2022\"\nbin = [{ up_to = 1, rows = 1 }]",
		`x.toml:19:13: lookups.histogram: it does not go with bins: leave one of them out`},
	{"bins that do not add up", "\"zipf\"\nalpha = 1.1", "\"histogram\"\nbin = [{ up_to = 1, rows = \"50 %\" }]",
		`x.toml:19:7: lookups.bin: 0.5: the shares of rows must add up to 1`},
	{"histogram file missing", "\"zipf\"\nalpha = 1.1", "\"histogram\"\nfile = \"none.txt\"",
		`x.toml:19:8: lookups.file: open none.txt: no such file or directory`},
	{"histogram file with text", "\"zipf\"\nalpha = 1.1", "\"histogram\"\nfile = \"keys.csv\"",
		`x.toml:19:8: lookups.file: keys.csv:2: "0,7": not a line of locality statistics; histograms are divided by blank lines`},

	// Slots.
	{"no capacity", `capacity = "5 %"`, ``,
		`x.toml:20:1: slots: missing key "capacity" (a share of the rows ("5 %"), memory ("2 GiB") or a number of slots)`},
	{"capacity without a unit", `"5 %"`, `"5"`,
		`x.toml:21:12: slots.capacity: "5": expected a number of slots (100000), a share of the rows ("5 %") or memory ("2 GiB")`},
	{"capacity of 0", `"5 %"`, `0`,
		`x.toml:21:12: slots.capacity: 0: expected a number of slots (100000), a share of the rows ("5 %") or memory ("2 GiB"), at least one slot`},
	{"capacity above all", `"5 %"`, `"105 %"`,
		`x.toml:21:12: slots.capacity: "105 %": expected a share above 0 % and up to 100 %`},
	{"capacity as a float", `"5 %"`, `0.05`,
		`x.toml:21:12: slots.capacity: expected a number of slots (100000), a share of the rows ("5 %") or memory ("2 GiB")`},
	{"unknown replacement", `"lru"`, `"lur"`,
		`x.toml:22:15: slots.replacement: unknown value "lur"; did you mean "lru"? (known: ` + strings.Join(replacementNames(), ", ") + `)`},
	{"unknown shortage rule", `"lru"`, "\"lru\"\nshortage = \"wiat\"",
		`x.toml:23:12: slots.shortage: unknown value "wiat"; did you mean "wait"? (known: evict, wait, bypass, split, fail)`},
	{"negative look-ahead", `lookahead = 1`, `lookahead = -1`,
		`x.toml:23:13: slots.lookahead: -1: from 0 to MaxLookahead = 65536 rounds`},
	{"look-ahead too long", `lookahead = 1`, `lookahead = 65537`,
		`x.toml:23:13: slots.lookahead: 65537: from 0 to MaxLookahead = 65536 rounds`},
	{"slots for a model without embedding", `"2emb"`, `"vgg-16"`,
		`x.toml:17:1: lookups: the model vgg-16 has no embedding layer` + "\n" +
			`x.toml:20:1: slots: the model vgg-16 has no embedding layer`},
	{"too many lookups a round", `batch = 512`, `batch = 536870912`,
		`x.toml:12:9: training.batch: 536870912: with 20 lookups a sample in layer "item_embedding", at most MaxRoundLookups / 20 = 53687091 samples a round`},

	// Inside stages.
	{"parts of stages", "rounds = 3\n", "rounds = 3\nzero = 4\nrecompute = \"all\"\ncollective_times = \"nccl\"\nreplica_batch = 3\ntensor_parallel = 0\n",
		`x.toml:15:8: training.zero: 4: 1 for the optimizer's state, 2 for gradients too, 3 for parameters too; 0 for none` + "\n" +
			`x.toml:16:13: training.recompute: unknown value "all" (known: none, selective, full)` + "\n" +
			`x.toml:17:20: training.collective_times: unknown value "nccl" (known: links, measured)` + "\n" +
			`x.toml:18:17: training.replica_batch: 3: a divisor of the 128 samples of a micro-batch, which is batch / microbatches` + "\n" +
			`x.toml:19:19: training.tensor_parallel: 0: from 1 to MaxTensorParallel = 1024 devices`},
	{"parts of stages in inference", "rounds = 3\n", "rounds = 3\ninference = true\nzero = 1\nrecompute = \"full\"\noverlap_sync = true\n",
		`x.toml:16:8: training.zero: with inference = true there are no backward passes: leave it out` + "\n" +
			`x.toml:17:13: training.recompute: with inference = true there are no backward passes: leave it out` + "\n" +
			`x.toml:18:16: training.overlap_sync: with inference = true there are no backward passes: leave it out`},
	{"parts of stages with what they cannot have", "rounds = 3\n", "rounds = 3\nsync = \"ps\"\nzero = 3\nschedule = \"zb-h1\"\nrecompute = \"full\"\ntensor_parallel = 8\n",
		`x.toml:16:8: training.zero: 3: replicas that divide memory synchronise by collectives, sync = "ring", not "ps"` + "\n" +
			`x.toml:18:13: training.recompute: "full": schedule "zb-h1" puts off gradients of weights, which would keep what was computed again: take another schedule` + "\n" +
			`x.toml:19:19: training.tensor_parallel: 8: with sync = "ps" replicas push and pull as one device each; take sync = "ring"`},
	{"trees for parts", "rounds = 3\n", "rounds = 3\nzero = 3\ncollective = \"tree\"\n",
		`x.toml:16:14: training.collective: "tree": trees sum up whole buffers; with zero = 3 replicas need parts: take another collective`},
	{"sequences of one device", "rounds = 3\n", "rounds = 3\nsequence_parallel = true\n",
		`x.toml:15:21: training.sequence_parallel: it divides what tensor parallelism leaves whole: say tensor_parallel, from 2 devices on`},
	{"faster than the peak", "count = 8\n", "count = 8\ncompute_efficiency = 1.2\nmemory_efficiency = \"0 %\"\n",
		`x.toml:11:22: cluster.pool[1].compute_efficiency: 120 %: a share of the peak above 0 and up to 100 %` + "\n" +
			`x.toml:12:21: cluster.pool[1].memory_efficiency: 0 %: a share of the peak above 0 and up to 100 %`},
	{"unlike devices that are unknown", "count = 8\n", "count = 8\nbeside = [\"p40\", \"p4O\"]\n",
		`x.toml:11:18: cluster.pool[1].beside[1]: unknown device "p4O"; did you mean p40?`},
	{"groups that do not come out even", "count = 8\n", "count = 7\nbeside = [\"p40\"]\n",
		`x.toml:10:9: cluster.pool[1].count: 7 devices of pool "v100-16+p40", in groups of 2: a multiple of that`},
	{"sockets beside sockets", "count = 2\n", "count = 2\nbeside = [\"xeon-8375c\"]\n",
		`x.toml:8:10: cluster.pool[0].beside: pool "xeon-6148+xeon-8375c" has a group with xeon-6148: only accelerators share samples as unlike devices`},
	{"unknown shares", "rounds = 3\n", "rounds = 3\nshares = \"fair\"\n",
		`x.toml:15:10: training.shares: unknown value "fair" (known: by-speed, even)`},
	{"groups of devices that work together", "count = 8\n", "count = 8\nper_node = 4\ntensor_parallel = 2\nbeside = [\"p40\", \"t4\"]\n",
		`x.toml:10:9: cluster.pool[1].count: 8 devices of pool "v100-16+p40+t4", in groups of 6: a multiple of that`},
	{"no memory left", "rounds = 3\n", "rounds = 3\nreserved_memory = \"16 GiB\"\n",
		`x.toml:15:19: training.reserved_memory: 16 GiB: devices of pool "v100-16" have 16 GiB`},
	{"unknown transfers", "rounds = 3\n", "rounds = 3\ntransfers = \"eager\"\n",
		`x.toml:15:13: training.transfers: unknown value "eager" (known: overlapped, blocking)`},
	{"what would not block anyway", "rounds = 3\n", "rounds = 3\neager = \"1 MiB\"\n",
		`x.toml:15:9: training.eager: transfers = "overlapped" block nobody, whatever their size: it goes with transfers = "blocking"`},
	{"steps of inference", "rounds = 3\n", "rounds = 3\ninference = true\nstep_overhead = \"5 ms\"\n",
		`x.toml:16:17: training.step_overhead: with inference = true there are no steps: leave it out`},
	{"blocking without a flush, beside slots", "rounds = 3\n", "rounds = 3\nschedule = \"async\"\ntransfers = \"blocking\"\n",
		`x.toml:15:12: training.schedule: "async" does not flush, and rows in slots belong to the rounds that use them: leave out [slots], or take a schedule that flushes` + "\n" +
			`x.toml:16:13: training.transfers: "blocking": schedule "async" does not flush, and is not modelled with transfers that block: take another schedule` + "\n" +
			`x.toml:16:13: training.transfers: "blocking": they are not modelled beside rows in slots: leave the section slots out, or transfers`},
	{"replicas larger than nodes", "count = 8\n", "count = 8\ntensor_parallel = 12\n",
		`x.toml:11:19: cluster.pool[1].tensor_parallel: 12: on pool "v100-16" a node has 8 devices, and a replica is a part of a node or fills some: a divisor of that, or a multiple`},
	{"replicas larger than pools", "count = 8\n", "count = 2\ntensor_parallel = 4\n",
		`x.toml:11:19: cluster.pool[1].tensor_parallel: 4: pool "v100-16" has 2 devices`},
	{"replicas of sockets", "count = 2\n", "count = 2\ntensor_parallel = 2\n",
		`x.toml:8:19: cluster.pool[0].tensor_parallel: 2: pool "xeon-6148" has no accelerators, which alone compute layers together`},
	{"transformer beside a model", "[model]\n", "[model]\ntransformer = { layers = 2, hidden = 8, heads = 2, sequence = 4 }\n",
		`x.toml:5:7: model.use: a model comes from use, from file or from transformer: from one of them`},
	{"transformer without heads", "use = \"2emb\"\n", "transformer = { layers = 2, hidden = 8, sequence = 4 }\n",
		`x.toml:4:15: model.transformer.heads: 0 (or missing); it must be 1 or more`},

	// Limits.
	{"events of 0", `[slots]`, "[limits]\nevents = 0\ntrace_keys = 0\n[slots]",
		`x.toml:21:10: limits.events: 0: a number of events from 1 on` + "\n" +
			`x.toml:22:14: limits.trace_keys: 0: a number of keys from 1 on`},
	{"negative events", `[slots]`, "[limits]\nevents = -5\n[slots]",
		`x.toml:21:10: limits.events: expected an integer of 0 or more, got -5`},

	// More than one.
	{"several", fine, "[model]\nuse = \"vgg16\"\n[training]\nbatch = 3\nrounds = -1\n",
		`x.toml:1:1: cluster: missing key "pool" (at least one [[cluster.pool]] with a device and a count)` + "\n" +
			`x.toml:2:7: model.use: unknown model "vgg16"; did you mean "vgg-16"?` + "\n" +
			`x.toml:5:10: training.rounds: -1: from 1 to MaxRounds = 16777216`},
}

// with makes several changes of the scenario fine.
func with(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(fine) }

// traced is the scenario fine with one embedding layer and lookups of a file.
func traced(file string) string {
	return with(`"2emb"`, `"ctrdnn"`, "\"zipf\"\nalpha = 1.1", "\"trace\"\n"+file)
}

// faultFiles are what the scenarios of the table find beside them.
var faultFiles = map[string]string{
	"wrong-model.toml": "title = \"wrong\"\n[[layer]]\nname = \"a\"\nkind = \"lineer\"\n",
	"graph.txt":        "nothing of the sort\n",
	"empty.txt":        "# no key\n",
	"keys.csv":         "time,key\n0,7\n1,8\n",
	"keys.csv.txt":     "5\n6\n1,8\n",
}

// faulty writes the scenario of a case into dir and loads it.
func faulty(t testing.TB, dir, from, to string) (*Scenario, error) {
	t.Helper()
	text := strings.ReplaceAll(fine, from, to)
	if from != to && text == fine {
		t.Fatalf("%q is not in the scenario", from)
	}
	path := filepath.Join(dir, "x.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path)
}

func faultDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range faultFiles {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// positioned is file:line:col: key: message, or without a key for bad syntax and
// parts of the whole file.
var positioned = regexp.MustCompile(`^x\.toml:\d+:\d+: \S`)

func TestErrors(t *testing.T) {
	dir := faultDir(t)
	if _, err := faulty(t, dir, fine, fine); err != nil {
		t.Fatalf("the scenario without a fault: %v", err)
	}
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			s, err := faulty(t, dir, c.from, c.to)
			if err == nil || s != nil {
				t.Fatalf("no error")
			}
			var list spec.Errors
			if !errors.As(err, &list) {
				t.Fatalf("%T, not spec.Errors: %v", err, err)
			}
			got := strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), "")
			got = strings.ReplaceAll(got, dir, "FOLDER")
			for _, e := range list {
				if one := strings.TrimPrefix(e.Error(), dir+string(filepath.Separator)); !positioned.MatchString(one) {
					t.Errorf("no position: %s", one)
				}
			}
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestLoadWithoutFile(t *testing.T) {
	if _, err := Load(filepath.Join(t.TempDir(), "none.toml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

package scenarios

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"stowage/sim"
)

// troubles is what can be written about trouble, all of it.
const troubles = `
[[trouble]]
kind = "straggler"
pool = "v100-16"
device = 3
factor = 1.5
noise = "10 %"
from = "1 ms"
until = "2 ms"
[[trouble]]
kind = "straggler"
stage = 1
factor = 1.25
from_round = 1
until_round = 2
[[trouble]]
kind = "link"
node = "v100-16:0"
factor = 0.5
[[trouble]]
kind = "loss"
node = "v100-16:0"
at = "3 ms"
[[trouble]]
kind = "loss"
pool = "xeon-6148"
mtbf_hours = 50000.0
[checkpoint]
every = "1 ms"
bandwidth = "100 GB/s"
background = true
pause = "10 us"
[recovery]
mode = "shrink"
detect = "100 us"
reconfigure = "200 us"
restart = "1 ms"
repair = "2 ms"
spares = 1
`

func TestTroubleLoads(t *testing.T) {
	s, err := Parse("x.toml", []byte(fine+troubles))
	if err != nil {
		t.Fatal(err)
	}
	ms := time.Millisecond
	want := &Trouble{Storage: 100e9, Trouble: sim.Trouble{
		Stragglers: []sim.Straggler{
			{Devices: sim.Devices{Stage: -1, Pool: 1, From: 3, To: 4}, Factor: 1.5, Noise: 0.1, From: ms, Until: 2 * ms},
			{Devices: sim.Devices{Stage: 0}, Factor: 1.25, FromRound: 1, UntilRound: 2},
		},
		Links: []sim.WeakLink{{Pool: 1, Node: 0, Factor: 0.5}},
		Losses: []sim.Loss{
			{Devices: sim.Devices{Stage: -1, Pool: 1, From: 0, To: 8}, At: 3 * ms},
			{Devices: sim.Devices{Stage: -1, Pool: 0, From: 0, To: 2}, MTBF: 1.8e8},
		},
		Checkpoint: &sim.Checkpoint{Every: ms, Background: true, Pause: 10 * time.Microsecond},
		Recovery: sim.Recovery{
			Mode: sim.Shrink, Detect: 100 * time.Microsecond, Reconfigure: 200 * time.Microsecond, Restart: ms, Repair: 2 * ms, Spares: 1,
		},
	}}
	if d := cmp.Diff(want, s.Trouble); d != "" {
		t.Error(d)
	}
	again, err := Parse("x.toml", []byte(s.Resolved()))
	if err != nil {
		t.Fatalf("resolved: %v", err)
	}
	if d := cmp.Diff(s.Trouble, again.Trouble); d != "" {
		t.Errorf("resolved to other trouble: %s", d)
	}
}

// What is wrong is said with its line and key.
func TestTroubleErrors(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{`kind = "straggler"`, `kind = "stragler"`, `x.toml:26:8: trouble[0].kind: unknown value "stragler"; did you mean "straggler"? (known: straggler, link, loss)`},
		{`kind = "straggler"`, ``, `trouble[0]: missing key "kind" (what goes wrong: straggler, link or loss)`},
		{`device = 3`, `device = 8`, `x.toml:28:10: trouble[0].device: 8: pool "v100-16" has devices 0 to 7`},
		{`device = 3`, "at = \"1 s\"", `trouble[0].at: kind = "straggler" has no at`},
		{`pool = "v100-16"`, `pool = "v100"`, `trouble[0].pool: unknown value "v100"; did you mean "v100-16"? (known: xeon-6148, v100-16)`},
		{`pool = "v100-16"`, "pool = \"v100-16\"\nstage = 1", `trouble[0].stage: the entry is about its pool already: say one of pool, node, stage`},
		{`pool = "v100-16"`, `node = "v100-16:0"`, `trouble[0].device: a device is one of a pool, and the entry is about its node`},
		{`pool = "v100-16"`, ``, `trouble[0]: missing key "pool" (what it is about: one of pool, node, stage)`},
		{`factor = 1.5`, `factor = 0.5`, `x.toml:29:10: trouble[0].factor: 0.5: from 1 to MaxSlowdown = 1000; 1.5 for devices on which things take 1.5 times as long`},
		{"factor = 1.5\nnoise = \"10 %\"", ``, `trouble[0]: missing key "factor" (how many times as long things take, e.g. 1.5 (or noise))`},
		{`noise = "10 %"`, `noise = "1001 %"`, `trouble[0].noise: "1001 %": from 0 to 1000 %`},
		{`until = "2 ms"`, `until = "1 ms"`, `trouble[0].until: "1 ms": a time after from = "1 ms"`},
		{`stage = 1`, `stage = 0`, `trouble[1].stage: 0: a stage of the target scheme, from 1 on`},
		{`from_round = 1`, `from_round = -1`, `trouble[1].from_round: -1: a round, from 0 on`},
		{`until_round = 2`, `until_round = 1`, `trouble[1].until_round: 1: a round after from_round = 1`},
		{"factor = 0.5\n", "factor = 1.5\n", `trouble[2].factor: 1.5: from MinBandwidth = 1e-06 to 1; 0.25 for a quarter of the bandwidth`},
		{"factor = 0.5\n", "factor = 1e-7\n", `trouble[2].factor: 1e-07: from MinBandwidth = 1e-06 to 1`},
		{"node = \"v100-16:0\"\nfactor", "node = \"\"\nfactor", `x.toml:41:8: trouble[2].node: "": a node is named by its pool and number, as "xeon-6148:0"`},
		{"node = \"v100-16:0\"\nfactor", "link = \"\"\nfactor", `x.toml:41:8: trouble[2].link: "": links have names in a [cluster.network]`},
		{"node = \"v100-16:0\"\nat", "node = \"\"\nat", `trouble[3].node: "": a node is named by its pool and number, as "xeon-6148:0"`},
		{"factor = 0.5\n", "", `trouble[2]: missing key "factor" (what is left of the bandwidth, e.g. 0.25)`},
		{"node = \"v100-16:0\"\nfactor", "node = \"v100-16:1\"\nfactor", `trouble[2].node: "v100-16:1": pool "v100-16" has nodes 0 to 0`},
		{"node = \"v100-16:0\"\nfactor", "node = \"v100-16\"\nfactor", `trouble[2].node: "v100-16": a node is named by its pool and number, as "xeon-6148:0"`},
		{"node = \"v100-16:0\"\nfactor", "link = \"a -> b\"\nfactor", `trouble[2].link: "a -> b": links have names in a [cluster.network]; without one say node or pool for the ports of nodes`},
		{`at = "3 ms"`, ``, `trouble[3]: missing key "at" (when the device is lost, e.g. "2 min" (or mtbf_hours = 50000.0))`},
		{`at = "3 ms"`, "at = \"3 ms\"\nmtbf_hours = 1.0", `trouble[3].mtbf_hours: a loss is at a time, or by chance with mtbf_hours`},
		{`mtbf_hours = 50000.0`, `mtbf_hours = 0.0`, `trouble[4].mtbf_hours: 0: above 0 and at most MaxMTBFHours = 1e+09`},
		{`every = "1 ms"`, ``, `checkpoint: missing key "every" (time between two checkpoints, e.g. "10 min" (or rounds = 100))`},
		{`every = "1 ms"`, `every = "0 s"`, `checkpoint.every: 0: a time above 0; rounds = 1 for a checkpoint after each round`},
		{`every = "1 ms"`, "every = \"1 ms\"\nrounds = 3", `checkpoint.rounds: checkpoints come every so often, or after so many rounds: give every or rounds`},
		{`every = "1 ms"`, "rounds = 0", `checkpoint.rounds: 0: at least 1`},
		{`bandwidth = "100 GB/s"`, ``, `checkpoint: missing key "time" (what a checkpoint takes, e.g. "20 s" (or bandwidth = "2 GB/s"))`},
		{`bandwidth = "100 GB/s"`, `bandwidth = "0 GB/s"`, `checkpoint.bandwidth: 0 B/s: at least 1 B/s`},
		{`bandwidth = "100 GB/s"`, "bandwidth = \"1 GB/s\"\ntime = \"1 s\"", `checkpoint.bandwidth: what a checkpoint takes is given by time, or by bandwidth`},
		{`background = true`, ``, `checkpoint.pause: rounds wait for the whole checkpoint unless background = true`},
		{`mode = "shrink"`, `mode = "elastic"`, `recovery.mode: unknown value "elastic" (known: wait, shrink)`},
		{`mode = "shrink"`, ``, `recovery.reconfigure: a job that waits for its devices begins anew, which takes restart: it goes with mode = "shrink"`},
		{`spares = 1`, `spares = -1`, `recovery.spares: -1: from 0 to MaxSpares = 1048576 devices`},
	} {
		text := fine + troubles
		if !strings.Contains(text, c.from) {
			t.Fatalf("%q is not in the scenario", c.from)
		}
		_, err := Parse("x.toml", []byte(strings.Replace(text, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Errorf("%q for %q:\n%v\nwant %q in it", c.to, c.from, err, c.want)
		}
	}
	_, err := Parse("x.toml", []byte(fine+"[recovery]\nspares = 1\n"))
	if want := `x.toml:24:1: recovery: nothing is lost: it goes with a [[trouble]] of kind = "loss"`; err == nil || err.Error() != want {
		t.Errorf("%v\nwant %q", err, want)
	}
}

func TestWeakLinkNames(t *testing.T) {
	network := "[cluster.network]\ntopology = \"leaf-spine\"\nnodes_per_leaf = 1\n[training]\n"
	named := func(link string) error {
		text := strings.Replace(fine, "[training]\n", network, 1) + "[[trouble]]\nkind = \"link\"\nfactor = 0.5\nlink = \"" + link + "\"\n"
		_, err := Parse("x.toml", []byte(text))
		return err
	}
	for _, link := range []string{"leaf 0 -> spine 0", "spine 0 -- leaf 1", "v100-16:0 -> leaf 1"} {
		if err := named(link); err != nil {
			t.Errorf("%q: %v", link, err)
		}
	}
	want := `x.toml:30:8: trouble[0].link: the network has no link "leaf 0 -> spine 1"; did you mean "leaf 0 -> spine 0"?`
	if err := named("leaf 0 -> spine 1"); err == nil || err.Error() != want {
		t.Errorf("%v\nwant %q", err, want)
	}
}

// The run of a scenario with every kind of trouble is the same whatever GOMAXPROCS, says
// what it had to do with none of its devices, and leaves the search alone.
func TestTroubledRun(t *testing.T) {
	s, err := Parse("x.toml", []byte(fine+troubles))
	if err != nil {
		t.Fatal(err)
	}
	s.Rounds = 12
	var first []byte
	for _, procs := range []int{1, 4} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		r := run(t, s)
		got, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		} else if !bytes.Equal(first, got) {
			t.Errorf("GOMAXPROCS=%d makes another result", procs)
		}
		if _, ok := r.Metrics.Get("goodput"); !ok || len(r.Lost) == 0 || len(r.Incidents) == 0 {
			t.Errorf("no goodput, %d causes and %d incidents", len(r.Lost), len(r.Incidents))
		}
		plain := *s
		plain.Trouble = nil
		if calm := run(t, &plain); cmp.Diff(calm.Search, r.Search) != "" || calm.Scheme.Stages[0].Devices != r.Scheme.Stages[0].Devices {
			t.Error("trouble changes the search")
		}
	}
}

// Interrupted, the rounds so far are kept, with the account of the time until then.
func TestTroubledRunStops(t *testing.T) {
	s, err := Parse("x.toml", []byte(fine+troubles))
	if err != nil {
		t.Fatal(err)
	}
	s.Rounds = 200
	whole := run(t, s)
	s.MaxEvents = 6000
	r, err := s.Run(context.Background(), "test")
	if err == nil || r == nil || len(r.Rounds) == 0 || len(r.Rounds) >= 200 || len(r.Lost) == 0 {
		t.Fatalf("%v, %d rounds", err, len(r.Rounds))
	}
	for i, d := range r.Rounds {
		if d.End != whole.Rounds[i].End {
			t.Fatalf("round %d ends at %v, in the whole run at %v", i, d.End, whole.Rounds[i].End)
		}
	}
	if errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

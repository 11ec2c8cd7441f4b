package main

import (
	"encoding/json"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"stowage/reports"
	"stowage/scenarios"
)

// Two small scenarios: a plain genetic search over measured layers, and slot tables that are too small.
const benchedSearch = `
[model]
use = "vgg-16-measured"
[[cluster.pool]]
device = "v100-16"
count  = 5
[[cluster.pool]]
device = "p40"
count  = 3
[[cluster.pool]]
device = "t4"
count  = 3
[training]
batch        = 512
microbatches = 4
rounds       = 2
[placement]
policy = "genetic"
[placement.genetic]
population  = 16
duplicates  = "keep"
renewal     = 0
refine      = 0
generations = 300
seeds       = false
`

const benchedSlots = `
[model]
file = "tiny.toml"
[[cluster.pool]]
device = "v100-16"
count  = 2
[training]
batch        = 64
microbatches = 2
rounds       = 40
optimizer    = "adagrad"
[placement]
policy = "all-gpu"
[lookups]
generator = "zipf"
alpha     = 1.1
[slots]
capacity    = "12 %"
replacement = "lru"
`

// tiny is the model of benchedSlots.
const tiny = `
[[layer]]
name = "embedding"
table = [{ name = "t", rows = 10_000, dim = 16, lookups = 8 }]

[[layer]]
name = "fc"
op = [{ linear = { in = 16, out = 64 } }]
`

func parse(t *testing.T, name, text string) *scenarios.Scenario {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "tiny.toml"), tiny)
	s, err := scenarios.Parse(filepath.Join(dir, name+".toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// measured is the suite of scenarios under their own policies.
func measured(t *testing.T, seeds int, all ...*scenarios.Scenario) *reports.Suite {
	t.Helper()
	f := benchFlags{seeds: seeds}
	suite := &reports.Suite{Version: version}
	for _, s := range all {
		if err := f.measure(t.Context(), io.Discard, suite, s); err != nil {
			t.Fatal(err)
		}
	}
	return suite
}

// An unchanged suite is the same again, in every digit, under a hundred seeds and with
// other numbers of processors: each of them passes with nothing moved.
func TestUnchangedPasses(t *testing.T) {
	seeds := 100
	if testing.Short() {
		seeds = 10
	}
	before := measured(t, seeds, parse(t, "search", benchedSearch), parse(t, "slots", benchedSlots))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	after := measured(t, seeds, parse(t, "search", benchedSearch), parse(t, "slots", benchedSlots))
	if len(before.Cases) != 2*seeds || len(after.Cases) != 2*seeds {
		t.Fatalf("%d and %d cases", len(before.Cases), len(after.Cases))
	}
	values := map[float64]bool{}
	for i := range seeds {
		old := &reports.Suite{Version: version, Cases: []reports.SuiteCase{before.Cases[i], before.Cases[seeds+i]}}
		now := &reports.Suite{Version: version, Cases: []reports.SuiteCase{after.Cases[i], after.Cases[seeds+i]}}
		f := benchFlags{against: "before", thresholds: thresholdFlag{Thresholds: reports.Thresholds{}}}
		var out strings.Builder
		if err := f.conclude(&out, old, now); err != nil || exitCode(err) != exitFine || !strings.HasSuffix(out.String(), "\n\nfine: 31 the same\n") {
			t.Fatalf("seed %d: %v\n%s", i+1, err, &out)
		}
		for _, c := range old.Cases {
			hits, _ := c.Metrics.Get("hit_ratio")
			values[hits.Value] = true
		}
	}
	if len(values) < seeds/2 {
		t.Errorf("%d hit ratios under %d seeds: the seeds do not matter, so the test shows little", len(values), seeds)
	}
}

// A search that has lost its mutation is caught, and p says that it was no chance. What
// renews and refines populations is off in both: it makes up for much.
func TestWorseSearchIsCaught(t *testing.T) {
	s := parse(t, "search", benchedSearch)
	old := measured(t, 30, s)
	worse := *s
	worse.Search.Knobs.Genetic.Mutation = 0
	now := measured(t, 30, &worse)
	f := benchFlags{against: "before", thresholds: thresholdFlag{Thresholds: reports.Thresholds{}}}
	var out strings.Builder
	err := f.conclude(&out, old, now)
	t.Logf("%s", &out)
	if exitCode(err) != exitFailed {
		t.Errorf("%v\n%s", err, &out)
	}
	a := reports.CompareSuites("before", old, now, nil)
	for _, r := range a.Rows {
		if r.Metric.Name == "fitness" && (r.Verdict != reports.Worsened || r.P > 0.05) {
			t.Errorf("fitness: %+v", r)
		}
	}
	if len(a.Faults) > 0 {
		t.Errorf("it is caught for another reason: %v", a.Faults)
	}
}

// A replacement policy that was broken in the source, so that it evicts the newest row,
// is caught by the command that is built from it.
func TestWorseReplacementIsCaught(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the command")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("there is no go command")
	}
	dir := t.TempDir()
	source, err := filepath.Abs("../../sim/slots/lru.go")
	if err != nil {
		t.Fatal(err)
	}
	const right = "{ return p.oldestFree(p.t.pins) }"
	const wrong = `{
	for s := p.nodes[p.oldest].prev; ; s = p.nodes[s].prev {
		if p.t.pins[s] == 0 {
			p.remove(s)
			return s
		}
	}
}`
	text := readFile(t, source)
	if strings.Count(text, right) != 1 {
		t.Fatalf("%s does not have %s any more: break it elsewhere", source, right)
	}
	broken := filepath.Join(dir, "lru.go")
	writeFile(t, broken, strings.Replace(text, right, wrong, 1))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: broken}})
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "overlay.json"), string(overlay))
	worse := filepath.Join(dir, "worse")
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", worse, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	writeFile(t, filepath.Join(dir, "slots.toml"), benchedSlots)
	writeFile(t, filepath.Join(dir, "tiny.toml"), tiny)
	t.Chdir(dir)
	args := []string{"bench", "slots.toml", "--replacement", "lru,lfu", "--seeds", "3"}
	if code, _, errs := command(append(args, "--save", "old.txt")...); code != exitFine {
		t.Fatal(errs)
	}
	args = append(args, "--against", "old.txt")
	if code, out, errs := command(args...); code != exitFine {
		t.Fatalf("unchanged: %d\n%s%s", code, out, errs)
	}
	c := exec.CommandContext(t.Context(), worse, args...)
	printed, err := c.CombinedOutput()
	code, out := c.ProcessState.ExitCode(), string(printed)
	t.Logf("%v\n%s", err, out)
	if code != exitFailed || !strings.Contains(out, "slots, all-gpu, lfu: ") || !strings.Contains(out, "slots, all-gpu, lru\n") || !strings.Contains(out, "hit_ratio ") {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

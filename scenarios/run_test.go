package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"testing"

	"stowage/sim/engine"
	"stowage/sim/placement"
	"stowage/workloads"
)

// small is a scenario with everything in it that could make a run depend on more
// than its seed: a genetic search by recurrence, two embedding layers behind slot
// tables, curves of several capacities.
const small = `name = "small"
[model]
use = "2emb"
[[cluster.pool]]
device = "xeon-6148"
count = 4
[[cluster.pool]]
device = "v100-16"
count = 8
[training]
batch = 512
microbatches = 4
rounds = 12
optimizer = "adagrad"
[placement]
policy = "genetic"
fitness = "recurrence"
[placement.genetic]
population = 24
generations = 20
[lookups]
generator = "zipf"
alpha = 1.05
[slots]
capacity = "1 %"
replacement = "lru"
lookahead = 1
`

// onGPU is small with the whole model on the V100s, so that both embedding layers
// use their slot tables whatever the search would like best.
func onGPU(pairs ...string) string {
	text := strings.NewReplacer(`policy = "genetic"`, `policy = "all-gpu"`).Replace(small)
	return strings.NewReplacer(pairs...).Replace(text)
}

// The same scenario gives the same bytes, whatever the number of threads and
// however often the garbage collector comes by.
func TestSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	defer debug.SetGCPercent(debug.SetGCPercent(100))
	for _, text := range []string{small, onGPU()} {
		want := jsonOf(t, run(t, parsed(t, text)))
		for _, c := range []struct{ procs, gc int }{{1, 1}, {1, -1}, {2, 100}, {2, 1}} {
			runtime.GOMAXPROCS(c.procs)
			debug.SetGCPercent(c.gc)
			if got := jsonOf(t, run(t, parsed(t, text))); got != want {
				t.Fatalf("GOMAXPROCS %d, GOGC %d: other bytes\n%s\n%s", c.procs, c.gc, got, want)
			}
		}
	}
}

// A loaded scenario runs twice to the same bytes and leaves the shipped model, which
// all scenarios share, as it was.
func TestRunLeavesTheModelAlone(t *testing.T) {
	model, err := workloads.LookupModel("2emb")
	if err != nil {
		t.Fatal(err)
	}
	before := jsonOf(t, model)
	s := parsed(t, onGPU())
	if s.Model != model {
		t.Fatal("the model is not the shared one: the test shows nothing")
	}
	first := jsonOf(t, run(t, s))
	if second := jsonOf(t, run(t, s)); first != second {
		t.Errorf("the second run differs\n%s\n%s", first, second)
	}
	if after := jsonOf(t, model); before != after {
		t.Error("the run has changed the shipped model")
	}
}

func TestSeedMatters(t *testing.T) {
	s := parsed(t, onGPU())
	first := jsonOf(t, run(t, s).Rounds)
	s.SetSeed(2)
	r := run(t, s)
	if r.Seed != 2 || jsonOf(t, r.Rounds) == first {
		t.Error("another seed gives the same lookups")
	}
}

// What the fitness reckons with is what the simulation then sees: the warm round's
// unique rows and, but for the division of the slots among several devices, misses
// and write-backs.
func TestWarmRoundIsTheSimulatedOne(t *testing.T) {
	for _, lookahead := range []string{"lookahead = 0", "lookahead = 1", "lookahead = 3"} {
		s := parsed(t, onGPU("lookahead = 1", lookahead, "batch = 512", "batch = 64", `"1 %"`, "17500", "rounds = 12", "rounds = 60"))
		spec := s.Problem
		if _, err := s.embed(context.Background(), &spec); err != nil {
			t.Fatal(err)
		}
		var unique, misses, backs float64
		for _, l := range spec.Lookups {
			unique, misses, backs = unique+l.Unique, misses+l.Misses, backs+l.WriteBacks
		}
		var gotUnique, gotMisses, gotBacks float64
		rounds := run(t, s).Rounds
		warm := rounds[len(rounds)/4:]
		for _, rd := range warm {
			n := float64(len(warm))
			gotUnique += float64(rd.Slots.Unique) / n
			gotMisses += float64(rd.Slots.Misses) / n
			gotBacks += float64(rd.Slots.WriteBacks) / n
		}
		near := func(a, b float64) bool { return math.Abs(a-b) <= 0.01*math.Max(a, b) }
		if math.Abs(unique-gotUnique) > 1e-9*unique || !near(misses, gotMisses) || !near(backs, gotBacks) || misses == 0 || backs == 0 {
			t.Errorf("%s: the fitness reckons with %v unique rows, %v misses, %v write-backs a round; simulated %v, %v, %v",
				lookahead, unique, misses, backs, gotUnique, gotMisses, gotBacks)
		}
	}
}

// The curve's point at the scenario's own capacity is the run itself, and under LRU
// more slots never hit less.
func TestCurves(t *testing.T) {
	r := run(t, parsed(t, onGPU()))
	if len(r.Curves) != 2 {
		t.Fatalf("%d curves of 2 embedding layers", len(r.Curves))
	}
	own := 0.0
	for _, c := range r.Curves {
		last, found := -1.0, false
		for i, p := range c.Points {
			if i > 0 && p.Slots <= c.Points[i-1].Slots || p.HitRatio < last {
				t.Errorf("%s: %+v after a hit ratio of %v", c.Layer, p, last)
			}
			last = p.HitRatio
			if p.Slots == c.Slots {
				found = true
				own += p.HitRatio
			}
		}
		if !found || len(c.Points) < curvePoints {
			t.Errorf("%s: %d slots are not among %+v", c.Layer, c.Slots, c.Points)
		}
	}
	if own == 0 {
		t.Error("no hit at the scenario's own capacities")
	}
}

func TestNoCurvesOnCPUs(t *testing.T) {
	r := run(t, parsed(t, onGPU(`"all-gpu"`, `"all-cpu"`)))
	if len(r.Curves) != 0 || r.Rounds[0].Slots != nil || r.Replacement != "" {
		t.Error("embedding layers on CPUs use slot tables")
	}
	if _, ok := r.Metrics.Get("hit_ratio"); ok {
		t.Error("a run without slot tables has a hit ratio")
	}
}

// MIN is an upper bound for policies that start empty and admit every row, and the policies see the same lookups.
func TestSetReplacement(t *testing.T) {
	s := parsed(t, onGPU())
	hits := map[string]float64{}
	for _, name := range replacementNames() {
		if err := s.SetReplacement(name); err != nil {
			t.Fatal(err)
		}
		r := run(t, s)
		hits[name] = metric(t, r, "hit_ratio")
		if r.Replacement != name {
			t.Errorf("the result names %q, not %q", r.Replacement, name)
		}
	}
	for name, h := range hits {
		if name == "static" || name == "lfu-admit" {
			continue
		}
		if h > hits["min"]+1e-12 {
			t.Errorf("%s hits %v, min %v", name, h, hits["min"])
		}
	}
	if err := s.SetReplacement("lur"); err == nil || !strings.Contains(err.Error(), `did you mean "lru"?`) {
		t.Errorf("got %v", err)
	}
	s.Slots = nil
	if err := s.SetReplacement("lru"); err == nil {
		t.Error("a replacement policy without slot tables")
	}
}

func TestSetPlacement(t *testing.T) {
	s := parsed(t, small)
	if err := s.SetPlacement("genetc"); err == nil || !strings.Contains(err.Error(), `did you mean "genetic"?`) {
		t.Errorf("got %v", err)
	}
	if err := s.SetPlacement("fixed"); err == nil || !strings.Contains(err.Error(), "placement.scheme") {
		t.Errorf("got %v", err)
	}
	if err := s.SetPlacement("all-gpu"); err != nil {
		t.Fatal(err)
	}
	if got := run(t, s).Scheme.Placement; got != "all-gpu" {
		t.Errorf("placement %s", got)
	}
}

// onOne is vgg-16 on one V100 node, to be made infeasible.
const onOne = `name = "one"
[model]
use = "vgg-16"
[[cluster.pool]]
device = "v100-16"
count = 2
[training]
batch = 64
rounds = 2
[placement]
policy = "all-gpu"
`

// Every way of not fitting is an *Infeasible that says what is missing.
func TestInfeasible(t *testing.T) {
	scheme := func(layers int, rest string) string {
		return "policy = \"fixed\"\nscheme = [" + strings.Repeat(`"v100-16", `, layers) + "]\n" + rest
	}
	vgg, err := workloads.LookupModel("vgg-16")
	if err != nil {
		t.Fatal(err)
	}
	n := len(vgg.Layers)
	all := `policy = "all-gpu"`
	for _, c := range []struct {
		name  string
		edits []string
		want  string
	}{
		{"memory", []string{`"vgg-16"`, `"gpt-3-1.3b"`, "batch = 64", "batch = 64\noptimizer = \"adam\""}, "GiB"},
		{"memory of the activations", []string{"batch = 64", "batch = 65536"}, "the pool has 2"},
		{"devices", []string{all, scheme(n, "devices = [3]")}, "3"},
		{"too few devices for the memory", []string{"batch = 64", "batch = 1024", "count = 2", "count = 8", all, scheme(n, "devices = [1]")}, "memory"},
		{"floor", []string{all, all + "\nmin_throughput = 1e9"}, "min_throughput is 1000000000 samples/s"},
		{"price", []string{all, all + "\nmax_price = \"0.5 USD/h\""}, "max_price is 0.5 USD/h"},
		{"cost", []string{all, all + "\nmax_cost = 0.001"}, "max_cost is 0.001 USD per million samples"},
		{"floor by recurrence", []string{"batch = 64", "batch = 64\nmicrobatches = 64", all, all + "\nfitness = \"recurrence\"\nmin_throughput = 1e9"}, "min_throughput"},
		{"a layer that the device cannot run", []string{`"vgg-16"`, `"bert24-measured"`, `"v100-16"`, `"t4"`}, "measured on"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := parsed(t, strings.NewReplacer(c.edits...).Replace(onOne)).Run(context.Background(), "test")
			var inf *Infeasible
			if r != nil || !errors.As(err, &inf) || !IsInfeasible(err) {
				t.Fatalf("got %v, %v", r, err)
			}
			if !strings.Contains(inf.Reason, c.want) || inf.Scenario != "one" || inf.Evaluations < 1 {
				t.Errorf("reason %q does not speak of %q: %+v", inf.Reason, c.want, inf)
			}
			t.Log(inf)
		})
	}
}

// A table that is too small says what would do, and makes no scheme infeasible that
// keeps the layer on a CPU.
func TestSmallTablesRefuseAccelerators(t *testing.T) {
	_, err := parsed(t, onGPU(`"1 %"`, `10`)).Run(context.Background(), "test")
	var inf *Infeasible
	if !errors.As(err, &inf) || !strings.Contains(inf.Reason, "slot table of layer") || !strings.Contains(inf.Reason, "slots suffice for all 12 rounds") {
		t.Fatalf("got %v", err)
	}
	s := parsed(t, onGPU(`"1 %"`, `10`, `"all-gpu"`, `"greedy"`))
	r := run(t, s)
	for _, l := range sparseLayers(s.Model) {
		if r.Scheme.Layers[l] != "xeon-6148" {
			t.Errorf("layer %d is on %s", l, r.Scheme.Layers[l])
		}
	}
}

// Limits that do not suffice are named.
func TestRunErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []string
		is    func(error) bool
		want  []string
	}{
		{"trace keys", []string{"[slots]", "[limits]\ntrace_keys = 1000\n[slots]"}, nil,
			[]string{"limits.trace_keys = 1000"}},
		{"events", []string{"[slots]", "[limits]\nevents = 50\n[slots]"}, func(err error) bool { var e *engine.LimitError; return errors.As(err, &e) },
			[]string{"limits.events = 50", " of 12 rounds"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parsed(t, onGPU(c.edits...)).Run(context.Background(), "test")
			if err == nil || c.is != nil && !c.is(err) || IsInfeasible(err) {
				t.Fatalf("got %v", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in %v", w, err)
				}
			}
		})
	}
}

// fuse is a context that ends after it was asked some times, by any goroutine.
type fuse struct {
	context.Context
	left atomic.Int64
}

func newFuse(looks int) *fuse {
	f := &fuse{Context: context.Background()}
	f.left.Store(int64(looks))
	return f
}

func (f *fuse) Err() error {
	if f.left.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// Stopped at any time, a run returns an error that wraps the context's, and from
// the simulation on the finished rounds.
func TestRunStops(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	text := onGPU("rounds = 12", fmt.Sprintf("rounds = %d", rounds), "batch = 512", "batch = 16")
	whole := run(t, parsed(t, text))
	partial := 0
	for looks := 0; ; looks += 1 + looks/40 {
		r, err := parsed(t, text).Run(newFuse(looks), "test")
		if err == nil {
			if jsonOf(t, r) != jsonOf(t, whole) {
				t.Error("a run that was not stopped differs")
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %d looks: %v", looks, err)
		}
		if r != nil && len(r.Rounds) > 0 && len(r.Rounds) < rounds {
			partial++
			if jsonOf(t, r.Rounds) != jsonOf(t, whole.Rounds[:len(r.Rounds)]) {
				t.Fatalf("%d rounds that are not those of the whole run", len(r.Rounds))
			}
		}
	}
	if partial == 0 {
		t.Error("no run was stopped between two rounds")
	}
}

// Every placement policy that the scenario allows runs, and all of them on the same
// lookups.
func TestEveryPlacement(t *testing.T) {
	for _, name := range placement.PolicyNames() {
		if name == "fixed" || name == "exhaustive" && testing.Short() {
			continue
		}
		s := parsed(t, small)
		if err := s.SetPlacement(name); err != nil {
			t.Fatal(err)
		}
		s.Search.Evaluations = 50
		if r := run(t, s); len(r.Rounds) != 12 || metric(t, r, "throughput") <= 0 {
			t.Errorf("%s: %d rounds", name, len(r.Rounds))
		}
	}
}

package placement

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"stowage/hw"
)

// checkpointed is a stopped search and its file.
func checkpointed(t *testing.T, name string, p *Problem, opt Options, after int) (Checkpoint, []byte) {
	t.Helper()
	opt.Memo, opt.Budget = NewMemo(p), Budget{Evaluations: after}
	mustSearch(t, name, p, opt)
	c := Checkpoint{Version: "1.2", Policy: name, Problem: p, Options: opt}
	var file bytes.Buffer
	if err := c.Write(&file); err != nil {
		t.Fatal(err)
	}
	return c, file.Bytes()
}

// TestCheckpoint: through a file, every policy goes on as if it had never stopped.
func TestCheckpoint(t *testing.T) {
	for _, name := range searching {
		opt := quick()
		opt.Fidelity, opt.Keep = Recurrence, 5
		want := mustSearch(t, name, randomProblem(t, 6, 9), opt)
		_, file := checkpointed(t, name, randomProblem(t, 6, 9), opt, want.Evaluations/2)
		again := Checkpoint{Version: "1.2", Policy: name, Problem: randomProblem(t, 6, 9), Options: opt}
		if err := again.Read(bytes.NewReader(file)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := again.Options.Memo.Len(); n != want.Evaluations/2 {
			t.Errorf("%s: %d schemes, want %d", name, n, want.Evaluations/2)
		}
		if d := gocmp.Diff(want, mustSearch(t, name, again.Problem, again.Options)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestForeignCheckpoints are refused, and the error says what differs.
func TestForeignCheckpoints(t *testing.T) {
	p := randomProblem(t, 6, 9)
	c, file := checkpointed(t, "genetic", p, quick(), 60)
	for _, x := range []struct {
		change func(*Checkpoint)
		want   string
	}{
		{func(c *Checkpoint) {}, ""},
		{func(c *Checkpoint) { c.Options.Budget, c.Options.Workers = Budget{Evaluations: 3}, 3 }, ""},
		{func(c *Checkpoint) { c.Options.Fidelity = ClosedForm }, ""},
		{func(c *Checkpoint) { c.Version = "1.3" }, "it is of another search: its version is 1.2, this one's 1.3"},
		{func(c *Checkpoint) { c.Policy = "tabu" }, "it is of another search: its placement policy is genetic, this one's tabu"},
		{func(c *Checkpoint) { c.Options.Seed = 8 }, "it is of another search: its seed is 0, this one's 8"},
		{func(c *Checkpoint) { c.Options.Fidelity = Recurrence }, "it is of another search: its fitness is closed-form, this one's recurrence"},
		{func(c *Checkpoint) { c.Options.Keep = 3 }, "it is of another search: its number of finalists is 0, this one's 3"},
		{func(c *Checkpoint) { c.Options.Genetic.Elite = 1 }, "it is of another search: its knob genetic.elite is 2, this one's 1"},
		{func(c *Checkpoint) { c.Options.Scheme = Scheme{1} }, "it is of another search: its scheme is [], this one's [1]"},
		{func(c *Checkpoint) { c.Problem = randomProblem(t, 7, 9) }, "it is of another problem: the model"},
		{func(c *Checkpoint) { c.Problem = randomProblem(t, 7, 8) }, "it is of another search: its number of layers is 9, this one's 8"},
	} {
		other := c
		x.change(&other)
		err := other.Read(bytes.NewReader(file))
		if x.want == "" && err != nil || x.want != "" && (err == nil || !strings.HasPrefix(err.Error(), x.want)) {
			t.Errorf("%v, want %q", err, x.want)
		}
		if err != nil && other.Options.Memo != c.Options.Memo {
			t.Error("a refused checkpoint replaces the memo")
		}
	}
}

// TestDamagedCheckpoints: a file that was cut, or in which any one byte changed, is
// refused.
func TestDamagedCheckpoints(t *testing.T) {
	p := randomProblem(t, 6, 9)
	c, file := checkpointed(t, "genetic", p, quick(), 5)
	for n := range file {
		bad := slices.Clone(file)
		bad[n] ^= 1
		if c.Read(bytes.NewReader(bad)) == nil {
			t.Errorf("byte %d of %d changed, and nobody noticed", n, len(file))
		}
		if c.Read(bytes.NewReader(file[:n])) == nil {
			t.Errorf("cut after %d of %d bytes, and nobody noticed", n, len(file))
		}
	}
	if c.Read(bytes.NewReader(append(slices.Clone(file), 0))) == nil {
		t.Error("a byte too many, and nobody noticed")
	}
	if err := (&Checkpoint{Problem: p}).Read(strings.NewReader("title = 1\n")); err == nil || err.Error() != `it is no checkpoint of the format "stowage search 1"` {
		t.Error(err)
	}
	var h map[string]any
	if line, _, _ := bytes.Cut(file, []byte("\n")); json.Unmarshal(line, &h) != nil || h["schemes"] != 5.0 {
		t.Errorf("header %v", h)
	}
}

// failing writes a few bytes.
type failing struct{ left int }

func (f *failing) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left < 0 {
		return 0, errors.New("no room")
	}
	return len(b), nil
}

func TestCheckpointWriteFails(t *testing.T) {
	c, file := checkpointed(t, "genetic", randomProblem(t, 6, 9), quick(), 20)
	for _, n := range []int{0, 100, len(file) - 1} {
		if err := c.Write(&failing{n}); err == nil {
			t.Errorf("%d bytes of room for %d", n, len(file))
		}
	}
}

// TestFingerprint: the same for a problem stated again, another one for any change.
func TestFingerprint(t *testing.T) {
	base := func() Spec { return spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3))) }
	seen := map[string]int{mustProblem(t, base()).Fingerprint(): -1}
	if _, ok := seen[mustProblem(t, base()).Fingerprint()]; !ok {
		t.Error("it does not repeat")
	}
	for i, change := range []func(*Spec){
		func(s *Spec) { s.Batch *= 2 },
		func(s *Spec) { s.Merge = ByType },
		func(s *Spec) { s.Objective = Cost },
		func(s *Spec) { s.MaxPrice = 3 },
		func(s *Spec) { s.Schedule = schedule("gpipe") },
		func(s *Spec) { s.Model.Layers[2].FLOPs++ },
		func(s *Spec) { s.Model.Edges[1].Elements++ },
		func(s *Spec) { s.Cluster.Pools[1].Count++ },
		func(s *Spec) { s.Cluster.Pools[1].Price++ },
		func(s *Spec) { s.Cluster.Pools[0].Device.Peak[hw.FP32]++ },
		func(s *Spec) { s.Cluster.Pools[0].Node.NIC.Latency++ },
		func(s *Spec) { s.Only = []int{0, 1, 0, 0} },
		func(s *Spec) { s.Lookups = make([]LayerLookups, 4) },
		func(s *Spec) { s.Store = func(int, float64, float64) float64 { return 1 } },
		func(s *Spec) { s.Store = func(int, float64, float64) float64 { return 2 } },
	} {
		s := base()
		change(&s)
		f := mustProblem(t, s).Fingerprint()
		if other, ok := seen[f]; ok {
			t.Errorf("changes %d and %d have one fingerprint", i, other)
		}
		seen[f] = i
	}
}

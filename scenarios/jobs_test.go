package scenarios

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"stowage/sim"
)

// beside writes the shipped pair of jobs into a folder, changed, and loads it.
func beside(t *testing.T, change func(name, text string) string) (*Scenario, error) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "jobs"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"shared.toml", "jobs/bert.toml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(change(name, string(data))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(dir, "shared.toml"))
}

// What is wrong with a job beside another is said where it is named.
func TestJobErrors(t *testing.T) {
	for _, c := range []struct{ in, from, to, want string }{
		{"shared.toml", `"jobs/bert.toml"`, `"jobs/bart.toml"`, `job[0].scenario: open `},
		{"shared.toml", `"jobs/bert.toml"`, `"jobs/../shared.toml"`, `job[0].scenario: "jobs/../shared.toml": it is this scenario itself, which runs anyhow: name another one`},
		{"shared.toml", `scenario = "jobs/bert.toml"`, ``, `job[0]: missing key "scenario" (path of another scenario, e.g. "other.toml")`},
		{"jobs/bert.toml", `batch        = 512`, `batch        = 511`, `batch: 511 is no multiple of microbatches = 16`},
		{"jobs/bert.toml", `"right"`, `"write"`, `pool 1 of its cluster is "write" of a100-80, here "right" of a100-80`},
		{"jobs/bert.toml", `count  = 16`, `count  = 8`, `pool "left" of its cluster has 8 devices, here 16: say the whole cluster in both`},
		{"jobs/bert.toml", `"eth-100"`, `"eth-25"`, `pool "left" of its cluster is in other nodes, or has other links`},
		{"jobs/bert.toml", `oversubscription = 8.0`, `oversubscription = 4.0`, `its cluster has another network: 4 nodes at 2 leaf switches of 2, 1 spine, 4:1 oversubscribed, here 4 nodes at 2 leaf switches of 2, 1 spine, 8:1 oversubscribed`},
		{"jobs/bert.toml", "[training]", "[[job]]\nscenario = \"bert.toml\"\n[training]", `it is beside another job itself: the scenario that is run names all of them`},
		{"jobs/bert.toml", "[training]", "[[trouble]]\nkind = \"link\"\npool = \"left\"\nfactor = 0.5\n[training]", `it has weak links, and links are those of all jobs: say so in the scenario that names the jobs`},
		{"jobs/bert.toml", "title", "name = \"shared\"\ntitle", `another job is called "shared" too: give it a name of its own`},
	} {
		_, err := beside(t, func(name, text string) string {
			if name != c.in {
				return text
			}
			if !strings.Contains(text, c.from) {
				t.Fatalf("%q is not in %s", c.from, name)
			}
			return strings.ReplaceAll(text, c.from, c.to)
		})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "shared.toml:") {
			t.Errorf("%q for %q:\n%v\nwant %q in it", c.to, c.from, err, c.want)
		}
	}
	_, err := Parse("x.toml", []byte(fine+"[[job]]\nscenario = \"other.toml\"\n"))
	if err == nil || !strings.Contains(err.Error(), "x.toml:24:1: job[0]: jobs share the links of a [cluster.network]") {
		t.Errorf("%v", err)
	}
}

// A fixed scheme that takes more than other fixed ones leave is told who has it; one of a
// job that is searched is not in its way.
func TestJobsOvercommit(t *testing.T) {
	s, err := beside(t, func(name, text string) string { return strings.Replace(text, "[8, 8]", "[8, 12]", 1) })
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Run(t.Context(), "test")
	want := `shared: infeasible: fixed found no scheme that fits among 1; the nearest one: its stages on pool "right" need 12 devices; the pool has 16, of which job "bert" takes 12`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %q", err, want)
	}
}

// placed is the text of a shipped scenario with other keys in its section placement.
func placed(text, keys string) string {
	before, rest, _ := strings.Cut(text, "[placement]\n")
	_, after, _ := strings.Cut(rest, "devices = [8, 8]\n")
	return before + "[placement]\n" + keys + "\n" + after
}

// Jobs are planned with what others leave: those with fixed devices first, then the
// others in the order of the file, the scenario itself last.
func TestJobsPlanWithWhatIsLeft(t *testing.T) {
	text := func(name string) string {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	shared, bert := text("shared.toml"), text("jobs/bert.toml")
	greedy := placed(bert, `policy = "greedy"`)                            // all that is left of one pool
	capped := placed(bert, "policy = \"exact\"\nmax_price = \"20 USD/h\"") // few
	two := shared + "\n[[job]]\nscenario = \"jobs/second.toml\"\n"
	for _, c := range []struct {
		name                 string
		shared, bert, second string
		devices              []int // of the jobs
		fails                string
	}{
		{name: "a fixed scheme has its devices before a search", shared: shared, bert: greedy, devices: []int{16, 8}},
		{name: "a search has what a fixed scheme leaves", shared: placed(shared, `policy = "greedy"`), bert: bert, devices: []int{-1, 16}},
		{name: "the scenario is planned last", shared: placed(shared, `policy = "greedy"`), bert: capped, devices: []int{-1, -1}},
		{name: "nothing is left", shared: placed(shared, `policy = "greedy"`), bert: strings.Replace(bert, "[8, 8]", "[16, 16]", 1),
			fails: `shared: infeasible: greedy found no scheme that fits among `},
		{name: "a fixed job that comes later in the file goes first", shared: strings.Replace(two, "devices = [8, 8]", "devices = [8, 4]", 1), bert: greedy,
			second: strings.Replace(bert, "[8, 8]", "[4, 8]", 1), devices: []int{12, -1, 12}},
		{name: "what the first takes the second has not", shared: strings.Replace(two, "[8, 8]", "[8, 16]", 1), bert: greedy, second: greedy,
			fails: `shared: second: infeasible: greedy found no scheme that fits among 1; the nearest one: layer "input" cannot run on left: all 16 devices are taken: job "shared" takes 8, job "bert" takes 8`},
	} {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "jobs"), 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"shared.toml": c.shared, "jobs/bert.toml": c.bert, "jobs/second.toml": c.second} {
			text = strings.Replace(strings.Replace(text, "rounds       = 20", "rounds       = 2", 1), "rounds       = 60", "rounds       = 2", 1)
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Load(filepath.Join(dir, "shared.toml"))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		r, err := s.Run(t.Context(), "test")
		if c.fails != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.fails) || !strings.Contains(err.Error(), "taken") {
				t.Errorf("%s: %v\nwant %q", c.name, err, c.fails)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		all := 0
		for i, j := range r.Jobs {
			if all += j.Devices; c.devices[i] >= 0 && j.Devices != c.devices[i] || j.Devices == 0 {
				t.Errorf("%s: job %s has %d devices, want %d", c.name, j.Name, j.Devices, c.devices[i])
			}
		}
		if all > 32 || len(r.Jobs) != len(c.devices) {
			t.Errorf("%s: %d jobs with %d devices of 32", c.name, len(r.Jobs), all)
		}
	}
}

// Every policy that applies finds a scheme for what the other job leaves, and runs in a
// comparison are what they are alone: also where that job leaves room for a fixed scheme,
// and so another room without one.
func TestJobsCompare(t *testing.T) {
	for _, other := range []string{"fixed", "exact"} {
		s, err := beside(t, func(name, text string) string {
			if name == "jobs/bert.toml" && other != "fixed" {
				text = placed(text, "policy = \"exact\"\nmax_price = \"20 USD/h\"")
			}
			return strings.Replace(strings.Replace(text, "rounds       = 20", "rounds       = 2", 1), "rounds       = 60", "rounds       = 2", 1)
		})
		if err != nil {
			t.Fatal(err)
		}
		how := Comparing{Policies: []string{"fixed", "all-gpu", "greedy"}, Seeds: 1, Version: "test"}
		if !testing.Short() {
			how.Policies = append(how.Policies, "genetic", "exact")
		}
		for _, compare := range []func(context.Context, Comparing) (*sim.Comparison, error){s.ComparePlacements, s.Bench} {
			all, err := compare(t.Context(), how)
			if err != nil {
				t.Fatal(err)
			}
			if len(all.Runs) != len(how.Policies) {
				t.Errorf("%d runs, skipped %+v", len(all.Runs), all.Skipped)
			}
			for i := range all.Runs {
				run := &all.Runs[i]
				if run.Infeasible != "" {
					t.Errorf("%s beside %s: %s", run.Policy, other, run.Infeasible)
					continue
				}
				one := *s
				if err := one.SetPlacement(run.Policy); err != nil {
					t.Fatal(err)
				}
				alone, err := one.Run(t.Context(), "test")
				if err != nil {
					t.Fatal(err)
				}
				got, _ := run.Metrics.Get("throughput")
				if want, _ := alone.Metrics.Get("throughput"); got != want {
					t.Errorf("%s beside %s: %v in a comparison, %v in a run", run.Policy, other, got, want)
				}
			}
		}
	}
}

// Questions are about what other jobs leave.
func TestJobsWhatIf(t *testing.T) {
	s, err := beside(t, func(name, text string) string {
		if name == "shared.toml" {
			text = placed(text, `policy = "exact"`) + "\n[whatif.node]\n[whatif.cluster]\nthroughput = 10.0\n[[whatif.cluster.limit]]\npool = \"right\"\ncount = 3\n"
		} else {
			text = strings.Replace(text, "[8, 8]", "[12, 16]", 1)
		}
		return strings.Replace(strings.Replace(text, "rounds       = 20", "rounds       = 2", 1), "rounds       = 60", "rounds       = 2", 1)
	})
	if err != nil {
		t.Fatal(err)
	}
	w := run(t, s).WhatIf
	limits, choice := w.Cluster.Limits, w.Cluster.Choice
	if limits[0].Devices != 4 || limits[1].Devices != 3 {
		t.Errorf("limits %+v: want the 4 that are left, and 3", limits)
	}
	if choice.Infeasible != "" || choice.Devices[0].Devices > 4 || choice.Devices[1].Devices > 3 {
		t.Errorf("%+v", choice)
	}
	if d := w.Node.Without.Devices; d[0].Devices > 4 || d[1].Devices != 0 {
		t.Errorf("without: %+v", d)
	}
	for _, with := range w.Node.With {
		if d := with.Choice.Devices; with.Pool == "right" && (d[0].Devices > 4 || d[1].Devices > 8) {
			t.Errorf("one node more: %+v", d)
		}
	}
}

// A run with another job beside it is the same whatever GOMAXPROCS; each job alone is
// faster, or as fast; on a network that does not hold them up they do not notice each
// other.
func TestJobsTogether(t *testing.T) {
	result := func(oversubscription string) *sim.Result {
		s, err := beside(t, func(_, text string) string {
			text = strings.Replace(text, "oversubscription = 8.0", "oversubscription = "+oversubscription, 1)
			return strings.Replace(strings.Replace(text, "rounds       = 20", "rounds       = 4", 1), "rounds       = 60", "rounds       = 9", 1)
		})
		if err != nil {
			t.Fatal(err)
		}
		return run(t, s)
	}
	var texts []string
	for _, procs := range []int{1, 4} {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
		data, err := json.Marshal(result("8.0").Jobs)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(data))
	}
	if texts[0] != texts[1] {
		t.Errorf("GOMAXPROCS changes the result: %s and %s", texts[0], texts[1])
	}
	for over, slow := range map[string]bool{"8.0": true, "1.0": false} {
		r := result(over)
		if len(r.Jobs) != 2 || r.Jobs[0].Name != "shared" || r.Jobs[1].Name != "bert" {
			t.Fatalf("%+v", r.Jobs)
		}
		for _, j := range r.Jobs {
			if slow != (j.Slowdown > 1.01) || j.Slowdown < 0.999 {
				t.Errorf("oversubscription %s: %+v", over, j)
			}
		}
		if m, ok := r.Metrics.Get("slowdown"); !ok || m.Value != r.Jobs[0].Slowdown {
			t.Errorf("slowdown %+v", m)
		}
	}
}

// A weak link is one for all jobs, and for each of them alone: where they do not meet, no
// job is slower beside the others.
func TestJobsOnWeakLinks(t *testing.T) {
	s, err := beside(t, func(name, text string) string {
		text = strings.Replace(text, "oversubscription = 8.0", "oversubscription = 1.0", 1)
		text = strings.Replace(strings.Replace(text, "rounds       = 20", "rounds       = 4", 1), "rounds       = 60", "rounds       = 5", 1)
		if name == "shared.toml" { // the ports of the other job's nodes
			text += "[[trouble]]\nkind = \"link\"\nnode = \"left:1\"\nfactor = 0.01\n"
		}
		return text
	})
	if err != nil {
		t.Fatal(err)
	}
	weak := run(t, s).Jobs
	s.Trouble = nil
	whole := run(t, s).Jobs
	for i, j := range weak {
		if j.Slowdown < 0.999 || j.Slowdown > 1.001 {
			t.Errorf("%+v: nothing else is on its links", j)
		}
		if slow := j.Alone < 0.9*whole[i].Alone; slow != (i == 1) {
			t.Errorf("%s alone: %v samples/s on weak links, %v on whole ones", j.Name, j.Alone, whole[i].Alone)
		}
	}
}

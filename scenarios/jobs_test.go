package scenarios

import (
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

// Jobs that ask for more devices than there are, are told who asks for how many.
func TestJobsOvercommit(t *testing.T) {
	s, err := beside(t, func(name, text string) string { return strings.Replace(text, "[8, 8]", "[8, 12]", 1) })
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Run(t.Context(), "test")
	want := `shared: the jobs ask for more than there is: pool "right" has 16 devices, shared takes 12, bert takes 12; fix the devices of their schemes, or cap their price`
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v\nwant %q", err, want)
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

package scenarios

import (
	"path/filepath"
	"strings"
	"testing"

	"stowage/sim"
)

// A curve leaves out the sizes that a rule cannot serve, and the run ends well.
func TestCurvesUnderRules(t *testing.T) {
	for _, lines := range []string{
		"ways = 32",
		"ways = 32\nshortage = \"bypass\"",
		"capacity = 12000\nshortage = \"split\"",
		"capacity = 12000\nshortage = \"split\"\nlookahead = 1",
		"pass = 4",
	} {
		t.Run(lines, func(t *testing.T) {
			pairs := []string{}
			if strings.HasPrefix(lines, "capacity") {
				pairs = append(pairs, "capacity = \"1 %\"\n", "")
			}
			r := run(t, parsed(t, slotted(lines, append(pairs, `"1 %"`, `"20 %"`)...)))
			if len(r.Curves) != 2 || len(r.Rounds) != 12 {
				t.Fatalf("%d curves, %d rounds", len(r.Curves), len(r.Rounds))
			}
		})
	}
}

// What the fitness expects of a scheme and what the simulation shows are near each
// other under every rule. The fitness reckons with means over the rounds after the
// first quarter, the simulation is asked for its last quarter: tables, and host memory
// as a cache, must be full by then.
func TestRecurrenceKnowsTheRules(t *testing.T) {
	const (
		off  = 0.03
		host = "[slots.host]\ncapacity = \"1 %\"\n"
		ssd  = host + "[slots.ssd]\nbatch = 256\nbandwidth = \"3 GB/s\"\niops = \"10 Mrows/s\"\nlatency = \"20 us\"\n"
		// Servers as slow as this bound the rounds; twice as fast, computing does.
		remote = host + "[slots.remote]\nservers = 2\nrows = \"3 Mrows/s\"\nbandwidth = \"1 GB/s\"\n"
	)
	exclusive := func(tiers string) string {
		return strings.Replace(tiers, "1 %\"\n", "1 %\"\nrule = \"exclusive\"\n", 1)
	}
	full := []string{"rounds = 40", "rounds = 60", `"1 %"`, `"0.5 %"`, "alpha = 1.05", "alpha = 0.95"}
	for _, c := range []struct {
		lines string
		pairs []string
	}{
		{"", nil}, {"lookahead = 1", nil}, {"read = 20000.0", nil}, {"read = 20000.0\noverlap = false", nil},
		{`write_back = "eager"`, nil}, {`state = "host"`, nil}, {"pass = 4", nil}, {"ways = 2\nshortage = \"bypass\"", nil},
		{`exchange = "padded"`, nil}, {`exchange = "none"`, nil}, {`scope = "none"`, nil}, {`scope = "batch"`, nil},
		{`wiring = "mesh"`, nil}, {`wiring = "cube-mesh"`, nil},
		{`replicated = "0.1 %"`, nil}, {`replicated = "0.04 %"`, full}, {`replicated = "0.055 %"`, full}, {"exchange = \"padded\"\nreplicated = \"0.02 %\"\nlookahead = 1", full},
		{"lookahead = 2\nshortage = \"wait\"", full}, {"lookahead = 1\nrelease = \"before-backward\"", full}, {`shortage = "split"`, full},
		{`write_back = "end-of-pass"`, full}, {"pass = 4\nwrite_back = \"end-of-pass\"", full}, {"pass = 4\nrebuild = true", full},
		{"[slots.host]\nrule = \"exclusive\"", full}, {ssd, full}, {"lookahead = 1\n" + ssd, full}, {exclusive(ssd), full},
		{"lookahead = 1\n" + exclusive(ssd) + "rule = \"exclusive\"", full}, {"write_back = \"eager\"\n" + ssd, full},
		{"write_back = \"end-of-pass\"\n" + ssd, full}, {"pass = 4\n" + ssd, full}, {"ways = 2\nshortage = \"bypass\"\n" + ssd, full},
		{remote, full}, {"lookahead = 1\n" + remote, full}, {"lookahead = 1\nstate = \"host\"\n" + remote, full},
		{"overlap = false\n" + exclusive(remote) + "rule = \"exclusive\"", full},
	} {
		t.Run(strings.NewReplacer("\n", ", ", "\"", "", "slots.", "").Replace(c.lines), func(t *testing.T) {
			if testing.Short() && c.pairs != nil {
				t.Skip("tables that fill take long under the race detector")
			}
			t.Parallel()
			text := slotted(c.lines, "rounds = 12", "rounds = 40", `"xeon-6148"`, `"epyc-7763"`)
			r := withoutCurves(t, parsed(t, strings.NewReplacer(c.pairs...).Replace(text)))
			warm, step := metric(t, r, "warm_throughput"), metric(t, r, "recurrence_throughput")
			if ratio := warm / step; ratio < 1-off || ratio > 1+off {
				t.Errorf("warm %v, recurrence %v samples/s: %.3f", warm, step, ratio)
			} else {
				t.Logf("%.3f", ratio)
			}
		})
	}
}

// withoutCurves is run without what is asked of other sizes than the scenario's.
func withoutCurves(t *testing.T, s *Scenario) *sim.Result {
	t.Helper()
	set, err := s.prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := s.Policy.Search(t.Context(), set.problem, s.Search)
	if err != nil || !outcome.Fitness.Feasible {
		t.Fatal(outcome, err)
	}
	job := s.job(set, outcome.Plan)
	run, err := sim.Train(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	return s.summarize(set, job, target{plan: job.Plan, run: run}, outcome, "test")
}

// A layer that no accelerator can serve is spoken of; a rule that the tables refuse
// is an error, not a placement.
func TestRefusalsAreSaid(t *testing.T) {
	r := run(t, parsed(t, strings.Replace(small, `"1 %"`, "10", 1)))
	if len(r.Warnings) == 0 || !strings.Contains(strings.Join(r.Warnings, "\n"), "was kept off accelerators: slot table of layer") {
		t.Errorf("warnings %q", r.Warnings)
	}
	for _, c := range []struct{ lines, want string }{
		{"ways = 32\nreplacement = \"sieve\"", "slots.replacement: sieve has no form with sets of ways"},
		{"shortage = \"split\"\nreplacement = \"min\"", "slots.replacement: min knows the future of whole rounds"},
		{"overlap = false\nqueue = 3", "slots.queue: queue = 3: without overlap"},
		{"scope = \"none\"\nunique = \"1 Mrows/s\"", "slots.unique: nothing is made unique"},
		{"rebuild = true\nwrite_back = \"end-of-pass\"", "slots.write_back: tables that are rebuilt"},
		{"write_back = \"end-of-pass\"\nrelease = \"before-backward\"", "slots.release: a table that is written back as a whole"},
		{"[slots.host]\ncapacity = \"10 %\"\n[slots.ssd]\nbatch = -1", "slots.ssd.batch: -1: rows of a read"},
	} {
		text := slotted(c.lines)
		if strings.Contains(c.lines, "replacement") {
			text = slotted(c.lines, "replacement = \"lru\"\n", "")
		}
		if _, err := Parse(filepath.Join(t.TempDir(), "x.toml"), []byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got  %v\nwant … %s …", err, c.want)
		}
	}
	inference := slotted("write_back = \"eager\"", "rounds = 12", "rounds = 12\ninference = true", "optimizer = \"adagrad\"\n", "")
	if _, err := Parse(filepath.Join(t.TempDir(), "x.toml"), []byte(inference)); err == nil || !strings.Contains(err.Error(), "slots.write_back: in inference nothing is written back") {
		t.Errorf("got %v", err)
	}
}

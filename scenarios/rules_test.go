package scenarios

import (
	"path/filepath"
	"strings"
	"testing"
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
// other under the rules that the recurrence knows.
func TestRecurrenceKnowsTheRules(t *testing.T) {
	const off = 0.06
	for _, lines := range []string{
		"", "lookahead = 1", "read = 20000.0", "read = 20000.0\noverlap = false",
		`write_back = "eager"`, `state = "host"`, "pass = 4", "ways = 2\nshortage = \"bypass\"",
	} {
		t.Run(lines, func(t *testing.T) {
			r := run(t, parsed(t, slotted(lines, "rounds = 12", "rounds = 40", `"xeon-6148"`, `"epyc-7763"`)))
			warm, step := metric(t, r, "warm_throughput"), metric(t, r, "recurrence_throughput")
			if ratio := warm / step; ratio < 1-off || ratio > 1+off {
				t.Errorf("warm %v, recurrence %v samples/s: %.3f", warm, step, ratio)
			} else {
				t.Logf("%.3f", ratio)
			}
		})
	}
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

package scenarios

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"stowage/hw/unit"
)

// A resolved scenario is a scenario: read again it resolves to itself, and states the
// same problem.
func TestResolvedIsTheScenario(t *testing.T) {
	paths, err := filepath.Glob("*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	published, err := filepath.Glob("published/*.toml")
	if err != nil || len(published) == 0 {
		t.Fatalf("no published scenarios: %v", err)
	}
	for _, path := range append(paths, published...) {
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		s.SetSeed(77)
		s.Search.Evaluations = 1234
		first := s.Resolved()
		again, err := Parse(path, []byte(first))
		if err != nil {
			t.Errorf("%s: %v in\n%s", path, err, first)
			continue
		}
		if d := cmp.Diff(first, again.Resolved()); d != "" {
			t.Errorf("%s resolves to something else the second time: %s", path, d)
		}
		if again.Seed != 77 || again.Search.Evaluations != 1234 {
			t.Errorf("%s: what was set after reading is lost: seed %d, %d evaluations", path, again.Seed, again.Search.Evaluations)
		}
		if d := cmp.Diff(s.Slots, again.Slots, cmp.AllowUnexported(ssdFile{}), cmp.Comparer(func(a, b unit.Ratio) bool { return a == b })); d != "" {
			t.Errorf("%s: other slot tables: %s", path, d)
		}
		if d := cmp.Diff(s.Expect, again.Expect); d != "" {
			t.Errorf("%s: other expectations: %s", path, d)
		}
		if d := cmp.Diff(s.Search.Knobs, again.Search.Knobs); d != "" {
			t.Errorf("%s: other knobs: %s", path, d)
		}
	}
}

// What was written as zero stays, what nobody wrote does not appear, and texts survive.
func TestResolvedKeepsWhatWasWritten(t *testing.T) {
	text := strings.Replace(ctrLike, "seed = 1", "title = \"<b>\\\"quotes\\\" \\u007f 日本\"\nseed = 0", 1)
	s, err := Parse("x.toml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got := s.Resolved()
	for _, want := range []string{"seed = 0\n", `title = "<b>\"quotes\" \u007f 日本"`, "lookahead = 0\n", "schedule = \"1f1b\"\n", "price = \"", "[placement.genetic]\n", "capacity = \"5 %\"\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	for _, not := range []string{"description", "[placement.tabu]", "[sweep]", "min_throughput", "inside"} {
		if strings.Contains(got, not) {
			t.Errorf("%s appears in\n%s", not, got)
		}
	}
	if again, err := Parse("x.toml", []byte(got)); err != nil || again.Title != s.Title {
		t.Errorf("the title came back as %q, %v", again.Title, err)
	}
}

const ctrLike = `
seed = 1
[model]
use = "ctrdnn"
[[cluster.pool]]
device = "xeon-6148"
count = 4
[[cluster.pool]]
device = "v100-32"
count = 4
[training]
batch = 512
[lookups]
generator = "zipf"
alpha = 1.1
[slots]
capacity = "5 %"
lookahead = 0
`

// Every amount can be written and read again exactly.
func TestAmountsAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.OneOf(
			rapid.Custom(func(t *rapid.T) Amount {
				return Amount{Share: unit.Ratio(rapid.Float64Range(1e-9, 1).Draw(t, "share"))}
			}),
			rapid.Custom(func(t *rapid.T) Amount {
				return Amount{Bytes: unit.Bytes(rapid.Int64Range(1, 1<<50).Draw(t, "bytes"))}
			}),
		).Draw(t, "amount")
		text, err := a.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Amount
		if err := back.UnmarshalTOML(string(text)); err != nil || back != a {
			t.Errorf("%+v became %q and then %+v, %v", a, text, back, err)
		}
	})
}

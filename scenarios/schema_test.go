package scenarios

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// compiledSchema is the schema as a validator reads it.
func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(SchemaFile, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(SchemaFile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bySchema judges a scenario as an editor would.
func bySchema(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	var v any
	if _, err := toml.Decode(text, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// Every shipped scenario is valid by the schema, names it on its first line, and is valid
// as it is resolved.
func TestShippedScenariosMatchSchema(t *testing.T) {
	s := compiledSchema(t)
	paths, err := filepath.Glob("*.toml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	published, err := filepath.Glob("published/*.toml")
	if err != nil || len(published) == 0 {
		t.Fatalf("no published scenarios: %v", err)
	}
	for _, path := range append(paths, published...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := "./" + SchemaFile
		if filepath.Dir(path) != "." {
			at = "../" + SchemaFile
		}
		if !strings.HasPrefix(string(text), "#:schema "+at+"\n") {
			t.Errorf("%s: the first line is not #:schema %s, by which editors find the schema", path, at)
		}
		if err := bySchema(t, s, string(text)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		loaded, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := bySchema(t, s, loaded.Resolved()); err != nil {
			t.Errorf("%s, resolved: %v", path, err)
		}
	}
}

// The schema finds what is wrong with a value, and so does Load, at the same key.
func TestSchemaFindsFaults(t *testing.T) {
	s := compiledSchema(t)
	if err := bySchema(t, s, ctrLike); err != nil {
		t.Fatalf("what nothing is wrong with: %v", err)
	}
	for _, c := range []struct{ old, new, at string }{
		{`seed = 1`, `sead = 1`, ""},
		{`seed = 1`, `seed = "1"`, "/seed"},
		{`seed = 1`, `seed = 1.5`, "/seed"},
		{`use = "ctrdnn"`, `use = "ctrdn"`, "/model/use"},
		{`device = "v100-32"`, `device = "v100"`, "/cluster/pool/1/device"},
		{"[training]\nbatch = 512", "[training]\nrounds = 3", "/training"},
		{`batch = 512`, `batch = 0`, "/training/batch"},
		{`batch = 512`, "batch = 512\nschedule = \"2f2b\"", "/training/schedule"},
		{`batch = 512`, "batch = 512\ncomm_parallel = 1.5", "/training/comm_parallel"},
		{`count = 4`, `count = "4"`, "/cluster/pool/0/count"},
		{`generator = "zipf"`, `generator = "zip"`, "/lookups/generator"},
		{`capacity = "5 %"`, `capacity = "five"`, "/slots/capacity"},
		{`capacity = "5 %"`, `capacity = 0`, "/slots/capacity"},
		{`capacity = "5 %"`, "capacity = \"5 %\"\nreplacement = \"lur\"", "/slots/replacement"},
		{`lookahead = 0`, `lookahead = -1`, "/slots/lookahead"},
		{`lookahead = 0`, "lookahead = 0\ndirty_bit = \"yes\"", "/slots/dirty_bit"},
		{`[lookups]`, "[placement]\nmax_price = 25\n[lookups]", "/placement/max_price"},
		{`[lookups]`, "[placement.genetic]\nselection = \"luck\"\n[lookups]", "/placement/genetic/selection"},
	} {
		text := strings.Replace(ctrLike, c.old, c.new, 1)
		if text == ctrLike {
			t.Fatalf("there is no %q", c.old)
		}
		err := bySchema(t, s, text)
		if err == nil || !strings.Contains(err.Error(), "at '"+c.at+"'") {
			t.Errorf("%s: got %v, want a fault at %q", c.new, err, c.at)
		}
		if _, err := Parse("x.toml", []byte(text)); err == nil {
			t.Errorf("%s: the loader takes it, and the schema does not", c.new)
		}
	}
}

// The scenario to begin from is valid by loader and schema, says what it is about, and
// has what a beginner needs to see.
func TestStarter(t *testing.T) {
	s, err := Parse("starter.toml", Starter())
	if err != nil {
		t.Fatal(err)
	}
	if err := bySchema(t, compiledSchema(t), string(Starter())); err != nil {
		t.Error(err)
	}
	if s.Slots == nil || s.Lookups == nil || len(s.Cluster.Pools) < 2 || s.Title == "" {
		t.Errorf("slots %v, lookups %v, %d pools, title %q", s.Slots, s.Lookups, len(s.Cluster.Pools), s.Title)
	}
	if lines, comments := strings.Count(string(Starter()), "\n"), strings.Count(string(Starter()), "#"); comments < lines/3 {
		t.Errorf("%d comments on %d lines", comments, lines)
	}
}

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestOutputsMatchSchemas holds what commands really print and write against the schemas
// that `stowage schema` prints.
func TestOutputsMatchSchemas(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeFile(t, "tiny.toml", strings.Replace(tinyScenario, "[training]", `[slots]
capacity = "1 %"

[lookups]
generator = "zipf"
alpha     = 1.05

[training]`, 1))
	writeFile(t, "trace.txt", "1\n2\n3\n1\n2\n3\n4\n")
	outputs := map[string]string{"result.json": "run", "timeline.json": "timeline", "compare.json": "compare", "comparison.json": "comparison", "replay.json": "replay"}
	seen := map[string]bool{}
	for name, args := range map[string]string{
		"run":                 "run tiny.toml --format json",
		"compare":             "compare tiny.toml --placement genetic,all-cpu --seeds 2 --format json",
		"compare replacement": "compare tiny.toml --replacement lru,min --seeds 2 --format json",
		"replay":              "replay trace.txt --slots 2,50% --mrc --row 64MiB --devices t4 -o curves --format json",
	} {
		code, stdout, stderr := command(strings.Fields(args)...)
		if code != exitFine {
			t.Fatalf("%s: %s", args, stderr)
		}
		schema, _, _ := strings.Cut(name, " ")
		checkSchema(t, schema, args, []byte(stdout))
		for file, schema := range outputs {
			for _, folder := range []string{"out/tiny", "out/tiny/compare", "curves"} {
				if data, err := os.ReadFile(filepath.Join(folder, file)); err == nil {
					seen[file] = true
					checkSchema(t, schema, args+": "+file, data)
				}
			}
		}
	}
	if len(outputs) != len(seen) {
		t.Errorf("of %v only %v was written", outputs, seen)
	}
}

// checkSchema holds a JSON document against a schema as `stowage schema` prints it.
func checkSchema(t *testing.T, name, what string, document []byte) {
	t.Helper()
	c := jsonschema.NewCompiler()
	for resource, schema := range map[string]string{"this.json": name, "result.schema.json": "run"} {
		code, text, stderr := command("schema", schema)
		if code != exitFine {
			t.Fatal(stderr)
		}
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.AddResource(resource, doc); err != nil {
			t.Fatal(err)
		}
	}
	s, err := c.Compile("this.json")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}

package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stowage/sim"
)

// schema is the part of JSON Schema (draft 2020-12) that result.schema.json
// and replay.schema.json use. An unknown keyword fails the test, so that none is ignored.
type schema struct {
	Schema               string             `json:"$schema"`
	Title                string             `json:"title"`
	Ref                  string             `json:"$ref"`
	Defs                 map[string]*schema `json:"$defs"`
	Description          string             `json:"description"`
	Type                 string             `json:"type"`
	Required             []string           `json:"required"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties *schema            `json:"additionalProperties"`
	Items                *schema            `json:"items"`
	Minimum              *float64           `json:"minimum"`
	Maximum              *float64           `json:"maximum"`
	Enum                 []string           `json:"enum"`
}

func readSchema(t *testing.T) *schema {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(Schema()))
	dec.DisallowUnknownFields()
	var s schema
	if err := dec.Decode(&s); err != nil {
		t.Fatal(err)
	}
	return &s
}

// resolve follows a reference.
func (s *schema) resolve(root *schema) *schema {
	if s.Ref == "" {
		return s
	}
	def := root.Defs[strings.TrimPrefix(s.Ref, "#/$defs/")]
	if def == nil {
		panic("no definition " + s.Ref)
	}
	return def
}

// validate reports everything about v that s does not allow. It is stricter
// than the standard: a property that no schema describes is a fault.
func validate(root, s *schema, path string, v any) (faults []string) {
	s = s.resolve(root)
	fault := func(format string, args ...any) { faults = append(faults, path+": "+fmt.Sprintf(format, args...)) }
	switch v := v.(type) {
	case map[string]any:
		if s.Type != "object" {
			fault("is an object, not %s", s.Type)
			return faults
		}
		for _, name := range s.Required {
			if _, ok := v[name]; !ok {
				fault("%s is missing", name)
			}
		}
		for name, x := range v {
			p := s.Properties[name]
			if p == nil {
				p = s.AdditionalProperties
			}
			if p == nil {
				fault("%s is not described", name)
				continue
			}
			faults = append(faults, validate(root, p, path+"."+name, x)...)
		}
	case []any:
		if s.Type != "array" {
			fault("is an array, not %s", s.Type)
			return faults
		}
		for i, x := range v {
			faults = append(faults, validate(root, s.Items, fmt.Sprintf("%s[%d]", path, i), x)...)
		}
	case string:
		if s.Type != "string" {
			fault("is a string, not %s", s.Type)
		}
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			fault("%q is none of %q", v, s.Enum)
		}
	case float64:
		if s.Type != "number" && (s.Type != "integer" || v != math.Trunc(v)) {
			fault("is %v, not %s", v, s.Type)
		}
		if s.Minimum != nil && v < *s.Minimum || s.Maximum != nil && v > *s.Maximum {
			fault("%v is out of range", v)
		}
	case bool:
		if s.Type != "boolean" {
			fault("is %v, not %s", v, s.Type)
		}
	default:
		fault("is %v", v)
	}
	return faults
}

func decode(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func TestResultsAreValid(t *testing.T) {
	root := readSchema(t)
	results := allResults()
	results["empty"] = &sim.Result{}
	for name, r := range results {
		data := render(t, func(w *bytes.Buffer) error { return JSON(w, r) })
		for _, fault := range validate(root, root, name, decode(t, data)) {
			t.Error(fault)
		}
	}
}

// The validator finds what is wrong: else the test above could not fail.
func TestValidatorFindsFaults(t *testing.T) {
	root := readSchema(t)
	data := render(t, func(w *bytes.Buffer) error { return JSON(w, smallResult()) })
	for want, spoil := range map[string]func(m map[string]any){
		"r: seed is missing":                func(m map[string]any) { delete(m, "seed") },
		"r: extra is not described":         func(m map[string]any) { m["extra"] = 1.0 },
		"r.seed: is 1.5, not integer":       func(m map[string]any) { m["seed"] = 1.5 },
		"r.seed: is a string, not integer":  func(m map[string]any) { m["seed"] = "1" },
		"r.scenario: is <nil>":              func(m map[string]any) { m["scenario"] = nil },
		"r.rounds: is an object, not array": func(m map[string]any) { m["rounds"] = map[string]any{} },
		"r.scheme.stages[0].busy: 1.5 is out of range": func(m map[string]any) {
			m["scheme"].(map[string]any)["stages"].([]any)[0].(map[string]any)["busy"] = 1.5
		},
		"r.metrics.surprise: unit is missing": func(m map[string]any) { delete(m["metrics"].(map[string]any)["surprise"].(map[string]any), "unit") },
	} {
		m := decode(t, data).(map[string]any)
		spoil(m)
		if faults := validate(root, root, "r", m); len(faults) != 1 || faults[0] != want {
			t.Errorf("got %q, want %q", faults, want)
		}
	}
}

// Schema and Go types name the same fields: all of them described, and required
// exactly where the encoder never leaves them out.
func TestSchemaMatchesTypes(t *testing.T) {
	root := readSchema(t)
	var walk func(s *schema, typ reflect.Type, path string)
	walk = func(s *schema, typ reflect.Type, path string) {
		s = s.resolve(root)
		for typ.Kind() == reflect.Pointer || (typ.Kind() == reflect.Slice && s.Type == "array") {
			if typ.Kind() == reflect.Slice {
				s = s.Items.resolve(root)
			}
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		var names, required []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" {
				continue
			}
			names = append(names, name)
			if options != "omitempty" {
				required = append(required, name)
			}
			p := s.Properties[name]
			if p == nil {
				t.Errorf("%s.%s is not in the schema", path, name)
				continue
			}
			if p.Description == "" && p.resolve(root).Description == "" && p.Type != "array" {
				t.Errorf("%s.%s has no description", path, name)
			}
			if f.Type != reflect.TypeFor[sim.Metrics]() {
				walk(p, f.Type, path+"."+name)
			}
		}
		for name := range s.Properties {
			if !slices.Contains(names, name) {
				t.Errorf("%s.%s of the schema is in no type", path, name)
			}
		}
		slices.Sort(required)
		if got := slices.Sorted(slices.Values(s.Required)); !slices.Equal(got, required) {
			t.Errorf("%s requires %q, the type says %q", path, got, required)
		}
	}
	walk(root, reflect.TypeFor[sim.Result](), "result")
}

// The schema describes the metrics that there are, with unit and direction.
func TestSchemaDescribesMetrics(t *testing.T) {
	props := readSchema(t).Defs["metrics"].Properties
	for _, k := range sim.MetricKinds {
		p := props[k.Name]
		if p == nil {
			t.Errorf("metric %s is not in the schema", k.Name)
			continue
		}
		if !strings.Contains(p.Description, k.Unit) {
			t.Errorf("the description of %s does not name its unit %s: %q", k.Name, k.Unit, p.Description)
		}
		better := ""
		if k.Better != "" {
			better = strings.ToUpper(k.Better[:1]) + k.Better[1:] + " is better."
		}
		if !strings.HasSuffix(p.Description, better) {
			t.Errorf("the description of %s does not end in %q", k.Name, better)
		}
	}
	if len(props) != len(sim.MetricKinds) {
		t.Errorf("the schema has %d metrics, there are %d", len(props), len(sim.MetricKinds))
	}
}

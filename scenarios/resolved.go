package scenarios

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/workloads/lookups"
)

// source is a scenario as it was written.
type source struct {
	doc  *spec.Document
	file *file
}

// Resolved returns the scenario as TOML with everything that it left to defaults, and
// with what was set after it was read. Read in the same folder it is the same
// scenario. A scenario that was not read from a file has no text: "".
func (s *Scenario) Resolved() string {
	if s.text == nil {
		return ""
	}
	f := *s.text.file
	f.Name, f.Seed, f.Placement.Policy = s.Name, s.Seed, s.Policy.Name
	f.Placement.Evaluations = s.Search.Evaluations
	f.Training.Rounds = s.Rounds
	if f.Slots != nil {
		changed := *f.Slots
		changed.Replacement = s.Slots.Replacement
		f.Slots = &changed
	}
	f.Cluster.Pool = slices.Clone(f.Cluster.Pool)
	for i := range f.Cluster.Pool {
		p, pool := &f.Cluster.Pool[i], &s.Cluster.Pools[i]
		price := pool.Price
		p.Name, p.Node, p.Price = pool.Name, pool.Node.Name, &price
	}
	l := &f.Limits
	if l.Events == 0 {
		l.Events = engine.DefaultMaxEvents
	}
	if f.Lookups != nil && l.TraceKeys == 0 {
		l.TraceKeys = lookups.DefaultTraceKeys
	}
	if f.Lookups != nil && l.TraceLookups == 0 {
		l.TraceLookups = lookups.DefaultRawLookups
	}
	w := &tomlWriter{doc: s.text.doc, policy: s.Policy.Name}
	w.table(reflect.ValueOf(f), nil)
	return w.String()
}

// tomlWriter writes the sections of a scenario in the order of their types. Zeros that
// nobody wrote are left out: they mean that something is absent.
type tomlWriter struct {
	strings.Builder
	doc    *spec.Document
	policy string // placement policy, whose knobs are written
}

// field is a key of a section.
type tomlField struct {
	key   string
	value reflect.Value
}

// fieldsOf are the keys of a struct, those of embedded structs among them.
func fieldsOf(v reflect.Value) (all []tomlField) {
	for i := range v.NumField() {
		t := v.Type().Field(i)
		if t.Anonymous {
			all = append(all, fieldsOf(v.Field(i))...)
		} else if key := t.Tag.Get("toml"); key != "" {
			all = append(all, tomlField{key, v.Field(i)})
		}
	}
	return all
}

// table writes the values of a section, then the sections in it.
func (w *tomlWriter) table(v reflect.Value, path spec.Path) {
	values, inner := w.parts(v, path)
	for _, f := range values {
		fmt.Fprintf(w, "%s = %s\n", f.key, tomlValue(f.value))
	}
	for _, f := range inner {
		w.sections(f, append(path[:len(path):len(path)], f.key))
	}
}

// parts are what there is to be written of a section.
func (w *tomlWriter) parts(v reflect.Value, path spec.Path) (values, inner []tomlField) {
	for _, f := range fieldsOf(v) {
		at := append(path[:len(path):len(path)], f.key)
		written := w.doc.Has(at)
		if f.value.Kind() == reflect.Pointer {
			if f.value.IsNil() {
				continue
			}
			f.value, written = f.value.Elem(), true
		}
		if isSection(f.value) {
			inner = append(inner, f)
		} else if written || !f.value.IsZero() {
			values = append(values, f)
		}
	}
	return values, inner
}

// sections writes a table, or each of several.
func (w *tomlWriter) sections(f tomlField, path spec.Path) {
	name := sectionName(path)
	if f.value.Kind() == reflect.Slice {
		for i := range f.value.Len() {
			fmt.Fprintf(w, "\n[[%s]]\n", name)
			w.table(f.value.Index(i), append(path[:len(path):len(path)], i))
		}
		return
	}
	if !w.doc.Has(path) && (f.value.IsZero() || w.isKnob(path)) {
		return
	}
	// A table of nothing but tables needs no line of its own.
	if values, inner := w.parts(f.value, path); len(values) > 0 || len(inner) == 0 {
		fmt.Fprintf(w, "\n[%s]\n", name)
	}
	w.table(f.value, path)
}

// isKnob reports whether a section is for a placement policy other than the scenario's.
func (w *tomlWriter) isKnob(path spec.Path) bool {
	return len(path) == 2 && path[0] == "placement" && !strings.HasPrefix(w.policy, path[1].(string))
}

func sectionName(path spec.Path) string {
	var keys []string
	for _, step := range path {
		if key, ok := step.(string); ok {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, ".")
}

// isSection reports whether a value is a table or a list of tables.
func isSection(v reflect.Value) bool {
	t := v.Type()
	if t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct && !isText(t)
}

// isText reports whether values of a type are written as one value of TOML.
func isText(t reflect.Type) bool { return t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) }

// tomlValue writes a value; what a scenario cannot hold is a bug of ours.
func tomlValue(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Amount:
		if x.Count > 0 {
			return strconv.FormatInt(x.Count, 10)
		}
	case unit.Ratio: // as a number, which is exact
		return tomlValue(reflect.ValueOf(float64(x)))
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			panic(err)
		}
		return tomlString(string(text))
	}
	switch v.Kind() {
	case reflect.String:
		return tomlString(v.String())
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float64:
		s := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case reflect.Slice:
		all := make([]string, v.Len())
		for i := range all {
			all[i] = tomlValue(v.Index(i))
		}
		return "[" + strings.Join(all, ", ") + "]"
	}
	if v.CanInt() {
		return strconv.FormatInt(v.Int(), 10)
	}
	return strconv.FormatUint(v.Uint(), 10)
}

// tomlString quotes text. A JSON string is a basic string of TOML but for DEL.
func tomlString(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		panic(err)
	}
	return strings.ReplaceAll(strings.TrimSuffix(b.String(), "\n"), "\x7f", `\u007f`)
}

package spec

import (
	"cmp"
	"encoding"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"stowage/hw/unit"
)

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	tomlUnmarshaler = reflect.TypeFor[toml.Unmarshaler]()
	durationType    = reflect.TypeFor[time.Duration]()
)

// checker compares parsed values with the Go type that shall hold them. It is stricter than the library:
// keys match by case, numbers keep their range, every number is finite.
type checker struct {
	doc    *Document
	fields map[reflect.Type]*fields
	found  []finding
}

// finding is an error whose line is not counted yet.
type finding struct {
	at           int32
	key, message string
}

// fields is what a struct accepts.
type fields struct {
	names []string // in the order of the struct
	types map[string]reflect.Type
}

func check(d *Document, t reflect.Type, values map[string]any) error {
	c := &checker{doc: d, fields: make(map[reflect.Type]*fields)}
	c.value(t, values, d.root, nil)
	slices.SortStableFunc(c.found, func(a, b finding) int { return cmp.Compare(a.at, b.at) })
	var errs Errors
	for i, f := range c.found {
		if i == MaxErrors {
			errs.Add(d.errorAt(int(f.at), "", fmt.Sprintf("and %d more errors from here on", len(c.found)-i)))
			break
		}
		errs.Add(d.errorAt(int(f.at), f.key, f.message))
	}
	return errs.Err()
}

func (c *checker) add(at int32, path Path, format string, args ...any) {
	c.found = append(c.found, finding{at, pathString(path), fmt.Sprintf(format, args...)})
}

// value checks v, which stands at n, against t.
func (c *checker) value(t reflect.Type, v any, n *node, path Path) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		c.add(n.val, path, "expected a finite number, got %s", c.raw(n))
		return
	}
	switch p := reflect.PointerTo(t); {
	case p.Implements(tomlUnmarshaler):
		if err := reflect.New(t).Interface().(toml.Unmarshaler).UnmarshalTOML(v); err != nil {
			c.add(n.val, path, "%v", err)
		}
		return
	case p.Implements(textUnmarshaler):
		c.text(t, v, n, path)
		return
	case t == durationType:
		c.duration(v, n, path)
		return
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		c.table(t, v, n, path)
	case reflect.Slice, reflect.Array:
		c.array(t, v, n, path)
	case reflect.Interface:
		c.anything(v, n, path)
	default:
		c.scalar(t, v, n, path)
	}
}

// table checks a struct or a map.
func (c *checker) table(t reflect.Type, v any, n *node, path Path) {
	table, ok := v.(map[string]any)
	if !ok {
		c.mismatch("a table", v, n, path)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(table)) {
		kid := cmp.Or(n.child(key), n)
		inner := append(path[:len(path):len(path)], key)
		if t.Kind() == reflect.Map {
			c.value(t.Elem(), table[key], kid, inner)
		} else if known := c.fieldsOf(t); known.types[key] != nil {
			c.value(known.types[key], table[key], kid, inner)
		} else {
			c.add(kid.key, inner, "unknown key; %s", known.suggest(key))
		}
	}
}

func (c *checker) array(t reflect.Type, v any, n *node, path Path) {
	values := reflect.ValueOf(v)
	if values.Kind() != reflect.Slice {
		want := "an array"
		if isTable(t.Elem()) {
			want = "an array of tables"
		}
		c.mismatch(want, v, n, path)
		return
	}
	if t.Kind() == reflect.Array && values.Len() != t.Len() {
		c.add(n.val, path, "expected an array of %d values, got %d", t.Len(), values.Len())
		return
	}
	for i := range values.Len() {
		c.value(t.Elem(), values.Index(i).Interface(), cmp.Or(n.item(i), n), append(path[:len(path):len(path)], i))
	}
}

// anything checks only what holds for all values.
func (c *checker) anything(v any, n *node, path Path) {
	switch v.(type) {
	case map[string]any:
		c.table(reflect.TypeFor[map[string]any](), v, n, path)
	case []any, []map[string]any:
		c.array(reflect.TypeFor[[]any](), v, n, path)
	}
}

// text reads a string through the type's own UnmarshalText. What is no string is tried too, only for the
// sake of the message: the type knows what it accepts.
func (c *checker) text(t reflect.Type, v any, n *node, path Path) {
	read := func(s string) error {
		return reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s))
	}
	switch v := v.(type) {
	case string:
		if err := read(v); err != nil {
			c.add(n.val, path, "%v", err)
		}
	case time.Time:
		if t != reflect.TypeFor[time.Time]() {
			c.mismatch("a string", v, n, path)
		}
	case int64, float64, bool:
		if err := read(c.raw(n)); err != nil {
			c.add(n.val, path, "expected a string, got %s: %v", c.describe(v, n), err)
		} else {
			c.mismatch("a string", v, n, path)
		}
	default:
		c.mismatch("a string", v, n, path)
	}
}

func (c *checker) duration(v any, n *node, path Path) {
	const want = `a time with a unit, e.g. "5us" or "1.5s"`
	if s, ok := v.(string); !ok {
		c.add(n.val, path, "expected %s, got %s", want, c.describe(v, n))
	} else if _, err := time.ParseDuration(s); err != nil {
		c.add(n.val, path, "expected %s, got %s", want, c.describe(v, n))
	}
}

// scalar checks strings, booleans and numbers.
func (c *checker) scalar(t reflect.Type, v any, n *node, path Path) {
	zero := reflect.Zero(t)
	switch {
	case t.Kind() == reflect.String:
		if _, ok := v.(string); !ok {
			c.mismatch("a string", v, n, path)
		}
	case t.Kind() == reflect.Bool:
		if _, ok := v.(bool); !ok {
			c.mismatch("true or false", v, n, path)
		}
	case zero.CanInt():
		if i, ok := v.(int64); !ok {
			c.mismatch("an integer", v, n, path)
		} else if zero.OverflowInt(i) {
			limit := int64(1) << (t.Bits() - 1)
			c.add(n.val, path, "expected an integer from %d to %d, got %d", -limit, limit-1, i)
		}
	case zero.CanUint():
		i, ok := v.(int64)
		switch {
		case !ok:
			c.mismatch("an integer", v, n, path)
		case t.Bits() < 64 && (i < 0 || zero.OverflowUint(uint64(i))):
			c.add(n.val, path, "expected an integer from 0 to %d, got %d", uint64(1)<<t.Bits()-1, i)
		case i < 0:
			c.add(n.val, path, "expected an integer of 0 or more, got %d", i)
		}
	case zero.CanFloat():
		c.float(t, v, n, path)
	default:
		panic(fmt.Sprintf("spec: %s: type %v cannot be read from TOML", pathString(path), t))
	}
}

// float accepts integers that a float holds exactly, as the library does.
func (c *checker) float(t reflect.Type, v any, n *node, path Path) {
	exact, largest := int64(1)<<53-1, math.MaxFloat64
	if t.Bits() == 32 {
		exact, largest = 1<<24-1, math.MaxFloat32
	}
	switch f := v.(type) {
	case float64:
		if math.Abs(f) > largest {
			c.add(n.val, path, "expected a number from %.3g to %.3g, got %s", -largest, largest, c.raw(n))
		}
	case int64:
		if f < -exact || f > exact {
			c.add(n.val, path, "integer %d is too large to be exact as a floating-point number; write %d.0 if rounding is fine", f, f)
		}
	default:
		c.mismatch("a number", v, n, path)
	}
}

// mismatch says what was expected and what stands there, and how to write it when that is clear.
func (c *checker) mismatch(want string, v any, n *node, path Path) {
	hint := ""
	switch v := v.(type) {
	case map[string]any:
		if want == "an array of tables" {
			hint = fmt.Sprintf("; write [[%s]]", pathString(path))
		}
	case []map[string]any:
		if want == "a table" {
			hint = fmt.Sprintf("; write [%s] once", pathString(path))
		}
	case int64, bool:
		if want == "a string" {
			hint = fmt.Sprintf("; write %q", c.raw(n))
		}
	case float64:
		if want == "a string" {
			hint = fmt.Sprintf("; write %q", c.raw(n))
		} else if want == "an integer" && v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			hint = fmt.Sprintf("; write %d", int64(v))
		}
	case string:
		if _, err := strconv.ParseFloat(v, 64); err == nil && (want == "an integer" || want == "a number") ||
			want == "true or false" && (v == "true" || v == "false") {
			hint = fmt.Sprintf("; write %s without quotes", v)
		}
	}
	c.add(n.val, path, "expected %s, got %s%s", want, c.describe(v, n), hint)
}

// describe names a value for an error.
func (c *checker) describe(v any, n *node) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("string %q", shorten(v))
	case int64:
		return "integer " + c.raw(n)
	case float64:
		return "float " + c.raw(n)
	case bool:
		return "boolean " + c.raw(n)
	case time.Time:
		return "date or time " + c.raw(n)
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "an array of tables"
	}
	return "an array"
}

// raw returns a number, boolean or date as it was written.
func (c *checker) raw(n *node) string {
	s := scanner{text: c.doc.text, pos: int(n.val), want: -1}
	s.bare()
	return shorten(s.text[n.val:s.pos])
}

// isTable says whether t is read from a table.
func isTable(t reflect.Type) bool {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	p := reflect.PointerTo(t)
	return (t.Kind() == reflect.Struct || t.Kind() == reflect.Map) && !p.Implements(textUnmarshaler) && !p.Implements(tomlUnmarshaler)
}

// fieldsOf lists the keys that struct t accepts.
func (c *checker) fieldsOf(t reflect.Type) *fields {
	if f := c.fields[t]; f != nil {
		return f
	}
	f := &fields{types: make(map[string]reflect.Type)}
	f.collect(t)
	c.fields[t] = f
	return f
}

// collect adds the fields of t, then those of structs embedded without a tag, which count as its own.
func (f *fields) collect(t reflect.Type) {
	var embedded []reflect.Type
	for i := range t.NumField() {
		sf := t.Field(i)
		name, _, _ := strings.Cut(sf.Tag.Get("toml"), ",")
		inner := sf.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case sf.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			embedded = append(embedded, inner)
		case sf.IsExported():
			name = cmp.Or(name, sf.Name)
			if f.types[name] == nil {
				f.names = append(f.names, name)
				f.types[name] = sf.Type
			}
		}
	}
	for _, inner := range embedded {
		f.collect(inner)
	}
}

// maxListedKeys is how many keys an error lists.
const maxListedKeys = 16

// suggest says what could have been written instead of key.
func (f *fields) suggest(key string) string {
	for _, name := range f.names {
		if strings.EqualFold(name, key) {
			return fmt.Sprintf("keys are case-sensitive: write %q", name)
		}
	}
	if near := unit.Nearest(key, f.names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	switch {
	case len(f.names) == 0:
		return "this table takes no keys"
	case len(f.names) <= maxListedKeys:
		return "known here: " + strings.Join(f.names, ", ")
	}
	return fmt.Sprintf("known here: %s and %d more", strings.Join(f.names[:maxListedKeys], ", "), len(f.names)-maxListedKeys)
}

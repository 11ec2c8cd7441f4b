// Package spec reads the TOML that people write: device files, model files, scenarios. It is strict where
// the TOML library is lenient, and every complaint has a place: file, line, column, key, what is wrong and
// what would have been accepted.
//
// Decode works in four steps. A scanner maps every key to its position (the library gives none for most
// errors) and refuses what is nested too deeply. The library parses the text. The result is compared with
// the Go type it shall fill, which finds all errors at once. Only then is the Go value filled.
//
//	var f struct {
//		Name string     `toml:"name"`
//		Pool []struct{ Device string `toml:"device"` } `toml:"pool"`
//	}
//	doc, err := spec.Decode("x.toml", data, &f)
//	…
//	return doc.Errorf(spec.Path{"pool", 1, "device"}, "unknown device %q", f.Pool[1].Device)
package spec

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
)

// Limits of one file. They keep a wrong or hostile file from using up memory or stack.
const (
	MaxFileBytes = 4 << 20 // size of the file
	MaxDepth     = 32      // keys and indexes from the top to a value
	MaxKeyBytes  = 512     // length of a full key such as cluster.pool.device, without dots
	MaxErrors    = 100     // errors reported for one file
)

// Path leads from the top of a document to a value: a string is a key, an int is an index (from 0) into
// an array or an array of tables.
type Path = []any

// Document knows where everything in a decoded file stands. A nil Document is that of a value which
// came from no file: it holds nothing, and its errors have a key but no position.
type Document struct {
	file   string
	text   string
	starts []int // offset of each line
	root   *node
}

// Decode parses TOML strictly into v, a pointer to a struct (or a map with string keys) whose fields have
// `toml:"key"` tags; values already in v are defaults. Types that implement encoding.TextUnmarshaler are read
// from strings only, those that implement toml.Unmarshaler from anything; both may be called twice.
// A time.Duration is a string with a unit. The file's name is used in errors only.
//
// The error is always of type Errors, sorted by position: a single one for bad syntax, else all unknown
// keys, wrong types and unusable values. v is unchanged then.
func Decode(name string, data []byte, v any) (*Document, error) {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		panic(fmt.Sprintf("spec: Decode into %T, want a pointer to a struct", v))
	}
	d := &Document{file: name, text: strings.TrimLeft(string(data), "\ufeff"), root: &node{}}
	d.index()
	if err := d.readable(); err != nil {
		return nil, Errors{err}
	}
	s := scan(d.text, -1)
	d.root = s.root
	if s.refused != "" {
		return nil, Errors{d.errorAt(s.refusedAt, s.refusedKey, s.refused)}
	}
	values, err := parse(d.text)
	if err != nil {
		return nil, Errors{d.syntaxError(err)}
	}
	if err := d.lost(values, d.root, nil); err != nil {
		return nil, Errors{err}
	}
	if err := check(d, target.Type().Elem(), values); err != nil {
		return nil, err
	}
	if _, err := toml.Decode(d.text, v); err != nil {
		return nil, Errors{d.errorAt(0, "", err.Error())}
	}
	return d, nil
}

// readable refuses what is no text of a sensible size.
func (d *Document) readable() *Error {
	if len(d.text) > MaxFileBytes {
		return d.errorAt(0, "", fmt.Sprintf("file of %d bytes; at most %d are read (spec.MaxFileBytes); split it", len(d.text), MaxFileBytes))
	}
	if strings.HasPrefix(d.text, "\xff\xfe") || strings.HasPrefix(d.text, "\xfe\xff") {
		return d.errorAt(0, "", "the file is UTF-16; save it as UTF-8")
	}
	for i, r := range d.text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(d.text[i:], string(utf8.RuneError)):
			return d.errorAt(i, "", fmt.Sprintf("byte 0x%02x is not valid UTF-8; save the file as UTF-8", d.text[i]))
		case r == '\r' && !strings.HasPrefix(d.text[i:], "\r\n"):
			return d.errorAt(i, "", "carriage return without a line feed; end lines with a line feed")
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f:
			return d.errorAt(i, "", fmt.Sprintf("control character 0x%02x; write it as \\u%04x inside double quotes", r, r))
		}
	}
	return nil
}

// parse turns text into maps and slices. The library panics where it finds a bug of its own: for the person
// with the file that is an error like any other.
func parse(text string) (values map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the TOML parser failed on this file: %v", r)
		}
	}()
	_, err = toml.Decode(text, &values)
	return values, err
}

// lost finds what is in the text but not in the parsed values v. The library drops keys in rare valid
// files: after [[t]] a = [] and a second [[t]], the table [t.a.b] vanishes when [t.a] follows it.
func (d *Document) lost(v any, n *node, path Path) *Error {
	if n.sub == nil {
		return nil
	}
	const message = "the TOML parser loses this; write each table before the tables inside it"
	switch values := reflect.ValueOf(v); values.Kind() {
	case reflect.Map:
		table, _ := v.(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(n.sub.table)) {
			inner := append(path[:len(path):len(path)], key)
			kid := n.sub.table[key]
			if _, ok := table[key]; !ok {
				return d.errorAt(int(kid.key), pathString(inner), message)
			}
			if err := d.lost(table[key], kid, inner); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i, kid := range n.sub.items {
			inner := append(path[:len(path):len(path)], i)
			if i >= values.Len() {
				return d.errorAt(int(kid.key), pathString(inner), message)
			}
			if err := d.lost(values.Index(i).Interface(), kid, inner); err != nil {
				return err
			}
		}
	}
	return nil
}

// Has says whether the file wrote the value at path (a table counts when anything in it was written).
func (d *Document) Has(path Path) bool {
	_, ok := d.find(path)
	return ok
}

// Line returns the position of the value at path, 1-based, the column in characters. A table written as
// [table] or [[table]] stands at its header. What is absent stands where the nearest table or array
// around it does.
func (d *Document) Line(path Path) (line, col int) {
	if d == nil {
		return 0, 0
	}
	n, _ := d.find(path)
	return d.position(int(n.val))
}

// Errorf makes an error about the value at path, at its position (see Line).
func (d *Document) Errorf(path Path, format string, args ...any) *Error {
	e := &Error{Key: pathString(path), Message: fmt.Sprintf(format, args...)}
	if d != nil {
		e.File = d.file
		e.Line, e.Col = d.Line(path)
	}
	return e
}

// Missing makes an error about a key that the file should have had. The last step of path is that key, want
// says what it should hold, e.g. `a device type, e.g. "v100-16"`. The error stands at the table.
func (d *Document) Missing(path Path, want string) *Error {
	if len(path) == 0 {
		panic("spec: Missing without a key")
	}
	table, key := path[:len(path)-1], path[len(path)-1:]
	return d.Errorf(table, "missing key %q (%s)", pathString(key), want)
}

// find returns the node at path, or the nearest one above it and false.
func (d *Document) find(path Path) (*node, bool) {
	if d == nil {
		return nil, false
	}
	n := d.root
	for _, step := range path {
		var next *node
		switch step := step.(type) {
		case string:
			next = n.child(step)
		case int:
			next = n.item(step)
		}
		if next == nil {
			return n, false
		}
		n = next
	}
	return n, true
}

// index notes where lines start.
func (d *Document) index() {
	d.starts = append(d.starts, 0)
	for i := range len(d.text) {
		if d.text[i] == '\n' {
			d.starts = append(d.starts, i+1)
		}
	}
}

func (d *Document) position(offset int) (line, col int) {
	offset = min(max(offset, 0), len(d.text))
	for offset > 0 && offset < len(d.text) && !utf8.RuneStart(d.text[offset]) {
		offset-- // the library's last place in a file is its last byte
	}
	line = sort.SearchInts(d.starts, offset+1)
	return line, utf8.RuneCountInString(d.text[d.starts[line-1]:offset]) + 1
}

func (d *Document) errorAt(offset int, key, message string) *Error {
	line, col := d.position(offset)
	return &Error{File: d.file, Line: line, Col: col, Key: key, Message: message}
}

// syntaxError puts the library's error in its place and says it in the reader's terms.
func (d *Document) syntaxError(err error) *Error {
	var pe toml.ParseError
	if !errors.As(err, &pe) {
		return d.errorAt(0, "", err.Error())
	}
	message := strings.TrimSuffix(pe.Message, ".")
	at := pe.Position.Start
	place := scan(d.text, at).found
	if place == nil {
		return d.errorAt(at, "", message)
	}
	value := int(place.node.val)
	if strings.HasPrefix(message, "expected ") && at >= value {
		switch raw := d.text[value:place.end]; {
		case raw == "":
			at, message = value, "the value is missing"
		case at < place.end && unquoted(raw):
			at, message = value, quoteHint(shorten(raw))
		}
	}
	if strings.Contains(message, "already") {
		path := place.path
		if _, ok := path[len(path)-1].(int); ok { // [[key]] after key
			path = path[:len(path)-1]
		}
		if first, ok := d.find(path); ok && int(first.key) < at {
			line, _ := d.position(int(first.key))
			message = fmt.Sprintf("written twice; first on line %d", line)
		}
	}
	message = strings.Replace(message, "was already created as a hash", "already has a value that is no table", 1)
	return d.errorAt(at, pathString(place.path), message)
}

// unquoted tells a value that lacks its quotes (v100, 32 GiB) from one that is wrong in another way.
func unquoted(raw string) bool {
	if strings.ContainsAny(raw[:1], `"'[{`) || strings.ContainsAny(raw, "=\"'") {
		return false
	}
	for _, word := range strings.Fields(raw) {
		if _, err := strconv.ParseFloat(word, 64); err != nil {
			return true
		}
	}
	return false // numbers only: a comma is missing
}

func quoteHint(raw string) string {
	if lower := strings.ToLower(raw); lower == "true" || lower == "false" {
		return fmt.Sprintf("%s is not a TOML value; write %s", raw, lower)
	}
	return fmt.Sprintf("%s is not a TOML value; text and numbers with a unit need quotes: %q", raw, raw)
}

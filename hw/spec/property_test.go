package spec

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"
	"pgregory.net/rapid"
)

// writer writes random TOML in random style and notes where each value went. It is the dumb twin of the
// scanner: it never reads.
type writer struct {
	*rapid.T
	strings.Builder
	at map[string]int // path as pathString has it -> offset of the value
	of map[string]Path
}

var scalars = []string{
	`0`, `-17`, `0xdead_beef`, `1_000.5e-3`, `+inf`, `true`, `1979-05-27 07:32:00Z`, `1979-05-27`, `07:32:00.5`,
	`""`, `''`, `"a"`, `"é # ] } \" , = \\"`, `'C:\'`, `'# "'`, `"""x"""`, "\"\"\"\n[a]\n# \\\"\"\" \"\" b = 1\n\"\"\"\"\"", "'''\n[[x]]\n''''", `"""\\"""`,
	"\"\"\"é \\\n   y\"\"\"",
}

// keyNames are different keys and ways to write each.
var keyNames = map[string][]string{
	"a": {`a`, `"a"`, `'a'`, `"\u0061"`}, "b": {`b`}, "key-1_": {`key-1_`}, "9": {`9`}, "é": {`"é"`, `"\u00e9"`},
	"x.y": {`"x.y"`, `'x.y'`}, "#]": {`"#]"`}, "=": {`'='`}, `"`: {`"\""`, `'"'`}, "tab\t": {`"tab\t"`},
}

func (w *writer) pick(options ...string) string { return rapid.SampledFrom(options).Draw(w.T, "pick") }

// note says that the value at path starts here.
func (w *writer) note(path Path) { w.noteAt(path, w.Len()) }

func (w *writer) noteAt(path Path, offset int) {
	key := pathString(path)
	if _, ok := w.at[key]; !ok {
		w.at[key], w.of[key] = offset, slices.Clone(path)
	}
}

func (w *writer) key(name string) { w.WriteString(w.pick(keyNames[name]...)) }
func (w *writer) blank()          { w.WriteString(w.pick("", " ", " \t ")) }
func (w *writer) gap() {
	w.WriteString(w.pick("", " ", "\n", "\r\n\t", " # é ] } \" '''\n", "\n\n  #\n"))
}
func (w *writer) line() {
	w.blank()
	w.WriteString(w.pick("\n", "\r\n", "# é [c] = \"\n", "\n\n# x\n \t\n"))
	w.blank()
}

func (w *writer) names(most int) []string {
	return rapid.SliceOfNDistinct(rapid.SampledFrom(slices.Sorted(maps.Keys(keyNames))), 0, most, rapid.ID).Draw(w.T, "names")
}

func (w *writer) value(path Path, depth int) {
	w.note(path)
	kind := rapid.IntRange(0, 5).Draw(w.T, "kind")
	switch {
	case depth > 0 && kind == 0:
		w.WriteString("[")
		n := rapid.IntRange(0, 3).Draw(w.T, "n")
		for i := range n {
			w.gap()
			w.value(append(slices.Clone(path), i), depth-1)
			w.gap()
			if i < n-1 || w.pick("", ",") == "," {
				w.WriteString(",")
			}
		}
		w.gap()
		w.WriteString("]")
	case depth > 0 && kind == 1:
		w.WriteString("{")
		for i, name := range w.names(3) {
			if i > 0 {
				w.WriteString(",")
			}
			w.gap()
			w.pair(append(slices.Clone(path), name), depth-1)
			w.blank()
		}
		w.WriteString("}")
	default:
		w.WriteString(w.pick(scalars...))
	}
}

// pair writes path = value; only the last name of path is new. Sometimes it is dotted by some more.
func (w *writer) pair(path Path, depth int) {
	w.noteIf(len(path) > 0 && w.pick("plain", "dotted") == "dotted", &path)
	w.key(path[len(path)-1].(string))
	w.blank()
	w.WriteString("=")
	w.blank()
	w.value(path, depth)
}

// noteIf makes path one longer: it writes the table part of a dotted key, which stands at its own name.
func (w *writer) noteIf(dotted bool, path *Path) {
	if !dotted {
		return
	}
	w.note(*path)
	w.key((*path)[len(*path)-1].(string))
	w.blank()
	w.WriteString(".")
	w.blank()
	*path = append(slices.Clone(*path), w.pick(slices.Sorted(maps.Keys(keyNames))...))
}

// header writes [path] or [[path]] without the indexes and returns where it starts.
func (w *writer) header(path Path, open, end string) int {
	w.blank()
	start := w.Len()
	w.WriteString(open)
	first := true
	for _, step := range path {
		if name, ok := step.(string); ok {
			if !first {
				w.WriteString(".")
			}
			first = false
			w.blank()
			w.key(name)
			w.blank()
		}
	}
	w.WriteString(end)
	w.line()
	return start
}

// table writes the body of the table at path, then the tables inside it.
func (w *writer) table(path Path, depth int) {
	names := w.names(4)
	pairs := 0
	if len(names) > 0 {
		pairs = rapid.IntRange(0, len(names)).Draw(w.T, "pairs")
	}
	for _, name := range names[:pairs] {
		w.pair(append(slices.Clone(path), name), 2)
		w.line()
	}
	if depth == 0 {
		return
	}
	for _, name := range names[pairs:] {
		inner := append(slices.Clone(path), name)
		switch w.pick("table", "array", "implied") {
		case "table":
			w.noteAt(inner, w.header(inner, "[", "]"))
			w.table(inner, depth-1)
		case "array":
			for i := range rapid.IntRange(1, 3).Draw(w.T, "elements") {
				elem := append(slices.Clone(inner), i)
				start := w.header(inner, "[[", "]]")
				w.noteAt(inner, start)
				w.noteAt(elem, start)
				w.table(elem, depth-1)
			}
		case "implied": // [a.b] without [a], or before it
			deeper := append(slices.Clone(inner), w.pick("a", "x.y"))
			start := w.header(deeper, "[", "]")
			w.noteAt(deeper, start)
			w.table(deeper, depth-1)
			inArray := slices.ContainsFunc(path, func(step any) bool { _, ok := step.(int); return ok })
			if !inArray && w.pick("never", "later") == "later" { // in an array the library may lose deeper, see lost
				start = w.header(inner, "[", "]")
			}
			w.noteAt(inner, start)
		}
	}
}

func TestPositionsOfRandomDocuments(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := &writer{T: rt, at: map[string]int{}, of: map[string]Path{}}
		w.WriteString(w.pick("", "\n", "# é\r\n"))
		w.table(nil, 2)
		text := w.String()
		var values map[string]any
		if _, err := toml.Decode(text, &values); err != nil {
			rt.Fatalf("the generator wrote bad TOML: %v\n%s", err, text)
		}
		doc := &Document{text: text, root: scan(text, -1).root}
		doc.index()
		for key, offset := range w.at {
			path := w.of[key]
			before := text[:offset]
			wantLine := strings.Count(before, "\n") + 1
			wantCol := utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1
			line, col := doc.Line(path)
			if !doc.Has(path) || line != wantLine || col != wantCol {
				rt.Fatalf("%s: got %d:%d (there: %v), want %d:%d in\n%s", key, line, col, doc.Has(path), wantLine, wantCol, text)
			}
			for _, other := range []any{"never written", 99, -1} {
				absent := append(slices.Clone(path), other)
				if l, c := doc.Line(absent); doc.Has(absent) || l != line || c != col {
					rt.Fatalf("%s: an absent key stands at %d:%d, want %d:%d", pathString(absent), l, c, line, col)
				}
			}
		}
		sameShape(rt, text, values, doc.root, nil)
	})
}

// failer is what *testing.T and *rapid.T share.
type failer interface {
	Fatalf(format string, args ...any)
}

// sameShape checks that the scanner saw exactly what the parser did: the same keys, the same numbers of
// elements, and at the place of each scalar a text that parses to that scalar.
func sameShape(t failer, text string, v any, n *node, path Path) {
	sub := n.sub
	if sub == nil {
		sub = &group{}
	}
	switch v := v.(type) {
	case map[string]any:
		if !slices.Equal(slices.Sorted(maps.Keys(v)), slices.Sorted(maps.Keys(sub.table))) {
			t.Fatalf("%s: parser has %v, scanner %v in\n%q", pathString(path), v, sub.table, text)
		}
		for key, kid := range v {
			sameShape(t, text, kid, sub.table[key], append(slices.Clone(path), key))
		}
	case []any, []map[string]any:
		items := reflect.ValueOf(v)
		if items.Len() != len(sub.items) {
			t.Fatalf("%s: parser has %d elements, scanner %d in\n%q", pathString(path), items.Len(), len(sub.items), text)
		}
		for i := range items.Len() {
			sameShape(t, text, items.Index(i).Interface(), sub.items[i], append(slices.Clone(path), i))
		}
	default:
		s := scanner{text: text, pos: int(n.val), want: -1}
		s.value(&node{})
		var again struct{ V any }
		if _, err := toml.Decode("V = "+text[n.val:s.pos], &again); err != nil || !sameValue(again.V, v) {
			t.Fatalf("%s: at %d stands %q, not %v (%v) in\n%q", pathString(path), n.val, text[n.val:s.pos], v, err, text)
		}
	}
}

func sameValue(a, b any) bool {
	if f, ok := a.(float64); ok && math.IsNaN(f) {
		g, ok := b.(float64)
		return ok && math.IsNaN(g)
	}
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	return a == b
}

// target has a field of every kind.
type target struct {
	S    string         `toml:"s"`
	I    int8           `toml:"i"`
	U    uint64         `toml:"u"`
	F    float32        `toml:"f"`
	B    *bool          `toml:"b"`
	D    time.Duration  `toml:"d"`
	T    time.Time      `toml:"t"`
	L    [][]int        `toml:"l"`
	N    [2]float64     `toml:"n"`
	Any  any            `toml:"any"`
	M    map[string]int `toml:"m"`
	Rows []struct {
		A string  `toml:"a"`
		T *target `toml:"t"`
	} `toml:"rows"`
	Unit upper `toml:"unit"`
}

type upper string

func (u *upper) UnmarshalText(text []byte) error {
	if s := string(text); s != strings.ToUpper(s) {
		return fmt.Errorf("%q is not in capitals", s)
	}
	*u = upper(text)
	return nil
}

// FuzzDecode holds Decode and the scanner to their promises on any bytes: no panic, errors in order and with
// a place inside the text, a scanner that accepts what the parser accepts and sees the same.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "\ufeffs = 'é'", "s = \"\"\"\\\"\"\"\"\"\"", "s = '''''''''", "\xff\xfe", "\r", "s=1\x00", "i = 300\nu = -1\nf = 1e39\nd = 5",
		"[[rows]]\na = 'x'\n[rows.t]\ni = 1\n[[rows]]\n[rows.t.m]\nx = 1.5", "l = [[1,\n# ]\n2],[]]\nn = [1, nan]", "unit = 'a'",
		"m.\"a\\u0062\".c = 1\n[m]", "any = {a.b = [1, {}], 'c' = 07:32:00, }", "[a]\n[a]", "a=1\na.b=2\n[[a]]", "x = 32 GiB", "b = True", "s = ",
		"\"錌", "\ufeff\ufeff", "[rows]\n[[rows.t.rows]]\n", "s = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "any = \"\"\"\\\\\"\"\"\"\"\"", "a.b.c=1\n[a.b]\n[a]\n[a.b.d]",
	} {
		f.Add([]byte(seed))
	}
	if cases, err := os.ReadFile(filepath.FromSlash("testdata/errors.txt")); err == nil {
		for block := range strings.SplitSeq(string(cases), "-- end --\n") {
			input, _, _ := strings.Cut(block, "-- want --\n")
			f.Add([]byte(input))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v target
		doc, err := Decode("f.toml", data, &v)
		if (doc == nil) != (err != nil) {
			t.Fatalf("document %v with error %v", doc, err)
		}
		checkErrors(t, data, err)
		text := strings.TrimLeft(string(data), "\ufeff")
		s := scan(text, len(text)/2)
		if s.refused != "" || !utf8.ValidString(text) {
			return
		}
		if values, err := parse(text); err == nil {
			if s.stopped && s.pos < len(text) {
				t.Fatalf("the scanner stopped at %d in\n%q", s.pos, text)
			}
			if d := (&Document{text: text, starts: []int{0}}); d.lost(values, s.root, nil) == nil {
				sameShape(t, text, values, s.root, nil)
			} else if doc != nil {
				t.Fatalf("Decode accepted what the parser loses:\n%q", text)
			}
			return
		}
		if doc != nil {
			t.Fatalf("Decode accepted what the parser refuses:\n%q", text)
		}
	})
}

// checkErrors checks that err is sorted Errors with places inside data.
func checkErrors(t *testing.T, data []byte, err error) {
	if err == nil {
		return
	}
	var all Errors
	if !errors.As(err, &all) || len(all) == 0 {
		t.Fatalf("error of type %T: %v", err, err)
	}
	lines := strings.Split(strings.TrimLeft(string(data), "\ufeff"), "\n")
	for i, e := range all {
		if e.File != "f.toml" || e.Message == "" || e.Line < 1 || e.Line > len(lines) || e.Col < 1 || e.Col > utf8.RuneCountInString(lines[e.Line-1])+1 {
			t.Fatalf("bad place or message: %+v in %q", e, data)
		}
		if i > 0 && cmp.Or(cmp.Compare(all[i-1].Line, e.Line), cmp.Compare(all[i-1].Col, e.Col)) > 0 {
			t.Fatalf("not sorted: %v", all)
		}
	}
}

package spec_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"stowage/hw/spec"
)

// size is a unit type as hw/unit has them: text with a unit.
type size int64

func (s *size) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(string(text), " GiB")
	n, err := strconv.ParseInt(number, 10, 32)
	if !ok || err != nil {
		return fmt.Errorf("%q is no size; write a number and GiB, e.g. \"32 GiB\"", text)
	}
	*s = size(n << 30)
	return nil
}

// slots is read from a count or a share, as a bare number or text.
type slots struct {
	count int64
	share float64
}

func (s *slots) UnmarshalTOML(v any) error {
	switch v := v.(type) {
	case int64:
		s.count = v
		return nil
	case string:
		if percent, ok := strings.CutSuffix(v, "%"); ok {
			var err error
			s.share, err = strconv.ParseFloat(percent, 64)
			return err
		}
	}
	return fmt.Errorf("expected a number of slots or a share such as \"1%%\"")
}

type common struct {
	Source string `toml:"source"`
}

type pool struct {
	Device string  `toml:"device"`
	Count  uint16  `toml:"count"`
	Memory *size   `toml:"memory"`
	Prices []int32 `toml:"prices"`
}

type file struct {
	common
	Name    string          `toml:"name"`
	Seed    uint64          `toml:"seed"`
	Ratio   float64         `toml:"ratio"`
	Single  float32         `toml:"single"`
	Check   bool            `toml:"check"`
	Latency time.Duration   `toml:"latency"`
	Start   time.Time       `toml:"start"`
	Slots   slots           `toml:"slots"`
	Pair    [2]int          `toml:"pair"`
	Sizes   map[string]size `toml:"sizes"`
	Params  map[string]any  `toml:"params"`
	Cluster *struct {
		Name string  `toml:"name"`
		Pool []*pool `toml:"pool"`
	} `toml:"cluster"`
	Grid   [][]int `toml:"grid"`
	Hidden string  `toml:"-"`
}

const everything = "\ufeff" + `# a file that uses everything
name = "é \"quoted\" # no comment"
source = 'C:\x'
seed = 0x2A
ratio = 1
single = -0.5e-3
check = true
latency = "5us"
start = 2024-02-29 12:00:00Z
slots = "1.5%"
pair = [1, 2]
grid = [
  [1, 2], # first row
  [],
  [3,],
]
params.depth = 3
params."a.b" = { x = [1, 2.5, "three"], 'y' = false }

[sizes]
hbm = "32 GiB"
"no \u0062are" = """
1 GiB"""

[[cluster.pool]]
device = "v100-16"
count = 4
memory = "16 GiB"
prices = [1, -2]

[[cluster.pool]]
device = '''cpu'''

[cluster]
name = "mixed"
`

func TestDecodeEverything(t *testing.T) {
	var f file
	doc, err := spec.Decode("all.toml", []byte(everything), &f)
	if err != nil {
		t.Fatal(err)
	}
	sixteen := size(16 << 30)
	got := []any{f.Name, f.Source, f.Seed, f.Ratio, f.Latency, f.Start.UTC().Day(), f.Slots, f.Pair, f.Grid,
		f.Sizes["no bare"], f.Params["depth"], f.Cluster.Name, f.Cluster.Pool}
	want := []any{`é "quoted" # no comment`, `C:\x`, uint64(42), 1.0, 5 * time.Microsecond, 29, slots{share: 1.5}, [2]int{1, 2},
		[][]int{{1, 2}, {}, {3}}, size(1 << 30), int64(3), "mixed",
		[]*pool{{"v100-16", 4, &sixteen, []int32{1, -2}}, {Device: "cpu"}}}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("value %d: got %#v, want %#v", i, got[i], want[i])
		}
	}
	for _, c := range []struct {
		path      spec.Path
		line, col int
		has       bool
	}{
		{nil, 1, 1, true},
		{spec.Path{"name"}, 2, 8, true},
		{spec.Path{"grid"}, 12, 8, true},
		{spec.Path{"grid", 0, 1}, 13, 7, true},
		{spec.Path{"grid", 1}, 14, 3, true},
		{spec.Path{"grid", 1, 0}, 14, 3, false},
		{spec.Path{"grid", 2, 0}, 15, 4, true},
		{spec.Path{"params"}, 17, 1, true},
		{spec.Path{"params", "a.b", "x", 2}, 18, 31, true},
		{spec.Path{"params", "a.b", "y"}, 18, 47, true},
		{spec.Path{"sizes"}, 20, 1, true},
		{spec.Path{"sizes", "no bare"}, 22, 18, true},
		{spec.Path{"cluster", "pool"}, 25, 1, true},
		{spec.Path{"cluster", "pool", 0}, 25, 1, true},
		{spec.Path{"cluster", "pool", 0, "prices", 1}, 29, 14, true},
		{spec.Path{"cluster", "pool", 1}, 31, 1, true},
		{spec.Path{"cluster", "pool", 1, "count"}, 31, 1, false},
		{spec.Path{"cluster", "pool", 2, "count"}, 25, 1, false},
		{spec.Path{"cluster"}, 34, 1, true},
		{spec.Path{"cluster", -1}, 34, 1, false},
	} {
		if line, col := doc.Line(c.path); line != c.line || col != c.col || doc.Has(c.path) != c.has {
			t.Errorf("%v: got %d:%d %v, want %d:%d %v", c.path, line, col, doc.Has(c.path), c.line, c.col, c.has)
		}
	}
}

func TestDecodeKeepsDefaults(t *testing.T) {
	f := file{Seed: 7, Name: "default"}
	if _, err := spec.Decode("x.toml", []byte("name = 'n'"), &f); err != nil {
		t.Fatal(err)
	}
	if f.Seed != 7 || f.Name != "n" {
		t.Errorf("got seed %d name %q", f.Seed, f.Name)
	}
	if _, err := spec.Decode("x.toml", []byte("name = 'm'\nseed = 'x'"), &f); err == nil || f.Name != "n" {
		t.Errorf("a refused file changed the value: name %q, error %v", f.Name, err)
	}
}

func TestErrorf(t *testing.T) {
	var f file
	doc, err := spec.Decode("x.toml", []byte("seed = 1\n[[cluster.pool]]\nname_ = 1\n"), &f)
	if err == nil || doc != nil {
		t.Fatal("a refused file must give no document")
	}
	doc, err = spec.Decode("x.toml", []byte("seed = 1\n  [[cluster.pool]]\n  device = 'é'\n[sizes]"), &f)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		got  *spec.Error
		want string
	}{
		{doc.Errorf(spec.Path{"cluster", "pool", 0, "device"}, "unknown device %q", "é"), `x.toml:3:12: cluster.pool[0].device: unknown device "é"`},
		{doc.Errorf(nil, "no layers"), `x.toml:1:1: no layers`},
		{doc.Errorf(spec.Path{"sizes", "a b", ""}, "bad"), `x.toml:4:1: sizes."a b"."": bad`},
		{doc.Missing(spec.Path{"cluster", "pool", 0, "count"}, "a number of devices"), `x.toml:2:3: cluster.pool[0]: missing key "count" (a number of devices)`},
		{doc.Missing(spec.Path{"name"}, "text"), `x.toml:1:1: missing key "name" (text)`},
		{(*spec.Document)(nil).Errorf(spec.Path{"seed"}, "bad"), `seed: bad`},
		{(*spec.Document)(nil).Missing(spec.Path{"a", "seed"}, "a number"), `a: missing key "seed" (a number)`},
	} {
		if c.got.Error() != c.want {
			t.Errorf("got  %s\nwant %s", c.got, c.want)
		}
	}
	if (*spec.Document)(nil).Has(spec.Path{"seed"}) || (*spec.Document)(nil).Has(nil) {
		t.Error("a nil document has nothing")
	}
}

func TestErrors(t *testing.T) {
	var es spec.Errors
	es.Add(nil)
	if err := es.Err(); err != nil {
		t.Errorf("no errors: got %v", err)
	}
	es.Add(&spec.Error{File: "f", Line: 3, Col: 1, Message: "late"})
	es.Add(&spec.Error{File: "f", Line: 2, Col: 9, Key: "k", Message: "early"})
	err := fmt.Errorf("load: %w", es.Err())
	if want := "load: f:2:9: k: early\nf:3:1: late"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	var one *spec.Error
	var all spec.Errors
	if !errors.As(err, &one) || one.Line != 2 || !errors.As(err, &all) || len(all) != 2 {
		t.Errorf("errors.As found %v and %v", one, all)
	}
}

// TestMessages runs testdata/errors.txt: "input", "-- want --", the exact message, "-- end --".
// Write the file anew with UPDATE_SPEC=1 and read the difference.
func TestMessages(t *testing.T) {
	const golden = "testdata/errors.txt"
	data, err := os.ReadFile(filepath.FromSlash(golden))
	if err != nil {
		t.Fatal(err)
	}
	var rewritten strings.Builder
	cases := 0
	for block := range strings.SplitSeq(string(data), "-- end --\n") {
		input, want, ok := strings.Cut(block, "-- want --\n")
		if !ok {
			continue
		}
		cases++
		var f file
		got := "no error"
		if _, err := spec.Decode("x.toml", []byte(input), &f); err != nil {
			got = err.Error()
		}
		if got != strings.TrimSuffix(want, "\n") {
			t.Errorf("input:\n%s\ngot:\n%s\nwant:\n%s", input, got, want)
		}
		fmt.Fprintf(&rewritten, "%s-- want --\n%s\n-- end --\n", input, got)
	}
	if os.Getenv("UPDATE_SPEC") != "" {
		if err := os.WriteFile(golden, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if cases < 40 {
		t.Errorf("only %d cases were read", cases)
	}
}

// TestBytes holds what a text file of cases cannot.
func TestBytes(t *testing.T) {
	deep := func(open, end string, n int) string {
		return "params.x = " + strings.Repeat(open, n) + strings.Repeat(end, n)
	}
	for _, c := range []struct{ input, want string }{
		{"\xff\xfen\x00", `x.toml:1:1: the file is UTF-16; save it as UTF-8`},
		{"name = 'é\xff'", `x.toml:1:10: byte 0xff is not valid UTF-8; save the file as UTF-8`},
		{"\ufeffnaem = 1", `x.toml:1:1: naem: unknown key; did you mean "name"?`},
		{"# x\r\nnaem = 1\r\n", `x.toml:2:1: naem: unknown key; did you mean "name"?`},
		{"name = 'a\x01'", `x.toml:1:10: control character 0x01; write it as \u0001 inside double quotes`},
		{"name = 'a'\rseed = 1", `x.toml:1:11: carriage return without a line feed; end lines with a line feed`},
		{strings.Repeat(" ", spec.MaxFileBytes+1), `x.toml:1:1: file of 4194305 bytes; at most 4194304 are read (spec.MaxFileBytes); split it`},
		{"\n" + deep("[", "]", 32), `x.toml:2:43: params.x` + strings.Repeat("[0]", 31) + `: nested more than 32 levels deep (the limit is spec.MaxDepth)`},
		{"\n" + deep("[", "]", 31), ``},
		{"seed = " + strings.Repeat("[", spec.MaxFileBytes-10), `x.toml:1:40: seed` + strings.Repeat("[0]", 32) + `: nested more than 32 levels deep (the limit is spec.MaxDepth)`},
		{"seed = " + strings.Repeat("{a=", 1<<20), `x.toml:1:102: seed` + strings.Repeat(".a", 32) + `: nested more than 32 levels deep (the limit is spec.MaxDepth)`},
		{"[" + strings.Repeat("a.", 1<<20) + "a]", `x.toml:1:66: key of more than 32 parts (the limit is spec.MaxDepth)`},
		{strings.Repeat("a", 513) + "=1", `x.toml:1:1: ` + strings.Repeat("a", 60) + `…: full key longer than 512 bytes (the limit is spec.MaxKeyBytes)`},
		{"[params]\na." + strings.Repeat("b", 400) + " = 1\nc." + strings.Repeat("d", 400) + " = 1", ""},
		{strings.Repeat("a", 512) + "=1", `x.toml:1:1: ` + strings.Repeat("a", 60) + `…: unknown key; known here: ` + knownHere},
	} {
		var f file
		got := ""
		if _, err := spec.Decode("x.toml", []byte(c.input), &f); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%.60q:\ngot  %s\nwant %s", c.input, got, c.want)
		}
	}
}

const knownHere = "name, seed, ratio, single, check, latency, start, slots, pair, sizes, params, cluster, grid, source"

// label takes any text but the empty one; bare numbers are still to be quoted.
type label string

func (l *label) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("a label cannot be empty")
	}
	*l = label(text)
	return nil
}

func TestOtherTypes(t *testing.T) {
	type base struct {
		A int `toml:"a"`
		B int `toml:"b"`
	}
	type many struct {
		K01, K02, K03, K04, K05, K06, K07, K08, K09, K10, K11, K12, K13, K14, K15, K16, K17, K18 int
	}
	for _, c := range []struct {
		input string
		v     any
		want  string
	}{
		{"l = 5", &struct {
			L label `toml:"l"`
		}{}, `x.toml:1:5: l: expected a string, got integer 5; write "5"`},
		{"l = 5.0", &struct {
			L label `toml:"l"`
		}{}, `x.toml:1:5: l: expected a string, got float 5.0; write "5.0"`},
		{"l = ''", &struct {
			L *label `toml:"l"`
		}{}, `x.toml:1:5: l: a label cannot be empty`},
		{"l = 07:00:00", &struct {
			L label `toml:"l"`
		}{}, `x.toml:1:5: l: expected a string, got date or time 07:00:00`},
		{"l = ['a', 5]", &struct {
			L []label `toml:"l"`
		}{}, `x.toml:1:11: l[1]: expected a string, got integer 5; write "5"`},
		{"s = 5.0", &struct {
			S string `toml:"s"`
		}{}, `x.toml:1:5: s: expected a string, got float 5.0; write "5.0"`},
		{"s = v100\"", &struct {
			S string `toml:"s"`
		}{}, `x.toml:1:5: s: expected value but found "v" instead`},
		{"[t]\nx = 1", &struct {
			T struct{} `toml:"t"`
		}{}, `x.toml:2:1: t.x: unknown key; this table takes no keys`},
		{"other = 1", &many{}, `x.toml:1:1: other: unknown key; known here: K01, K02, K03, K04, K05, K06, K07, K08, K09, K10, K11, K12, K13, K14, K15, K16 and 2 more`},
		{"[base]\na = 1\nc = 2\n", &struct {
			base `toml:"base"`
		}{}, `x.toml:1:2: base: unknown key; this table takes no keys`},
		{"[Base]\na = 1", &struct {
			Base *base `toml:"base"`
		}{}, `x.toml:1:2: Base: unknown key; keys are case-sensitive: write "base"`},
		{"a = 1\nb = 'x'", &struct{ base }{}, `x.toml:2:5: b: expected an integer, got string "x"`},
		{"x.y = 1\nz = 2", &map[string]map[string]int{}, `x.toml:2:5: z: expected a table, got integer 2`},
		{"x = " + strings.Repeat("1", 70) + ".5", &struct {
			X int `toml:"x"`
		}{}, "x.toml:1:5: x: expected an integer, got float " + strings.Repeat("1", 60) + "…"},
	} {
		_, err := spec.Decode("x.toml", []byte(c.input), c.v)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s:\ngot  %v\nwant %s", c.input, err, c.want)
		}
	}
}

func TestManyErrors(t *testing.T) {
	var f file
	_, err := spec.Decode("x.toml", []byte("pair = 1\ngrid = [[\n"+strings.Repeat("'x',\n", 50_000)+"]]"), &f)
	var all spec.Errors
	if !errors.As(err, &all) || len(all) != spec.MaxErrors+1 {
		t.Fatalf("got %d errors", len(all))
	}
	if last := all[spec.MaxErrors].Error(); last != "x.toml:102:1: and 49901 more errors from here on" {
		t.Errorf("last: %s", last)
	}
}

func TestDecodeNeedsAPointer(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "spec: ") {
			t.Errorf("got %v", r)
		}
	}()
	spec.Decode("x.toml", nil, file{})
}

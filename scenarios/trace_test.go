package scenarios

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// replayed is a scenario that takes its lookups from a file: 6 a round.
const replayed = `name = "replayed"
[model]
file = "model.toml"
[[cluster.pool]]
device = "v100-16"
count = 1
[training]
batch = 3
rounds = 4
[placement]
policy = "all-gpu"
[lookups]
generator = "trace"
file = "keys.txt"
[slots]
capacity = 8
replacement = "lru"
`

const replayedModel = `title = "One table of 100 rows, two lookups a sample"
source = "made for a test"
[[layer]]
name = "embedding"
kind = "embedding"
parallel = 0
table = [{ name = "rows", rows = 100, dim = 16, lookups = 2 }]
[[layer]]
name = "fc"
op = [{ linear = { in = 32, out = 8 } }]
`

// keys are four rounds of six lookups; their rows are renumbered by nobody, all
// are below 100. With 8 slots under LRU, by hand:
//
//	round 0: 1 2 3 4 5 6   6 misses
//	round 1: 1 2 3 7 8 8   3 hits, 2 misses, the table is full
//	round 2: 9 9 9 9 9 9   1 miss; 4 5 6 are oldest: 4 leaves
//	round 3: 4 5 1 1 1 1   2 hits (5, 1), 1 miss; 6 leaves
var keys = []int{1, 2, 3, 4, 5, 6, 1, 2, 3, 7, 8, 8, 9, 9, 9, 9, 9, 9, 4, 5, 1, 1, 1, 1}

// traceDir writes the scenario's files, the keys in every form.
func traceDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	var text, csv bytes.Buffer
	text.WriteString("# keys\n")
	csv.WriteString("time,key\n")
	for i, k := range keys {
		fmt.Fprintln(&text, k)
		fmt.Fprintf(&csv, "%d,%d\n", i, k)
	}
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Write(text.Bytes())
	g.Close()
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(csv.Bytes())
	z.Close()
	for name, data := range map[string][]byte{
		"model.toml": []byte(replayedModel), "keys.txt": text.Bytes(), "keys.csv": csv.Bytes(),
		"keys.txt.gz": gz.Bytes(), "keys.csv.zst": zs.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func replay(t testing.TB, dir string, edits ...string) *Scenario {
	t.Helper()
	s, err := Parse(filepath.Join(dir, "x.toml"), []byte(strings.NewReplacer(edits...).Replace(replayed)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTraceByHand(t *testing.T) {
	r := run(t, replay(t, traceDir(t)))
	want := []struct{ unique, hits, misses, evictions int64 }{{6, 0, 6, 0}, {5, 3, 2, 0}, {1, 0, 1, 1}, {3, 2, 1, 1}}
	for i, w := range want {
		s := r.Rounds[i].Slots
		if s.Lookups != 6 || s.Unique != w.unique || s.Hits != w.hits || s.Misses != w.misses || s.Evictions != w.evictions || s.WriteBacks != w.evictions {
			t.Errorf("round %d: %+v, want %+v", i, *s, w)
		}
		if s.BytesIn != w.misses*64 || s.BytesOut != w.evictions*64 {
			t.Errorf("round %d: %d B in, %d B out, rows of 64 B", i, s.BytesIn, s.BytesOut)
		}
	}
	if got := metric(t, r, "hit_ratio"); got != 5.0/15 {
		t.Errorf("hit ratio %v, want 5 of 15", got)
	}
}

// The same keys from a text file, a column of a CSV file, gzip and zstd.
func TestTraceFormats(t *testing.T) {
	dir := traceDir(t)
	want := jsonOf(t, unresolved(run(t, replay(t, dir))))
	for _, file := range []string{
		"file = \"keys.txt.gz\"",
		"file = \"keys.csv\"\ncolumn = \"key\"",
		"file = \"keys.csv.zst\"\ncolumn = \"key\"",
		"file = \"keys.txt\"\nformat = \"text\"",
		fmt.Sprintf("file = %q", filepath.Join(dir, "keys.txt")),
	} {
		if got := jsonOf(t, unresolved(run(t, replay(t, dir, `file = "keys.txt"`, file)))); got != want {
			t.Errorf("%s: another result\n%s\n%s", file, got, want)
		}
	}
}

// A trace that ends early, also in the middle of a round, is an error unless it
// starts again.
func TestTraceEnds(t *testing.T) {
	dir := traceDir(t)
	for _, c := range []struct {
		edits []string
		whole int
	}{
		{[]string{"rounds = 4", "rounds = 5"}, 4},
		{[]string{"batch = 3", "batch = 5", "rounds = 4", "rounds = 3", "capacity = 8", "capacity = 10"}, 2},
		{[]string{"batch = 3", "batch = 13", "rounds = 4", "rounds = 1", "capacity = 8", "capacity = 26"}, 0},
	} {
		_, err := replay(t, dir, c.edits...).Run(context.Background(), "test")
		want := fmt.Sprintf("the lookups of layer \"embedding\" end after %d whole rounds of", c.whole)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "lookups.wrap = true") {
			t.Errorf("%v: got %v, want %s", c.edits, err, want)
		}
		wrapped := append([]string{"[slots]", "wrap = true\n[slots]"}, c.edits...)
		if r := run(t, replay(t, dir, wrapped...)); len(r.Rounds) == 0 {
			t.Errorf("%v with wrap: no rounds", c.edits)
		}
	}
	r := run(t, replay(t, dir, "rounds = 4", "rounds = 9", "[slots]", "wrap = true\n[slots]"))
	if a, b := r.Rounds[0].Slots, r.Rounds[4].Slots; a.Unique != b.Unique || a.Lookups != b.Lookups {
		t.Errorf("round 4 of a trace of 4 rounds is not its first again: %+v and %+v", a, b)
	}
}

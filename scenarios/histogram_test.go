package scenarios

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stowage/workloads/lookups"
)

// A reuse histogram gives the same run whether it is named, read from a file of
// published statistics or written as bins, and a run with more reuse has fewer
// unique rows.
func TestHistogramSources(t *testing.T) {
	h := lookups.NamedHistogram("meta-2021")
	dir := t.TempDir()
	text := "first.pt\nHistogram of col sizes:\n(0+: 1\n\n" + published(h, "second.pt")
	if err := os.WriteFile(filepath.Join(dir, "stats.txt"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "model.toml"), []byte(replayedModel), 0o600); err != nil {
		t.Fatal(err)
	}
	unique := int64(0) // rows of the last run
	load := func(keys string) string {
		t.Helper()
		in := strings.NewReplacer("generator = \"trace\"\nfile = \"keys.txt\"", "generator = \"histogram\"\n"+keys,
			"batch = 3\nrounds = 4", "batch = 64\nrounds = 40", "capacity = 8", "capacity = 100").Replace(replayed)
		sc, err := Parse(filepath.Join(dir, "x.toml"), []byte(in))
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, sc)
		unique = 0
		for _, round := range r.Rounds {
			unique += round.Slots.Unique
		}
		return jsonOf(t, r.Rounds)
	}
	want := load(`histogram = "meta-2021"`)
	if got := load("file = \"stats.txt\"\nhistogram = \"second.pt\""); got != want {
		t.Errorf("from a file: another result\n%s\n%s", got, want)
	}
	if got := load("file = \"stats.txt\"\nhistogram = \"first.pt\""); got == want {
		t.Error("another histogram of the file gives the same")
	}
	// Bins have no totals: the lookups of a row follow from the shares of both in the
	// first bin, nearly the same.
	load(`histogram = "meta-2021"`)
	named := unique
	bins := fmt.Sprintf("samples = %d\nbin = [\n", h.Samples)
	for _, b := range h.Bins {
		bins += fmt.Sprintf("{ above = %d, up_to = %d, rows = %v, lookups = \"%v %%\" },\n", b.Above, b.UpTo, b.Rows, 100*b.Lookups)
	}
	load(bins + "]")
	if named == 0 || math.Abs(float64(unique)/float64(named)-1) > 0.05 {
		t.Errorf("as bins, %d rows are unique, want about %d", unique, named)
	}
}

// published writes a histogram as its publishers do.
func published(h *lookups.Histogram, name string) string {
	bin := func(b lookups.Bin, share float64) string {
		if b.UpTo == 0 {
			return fmt.Sprintf("(%d+: %v\n", b.Above, share)
		}
		return fmt.Sprintf("(%d, %d]: %v\n", b.Above, b.UpTo, share)
	}
	text := fmt.Sprintf("%s\nLocality stats after processing 1 batches of size %d\nAvg # of indices: %d\nAvg # of unique cols: %d\n",
		name, h.Samples, h.Lookups, h.Rows)
	text += "Histogram of col sizes:\n"
	for _, b := range h.Bins {
		text += bin(b, b.Rows)
	}
	text += "Ratio of index distribution at different column sizes:\n"
	for _, b := range h.Bins {
		text += bin(b, b.Lookups)
	}
	return text
}

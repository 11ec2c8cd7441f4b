package scenarios

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A fingerprint is that of what is asked for, not of how it is written.
func TestFingerprint(t *testing.T) {
	of := func(text string) string {
		t.Helper()
		h, err := parsed(t, text).Fingerprint()
		if err != nil || len(h) != fingerprintDigits {
			t.Fatalf("%q, %v", h, err)
		}
		return h
	}
	want := of(small)
	for _, same := range []string{
		"# a comment\n" + small,
		strings.Replace(small, `name = "small"`, "name = 'other'\nseed = 7\ntitle = \"T\"\ndescription = \"D\"", 1),
		strings.Replace(small, "batch = 512\nmicrobatches = 4", "microbatches = 0x4\nbatch=5_12", 1),
	} {
		if of(same) != want {
			t.Errorf("another fingerprint of\n%s", same)
		}
	}
	seen := map[string]bool{want: true}
	for _, other := range [][2]string{{"batch = 512", "batch = 1024"}, {"1.05", "1.06"}, {`"lru"`, `"lfu"`}, {"count = 8", "count = 8\nprice = \"1 USD/h\""}} {
		h := of(strings.Replace(small, other[0], other[1], 1))
		if seen[h] {
			t.Errorf("%s: not another fingerprint", other[1])
		}
		seen[h] = true
	}
}

// The files that a scenario names belong to it.
func TestFingerprintOfFiles(t *testing.T) {
	dir := t.TempDir()
	model, text := filepath.Join(dir, "m.toml"), strings.Replace(small, `use = "2emb"`, `file = "m.toml"`, 1)
	of := func(flops string) string {
		t.Helper()
		layers := "[[layer]]\nname = \"e\"\ntable = [{ name = \"t\", rows = 1000, dim = 4 }]\n[[layer]]\nname = \"f\"\nflops = " + flops + "\noutput = 1\nkind = \"block\"\n"
		if err := os.WriteFile(model, []byte(layers), 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := Parse(filepath.Join(dir, "x.toml"), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if a, b := of("1e6"), of("2e6"); a == b || a != of("1e6") {
		t.Error("the fingerprint is not that of the model's file")
	}
	s, err := Parse(filepath.Join(dir, "x.toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Fingerprint(); err == nil || !strings.Contains(err.Error(), "m.toml") {
		t.Errorf("without the file: %v", err)
	}
}

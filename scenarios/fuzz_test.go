package scenarios

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stowage/hw/spec"
)

// outside reports whether a scenario names files that are not below its folder: a
// fuzz run shall not read them.
func outside(data []byte) bool {
	f := defaults()
	if _, err := spec.Decode("x.toml", data, &f); err != nil {
		return false // Parse reads no file either
	}
	paths := []string{f.Model.File}
	if f.Lookups != nil {
		paths = append(paths, f.Lookups.File)
	}
	for _, j := range f.Job {
		paths = append(paths, j.Scenario)
	}
	for _, p := range paths {
		if p != "" && !filepath.IsLocal(p) {
			return true
		}
	}
	return false
}

// Loading never panics, and what it refuses it explains with a place.
//
// Inputs are kilobytes long, and go test -fuzz takes up to a minute to minimise each that
// covers something new, in which it shows 0 execs/s: -fuzzminimizetime=0x leaves them as
// they are.
func FuzzParse(f *testing.F) {
	shipped, err := filepath.Glob("*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range shipped {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, text := range []string{fine, small, replayed, onOne, fine + troubles} {
		f.Add([]byte(text))
	}
	for _, c := range faults {
		f.Add([]byte(strings.ReplaceAll(fine, c.from, c.to)))
	}
	f.Add([]byte("0.\"0\\\n")) // an escape that the TOML library quotes over two lines
	dir := f.TempDir()         // empty
	f.Fuzz(func(t *testing.T, data []byte) {
		if outside(data) {
			t.Skip("names files outside its folder")
		}
		name := filepath.Join(dir, "x.toml")
		s, err := Parse(name, data)
		if err == nil {
			if s.Model == nil || s.Cluster == nil || s.Rounds < 1 || s.Problem.Batch < 1 || s.Policy.Name == "" || !isFolder(s.Name) {
				t.Fatalf("accepted, but not whole: %+v", s)
			}
			return
		}
		if s != nil {
			t.Fatalf("a scenario comes with the error %v", err)
		}
		var list spec.Errors
		if !errors.As(err, &list) || len(list) == 0 {
			t.Fatalf("%T, not spec.Errors: %v", err, err)
		}
		for _, e := range list {
			if e.File != name || e.Line < 1 || e.Col < 1 || strings.TrimSpace(e.Message) == "" {
				t.Fatalf("no place or no text: %+v", e)
			}
		}
	})
}

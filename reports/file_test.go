package reports

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func listDir(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func writeText(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	check := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
		if names := listDir(t, dir); !slices.Equal(names, []string{"a.txt"}) {
			t.Errorf("left behind: %v", names)
		}
	}
	if err := WriteFile(path, writeText("one")); err != nil {
		t.Fatal(err)
	}
	check("one")
	if err := WriteFile(path, writeText("two")); err != nil {
		t.Fatal(err)
	}
	check("two")

	// An error after some bytes keeps the previous file.
	broken := errors.New("broken")
	err := WriteFile(path, func(w io.Writer) error {
		if _, err := io.WriteString(w, strings.Repeat("x", 1<<20)); err != nil {
			return err
		}
		if names := listDir(t, dir); len(names) != 2 {
			t.Errorf("no temporary file while writing: %v", names)
		}
		return broken
	})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want %v with the path", err, broken)
	}
	check("two")

	// So does a panic, which goes on.
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is gone")
			}
		}()
		_ = WriteFile(path, func(io.Writer) error { panic("no") })
	}()
	check("two")
}

func TestWriteFileRefuses(t *testing.T) {
	dir := t.TempDir()
	called := func(io.Writer) error { t.Error("write was called"); return nil }
	if err := WriteFile(filepath.Join(dir, "absent", "a.txt"), called); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a directory that is not there: %v", err)
	}
	if err := WriteFile(dir+"/", called); err == nil {
		t.Error("a path without a file name is fine?")
	}
	// A directory stands where the file should go.
	sub := filepath.Join(dir, "sub")
	if err := os.MkdirAll(filepath.Join(sub, "x"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(sub, writeText("a")); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if names := listDir(t, dir); !slices.Equal(names, []string{"sub"}) {
		t.Errorf("left behind: %v", names)
	}
}

// What a killed process left is removed, of whichever file; what a living one is
// writing, and what others called alike, is not.
func TestWriteFileRemovesStale(t *testing.T) {
	gone := exec.Command(os.Args[0], "-test.run=^$")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ours := fmt.Sprintf(".c.txt.stowage-%d-0.tmp", os.Getpid())
	before := fmt.Sprintf(".c.txt.stowage-%d-1.tmp", os.Getpid()) // its process had our number
	parent := fmt.Sprintf(".b.txt.stowage-%d-0.tmp", os.Getppid())
	keep := []string{ours, parent, ".a.txt.0.tmp", ".stowage-1-0.tmp", "a.stowage-1-0.tmp"}
	stale := []string{fmt.Sprintf(".b.txt.stowage-%d-3.tmp", gone.Process.Pid), before}
	for _, name := range append(stale, keep...) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, before), time.Time{}, began.Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(filepath.Join(dir, "a.txt"), writeText("new")); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Clone(keep), "a.txt")
	slices.Sort(want)
	if names := listDir(t, dir); !slices.Equal(names, want) {
		t.Errorf("files are %q, want %q", names, want)
	}
}

// A link stays one, and what is no file is written to.
func TestWriteFileThrough(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target.txt"), filepath.Join(dir, "link.txt")
	if err := os.WriteFile(target, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("target.txt", link); err != nil {
		t.Skip("no symbolic links: ", err)
	}
	if err := WriteFile(link, writeText("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is replaced: %v, %v", info, err)
	}
	if got, err := os.ReadFile(target); err != nil || string(got) != "new" {
		t.Errorf("what the link points to holds %q, %v", got, err)
	}
	if err := WriteFile(os.DevNull, writeText("new")); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(os.DevNull); err != nil || info.Mode().IsRegular() {
		t.Errorf("%s is replaced: %v, %v", os.DevNull, info, err)
	}
	broken := errors.New("broken")
	if err := WriteFile(os.DevNull, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out", "ctr")
	files, err := Write(dir, smallResult())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"bench.txt", "fitness.png", "fitness.svg", "hits.png", "hits.svg", "layers.png", "layers.svg", "memory.csv", "memory.png", "memory.svg",
		"report.html", "result.json", "rounds.csv", "stages.png", "stages.svg", "throughput.png", "throughput.svg", "timeline.json", "timeline.png", "timeline.svg",
	}
	if names := listDir(t, dir); !slices.Equal(names, want) {
		t.Errorf("files are %v, want %v", names, want)
	}
	var bases []string
	for _, f := range files {
		bases = append(bases, filepath.Base(f))
	}
	slices.Sort(bases)
	if !slices.Equal(bases, want) {
		t.Errorf("returned %v, want %v", bases, want)
	}
	first := readAll(t, dir)

	// A result without slot tables leaves no picture of them behind, and does not
	// touch files of others.
	if err := os.WriteFile(filepath.Join(dir, "notes.svg"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, twelveStages()); err != nil {
		t.Fatal(err)
	}
	names := listDir(t, dir)
	if slices.Contains(names, "hits.svg") || slices.Contains(names, "hits.png") || !slices.Contains(names, "notes.svg") {
		t.Errorf("after a result without slot tables: %v", names)
	}

	// Back again: the same result gives the same bytes.
	if err := os.Remove(filepath.Join(dir, "notes.svg")); err != nil {
		t.Fatal(err)
	}
	if _, err := Write(dir, smallResult()); err != nil {
		t.Fatal(err)
	}
	again := readAll(t, dir)
	for name, data := range first {
		if again[name] != data {
			t.Errorf("%s differs between two runs", name)
		}
	}
}

func readAll(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range listDir(t, dir) {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(data)
	}
	return all
}

// A result with answers has a file for them, which a result without takes away.
func TestWriteWhatIf(t *testing.T) {
	dir := t.TempDir()
	if _, err := Write(dir, askedResult()); err != nil {
		t.Fatal(err)
	}
	if names := listDir(t, dir); !slices.Contains(names, WhatIfFile) {
		t.Errorf("files are %v, without %s", names, WhatIfFile)
	}
	if _, err := Write(dir, smallResult()); err != nil {
		t.Fatal(err)
	}
	if names := listDir(t, dir); slices.Contains(names, WhatIfFile) {
		t.Errorf("files are still %v", names)
	}
	r := askedResult()
	r.WhatIf.Price.Ranges[1].To = math.Inf(1)
	if _, err := Write(dir, r); err == nil || !strings.Contains(err.Error(), "what-if: price is +Inf") {
		t.Errorf("%v", err)
	}
}

// A file that is there is left as it is; one that is not is whole or not there.
func TestCreateFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	text := func(s string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
	}
	if err := CreateFile(path, text("first")); err != nil {
		t.Fatal(err)
	}
	if err := CreateFile(path, text("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that it exists", err)
	}
	other := filepath.Join(dir, "b.txt")
	late := func(w io.Writer) error { // another one writes it meanwhile
		if err := os.WriteFile(other, []byte("theirs"), 0o666); err != nil {
			return err
		}
		return text("ours")(w)
	}
	if err := CreateFile(other, late); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want that it exists", err)
	}
	for name, want := range map[string]string{path: "first", other: "theirs"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
	if names := listDir(t, dir); len(names) != 2 {
		t.Errorf("left behind: %q", names)
	}
}

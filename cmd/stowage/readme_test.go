package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// example is a command of the README and the output shown below it.
type example struct {
	line    int // in the README
	command string
	shown   []string
}

// ours finds stowage where a command stands, behind variables perhaps.
var ours = regexp.MustCompile(`((?:^|[|;&(]) *(?:\w+=\S* +)*)(?:go run \./cmd/stowage|(?:\./)?stowage)( |$)`)

// examples returns the stowage commands in the fenced blocks ```console of a
// Markdown text: lines that begin with "$ ", each with the lines up to the next
// one. A line that ends in \ goes on. Other commands are passed over.
func examples(text string) []example {
	var all []example
	var last *example // that the lines to come belong to
	inside, goesOn := false, false
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRight(line, " \t\r")
		if fence := strings.HasPrefix(line, "```"); fence || !inside {
			inside, last, goesOn = fence && !inside && line == "```console", nil, false
			continue
		}
		command, begins := strings.CutPrefix(line, "$ ")
		switch {
		case begins:
			last = nil
			if ours.MatchString(command) {
				all = append(all, example{line: i + 1})
				last = &all[len(all)-1]
			}
		case goesOn:
			command = line
		case last != nil:
			last.shown = append(last.shown, line)
			continue
		default:
			continue
		}
		command, goesOn = strings.CutSuffix(command, `\`)
		if last != nil {
			last.command += command
		}
	}
	return all
}

// missing returns the first of the shown lines that the output does not have
// after those before it. Empty lines and lines of dots only stand for anything.
func missing(shown []string, output string) (line string, ok bool) {
	rest := strings.Split(output, "\n")
	for i := range rest {
		rest[i] = strings.TrimRight(rest[i], " ")
	}
	for _, want := range shown {
		if strings.Trim(want, "….[] ") == "" {
			continue
		}
		at := slices.Index(rest, want)
		if at < 0 {
			return want, true
		}
		rest = rest[at+1:]
	}
	return "", false
}

// TestReadme runs the commands that the README shows and looks for the output
// that it shows.
func TestReadme(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no README.md")
	} else if err != nil {
		t.Fatal(err)
	}
	all := examples(string(text))
	if len(all) == 0 {
		t.Skip("README.md shows no stowage command in a ```console block")
	}
	if testing.Short() {
		t.Skip("runs whole scenarios")
	}
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("there is no sh")
	}
	dir := mirror(t, root)
	for _, e := range all {
		t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) {
			c := exec.CommandContext(t.Context(), "sh", "-c", ours.ReplaceAllString(e.command, "${1}stowage${2}"))
			c.Dir = dir
			c.Env = append(os.Environ(), "COLUMNS=")
			var out bytes.Buffer
			c.Stdout, c.Stderr = &out, &out
			// Of a command that fails, the README shows what `go run` says.
			var exit *exec.ExitError
			if err := c.Run(); errors.As(err, &exit) {
				fmt.Fprintf(&out, "exit status %d\n", exit.ExitCode())
				if !slices.ContainsFunc(e.shown, func(s string) bool { return strings.HasPrefix(s, "exit status ") }) {
					e.shown = append(e.shown, "exit status 0")
				}
			} else if err != nil {
				t.Fatal(err)
			}
			if line, ok := missing(e.shown, out.String()); ok {
				t.Errorf("README.md:%d: %s\nthe output does not have, or not in this order:\n%s\nit is:\n%s", e.line, e.command, line, &out)
			}
		})
	}
}

// mirror makes a folder that looks like the repository but keeps what is written
// into it (out/NAME) to itself.
func mirror(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "out" || e.Name() == "stowage" {
			continue
		}
		if err := os.Symlink(filepath.Join(root, e.Name()), filepath.Join(dir, e.Name())); err != nil {
			t.Skip("no symbolic links: ", err)
		}
	}
	return dir
}

func TestExamples(t *testing.T) {
	const text = "$ stowage outside\n" +
		"```console\n$ go run ./cmd/stowage run \\\n  a.toml\none\n\n  two\n$ go build -o stowage ./cmd/stowage\nthree\n$ stowage list plots | head -1\n```\n" +
		"```toml\n$ stowage not this\n```\n" +
		"```console\n$ FOO=1 ./stowage check x && echo fine\nfour\n```\n"
	want := []example{
		{3, "go run ./cmd/stowage run   a.toml", []string{"one", "", "  two"}},
		{10, "stowage list plots | head -1", nil},
		{16, "FOO=1 ./stowage check x && echo fine", []string{"four"}},
	}
	if diff := cmp.Diff(want, examples(text), cmp.AllowUnexported(example{})); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct{ shown, missing string }{
		{"a\nc", ""}, {"a\n…\nd", ""}, {"...\nb\n\nd", ""}, {"", ""},
		{"b\na", "a"}, {"a\na", "a"}, {"a\nx\nd", "x"}, {"  a", "  a"},
	} {
		if line, _ := missing(strings.Split(c.shown, "\n"), "a \nb\nc\n\nd\n"); line != c.missing {
			t.Errorf("%q: %q is missing, want %q", c.shown, line, c.missing)
		}
	}
}

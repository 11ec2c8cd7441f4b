package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Every command has a page of help with examples, whose commands and flags exist.
func TestEveryCommandHasExamples(t *testing.T) {
	root := newRoot()
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() != "help" && sub.Name() != "completion" {
				visit(sub)
			}
		}
		if c.Example == "" || c.Short == "" || len(c.Long) < len(c.Short) && c.Name() != "check" {
			t.Errorf("%s: help without examples, or without an explanation", c.CommandPath())
		}
		own := 0
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " >")
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "stowage" { // what goes with it, such as benchstat
				continue
			}
			own++
			found, args, err := newRoot().Find(words[1:])
			if err != nil || found.Name() == "stowage" {
				t.Errorf("%s: in the example %q: %v", c.CommandPath(), line, err)
			} else if err := found.ParseFlags(args); err != nil {
				t.Errorf("%s: in the example %q: %v", c.CommandPath(), line, err)
			}
		}
		if own == 0 {
			t.Errorf("%s: none of its examples is of stowage", c.CommandPath())
		}
	}
	visit(root)
}

// Nothing that is printed moves the cursor or has a colour: where NO_COLOR is set, and
// everywhere else.
func TestNoColour(t *testing.T) {
	for _, value := range []string{"", "1"} {
		t.Setenv("NO_COLOR", value)
		for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"list", "devices"}, {"explain", "gap"}, {"run", "nothing.toml"}, {"schema", "run"}} {
			_, stdout, stderr := command(args...)
			if strings.ContainsAny(stdout+stderr, "\x1b\r\x07") {
				t.Errorf("NO_COLOR=%q stowage %s prints control characters: %q", value, strings.Join(args, " "), stdout+stderr)
			}
		}
	}
}

// The scenario in a result reproduces the result, and what the command line changed is in
// it.
func TestResolvedReproduces(t *testing.T) {
	if testing.Short() {
		t.Skip("runs whole scenarios, one after the other")
	}
	t.Chdir(t.TempDir())
	if code, _, stderr := command("init", "first.toml"); code != exitFine {
		t.Fatal(stderr)
	}
	resolved := ""
	for _, dir := range []string{"a", "b"} {
		args := []string{"run", "-o", dir, "again/first.toml"}
		if dir == "a" {
			args = []string{"run", "-o", dir, "--seed", "5", "--placement", "local", "--evaluations", "90", "first.toml"}
		}
		if code, _, stderr := command(args...); code != exitFine {
			t.Fatal(stderr)
		}
		var kept struct{ Resolved string }
		if err := json.Unmarshal([]byte(readFile(t, filepath.Join(dir, "result.json"))), &kept); err != nil {
			t.Fatal(err)
		}
		resolved = kept.Resolved
		if dir == "a" {
			if code, _, stderr := command("init", "again/other.toml"); code != exitFine { // makes the folder
				t.Fatal(stderr)
			}
			writeFile(t, "again/first.toml", resolved)
		}
	}
	for _, name := range []string{"result.json", "report.html", "rounds.csv"} {
		if a, b := readFile(t, filepath.Join("a", name)), readFile(t, filepath.Join("b", name)); !bytes.Equal([]byte(a), []byte(b)) {
			t.Errorf("%s is not reproduced by the scenario in it", name)
		}
	}
	for _, want := range []string{"seed = 5\n", "policy = \"local\"\n", "evaluations = 90\n"} {
		if !strings.Contains(resolved, want) {
			t.Errorf("no %s in\n%s", want, resolved)
		}
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain puts a command `stowage` into the PATH of the tests: this test binary,
// which then runs main.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stowage": main})
}

// TestScripts runs testdata/script: stories told on the command line. Beside the
// commands of testscript they have
//
//	exits CODE PROGRAM ARG…   run it: it exits with just this code
//	files DIR NAME…           the folder holds just these files
//	sametree A B              two folders hold the same files, byte for byte
//	rounds N[,N…] FILE        the file (or stdout) is JSON results of so many rounds
//	pack FILE NEW             the file as .gz, .zst or, a text of keys, as .oracleGeneral
//	columns FILE NEW FROM-TO  some columns of a CSV file (or stdout)
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "files": files, "sametree": sameTree, "rounds": rounds, "pack": pack, "columns": columns,
		},
	})
}

func wantArgs(ts *testscript.TestScript, neg bool, args []string, n int) {
	if neg || len(args) < n {
		ts.Fatalf("want at least %d arguments, and no !", n)
	}
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2)
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func files(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 1)
	got, want := names(ts, args[0]), slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s holds %q, want %q", args[0], got, want)
	}
}

func names(ts *testscript.TestScript, dir string) []string {
	entries, err := os.ReadDir(ts.MkAbs(dir))
	ts.Check(err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func sameTree(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2)
	all := names(ts, args[0])
	if other := names(ts, args[1]); !slices.Equal(all, other) || len(all) == 0 {
		ts.Fatalf("%s holds %q, %s holds %q", args[0], all, args[1], other)
	}
	for _, name := range all {
		if ts.ReadFile(filepath.Join(args[0], name)) != ts.ReadFile(filepath.Join(args[1], name)) {
			ts.Fatalf("%s differs between %s and %s", name, args[0], args[1])
		}
	}
}

func rounds(ts *testscript.TestScript, neg bool, args []string) {
	wantArgs(ts, neg, args, 2)
	got, err := countRounds(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	if got != args[0] {
		ts.Fatalf("%s has results of %s rounds, want %s", args[1], got, args[0])
	}
}

// countRounds reads JSON results to the end and returns their numbers of rounds,
// commas between them.
func countRounds(r io.Reader) (string, error) {
	var counts []string
	for d := json.NewDecoder(r); ; {
		var result struct{ Rounds []json.RawMessage }
		if err := d.Decode(&result); errors.Is(err, io.EOF) {
			return strings.Join(counts, ","), nil
		} else if err != nil {
			return "", err
		}
		counts = append(counts, fmt.Sprint(len(result.Rounds)))
	}
}

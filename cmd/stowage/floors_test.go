package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// floors are the packages of the house, lowest first: a package imports only
// packages on lower floors, in its tests too.
var floors = []string{
	"hw/unit", "hw/spec", "hw", "workloads", "workloads/lookups",
	"sim/engine", "sim/slots", "sim/network", "sim/pipeline", "sim/placement", "sim/rounds", "sim",
	"scenarios", "reports", "cmd/stowage",
}

// strangers are rooms that do not know each other, though one is above the other.
var strangers = [][2][]string{
	{{"hw"}, {"workloads", "workloads/lookups"}},
	{{"scenarios"}, {"reports"}},
}

// owners says which packages may import something from outside: the module or a
// folder of it, then the packages. What is not listed may not be imported.
var owners = []struct {
	path     string
	packages []string
}{
	{"github.com/fschuetz04/simgo", []string{"sim/engine"}},
	{"gonum.org/v1/plot", []string{"reports"}},
	{"golang.org/x/image", []string{"reports"}},
	{"golang.org/x/text/encoding", []string{"reports"}},
	{"codeberg.org/go-pdf/fpdf", []string{"reports"}}, // what gonum/plot writes PDF with
	{"github.com/jedib0t/go-pretty/v6", []string{"reports"}},
	{"golang.org/x/perf", []string{"reports"}},
	{"github.com/BurntSushi/toml", []string{"hw/spec", "hw", "workloads", "scenarios"}},
	{"github.com/klauspost/compress", []string{"workloads/lookups"}},
	{"github.com/pierrec/lz4/v4", []string{"workloads/lookups"}},
	{"github.com/parquet-go/parquet-go/format", []string{"workloads/lookups"}}, // not its reader: see lookups/parquet.go
	{"github.com/parquet-go/parquet-go/encoding/thrift", []string{"workloads/lookups"}},
	{"github.com/parquet-go/parquet-go/deprecated", []string{"workloads/lookups"}}, // types of old files
	{"google.golang.org/protobuf/encoding/protowire", []string{"reports"}},
	{"github.com/spf13/cobra", []string{"cmd/stowage"}},
	{"github.com/spf13/pflag", []string{"cmd/stowage"}},
}

// testOnly may be imported by the tests of every package.
var testOnly = []string{
	"pgregory.net/rapid", "github.com/google/go-cmp", "go.uber.org/goleak",
	"github.com/rogpeppe/go-internal/testscript",
	"github.com/santhosh-tekuri/jsonschema/v6", // to check scenarios and results by their schemas
	"github.com/klauspost/compress",            // to make compressed trace files
	"github.com/parquet-go/parquet-go",         // to make Parquet files
}

// topLevel is what lies at the top of the repository beside dot-files.
var topLevel = []string{"README.md", "cmd", "go.mod", "go.sum", "hw", "reports", "scenarios", "sim", "workloads"}

// listed is a package as `go list -json` prints it.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// checkFloors returns a complaint for every import that the house does not allow.
func checkFloors(packages []listed) []string {
	var complaints []string
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, "stowage/")
		if !slices.Contains(floors, name) {
			complaints = append(complaints, name+" is on no floor")
			continue
		}
		for _, path := range p.Imports {
			if why := forbidden(name, path); why != "" {
				complaints = append(complaints, fmt.Sprintf("%s imports %s: %s", name, path, why))
			}
		}
		for _, path := range slices.Concat(p.TestImports, p.XTestImports) {
			if path == p.ImportPath || slices.ContainsFunc(testOnly, func(t string) bool { return within(path, t) }) {
				continue
			}
			if why := forbidden(name, path); why != "" {
				complaints = append(complaints, fmt.Sprintf("a test of %s imports %s: %s", name, path, why))
			}
		}
	}
	return complaints
}

// forbidden says why the package may not import path, or nothing.
func forbidden(name, path string) string {
	if first, _, _ := strings.Cut(path, "/"); first != "stowage" {
		if !strings.Contains(first, ".") {
			return "" // the standard library
		}
		for _, o := range owners {
			if within(path, o.path) {
				if slices.Contains(o.packages, name) {
					return ""
				}
				return fmt.Sprintf("only %q may", o.packages)
			}
		}
		return "it has no owner"
	}
	other := strings.TrimPrefix(path, "stowage/")
	switch {
	case !slices.Contains(floors, other):
		return "it is on no floor"
	case slices.Index(floors, other) >= slices.Index(floors, name):
		return "it is not on a lower floor"
	}
	for _, s := range strangers {
		for i := range s {
			if slices.Contains(s[i], name) && slices.Contains(s[1-i], other) {
				return "they do not know each other"
			}
		}
	}
	return ""
}

// within reports whether path is folder or lies in it.
func within(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, folder+"/")
}

func TestFloors(t *testing.T) {
	c := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	c.Dir = "../.."
	out, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Skip("there is no go command: ", err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) != len(floors) {
		t.Errorf("%d packages, %d floors", len(packages), len(floors))
	}
	for _, complaint := range checkFloors(packages) {
		t.Error(complaint)
	}
}

// TestCheckFloors checks the checker on houses with just one fault each.
func TestCheckFloors(t *testing.T) {
	pkg := func(name string, imports ...string) listed {
		return listed{ImportPath: "stowage/" + name, Imports: imports}
	}
	test := func(name string, imports ...string) listed {
		return listed{ImportPath: "stowage/" + name, XTestImports: imports}
	}
	for _, c := range []struct {
		p    listed
		want string
	}{
		{pkg("hw", "fmt", "encoding/json", "stowage/hw/spec", "stowage/hw/unit"), ""},
		{pkg("workloads", "stowage/hw/spec", "stowage/hw/unit", "github.com/BurntSushi/toml"), ""},
		{pkg("sim/engine", "github.com/fschuetz04/simgo"), ""},
		{pkg("reports", "gonum.org/v1/plot/vg/vgsvg", "stowage/sim"), ""},
		{pkg("cmd/stowage", "stowage/reports", "stowage/scenarios"), ""},
		{test("sim", "stowage/sim", "pgregory.net/rapid", "github.com/google/go-cmp/cmp", "go.uber.org/goleak"), ""},
		{test("cmd/stowage", "github.com/rogpeppe/go-internal/testscript"), ""},
		{test("sim/engine", "github.com/fschuetz04/simgo"), ""},

		{pkg("hw/unit", "stowage/hw/spec"), "not on a lower floor"},
		{pkg("sim", "stowage/scenarios"), "not on a lower floor"},
		{pkg("sim/slots", "stowage/sim"), "not on a lower floor"},
		{pkg("sim/network", "stowage/sim/network"), "not on a lower floor"},
		{test("sim/pipeline", "stowage/sim/placement"), "not on a lower floor"},
		{pkg("workloads", "stowage/hw"), "do not know each other"},
		{pkg("workloads/lookups", "stowage/hw"), "do not know each other"},
		{test("workloads", "stowage/hw"), "do not know each other"},
		{pkg("hw", "stowage/workloads"), "not on a lower floor"},
		{pkg("reports", "stowage/scenarios"), "do not know each other"},
		{test("reports", "stowage/scenarios"), "do not know each other"},
		{pkg("scenarios", "stowage/reports"), "not on a lower floor"},
		{pkg("util"), "util is on no floor"},
		{pkg("sim", "stowage/util"), "it is on no floor"},
		{pkg("sim/network", "github.com/fschuetz04/simgo"), `only ["sim/engine"] may`},
		{test("sim/network", "github.com/fschuetz04/simgo"), `only ["sim/engine"] may`},
		{pkg("cmd/stowage", "gonum.org/v1/plot/vg"), `only ["reports"] may`},
		{pkg("sim", "github.com/BurntSushi/toml"), "hw/spec"},
		{pkg("sim", "pgregory.net/rapid"), "no owner"},
		{pkg("hw", "gonum.org/v1/plotter"), "no owner"},
	} {
		got := checkFloors([]listed{c.p})
		if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
			t.Errorf("%+v: complaints %q, want %q", c.p, got, c.want)
		}
	}
}

// checkTop returns what is wrong with the entries at the top of the repository.
func checkTop(entries []string) (extra, absent []string) {
	for _, e := range entries {
		if !strings.HasPrefix(e, ".") && !slices.Contains(topLevel, e) && e != "out" {
			extra = append(extra, e)
		}
	}
	for _, e := range topLevel {
		if !slices.Contains(entries, e) {
			absent = append(absent, e)
		}
	}
	return extra, absent
}

func TestTopLevel(t *testing.T) {
	extra, absent := checkTop(topEntries(t, "../.."))
	if len(extra) > 0 || len(absent) > 0 {
		t.Errorf("at the top of the repository %q do not belong there, %q are absent", extra, absent)
	}
}

// topEntries lists the top of the repository: what git tracks or would track,
// or everything where there is no git.
func topEntries(t *testing.T, root string) []string {
	c := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	c.Dir = root
	var entries []string
	if out, err := c.Output(); err == nil {
		for file := range strings.Lines(string(out)) {
			first, _, _ := strings.Cut(path.Clean(strings.Trim(file, "\"\n")), "/")
			entries = append(entries, first)
		}
		slices.Sort(entries)
		return slices.Compact(entries)
	}
	files, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		entries = append(entries, f.Name())
	}
	return entries
}

func TestCheckTop(t *testing.T) {
	if extra, absent := checkTop(append(slices.Clone(topLevel), ".ci", ".gitignore", "out")); extra != nil || absent != nil {
		t.Errorf("extra %q, absent %q", extra, absent)
	}
	extra, absent := checkTop(append(slices.Clone(topLevel[1:]), "docs", "Makefile"))
	if !slices.Equal(extra, []string{"docs", "Makefile"}) || !slices.Equal(absent, topLevel[:1]) {
		t.Errorf("extra %q, absent %q", extra, absent)
	}
}

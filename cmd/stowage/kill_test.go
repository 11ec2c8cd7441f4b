package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

var long = flag.Bool("long", false, "kill commands a hundred times each: minutes")

// killSeed draws the moments; another one draws others.
var killSeed = flag.Uint64("killseed", 1, "seed of the moments at which commands are killed")

// tinyScenario runs at once: most of the time goes into its results.
const tinyScenario = `
title = "TITLE"

[model]
use = "nce"

[[cluster.pool]]
device = "xeon-6148"
count  = 2

[[cluster.pool]]
device = "v100-16"
count  = 4

[training]
batch        = 64
microbatches = 4
rounds       = 6
`

// killed are commands that write files, with X for a or b: the version of what they
// read, which lies a folder above where they run.
var killed = []struct {
	name string
	main string // the file of its folder that is new only when all there are
	args string
}{
	{"run", "out/result.json", "run ../X.toml -o out --trace run.json --checkpoint run.search"},
	{"compare", "out/compare.json", "compare ../X.toml --placement genetic,all-gpu --seeds 2 -o out"},
	{"bench", "", "bench ../X.toml --seeds 2 --against ../X.txt --save base.txt --markdown b.md --junit b.xml"},
	{"replay", "out/replay.json", "replay ../X.keys --slots 3 --mrc -o out"},
	{"plot", "out/sheet.pdf", "plot ../X --plot stages -o out/sheet.pdf"},
}

// TestKilled kills commands at random moments, while they replace results of other
// input: every file is whole, the old one or the new one; the main one of a folder is
// new only when all are; what else there is is hidden, and the next run takes it away.
func TestKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a file that a killed process held cannot be replaced at once there")
	}
	kills := 8
	if testing.Short() {
		kills = 2
	} else if *long {
		kills = 100
	}
	root := t.TempDir()
	killInputs(t, root)
	for i, k := range killed {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			old, _ := finished(t, root, k.name+"-a", k.args, "a")
			new, took := finished(t, root, k.name+"-b", k.args, "b")
			dir := filepath.Join(root, k.name)
			rng := rand.New(rand.NewPCG(*killSeed, uint64(i)))
			found := map[string]int{}
			for range kills {
				plant(t, dir, old)
				at := time.Duration(rng.Float64() * 1.2 * float64(took))
				killAfter(t, killable(dir, k.args, "b"), at)
				state, complaints := judgeKilled(k.main, old, new, tree(t, dir))
				found[state]++
				_ = killable(dir, k.args, "b").Run() // that something got worse is an error, too
				if again := tree(t, dir); !maps.Equal(again, new) {
					complaints = append(complaints, fmt.Sprintf("run again, it left %q, not the same as elsewhere", slices.Sorted(maps.Keys(again))))
				}
				if len(complaints) > 0 {
					t.Errorf("-killseed %d: killed after %v: %s", *killSeed, at, strings.Join(complaints, "; "))
				}
			}
			t.Logf("left %v", found)
		})
	}
}

// killInputs writes two versions of all that the commands read.
func killInputs(t *testing.T, root string) {
	t.Helper()
	for version, keys := range map[string]string{"a": "1 2 3 4 1 2 5", "b": "1 2 3 4 1 2 5 1 2 3 4 5"} {
		name := filepath.Join(root, version)
		writeFile(t, name+".toml", strings.Replace(tinyScenario, "TITLE", "Title "+version, 1))
		writeFile(t, name+".keys", strings.ReplaceAll(keys, " ", "\n")+"\n")
		for _, args := range []string{"run X.toml -o X", "bench X.toml --seeds 2 --save X.txt"} {
			if out, err := killable(root, args, version).CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", args, err, out)
			}
		}
	}
}

// killable is the command, to run in a folder on a version of its input.
func killable(dir, args, version string) *exec.Cmd {
	c := exec.Command("stowage", strings.Fields(strings.ReplaceAll(args, "X", version))...)
	c.Dir = dir
	return c
}

// finished runs a command to its end and returns the files that it leaves, and how long
// it took.
func finished(t *testing.T, root, name, args, version string) (files map[string]string, took time.Duration) {
	t.Helper()
	dir := filepath.Join(root, name)
	plant(t, dir, nil)
	began := time.Now()
	if out, err := killable(dir, args, version).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", args, err, out)
	}
	return tree(t, dir), time.Since(began)
}

func killAfter(t *testing.T, c *exec.Cmd, at time.Duration) {
	t.Helper()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(at)
	_ = c.Process.Kill() // it may have ended
	_ = c.Wait()
}

// hidden is the name of a temporary file.
var hidden = regexp.MustCompile(`^\..+\.stowage-[0-9]+-[0-9]+\.tmp$`)

// judgeKilled says what a killed command left (old, new or mixed files, perhaps with
// temporary ones) and what of it must not be.
func judgeKilled(main string, old, new, got map[string]string) (state string, complaints []string) {
	complain := func(format string, args ...any) { complaints = append(complaints, fmt.Sprintf(format, args...)) }
	var olds, news, temps []string
	for name, text := range got {
		was, before := old[name]
		is, after := new[name]
		switch {
		case hidden.MatchString(filepath.Base(name)):
			temps = append(temps, name)
		case before && after && was == is && text == was:
		case before && text == was:
			olds = append(olds, name)
		case after && text == is:
			news = append(news, name)
		default:
			complain("%s is neither the old one nor the new one", name)
		}
	}
	for name := range old {
		if _, ok := got[name]; !ok {
			complain("%s is gone", name)
		}
	}
	together := func(name string) bool { return main != "" && filepath.Dir(name) == filepath.Dir(main) }
	stays := slices.ContainsFunc(olds, together)
	if stays && slices.Contains(news, main) {
		complain("%s is new, but not all beside it: %q", main, olds)
	}
	if stays && slices.ContainsFunc(news, together) && !slices.ContainsFunc(temps, together) {
		complain("nothing tells that %q are old and %q new", olds, news)
	}
	switch {
	case len(olds) > 0 && len(news) > 0:
		state = "mixed"
	case len(news) > 0:
		state = "new"
	default:
		state = "old"
	}
	if len(temps) > 0 {
		state += ", temporary files"
	}
	return state, complaints
}

// plant makes a folder hold just these files.
func plant(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, text)
	}
}

// tree is all files below a folder, by their paths from it.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = readFile(t, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

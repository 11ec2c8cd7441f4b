package reports

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// fileSets are what is written as sets of files: each in two versions, of which the
// second lacks files of the first one.
var fileSets = []struct {
	name, main string
	write      [2]func(dir string) ([]string, error)
}{
	{"run", ResultFile, [2]func(dir string) ([]string, error){
		func(dir string) ([]string, error) { return Write(dir, askedResult()) },
		func(dir string) ([]string, error) { return Write(dir, twelveStages()) },
	}},
	{"compare", CompareFile, [2]func(dir string) ([]string, error){
		func(dir string) ([]string, error) { return WriteComparison(dir, provenComparison()) },
		func(dir string) ([]string, error) { return WriteComparison(dir, replacementComparison()) },
	}},
	{"replay", ReplayFile, [2]func(dir string) ([]string, error){
		func(dir string) ([]string, error) { return WriteReplays(dir, []*Replay{curvedReplay()}) },
		func(dir string) ([]string, error) {
			r := smallReplay()
			r.Trace = "other.txt"
			return WriteReplays(dir, []*Replay{r})
		},
	}},
}

// Environment of a process that TestKilledMidway starts.
const (
	killSet  = "STOWAGE_TEST_KILL_SET"
	killStep = "STOWAGE_TEST_KILL_STEP"
	killDir  = "STOWAGE_TEST_KILL_DIR"
)

// TestKilledHere is the process that is killed: it writes the set of files, and before
// the given step, a file that takes its place or leaves it, it ends as by kill -9.
func TestKilledHere(t *testing.T) {
	name, ok := os.LookupEnv(killSet)
	if !ok {
		t.Skip("it is for TestKilledMidway")
	}
	left, err := strconv.Atoi(os.Getenv(killStep))
	if err != nil {
		t.Fatal(err)
	}
	before := func() {
		if left == 0 {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			if err != nil {
				t.Fatal(err)
			}
			select {} // a signal takes a moment
		}
		left--
	}
	rename, remove := disk.rename, disk.remove
	disk.rename = func(from, to string) error { before(); return rename(from, to) }
	disk.remove = func(path string) error { before(); return remove(path) }
	version, name, _ := strings.Cut(name, " ")
	for _, set := range fileSets {
		if set.name == name {
			_, err = set.write[len(version)-1](os.Getenv(killDir))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// killedMidway starts a process that writes a set over what is in dir, and reports
// whether it came to the step at which it is killed.
func killedMidway(t *testing.T, set string, dir string, step int) bool {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestKilledHere$")
	c.Env = append(os.Environ(), killSet+"="+set, killDir+"="+dir, killStep+"="+strconv.Itoa(step))
	out, err := c.CombinedOutput()
	if err != nil && c.ProcessState.Exited() {
		t.Fatalf("%v\n%s", err, out)
	}
	return err != nil
}

// TestKilledMidway: at whichever step a process is killed while it writes results over
// those of another run, every file is whole, one of the two; if the main file is new,
// all are; if any is new and the main file is not, a temporary file tells; and the next
// run leaves what it would have left in an empty folder.
func TestKilledMidway(t *testing.T) {
	for _, set := range fileSets {
		for from, to := range []int{1, 0} {
			t.Run(set.name+strconv.Itoa(from), func(t *testing.T) {
				t.Parallel()
				want := [2]map[string]string{}
				for i, write := range set.write {
					dir := t.TempDir()
					if _, err := write(dir); err != nil {
						t.Fatal(err)
					}
					want[i] = readAll(t, dir)
				}
				stride := 1
				if testing.Short() {
					stride = 8
				}
				steps := 0
				for step := 0; ; step += stride {
					dir := t.TempDir()
					fill(t, dir, want[from])
					if !killedMidway(t, strings.Repeat("v", to+1)+" "+set.name, dir, step) {
						break
					}
					steps++
					checkKilled(t, set.main, want[from], want[to], readAll(t, dir))
					if _, err := set.write[to](dir); err != nil {
						t.Fatal(err)
					}
					if got := readAll(t, dir); !sameFiles(got, want[to]) {
						t.Errorf("killed at step %d and run again: %q", step, listDir(t, dir))
					}
				}
				if least := len(want[to]) / stride; steps < least {
					t.Errorf("killed %d times, but there are %d files", steps, len(want[to]))
				}
			})
		}
	}
}

// checkKilled holds what a killed process left against what was there and what it wrote.
func checkKilled(t *testing.T, main string, old, new, got map[string]string) {
	t.Helper()
	var olds, news, temps []string
	for name, text := range got {
		was, before := old[name]
		is, after := new[name]
		switch {
		case before && text == was && !(after && was == is):
			olds = append(olds, name)
		case after && text == is && !(before && was == is):
			news = append(news, name)
		case before && after && text == is: // the same in both
		case tempName.MatchString(name):
			temps = append(temps, name)
		default:
			t.Errorf("%s is of neither version", name)
		}
	}
	for name := range old {
		if _, ok := got[name]; !ok {
			if _, after := new[name]; after {
				t.Errorf("%s is missing", name)
			}
			news = append(news, "no "+name)
		}
	}
	if got[main] == new[main] && len(olds) > 0 {
		t.Errorf("%s is new, others are old: %q", main, olds)
	}
	if len(news) > 0 && len(olds) > 0 && len(temps) == 0 {
		t.Errorf("nothing tells that some files are new and others old: %q, %q", news, olds)
	}
}

func fill(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func sameFiles(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for name, text := range a {
		if other, ok := b[name]; !ok || text != other {
			return false
		}
	}
	return true
}

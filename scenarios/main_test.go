package scenarios

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"stowage/sim"
)

// No run, however it ends, may leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// parsed reads a scenario that needs no files.
func parsed(t testing.TB, text string) *Scenario {
	t.Helper()
	s, err := Parse(filepath.Join(t.TempDir(), "x.toml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, s *Scenario) *sim.Result {
	t.Helper()
	r, err := s.Run(context.Background(), "test")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// unresolved is what came out of a run, without what was asked for.
func unresolved(r *sim.Result) *sim.Result {
	other := *r
	other.Resolved = ""
	return &other
}

func metric(t testing.TB, r *sim.Result, name string) float64 {
	t.Helper()
	m, ok := r.Metrics.Get(name)
	if !ok {
		t.Fatalf("no metric %s in %+v", name, r.Metrics)
	}
	return m.Value
}

// shared returns a folder of the measured data that stands beside the repository,
// and skips the test where there is none.
func shared(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("the repository is not there")
		}
		dir = up
	}
	path := filepath.Join(dir, "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("shared/data/%s is not there", name)
	}
	return path
}

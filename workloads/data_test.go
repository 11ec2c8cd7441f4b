package workloads

import (
	"os"
	"path/filepath"
	"testing"
)

// sharedFile reads a file of the data folder that stands beside the repository
// on some machines, and skips the test where it does not.
func sharedFile(t testing.TB, parts ...string) []byte {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data")
		if _, err := os.Stat(data); err == nil {
			content, err := os.ReadFile(filepath.Join(append([]string{data}, parts...)...))
			if err != nil {
				t.Fatal(err)
			}
			return content
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Skip("shared/data is not there")
		}
		dir = parent
	}
}

package lookups

import (
	"os"
	"path/filepath"
	"testing"
)

// sharedData returns the path of a file in the data folder that stands beside the
// repository on some machines, and skips the test where it does not.
func sharedData(t testing.TB, parts ...string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		data := filepath.Join(dir, "shared", "data")
		if info, err := os.Stat(data); err == nil && info.IsDir() {
			return filepath.Join(append([]string{data}, parts...)...)
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Skip("shared/data is not there")
		}
		dir = up
	}
}

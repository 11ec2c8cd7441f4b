package lookups

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// TestCSVField: records without quotes are cut like those with quotes.
func TestCSVField(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(`[a,1 ]*`).Draw(t, "line")
		f := csvFormat{column: rapid.IntRange(0, 4).Draw(t, "column")}
		got, n, err := f.field([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		fields, err := splitCSV(nil, []byte(line))
		if err != nil || n != len(fields) {
			t.Fatalf("%q: %d fields, want %d (%v)", line, n, len(fields), err)
		}
		if f.column < n && fmt.Sprintf("%q", got) != fmt.Sprintf("%q", fields[f.column]) {
			t.Fatalf("%q: field %d is %q, want %q", line, f.column, got, fields[f.column])
		}
		if f.column >= n && got != nil {
			t.Fatalf("%q: field %d is %q, but there are %d", line, f.column, got, n)
		}
	})
}

package reports

import (
	"bytes"
	"strings"
	"testing"

	"stowage/sim"
)

func TestSummaryWarnings(t *testing.T) {
	long := strings.Repeat("micro-batch 3 is outside the measured batches ", 6)
	r := &sim.Result{Scenario: "x", Warnings: []string{"short\x1b[31m", long}}
	var b bytes.Buffer
	if err := Summary(&b, r, 72); err != nil {
		t.Fatal(err)
	}
	out := b.String()
	if !strings.Contains(out, "note: short") || strings.Contains(out, "\x1b") {
		t.Errorf("the short warning is missing or not cleaned:\n%q", out)
	}
	if got := strings.Count(strings.Join(strings.Fields(out), " "), "outside the measured batches"); got != 6 {
		t.Errorf("the long warning is cut: %d of 6 parts\n%s", got, out)
	}
	for _, line := range strings.Split(out, "\n") {
		if len([]rune(line)) > 72 {
			t.Errorf("line of %d cells: %q", len([]rune(line)), line)
		}
	}
}

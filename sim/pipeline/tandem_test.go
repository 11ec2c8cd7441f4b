package pipeline

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTandem compares rows of resources with the recurrence that they stand for, micro-batch
// by micro-batch.
func TestTandem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.IntRange(1, 300).Draw(t, "microbatches")
		time := rapid.OneOf(rapid.Int64Range(0, 4), rapid.Int64Range(0, 1e6))
		var row tandem
		for range 2 { // the second time on what the first has left
			row.begin(m)
			arrived := make([]int64, m)
			for range rapid.IntRange(1, 40).Draw(t, "resources") {
				free, service := time.Draw(t, "free"), time.Draw(t, "service")
				end := free
				for j := range arrived {
					end = max(end, arrived[j]) + service
					arrived[j] = end
				}
				if got := row.then(free, service); got != end {
					t.Fatalf("the last of %d leaves at %d, want %d", m, got, end)
				}
			}
		}
	})
}

package scenarios

import (
	"fmt"
	"math"
	"testing"
)

// TestStepOverhead: what hosts have devices wait between steps is added to each, to the
// nanosecond, in events and in the recurrence, whatever the stages and the schedule.
func TestStepOverhead(t *testing.T) {
	for _, schedule := range []string{"gpipe", "1f1b", "zb-h1"} {
		for _, split := range []int{3, 5} { // one stage, two
			scheme := `"v100-16", "v100-16", "v100-16", "v100-16", "v100-16"`
			if split == 3 {
				scheme = `"v100-16", "v100-16", "v100-16", "p40", "p40"`
			}
			steps := func(overhead string) (simulated, recurrence float64) {
				s, err := Parse("x.toml", []byte(fmt.Sprintf(`
[model]
use = "nce"

[[cluster.pool]]
device = "v100-16"
count  = 1

[[cluster.pool]]
device = "p40"
count  = 1

[training]
batch        = 64
microbatches = 4
rounds       = 12
schedule     = %q
sync         = "none"
%s
[placement]
policy = "fixed"
scheme = [%s]
`, schedule, overhead, scheme)))
				if err != nil {
					t.Fatal(err)
				}
				r, err := s.Run(t.Context(), "test")
				if err != nil {
					t.Fatal(err)
				}
				warm, _ := r.Metrics.Get("warm_throughput")
				exact, _ := r.Metrics.Get("recurrence_throughput")
				return 64 / warm.Value, 64 / exact.Value
			}
			const overhead = 3e-3
			without, exact := steps("")
			with, exactly := steps(`step_overhead = "3 ms"`)
			if math.Abs(with-without-overhead) > 2e-9 || math.Abs(exactly-exact-overhead) > 2e-9 {
				t.Errorf("%s, %d layers in front: simulated %v s more, by recurrence %v; want %v", schedule, split, with-without, exactly-exact, overhead)
			}
		}
	}
}

package placement

import (
	"strings"
	"testing"

	"stowage/workloads"
)

// TestNotes: a micro-batch of 4 samples on 8 devices is worth a note, on 4 it is
// not, nor where a sample stands for a measured unit of work.
func TestNotes(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "fc", FLOPs: 1e9, Params: 1 << 10, Output: 8, Stored: 8, Backward: 2, Parallel: 1}}}
	for _, c := range []struct {
		devices int
		unit    bool
		want    string
	}{{4, false, ""}, {8, false, "stage 1 (fc) shares micro-batches of 4 samples among 8 devices"}, {8, true, ""}} {
		s := spec(m, cluster(gpuPool("g", 8, 1)))
		s.Batch, s.Microbatches = 32, 8
		p := mustProblem(t, s)
		pl, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{c.devices})
		if err != nil {
			t.Fatal(err)
		}
		p.Model.Layers[0].OnlyProfiled = c.unit
		got := strings.Join(p.Notes(pl), "\n")
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%d devices: %q, want %q", c.devices, got, c.want)
		}
		p.Model.Layers[0].OnlyProfiled = false
	}
}

package placement

import (
	"strings"
	"testing"

	"stowage/hw"
	"stowage/workloads"
)

// TestNotes: a micro-batch of 4 samples on 8 devices is worth a note, on 4 it is
// not, nor where a sample stands for a measured unit of work, which more devices
// than samples may share.
func TestNotes(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "fc", FLOPs: 1e9, Params: 1 << 10, Output: 8, Stored: 8, Backward: 2, Parallel: 1}}}
	for _, c := range []struct {
		devices int
		unit    bool
		want    string
	}{{4, false, ""}, {8, false, "stage 1 (fc) shares micro-batches of 4 samples among 8 devices"}, {8, true, ""}} {
		s := spec(m, cluster(gpuPool("g", 8, 1)))
		s.Batch, s.Microbatches = 32, 8
		m.Layers[0].OnlyProfiled = c.unit
		if c.unit {
			m.Layers[0].Profiles = []workloads.Profile{{Device: "g", Points: []workloads.ProfilePoint{{Batch: 4, Forward: 1e-3, Backward: 2e-3}}}}
		}
		p := mustProblem(t, s)
		pl, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{c.devices})
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Join(p.Notes(pl), "\n")
		if (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%d devices: %q, want %q", c.devices, got, c.want)
		}
		// Time falls with devices up to the samples, and on for a unit of work.
		four, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{4})
		if err != nil {
			t.Fatal(err)
		}
		if faster := pl.Stages[0].StepTime < four.Stages[0].StepTime; faster != c.unit {
			t.Errorf("%d devices, unit %v: %v s, on 4 devices %v s", c.devices, c.unit, pl.Stages[0].StepTime, four.Stages[0].StepTime)
		}
	}
}

// TestNotesOnFormatsAndTables: a device that does not compute in the precision that is asked
// for does so in fp32, as a note says; so does one on embedding tables that several
// accelerators divide without slot tables.
func TestNotesOnFormatsAndTables(t *testing.T) {
	for _, c := range []struct {
		pool      uint8
		devices   int
		precision hw.Precision
		want      string
	}{
		{0, 2, hw.FP32, ""},
		{0, 2, hw.FP16, "stage 1 (in … fc2): c does not compute in fp16; its times are those of fp32"},
		{1, 1, hw.FP16, ""},
		{1, 2, hw.FP16, `stage 1 (in … fc2): its devices divide the tables of layer "emb"`},
	} {
		s := spec(clickModel(), cluster(cpuPool("c", 8, 0.5), gpuPool("g", 8, 3)))
		s.Precision = c.precision
		delete(s.Cluster.Pools[0].Device.Peak, hw.FP16)
		p := mustProblem(t, s)
		sc := make(Scheme, len(s.Model.Layers))
		for l := range sc {
			sc[l] = c.pool
		}
		pl, err := NewEvaluator(p).PlanDevices(sc, []int{c.devices})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Notes(pl), "\n"); (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// TestNotesOnManyReplicas: Amdahl's law is worth a note where it decides, and replicas are
// not timed by themselves.
func TestNotesOnManyReplicas(t *testing.T) {
	m := &workloads.Model{Layers: []workloads.Layer{{Name: "fc", FLOPs: 1e9, Params: 1 << 10, Output: 8, Stored: 8, Backward: 2}}}
	for _, c := range []struct {
		devices, replicaBatch int
		parallel              float64
		want                  string
	}{
		{16, 0, -1, ""},
		{17, 0, -1, "stage 1 (fc): of what its 17 replicas do, 98 % is divided among them (Amdahl's law, an estimate for g)"},
		{17, 0, 0.9, ""}, // the model's own figure
		{17, 1, -1, ""},
	} {
		s := spec(m, cluster(gpuPool("g", 32, 1)))
		s.Batch, s.Microbatches, s.ReplicaBatch = 128, 4, c.replicaBatch
		m.Layers[0].Parallel, s.Cluster.Pools[0].Device.Parallel = c.parallel, 0.98
		p := mustProblem(t, s)
		pl, err := NewEvaluator(p).PlanDevices(Scheme{0}, []int{c.devices})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(p.Notes(pl), "\n"); (c.want == "") != (got == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

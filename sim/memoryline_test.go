package sim

import (
	"testing"

	"pgregory.net/rapid"

	"stowage/hw/unit"
	"stowage/sim/placement"
)

// In a chain of stages with one segment each, the most that devices hold in a warm step
// is what the closed form says: its window of micro-batches. Stages of several segments
// hold no more, since their segments need not be full at the same time, nor do stages
// that others do not keep from being steps ahead. Without a flush passes may be over when
// the last gradients are still being synchronised.
func TestMemoryPeakIsTheWindow(t *testing.T) {
	several := 0
	rapid.Check(t, func(t *rapid.T) {
		chain := rapid.Bool().Draw(t, "chain")
		job := randomJob(t, carrying, chain, 3)
		job.Rounds += 2 * (1 + job.Problem.Schedule.Staleness)
		job.Record = RecordStep
		run, err := Train(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		pipe, _, err := job.Problem.Pipeline(job.Plan)
		if err != nil {
			t.Fatal(err)
		}
		if len(pipe.Segments) > pipe.Stages {
			several++
		}
		if len(run.Timeline.Memory) != pipe.Stages {
			t.Fatalf("memory of %d stages, want %d", len(run.Timeline.Memory), pipe.Stages)
		}
		for i := range run.Timeline.Memory {
			m := &run.Timeline.Memory[i]
			claim := job.Plan.Stages[i].Memory.Activations
			peak, both := m.Peak()
			rounding := unit.Bytes(len(pipe.Segments) + 1)
			if peak > claim+rounding || both < peak {
				t.Fatalf("%s: stage %d holds %v of activations, %v with buffers, the closed form says %v", pipe.Schedule.Name, i, peak, both, claim)
			}
			full := chain && !pipe.ForwardOnly && len(pipe.Segments) == pipe.Stages && (pipe.Schedule.Staleness == 0 || pipe.Microbatches > pipe.Stages && job.Problem.Recompute == "" && job.Problem.Sync == placement.NoSync)
			if full && peak < claim-rounding {
				t.Fatalf("%s: stage %d holds at most %v of activations, the closed form says %v", pipe.Schedule.Name, i, peak, claim)
			}
			for k, p := range m.Points {
				if p.Activations < 0 || p.Buffers < 0 || p.At < run.Timeline.From || p.At >= run.Timeline.To || k > 0 && p.At < m.Points[k-1].At {
					t.Fatalf("stage %d: point %d is %+v in a step from %v to %v", i, k, p, run.Timeline.From, run.Timeline.To)
				}
			}
		}
	})
	if several == 0 && !testing.Short() {
		t.Error("no stage had several segments")
	}
}

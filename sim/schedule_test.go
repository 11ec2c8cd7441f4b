package sim

import (
	"strings"
	"testing"

	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/slots"
)

// A schedule without a flush cannot have rows in slots.
func TestNoFlushWithSlots(t *testing.T) {
	job := embedded(t, traceOf(t, 100, 2, []uint32{1, 2, 3, 4}), slots.Config{}, 1, 1000)
	spec := job.Problem.Spec
	spec.Schedule, _ = pipeline.LookupSchedule("async")
	p, err := placement.NewProblem(spec)
	if err != nil {
		t.Fatal(err)
	}
	job.Problem = p
	if _, err := Train(t.Context(), job); err == nil || !strings.Contains(err.Error(), `schedule "async" does not flush`) {
		t.Errorf("Train = %v, want a complaint", err)
	}
}

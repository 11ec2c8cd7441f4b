package scenarios

import (
	"slices"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// Limits of section training.
const (
	MaxBatch  = 1 << 30
	MaxRounds = 1 << 24
)

func (b *builder) training() {
	t, p := &b.f.Training, &b.sc.Problem
	at := func(key string) spec.Path { return spec.Path{"training", key} }
	if !b.doc.Has(at("batch")) {
		b.missing(at("batch"), "samples per training round, e.g. 4096")
	} else if t.Batch < 1 || t.Batch > MaxBatch {
		b.fail(at("batch"), "%d: from 1 to MaxBatch = %d samples", t.Batch, MaxBatch)
	} else if t.Microbatches >= 1 && t.Batch%t.Microbatches != 0 {
		b.fail(at("batch"), "%d is no multiple of microbatches = %d", t.Batch, t.Microbatches)
	}
	if t.Microbatches < 1 || t.Microbatches > 1<<20 {
		b.fail(at("microbatches"), "%d: from 1 to 2^20", t.Microbatches)
	}
	if t.Rounds < 1 || t.Rounds > MaxRounds {
		b.fail(at("rounds"), "%d: from 1 to MaxRounds = %d", t.Rounds, MaxRounds)
	}
	if b.doc.Has(at("samples")) && t.Samples < 1 {
		b.fail(at("samples"), "%d: the samples of the whole training run, at least 1", t.Samples)
	}
	p.Samples = float64(t.Samples)
	if !(t.CommParallel >= 0 && t.CommParallel <= 1) {
		b.fail(at("comm_parallel"), "%v: a number from 0 to 1", t.CommParallel)
	}
	s, ok := pipeline.LookupSchedule(t.Schedule)
	if !ok {
		b.oneOf(at("schedule"), t.Schedule, pipeline.ScheduleNames())
	}
	if b.doc.Has(at("staleness")) {
		b.staleness(at("staleness"), &s)
	}
	b.oneOf(at("precision"), t.Precision, []string{"fp64", "fp32", "tf32", "bf16", "fp16", "fp8", "int8"})
	b.oneOf(at("optimizer"), t.Optimizer, []string{"sgd", "momentum", "adagrad", "adam"})
	b.oneOf(at("sync"), t.Sync, []string{"ring", "ps", "none"})
	p.Batch, p.Microbatches, p.Schedule, p.Inference = t.Batch, t.Microbatches, s, t.Inference
	p.Precision, p.Optimizer = hw.Precision(t.Precision), placement.Optimizer(t.Optimizer)
	if t.Collective != "" {
		names := make([]string, 0, 4)
		for _, a := range network.Algorithms() {
			names = append(names, string(a))
		}
		b.oneOf(at("collective"), t.Collective, names)
		if t.Sync != string(placement.Ring) {
			b.fail(at("collective"), "%q: collectives are for sync = %q, not %q", t.Collective, placement.Ring, t.Sync)
		}
	}
	p.Collective = network.Algorithm(t.Collective)
	p.Sync, p.CommParallel = placement.Sync(t.Sync), t.CommParallel
	b.inParts(at)
	b.sc.Rounds = t.Rounds
}

// MaxStaleness bounds training.staleness.
const MaxStaleness = 1 << 10

// staleness sets how many steps old the weights of a schedule without a flush may be.
func (b *builder) staleness(path spec.Path, s *pipeline.Schedule) {
	t := &b.f.Training
	if s.Name != "" && s.Staleness == 0 {
		b.fail(path, `schedule %q flushes every step: staleness goes with schedule = "async"`, s.Name)
		return
	}
	if t.Staleness < 1 || t.Staleness > MaxStaleness {
		b.fail(path, `%d: from 1 to MaxStaleness = %d steps; steps that see all updates are those of schedule = "1f1b"`, t.Staleness, MaxStaleness)
	}
	s.Staleness = t.Staleness
}

// oneOf complains about a value that is none of the known ones.
func (b *builder) oneOf(path spec.Path, value string, known []string) bool {
	if slices.Contains(known, value) {
		return true
	}
	b.fail(path, "unknown value %q%s", value, accepted(value, known))
	return false
}

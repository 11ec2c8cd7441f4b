package scenarios

import (
	"stowage/hw/spec"
	"stowage/sim/placement"
)

// flush checks that a schedule that does not flush has what it needs.
func (b *builder) flush() {
	s, path := b.sc.Problem.Schedule, spec.Path{"training", "schedule"}
	if s.Staleness == 0 {
		return
	}
	if m := b.sc.Problem.Merge; m != placement.Contiguous {
		b.fail(path, "%q does not flush: stages need one run of layers each, merge = %q, not %q", s.Name, placement.Contiguous, m)
	}
	if b.f.Slots != nil {
		b.fail(path, "%q does not flush, and rows in slots belong to the rounds that use them: leave out [slots], or take a schedule that flushes", s.Name)
	}
}

// chunks checks that a fixed scheme gives every stage as many chunks as the scenario
// says: they are the runs of layers that a pool has.
func (b *builder) chunks() {
	path, want := spec.Path{"training", "chunks"}, b.f.Training.Chunks
	if !b.doc.Has(path) {
		return
	}
	switch p := &b.sc.Problem; {
	case !p.Schedule.Chunked:
		b.fail(path, `it goes with schedule = "interleaved" only, this is %q`, p.Schedule.Name)
		return
	case b.f.Placement.Policy != "fixed":
		b.fail(path, `it checks the scheme of policy = "fixed"; a search decides itself how many chunks stages have`)
		return
	case want < 1:
		b.fail(path, "%d: the chunks of every stage, at least 1", want)
		return
	case want > 1 && p.Merge == placement.Contiguous:
		b.fail(path, "%d: with merge = %q every run of layers is a stage of its own; with merge = %q the runs of a pool are the chunks of its stage", want, placement.Contiguous, placement.ByType)
		return
	}
	runs := map[uint8]int{}
	scheme := b.sc.Search.Scheme
	for l, t := range scheme {
		if l == 0 || scheme[l-1] != t {
			runs[t]++
		}
	}
	for l, t := range scheme {
		if b.sc.Problem.Merge != placement.Contiguous && runs[t] != want {
			b.fail(spec.Path{"placement", "scheme", l}, "pool %q has %d runs of layers: with chunks = %d it needs as many", b.sc.Cluster.Pools[t].Name, runs[t], want)
			return
		}
	}
}

package scenarios

import (
	"errors"
	"slices"
	"strings"

	"stowage/hw/spec"
	"stowage/sim/slots"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

// embedding reads the sections lookups and slots.
func (b *builder) embedding() {
	if b.sc.Model == nil {
		return
	}
	sparse := 0
	var rows int64
	for i := range b.sc.Model.Layers {
		if l := &b.sc.Model.Layers[i]; l.Sparse() {
			sparse++
			rows = l.Rows()
		}
	}
	if sparse == 0 {
		for _, key := range []string{"lookups", "slots"} {
			if b.doc.Has(spec.Path{key}) {
				b.fail(spec.Path{key}, "the model %s has no embedding layer", b.sc.Model.Name)
			}
		}
		return
	}
	if b.f.Slots != nil {
		b.slots()
		b.perRound()
		if b.f.Lookups == nil {
			b.missing(spec.Path{"lookups"}, `a section that says how rows are looked up, e.g. generator = "zipf", alpha = 1.05`)
			return
		}
	}
	if b.f.Lookups != nil {
		b.lookups(sparse, rows)
	}
}

// perRound checks that a round's lookups stay within what a trace can hold.
func (b *builder) perRound() {
	batch := int64(b.f.Training.Batch)
	if batch < 1 || batch > MaxBatch {
		return
	}
	for _, l := range sparseLayers(b.sc.Model) {
		layer := &b.sc.Model.Layers[l]
		n := int64(lookupsPerSample(layer))
		if n > lookups.MaxRoundLookups/batch {
			b.fail(spec.Path{"training", "batch"}, "%d: with %d lookups a sample in layer %q, at most MaxRoundLookups / %d = %d samples a round",
				batch, n, layer.Name, n, lookups.MaxRoundLookups/n)
		}
	}
}

func (b *builder) lookups(sparse int, rows int64) {
	f := b.f.Lookups
	at := func(key string) spec.Path { return spec.Path{"lookups", key} }
	s := &lookups.Spec{Generator: f.Generator, Alpha: f.Alpha, Scatter: f.Scatter, Wrap: f.Wrap}
	if f.Generator == "" {
		b.missing(at("generator"), "one of "+strings.Join(lookups.Generators(), ", "))
		return
	}
	if f.Drift != nil {
		s.Drift = lookups.Drift{Rows: float64(f.Drift.Rows), Lookups: float64(f.Drift.Lookups), Move: f.Drift.Move}
	}
	if f.Generator == lookups.Traced {
		if !b.traceKeys(s, f, sparse, rows) {
			return
		}
	} else if b.traceOnly(lookups.Generators()) {
		return
	}
	if !b.histogram(s, f) {
		return
	}
	if err := s.Validate(); err != nil {
		var se *lookups.SpecError
		if errors.As(err, &se) {
			if se.Key == "keys" { // they come from the file
				se.Key = "file"
			}
			if se.Key == "histogram" && f.Histogram == "" {
				se.Key = "bin"
			}
			path := spec.Path{"lookups"}
			for step := range strings.SplitSeq(se.Key, ".") {
				path = append(path, step)
			}
			b.fail(path, "%s: %s", se.Value, se.Want)
		} else {
			b.fail(spec.Path{"lookups"}, "%v", err)
		}
		return
	}
	b.sc.Lookups = s
}

// traceOnly refuses keys of trace files beside one of the known generators that
// draw; of an unknown generator nothing can be said.
func (b *builder) traceOnly(known []string) (refused bool) {
	for _, key := range []string{"file", "format", "column"} {
		if key == "file" && b.f.Lookups.Generator == lookups.Reused {
			continue
		}
		if at := (spec.Path{"lookups", key}); slices.Contains(known, b.f.Lookups.Generator) && b.doc.Has(at) {
			b.fail(at, "it goes with generator = %q only", lookups.Traced)
			refused = true
		}
	}
	return refused
}

func (b *builder) traceKeys(s *lookups.Spec, f *lookupFile, sparse int, rows int64) bool {
	at := func(key string) spec.Path { return spec.Path{"lookups", key} }
	if f.File == "" {
		b.missing(at("file"), "the path of a trace file")
		return false
	}
	if sparse > 1 {
		b.fail(at("file"), "a trace holds the keys of one embedding layer; the model %s has %d", b.sc.Model.Name, sparse)
		return false
	}
	if f.Format != "" && !b.oneOf(at("format"), lookups.FormatName(f.Format), lookups.Formats()) {
		return false
	}
	keys, _, err := lookups.LoadKeys(b.resolve(f.File), lookups.FileOptions{Format: f.Format, Column: f.Column}, rows)
	if err != nil {
		b.fail(at("file"), "%v", err)
		return false
	}
	s.Keys = keys
	return true
}

func replacementNames() []string {
	var names []string
	for _, p := range slots.Policies() {
		names = append(names, p.Name)
	}
	return names
}

// sparseLayers returns the indices of a model's embedding layers.
func sparseLayers(m *workloads.Model) []int {
	var ls []int
	for i := range m.Layers {
		if m.Layers[i].Sparse() {
			ls = append(ls, i)
		}
	}
	return ls
}

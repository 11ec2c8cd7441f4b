package scenarios

import (
	"strings"

	"stowage/hw/spec"
	"stowage/workloads/lookups"
)

// histogram fills in the reuse histogram: a shipped one by its name, a section of a
// file, or the bins themselves.
func (b *builder) histogram(s *lookups.Spec, f *lookupFile) (ok bool) {
	at := func(key string) spec.Path { return spec.Path{"lookups", key} }
	if f.Generator != lookups.Reused {
		ok = true
		for _, key := range []string{"histogram", "samples", "bin"} {
			if b.doc.Has(at(key)) {
				b.fail(at(key), "it goes with generator = %q only", lookups.Reused)
				ok = false
			}
		}
		return ok
	}
	switch {
	case len(f.Bins) > 0:
		return b.inlineHistogram(s, f)
	case b.doc.Has(at("samples")):
		b.fail(at("samples"), "it goes with bins only: published histograms have their own")
		return false
	case f.File != "":
		h, err := lookups.LoadHistogram(b.resolve(f.File), f.Histogram)
		if err != nil {
			b.fail(at("file"), "%v", err)
			return false
		}
		s.Histogram = h
		return true
	case f.Histogram == "":
		b.missing(at("histogram"), "one of "+strings.Join(lookups.HistogramNames(), ", ")+", a file of published statistics, or bins")
		return false
	}
	s.Histogram = lookups.NamedHistogram(f.Histogram)
	return b.oneOf(at("histogram"), f.Histogram, lookups.HistogramNames())
}

func (b *builder) inlineHistogram(s *lookups.Spec, f *lookupFile) (ok bool) {
	ok = true
	for _, key := range []string{"file", "histogram"} {
		if at := (spec.Path{"lookups", key}); b.doc.Has(at) {
			b.fail(at, "it does not go with bins: leave one of them out")
			ok = false
		}
	}
	h := &lookups.Histogram{Name: "bins of the scenario", Samples: f.Samples}
	for _, bin := range f.Bins {
		h.Bins = append(h.Bins, lookups.Bin{
			Above: bin.Above, UpTo: bin.UpTo, Rows: float64(bin.Rows), Lookups: float64(bin.Lookups),
		})
	}
	s.Histogram = h
	return ok
}

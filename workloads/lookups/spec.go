package lookups

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stowage/hw/unit"
)

// The generators, by the name that Spec.Generator takes.
const (
	Uniform  = "uniform"   // every row of a table is equally likely
	Zipf     = "zipf"      // bounded Zipf with exponent Alpha, rank 0 hottest
	Drifting = "drift"     // a hot set that moves from round to round
	Traced   = "trace"     // the keys of a trace file, in order
	Reused   = "histogram" // rows as popular as a published reuse histogram says
)

// Generators lists the names that Spec.Generator takes.
func Generators() []string { return []string{Uniform, Zipf, Drifting, Traced, Reused} }

// Spec says how the lookups of one embedding layer are drawn. It is plain data
// and never changes; streams made from it share its Keys.
type Spec struct {
	// Generator is one of Generators().
	Generator string

	// Alpha is the exponent of the bounded Zipf density, >= 0: the k-th hottest
	// row is looked up in proportion to about k^-Alpha. 0 is uniform. For the
	// drift generator it is the skew inside the hot set.
	Alpha float64

	// Drift shapes the hot set of the drift generator.
	Drift Drift

	// Histogram is that of the histogram generator. Every table gets rows of its
	// popularity, as many as its lookups per sample ask for: the published
	// histograms are of many tables, and a table with a thousandth of their lookups
	// has a thousandth of their rows, looked up as often. Popularity stays from
	// round to round, and every lookup draws from it: at the batch of the histogram,
	// a round's counts follow it, and smaller batches find less to share.
	//
	// A table with more rows than the histogram touches has the others in the tail
	// of rows that come rarely; what is beyond some 1000 times as many is never
	// looked up. With fewer than twice as many, its coldest rows are missing and
	// rows are shared more.
	Histogram *Histogram

	// Scatter spreads the ranks over the rows of a table by a fixed bijection,
	// so that hot rows are not neighbours. Off: row = rank, hot rows first.
	// The trace generator takes its keys as they are.
	Scatter bool

	// Keys are the lookups of the trace generator, each below the number of
	// rows of the layer. LoadKeys reads them from a file.
	Keys []uint32

	// Wrap starts the trace again when it ends; otherwise the stream ends.
	Wrap bool
}

// Drift describes a hot set that moves. All figures are per table.
type Drift struct {
	Rows    float64 // share of the rows that are hot, in (0, 1]; at least one row is
	Lookups float64 // share of the lookups that go to the hot set, in [0, 1]
	Move    int64   // rows that leave the hot set per round, as many enter; at most all of them
}

// SpecError is a wrong value in a Spec.
type SpecError struct {
	Key   string // generator, alpha, drift.rows, drift.lookups, drift.move, scatter, wrap, keys or histogram
	Value string // as given
	Want  string // what would have been accepted
}

func (e *SpecError) Error() string {
	return fmt.Sprintf("%s = %s: %s", e.Key, e.Value, e.Want)
}

// Validate returns a *SpecError for the first key whose value is not accepted.
// A key that the generator does not use must be left at its zero value.
func (s Spec) Validate() error {
	if !slices.Contains(Generators(), s.Generator) {
		want := "want one of " + strings.Join(Generators(), ", ")
		if near := unit.Nearest(s.Generator, Generators()); near != "" {
			want += "; did you mean " + near + "?"
		}
		return &SpecError{"generator", strconv.Quote(s.Generator), want}
	}
	if err := s.unused(); err != nil {
		return err
	}
	if !(s.Alpha >= 0) || math.IsInf(s.Alpha, 0) {
		return &SpecError{"alpha", number(s.Alpha), "want a finite number >= 0"}
	}
	switch s.Generator {
	case Drifting:
		return s.Drift.validate()
	case Traced:
		if len(s.Keys) == 0 {
			return &SpecError{"keys", "none", "the trace generator wants at least one key"}
		}
	case Reused:
		if s.Histogram == nil {
			return &SpecError{"histogram", "none", "the histogram generator wants one"}
		}
		return s.Histogram.validate()
	}
	return nil
}

// unused refuses values that the generator would silently ignore.
func (s Spec) unused() error {
	skewed := s.Generator == Zipf || s.Generator == Drifting
	if s.Alpha != 0 && !skewed {
		return &SpecError{"alpha", number(s.Alpha), "only the generators zipf and drift take it"}
	}
	if s.Drift != (Drift{}) && s.Generator != Drifting {
		return &SpecError{"drift", fmt.Sprintf("%+v", s.Drift), "only the generator drift takes it"}
	}
	if s.Scatter && !skewed && s.Generator != Reused {
		return &SpecError{"scatter", "true", "only the generators zipf, drift and histogram take it"}
	}
	if s.Histogram != nil && s.Generator != Reused {
		return &SpecError{"histogram", strconv.Quote(s.Histogram.Name), "only the generator histogram takes it"}
	}
	if s.Wrap && s.Generator != Traced {
		return &SpecError{"wrap", "true", "only the generator trace takes it"}
	}
	if len(s.Keys) > 0 && s.Generator != Traced {
		return &SpecError{"keys", strconv.Itoa(len(s.Keys)) + " keys", "only the generator trace takes them"}
	}
	return nil
}

func (d Drift) validate() error {
	if !(d.Rows > 0 && d.Rows <= 1) {
		return &SpecError{"drift.rows", number(d.Rows), "want the share of rows that are hot, above 0 and at most 1"}
	}
	if !(d.Lookups >= 0 && d.Lookups <= 1) {
		return &SpecError{"drift.lookups", number(d.Lookups), "want the share of lookups that go to the hot set, from 0 to 1"}
	}
	if d.Move < 0 {
		return &SpecError{"drift.move", strconv.FormatInt(d.Move, 10), "want the rows that leave the hot set per round, >= 0"}
	}
	return nil
}

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

package sim

import "math"

// Expectation is what a source says a metric is.
type Expectation struct {
	Metric string  // of MetricKinds
	Value  float64 // in the metric's unit
	Within float64 // how far off is allowed, as a share of the value
	Source string

	// KnownGap says that the model does not reach it: it must miss, so that a gap that
	// was closed is noticed.
	KnownGap bool
}

// Expected is an expectation and what was predicted.
type Expected struct {
	Expectation
	Unit      string
	Predicted float64 // NaN: the run does not have the metric
	Verdict   ExpectVerdict
}

// ExpectVerdict is how an expectation came out.
type ExpectVerdict string

// The verdicts. The last three fail.
const (
	Met       ExpectVerdict = "met"
	KnownMiss ExpectVerdict = "known gap"
	Missed    ExpectVerdict = "missed"
	GapClosed ExpectVerdict = "gap closed" // a known gap that is met
	NoFigure  ExpectVerdict = "no figure"  // the run does not have the metric
)

// Failed reports whether the expectation came out other than the scenario says.
func (e *Expected) Failed() bool { return e.Verdict != Met && e.Verdict != KnownMiss }

// Error is how far off the prediction is, as a share of the reference; NaN: there is no
// prediction.
func (e *Expected) Error() float64 {
	if e.Predicted == e.Value {
		return 0
	}
	return (e.Predicted - e.Value) / math.Abs(e.Value)
}

// Expect judges expectations by the metrics of a run.
func Expect(all []Expectation, metrics Metrics) []Expected {
	var out []Expected
	for _, e := range all {
		one := Expected{Expectation: e, Predicted: math.NaN(), Verdict: NoFigure}
		if m, ok := metrics.Get(e.Metric); ok {
			one.Predicted, one.Unit = m.Value, m.Unit
			one.Verdict = e.verdict(m.Value)
		}
		out = append(out, one)
	}
	return out
}

func (e *Expectation) verdict(predicted float64) ExpectVerdict {
	const rounding = 1e-12 // of the multiplication; so that within = 0 means equal
	met := math.Abs(predicted-e.Value) <= (e.Within+rounding)*math.Abs(e.Value)
	switch {
	case met && e.KnownGap:
		return GapClosed
	case met:
		return Met
	case e.KnownGap:
		return KnownMiss
	}
	return Missed
}

package scenarios

import (
	"context"
	"strings"

	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/sim"
)

// expectFile is an entry [[expect]]: what a source says a metric is.
type expectFile struct {
	Metric   string     `toml:"metric"`    // as in result.json
	Value    float64    `toml:"value"`     // in the metric's unit
	Within   unit.Ratio `toml:"within"`    // how far off is allowed, a share of the value
	Source   string     `toml:"source"`    // where the value is from
	KnownGap bool       `toml:"known_gap"` // the model does not reach it: it must miss
}

// expectations reads the entries [[expect]].
func (b *builder) expectations() {
	known := metricNames()
	for i := range b.f.Expect {
		e := &b.f.Expect[i]
		at := func(key string) spec.Path { return spec.Path{"expect", i, key} }
		if !b.doc.Has(at("metric")) {
			b.missing(at("metric"), "the name of a metric of result.json, e.g. \"throughput\"")
		} else {
			b.oneOf(at("metric"), e.Metric, known)
		}
		if !b.doc.Has(at("value")) {
			b.missing(at("value"), "what the source says, in the metric's unit")
		} else if e.Value == 0 {
			b.fail(at("value"), "0: how far off a prediction is, is a share of the value")
		}
		if !b.doc.Has(at("within")) {
			b.missing(at("within"), `how far off is allowed, e.g. "5 %"`)
		} else if e.Within >= 1 {
			b.fail(at("within"), `"%v": from 0 to below 100 %%`, e.Within)
		}
		if strings.TrimSpace(e.Source) == "" {
			b.missing(at("source"), "where the value is from: paper and table, or repository, commit and file")
		}
		b.sc.Expect = append(b.sc.Expect, sim.Expectation{Metric: e.Metric, Value: e.Value, Within: float64(e.Within), Source: e.Source, KnownGap: e.KnownGap})
	}
}

// metricNames are the metrics that a run can have.
func metricNames() []string {
	var names []string
	for _, k := range sim.MetricKinds {
		names = append(names, k.Name)
	}
	return names
}

// Check runs the experiment, without sweep and questions, and says what became of its
// expectations. Errors are those of Run; when no scheme fits, no expectation has a figure
// and the error says why.
func (s *Scenario) Check(ctx context.Context, version string) ([]sim.Expected, error) {
	one := *s
	one.Sweep, one.WhatIf = nil, nil
	r, err := one.Run(ctx, version)
	if err != nil {
		return sim.Expect(s.Expect, nil), err
	}
	return sim.Expect(s.Expect, r.Metrics), nil
}

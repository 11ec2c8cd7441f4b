package sim

import (
	"slices"
	"strings"
	"testing"
)

// Every metric is explained, and nothing else is.
func TestEveryMetricIsExplained(t *testing.T) {
	for _, k := range MetricKinds {
		e, ok := Explain(k.Name)
		if !ok || e.Kind != k {
			t.Errorf("Explain(%q) = %+v, %v", k.Name, e, ok)
		}
		if len(e.How) < 20 || len(e.Read) < 20 || !strings.HasSuffix(e.How, ".") || !strings.HasSuffix(e.Read, ".") {
			t.Errorf("%s: an explanation is sentences on how it is computed and what to conclude: %q, %q", k.Name, e.How, e.Read)
		}
	}
	for name := range explanations {
		if !slices.ContainsFunc(MetricKinds, func(k MetricKind) bool { return k.Name == name }) {
			t.Errorf("%s is explained and is no metric", name)
		}
	}
	if _, ok := Explain("no such metric"); ok {
		t.Error("a metric that is not there is explained")
	}
}

package scenarios

import (
	"strings"
	"testing"
)

// A question that cannot be answered does not keep the others from it, and the run's
// own results are there.
func TestWhatIfAnswersTheRest(t *testing.T) {
	s := parsed(t, `
name = "rest"

[model]
use = "2emb"

[[cluster.pool]]
device = "xeon-6148"
count  = 16383 # what exact can count: a node more is one too many

[[cluster.pool]]
device = "v100-16"
count  = 8

[training]
batch        = 4096
microbatches = 4
rounds       = 1

[placement]
policy    = "exact"
objective = "cost"

[whatif.node]

[whatif.cluster]
throughput = 1000
`)
	r, err := s.Run(t.Context(), "test")
	if err == nil || !strings.HasPrefix(err.Error(), "rest: whatif.node: exact counts at most MaxExactDevices") {
		t.Errorf("error %v", err)
	}
	if r == nil || len(r.Rounds) != 1 || r.WhatIf == nil || r.WhatIf.Node != nil || r.WhatIf.Cluster == nil || r.WhatIf.Cluster.Choice.Infeasible != "" {
		t.Fatalf("result %+v", r)
	}
}

package scenarios

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// Devices that a scenario fixes are not taken when their hosts cannot hold the rows
// behind the slot tables.
func TestFixedDevicesNeedHostMemory(t *testing.T) {
	text := `name = "one"
[model]
use = "dlrm"
[[cluster.pool]]
device = "v100-16"
node = "v100-16-single"
count = 8
[training]
batch = 512
rounds = 2
optimizer = "adagrad"
[placement]
policy = "fixed"
scheme = [` + strings.Repeat(`"v100-16", `, 12) + `]
devices = [2]
[lookups]
generator = "uniform"
[slots]
capacity = "1 %"
`
	_, err := parsed(t, text).Run(context.Background(), "test")
	var inf *Infeasible
	if !errors.As(err, &inf) || !strings.Contains(inf.Reason, "embedding rows in host memory") || !strings.Contains(inf.Reason, "the 2 nodes of its 2 devices") {
		t.Fatalf("got %v", err)
	}
	s := parsed(t, strings.Replace(text, "devices = [2]", "devices = [8]", 1))
	if r := run(t, s); r.Scheme.Stages[0].Devices != 8 {
		t.Errorf("%d devices", r.Scheme.Stages[0].Devices)
	}
}

package scenarios

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

const missedFile = `
[model]
use = "vgg-16"
[[cluster.pool]]
device = "v100-16"
count = 8
[training]
batch = 64
microbatches = 2
rounds = 3
[placement]
policy = "all-gpu"
`

// A floor that the closed form keeps and the simulation, which also waits for
// gradients, does not, is told.
func TestMissedFloorIsTold(t *testing.T) {
	s, err := Parse("x.toml", []byte(missedFile))
	if err != nil {
		t.Fatal(err)
	}
	free, err := s.Run(context.Background(), "test")
	if err != nil {
		t.Fatal(err)
	}
	closed, _ := free.Metrics.Get("closed_form_throughput")
	x, _ := free.Metrics.Get("throughput")
	if len(free.Warnings) != 0 || !(x.Value < closed.Value) {
		t.Fatalf("simulated %v, closed form %v, warnings %q", x.Value, closed.Value, free.Warnings)
	}
	s.Problem.MinThroughput = (x.Value + closed.Value) / 2
	tight, err := s.Run(context.Background(), "test")
	if err != nil {
		t.Fatal(err)
	}
	if len(tight.Warnings) != 1 || !strings.Contains(tight.Warnings[0], "misses min_throughput") {
		t.Errorf("warnings %q", tight.Warnings)
	}
}

// Recording lookups, which may take minutes, ends with the context.
func TestRecordingIsInterruptible(t *testing.T) {
	s, err := Parse("x.toml", []byte(strings.Replace(missedFile, "vgg-16", "ctrdnn", 1)+
		"[lookups]\ngenerator = \"zipf\"\nalpha = 1.1\n[slots]\ncapacity = \"1 %\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	s.Rounds = 1 << 20
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := s.Run(ctx, "test"); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

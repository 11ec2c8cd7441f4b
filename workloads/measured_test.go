package workloads

import (
	"bytes"
	"math"
	"testing"
)

// The measured models are typed in from profiles: every number must be the one
// that the importer reads from the profile itself.
func TestMeasuredModels(t *testing.T) {
	vgg, err := ImportPipeDream("vgg", bytes.NewReader(sharedFile(t, "pipedream", "vgg16", "graph.txt")),
		PipeDreamOptions{Device: "v100-16", Batch: 128})
	if err != nil {
		t.Fatal(err)
	}
	bert, err := ImportPartitioning("bert", bytes.NewReader(sharedFile(t, "dnn-partitioning", "bert24_training.json")),
		PartitioningOptions{CPU: "xeon-6148", Accelerator: "v100-16"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		shipped  string
		imported *Model
	}{{"vgg-16-measured", vgg}, {"bert24-measured", bert}} {
		compareMeasured(t, lookup(t, test.shipped), test.imported)
	}
}

func compareMeasured(t *testing.T, got, want *Model) {
	t.Helper()
	if len(got.Layers) != len(want.Layers) || len(got.Edges) != len(want.Edges) {
		t.Fatalf("%s has %d layers and %d edges, its profile %d and %d", got.Name, len(got.Layers), len(got.Edges), len(want.Layers), len(want.Edges))
	}
	// Model files hold times in whole nanoseconds.
	same := func(what, layer string, a, b float64) {
		t.Helper()
		if math.Abs(a-b) > max(1e-12*math.Abs(b), 0.5001e-9) {
			t.Errorf("%s: %s of %s is %v, its profile says %v", got.Name, what, layer, a, b)
		}
	}
	for i := range want.Layers {
		g, w := &got.Layers[i], &want.Layers[i]
		if g.OnlyProfiled != w.OnlyProfiled || len(g.Profiles) != len(w.Profiles) {
			t.Fatalf("%s: layer %s: %+v, its profile says %+v", got.Name, g.Name, g, w)
		}
		same("params", g.Name, float64(g.Params), float64(w.Params))
		same("FLOPs", g.Name, g.FLOPs, w.FLOPs)
		same("output", g.Name, g.Output, w.Output)
		same("stored", g.Name, g.Stored, w.Stored)
		for j := range w.Profiles {
			a, b := g.Profiles[j].Points[0], w.Profiles[j].Points[0]
			same("batch", g.Name, float64(a.Batch), float64(b.Batch))
			same("forward time", g.Name, a.Forward, b.Forward)
			same("backward time", g.Name, a.Backward, b.Backward)
		}
	}
	for i, w := range want.Edges {
		g := got.Edges[i]
		if g.From != w.From || g.To != w.To {
			t.Fatalf("%s: edge %d goes from %d to %d, in its profile from %d to %d", got.Name, i, g.From, g.To, w.From, w.To)
		}
		same("elements out", got.Layers[g.From].Name, g.Elements, w.Elements)
		same("transfer time out", got.Layers[g.From].Name, g.Seconds, w.Seconds)
	}
}

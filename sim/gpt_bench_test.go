package sim

import (
	"fmt"
	"testing"

	"stowage/hw"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/workloads"
)

// BenchmarkGPT3 is one step of GPT-3 (96 blocks of 12 288, 2 048 tokens) on 4 096 A100s:
// 16 stages of 32 replicas of 8 devices, a batch of 1 536 in 48 micro-batches of one
// sample a replica, 1F1B, full recomputation, ZeRO's first stage, in a leaf-spine network
// of 512 nodes whose links transfers and gradients share. What it builds counts, too.
func BenchmarkGPT3(b *testing.B) {
	for _, overlap := range []bool{false, true} {
		b.Run(fmt.Sprintf("overlap=%v", overlap), func(b *testing.B) {
			b.ReportAllocs()
			var run *Run
			for b.Loop() {
				run = train(b, gpt3(b, overlap))
			}
			b.ReportMetric(float64(run.Events), "events")
			b.ReportMetric(run.End.Seconds(), "simulated-s")
		})
	}
}

// gpt3 is the job of BenchmarkGPT3.
func gpt3(t testing.TB, overlap bool) Job {
	const stages, replicas, team = 16, 32, 8
	m, err := workloads.Transformer{Layers: 96, Hidden: 12288, Heads: 96, Sequence: 2048}.Model("gpt-3")
	if err != nil {
		t.Fatal(err)
	}
	d, err := hw.LookupDevice("a100-80")
	if err != nil {
		t.Fatal(err)
	}
	node, err := hw.NodeOf(d.Name)
	if err != nil {
		t.Fatal(err)
	}
	c := &hw.Cluster{Network: hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 16, Spines: 4, Oversubscription: 2, HopLatency: hw.DefaultHopLatency}}
	var devices, tensor []int
	for i := range stages {
		c.Pools = append(c.Pools, hw.Pool{Name: fmt.Sprint("stage", i), Device: d, Host: d, Node: *node, Count: replicas * team})
		devices, tensor = append(devices, replicas*team), append(tensor, team)
	}
	scheme := make(placement.Scheme, len(m.Layers))
	for l := range scheme {
		scheme[l] = uint8(max(0, min(l-1, 95)) * stages / 96)
	}
	schedule, _ := pipeline.LookupSchedule("1f1b")
	p, err := placement.NewProblem(placement.Spec{
		Model: m, Cluster: c, Batch: 1536, Microbatches: 48, Schedule: schedule, Precision: hw.FP16, Optimizer: placement.Adam,
		Sync: placement.Ring, Collective: network.RingAlgorithm, Merge: placement.Contiguous, Objective: placement.Throughput, CommParallel: 1,
		Inside: placement.Inside{Tensor: tensor, Recompute: placement.Full, Zero: 1, OverlapSync: overlap, ReplicaBatch: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	pl, err := placement.NewEvaluator(p).PlanDevices(scheme, devices)
	if err != nil || !pl.Fitness.Feasible {
		t.Fatal(err, pl.Reason)
	}
	return Job{Problem: p, Plan: pl, Rounds: 1}
}

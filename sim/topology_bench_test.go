package sim

import (
	"fmt"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
)

// BenchmarkTopology is two steps of a model of GPT-3's size (175e9 parameters in fp32) in
// 8 stages on all devices, in nodes of 8 and 64 micro-batches, whose transfers and
// gradients share a leaf-spine network. What it builds counts, too.
func BenchmarkTopology(b *testing.B) {
	for _, devices := range []int{8, 64, 512, 4096} {
		for _, a := range []network.Algorithm{network.RingAlgorithm, network.Hierarchical} {
			b.Run(fmt.Sprintf("%s/%d", a, devices), func(b *testing.B) {
				b.ReportAllocs()
				events := uint64(0)
				for b.Loop() {
					events = train(b, large(b, devices, a)).Events
				}
				b.ReportMetric(float64(events), "events")
			})
		}
	}
}

// large is the job of BenchmarkTopology.
func large(b *testing.B, devices int, a network.Algorithm) Job {
	const stages = 8
	pools := racks(8, repeat(devices/stages, stages)...)
	for i := range pools {
		pools[i].Node.PeerLink.Bandwidth = 230e9
		pools[i].Node.HostLink.Bandwidth = 25e9
		pools[i].Node.NIC.Bandwidth = unit.Rate(25e9)
	}
	n := hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 16, Spines: 4, Oversubscription: 2}
	job := splitInto(b, 64, pools, n, 2048*12288, 175e9/stages, a)
	job.Rounds = 2
	return job
}

func repeat(v, n int) (all []int) {
	for range n {
		all = append(all, v)
	}
	return all
}

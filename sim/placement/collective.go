package placement

import (
	"fmt"
	"sync"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/network"
)

// rings reports whether all-reduces are rings, by their formula.
func (p *Problem) rings() bool {
	return p.Collective == "" || p.Collective == network.RingAlgorithm
}

// costsOnce returns a function that finds each cost once: a cost takes a graph of all
// devices, and is asked for again and again. It is safe for concurrent use.
func costsOnce(find func(pool, n int) network.Cost) func(pool, n int) network.Cost {
	var costs sync.Map // [2]int -> network.Cost
	return func(pool, n int) network.Cost {
		key := [2]int{pool, n}
		if c, ok := costs.Load(key); ok {
			return c.(network.Cost)
		}
		c := find(pool, n)
		costs.Store(key, c)
		return c
	}
}

// collectiveCost says what the problem's all-reduce costs among one device of each
// replica of a pool, in nodes that are filled at one switch, when nothing else is on the
// links but the same among the other devices of the replicas, each with its share of
// the nodes' ports.
func (p *Problem) collectiveCost(pool, replicas int) network.Cost {
	of := p.Cluster.Pools[pool]
	of.Node.Devices = max(1, of.Node.Devices/p.Team(pool))
	of.Node.NIC.Bandwidth /= unit.Rate(p.inNode(pool))
	return p.costAmong(of, replicas*of.Group())
}

// costInNode is collectiveCost among so many devices of one node.
func (p *Problem) costInNode(pool, devices int) network.Cost {
	return p.costAmong(p.Cluster.Pools[pool], devices)
}

func (p *Problem) costAmong(of hw.Pool, devices int) network.Cost {
	of.Count, of.Inside = devices, ""
	g, err := network.NewCluster(&hw.Cluster{Pools: []hw.Pool{of}, Network: hw.Network{Topology: hw.OneSwitch}})
	if err != nil {
		panic(fmt.Sprintf("placement: pool %q at one switch: %v", of.Name, err))
	}
	at := make([]network.Vertex, devices)
	for i := range at {
		at[i] = g.Device(0, i)
	}
	plan := network.AllReduceOp.New(p.Collective, network.Uniform(devices, of.Node.Devices))
	return plan.Idle(g.Graph, g.Between(at))
}

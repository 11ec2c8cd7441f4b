package placement

import (
	"fmt"
	"sync"

	"stowage/hw"
	"stowage/sim/network"
)

// rings reports whether all-reduces are rings, by their formula.
func (p *Problem) rings() bool {
	return p.Collective == "" || p.Collective == network.RingAlgorithm
}

// collectiveCosts returns a function that says what the problem's all-reduce costs
// among devices of a pool that fill whole nodes at one switch, when nothing else is on
// the links. A cost takes a graph of all devices to find, and is asked for again and
// again: it is kept. The function is safe for concurrent use.
func (p *Problem) collectiveCosts() func(pool, devices int) network.Cost {
	var costs sync.Map // [2]int -> network.Cost
	return func(pool, devices int) network.Cost {
		key := [2]int{pool, devices}
		if c, ok := costs.Load(key); ok {
			return c.(network.Cost)
		}
		c := p.collectiveCost(pool, devices)
		costs.Store(key, c)
		return c
	}
}

func (p *Problem) collectiveCost(pool, devices int) network.Cost {
	of := p.Cluster.Pools[pool]
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

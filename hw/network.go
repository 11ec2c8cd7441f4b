package hw

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"stowage/hw/unit"
)

// Topology is how the nodes of a cluster are connected.
type Topology string

// The topologies.
const (
	// OwnPorts is the default: every stage has the ports of its nodes to itself, into a
	// switch that holds nobody up.
	OwnPorts Topology = ""
	// OneSwitch has all nodes at one switch; stages on one node share its port.
	OneSwitch Topology = "switch"
	// LeafSpine has leaf switches with some nodes each, and every leaf at every spine.
	LeafSpine Topology = "leaf-spine"
	// FatTree is three levels of switches with equal numbers of ports (Al-Fares, Loukissas
	// and Vahdat, SIGCOMM 2008).
	FatTree Topology = "fat-tree"
	// Rail has a port for each device of a node, or for several, at leaf switches of its
	// own (a rail); the rails meet at the spines.
	Rail Topology = "rail"
	// Cables is a list of what is connected with what.
	Cables Topology = "links"
)

// Topologies lists those that a scenario can name, in the order of help.
func Topologies() []Topology { return []Topology{OneSwitch, LeafSpine, FatTree, Rail, Cables} }

// Network is how the nodes of a cluster are connected. The ports of the nodes are
// those of their types.
type Network struct {
	Topology         Topology
	NodesPerLeaf     int     // leaf-spine, rail
	Spines           int     // leaf-spine, rail
	Oversubscription float64 // bandwidth into a leaf or edge switch over that out of it
	SwitchPorts      int     // fat-tree: of each switch; 0: the fewest that suffice
	Rails            int     // rail: ports of a node; 0: one for each of its devices
	HopLatency       time.Duration
	HalfDuplex       bool    // the nodes' ports carry their bandwidth in both directions together
	Cables           []Cable // links
}

// DefaultHopLatency is the time that one more switch takes: cut-through switches of
// data centres forward in 100 to 500 ns, and the cable is some ns per metre (estimate).
const DefaultHopLatency = 500 * time.Nanosecond

// Cable joins two ends: a switch by any name, or node i of a pool as "pool:i".
type Cable struct {
	From, To   string
	Bandwidth  unit.Rate // in each direction
	Latency    time.Duration
	HalfDuplex bool // both directions share the bandwidth
}

// Nodes returns how many nodes the pool's devices are in; 0 if they are inside the
// nodes of another pool.
func (p *Pool) Nodes() int {
	if p.Inside != "" {
		return 0
	}
	return p.Ports(p.Count)
}

// Nodes returns how many nodes the cluster has.
func (c *Cluster) Nodes() (n int) {
	for i := range c.Pools {
		n += c.Pools[i].Nodes()
	}
	return n
}

// NodeName splits the name of a node, "pool:i". It is false for names of switches.
func (c *Cluster) NodeName(name string) (pool, node int, ok bool) {
	at := strings.LastIndexByte(name, ':')
	if at < 0 {
		return 0, 0, false
	}
	node, err := strconv.Atoi(name[at+1:])
	if err != nil {
		return 0, 0, false
	}
	for i := range c.Pools {
		if c.Pools[i].Name == name[:at] {
			return i, node, true
		}
	}
	return 0, 0, false
}

// FatTreePorts returns the fewest ports of the switches of a fat tree for some nodes:
// k ports carry k^3/4 of them.
func FatTreePorts(nodes int) int {
	k := 2
	for k*k*k/4 < nodes {
		k += 2
	}
	return k
}

// NetworkOf returns the cluster's network with the numbers that follow from the cluster
// where they are left out.
func (c *Cluster) NetworkOf() Network {
	n := c.Network
	if n.SwitchPorts == 0 {
		n.SwitchPorts = FatTreePorts(c.Nodes())
	}
	if n.Rails == 0 {
		n.Rails = 1
		for i := range c.Pools {
			if p := &c.Pools[i]; p.Device.Kind.Accelerator() {
				n.Rails = max(n.Rails, p.Node.Devices)
			}
		}
	}
	return n
}

// DescribeNetwork returns the network in a line, for people.
func (c *Cluster) DescribeNetwork() string {
	n, nodes := c.NetworkOf(), c.Nodes()
	over := ""
	if n.Oversubscription > 1 {
		over = fmt.Sprintf(", %g:1 oversubscribed", n.Oversubscription)
	}
	count := func(k int, noun string) string {
		if k == 1 {
			return "1 " + noun
		}
		return fmt.Sprintf("%d %ss", k, noun)
	}
	all := count(nodes, "node")
	switch n.Topology {
	case OneSwitch:
		return all + " at one switch"
	case LeafSpine:
		leaves := (nodes + n.NodesPerLeaf - 1) / n.NodesPerLeaf
		if leaves == 1 {
			return all + " at one leaf switch"
		}
		s := "leaf switches"
		return fmt.Sprintf("%s at %d %s of %d, %s%s", all, leaves, s, n.NodesPerLeaf, count(n.Spines, "spine"), over)
	case FatTree:
		return fmt.Sprintf("%s in a fat tree of switches with %d ports%s", all, n.SwitchPorts, over)
	case Rail:
		return fmt.Sprintf("%s on %s, leaf switches of %d nodes, %s%s", all, count(n.Rails, "rail"), n.NodesPerLeaf, count(n.Spines, "spine"), over)
	case Cables:
		return fmt.Sprintf("%s joined by %s", all, count(len(n.Cables), "listed link"))
	}
	return all + ", each stage with ports of its own"
}

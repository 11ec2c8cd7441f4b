package network

import (
	"fmt"
	"slices"

	"stowage/hw"
	"stowage/hw/unit"
)

// ClusterGraph is a cluster as a graph: devices, the switches inside nodes, the
// nodes' ports and what is between them.
//
// In a node, devices are at a switch of peer links (NVLink) if there are any, and by
// their host links at the host, which has the port. On rails they are at one PCIe
// switch for each port. Devices that are CPU sockets are their host.
type ClusterGraph struct {
	*Graph
	devices [][]Vertex   // per pool
	hosts   [][]Vertex   // per pool, of each device
	ports   [][][]LinkID // per pool and node: both directions
}

// Costs of cables, by which routes are chosen: the way over peer links is cheaper than
// that over the host, and leaving a node is dearer than both.
const (
	peerCost   = 1
	hostCost   = 2
	portCost   = 3
	switchCost = 3
)

// node is a node's vertices.
type node struct {
	pool  int
	name  string
	host  Vertex
	ports []Vertex // where its ports are: the host, or on rails the PCIe switches
	rate  unit.Rate
}

// NewCluster builds the graph of a cluster with a topology. It errs when the
// topology has no room for the nodes, or not all of them can reach each other.
func NewCluster(c *hw.Cluster) (*ClusterGraph, error) {
	b := &clusterBuilder{c: c, net: c.NetworkOf(), g: &ClusterGraph{Graph: NewGraph()}}
	b.g.devices, b.g.hosts = make([][]Vertex, len(c.Pools)), make([][]Vertex, len(c.Pools))
	b.first = make([]int, len(c.Pools))
	b.g.ports = make([][][]LinkID, len(c.Pools))
	for i := range c.Pools {
		b.first[i] = len(b.nodes)
		if c.Pools[i].Inside == "" {
			b.pool(i)
		}
	}
	for i := range c.Pools {
		if c.Pools[i].Inside != "" {
			b.sockets(i)
		}
	}
	var err error
	switch b.net.Topology {
	case hw.OwnPorts, hw.OneSwitch:
		b.plug(b.g.Vertex("switch"), b.nodes, 0, 1)
	case hw.LeafSpine:
		b.leaves()
	case hw.FatTree:
		err = b.fatTree()
	case hw.Rail:
		b.rails()
	case hw.Cables:
		err = b.cables()
	default:
		err = fmt.Errorf("unknown topology %q: one of %q", b.net.Topology, hw.Topologies())
	}
	if err != nil {
		return nil, err
	}
	b.ports()
	return b.g, b.connected()
}

// Device returns the vertex of a device of a pool.
func (g *ClusterGraph) Device(pool, device int) Vertex { return g.devices[pool][device] }

// Host returns the vertex of the host of a device of a pool.
func (g *ClusterGraph) Host(pool, device int) Vertex { return g.hosts[pool][device] }

// Ports returns the links between a node and the network, in both directions; node -1:
// those of all nodes of the pool.
func (g *ClusterGraph) Ports(pool, node int) (ids []LinkID) {
	for k, ports := range g.ports[pool] {
		if node < 0 || k == node {
			ids = append(ids, ports...)
		}
	}
	return ids
}

type clusterBuilder struct {
	c     *hw.Cluster
	net   hw.Network
	g     *ClusterGraph
	nodes []node
	first []int // per pool: its first node
}

// pool adds the nodes of a pool, with their devices.
func (b *clusterBuilder) pool(i int) {
	p := &b.c.Pools[i]
	for k := range p.Nodes() {
		nd := node{pool: i, name: fmt.Sprintf("%s:%d", p.Name, k), rate: p.Node.NIC.Bandwidth}
		nd.host = b.g.Vertex(nd.name)
		nd.ports = []Vertex{nd.host}
		devices := min(p.Node.Devices, p.Count-k*p.Node.Devices)
		if p.Device.Kind.Accelerator() {
			b.accelerators(i, &nd, devices)
		} else {
			for range devices {
				b.g.devices[i] = append(b.g.devices[i], nd.host)
				b.g.hosts[i] = append(b.g.hosts[i], nd.host)
			}
		}
		b.nodes = append(b.nodes, nd)
	}
}

func (b *clusterBuilder) accelerators(i int, nd *node, devices int) {
	p := &b.c.Pools[i]
	host, peer := half(p.Node.HostLink, hostCost), half(p.Node.PeerLink, peerCost)
	if b.net.Topology == hw.Rail {
		nd.ports = nd.ports[:0]
		for r := range min(b.net.Rails, p.Node.Devices) {
			pcie := b.g.Vertex(fmt.Sprintf("%s/pcie %d", nd.name, r))
			b.g.Connect(pcie, nd.host, host)
			nd.ports = append(nd.ports, pcie)
		}
	}
	var domain Vertex
	if p.Node.PeerLink.Bandwidth > 0 {
		domain = b.g.Vertex(nd.name + "/peers")
	}
	for k := range devices {
		d := b.g.Vertex(fmt.Sprintf("%s/%d", nd.name, k))
		if p.Node.PeerLink.Bandwidth > 0 {
			b.g.Connect(d, domain, peer)
		}
		b.g.Connect(d, nd.ports[k%len(nd.ports)], host)
		b.g.devices[i] = append(b.g.devices[i], d)
		b.g.hosts[i] = append(b.g.hosts[i], nd.host)
	}
}

// half is a cable to the middle of a link: two of them are the link.
func half(l hw.Link, cost int) Cable {
	return Cable{Capacity: l.Bandwidth, Latency: l.Latency / 2, Cost: cost}
}

// sockets puts a pool of host sockets into the nodes of another pool, after those
// that are there already.
func (b *clusterBuilder) sockets(i int) {
	p, q := &b.c.Pools[i], 0
	for b.c.Pools[q].Name != p.Inside {
		q++
	}
	taken := 0
	for j := range i {
		if b.c.Pools[j].Inside == p.Inside {
			taken += b.c.Pools[j].Count
		}
	}
	for s := range p.Count {
		host := b.nodes[b.first[q]+(taken+s)/max(1, b.c.Pools[q].Node.Hosts)].host
		b.g.devices[i], b.g.hosts[i] = append(b.g.devices[i], host), append(b.g.hosts[i], host)
	}
}

// plug connects one port of each node to a switch: port rail of rails.
func (b *clusterBuilder) plug(to Vertex, nodes []node, rail, rails int) {
	for i := range nodes {
		nd := &nodes[i]
		c := half(b.c.Pools[nd.pool].Node.NIC, portCost)
		c.Capacity /= unit.Rate(rails)
		c.Half = b.net.HalfDuplex
		b.g.Connect(nd.ports[rail%len(nd.ports)], to, c)
	}
}

// ports finds the links of every node that leave it.
func (b *clusterBuilder) ports() {
	for i := range b.nodes {
		nd := &b.nodes[i]
		var ids []LinkID
		for _, v := range nd.ports {
			for _, a := range b.g.vertices[v].arcs {
				if a.cost != portCost {
					continue
				}
				ids = append(ids, a.wire)
				for _, back := range b.g.vertices[a.to].arcs {
					if back.to == v {
						ids = append(ids, back.wire)
					}
				}
			}
		}
		slices.Sort(ids)
		b.g.ports[nd.pool] = append(b.g.ports[nd.pool], slices.Compact(ids))
	}
}

// uplink joins two switches.
func (b *clusterBuilder) uplink(from, to Vertex, rate unit.Rate) {
	b.g.Connect(from, to, Cable{Capacity: rate, Latency: b.net.HopLatency, Cost: switchCost})
}

// rate sums the ports of nodes.
func rate(nodes []node) (sum unit.Rate) {
	for i := range nodes {
		sum += nodes[i].rate
	}
	return sum
}

func (b *clusterBuilder) leaves() {
	spines := b.spines()
	for i := 0; i < len(b.nodes); i += b.net.NodesPerLeaf {
		b.leaf(fmt.Sprintf("leaf %d", i/b.net.NodesPerLeaf), i, 0, 1, spines)
	}
}

func (b *clusterBuilder) rails() {
	spines := b.spines()
	for r := range b.net.Rails {
		for i := 0; i < len(b.nodes); i += b.net.NodesPerLeaf {
			b.leaf(fmt.Sprintf("rail %d leaf %d", r, i/b.net.NodesPerLeaf), i, r, b.net.Rails, spines)
		}
	}
}

func (b *clusterBuilder) spines() (spines []Vertex) {
	for s := range b.net.Spines {
		spines = append(spines, b.g.Vertex(fmt.Sprintf("spine %d", s)))
	}
	return spines
}

// leaf adds a leaf switch for one port of each node from the i-th on.
func (b *clusterBuilder) leaf(name string, i, rail, rails int, spines []Vertex) {
	nodes := b.nodes[i:min(len(b.nodes), i+b.net.NodesPerLeaf)]
	leaf := b.g.Vertex(name)
	b.plug(leaf, nodes, rail, rails)
	up := float64(rate(nodes)) / float64(rails) / b.net.Oversubscription / float64(len(spines))
	for _, s := range spines {
		b.uplink(leaf, s, unit.Rate(up))
	}
}

// fatTree: pods of k/2 edge and k/2 aggregation switches, and (k/2)^2 core switches,
// the a-th aggregation switch of every pod being at cores a*k/2 to a*k/2+k/2-1. Cables
// between switches carry what the fastest node's port does, those from edge switches
// divided by the oversubscription.
func (b *clusterBuilder) fatTree() error {
	k := b.net.SwitchPorts
	if most := k * k * k / 4; len(b.nodes) > most {
		return fmt.Errorf("a fat tree of switches with %d ports has room for %d nodes, the cluster has %d: it takes %d ports",
			k, most, len(b.nodes), hw.FatTreePorts(len(b.nodes)))
	}
	fastest := unit.Rate(0)
	for i := range b.nodes {
		fastest = max(fastest, b.nodes[i].rate)
	}
	up := fastest / unit.Rate(b.net.Oversubscription)
	var cores []Vertex
	for i := range k * k / 4 {
		cores = append(cores, b.g.Vertex(fmt.Sprintf("core %d", i)))
	}
	per := k / 2
	for pod := 0; pod*per*per < len(b.nodes); pod++ {
		var aggregation []Vertex
		for a := range per {
			v := b.g.Vertex(fmt.Sprintf("pod %d aggregation %d", pod, a))
			aggregation = append(aggregation, v)
			for i := range per {
				b.uplink(v, cores[a*per+i], up)
			}
		}
		for e := range per {
			i := (pod*per + e) * per
			if i >= len(b.nodes) {
				break
			}
			edge := b.g.Vertex(fmt.Sprintf("pod %d edge %d", pod, e))
			b.plug(edge, b.nodes[i:min(len(b.nodes), i+per)], 0, 1)
			for _, v := range aggregation {
				b.uplink(edge, v, up)
			}
		}
	}
	return nil
}

// CableError says which listed cable is wrong.
type CableError struct {
	Index int
	Key   string // from, to
	Text  string
}

func (e *CableError) Error() string { return fmt.Sprintf("link %d: %s: %s", e.Index, e.Key, e.Text) }

// cables joins what is listed. Switches come into being when they are first named.
func (b *clusterBuilder) cables() error {
	switches := map[string]Vertex{}
	end := func(i int, key, name string) (Vertex, error) {
		pool, k, ok := b.c.NodeName(name)
		switch {
		case !ok:
			if _, there := switches[name]; !there {
				switches[name] = b.g.Vertex(name)
			}
			return switches[name], nil
		case b.c.Pools[pool].Inside != "":
			return 0, &CableError{i, key, fmt.Sprintf("%q: the devices of pool %q are inside the nodes of %q, which have the ports", name, b.c.Pools[pool].Name, b.c.Pools[pool].Inside)}
		case k < 0 || k >= b.c.Pools[pool].Nodes():
			return 0, &CableError{i, key, fmt.Sprintf("%q: pool %q has nodes 0 to %d", name, b.c.Pools[pool].Name, b.c.Pools[pool].Nodes()-1)}
		}
		return b.nodes[b.first[pool]+k].host, nil
	}
	for i, c := range b.net.Cables {
		from, err := end(i, "from", c.From)
		if err != nil {
			return err
		}
		to, err := end(i, "to", c.To)
		if err != nil {
			return err
		}
		if from == to {
			return &CableError{i, "to", fmt.Sprintf("%q is where it comes from", c.To)}
		}
		b.g.Connect(from, to, Cable{Capacity: c.Bandwidth, Latency: c.Latency, Half: c.HalfDuplex, Cost: portCost})
	}
	return nil
}

// connected checks that the first node reaches all others.
func (b *clusterBuilder) connected() error {
	for i := range b.nodes {
		if _, ok := b.g.Route(b.nodes[i].host, b.nodes[0].host); !ok {
			return fmt.Errorf("node %q cannot reach node %q: no links lead from the one to the other", b.nodes[i].name, b.nodes[0].name)
		}
	}
	return nil
}

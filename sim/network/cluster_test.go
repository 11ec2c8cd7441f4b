package network

import (
	"strings"
	"testing"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
)

// boxes is a pool of nodes with 4 accelerators each.
func boxes(devices int) hw.Pool {
	d := &hw.Device{Name: "gpu", Kind: hw.GPU}
	return hw.Pool{Name: "gpu", Device: d, Host: d, Count: devices, Node: hw.Node{
		Devices: 4, Hosts: 2,
		HostLink: hw.Link{Bandwidth: 20e9, Latency: 2 * us},
		PeerLink: hw.Link{Bandwidth: 100e9, Latency: 4 * us},
		NIC:      hw.Link{Bandwidth: 10e9, Latency: 8 * us},
	}}
}

func sockets(name string, count int, inside string) hw.Pool {
	d := &hw.Device{Name: name, Kind: hw.CPU}
	return hw.Pool{Name: name, Device: d, Host: d, Count: count, Inside: inside, Node: hw.Node{
		Devices: 2, Hosts: 2, NIC: hw.Link{Bandwidth: 5e9, Latency: 10 * us},
	}}
}

func clusterGraph(t *testing.T, n hw.Network, pools ...hw.Pool) *ClusterGraph {
	t.Helper()
	g, err := NewCluster(&hw.Cluster{Pools: pools, Network: n})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// The ways of each topology: how many links, the narrowest of them, and their latency.
func TestClusterRoutes(t *testing.T) {
	leaves := hw.Network{Topology: hw.LeafSpine, NodesPerLeaf: 2, Spines: 2, Oversubscription: 4, HopLatency: us}
	rails := hw.Network{Topology: hw.Rail, NodesPerLeaf: 4, Spines: 1, Oversubscription: 1, HopLatency: us}
	tests := []struct {
		name     string
		network  hw.Network
		from, to int // devices of the pool of 32 in nodes of 4
		links    int
		slowest  unit.Rate
		latency  time.Duration
	}{
		{"inside a node", hw.Network{}, 0, 3, 2, 100e9, 4 * us},
		{"over a switch", hw.Network{Topology: hw.OneSwitch}, 0, 4, 4, 10e9, 10 * us},
		{"inside a leaf", leaves, 0, 4, 4, 10e9, 10 * us},
		{"over a spine", leaves, 0, 8, 6, 2.5e9, 12 * us}, // 2 ports / 4 / 2 spines
		{"along a rail", rails, 1, 5, 4, 2.5e9, 10 * us},
		{"to another rail: first inside the node", rails, 1, 6, 6, 2.5e9, 14 * us},
		{"along a rail over the spine", rails, 1, 29, 6, 2.5e9, 12 * us},
		{"fat tree, one edge switch", hw.Network{Topology: hw.FatTree, Oversubscription: 1, HopLatency: us}, 0, 4, 4, 10e9, 10 * us},
		{"fat tree, one pod", hw.Network{Topology: hw.FatTree, Oversubscription: 1, HopLatency: us}, 0, 8, 6, 10e9, 12 * us},
		{"fat tree, over the core", hw.Network{Topology: hw.FatTree, Oversubscription: 1, HopLatency: us}, 0, 31, 8, 10e9, 14 * us},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g := clusterGraph(t, test.network, boxes(32))
			r, ok := g.Route(g.Device(0, test.from), g.Device(0, test.to))
			if !ok {
				t.Fatal("no way")
			}
			slowest := g.Capacity(r.Path[0])
			var way []string
			for _, l := range r.Path {
				slowest = min(slowest, g.Capacity(l))
				way = append(way, g.LinkName(l))
			}
			if len(r.Path) != test.links || slowest != test.slowest || r.Latency != test.latency {
				t.Errorf("%d links, the slowest %v, latency %v: want %d, %v, %v; %s", len(r.Path), slowest, r.Latency,
					test.links, test.slowest, test.latency, strings.Join(way, ", "))
			}
		})
	}
}

// Host sockets inside accelerator nodes are reached over host links, two at a node.
func TestClusterSockets(t *testing.T) {
	g := clusterGraph(t, hw.Network{Topology: hw.OneSwitch}, boxes(8), sockets("inner", 4, "gpu"), sockets("outer", 3, ""))
	for i, want := range []Vertex{g.Host(0, 0), g.Host(0, 3), g.Host(0, 4), g.Host(0, 7)} {
		if got := g.Device(1, i); got != want {
			t.Errorf("socket %d is at %q, want %q", i, g.Name(got), g.Name(want))
		}
	}
	if r, _ := g.Route(g.Device(0, 0), g.Device(1, 0)); len(r.Path) != 1 || g.Capacity(r.Path[0]) != 20e9 {
		t.Errorf("from a device to its host: %v", r)
	}
	if g.Device(2, 0) != g.Device(2, 1) || g.Device(2, 1) == g.Device(2, 2) {
		t.Error("two sockets are a node, the third is another")
	}
	if r, _ := g.Route(g.Device(2, 0), g.Device(2, 2)); len(r.Path) != 2 || r.Latency != 10*us {
		t.Errorf("between CPU nodes: %v", r)
	}
}

// A fat tree with full bandwidth holds nobody up: nodes that all send across it, in any
// permutation, are bounded by their ports alone if routes were spread ideally; by hash
// they lose, but not all.
func TestFatTreeBisection(t *testing.T) {
	pool := boxes(4 * 16)
	g := clusterGraph(t, hw.Network{Topology: hw.FatTree, Oversubscription: 1}, pool)
	var sends []Send
	for i := range 16 {
		sends = append(sends, Send{i, (i + 8) % 16, 1, 1})
	}
	p := &Plan{Ranks: 16}
	p.add(sends)
	var at []Vertex
	for i := range 16 {
		at = append(at, g.Host(0, 4*i))
	}
	got := p.Idle(g.Graph, g.Between(at)).PerByte * 10e9
	if got < 1 || got > 4 {
		t.Errorf("16 nodes across a fat tree take %g times as long as one", got)
	}
}

func TestClusterErrors(t *testing.T) {
	test := func(want string, n hw.Network, pools ...hw.Pool) {
		t.Helper()
		_, err := NewCluster(&hw.Cluster{Pools: pools, Network: n})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q in it", err, want)
		}
	}
	cable := func(from, to string) hw.Network {
		return hw.Network{Topology: hw.Cables, Cables: []hw.Cable{{From: from, To: to, Bandwidth: 1}}}
	}
	test("has room for 2 nodes, the cluster has 4: it takes 4 ports", hw.Network{Topology: hw.FatTree, SwitchPorts: 2}, boxes(16))
	test(`node "gpu:1" cannot reach node "gpu:0"`, cable("gpu:0", "tor"), boxes(8))
	test(`pool "gpu" has nodes 0 to 1`, cable("gpu:2", "tor"), boxes(8))
	test(`"tor" is where it comes from`, cable("tor", "tor"), boxes(8))
	test(`inside the nodes of "gpu"`, cable("inner:0", "tor"), boxes(8), sockets("inner", 2, "gpu"))
	test(`unknown topology "torus"`, hw.Network{Topology: "torus"}, boxes(8))
}

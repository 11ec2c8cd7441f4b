package scenarios

import (
	"errors"
	"slices"
	"time"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/sim/network"
)

// Limits of section cluster.network.
const (
	MaxSwitchPorts = 256
	MaxSpines      = 1 << 10
	MaxRails       = 1 << 6
	MaxCables      = 1 << 16
	// MaxGraphDevices bounds the devices of a cluster with a network: each is a vertex.
	MaxGraphDevices = 1 << 16
)

// network fills in the cluster's network and tries to build it.
func (b *builder) network(c *hw.Cluster) bool {
	f := b.f.Cluster.Network
	at := func(key string) spec.Path { return spec.Path{"cluster", "network", key} }
	before := len(b.errs)
	n := &c.Network
	n.HopLatency = hw.DefaultHopLatency
	if f.HopLatency != nil {
		n.HopLatency = time.Duration(*f.HopLatency)
	}
	b.topology(n, f, at)
	n.HalfDuplex = b.duplex(at("duplex"), f.Duplex)
	for i := range f.Link {
		n.Cables = append(n.Cables, b.cable(i, &f.Link[i]))
	}
	devices := 0
	for i := range c.Pools {
		devices += c.Pools[i].Count
	}
	if devices > MaxGraphDevices {
		b.fail(at("topology"), "a cluster of %d devices: at most MaxGraphDevices = %d with a network", devices, MaxGraphDevices)
	}
	if len(b.errs) > before {
		return false
	}
	var err error
	b.graph, err = network.NewCluster(c)
	var cable *network.CableError
	switch {
	case errors.As(err, &cable):
		b.fail(spec.Path{"cluster", "network", "link", cable.Index, cable.Key}, "%s", cable.Text)
	case err != nil:
		b.fail(at("topology"), "%v", err)
	}
	return err == nil
}

// networkKeys are the keys that belong to a topology, besides topology, hop_latency
// and duplex.
var networkKeys = map[hw.Topology][]string{
	hw.OneSwitch: nil,
	hw.LeafSpine: {"nodes_per_leaf", "spines", "oversubscription"},
	hw.FatTree:   {"switch_ports", "oversubscription"},
	hw.Rail:      {"nodes_per_leaf", "spines", "oversubscription", "rails"},
	hw.Cables:    {"link"},
}

// topology checks and takes over the numbers of the topology.
func (b *builder) topology(n *hw.Network, f *networkFile, at func(string) spec.Path) {
	names := make([]string, 0, len(networkKeys))
	for _, t := range hw.Topologies() {
		names = append(names, string(t))
	}
	if f.Topology == "" {
		b.missing(at("topology"), `how the nodes are connected, e.g. "leaf-spine"`)
		return
	}
	if !b.oneOf(at("topology"), f.Topology, names) {
		return
	}
	n.Topology = hw.Topology(f.Topology)
	for _, key := range []string{"nodes_per_leaf", "spines", "oversubscription", "switch_ports", "rails", "link"} {
		if b.doc.Has(at(key)) && !slices.Contains(networkKeys[n.Topology], key) {
			b.fail(at(key), "topology = %q has no %s", f.Topology, key)
		}
	}
	whole := func(key string, value, otherwise, most int) int {
		switch {
		case !b.doc.Has(at(key)):
			return otherwise
		case value < 1 || value > most:
			b.fail(at(key), "%d: from 1 to %d", value, most)
		}
		return value
	}
	n.NodesPerLeaf = whole("nodes_per_leaf", f.NodesPerLeaf, 0, MaxDevices)
	if !b.doc.Has(at("nodes_per_leaf")) && slices.Contains(networkKeys[n.Topology], "nodes_per_leaf") {
		b.missing(at("nodes_per_leaf"), "how many nodes are at each leaf switch, e.g. 16")
	}
	n.Spines = whole("spines", f.Spines, 1, MaxSpines)
	n.Rails = whole("rails", f.Rails, 0, MaxRails)
	n.SwitchPorts = whole("switch_ports", f.SwitchPorts, 0, MaxSwitchPorts)
	if n.SwitchPorts%2 != 0 {
		b.fail(at("switch_ports"), "%d: an even number, half of the ports lead up", n.SwitchPorts)
	}
	n.Oversubscription = 1
	if b.doc.Has(at("oversubscription")) {
		n.Oversubscription = f.Oversubscription
		if !(f.Oversubscription > 0 && f.Oversubscription <= 1000) {
			b.fail(at("oversubscription"), "%v: above 0 and at most 1000; 2 for half of the bandwidth of the nodes", f.Oversubscription)
		}
	}
	if n.Topology == hw.Cables && (len(f.Link) == 0 || len(f.Link) > MaxCables) {
		b.missing(at("link"), `[[cluster.network.link]] with from, to and bandwidth, for every cable`)
	}
}

// duplex reports whether both directions share the bandwidth.
func (b *builder) duplex(path spec.Path, value string) bool {
	return value != "" && b.oneOf(path, value, []string{"full", "half"}) && value == "half"
}

func (b *builder) cable(i int, f *cableFile) hw.Cable {
	at := func(key string) spec.Path { return spec.Path{"cluster", "network", "link", i, key} }
	if f.From == "" {
		b.missing(at("from"), `a switch, or a node as "pool:i"`)
	}
	if f.To == "" {
		b.missing(at("to"), `a switch, or a node as "pool:i"`)
	}
	if !b.doc.Has(at("bandwidth")) {
		b.missing(at("bandwidth"), `what the link carries in each direction, e.g. "12.5 GB/s"`)
	} else if !(f.Bandwidth >= unit.Rate(1)) {
		b.fail(at("bandwidth"), "%v: at least 1 B/s", f.Bandwidth)
	}
	c := hw.Cable{From: f.From, To: f.To, Bandwidth: f.Bandwidth, HalfDuplex: b.duplex(at("duplex"), f.Duplex)}
	c.Latency = hw.DefaultHopLatency
	if f.Latency != nil {
		c.Latency = time.Duration(*f.Latency)
	}
	return c
}

package hw

import (
	"fmt"
	"time"

	"stowage/hw/unit"
)

// Link is a type of connection. Bandwidth is per direction, as delivered to a
// large transfer; Latency is paid once a transfer.
type Link struct {
	Name      string
	Title     string
	Bandwidth unit.Rate
	Latency   time.Duration
	Source    string
}

// SSD is the local flash of a node.
type SSD struct {
	Capacity  unit.Bytes
	Bandwidth unit.Rate    // reads
	IOPS      unit.RowRate // random reads
}

// Node is a type of machine: how many devices of one type share a host, its
// memory and its ports.
type Node struct {
	Name    string
	Title   string
	Device  string // device type name
	Devices int    // per node

	Host  string // device type name of the host's CPU socket (the device itself on a CPU node)
	DRAM  Memory // of the whole host
	SSD   SSD    // zero: none
	Hosts int    // CPU sockets in the node

	HostLink Link // device <-> host DRAM, each device its own; zero on CPU nodes
	PeerLink Link // device <-> device inside the node
	NIC      Link // node <-> network, shared by the node's devices

	Sources map[string]string
}

// Pool is all devices of one type in a cluster, in nodes of one type; or groups of
// unlike devices.
type Pool struct {
	Name   string // unique in the cluster; the device type's name unless the scenario says otherwise
	Device *Device
	// Members are the device types of a group, nil where all devices are Device. Groups
	// stand one after the other. Device is then what people see of the whole group, and
	// Price that of a device on average.
	Members []*Device
	Host    *Device // CPU socket of the host: gathers rows that miss the slot table
	Node    Node
	Count   int // devices
	Price   unit.Price

	// Inside names the pool in whose nodes these devices are the host sockets:
	// the two pools then reach each other over that pool's host links. Empty:
	// the pool's nodes are machines of their own.
	Inside string
}

// Group returns how many devices stand together: the members of a group, or one.
func (p *Pool) Group() int { return max(1, len(p.Members)) }

// Grouped returns the pool with groups of unlike devices in place of its own, which is
// the first of each; all are accelerators. Count stays that of all devices.
func (p Pool) Grouped(beside ...*Device) Pool {
	p.Members = append([]*Device{p.Device}, beside...)
	d := *p.Device
	d.Price = 0
	for i, m := range p.Members {
		if i > 0 {
			d.Name += "+" + m.Name
			d.Title += " + " + m.Title
		}
		d.Price += m.Price / unit.Price(len(p.Members))
		d.Parallel = min(d.Parallel, m.Parallel)
		d.Memory.Capacity = max(d.Memory.Capacity, m.Memory.Capacity)
	}
	p.Device, p.Price = &d, d.Price
	return p
}

// DeviceMemory returns the memory that one device of the pool can use: a CPU
// socket's share of its node's DRAM, else the device's own.
func (p *Pool) DeviceMemory() unit.Bytes {
	if p.Device.Kind == CPU && p.Node.DRAM.Capacity > 0 {
		return p.Node.DRAM.Capacity / unit.Bytes(max(1, p.Node.Hosts))
	}
	return p.Device.Memory.Capacity
}

// LeastMemory returns DeviceMemory of the device that has the least: unlike devices of a
// group differ.
func (p *Pool) LeastMemory() unit.Bytes {
	least := p.DeviceMemory()
	for _, m := range p.Members {
		least = min(least, m.Memory.Capacity)
	}
	return least
}

// Ports returns how many nodes k devices occupy, and so how many NICs they have.
func (p *Pool) Ports(k int) int { return (k + p.Node.Devices - 1) / p.Node.Devices }

// Cluster is what a scenario can place layers on. The order of pools is the
// order of the scenario; a scheme refers to pools by index.
type Cluster struct {
	Pools   []Pool
	Network Network
}

// Validate checks what placement relies on.
func (c *Cluster) Validate() error {
	if len(c.Pools) == 0 {
		return fmt.Errorf("the cluster has no pools")
	}
	seen := map[string]bool{}
	for i := range c.Pools {
		p := &c.Pools[i]
		switch {
		case p.Name == "":
			return fmt.Errorf("pool %d has no name", i)
		case seen[p.Name]:
			return fmt.Errorf("two pools are called %q: give one of them another name", p.Name)
		case p.Device == nil || p.Host == nil:
			return fmt.Errorf("pool %q lacks its device or host type", p.Name)
		case p.Count < 1:
			return fmt.Errorf("pool %q has %d devices: at least 1", p.Name, p.Count)
		case p.Node.Devices < 1:
			return fmt.Errorf("pool %q has nodes with %d devices: at least 1", p.Name, p.Node.Devices)
		case !(p.Node.NIC.Bandwidth > 0):
			return fmt.Errorf("pool %q has nodes without a network port", p.Name)
		case p.Device.Kind.Accelerator() && !(p.Node.HostLink.Bandwidth > 0):
			return fmt.Errorf("pool %q has accelerators without a link to their host", p.Name)
		}
		seen[p.Name] = true
	}
	return nil
}

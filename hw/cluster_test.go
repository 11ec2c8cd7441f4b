package hw

import (
	"strings"
	"testing"

	"stowage/hw/unit"
)

func testPool(t *testing.T, name, node string, count int) Pool {
	t.Helper()
	n, err := LookupNode(node)
	if err != nil {
		t.Fatal(err)
	}
	p := Pool{Name: name, Node: *n, Count: count}
	if p.Device, err = LookupDevice(n.Device); err != nil {
		t.Fatal(err)
	}
	if p.Host, err = LookupDevice(n.Host); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClusterValidate(t *testing.T) {
	cluster := func() *Cluster {
		return &Cluster{Pools: []Pool{testPool(t, "cpus", "cpu-6148", 4), testPool(t, "gpus", "dgx1-v100-16", 8)}}
	}
	if err := cluster().Validate(); err != nil {
		t.Errorf("a sound cluster: %v", err)
	}
	test := func(part string, spoil func(c *Cluster)) {
		t.Helper()
		c := cluster()
		spoil(c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want one that says %q", err, part)
		}
	}
	test("no pools", func(c *Cluster) { c.Pools = nil })
	test("pool 1 has no name", func(c *Cluster) { c.Pools[1].Name = "" })
	test(`called "cpus"`, func(c *Cluster) { c.Pools[1].Name = "cpus" })
	test(`"gpus" lacks`, func(c *Cluster) { c.Pools[1].Device = nil })
	test(`"cpus" lacks`, func(c *Cluster) { c.Pools[0].Host = nil })
	test("has 0 devices", func(c *Cluster) { c.Pools[0].Count = 0 })
	test("has -1 devices", func(c *Cluster) { c.Pools[0].Count = -1 })
	test("nodes with 0 devices", func(c *Cluster) { c.Pools[0].Node.Devices = 0 })
	test("without a network port", func(c *Cluster) { c.Pools[1].Node.NIC = Link{} })
	test("without a link to their host", func(c *Cluster) { c.Pools[1].Node.HostLink = Link{} })
}

func TestPorts(t *testing.T) {
	p := testPool(t, "gpus", "dgx1-v100-16", 32)
	for k, want := range map[int]int{1: 1, 7: 1, 8: 1, 9: 2, 16: 2, 17: 3, 32: 4} {
		if got := p.Ports(k); got != want {
			t.Errorf("%d devices of 8 a node occupy %d nodes, want %d", k, got, want)
		}
	}
}

func TestDeviceMemory(t *testing.T) {
	cpus, gpus := testPool(t, "cpus", "cpu-6148", 2), testPool(t, "gpus", "dgx1-v100-16", 8)
	if got, want := cpus.DeviceMemory(), unit.Bytes(192<<30); got != want {
		t.Errorf("a socket has %v, want half of its node's DRAM, %v", got, want)
	}
	if got, want := gpus.DeviceMemory(), unit.Bytes(16<<30); got != want {
		t.Errorf("a V100 has %v, want its own %v", got, want)
	}
	cpus.Node.DRAM = Memory{}
	if got, want := cpus.DeviceMemory(), cpus.Device.Memory.Capacity; got != want {
		t.Errorf("a socket of a node without stated DRAM has %v, want the device file's %v", got, want)
	}
}

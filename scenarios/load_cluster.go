package scenarios

import (
	"fmt"
	"time"

	"stowage/hw"
	"stowage/hw/spec"
	"stowage/hw/unit"
	"stowage/sim/placement"
)

// MaxDevices bounds the devices of one pool.
const MaxDevices = 1 << 20

func (b *builder) cluster() {
	c := &hw.Cluster{}
	if len(b.f.Cluster.Pool) == 0 {
		b.missing(spec.Path{"cluster", "pool"}, `at least one [[cluster.pool]] with a device and a count`)
		return
	}
	before := len(b.errs)
	if n := len(b.f.Cluster.Pool); n > placement.MaxPools {
		b.fail(spec.Path{"cluster", "pool", placement.MaxPools}, "%d pools: at most MaxPools = %d", n, placement.MaxPools)
		return
	}
	for i := range b.f.Cluster.Pool {
		if p, ok := b.pool(i, &b.f.Cluster.Pool[i]); ok {
			c.Pools = append(c.Pools, p)
		}
	}
	if len(b.errs) > before {
		return
	}
	for i := range c.Pools {
		b.unique(c, i)
		b.inside(c, i)
	}
	if len(b.errs) > before {
		return
	}
	if err := c.Validate(); err != nil {
		b.fail(spec.Path{"cluster"}, "%v", err)
		return
	}
	if b.f.Cluster.Network != nil && !b.network(c) {
		return
	}
	b.sc.Cluster = c
}

func (b *builder) pool(i int, f *poolFile) (hw.Pool, bool) {
	at := func(key string) spec.Path { return spec.Path{"cluster", "pool", i, key} }
	before := len(b.errs)
	if f.Device == "" {
		b.missing(at("device"), `a device type, e.g. "v100-16"`)
		return hw.Pool{}, false
	}
	d, err := hw.LookupDevice(f.Device)
	if err != nil {
		b.fail(at("device"), "%v", err)
		return hw.Pool{}, false
	}
	if !b.doc.Has(at("count")) {
		b.missing(at("count"), "how many devices the pool has")
	} else if f.Count < 1 || f.Count > MaxDevices {
		b.fail(at("count"), "%d: from 1 to MaxDevices = %d", f.Count, MaxDevices)
	}
	p := hw.Pool{Name: f.Name, Device: d, Count: f.Count, Price: d.Price, Inside: f.Inside}
	if p.Name == "" {
		p.Name = d.Name
	}
	if f.Price != nil {
		p.Price = *f.Price
	}
	b.calibrate(&p, f, at)
	b.node(&p, f, at)
	b.group(&p, f, at)
	return p, len(b.errs) == before
}

// calibrate gives the pool a device type of its own where the file says how fast its
// devices really are.
func (b *builder) calibrate(p *hw.Pool, f *poolFile, at func(string) spec.Path) {
	if f.ComputeEfficiency == nil && f.MemoryEfficiency == nil && f.Launch == nil {
		return
	}
	d := *p.Device
	share := func(key string, v *unit.Ratio) bool {
		if v != nil && !(*v > 0 && *v <= 1) {
			b.fail(at(key), "%v: a share of the peak above 0 and up to 100 %%", *v)
			return false
		}
		return v != nil
	}
	if share("compute_efficiency", f.ComputeEfficiency) {
		d.ComputeEfficiency = hw.Flat(float64(*f.ComputeEfficiency))
	}
	if share("memory_efficiency", f.MemoryEfficiency) {
		d.MemoryEfficiency = hw.Curve{{At: 1, Efficiency: float64(*f.MemoryEfficiency)}}
	}
	if f.Launch != nil {
		d.Launch = time.Duration(*f.Launch)
	}
	p.Device = &d
}

// group makes the pool's devices groups of unlike ones. What the pool says of its
// devices' speed is about the first of each.
func (b *builder) group(p *hw.Pool, f *poolFile, at func(string) spec.Path) {
	if len(f.Beside) == 0 {
		return
	}
	if len(f.Beside) >= MaxGroup {
		b.fail(at("beside"), "%d device types beside the first: groups of at most MaxGroup = %d devices", len(f.Beside), MaxGroup)
		return
	}
	var others []*hw.Device
	for i, name := range f.Beside {
		d, err := hw.LookupDevice(name)
		if err != nil {
			b.fail(append(at("beside"), i), "%v", err)
			return
		}
		others = append(others, d)
	}
	*p = p.Grouped(others...)
	if f.Price != nil {
		p.Price = *f.Price
	}
	if f.Name == "" {
		p.Name = p.Device.Name
	}
}

// MaxGroup bounds the devices of a group.
const MaxGroup = 64

// node fills in the pool's node: the named or shipped type, then what the pool overrides.
func (b *builder) node(p *hw.Pool, f *poolFile, at func(string) spec.Path) {
	var node *hw.Node
	var err error
	if f.Node != "" {
		node, err = hw.LookupNode(f.Node)
	} else {
		node, err = hw.NodeOf(p.Device.Name)
	}
	if err != nil {
		b.fail(at("node"), "%v", err)
		return
	}
	if node.Device != p.Device.Name {
		b.fail(at("node"), "%q is a node of %s, not of %s", node.Name, node.Device, p.Device.Name)
		return
	}
	p.Node = *node
	if p.Host, err = hw.LookupDevice(node.Host); err != nil {
		b.fail(at("node"), "host of %q: %v", node.Name, err)
	}
	if b.doc.Has(at("per_node")) {
		if f.PerNode < 1 {
			b.fail(at("per_node"), "%d: at least 1 device a node", f.PerNode)
		} else {
			p.Node.Devices = f.PerNode
		}
	}
	for _, o := range []struct {
		key, name string
		link      *hw.Link
	}{{"nic", f.NIC, &p.Node.NIC}, {"host_link", f.HostLink, &p.Node.HostLink}, {"peer_link", f.PeerLink, &p.Node.PeerLink}} {
		if o.name == "" {
			continue
		}
		l, err := hw.LookupLink(o.name)
		if err != nil {
			b.fail(at(o.key), "%v", err)
			continue
		}
		*o.link = *l
	}
}

// unique checks that no pool before i has its name.
func (b *builder) unique(c *hw.Cluster, i int) {
	for j := range i {
		if c.Pools[j].Name == c.Pools[i].Name {
			b.fail(spec.Path{"cluster", "pool", i, "name"}, "%q is the name of pool %d too: give each a name of its own (the default is the device type)", c.Pools[i].Name, j)
			return
		}
	}
}

// inside checks that a pool stands in the nodes of an accelerator pool.
func (b *builder) inside(c *hw.Cluster, i int) {
	name := c.Pools[i].Inside
	if name == "" {
		return
	}
	at := spec.Path{"cluster", "pool", i, "inside"}
	var names []string
	for j := range c.Pools {
		q := &c.Pools[j]
		names = append(names, q.Name)
		if q.Name != name {
			continue
		}
		switch {
		case j == i || c.Pools[i].Device.Kind.Accelerator():
			b.fail(at, "only a CPU pool can be inside the nodes of another pool")
		case !q.Device.Kind.Accelerator():
			b.fail(at, "%q is not an accelerator pool: host sockets are inside the nodes of accelerators", name)
		default:
			b.sockets(c, i, q)
		}
		return
	}
	b.fail(at, "unknown pool %q%s", name, accepted(name, names))
}

// sockets checks that the nodes of pool q have the host sockets that pool i, and
// the pools before it that are inside q too, take.
func (b *builder) sockets(c *hw.Cluster, i int, q *hw.Pool) {
	taken := 0
	for j := range i + 1 {
		if c.Pools[j].Inside == q.Name {
			taken += c.Pools[j].Count
		}
	}
	if nodes := q.Ports(q.Count); taken > nodes*q.Node.Hosts {
		b.fail(spec.Path{"cluster", "pool", i, "count"}, "%d sockets inside pool %q: its %s of %s have %d",
			taken, q.Name, plural(nodes, "node"), plural(q.Node.Devices, "device"), nodes*q.Node.Hosts)
	}
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

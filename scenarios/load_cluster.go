package scenarios

import (
	"fmt"

	"stowage/hw"
	"stowage/hw/spec"
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
	for i := range b.f.Cluster.Pool {
		if p, ok := b.pool(i, &b.f.Cluster.Pool[i]); ok {
			c.Pools = append(c.Pools, p)
		}
	}
	if len(b.errs) > before {
		return
	}
	for i := range c.Pools {
		b.inside(c, i)
	}
	if len(b.errs) > before {
		return
	}
	if err := c.Validate(); err != nil {
		b.fail(spec.Path{"cluster"}, "%v", err)
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
	b.node(&p, f, at)
	return p, len(b.errs) == before
}

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
		}
		if hosts := q.Ports(q.Count) * q.Node.Hosts; c.Pools[i].Count > hosts {
			b.fail(spec.Path{"cluster", "pool", i, "count"}, "%d: the %s of pool %q have %d host sockets",
				c.Pools[i].Count, plural(q.Ports(q.Count), "node"), name, hosts)
		}
		return
	}
	b.fail(at, "unknown pool %q%s: the pools are %q", name, didYouMean(name, names), names)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

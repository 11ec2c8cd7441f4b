package hw

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"stowage/hw/spec"
	"stowage/hw/unit"
)

//go:embed devices/*.toml links.toml nodes.toml collectives.toml
var shipped embed.FS

type deviceFile struct {
	Title    string                 `toml:"title"`
	Vendor   string                 `toml:"vendor"`
	Kind     string                 `toml:"kind"`
	Year     int                    `toml:"year"`
	Peak     map[string]unit.FLOPS  `toml:"peak"`
	Memory   memoryFile             `toml:"memory"`
	Gather   gatherFile             `toml:"gather"`
	Overhead unit.Duration          `toml:"overhead"`
	Launch   unit.Duration          `toml:"launch"`
	Compute  map[string][][]float64 `toml:"compute_efficiency"`
	Traffic  [][]float64            `toml:"memory_efficiency"`
	Parallel float64                `toml:"parallel"`
	Price    unit.Price             `toml:"price"`
	Sources  map[string]string      `toml:"sources"`
}

type memoryFile struct {
	Capacity  unit.Bytes `toml:"capacity"`
	Bandwidth unit.Rate  `toml:"bandwidth"`
}

type gatherFile struct {
	Rows      unit.RowRate `toml:"rows"`
	Bandwidth unit.Rate    `toml:"bandwidth"`
}

// ParseDevice reads a device file. name is its path: errors begin with it, and
// the device type is called by its last element without the extension.
func ParseDevice(name string, data []byte) (*Device, error) {
	var f deviceFile
	doc, err := spec.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	d := &Device{
		Name: strings.TrimSuffix(path.Base(name), ".toml"), Title: f.Title, Vendor: f.Vendor, Kind: Kind(f.Kind), Year: f.Year,
		Peak: map[Precision]unit.FLOPS{}, ComputeEfficiency: Efficiency{}, Memory: Memory(f.Memory), Gather: Gather(f.Gather),
		Overhead: time.Duration(f.Overhead), Launch: time.Duration(f.Launch), Parallel: f.Parallel, Price: f.Price, Sources: f.Sources,
	}
	var errs spec.Errors
	for _, key := range sortedKeys(f.Peak) {
		if !slices.Contains(precisions, Precision(key)) {
			errs.Add(doc.Errorf(spec.Path{"peak", key}, "unknown precision: one of %v", precisions))
		} else if !(f.Peak[key] > 0) {
			errs.Add(doc.Errorf(spec.Path{"peak", key}, "%v: a rate above 0", f.Peak[key]))
		}
		d.Peak[Precision(key)] = f.Peak[key]
	}
	for _, key := range sortedKeys(f.Compute) {
		at := spec.Path{"compute_efficiency", key}
		if _, ok := d.Peak[Precision(key)]; !ok {
			errs.Add(doc.Errorf(at, "the device has no peak for it: one of %v", sortedKeys(f.Peak)))
			continue
		}
		d.ComputeEfficiency[Precision(key)] = curve(doc, &errs, at, f.Compute[key])
	}
	d.ComputeEfficiency.spread(d.Peak)
	d.MemoryEfficiency = curve(doc, &errs, spec.Path{"memory_efficiency"}, f.Traffic)
	checkDevice(doc, &errs, d)
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return d, nil
}

func checkDevice(doc *spec.Document, errs *spec.Errors, d *Device) {
	if d.Kind != CPU && d.Kind != GPU && d.Kind != NPU {
		errs.Add(doc.Errorf(spec.Path{"kind"}, "%q: %q, %q or %q", d.Kind, CPU, GPU, NPU))
	}
	if len(d.Peak) == 0 {
		errs.Add(doc.Missing(spec.Path{"peak"}, `a table of peaks, e.g. peak.fp32 = "15.7 TFLOPS"`))
	}
	for _, c := range []struct {
		path spec.Path
		ok   bool
		want string
	}{
		{spec.Path{"memory", "capacity"}, d.Memory.Capacity > 0, `e.g. "16 GiB"`},
		{spec.Path{"memory", "bandwidth"}, d.Memory.Bandwidth > 0, `e.g. "900 GB/s"`},
		{spec.Path{"gather", "rows"}, d.Gather.Rows > 0, `e.g. "1.2 Grows/s"`},
		{spec.Path{"gather", "bandwidth"}, d.Gather.Bandwidth > 0, `e.g. "350 GB/s"`},
		{spec.Path{"price"}, d.Price > 0, `e.g. "2.42 USD/h"`},
	} {
		if c.ok {
			continue
		}
		if doc.Has(c.path) {
			errs.Add(doc.Errorf(c.path, "it must be above 0, %s", c.want))
		} else {
			errs.Add(doc.Missing(c.path, c.want))
		}
	}
	if !doc.Has(spec.Path{"parallel"}) {
		errs.Add(doc.Missing(spec.Path{"parallel"}, "Amdahl's alpha of a dense layer, from 0 to 1, e.g. 0.98"))
	} else if !(d.Parallel >= 0 && d.Parallel <= 1) {
		errs.Add(doc.Errorf(spec.Path{"parallel"}, "%v: a share from 0 to 1", d.Parallel))
	}
}

// curve reads an efficiency curve: [[size, efficiency], …].
func curve(doc *spec.Document, errs *spec.Errors, at spec.Path, points [][]float64) Curve {
	var c Curve
	for i, p := range points {
		if len(p) != 2 {
			errs.Add(doc.Errorf(append(at, i), "a point is [size, efficiency], e.g. [1e9, 0.6]"))
			return nil
		}
		c = append(c, Point{p[0], p[1]})
	}
	if err := c.validate(); err != nil {
		errs.Add(doc.Errorf(at, "%v", err))
	}
	return c
}

// catalog is everything embedded, decoded once.
type catalog struct {
	devices []*Device
	links   []*Link
	nodes   []*Node

	collectives []*AllReduce
}

// load decodes the embedded files. A mistake in them is a bug of ours.
var load = sync.OnceValue(func() *catalog {
	c := &catalog{}
	files, err := fs.Glob(shipped, "devices/*.toml")
	must(err)
	for _, name := range files {
		d, err := ParseDevice(name, read(name))
		must(err)
		c.devices = append(c.devices, d)
	}
	sort.Slice(c.devices, func(i, j int) bool { return c.devices[i].Name < c.devices[j].Name })
	must(c.loadLinks())
	must(c.loadNodes())
	must(c.loadCollectives())
	return c
})

func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("hw: embedded file: %v", err))
	}
}

func read(name string) []byte {
	data, err := shipped.ReadFile(name)
	must(err)
	return data
}

func (c *catalog) loadLinks() error {
	var f struct {
		Link []struct {
			Name      string        `toml:"name"`
			Title     string        `toml:"title"`
			Bandwidth unit.Rate     `toml:"bandwidth"`
			Latency   unit.Duration `toml:"latency"`
			Source    string        `toml:"source"`
		} `toml:"link"`
	}
	if _, err := spec.Decode("links.toml", read("links.toml"), &f); err != nil {
		return err
	}
	for _, l := range f.Link {
		c.links = append(c.links, &Link{l.Name, l.Title, l.Bandwidth, time.Duration(l.Latency), l.Source})
	}
	return nil
}

func (c *catalog) loadNodes() error {
	var f struct {
		Node []struct {
			Name     string     `toml:"name"`
			Title    string     `toml:"title"`
			Device   string     `toml:"device"`
			Devices  int        `toml:"devices"`
			Host     string     `toml:"host"`
			Hosts    int        `toml:"hosts"`
			DRAM     memoryFile `toml:"dram"`
			HostLink string     `toml:"host_link"`
			PeerLink string     `toml:"peer_link"`
			NIC      string     `toml:"nic"`
			SSD      struct {
				Capacity  unit.Bytes   `toml:"capacity"`
				Bandwidth unit.Rate    `toml:"bandwidth"`
				IOPS      unit.RowRate `toml:"iops"`
			} `toml:"ssd"`
			Sources map[string]string `toml:"sources"`
		} `toml:"node"`
	}
	doc, err := spec.Decode("nodes.toml", read("nodes.toml"), &f)
	if err != nil {
		return err
	}
	for i, n := range f.Node {
		out := &Node{
			Name: n.Name, Title: n.Title, Device: n.Device, Devices: n.Devices, Host: n.Host, Hosts: n.Hosts,
			DRAM: Memory(n.DRAM), SSD: SSD(n.SSD), Sources: n.Sources,
		}
		for _, l := range []struct {
			key, name string
			to        *Link
		}{{"host_link", n.HostLink, &out.HostLink}, {"peer_link", n.PeerLink, &out.PeerLink}, {"nic", n.NIC, &out.NIC}} {
			if l.name == "" {
				continue
			}
			link := find(c.links, l.name, func(l *Link) string { return l.Name })
			if link == nil {
				return doc.Errorf(spec.Path{"node", i, l.key}, "unknown link %q", l.name)
			}
			*l.to = *link
		}
		c.nodes = append(c.nodes, out)
	}
	return nil
}

func find[T any](all []*T, name string, nameOf func(*T) string) *T {
	for _, x := range all {
		if nameOf(x) == name {
			return x
		}
	}
	return nil
}

// lookup finds an entry by name, or says what it might have been.
func lookup[T any](all []*T, what, name string, nameOf func(*T) string) (*T, error) {
	if x := find(all, name, nameOf); x != nil {
		return x, nil
	}
	names := make([]string, len(all))
	for i, x := range all {
		names[i] = nameOf(x)
	}
	if n := unit.Nearest(name, names); n != "" {
		return nil, fmt.Errorf("unknown %s %q; did you mean %s?", what, name, n)
	}
	return nil, fmt.Errorf("unknown %s %q: one of %s", what, name, strings.Join(names, ", "))
}

// Devices returns the shipped device types, sorted by name. They are shared: do
// not change them.
func Devices() []*Device { return load().devices }

// LookupDevice returns the shipped device type of that name.
func LookupDevice(name string) (*Device, error) {
	return lookup(load().devices, "device", name, func(d *Device) string { return d.Name })
}

// Links returns the shipped link types in the order of their file.
func Links() []*Link { return load().links }

// LookupLink returns the shipped link type of that name.
func LookupLink(name string) (*Link, error) {
	return lookup(load().links, "link", name, func(l *Link) string { return l.Name })
}

// Nodes returns the shipped node types in the order of their file.
func Nodes() []*Node { return load().nodes }

// LookupNode returns the shipped node type of that name.
func LookupNode(name string) (*Node, error) {
	return lookup(load().nodes, "node", name, func(n *Node) string { return n.Name })
}

// NodeOf returns the first shipped node type with devices of a type.
func NodeOf(device string) (*Node, error) {
	for _, n := range load().nodes {
		if n.Device == device {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node type with device %q is shipped: name one with node", device)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

package hw

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"stowage/hw/spec"
	"stowage/hw/unit"
)

// TestEverySourceIsStated: each key of a device file that holds a figure has an
// entry in [sources], and each entry belongs to a key.
func TestEverySourceIsStated(t *testing.T) {
	files, err := fs.Glob(shipped, "devices/*.toml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d device files, %v", len(files), err)
	}
	for _, name := range files {
		var all map[string]any
		if _, err := toml.Decode(string(read(name)), &all); err != nil {
			t.Fatal(err)
		}
		sources := all["sources"].(map[string]any)
		stated := map[string]bool{}
		for _, key := range figures(all) {
			stated[key] = true
			if s, _ := sources[key].(string); len(s) < 8 {
				t.Errorf("%s: %s has no source (%q)", name, key, s)
			}
		}
		for key := range sources {
			if !stated[key] {
				t.Errorf("%s: there is a source for %s, which the file does not have", name, key)
			}
		}
	}
}

// figures lists the keys with figures: peaks come from one datasheet and count
// as one, the tables memory and gather key by key.
func figures(all map[string]any) []string {
	var keys []string
	for _, key := range sortedKeys(all) {
		switch key {
		case "title", "vendor", "kind", "sources":
		case "memory", "gather":
			for _, inner := range sortedKeys(all[key].(map[string]any)) {
				keys = append(keys, key+"."+inner)
			}
		default:
			keys = append(keys, key)
		}
	}
	return keys
}

var goodName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func TestShippedDevices(t *testing.T) {
	want := []string{"a100-40", "a100-80", "ascend-910", "epyc-7763", "gh200", "h100-80", "p40", "rtx-2080ti", "rtx-3090", "t4",
		"titan-rtx", "v100-16", "v100-32", "xeon-6148", "xeon-8375c"}
	var names []string
	for _, d := range Devices() {
		names = append(names, d.Name)
		checkShipped(t, d)
	}
	if !slices.Equal(names, want) {
		t.Errorf("the shipped device types are %q,\nwant %q", names, want)
	}
}

// checkShipped looks for slips of the pen: units off by a thousand, gathers
// faster than copies, peaks out of order.
func checkShipped(t *testing.T, d *Device) {
	t.Helper()
	if !goodName.MatchString(d.Name) || d.Title == "" || d.Vendor == "" || d.Year < 2015 || d.Year > 2026 {
		t.Errorf("%s: name, title %q, vendor %q or year %d", d.Name, d.Title, d.Vendor, d.Year)
	}
	within := func(what string, v, low, high float64) {
		t.Helper()
		if !(v >= low && v <= high) {
			t.Errorf("%s: %s is %g, not within %g and %g", d.Name, what, v, low, high)
		}
	}
	last := 0.0
	for _, p := range precisions { // wider formats are never faster
		if v, ok := d.Peak[p]; ok {
			within("peak "+string(p), float64(v), max(last, .3e12), 4e15)
			last = float64(v)
		}
	}
	within("memory", float64(d.Memory.Capacity), 8<<30, 1<<40)
	within("bandwidth", float64(d.Memory.Bandwidth), 100e9, 5e12)
	within("gather bandwidth", float64(d.Gather.Bandwidth), .1*float64(d.Memory.Bandwidth), .6*float64(d.Memory.Bandwidth))
	within("bytes a row at the gather rate", float64(d.Memory.Bandwidth)/float64(d.Gather.Rows), 64, 1024)
	within("overhead", d.Overhead.Seconds(), 1e-6, 100e-6)
	within("parallel", d.Parallel, .9, .999)
	within("price", float64(d.Price), .1, 20)
	if len(d.ComputeEfficiency) == 0 || len(d.MemoryEfficiency) == 0 {
		t.Errorf("%s: no efficiency curves", d.Name)
	}
}

// TestScaledGathers: where a gather rate is said to be scaled by memory
// bandwidth, it is, to the digits given.
func TestScaledGathers(t *testing.T) {
	scaled := 0
	for _, d := range Devices() {
		bandwidth := float64(d.Memory.Bandwidth)
		check := func(key string, got, want float64) {
			scaled++
			if got < want*.98 || got > want*1.02 {
				t.Errorf("%s: %s is %g, by its source it should be %g", d.Name, key, got, want)
			}
		}
		if strings.Contains(d.Sources["gather.rows"], "scaled by memory bandwidth") {
			check("gather.rows", float64(d.Gather.Rows), 2.47e9*bandwidth/1935e9)
		}
		switch s := d.Sources["gather.bandwidth"]; {
		case strings.Contains(s, "from A100-80's 730 GB/s"):
			check("gather.bandwidth", float64(d.Gather.Bandwidth), 730e9*bandwidth/2039e9)
		case strings.Contains(s, "from V100's 350 GB/s"):
			check("gather.bandwidth", float64(d.Gather.Bandwidth), 350e9*bandwidth/900e9)
		case strings.Contains(s, "a fifth of the memory bandwidth"):
			check("gather.bandwidth", float64(d.Gather.Bandwidth), bandwidth/5)
		}
	}
	if scaled < 15 {
		t.Errorf("only %d scaled figures were found: did the wording change?", scaled)
	}
}

func TestShippedLinks(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Links() {
		if !goodName.MatchString(l.Name) || seen[l.Name] || l.Title == "" || len(l.Source) < 20 {
			t.Errorf("link %q: its name, title or source", l.Name)
		}
		seen[l.Name] = true
		if l.Bandwidth < 1e8 || l.Bandwidth > 500e9 || l.Latency < 500 || l.Latency > 50_000 {
			t.Errorf("link %s has %v and %v", l.Name, l.Bandwidth, l.Latency)
		}
	}
	for _, name := range strings.Fields("pcie3-x16 pcie4-x16 pcie5-x16 nvlink2 nvlink3 nvlink4 eth-1 eth-10 eth-25 eth-100 eth-200 eth-400 ib-100 ib-200 ib-400") {
		if _, err := LookupLink(name); err != nil {
			t.Error(err)
		}
	}
	// Delivered bandwidth stays below the line rate in the name.
	rate := regexp.MustCompile(`^(?:eth|ib)-(\d+)(?:x(\d))?$`)
	for _, l := range Links() {
		m := rate.FindStringSubmatch(l.Name)
		if m == nil {
			continue
		}
		line, err := unit.ParseRate(m[1] + " Gb/s")
		if err != nil {
			t.Fatal(err)
		}
		if m[2] != "" {
			line *= unit.Rate(m[2][0] - '0')
		}
		if share := float64(l.Bandwidth / line); share < .85 || share > .95 {
			t.Errorf("link %s delivers %.2f of its line rate", l.Name, share)
		}
	}
}

func TestShippedNodes(t *testing.T) {
	seen := map[string]bool{}
	for _, n := range Nodes() {
		if !goodName.MatchString(n.Name) || seen[n.Name] || n.Title == "" {
			t.Errorf("node %q: its name or title", n.Name)
		}
		seen[n.Name] = true
		d, err := LookupDevice(n.Device)
		if err != nil {
			t.Errorf("node %s: %v", n.Name, err)
			continue
		}
		host, err := LookupDevice(n.Host)
		if err != nil || host.Kind != CPU {
			t.Errorf("node %s: host %q is no CPU; %v", n.Name, n.Host, err)
			continue
		}
		if d.Kind == CPU && (n.Host != n.Device || n.Devices != n.Hosts || n.HostLink.Name != "") {
			t.Errorf("CPU node %s: its sockets are its hosts, and need no host link", n.Name)
		}
		if n.Sources["machine"] == "" || n.SSD != (SSD{}) && n.Sources["ssd"] == "" {
			t.Errorf("node %s: a source is missing", n.Name)
		}
		if n.Devices > 1 && d.Kind.Accelerator() && n.PeerLink.Name == "" {
			t.Errorf("node %s has %d accelerators and no link among them", n.Name, n.Devices)
		}
		if n.DRAM.Capacity < 32<<30 || n.DRAM.Bandwidth < 30e9 || n.DRAM.Capacity > 4<<40 || n.DRAM.Bandwidth > 3e12 {
			t.Errorf("node %s: DRAM %v", n.Name, n.DRAM)
		}
		c := Cluster{Pools: []Pool{{Name: "p", Device: d, Host: host, Node: *n, Count: n.Devices, Price: d.Price}}}
		if err := c.Validate(); err != nil {
			t.Errorf("node %s: %v", n.Name, err)
		}
	}
	for _, d := range Devices() {
		if n, err := NodeOf(d.Name); err != nil || n.Device != d.Name {
			t.Errorf("device type %s is in no node: %v", d.Name, err)
		}
	}
}

func TestLookup(t *testing.T) {
	test := func(err error, want string) {
		t.Helper()
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if d, err := LookupDevice("v100-16"); err != nil || d.Name != "v100-16" || d.Memory.Capacity != 16<<30 {
		t.Errorf("v100-16: %v, %v", d, err)
	}
	_, err := LookupDevice("v10O")
	test(err, `unknown device "v10O"; did you mean v100-16?`)
	_, err = LookupDevice("")
	if err == nil || !strings.Contains(err.Error(), "one of a100-40, a100-80") {
		t.Errorf("error %v, want one that lists the device types", err)
	}
	_, err = LookupLink("nvlink")
	test(err, `unknown link "nvlink"; did you mean nvlink2?`)
	_, err = LookupNode("dgx-a100")
	test(err, `unknown node "dgx-a100"; did you mean dgx-a100-40?`)
	if _, err := NodeOf("abacus"); err == nil || !strings.Contains(err.Error(), `"abacus"`) {
		t.Errorf("error %v, want one that quotes the device type", err)
	}
}

const goodDevice = `title = "A card"
kind = "gpu"
overhead = "10 us"
compute_efficiency.fp32 = [[1e8, 0.2], [1e9, 0.5]]
parallel = 0.9
price = "1 USD/h"
[peak]
fp32 = "10 TFLOPS"
fp16 = "40 TFLOPS"
[memory]
capacity = "8 GiB"
bandwidth = "400 GB/s"
[gather]
rows = "0.5 Grows/s"
bandwidth = "150 GB/s"
`

func TestParseDevice(t *testing.T) {
	d, err := ParseDevice(path.Join("my", "card-8.toml"), []byte(goodDevice))
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "card-8" || d.Kind != GPU || d.Peak[FP16] != 40e12 || d.Overhead != 10_000 || d.Memory != (Memory{8 << 30, 400e9}) ||
		d.Gather != (Gather{.5e9, 150e9}) || !slices.Equal(d.ComputeEfficiency[FP32], Curve{{1e8, .2}, {1e9, .5}}) ||
		!slices.Equal(d.ComputeEfficiency[FP16], Curve{{4e8, .2}, {4e9, .5}}) || d.MemoryEfficiency != nil || d.Price != 1 {
		t.Errorf("parsed %+v", d)
	}
	test := func(old, new string, parts ...string) {
		t.Helper()
		text := strings.Replace(goodDevice, old, new, 1)
		if text == goodDevice {
			t.Fatalf("%q is not in the file", old)
		}
		d, err := ParseDevice("card.toml", []byte(text))
		var errs spec.Errors
		if d != nil || !errors.As(err, &errs) {
			t.Errorf("%q for %q: parsed %v, error %v", new, old, d, err)
			return
		}
		for _, part := range append(parts, "card.toml:") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q for %q: the error does not say %q:\n%v", new, old, part, err)
			}
		}
	}
	test(`kind = "gpu"`, `kind = "fpga"`, ":2:", "fpga", `"cpu", "gpu" or "npu"`)
	test(`kind = "gpu"`, `kimd = "gpu"`, ":2:", "kimd")
	test(`overhead = "10 us"`, `overhead = "10"`, ":3:", "no unit")
	test(`overhead = "10 us"`, `overhead = 10`, ":3:")
	test(`[1e9, 0.5]`, `[1e9]`, ":4:", "a point is [size, efficiency]")
	test(`[1e9, 0.5]`, `[1e9, nan]`, ":4:", "finite")
	test(`[1e9, 0.5]`, `[1e9, 0.9]`, ":4:", "less time")
	test(`efficiency.fp32`, `efficiency.bf16`, ":4:", "no peak for it", "fp16 fp32")
	test(`parallel = 0.9`, `parallel = 1.5`, ":5:", "1.5")
	test("parallel = 0.9\n", ``, "parallel", "Amdahl")
	test(`price = "1 USD/h"`, `price = "1 EUR/h"`, ":6:", "EUR/h", "2.42 USD/h")
	test(`fp32 = "10 TFLOPS"`, `fp33 = "10 TFLOPS"`, ":8:", "unknown precision", "fp32")
	test(`fp32 = "10 TFLOPS"`, `fp32 = "0 TFLOPS"`, ":8:", "above 0")
	test(`fp32 = "10 TFLOPS"`, `fp32 = "-10 TFLOPS"`, ":8:", "negative")
	test("fp32 = \"10 TFLOPS\"\nfp16 = \"40 TFLOPS\"\n", ``, "peak")
	test(`capacity = "8 GiB"`, `capacity = "8 Gib"`, ":11:", "did you mean GiB?")
	test(`capacity = "8 GiB"`, `capacity = "0 B"`, ":11:", "above 0")
	test(`rows = "0.5 Grows/s"`, ``, "gather", "rows")
	test(`[gather]`, `[gather`, ":13:")
	test(`[gather]`, `[scatter]`, "scatter")
}

func FuzzParseDevice(f *testing.F) {
	f.Add([]byte(goodDevice))
	for _, d := range []string{"v100-16", "xeon-6148", "ascend-910"} {
		f.Add(read("devices/" + d + ".toml"))
	}
	f.Add([]byte("peak = 1"))
	f.Add([]byte("peak.fp32 = \"1 TFLOPS\"\ncompute_efficiency.fp32 = [[]]"))
	f.Add([]byte("compute_efficiency = [[]]"))
	f.Add([]byte("[sources]\na = 1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDevice("fuzz.toml", data)
		if (d == nil) == (err == nil) {
			t.Fatalf("device %v and error %v", d, err)
		}
		if err != nil {
			return
		}
		for p := range d.Peak { // what is accepted can be used
			if s, err := d.Compute(1e9, 1e9, p); err != nil || !(s >= 0) {
				t.Fatalf("Compute gives %v, %v", s, err)
			}
		}
		if s := d.Gather.Seconds(1e6, 1e8); !(s > 0) {
			t.Fatalf("a gather takes %v s", s)
		}
	})
}

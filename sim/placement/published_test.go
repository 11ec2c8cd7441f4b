package placement

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/workloads"
)

// publishedNames are the layer graphs of Tarnawski et al., NeurIPS 2020.
var publishedNames = []string{"bert24_inference", "bert24_training", "resnet50_inference", "resnet50_training"}

// publishedGraph is such a file as it is written.
type publishedGraph struct {
	Capacity     float64 `json:"maxSizePerFPGA"` // bytes
	Accelerators int     `json:"maxFPGAs"`
	CPUs         int     `json:"maxCPUs"`
	Nodes        []struct {
		ID    int     `json:"id"`
		Name  string  `json:"name"`
		CPU   float64 `json:"cpuLatency"`  // ms
		Accel float64 `json:"fpgaLatency"` // ms
		Class int     `json:"colorClass"`
		Back  int     `json:"isBackwardNode"`
		Size  float64 `json:"size"` // bytes
	} `json:"nodes"`
	Edges []struct {
		From int     `json:"sourceId"`
		To   int     `json:"destId"`
		Cost float64 `json:"cost"` // ms
	} `json:"edges"`
}

// publishedProblem states the placement problem of a published file: pools acc1,
// acc2, … of one accelerator each and cpu1, … of one CPU each. With Convex its
// schemes are the contiguous splits of the paper, with ByType the others. A step
// takes the maximum device load. Skips where the file is not there.
func publishedProblem(t testing.TB, name string, merge Merge) (*Problem, *publishedGraph) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "data", "dnn-partitioning", name+".json"))
	if os.IsNotExist(err) {
		t.Skip("shared data is not there: ", err)
	}
	g := &publishedGraph{}
	if err == nil {
		err = json.Unmarshal(data, g)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := workloads.ImportPartitioning(name+".json", bytes.NewReader(data), workloads.PartitioningOptions{CPU: "cpu", Accelerator: "acc"})
	if err != nil {
		t.Fatal(err)
	}
	g.weigh(m)
	c := cluster()
	for i := range g.Accelerators {
		pool := gpuPool(fmt.Sprint("acc", i+1), 1, 1)
		pool.Device.Name, pool.Device.Memory.Capacity = "acc", unit.Bytes(g.Capacity)
		c.Pools = append(c.Pools, pool)
	}
	for i := range g.CPUs {
		pool := cpuPool(fmt.Sprint("cpu", i+1), 1, 1)
		pool.Device.Name, pool.Node.DRAM.Capacity = "cpu", 1<<50
		c.Pools = append(c.Pools, pool)
	}
	s := spec(m, c)
	s.Batch, s.Microbatches, s.Precision, s.Optimizer, s.Sync = 1, 1, hw.FP32, SGD, NoSync
	s.Inference, s.Merge, s.Communication, s.Objective = !g.training(), merge, Added, Time
	return mustProblem(t, s), g
}

// weigh makes a device hold exactly the sizes of its nodes, as the paper has it:
// the importer splits them into parameters and outputs, which are kept by other
// rules.
func (g *publishedGraph) weigh(m *workloads.Model) {
	copies := int64(4)
	if g.training() {
		copies = 8 // a weight and its gradient
	}
	layerOf := g.layers(m)
	for l := range m.Layers {
		m.Layers[l].Params, m.Layers[l].Stored, m.Layers[l].Output = 0, 0, 0
	}
	size := make([]int64, len(m.Layers))
	for _, n := range g.Nodes {
		size[layerOf[n.ID]] += int64(n.Size)
	}
	for l := range size {
		m.Layers[l].Params = (size[l] + copies - 1) / copies
	}
	for i := range m.Edges {
		m.Edges[i].Elements = 0
	}
}

func (g *publishedGraph) training() bool {
	for _, n := range g.Nodes {
		if n.Back != 0 {
			return true
		}
	}
	return false
}

// layers returns the layer of each node by its id: layers are called after the
// forward node of their class.
func (g *publishedGraph) layers(m *workloads.Model) map[int]int {
	class, index, out := map[int]int{}, map[string]int{}, map[int]int{}
	for l := range m.Layers {
		index[m.Layers[l].Name] = l
	}
	for _, n := range g.Nodes {
		if l, ok := index[n.Name]; ok && n.Back == 0 {
			class[n.Class] = l
		}
	}
	for _, n := range g.Nodes {
		out[n.ID] = class[n.Class]
	}
	return out
}

// loads returns the load in ms of every device by the paper's definition: the
// latencies of its nodes and, on accelerators, the cost of every node whose
// output crosses the device's boundary, once for each node. deviceOf goes by
// node id; devices from g.Accelerators on are CPUs.
func (g *publishedGraph) loads(deviceOf map[int]int) []float64 {
	load := make([]float64, g.Accelerators+g.CPUs)
	cost := map[int]float64{}
	for _, e := range g.Edges {
		cost[e.From] = e.Cost
	}
	for d := range load {
		for _, n := range g.Nodes {
			if deviceOf[n.ID] == d && d < g.Accelerators {
				load[d] += n.Accel
			} else if deviceOf[n.ID] == d {
				load[d] += n.CPU
			}
			if d >= g.Accelerators {
				continue
			}
			for _, e := range g.Edges {
				if e.From == n.ID && (deviceOf[e.From] == d) != (deviceOf[e.To] == d) {
					load[d] += cost[n.ID]
					break
				}
			}
		}
	}
	return load
}

// sizes returns the bytes on every device.
func (g *publishedGraph) sizes(deviceOf map[int]int) []float64 {
	size := make([]float64, g.Accelerators+g.CPUs)
	for _, n := range g.Nodes {
		size[deviceOf[n.ID]] += n.Size
	}
	return size
}

// TestPublishedLoads: on random splits of the published graphs the closed form
// gives every device the load and the memory that the paper's definition gives it.
func TestPublishedLoads(t *testing.T) {
	for _, name := range publishedNames {
		p, g := publishedProblem(t, name, ByType)
		layerOf := g.layers(p.Model)
		r := rand.New(rand.NewPCG(20, 20))
		ev, full := NewEvaluator(p), 0
		for n := range 200 {
			sc := randomScheme(r, p.layers, p.pools, []float64{0.05, 0.3, 1}[n%3])
			deviceOf := map[int]int{}
			for id, l := range layerOf {
				deviceOf[id] = int(sc[l])
			}
			want, size, f := g.loads(deviceOf), g.sizes(deviceOf), ev.ClosedForm(sc)
			most, over := 0.0, false
			for i := range ev.stages {
				d := ev.stages[i].pool
				if got := 1e3 * ev.stepTime(i, 1); math.Abs(got-want[d]) > 1e-12*want[d] {
					t.Fatalf("%s %v: device %d has a load of %v ms, want %v", name, sc, d, got, want[d])
				}
				if got := p.need(&ev.stages[i], 1); math.Abs(got-size[d]) > 8*float64(p.layers) {
					t.Fatalf("%s %v: device %d holds %v bytes, want %v", name, sc, d, got, size[d])
				}
				most = max(most, want[d])
				over = over || d < g.Accelerators && size[d] > g.Capacity
			}
			if over {
				full++
			}
			if f.Feasible == over || f.Feasible && math.Abs(1e3/f.Value-most) > 1e-12*most {
				t.Fatalf("%s %v: %+v, want a step of %v ms; over capacity: %v", name, sc, f, most, over)
			}
		}
		t.Logf("%s: %d of 200 random splits are over an accelerator's capacity", name, full)
	}
}

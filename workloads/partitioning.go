package workloads

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// PartitioningOptions name the device types behind the two latencies of a node.
type PartitioningOptions struct {
	CPU         string // device type of cpuLatency
	Accelerator string // device type of fpgaLatency

	// IgnoreCost leaves the transfer times of the file out, so that the sizes
	// and the cluster's links decide (see ImportPartitioning on cost).
	IgnoreCost bool
}

// ImportPartitioning reads a layer graph in the JSON format of Tarnawski et al.,
// "Efficient Algorithms for Device Placement of DNN Graph Operators" (NeurIPS
// 2020; github.com/msr-fiddle/dnn-partitioning): nodes with a latency on a CPU
// and on an accelerator (milliseconds; the format calls it FPGA), and edges.
//
// Nodes of one colorClass must share a device: they become one layer, a forward
// node with its gradient node as a rule. Its forward time is the sum of the
// forward nodes' latencies, its backward time that of the gradient nodes. A
// file without gradient nodes is inference: Backward is 0, nothing is stored.
// Nodes without a class stay alone. Joining nodes must not close a cycle.
//
// One unit of work, whatever batch the file's authors measured, is one sample
// here: both profiles have Batch 1. A node that is not supportedOnFpga has no
// accelerator profile. The operations are unknown, so the layers are
// OnlyProfiled: no other device type can run them.
//
// What was found in the published files, and what is done about it:
//
//   - size is memory, parameters and output together, not parameters alone: a
//     BERT-large layer has 54 579 200 bytes = 12 596 224 parameters x 4 + its
//     4 194 304 bytes of output. If no forward node is smaller than what its
//     edges carry, Params is (size - output) / 4; else size is taken for parameters.
//   - A node without an edge out hides its output. Its gradient node's incoming
//     edges show it in training files (next point). Else the whole size is
//     taken for output if the node takes no time, and for parameters if it does.
//   - The gradient node repeats the size of its forward node. It is counted once.
//   - The layer graphs' gradient edges repeat the forward edges, in the same
//     direction, at the same cost; their size is the output of the node that
//     they lead to. Layers take their edges from the forward edges, and a
//     backward transfer mirrors the forward one. Gradient edges are used only to
//     tie a layer that has no forward node.
//   - cost is exactly size / 2^31 in the unit of the latencies. As milliseconds
//     that is a link of 2.1 TB/s, far above PCIe, likely GiB and seconds mixed
//     up by the authors; their published optima use it as it is. It becomes
//     Edge.Seconds, so that results compare; IgnoreCost drops it. It is the time
//     between an accelerator and host memory: they charge a transfer between
//     two accelerators twice.
//
// An edge carries each source node's output once, however many nodes of the
// target layer read it.
func ImportPartitioning(name string, r io.Reader, opt PartitioningOptions) (*Model, error) {
	if opt.CPU == "" || opt.Accelerator == "" || opt.CPU == opt.Accelerator {
		return nil, fmt.Errorf("PartitioningOptions: CPU %q, Accelerator %q; name two different device types", opt.CPU, opt.Accelerator)
	}
	data, err := readLimited(name, r)
	if err != nil {
		return nil, err
	}
	g := partitioning{name: name}
	if err := json.Unmarshal(data, &g.file); err != nil {
		return nil, jsonError(name, data, err)
	}
	if err := g.check(); err != nil {
		return nil, err
	}
	g.group()
	g.outputs()
	m := &Model{Name: modelName(name), Title: modelName(name)}
	m.Source = fmt.Sprintf("dnn-partitioning graph %s; cpuLatency taken for %s, fpgaLatency for %s", name, opt.CPU, opt.Accelerator)
	if m.Layers, err = g.layers(opt); err != nil {
		return nil, err
	}
	edges, err := g.edges(opt)
	if err != nil {
		return nil, err
	}
	order, cycle := topological(len(m.Layers), edges)
	if cycle != nil {
		return nil, fmt.Errorf("%s: the layers form a cycle once nodes of one colorClass are joined: %s", name, cycleText(cycle, g.describe))
	}
	m.Layers, m.Edges = arrange(m.Layers, edges, order)
	fillTraffic(m)
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// fillTraffic sets the traffic that is known: what comes in and goes out.
func fillTraffic(m *Model) {
	for i := range m.Layers {
		m.Layers[i].Traffic = m.Layers[i].Output
	}
	for _, e := range m.Edges {
		m.Layers[e.To].Traffic += e.Elements
	}
}

// partitioningFile is the JSON; mandatory fields are pointers. Other fields
// (limits of the authors' machine, debug names) are allowed, as the format says.
type partitioningFile struct {
	Nodes []partitioningNode `json:"nodes"`
	Edges []partitioningEdge `json:"edges"`
}

type partitioningNode struct {
	ID        *int     `json:"id"`
	Name      string   `json:"name"`
	Supported *flag    `json:"supportedOnFpga"`
	CPU       *float64 `json:"cpuLatency"`  // ms
	FPGA      *float64 `json:"fpgaLatency"` // ms
	Backward  *flag    `json:"isBackwardNode"`
	Class     *int     `json:"colorClass"`
	Size      *float64 `json:"size"` // bytes
}

type partitioningEdge struct {
	Source *int     `json:"sourceId"`
	Dest   *int     `json:"destId"`
	Cost   *float64 `json:"cost"` // ms
	Size   float64  `json:"size"` // bytes; optional
}

// flag is a boolean that the format also writes as 0 or 1.
type flag bool

// UnmarshalJSON accepts true, false, 0 and 1.
func (f *flag) UnmarshalJSON(data []byte) error {
	switch string(data) {
	case "true", "1", "1.0":
		*f = true
	case "false", "0", "0.0":
		*f = false
	default:
		return fmt.Errorf("%s is no truth value; accepted: true, false, 0, 1", shorten(string(data)))
	}
	return nil
}

// jsonError adds line and column to what encoding/json says.
func jsonError(name string, data []byte, err error) error {
	var offset int64
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
		err = fmt.Errorf("%s: expected %s, got %s", kind.Field, kind.Type, kind.Value)
	default:
		return fmt.Errorf("%s: %w", name, err)
	}
	line, col := 1, int64(1)
	for _, b := range data[:min(offset, int64(len(data)))] {
		if col++; b == '\n' {
			line, col = line+1, 1
		}
	}
	return fmt.Errorf("%s:%d:%d: %w", name, line, max(col-1, 1), err)
}

// partitioning is a graph on its way to a model.
type partitioning struct {
	name  string
	file  partitioningFile
	index map[int]int // node id -> place in file.Nodes

	groups  [][]int   // nodes of each layer, in file order
	groupOf []int     // node -> its layer
	output  []float64 // node -> bytes that it puts out
	hidden  bool      // sizes hold the output, beside parameters
	trained bool      // the file has gradient nodes
}

// check refuses what is incomplete or cannot be.
func (g *partitioning) check() error {
	f := &g.file
	switch {
	case len(f.Nodes) == 0:
		return fmt.Errorf("%s: no nodes; expected {\"nodes\": […], \"edges\": […]}", g.name)
	case len(f.Nodes) > MaxLayers:
		return fmt.Errorf("%s: %d nodes; at most %d are accepted (workloads.MaxLayers)", g.name, len(f.Nodes), MaxLayers)
	case len(f.Edges) > MaxEdges:
		return fmt.Errorf("%s: %d edges; at most %d are accepted (workloads.MaxEdges)", g.name, len(f.Edges), MaxEdges)
	}
	g.index = make(map[int]int, len(f.Nodes))
	for i := range f.Nodes {
		n := &f.Nodes[i]
		if err := n.check(); err != nil {
			return fmt.Errorf("%s: nodes[%d]: %w", g.name, i, err)
		}
		if j, twice := g.index[*n.ID]; twice {
			return fmt.Errorf("%s: nodes[%d] and nodes[%d] both have id %d", g.name, j, i, *n.ID)
		}
		g.index[*n.ID] = i
		g.trained = g.trained || n.gradient()
	}
	for i := range f.Edges {
		if err := g.checkEdge(&f.Edges[i]); err != nil {
			return fmt.Errorf("%s: edges[%d]: %w", g.name, i, err)
		}
	}
	return nil
}

func (n *partitioningNode) gradient() bool { return n.Backward != nil && bool(*n.Backward) }

func (n *partitioningNode) check() error {
	if n.ID == nil {
		return errors.New("has no id")
	}
	for _, f := range []struct {
		key   string
		value *float64
	}{{"cpuLatency", n.CPU}, {"fpgaLatency", n.FPGA}, {"size", n.Size}} {
		if f.value == nil {
			return fmt.Errorf("id %d has no %s", *n.ID, f.key)
		}
		if err := amountError(*f.value); err != nil {
			return fmt.Errorf("id %d: %s: %w", *n.ID, f.key, err)
		}
	}
	if n.Supported == nil {
		return fmt.Errorf("id %d has no supportedOnFpga", *n.ID)
	}
	return nil
}

func (g *partitioning) checkEdge(e *partitioningEdge) error {
	if e.Source == nil || e.Dest == nil || e.Cost == nil {
		return errors.New("needs sourceId, destId and cost")
	}
	for _, id := range []int{*e.Source, *e.Dest} {
		if _, ok := g.index[id]; !ok {
			return fmt.Errorf("no node has id %d", id)
		}
	}
	if *e.Source == *e.Dest {
		return fmt.Errorf("node %d leads to itself", *e.Source)
	}
	for _, v := range []float64{*e.Cost, e.Size} {
		if err := amountError(v); err != nil {
			return err
		}
	}
	return nil
}

// group puts the nodes of one class together, in file order of first mention.
func (g *partitioning) group() {
	classes := make(map[int]int)
	g.groupOf = make([]int, len(g.file.Nodes))
	for i := range g.file.Nodes {
		k := len(g.groups)
		if c := g.file.Nodes[i].Class; c != nil {
			if known, ok := classes[*c]; ok {
				k = known
			} else {
				classes[*c] = k
			}
		}
		if k == len(g.groups) {
			g.groups = append(g.groups, nil)
		}
		g.groups[k] = append(g.groups[k], i)
		g.groupOf[i] = k
	}
}

// leader returns the node that names a layer: its first forward node, or its
// first node where it has none.
func (g *partitioning) leader(group int) *partitioningNode {
	for _, i := range g.groups[group] {
		if !g.file.Nodes[i].gradient() {
			return &g.file.Nodes[i]
		}
	}
	return &g.file.Nodes[g.groups[group][0]]
}

// forward says whether the layer has a forward node.
func (g *partitioning) forward(group int) bool { return !g.leader(group).gradient() }

func (g *partitioning) describe(group int) string {
	n := g.leader(group)
	text := n.title()
	if n.Class != nil {
		text = fmt.Sprintf("%s (colorClass %d, %d nodes)", text, *n.Class, len(g.groups[group]))
	}
	return text
}

func (n *partitioningNode) title() string {
	if n.Name != "" {
		return n.Name
	}
	return fmt.Sprintf("node%d", *n.ID)
}

// outputs works out how many bytes every node puts out, and whether sizes hold
// them (the comment of ImportPartitioning says why it is a question).
func (g *partitioning) outputs() {
	nodes := g.file.Nodes
	g.output = make([]float64, len(nodes))
	behind := make([]bool, len(nodes)) // nodes with an edge out
	gradientIn := make(map[int]float64)
	for _, e := range g.file.Edges {
		from, to := g.index[*e.Source], g.index[*e.Dest]
		switch {
		case !nodes[from].gradient():
			behind[from] = true
			g.output[from] = max(g.output[from], e.Size)
		case nodes[to].gradient():
			gradientIn[g.groupOf[to]] = max(gradientIn[g.groupOf[to]], e.Size)
		}
	}
	g.hidden = true
	for i := range nodes {
		if !nodes[i].gradient() && *nodes[i].Size < g.output[i] {
			g.hidden = false
		}
	}
	if !g.hidden {
		return
	}
	for i := range nodes {
		n := &nodes[i]
		if n.gradient() || behind[i] {
			continue
		}
		if shown, ok := gradientIn[g.groupOf[i]]; ok && shown <= *n.Size {
			g.output[i] = shown
		} else if *n.CPU == 0 && *n.FPGA == 0 {
			g.output[i] = *n.Size
		}
	}
}

// params returns the parameters of a forward node.
func (g *partitioning) params(i int) float64 {
	size := *g.file.Nodes[i].Size
	if g.hidden {
		size -= g.output[i]
	}
	return math.Round(size / 4)
}

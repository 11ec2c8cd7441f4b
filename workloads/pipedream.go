package workloads

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// PipeDreamOptions say what a profile file does not.
type PipeDreamOptions struct {
	Device string // device type that the profile was measured on
	Batch  int    // samples of the batch that was measured
}

// ImportPipeDream reads a layer profile in the text format of PipeDream's
// profiler (graph.txt): one line a node,
//
//	node2 -- Conv2d(3, 64, kernel_size=(3, 3), …) -- forward_compute_time=22.307, backward_compute_time=24.613, activation_size=1644167168.000, parameter_size=7168.000
//
// and one indented line an edge, "node1 -- node2". Times are milliseconds per
// batch and sizes bytes per batch of 4-byte numbers; a node with several
// outputs lists their sizes, "[6291456.0; 131072.0]".
//
// Taken from the file: the graph, times (a Profile of opt.Device at opt.Batch,
// also where they are 0; an Input's time is that of loading the batch),
// parameters, outputs. An edge carries its source's output, or, into
// __getitem__(i), the i-th of several. An edge into Size carries nothing: a
// shape is known without the data.
//
// Derived from the operation's text, so that a device type without a profile
// can be timed by roofline: FLOPs of Conv2d, Linear, LSTM, GRU, normalisations,
// activations, pools and modules made of Linear and LSTM; unknown operations
// count 0. Traffic is what comes in and goes out; views (View, Size,
// __getitem__) move nothing. The backward multiple is that of the kind of layer.
// Stored activations are the outputs, which is what PipeDream stashes, but for
// views and operations in place. The sum of score products inside
// RecurrentAttention is not counted: the file does not say how long sentences are.
//
// Embedding nodes keep their rows as dense parameters. Edges given twice count
// once. Layers are in topological order, by node number where edges allow.
func ImportPipeDream(name string, r io.Reader, opt PipeDreamOptions) (*Model, error) {
	switch {
	case opt.Device == "":
		return nil, errors.New("PipeDreamOptions.Device is empty; name the device type that the profile was measured on")
	case opt.Batch < 1 || opt.Batch > MaxShape:
		return nil, fmt.Errorf("PipeDreamOptions.Batch is %d; give the batch that was measured, 1 to %d", opt.Batch, MaxShape)
	}
	data, err := readLimited(name, r)
	if err != nil {
		return nil, err
	}
	g := pipeDream{name: name, index: make(map[string]int)}
	if err := g.read(data); err != nil {
		return nil, err
	}
	edges, err := g.resolve()
	if err != nil {
		return nil, err
	}
	m := &Model{Name: modelName(name), Title: modelName(name)}
	m.Source = fmt.Sprintf("PipeDream profile %s, measured on %s at batch %d", name, opt.Device, opt.Batch)
	if m.Layers, err = g.layers(edges, opt); err != nil {
		return nil, err
	}
	order, cycle := topological(len(m.Layers), edges)
	if cycle != nil {
		return nil, fmt.Errorf("%s: the edges form a cycle: %s", name, cycleText(cycle, func(i int) string { return m.Layers[i].Name }))
	}
	for i := range edges {
		edges[i].Elements = g.carried(edges[i]) / 4 / float64(opt.Batch)
	}
	m.Layers, m.Edges = arrange(m.Layers, edges, order)
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return m, nil
}

// pipeDream is a profile file as read.
type pipeDream struct {
	name  string
	nodes []pipeDreamNode
	index map[string]int // node name -> place in nodes
	links []pipeDreamLink
}

type pipeDreamNode struct {
	line              int
	name              string
	op                module
	forward, backward float64   // ms per batch
	outputs           []float64 // bytes per batch
	params            float64   // bytes
}

type pipeDreamLink struct {
	line     int
	from, to string
}

func (g *pipeDream) errorf(line int, format string, args ...any) error {
	return fmt.Errorf("%s:%d: %s", g.name, line, fmt.Sprintf(format, args...))
}

func (g *pipeDream) read(data []byte) error {
	line := 0
	for text := range bytes.Lines(data) {
		line++
		trimmed := strings.TrimSpace(string(text))
		if trimmed == "" {
			continue
		}
		if text[0] == '\t' || text[0] == ' ' {
			if err := g.link(line, trimmed); err != nil {
				return err
			}
		} else if err := g.node(line, trimmed); err != nil {
			return err
		}
	}
	if len(g.nodes) == 0 {
		return g.errorf(max(line, 1), "no nodes; a PipeDream profile has lines such as %q", "node1 -- Input -- forward_compute_time=0.0, …")
	}
	slices.SortStableFunc(g.nodes, func(a, b pipeDreamNode) int { return cmp.Compare(nodeNumber(a.name), nodeNumber(b.name)) })
	for i := range g.nodes {
		g.index[g.nodes[i].name] = i
	}
	return nil
}

// nodeNumber returns 12 for "node12"; other names come last, in file order.
func nodeNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "node"))
	if err != nil || n < 0 {
		return math.MaxInt
	}
	return n
}

func (g *pipeDream) link(line int, text string) error {
	from, to, ok := strings.Cut(text, " -- ")
	if !ok || strings.Contains(to, " -- ") {
		return g.errorf(line, "%q is no edge; accepted: \"node1 -- node2\"", shorten(text))
	}
	if len(g.links) == MaxEdges {
		return g.errorf(line, "more than %d edges (workloads.MaxEdges)", MaxEdges)
	}
	g.links = append(g.links, pipeDreamLink{line, strings.TrimSpace(from), strings.TrimSpace(to)})
	return nil
}

func (g *pipeDream) node(line int, text string) error {
	const figures = " -- forward_compute_time="
	name, rest, _ := strings.Cut(text, " -- ")
	at := strings.LastIndex(rest, figures)
	if at < 0 || name == "" {
		return g.errorf(line, "%q is no node; accepted: \"node1 -- operation -- forward_compute_time=…, backward_compute_time=…, activation_size=…, parameter_size=…\" (edges are indented)", shorten(text))
	}
	if _, twice := g.index[name]; twice {
		return g.errorf(line, "a second node %q", name)
	}
	if len(g.nodes) == MaxLayers {
		return g.errorf(line, "more than %d nodes (workloads.MaxLayers)", MaxLayers)
	}
	g.index[name] = line
	n := pipeDreamNode{line: line, name: name, op: parseModule(rest[:at])}
	figuresText, _, _ := strings.Cut(rest[at+len(" -- "):], " -- ") // what follows is stage_id=…
	seen := 0
	for _, part := range strings.Split(figuresText, ", ") {
		key, value, _ := strings.Cut(part, "=")
		values, err := parseSizes(value)
		if err != nil {
			return g.errorf(line, "%s: %v", key, err)
		}
		if len(values) != 1 && key != "activation_size" {
			return g.errorf(line, "%s: %q; one number is accepted", key, shorten(value))
		}
		switch key {
		case "forward_compute_time":
			n.forward, seen = values[0], seen|1
		case "backward_compute_time":
			n.backward, seen = values[0], seen|2
		case "activation_size":
			n.outputs, seen = values, seen|4
		case "parameter_size":
			n.params, seen = values[0], seen|8
		default:
			return g.errorf(line, "unknown figure %q; known: forward_compute_time, backward_compute_time, activation_size, parameter_size", shorten(key))
		}
	}
	if seen != 15 {
		return g.errorf(line, "node %q lacks a figure; needed: forward_compute_time, backward_compute_time, activation_size, parameter_size", name)
	}
	g.nodes = append(g.nodes, n)
	return nil
}

// parseSizes reads "12.5" or "[12.5; 3.0]".
func parseSizes(text string) ([]float64, error) {
	inner := strings.TrimSpace(text)
	if strings.HasPrefix(inner, "[") && strings.HasSuffix(inner, "]") {
		inner = inner[1 : len(inner)-1]
	}
	var sizes []float64
	for part := range strings.SplitSeq(inner, ";") {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", shorten(part))
		}
		if err := amountError(v); err != nil {
			return nil, err
		}
		sizes = append(sizes, v)
	}
	return sizes, nil
}

// resolve turns the links into edges, each once, without amounts.
func (g *pipeDream) resolve() ([]Edge, error) {
	edges := make([]Edge, 0, len(g.links))
	seen := make(map[[2]int]bool, len(g.links))
	for _, l := range g.links {
		from, ok := g.index[l.from]
		if !ok {
			return nil, g.errorf(l.line, "edge from unknown node %q", shorten(l.from))
		}
		to, ok := g.index[l.to]
		if !ok {
			return nil, g.errorf(l.line, "edge to unknown node %q", shorten(l.to))
		}
		if from == to {
			return nil, g.errorf(l.line, "node %q leads to itself", l.from)
		}
		if !seen[[2]int{from, to}] {
			seen[[2]int{from, to}] = true
			edges = append(edges, Edge{From: from, To: to})
		}
	}
	return edges, nil
}

// carried returns the bytes per batch that an edge moves.
func (g *pipeDream) carried(e Edge) float64 {
	outputs := g.nodes[e.From].outputs
	to := &g.nodes[e.To].op
	if to.name == "Size" {
		return 0
	}
	if to.name == "__getitem__" && len(outputs) > 1 {
		if i, err := strconv.Atoi(to.args); err == nil && i >= 0 && i < len(outputs) {
			return outputs[i]
		}
	}
	return sum(outputs)
}

// layers builds the layers in node order.
func (g *pipeDream) layers(edges []Edge, opt PipeDreamOptions) ([]Layer, error) {
	batch := float64(opt.Batch)
	input := make([]float64, len(g.nodes)) // elements per sample
	fed := make([]bool, len(g.nodes))
	for _, e := range edges {
		input[e.To] += g.carried(e) / 4 / batch
		fed[e.To] = true
	}
	layers := make([]Layer, len(g.nodes))
	for i := range g.nodes {
		n := &g.nodes[i]
		if n.params/4 > MaxParams {
			return nil, g.errorf(n.line, "parameter_size: %g bytes; at most %d parameters are accepted (workloads.MaxParams)", n.params, int64(MaxParams))
		}
		point := ProfilePoint{Batch: opt.Batch, Forward: n.forward / 1e3, Backward: n.backward / 1e3}
		l := Layer{
			Name:     n.name,
			Params:   int64(math.Round(n.params / 4)),
			Output:   sum(n.outputs) / 4 / batch,
			Parallel: -1,
			Profiles: []Profile{{Device: opt.Device, Points: []ProfilePoint{point}}},
		}
		n.op.derive(&l, fed[i], input[i], n.outputs[0]/4/batch)
		layers[i] = l
	}
	return layers, nil
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// shorten cuts text for an error message.
func shorten(text string) string {
	const most = 60
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most]) + "…"
}

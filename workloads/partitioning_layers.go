package workloads

import (
	"fmt"
	"slices"
)

// layers builds one layer a group, in group order.
func (g *partitioning) layers(opt PartitioningOptions) ([]Layer, error) {
	used := make(map[string]bool, len(g.groups))
	layers := make([]Layer, len(g.groups))
	for k := range g.groups {
		l, err := g.layer(k, opt)
		if err != nil {
			return nil, err
		}
		if used[l.Name] { // names are debug information: they may repeat, ids do not
			l.Name = fmt.Sprintf("%s#%d", l.Name, *g.leader(k).ID)
		}
		if used[l.Name] {
			return nil, fmt.Errorf("%s: two layers would be named %q; give the nodes different names", g.name, l.Name)
		}
		used[l.Name] = true
		layers[k] = l
	}
	return layers, nil
}

func (g *partitioning) layer(group int, opt PartitioningOptions) (Layer, error) {
	leader := g.leader(group)
	l := Layer{Name: leader.title(), Kind: Block, Parallel: -1, OnlyProfiled: true}
	var cpu, accelerator ProfilePoint
	cpu.Batch, accelerator.Batch = 1, 1
	supported, params := true, 0.0
	for _, i := range g.groups[group] {
		n := &g.file.Nodes[i]
		supported = supported && bool(*n.Supported)
		if n.gradient() {
			cpu.Backward += *n.CPU / 1e3
			accelerator.Backward += *n.FPGA / 1e3
			continue
		}
		cpu.Forward += *n.CPU / 1e3
		accelerator.Forward += *n.FPGA / 1e3
		params += g.params(i)
		l.Output += g.output[i] / 4
	}
	if params > MaxParams {
		return l, fmt.Errorf("%s: %s: %.0f parameters; at most %d are accepted (workloads.MaxParams)", g.name, g.describe(group), params, int64(MaxParams))
	}
	l.Params = int64(params)
	if g.trained {
		l.Stored = l.Output
		l.Backward = backwardMultiple(cpu)
	}
	if err := addPoint(&l, opt.CPU, cpu); err != nil {
		return l, err
	}
	if !supported {
		return l, nil
	}
	return l, addPoint(&l, opt.Accelerator, accelerator)
}

// backwardMultiple returns the measured ratio of backward to forward, or that
// of a matrix product where forward takes no time.
func backwardMultiple(p ProfilePoint) float64 {
	switch {
	case p.Backward == 0:
		return 0
	case p.Forward == 0:
		return matrixBackward
	}
	return p.Backward / p.Forward
}

// edges joins the layers. Between layers that both have forward nodes the
// forward edges count. A layer of gradient nodes alone is tied by the others:
// behind the forward nodes that feed it, and, as gradients run backwards,
// before the layers whose gradients it takes in.
func (g *partitioning) edges(opt PartitioningOptions) ([]Edge, error) {
	type transfer struct{ from, to, source int }
	place := make(map[transfer]int) // in list
	var list []Edge
	for i := range g.file.Edges {
		e := &g.file.Edges[i]
		source, dest := g.index[*e.Source], g.index[*e.Dest]
		from, to := g.groupOf[source], g.groupOf[dest]
		back, backDest := g.file.Nodes[source].gradient(), g.file.Nodes[dest].gradient()
		switch {
		case back && !backDest:
			return nil, fmt.Errorf("%s: edges[%d]: forward node %d waits for gradient node %d; an iteration cannot run so", g.name, i, *e.Dest, *e.Source)
		case from == to || backDest && g.forward(from) && g.forward(to):
			continue // inside a layer, what forward keeps for backward, or a mirrored forward edge
		case back:
			from, to = to, from
		}
		key := transfer{from, to, source}
		k, known := place[key]
		if !known {
			k = len(list)
			place[key] = k
			list = append(list, Edge{From: from, To: to})
		}
		list[k].Elements = max(list[k].Elements, e.Size/4)
		if !opt.IgnoreCost {
			list[k].Seconds = max(list[k].Seconds, *e.Cost/1e3)
		}
	}
	slices.SortStableFunc(list, compareEdges)
	return sumPairs(list), nil
}

// sumPairs adds up sorted edges between the same two layers.
func sumPairs(list []Edge) []Edge {
	var edges []Edge
	for _, e := range list {
		if last := len(edges) - 1; last >= 0 && compareEdges(edges[last], e) == 0 {
			edges[last].Elements += e.Elements
			edges[last].Seconds += e.Seconds
			continue
		}
		edges = append(edges, e)
	}
	return edges
}

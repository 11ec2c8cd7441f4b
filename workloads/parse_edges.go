package workloads

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stowage/hw/spec"
	"stowage/hw/unit"
)

// edges fills in the model's edges and sorts its layers by them.
func (p *parser) edges(m *Model) error {
	if len(p.file.Edges) == 0 {
		m.Edges = chain(m.Layers)
		return nil
	}
	if n := len(p.file.Edges) + len(m.Layers); n > MaxEdges {
		return p.doc.Errorf(spec.Path{"edge"}, "%d edges with those between copies; at most %d are accepted (workloads.MaxEdges)", n, MaxEdges)
	}
	p.single(m.Layers)
	edges := p.betweenCopies(m.Layers)
	written := make(map[[2]int]int, len(p.file.Edges)) // edge -> its place in the file
	for _, e := range edges {
		written[[2]int{e.From, e.To}] = -1
	}
	for k := range p.file.Edges {
		e, err := p.edge(m, k)
		if err != nil {
			return err
		}
		ends := [2]int{e.From, e.To}
		if _, twice := written[ends]; twice {
			return p.doc.Errorf(spec.Path{"edge", k}, "a second edge from %q to %q; sum up their elements", m.Layers[e.From].Name, m.Layers[e.To].Name)
		}
		written[ends] = k
		edges = append(edges, e)
	}
	order, cycle := topological(len(m.Layers), edges)
	if cycle != nil {
		at := spec.Path{"edge"}
		for i := range cycle { // point at an edge of the cycle that the file has
			if k := written[[2]int{cycle[i], cycle[(i+1)%len(cycle)]}]; k >= 0 {
				at = spec.Path{"edge", k}
				break
			}
		}
		return p.doc.Errorf(at, "the edges form a cycle: %s", cycleText(cycle, func(i int) string { return m.Layers[i].Name }))
	}
	m.Layers, m.Edges = arrange(m.Layers, edges, order)
	return nil
}

// edge builds edge k of the file.
func (p *parser) edge(m *Model, k int) (Edge, error) {
	f := &p.file.Edges[k]
	from, err := p.find(m, k, "from", f.From)
	if err != nil {
		return Edge{}, err
	}
	to, err := p.find(m, k, "to", f.To)
	if err != nil {
		return Edge{}, err
	}
	e := Edge{From: from.last, To: to.first, Elements: m.Layers[from.last].Output, Seconds: seconds(f.Time)}
	if e.From == e.To || f.From == f.To {
		return e, p.doc.Errorf(spec.Path{"edge", k}, "layer %q leads to itself", f.From)
	}
	if f.Elements != nil {
		e.Elements = *f.Elements
		if err := amountError(e.Elements); err != nil {
			return e, p.doc.Errorf(spec.Path{"edge", k, "elements"}, "%v", err)
		}
	}
	return e, nil
}

// find resolves a layer name of edge k.
func (p *parser) find(m *Model, k int, key, name string) (span, error) {
	if s, ok := p.copies[name]; ok {
		return s, nil
	}
	if name == "" {
		return span{}, p.doc.Errorf(spec.Path{"edge", k}, "an edge names the layers that it joins, from and to; %s is missing", key)
	}
	known := make([]string, len(m.Layers))
	for i := range m.Layers {
		known[i] = m.Layers[i].Name
	}
	return span{}, p.doc.Errorf(spec.Path{"edge", k, key}, "unknown layer %q%s", name, didYouMean(name, known))
}

// single lets edges name one copy of a repeated layer.
func (p *parser) single(layers []Layer) {
	for i := range layers {
		if _, ok := p.copies[layers[i].Name]; !ok {
			p.copies[layers[i].Name] = span{i, i}
		}
	}
}

// betweenCopies returns the edges that chain the copies of repeated layers.
func (p *parser) betweenCopies(layers []Layer) []Edge {
	var edges []Edge
	for i := range p.file.Layers {
		s := p.copies[p.file.Layers[i].Name]
		for j := s.first; j < s.last; j++ {
			edges = append(edges, Edge{From: j, To: j + 1, Elements: layers[j].Output})
		}
	}
	return edges
}

// chain returns the edges of layers that simply follow each other.
func chain(layers []Layer) []Edge {
	edges := make([]Edge, 0, len(layers))
	for i := 1; i < len(layers); i++ {
		edges = append(edges, Edge{From: i - 1, To: i, Elements: layers[i-1].Output})
	}
	return edges
}

// addPoint files a batch that was measured on one device under its type; see addPointOf.
func addPoint(l *Layer, device string, point ProfilePoint) error {
	return addPointOf(l, device, 0, point)
}

// addPointOf files a batch that was measured on so many devices together, 0 for one alone,
// under their type and number, keeping all sorted.
func addPointOf(l *Layer, device string, tensor int, point ProfilePoint) error {
	i, found := slices.BinarySearchFunc(l.Profiles, tensor, func(p Profile, degree int) int { return p.compare(device, degree) })
	if !found {
		l.Profiles = slices.Insert(l.Profiles, i, Profile{Device: device, Tensor: tensor})
	}
	profile := &l.Profiles[i]
	j, found := slices.BinarySearchFunc(profile.Points, point.Batch, func(p ProfilePoint, b int) int { return cmp.Compare(p.Batch, b) })
	if found {
		if tensor > 1 {
			return fmt.Errorf("batch %d on %d of device type %q together is given twice", point.Batch, tensor, device)
		}
		return fmt.Errorf("batch %d on device type %q is given twice", point.Batch, device)
	}
	if len(profile.Points) == MaxPoints {
		return fmt.Errorf("more than %d batches on device type %q (workloads.MaxPoints)", MaxPoints, device)
	}
	profile.Points = slices.Insert(profile.Points, j, point)
	return nil
}

// didYouMean returns "; did you mean x?" for the closest known name, or, when
// none is close, the known names as far as they are few.
func didYouMean(name string, known []string) string {
	if near := unit.Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	const few = 30
	if len(known) > few {
		return fmt.Sprintf("; %d are known, among them %q", len(known), known[:few])
	}
	return fmt.Sprintf("; known: %q", known)
}

// seconds returns a duration of a file in seconds; a missing one is 0.
func seconds(d *unit.Duration) float64 {
	if d == nil {
		return 0
	}
	return time.Duration(*d).Seconds()
}

package network

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"stowage/hw/unit"
)

// Graph is what a network is made of: vertices (devices, switches, ports) and the
// cables between them. Routes are computed once and do not depend on traffic.
type Graph struct {
	vertices []vertex
	wires    []wire // by LinkID
	routes   map[[2]Vertex]*Route
	distance map[Vertex][]int32 // to a vertex from all others
}

// Vertex names a vertex of a Graph.
type Vertex int32

type vertex struct {
	name string
	arcs []arc // in the order of Connect
}

// arc is a way out of a vertex.
type arc struct {
	to   Vertex
	wire LinkID
	cost int32
}

type wire struct {
	name     string
	capacity unit.Rate
	latency  time.Duration
}

// Cable is what joins two vertices.
type Cable struct {
	Capacity unit.Rate // in each direction, or of both together
	Latency  time.Duration
	Half     bool // half duplex: both directions share the capacity
	Cost     int  // of a route over it; 0: 1. Routes are those of least cost.
}

// Route is the way from one vertex to another.
type Route struct {
	Path    []LinkID
	Latency time.Duration // of all its links
}

// NewGraph returns an empty graph.
func NewGraph() *Graph {
	return &Graph{routes: map[[2]Vertex]*Route{}, distance: map[Vertex][]int32{}}
}

// Vertex adds a vertex.
func (g *Graph) Vertex(name string) Vertex {
	g.vertices = append(g.vertices, vertex{name: name})
	return Vertex(len(g.vertices) - 1)
}

// Name returns the name of a vertex.
func (g *Graph) Name(v Vertex) string { return g.vertices[v].name }

// Links returns how many directed links the graph has.
func (g *Graph) Links() int { return len(g.wires) }

// LinkName returns what a link leads from and to.
func (g *Graph) LinkName(l LinkID) string { return g.wires[l].name }

// Capacity returns what a link carries.
func (g *Graph) Capacity(l LinkID) unit.Rate { return g.wires[l].capacity }

// Named returns the links of a name: "a -> b" for one direction, "a -- b" for both, or
// for a cable of which both directions share the capacity.
func (g *Graph) Named(name string) (ids []LinkID) {
	names := []string{name}
	if a, b, ok := strings.Cut(name, " -- "); ok {
		names = append(names, a+" -> "+b, b+" -> "+a, b+" -- "+a)
	}
	for i := range g.wires {
		if slices.Contains(names, g.wires[i].name) {
			ids = append(ids, LinkID(i))
		}
	}
	return ids
}

// Connect joins two vertices. Routes asked for before are forgotten.
func (g *Graph) Connect(a, b Vertex, c Cable) {
	if a == b {
		panic(fmt.Sprintf("network: a cable from %q to itself", g.Name(a)))
	}
	cost := int32(max(1, c.Cost))
	there := g.lay(fmt.Sprintf("%s -> %s", g.Name(a), g.Name(b)), c)
	back := there
	if c.Half {
		g.wires[there].name = fmt.Sprintf("%s -- %s", g.Name(a), g.Name(b))
	} else {
		back = g.lay(fmt.Sprintf("%s -> %s", g.Name(b), g.Name(a)), c)
	}
	g.vertices[a].arcs = append(g.vertices[a].arcs, arc{b, there, cost})
	g.vertices[b].arcs = append(g.vertices[b].arcs, arc{a, back, cost})
	clear(g.routes)
	clear(g.distance)
}

func (g *Graph) lay(name string, c Cable) LinkID {
	g.wires = append(g.wires, wire{name, c.Capacity, c.Latency})
	return LinkID(len(g.wires) - 1)
}

// Lay puts the graph's links into a network that has none yet, so that the paths of
// routes are paths of the network.
func (g *Graph) Lay(n *Network) {
	if len(n.links) > 0 {
		panic("network: a graph needs a network without links")
	}
	for _, w := range g.wires {
		n.Link(w.name, w.capacity)
	}
}

// Route returns the way of least cost from one vertex to another, the same at every
// call, and whether there is one. Of several, a hash of both ends picks one at each
// vertex (equal-cost multi-path, RFC 2992), so that pairs spread over them. The way
// from a vertex to itself has no links.
func (g *Graph) Route(from, to Vertex) (*Route, bool) {
	key := [2]Vertex{from, to}
	if r, ok := g.routes[key]; ok {
		return r, r != nil
	}
	var r *Route
	if door, last := g.door(to); from == to || door == to || from == door {
		r = g.walk(from, to, key)
	} else if r = g.walk(from, door, key); r != nil {
		r.extend(last, g.wires[last].latency)
	}
	g.routes[key] = r
	return r, r != nil
}

// Leg is a route and the part of what is moved that goes over it: one of so many.
type Leg struct {
	*Route
	Parts float64
}

// Legs are those of a transfer between two lists of vertices, each of which has what is
// moved divided equally among its vertices, in their order: a leg where a vertex of one has
// some that a vertex of the other has. Vertices that cannot reach each other are a bug of
// the caller and panic.
func (g *Graph) Legs(from, to []Vertex) (legs []Leg) {
	n, m := len(from), len(to)
	for at := 0; at < n*m; { // a vertex of from has m of n*m parts, one of to has n
		i, k := at/m, at/n
		end := min((i+1)*m, (k+1)*n)
		legs = append(legs, Leg{g.Way(from[i], to[k]), float64(n*m) / float64(end-at)})
		at = end
	}
	return legs
}

// EveryNth returns what is at first and every step behind it.
func EveryNth(all []Vertex, step, first int) []Vertex {
	if step == 1 {
		return all
	}
	some := make([]Vertex, 0, len(all)/step)
	for i := first; i < len(all); i += step {
		some = append(some, all[i])
	}
	return some
}

// LayoutOf returns how many of some devices are in each node, given their hosts.
func LayoutOf(hosts []Vertex) (l Layout) {
	for i := range hosts {
		if i == 0 || hosts[i] != hosts[i-1] {
			l = append(l, 0)
		}
		l[len(l)-1]++
	}
	return l
}

// Way is Route between vertices that can reach each other; others are a bug of the caller
// and panic.
func (g *Graph) Way(from, to Vertex) *Route {
	r, ok := g.Route(from, to)
	if !ok {
		panic(fmt.Sprintf("network: no way from %q to %q", g.Name(from), g.Name(to)))
	}
	return r
}

// door returns the only neighbour of a vertex with one cable and the link from there,
// or else the vertex itself: all routes to such a vertex lead to its door, and so the
// distances to the doors are enough to find them.
func (g *Graph) door(to Vertex) (door Vertex, last LinkID) {
	if len(g.vertices[to].arcs) != 1 {
		return to, 0
	}
	door = g.vertices[to].arcs[0].to
	for _, a := range g.vertices[door].arcs {
		if a.to == to {
			return door, a.wire
		}
	}
	panic("network: a cable with one end")
}

// walk follows the least distances; ends are those by which it picks. nil: no way.
func (g *Graph) walk(from, to Vertex, ends [2]Vertex) *Route {
	distance := g.distances(to)
	if distance[from] == unreachable {
		return nil
	}
	r := &Route{}
	hash := mix(uint64(ends[0])<<32 | uint64(ends[1]))
	for v := from; v != to; {
		a := g.next(v, distance, hash)
		hash = mix(hash)
		r.extend(a.wire, g.wires[a.wire].latency)
		v = a.to
	}
	return r
}

func (r *Route) extend(l LinkID, latency time.Duration) {
	r.Path = append(r.Path, l)
	r.Latency += latency
}

// next picks an arc of v on a way of least cost.
func (g *Graph) next(v Vertex, distance []int32, hash uint64) *arc {
	arcs := g.vertices[v].arcs
	fits := func(a *arc) bool {
		return distance[a.to] != unreachable && distance[a.to]+a.cost == distance[v]
	}
	count := uint64(0)
	for i := range arcs {
		if fits(&arcs[i]) {
			count++
		}
	}
	pick := hash % count
	for i := range arcs {
		if !fits(&arcs[i]) {
			continue
		}
		if pick == 0 {
			return &arcs[i]
		}
		pick--
	}
	panic("network: a route that ends nowhere")
}

const unreachable = math.MaxInt32

// maxDistances bounds the distances that are kept, 4 bytes each.
const maxDistances = 1 << 23

// distances returns the least cost from every vertex to one. Costs are small whole
// numbers, so that a queue for each distance does for Dijkstra's algorithm. Cables
// lead both ways at one cost.
func (g *Graph) distances(to Vertex) []int32 {
	if d, ok := g.distance[to]; ok {
		return d
	}
	if len(g.distance)*len(g.vertices) > maxDistances {
		clear(g.distance)
	}
	d := slices.Repeat([]int32{unreachable}, len(g.vertices))
	d[to] = 0
	queues := [][]Vertex{{to}}
	for at := 0; at < len(queues); at++ {
		for i := 0; i < len(queues[at]); i++ {
			v := queues[at][i]
			if d[v] != int32(at) {
				continue // reached at less cost before
			}
			for _, a := range g.vertices[v].arcs {
				if reach := d[v] + a.cost; reach < d[a.to] {
					d[a.to] = reach
					for int(reach) >= len(queues) {
						queues = append(queues, nil)
					}
					queues[reach] = append(queues[reach], a.to)
				}
			}
		}
	}
	g.distance[to] = d
	return d
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014, recalled).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

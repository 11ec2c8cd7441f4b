package placement

import (
	"fmt"
	"slices"
	"sync"

	"stowage/hw"
	"stowage/sim/network"
)

// wiring is the cluster's network as fitness sees it: what moving bytes between two
// stages, and synchronising the gradients of one, takes on the routes between their
// devices. It is safe for concurrent use.
type wiring struct {
	p        *Problem
	graph    *network.ClusterGraph
	capacity []float64 // B/s, by link

	mu    *sync.Mutex // of the graph's routes, and what follows
	flows map[flowKey]*flow
	rates map[string][]float64 // beside's, by its devices
	alone bool                 // other jobs are left out
}

// flowKey names a flow: from one stage to another, or the synchronisation of one among
// itself and the servers.
type flowKey struct {
	from, to Seat
	sync     bool
}

// flow is what one byte does to the links: one that a stage sends to another, or one of
// each device's gradients.
type flow struct {
	cost  network.Cost // on idle links
	loads []linkLoad
}

type linkLoad struct {
	link  int32
	bytes float64
}

// maxFlows bounds the flows that are kept, some kilobytes each.
const maxFlows = 1 << 14

// newWiring lays the cluster's network. Problems have none where stages have ports of
// their own, or fitness is not to see it.
func (p *Problem) newWiring() (*wiring, error) {
	if p.Cluster.Network.Topology == hw.OwnPorts || p.Unrouted || p.added {
		return nil, nil
	}
	g, err := network.NewCluster(p.Cluster)
	if err != nil {
		return nil, fmt.Errorf("cluster.network: %w", err)
	}
	w := &wiring{p: p, graph: g, mu: new(sync.Mutex), flows: map[flowKey]*flow{}, rates: map[string][]float64{}, capacity: make([]float64, g.Links())}
	for l := range w.capacity {
		w.capacity[l] = float64(g.Capacity(network.LinkID(l)))
	}
	return w, nil
}

// flow finds or works out one.
func (w *wiring) flow(key flowKey) *flow {
	w.mu.Lock()
	defer w.mu.Unlock()
	if f := w.flows[key]; f != nil {
		return f
	}
	if len(w.flows) >= maxFlows {
		clear(w.flows)
	}
	var f *flow
	if key.sync {
		f = w.synchronise(key.from, key.to)
	} else {
		f = w.move(key.from, key.to)
	}
	w.flows[key] = f
	return f
}

// move is a byte that stage from sends to stage to, each pair of devices its part. All
// parts begin together, and the link that has most to carry for what it can says when the
// last one arrives.
func (w *wiring) move(from, to Seat) *flow {
	a, _ := from.Vertices(w.graph)
	b, _ := to.Vertices(w.graph)
	loads := make([]float64, len(w.capacity))
	f := &flow{}
	for _, leg := range w.graph.Legs(a, b) {
		for _, l := range leg.Path {
			loads[l] += 1 / leg.Parts
			f.cost.PerByte = max(f.cost.PerByte, loads[l]/w.capacity[l])
		}
		f.cost.Latency = max(f.cost.Latency, leg.Latency.Seconds())
	}
	f.loads = sparse(loads)
	return f
}

// synchronise is a byte of the gradients of each device of a stage. It has no loads where
// gradients go over no links that are known.
func (w *wiring) synchronise(stage, servers Seat) *flow {
	at, hosts := stage.Vertices(w.graph)
	push, _ := servers.Vertices(w.graph)
	plan, routes := w.p.Synchronisation(w.graph, stage.Pool, stage.Devices/w.p.unit(stage.Pool), 1, at, hosts, push)
	if plan == nil {
		return &flow{}
	}
	cost, loads := plan.Loads(w.graph.Graph, routes...)
	return &flow{cost, sparse(loads)}
}

func sparse(loads []float64) (s []linkLoad) {
	for l, v := range loads {
		if v > 0 {
			s = append(s, linkLoad{int32(l), v})
		}
	}
	return s
}

// beside returns what other jobs put on each link in B/s, given how many devices of each
// pool are this job's or in front of them; nil: there are none.
func (w *wiring) beside(devices []int) []float64 {
	if len(w.p.Reserved) == 0 || w.alone {
		return nil
	}
	key := fmt.Sprint(devices)
	w.mu.Lock()
	rates, ok := w.rates[key]
	w.mu.Unlock()
	if ok {
		return rates
	}
	rates = make([]float64, len(w.capacity))
	front, behind := make([]int, len(devices)), slices.Clone(devices)
	for i := range w.p.Reserved {
		r, taken := &w.p.Reserved[i], behind
		if r.Front {
			taken = front
		}
		if r.Plan != nil {
			w.addTraffic(rates, r, taken)
		}
		r.addTo(taken)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.rates) >= maxFlows {
		clear(w.rates)
	}
	w.rates[key] = rates
	return rates
}

// addTraffic adds what a job puts on each link in B/s, with its devices behind those that
// are taken, at the pace that it has alone.
func (w *wiring) addTraffic(rates []float64, r *Reservation, taken []int) {
	of := &wiring{p: r.Of, graph: w.graph, capacity: w.capacity, mu: w.mu, flows: map[flowKey]*flow{}, alone: true}
	b := &builder{routed: newRouted(of), before: taken}
	b.plan(r.Of, r.Plan)
	if b.build() != nil {
		return
	}
	step := b.seconds()
	for _, l := range b.routed.touched {
		rates[l] += b.routed.loads[l] / step
	}
}

// seated reports whether the pools have the devices that a plan asks for.
func (p *Problem) seated(pl *Plan) bool {
	stages, servers := p.Seats(pl, p.before)
	return !slices.ContainsFunc(append(stages, servers), func(s Seat) bool { return s.First+s.Devices > p.Cluster.Pools[s.Pool].Count })
}

package placement

import (
	"cmp"

	"stowage/sim/network"
)

// Seat is where the devices of a stage are in their pool.
type Seat struct{ Pool, First, Devices int }

// Seats gives the stages of a plan their devices, those of a pool one after the other,
// and parameter servers those after them; the first ones of each pool may be taken.
func (p *Problem) Seats(pl *Plan, taken []int) (stages []Seat, servers Seat) {
	next := make([]int, p.pools)
	copy(next, taken)
	for i := range pl.Stages {
		stages = append(stages, take(next, pl.Stages[i].Pool, pl.Stages[i].Devices))
	}
	if pl.Servers > 0 && p.servers >= 0 {
		servers = take(next, p.servers, pl.Servers)
	}
	return stages, servers
}

// take gives out the next devices of a pool.
func take(next []int, pool, devices int) Seat {
	s := Seat{pool, next[pool], devices}
	next[pool] += devices
	return s
}

// Vertices returns where the devices are in a cluster's graph, and their hosts.
func (s Seat) Vertices(g *network.ClusterGraph) (at, hosts []network.Vertex) {
	for d := s.First; d < s.First+s.Devices; d++ {
		at, hosts = append(at, g.Device(s.Pool, d)), append(hosts, g.Host(s.Pool, d))
	}
	return at, hosts
}

// Synchronisation is how the replicas of a stage on devices at vertices of the cluster's
// graph agree on gradients of so many bytes a device: a collective among one device of
// each replica, for each device of a replica, or push and pull if the servers are devices
// of the cluster. No plan: by its time alone, whatever is on the links.
func (p *Problem) Synchronisation(g *network.ClusterGraph, pool, replicas int, weights float64, at, hosts, servers []network.Vertex) (*network.Plan, []network.Router) {
	if p.Inference || weights == 0 || p.Sync == NoSync || p.ByTime(pool, replicas) {
		return nil, nil
	}
	if p.Sync == Server {
		if len(servers) == 0 {
			return nil, nil // they are nowhere: by their formula
		}
		return network.PushPullPlan(len(at), len(servers)), []network.Router{g.Between(append(at[:len(at):len(at)], servers...))}
	}
	op := network.AllReduceOp
	if p.Zero == 3 { // the parameters are gathered for passes
		op = network.ReduceScatterOp
	}
	return p.AmongReplicas(g, op, p.Team(pool), at, hosts)
}

// AmongReplicas is an operation among replicas of team devices each, which are at vertices
// of the cluster's graph: one device of each replica in every set.
func (p *Problem) AmongReplicas(g *network.ClusterGraph, op network.Collective, team int, at, hosts []network.Vertex) (*network.Plan, []network.Router) {
	routes := make([]network.Router, team)
	for first := range routes {
		routes[first] = g.Between(network.EveryNth(at, team, first))
	}
	return op.New(p.Algorithm(), network.LayoutOf(network.EveryNth(hosts, team, 0))), routes
}

// Algorithm is that of collectives.
func (p *Problem) Algorithm() network.Algorithm {
	return cmp.Or(p.Collective, network.RingAlgorithm)
}

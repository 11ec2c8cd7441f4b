package sim

import (
	"cmp"
	"math"
	"slices"
	"time"

	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// topology is the cluster's network with the stages' devices in it. Stages take the
// devices of their pool one after the other, and parameter servers those after them:
// stages that share a node share its port, and all share the switches beyond.
type topology struct {
	net      *network.Network
	graph    *network.ClusterGraph
	problem  *placement.Problem
	at       [][]network.Vertex // per stage and device
	hosts    [][]network.Vertex
	pools    []int
	servers  []network.Vertex
	channels [][2][]network.Leg // per channel: forward, backward
	syncs    []synchronisation  // per stage
	passes   *sharedPasses      // nil: all passes stay inside nodes
}

// synchronisation is how a stage's gradients are synchronised; no plan: by its time.
type synchronisation struct {
	collective
	bytes float64 // of each device
}

// collective is an operation among several sets of devices at the same time.
type collective struct {
	plan   *network.Plan
	routes []network.Router // of each set
}

// run runs it for a buffer of bytes on each device, and calls done when all sets are
// through, never from inside run.
func (c *collective) run(net *network.Network, bytes float64, done func()) {
	left := len(c.routes)
	through := func() {
		if left--; left == 0 {
			done()
		}
	}
	for _, route := range c.routes {
		c.plan.Run(net, route, bytes, through)
	}
}

// newTopology puts the stages of a job into the cluster's network, at their seats.
func newTopology(f *fabric, job *Job, pipe *pipeline.Pipeline, at []seat) (*topology, error) {
	t := &topology{net: f.net, graph: f.graph, problem: job.Problem}
	t.settle(job, at)
	t.channels = make([][2][]network.Leg, len(pipe.Channels))
	for c, ch := range pipe.Channels {
		from, to := t.at[pipe.Segments[ch.From].Stage], t.at[pipe.Segments[ch.To].Stage]
		t.channels[c] = [2][]network.Leg{t.graph.Legs(from, to), t.graph.Legs(to, from)}
	}
	for i := range job.Plan.Stages {
		t.syncs = append(t.syncs, t.synchronisation(job, i))
	}
	var err error
	t.passes, err = newSharedPasses(t, job, pipe)
	return t, err
}

// settle gives the stages their devices: those that take part.
func (t *topology) settle(job *Job, stages []seat) {
	take := func(s *seat) (at, hosts []network.Vertex) {
		for d := range s.devices {
			if s.has(d) {
				at = append(at, t.graph.Device(s.pool, s.first+d))
				hosts = append(hosts, t.graph.Host(s.pool, s.first+d))
			}
		}
		return at, hosts
	}
	for i := range stages {
		at, hosts := take(&stages[i])
		t.at, t.hosts, t.pools = append(t.at, at), append(t.hosts, hosts), append(t.pools, stages[i].pool)
	}
	servers := serversSeat(job.Problem, job.Plan, stages, job.Taken)
	t.servers, _ = take(&servers)
}

// evenly are legs over routes with equal parts.
func evenly(routes []*network.Route) (legs []network.Leg) {
	for _, r := range routes {
		legs = append(legs, network.Leg{Route: r, Parts: float64(len(routes))})
	}
	return legs
}

// transfer moves a micro-batch over channel c, every device its part. Times that were
// measured, beside bytes, go on.
func (t *topology) transfer(c int, backward bool, move placement.Move, done func()) {
	legs := t.channels[c][0]
	if backward {
		legs = t.channels[c][1]
	}
	t.spread(legs, move.Bytes, move.Time-move.Latency, true, done)
}

// spread moves bytes over legs, and calls done when all have arrived.
func (t *topology) spread(legs []network.Leg, bytes float64, extra time.Duration, latency bool, done func()) {
	left := len(legs)
	arrived := func() {
		if left--; left == 0 {
			done()
		}
	}
	for _, l := range legs {
		wait := extra
		if latency {
			wait += l.Latency
		}
		t.net.Transfer(l.Path, bytes/l.Parts, wait, arrived)
	}
}

// host returns the transfer hook of the links between a stage's devices and their hosts.
func (t *topology) host(stage int) func(toDevice bool, bytes float64, done func()) {
	var to, from []*network.Route
	for i, d := range t.at[stage] {
		to, from = append(to, t.graph.Way(t.hosts[stage][i], d)), append(from, t.graph.Way(d, t.hosts[stage][i]))
	}
	up, down := evenly(from), evenly(to)
	return func(toDevice bool, bytes float64, done func()) {
		legs := up
		if toDevice {
			legs = down
		}
		t.spread(legs, bytes, 0, false, done)
	}
}

// exchange returns the hook of what the nodes of a stage send each other: each device
// its part to the one in its place.
func (t *topology) exchange(stage int) func(nodes int, bytes []float64, done func()) {
	at := t.at[stage]
	per := t.problem.Cluster.Pools[t.pools[stage]].Node.Devices
	var routes [][]network.Leg // [from*nodes+to]
	return func(nodes int, bytes []float64, done func()) {
		if routes == nil {
			routes = t.betweenNodes(at, nodes, per)
		}
		left := 1
		arrived := func() {
			if left--; left == 0 {
				done()
			}
		}
		for i, b := range bytes {
			if b > 0 {
				left++
				t.spread(routes[i], b, 0, true, arrived)
			}
		}
		t.net.Transfer(nil, 0, 0, arrived)
	}
}

// betweenNodes returns the routes from the devices of each node to those of each other.
func (t *topology) betweenNodes(at []network.Vertex, nodes, per int) [][]network.Leg {
	legs := make([][]network.Leg, nodes*nodes)
	for i := range legs {
		var routes []*network.Route
		from, to := at[i/nodes*per:], at[i%nodes*per:]
		for k := range min(per, len(from), len(to)) {
			routes = append(routes, t.graph.Way(from[k], to[k]))
		}
		legs[i] = evenly(routes)
	}
	return legs
}

// synchronisation plans that of a stage.
func (t *topology) synchronisation(job *Job, stage int) (s synchronisation) {
	st := &job.Plan.Stages[stage]
	s.bytes = float64(st.Weights)
	s.plan, s.routes = t.problem.Synchronisation(t.graph, st.Pool, st.Replicas, s.bytes, t.at[stage], t.hosts[stage], t.servers)
	return s
}

// sync is the pipeline's hook for the gradients of a stage.
func (t *topology) sync(stage int, alone time.Duration, done func()) {
	s := &t.syncs[stage]
	if s.plan == nil {
		t.net.Transfer(nil, 0, alone, done)
		return
	}
	s.run(t.net, s.bytes, done)
}

// MostLinks is how many links a run reports.
const MostLinks = 8

// busiest returns the links that carried most until a time for what they can.
func (t *topology) busiest(elapsed time.Duration) (links []Link) {
	if elapsed <= 0 {
		return nil
	}
	for i := range t.graph.Links() {
		id := network.LinkID(i)
		bytes := t.net.Carried(id)
		if bytes == 0 {
			continue
		}
		links = append(links, Link{
			Name: t.graph.LinkName(id), Bytes: int64(math.Round(bytes)),
			Use:  min(1, bytes/t.net.Could(id)),
			Busy: t.net.Busy(id).Seconds() / elapsed.Seconds(),
		})
	}
	slices.SortStableFunc(links, func(a, b Link) int { return cmp.Compare(b.Use, a.Use) })
	return links[:min(len(links), MostLinks)]
}

package sim

import (
	"cmp"
	"fmt"
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
	channels [][2][]leg        // per channel: forward, backward
	syncs    []synchronisation // per stage
	passes   *sharedPasses     // nil: all passes stay inside nodes
}

// leg is a route and the part of what is moved that goes over it: one of so many.
type leg struct {
	*network.Route
	parts float64
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
	t.channels = make([][2][]leg, len(pipe.Channels))
	for c, ch := range pipe.Channels {
		from, to := t.at[pipe.Segments[ch.From].Stage], t.at[pipe.Segments[ch.To].Stage]
		t.channels[c] = [2][]leg{t.between(from, to), t.between(to, from)}
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

// between returns the legs of a transfer between two stages, each of which has its samples
// divided equally among its devices, in their order: a leg where a device of one has some
// that a device of the other has.
func (t *topology) between(from, to []network.Vertex) (legs []leg) {
	n, m := len(from), len(to)
	for at := 0; at < n*m; { // a device of from has m of n*m parts, one of to has n
		i, k := at/m, at/n
		end := min((i+1)*m, (k+1)*n)
		legs = append(legs, leg{t.route(from[i], to[k]), float64(n*m) / float64(end-at)})
		at = end
	}
	return legs
}

// evenly are legs over routes with equal parts.
func evenly(routes []*network.Route) (legs []leg) {
	for _, r := range routes {
		legs = append(legs, leg{r, float64(len(routes))})
	}
	return legs
}

func (t *topology) route(from, to network.Vertex) *network.Route {
	r, ok := t.graph.Route(from, to)
	if !ok {
		panic(fmt.Sprintf("sim: no way from %q to %q", t.graph.Name(from), t.graph.Name(to)))
	}
	return r
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
func (t *topology) spread(legs []leg, bytes float64, extra time.Duration, latency bool, done func()) {
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
		t.net.Transfer(l.Path, bytes/l.parts, wait, arrived)
	}
}

// host returns the transfer hook of the links between a stage's devices and their hosts.
func (t *topology) host(stage int) func(toDevice bool, bytes float64, done func()) {
	var to, from []*network.Route
	for i, d := range t.at[stage] {
		to, from = append(to, t.route(t.hosts[stage][i], d)), append(from, t.route(d, t.hosts[stage][i]))
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
	var routes [][]leg // [from*nodes+to]
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
func (t *topology) betweenNodes(at []network.Vertex, nodes, per int) [][]leg {
	legs := make([][]leg, nodes*nodes)
	for i := range legs {
		var routes []*network.Route
		from, to := at[i/nodes*per:], at[i%nodes*per:]
		for k := range min(per, len(from), len(to)) {
			routes = append(routes, t.route(from[k], to[k]))
		}
		legs[i] = evenly(routes)
	}
	return legs
}

// synchronisation plans that of a stage: a collective among its devices, or push and
// pull if the servers are devices of the cluster.
func (t *topology) synchronisation(job *Job, stage int) (s synchronisation) {
	st, ranks := &job.Plan.Stages[stage], t.at[stage]
	s.bytes = float64(st.Weights)
	switch {
	case t.problem.Inference || st.Weights == 0 || t.problem.Sync == placement.NoSync:
		return s
	case t.problem.ByTime(st.Pool, st.Replicas):
		return s
	case t.problem.Sync == placement.Server && len(t.servers) == 0:
		return s // servers that are nowhere: by their formula
	case t.problem.Sync == placement.Server:
		s.plan = network.PushPullPlan(len(ranks), len(t.servers))
		s.routes = []network.Router{t.graph.Between(append(ranks[:len(ranks):len(ranks)], t.servers...))}
	case t.problem.Zero == 3: // the parameters are gathered for passes
		s.collective = t.amongReplicas(network.ReduceScatterOp, stage, st.Tensor)
	default:
		s.collective = t.amongReplicas(network.AllReduceOp, stage, st.Tensor)
	}
	return s
}

// amongReplicas is an operation among the replicas of a stage, of devices each: one of
// each in every set.
func (t *topology) amongReplicas(op network.Collective, stage, team int) (c collective) {
	c.plan = op.New(t.algorithm(), layout(every(t.hosts[stage], team, 0)))
	for first := range team {
		c.routes = append(c.routes, t.graph.Between(every(t.at[stage], team, first)))
	}
	return c
}

// algorithm is that of collectives.
func (t *topology) algorithm() network.Algorithm {
	return cmp.Or(t.problem.Collective, network.RingAlgorithm)
}

// every returns what is at first and every step behind it.
func every(all []network.Vertex, step, first int) []network.Vertex {
	if step == 1 {
		return all
	}
	some := make([]network.Vertex, 0, len(all)/step)
	for i := first; i < len(all); i += step {
		some = append(some, all[i])
	}
	return some
}

// layout returns how many of some devices are in each node, given their hosts.
func layout(hosts []network.Vertex) (l network.Layout) {
	for i := range hosts {
		if i == 0 || hosts[i] != hosts[i-1] {
			l = append(l, 0)
		}
		l[len(l)-1]++
	}
	return l
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

package sim

import (
	"time"

	"stowage/hw/unit"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// sharedPasses are the passes in which devices of a stage send each other something
// beyond their nodes: it goes over the network's links as flows, beside what else is
// there. Passes inside nodes take what their formulas say.
type sharedPasses struct {
	net    *network.Network
	of     []sharedPass // as those of Problem.SharedPasses
	teams  []collective // per stage: among the devices of each replica
	copies []collective // per stage: among the replicas
}

// sharedPass is a pass whose collectives of a kind are one of all their bytes, behind the
// latencies of all but that one.
type sharedPass struct {
	placement.SharedPass
	timed        time.Duration // in the pipeline
	sums, gather time.Duration // latencies
}

// newSharedPasses returns nil if there are none.
func newSharedPasses(t *topology, job *Job, pipe *pipeline.Pipeline) (*sharedPasses, error) {
	all, err := job.Problem.SharedPasses(job.Plan)
	if all == nil || err != nil {
		return nil, err
	}
	s := &sharedPasses{net: t.net, teams: make([]collective, pipe.Stages), copies: make([]collective, pipe.Stages)}
	for i := range all {
		seg, p := &pipe.Segments[i/2], sharedPass{SharedPass: all[i]}
		p.timed = seg.Forward
		if i%2 == 1 {
			p.timed = seg.Backward
		}
		team, copies := &s.teams[seg.Stage], &s.copies[seg.Stage]
		if p.Sums.Times > 0 && team.plan == nil {
			*team = t.amongDevices(network.AllReduceOp, seg.Stage, job.Plan.Stages[seg.Stage].Tensor)
		}
		if p.Gather.Times > 0 && copies.plan == nil {
			copies.plan, copies.routes = t.problem.AmongReplicas(t.graph, network.AllGatherOp, job.Plan.Stages[seg.Stage].Tensor, t.at[seg.Stage], t.hosts[seg.Stage])
		}
		if p.sums, err = t.before(team, p.Sums); err != nil {
			return nil, err
		}
		if p.gather, err = t.before(copies, p.Gather); err != nil {
			return nil, err
		}
		s.of = append(s.of, p)
	}
	return s, nil
}

// before is how long collectives wait for latencies, but for those of one of them.
func (t *topology) before(c *collective, of placement.Collectives) (time.Duration, error) {
	if of.Times <= 1 {
		return 0, nil
	}
	return unit.Seconds((of.Times - 1) * c.plan.Idle(t.graph.Graph, c.routes[0]).Latency)
}

// amongDevices is an operation among the devices of each replica of a stage, all at once.
func (t *topology) amongDevices(op network.Collective, stage, team int) (c collective) {
	c.plan = op.New(t.problem.Algorithm(), network.LayoutOf(t.hosts[stage][:team]))
	for first := 0; first < len(t.at[stage]); first += team {
		c.routes = append(c.routes, t.graph.Between(t.at[stage][first:first+team]))
	}
	return c
}

// exchange runs collectives of a pass, if there are any, and calls done.
func (s *sharedPasses) exchange(c *collective, of placement.Collectives, wait time.Duration, done func()) {
	if of.Times == 0 {
		done()
		return
	}
	s.net.Transfer(nil, 0, wait, func() { c.run(s.net, of.Bytes, done) })
}

// pass is the pipeline's hook for passes that go over the network: parameters are
// gathered before or beside them, then they compute, then devices sum up what they have.
func (t *training) pass(stage, round int, op pipeline.Op, d time.Duration, done func()) bool {
	s := t.wires.topology.passes
	if op.Pass == pipeline.Weight {
		return false
	}
	p := &s.of[2*int(op.Segment)+int(op.Pass)]
	if p.Sums.Times == 0 && p.Gather.Times == 0 {
		return false
	}
	compute := p.Compute
	if op.Pass == pipeline.Forward { // some of it may have been done already
		compute = max(0, compute-(p.timed-d))
	}
	left := 1
	through := func() {
		if left--; left == 0 {
			done()
		}
	}
	computes := func() {
		if t.straggle != nil {
			compute = t.takes(stage, round, op, compute)
		}
		t.e.After(compute, func() { s.exchange(&s.teams[stage], p.Sums, p.sums, through) })
	}
	if p.Beside && p.Gather.Times > 0 {
		left++
		s.exchange(&s.copies[stage], p.Gather, p.gather, through)
		computes()
	} else {
		s.exchange(&s.copies[stage], p.Gather, p.gather, computes)
	}
	return true
}

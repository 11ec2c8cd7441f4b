package placement

// reroute is the fitness of the merged scheme where the network counts, with the devices
// in ev.best or with fewer, which it leaves there: more devices compute faster, but those
// of a node have links that a whole pool has not. f is the fitness where it does not
// count, and no devices are worth more.
//
// It looks at the devices that are best without the network, and at those that are best
// when stages, or pools, have so many nodes at most, each also with stages that do not
// begin in one node and end in another if one is enough.
func (ev *Evaluator) reroute(f Fitness) Fitness {
	r, n := ev.rerouting, len(ev.stages)
	best := ev.route(f)
	copy(r.best, ev.best[:n])
	servers := ev.servers
	try := func(g Fitness) {
		if g.provisioned() {
			if g = ev.route(g); better(g, best) {
				best, servers = g, ev.servers
				copy(r.best, ev.best[:n])
			}
		}
	}
	aligned := func() {
		if ev.align() {
			try(ev.given())
		}
	}
	aligned()
	for _, c := range r.caps {
		for i := range ev.stages {
			st := &ev.stages[i]
			if r.most[i] = st.most; c.stage != nil {
				st.limit(c.stage[st.pool], st.mostOf)
			}
		}
		ev.counts = c.pool
		try(ev.provisionPorts())
		aligned()
		for i := range ev.stages {
			ev.stages[i].most = r.most[i]
		}
	}
	ev.counts = ev.p.count
	copy(ev.best, r.best[:n])
	ev.servers = servers
	return best
}

// rerouting is what reroute tries, and its scratch memory.
type rerouting struct {
	caps       []nodeCap
	best, most []int // per stage
	next       []int // per pool
}

// nodeCap bounds the replicas of stages and of pools, per pool. nil stage: not of stages.
type nodeCap struct{ stage, pool []int }

func (p *Problem) newRerouting() *rerouting {
	r := &rerouting{best: make([]int, p.layers), most: make([]int, p.layers), next: make([]int, p.pools)}
	nodes := 1
	for t, n := range p.count {
		nodes = max(nodes, p.ports(t, n))
	}
	for n := 1; n < nodes; n *= 2 {
		fill := make([]int, p.pools)
		for t := range fill {
			fill[t] = min(p.count[t], max(1, n*max(1, p.perNode[t])))
		}
		r.caps = append(r.caps, nodeCap{fill, p.count}, nodeCap{nil, fill})
	}
	return r
}

// align takes devices from stages that begin in one node and end in another although one
// has enough, so that they do not, and reports whether there are any.
func (ev *Evaluator) align() bool {
	p, any := ev.p, false
	next := ev.rerouting.next
	clear(next)
	copy(next, p.before)
	for i := range ev.stages {
		st := &ev.stages[i]
		per, unit := p.Cluster.Pools[st.pool].Node.Devices, p.unit(st.pool)
		first, k := next[st.pool], ev.best[i]
		if end := (first + k*unit) / per * per; k*unit <= per && first/per != (first+k*unit-1)/per && end > first && (end-first)/unit > 0 {
			ev.best[i], any = (end-first)/unit, true
		}
		next[st.pool] = first + ev.best[i]*unit
	}
	return any
}

// route is the fitness of the merged scheme with the devices in ev.best where the network
// counts, f being that where it does not.
//
// A step takes no less than any stage needs to compute, send and get what it must, and
// then to synchronise its gradients over idle links, unless schedules or training let it
// do both at a time; and no less than any link needs for all that goes over it.
func (ev *Evaluator) route(f Fitness) Fitness {
	p, r := ev.p, ev.routed
	r.begin(p.before)
	for i := range ev.stages {
		r.seat(ev.stages[i].pool, ev.best[i]*p.unit(ev.stages[i].pool))
	}
	servers := 0
	if p.servers >= 0 {
		servers = max(1, ev.servers)
	}
	r.settle(servers)
	times := float64(p.Microbatches)
	for i := range r.crossings {
		c := &r.crossings[i]
		r.carry(r.move(c.from, c.to), c.bytes, times)
		if c.gradient {
			r.carry(r.move(c.to, c.from), c.bytes, times)
		}
	}
	seconds := max(float64(p.Batch)/f.Throughput, ev.roundTrip())
	for i := range ev.stages {
		weights := float64(ev.denseBytes(i))
		if weights == 0 || p.Inference || p.Sync == NoSync {
			continue
		}
		own, sync := ev.stepTime(i, ev.best[i]), p.routedSync(r, i, &placed{ev.stages[i].pool, ev.best[i], weights}, servers)
		if p.OverlapSync || p.Schedule.Staleness > 0 {
			seconds = max(seconds, own, sync)
		} else {
			seconds = max(seconds, own+sync)
		}
	}
	return p.fitness(max(seconds, r.bound()), f.Price)
}

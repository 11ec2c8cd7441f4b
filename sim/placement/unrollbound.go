package placement

import "math"

// timeSums are prefix sums over layers on one pool, in seconds per micro-batch:
// forward and backward, serial and parallel.
type timeSums struct{ fs, fp, bs, bp []float64 }

// lag is the time on links in either direction.
type lag struct{ forward, backward float64 }

// promising works out the bounds of unroll for the stages placed.
func (u *unroll) promising() bool {
	p := u.p
	var used [MaxPools]int
	for i := range u.stages {
		used[u.stages[i].pool] += u.stages[i].devices
	}
	total := 0.0 // of all stages, with what is between them
	for i := range u.stages {
		st := &u.stages[i]
		sh := p.share(st.pool, p.count[st.pool]-used[st.pool]+st.devices).device
		m := &u.sums[st.pool]
		st.f = m.fs[st.end] - m.fs[st.first] + (m.fp[st.end]-m.fp[st.first])*sh
		st.b = m.bs[st.end] - m.bs[st.first] + (m.bp[st.end]-m.bp[st.first])*sh
		total += st.f + st.b + st.lag.forward + st.lag.backward
	}
	u.taken = total
	return u.within(total)
}

// within is promising for stages whose times are known and add up to total.
func (u *unroll) within(total float64) bool {
	p, first := u.p, u.stages[len(u.stages)-1].first
	paid, before, tail, behind := u.paid[first], u.front[first], u.back[first], total
	fill := u.fill[first*p.pools+u.stages[len(u.stages)-1].pool]
	for i := len(u.stages) - 1; i >= 0; i-- {
		st := &u.stages[i]
		if !u.chained {
			before, tail, behind, fill = 0, 0, 0, 0
		}
		tail = max(tail, st.sync)
		behind -= st.f + st.b // and what is between them and the next
		around := max(before+tail, fill)
		if p.Schedule.Staleness > 0 { // gradients are synchronised beside the passes
			around = 0
		}
		step := around + u.m*(st.f+st.b)
		if u.o.r.follow && u.chained && !p.Inference {
			w := u.o.r.windowAfter(i)
			step = max(step, around+u.m*st.f+(u.m-w+1)*st.b+behind)
		}
		if u.chained { // by the links behind it
			step = max(step, around+st.f+(u.m-1)*max(st.lag.forward, st.lag.backward)+behind+st.b)
		}
		if step-p.rounding() > u.time { // times are rounded to nanoseconds
			return false
		}
		m := &u.sums[st.pool]
		whole := m.fs[st.end] - m.fs[st.first] + m.fp[st.end] - m.fp[st.first] + m.bs[st.end] - m.bs[st.first] + m.bp[st.end] - m.bp[st.first]
		paid += p.price[st.pool] * (around + u.m*whole)
		before += st.f + st.lag.forward
		tail += st.b + st.lag.backward
		fill += st.f + st.b + st.lag.forward + st.lag.backward
		behind -= st.lag.forward + st.lag.backward
	}
	return p.Objective != Cost || p.best(Recurrence, 0, paid) > u.threshold*(1+exactTolerance/2)
}

// kept returns how many seconds of a step the stages placed keep those before layer a
// from, at least. Where all forward passes come first, a stage waits for its first
// gradient until its last micro-batch has passed all that are behind, and
//
//	T >= M (f + b) + r.
//
// Else, with w micro-batches in flight, T >= M f + (M - w + 1) b + r, and b is at most
// some part of f + b:
//
//	M (f + b) <= (T - r) / (1 - part (w - 1) / M).
//
// Nothing is kept where rows are fetched, beside all that.
func (u *unroll) kept(a int) float64 {
	if !u.o.r.follow || math.IsInf(u.time, 1) || len(u.p.slotted) > 0 {
		return 0
	}
	if u.o.r.windowAfter(0) >= u.m {
		return u.taken
	}
	w := u.o.r.windowAfter(len(u.stages) + a - 1) // each layer before may be a stage
	rest := u.time + u.p.rounding()
	return rest - (rest-u.taken)/(1-u.part*(w-1)/u.m)
}

// least returns the seconds in which k devices of a pool or more agree on the
// gradients of layers [a, end), at least. A ring of more takes no less, but for the
// links, which change where it leaves a node.
func (u *unroll) least(pool, a, end, k int) float64 {
	p := u.p
	if p.Sync != Ring || p.Inference || !p.rings() || p.OverlapSync || p.Calibrated {
		return 0
	}
	m := &u.o.memory[pool]
	st := placed{pool, k, (m.weights[end] - m.weights[a] + m.sharded[end] - m.sharded[a]) * p.push / 2 * (1 - slack)}
	if !(st.weights > 0) { // it has nothing to agree on
		return 0
	}
	least := p.syncSeconds(&st, 0)
	if st.replicas = max(k, p.perNode[pool]+1); st.replicas <= p.count[pool] {
		least = min(least, p.syncSeconds(&st, 0))
	}
	return least
}

// fronts works out fill for the present step time: a shortest path over cuts, with
// the stages that the router's needs allow, each on all devices of its pool.
func (u *unroll) fronts() {
	p, o := u.p, u.o
	clear(u.fill)
	if !u.chained {
		return
	}
	for i := p.pools; i < len(u.fill); i++ {
		u.fill[i] = math.Inf(1)
	}
	for a := range p.layers {
		for t := range p.pools {
			base := u.fill[a*p.pools+t]
			if math.IsInf(base, 1) {
				continue
			}
			m, sh := &u.sums[t], p.share(t, p.count[t]).device
			for end := a + 1; end <= min(o.needs.reach[t*p.layers+a], p.layers-1); end++ {
				own := m.fs[end] - m.fs[a] + m.bs[end] - m.bs[a] + (m.fp[end]-m.fp[a]+m.bp[end]-m.bp[a])*sh
				for v := range p.pools {
					if v == t || u.fewest(t, a, end, v) == 0 {
						continue
					}
					c := u.lag[(end*p.pools+t)*p.pools+v]
					at := &u.fill[end*p.pools+v]
					*at = min(*at, base+own+c.forward+c.backward)
				}
			}
		}
	}
}

// lags works out what the transfers of a cut take that an edge crosses, from each
// pool to each other, over all their ports.
func (u *unroll) lags(e *edgeCost) {
	p := u.p
	for t := range p.pools {
		for v := range p.pools {
			if t == v {
				continue
			}
			c := e.seconds
			if e.bytes > 0 {
				c = p.links[t*p.pools+v].latency + e.bytes/min(p.PortRate(t, v, p.count[t]), p.PortRate(v, t, p.count[v]))
			}
			at := &u.lag[(e.to*p.pools+t)*p.pools+v]
			at.forward = max(at.forward, c)
			if e.gradient {
				at.backward = max(at.backward, c)
			}
		}
	}
}

// chained reports whether every layer reads the one before it.
func (p *Problem) chained() bool {
	reads := make([]bool, p.layers)
	for i := range p.edges {
		if e := &p.edges[i]; e.to == e.from+1 {
			reads[e.to] = true
		}
	}
	for _, ok := range reads[1:] {
		if !ok {
			return false
		}
	}
	return true
}

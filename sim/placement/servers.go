package placement

import "math"

// Parameter servers are devices of one pool. In every step each device of a stage
// pushes the gradients of the stage's dense parameters to them and pulls the
// parameters back (Li et al., "Scaling Distributed Machine Learning with the
// Parameter Server", OSDI 2014); pushes and pulls of the same parameters do not
// overlap. All of it goes through the servers' network ports, one a node, so that
// n servers carry a step in no less than bytes / (ports(n) x bandwidth).
//
// bytes never falls with devices. So the fewest servers for a step time T and the
// devices kmin(T) are no more than any other vector needs that reaches T, and they
// fall as T rises. But between one step of the ladder of devices and the next there
// are steps of servers: with fewer of them the servers, not the slowest stage,
// decide T. They are worth having only while T stays below that of the ladder's
// step before, where fewer devices do.

// compileServers needs the pools' numbers.
func (p *Problem) compileServers() {
	weight, gradient, optimizer := p.paramBytes()
	p.servers = p.Servers - 1
	p.push = 2 * float64(elementBytes(p.Precision)) / float64(weight+gradient+optimizer)
}

// serverRate returns the bandwidth of one server node's port, in B/s.
func (p *Problem) serverRate() float64 {
	return float64(p.Cluster.Pools[p.servers].Node.NIC.Bandwidth)
}

// serversFor returns the fewest servers that carry bytes in t seconds, at least 1.
func (p *Problem) serversFor(bytes, t float64) int {
	ports := math.Ceil(bytes / (p.serverRate() * t))
	if !(ports > 1) {
		return 1
	}
	return p.serversWith(int(min(ports, math.MaxInt32)))
}

// serversWith returns the fewest servers that have so many ports.
func (p *Problem) serversWith(ports int) int { return (ports-1)*p.perNode[p.servers] + 1 }

// serverTime returns the seconds in which n servers carry bytes.
func (p *Problem) serverTime(bytes float64, n int) float64 {
	return bytes / (float64(p.ports(p.servers, n)) * p.serverRate())
}

// serversPrice returns the USD/h of n servers; 0 where there are none.
func (ev *Evaluator) serversPrice(n int) float64 {
	if ev.p.servers < 0 {
		return 0
	}
	return float64(n) * ev.p.price[ev.p.servers]
}

// reserve takes one device of the pool for the first server.
func (ev *Evaluator) reserve() {
	ev.servers = 0
	if ev.p.servers >= 0 {
		ev.servers = 1
		ev.free[ev.p.servers]--
	}
}

// pushed returns the bytes that go to and from the servers per step.
func (ev *Evaluator) pushed(k []int) float64 {
	sum := 0.0
	for i := range ev.stages {
		sum += float64(k[i]) * ev.stages[i].weights
	}
	return sum * ev.p.push
}

// serversLeft returns how many servers the pool and the price cap allow beside
// devices of that price, at least the one reserved.
func (ev *Evaluator) serversLeft(price float64) int {
	p := ev.p
	n := ev.free[p.servers] + 1
	if each := p.price[p.servers]; p.MaxPrice > 0 && each > 0 {
		n = max(1, int(min(float64(n), (p.MaxPrice*(1+slack)-price)/each+1)))
		for n > 1 && !p.affords(price+float64(n)*each) { // the quotient is rounded
			n--
		}
	}
	return n
}

// served returns the step time of the devices in ev.k, whose slowest stage takes
// t, with the servers that shorten it most, and the fewest of them.
func (ev *Evaluator) served(t float64) (float64, int) {
	p := ev.p
	if t == 0 {
		return 0, 1
	}
	bytes, left := ev.pushed(ev.k), ev.serversLeft(ev.priceOf(ev.k))
	n := p.serversFor(bytes, t)
	if n <= left {
		return t, n
	}
	n = p.serversWith(p.ports(p.servers, left))
	return max(t, p.serverTime(bytes, n)), n
}

// topServed is top with parameter servers. Once they and not the slowest stage decide
// the time, the climb is over: more devices would push more through as many servers.
func (ev *Evaluator) topServed() Fitness {
	n := len(ev.stages)
	price, last := ev.priceOf(ev.k)+ev.serversPrice(1), math.Inf(1)
	for {
		b, t := ev.slowest()
		served, servers := ev.served(t)
		if served < last {
			last = served
			copy(ev.best[:n], ev.k[:n])
			ev.servers = servers
		}
		added, ok := ev.raise(b, price)
		if served > t || !ok {
			break
		}
		price = added
	}
	if !positive(last) {
		return infeasible(timeless, 1)
	}
	return ev.p.fitness(last, ev.priceOf(ev.best)+ev.serversPrice(ev.servers))
}

// step returns the best fitness of the devices in ev.k, whose slowest stage takes
// t, and its servers. below is the time of the ladder's step before.
func (ev *Evaluator) step(t, below float64) (best Fitness, servers int) {
	p, price, bytes := ev.p, ev.priceOf(ev.k), ev.pushed(ev.k)
	served, n := ev.served(t)
	for ports := p.ports(p.servers, n); ; served = max(t, p.serverTime(bytes, n)) {
		f := p.fitness(served, price+ev.serversPrice(n))
		if best.Value == 0 || f.Feasible && !best.Feasible || f.Feasible == best.Feasible && f.Value > best.Value {
			best, servers = f, n
		}
		if ports--; ports < 1 || p.serverTime(bytes, p.serversWith(ports)) >= below {
			return best, servers
		}
		n = p.serversWith(ports)
	}
}

// serve finds the servers for the devices in ev.best, whose slowest stage takes t,
// when one is reserved, and returns the step time.
func (ev *Evaluator) serve(t float64) float64 {
	if ev.p.servers < 0 {
		return t
	}
	copy(ev.k[:len(ev.stages)], ev.best)
	t, ev.servers = ev.served(t)
	return t
}

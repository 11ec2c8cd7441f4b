package placement

import (
	"math"
	"math/bits"
)

// jumpDevices is the cluster size above which provisioning bisects close to the
// answer before it climbs.
const jumpDevices = 128

// provision chooses integer devices for every stage and leaves them in ev.best.
//
// The devices worth having form a ladder. For a step time T let kmin(T) be the
// fewest devices with which each stage needs at most T; stage times never rise
// with devices, so every vector that reaches T has at least kmin(T) everywhere,
// costs at least as much and takes as much from every pool. The best vector is
// therefore one of the kmin(T), and as T falls these are visited in order by
// starting with the fewest devices that fit and giving the slowest stage more
// until its time falls: any faster vector needs those too. This holds for any
// times that do not rise, so also for steps (ports come by the node).
//
// Parameter servers join the ladder (servers.go): the fewest that carry for T what
// kmin(T) push and pull are the fewest of any vector that reaches T, too.
func (ev *Evaluator) provision() Fitness {
	f := ev.provisionPorts()
	if ev.routed != nil && f.provisioned() {
		return ev.reroute(f)
	}
	return f
}

// provisionPorts is provision where stages have ports of their own into a switch that
// holds nobody up.
func (ev *Evaluator) provisionPorts() Fitness {
	p := ev.p
	if p.Merge == Convex {
		if n := ev.disorder(); n > 0 {
			return infeasible(disordered, float64(n))
		}
	}
	copy(ev.free, ev.counts)
	for i := range ev.stages {
		st := &ev.stages[i]
		k := 1
		if !p.roomy(st) {
			k = ev.memoryFloor(i)
		}
		if k == 0 {
			return infeasible(memory, st.weights/p.memory[st.pool])
		}
		if st.most > 0 && k > st.most {
			return infeasible(memory, float64(k)/float64(st.most))
		}
		ev.k[i] = k
		ev.free[st.pool] -= k
	}
	ev.reserve()
	over := 0.0
	for t, f := range ev.free {
		if f < 0 {
			over += float64(-f) / float64(p.count[t])
		}
	}
	if over > 0 {
		return infeasible(devices, over)
	}
	for i := range ev.stages {
		ev.times[i] = ev.stepTime(i, ev.k[i])
	}
	ev.skip()
	switch {
	case p.Objective != Cost && p.MaxCost == 0:
		return ev.top()
	case p.MaxCost == 0 && p.MaxPrice == 0 && p.MinThroughput == 0 && p.servers < 0:
		return ev.cheapest()
	}
	return ev.climb()
}

// slowest returns the stage with the longest time, the first of equals.
func (ev *Evaluator) slowest() (int, float64) {
	b, t := 0, uint64(0)
	for i, v := range ev.times[:len(ev.stages)] {
		if v := math.Float64bits(v); v > t { // as in larger
			b, t = i, v
		}
	}
	return b, math.Float64frombits(t)
}

// top climbs to the highest step of the ladder that the pools and the price cap
// allow. It is the best one when only throughput counts.
func (ev *Evaluator) top() Fitness {
	if ev.p.servers >= 0 {
		return ev.topServed()
	}
	n := len(ev.stages)
	price, last := ev.priceOf(ev.k), math.Inf(1)
	for {
		b, t := ev.slowest()
		if t < last {
			last = t
			copy(ev.best[:n], ev.k[:n])
		}
		added, ok := ev.raise(b, price)
		if !ok {
			break
		}
		price = added
	}
	if !positive(last) {
		return infeasible(timeless, 1)
	}
	return ev.p.fitness(last, ev.priceOf(ev.best))
}

// climb walks the ladder and keeps the best step.
func (ev *Evaluator) climb() Fitness {
	p, n := ev.p, len(ev.stages)
	var best, nearest Fitness
	price, bound, last := ev.priceOf(ev.k)+ev.serversPrice(1), ev.leastCost(), math.Inf(1)
	for {
		b, t := ev.slowest()
		if !positive(t) {
			return infeasible(timeless, 1)
		}
		if t < last {
			var f Fitness
			servers := 0
			if p.servers < 0 {
				f = p.fitness(t, ev.priceOf(ev.k))
			} else {
				f, servers = ev.step(t, last)
			}
			last = t
			if f.Feasible && (!best.Feasible || f.Value > best.Value) {
				best = f
				copy(ev.best[:n], ev.k[:n])
				ev.servers = servers
			}
			if !best.Feasible && (nearest.Value == 0 || f.Value > nearest.Value) {
				nearest = f
				copy(ev.best[:n], ev.k[:n])
				ev.servers = servers
			}
		}
		had := ev.k[b]
		added, ok := ev.raise(b, price)
		if !ok || p.pointless(bound, best, nearest) {
			break
		}
		price = added
		st := &ev.stages[b]
		bound += float64(ev.k[b]-had) * p.price[st.pool] * st.serial
	}
	if !best.Feasible {
		return nearest
	}
	return best
}

// cheapest is climb where only the cost of devices counts. The running price is rounded
// in another order than that of the result: of two steps it tells which is cheaper
// unless they are as good as equal.
func (ev *Evaluator) cheapest() Fitness {
	p, n := ev.p, len(ev.stages)
	price, bound, last := ev.priceOf(ev.k), ev.leastCost(), math.Inf(1)
	seconds, least := 0.0, math.Inf(1) // of the best step so far
	for {
		b, t := ev.slowest()
		if !positive(t) {
			return infeasible(timeless, 1)
		}
		if cost := price * t; t < last && cost <= least*(1+slack) {
			if cost < least*(1-slack) || 1/p.costOf(ev.priceOf(ev.k), t) > 1/p.costOf(ev.priceOf(ev.best), seconds) {
				seconds = t
				copy(ev.best[:n], ev.k[:n])
			}
			least = min(least, cost)
		}
		last = min(last, t)
		had := ev.k[b]
		added, ok := ev.raise(b, price)
		if !ok || bound*(1-slack) > least*(1+slack) {
			break
		}
		price = added
		st := &ev.stages[b]
		bound += float64(ev.k[b]-had) * p.price[st.pool] * st.serial
	}
	return p.fitness(seconds, ev.priceOf(ev.best))
}

// leastCost is below what one step costs, in USD/h x s, with the present devices
// or more: k devices of a stage are paid for at least its own k serial +
// parallel, which grows with k.
func (ev *Evaluator) leastCost() float64 {
	sum := 0.0
	for i := range ev.stages {
		st := &ev.stages[i]
		sum += ev.p.price[st.pool] * (st.serial*float64(ev.k[i]) + st.parallel)
	}
	return sum
}

// pointless reports that no higher step of the ladder can cost less than the best
// one or the cap, given leastCost; nor, where none keeps the cap, than the nearest.
func (p *Problem) pointless(bound float64, best, nearest Fitness) bool {
	limit := math.Inf(1)
	if p.MaxCost > 0 {
		limit = p.MaxCost * (1 + slack)
		if !best.Feasible {
			limit = max(limit, nearest.Cost)
		}
	}
	if p.Objective == Cost && best.Feasible {
		limit = min(limit, best.Cost)
	}
	return p.costOf(bound, 1)*(1-slack) > limit
}

// raise gives stage b the fewest devices more that shorten its time, and returns
// the new price. It is false when the pool or the price cap does not allow it or
// no number of devices would help.
func (ev *Evaluator) raise(b int, price float64) (float64, bool) {
	p, pool := ev.p, ev.stages[b].pool
	free, was := ev.free[pool], ev.times[b]
	if free == 0 {
		return price, false
	}
	k := ev.k[b] + 1
	t := ev.stepTime(b, k)
	if t >= was {
		if ev.stepTime(b, k+free-1) >= was {
			return price, false
		}
		for t >= was {
			k++
			t = ev.stepTime(b, k)
		}
	}
	added := k - ev.k[b]
	price += float64(added) * p.price[pool]
	if !p.affords(price) {
		return price, false
	}
	ev.free[pool] -= added
	ev.k[b], ev.times[b] = k, t
	return price, true
}

// priceOf returns the USD/h of devices per stage, summed by stage, so that the
// same devices always cost the same to the last bit.
func (ev *Evaluator) priceOf(k []int) float64 {
	sum := 0.0
	for i := range ev.stages {
		sum += float64(k[i]) * ev.p.price[ev.stages[i].pool]
	}
	return sum
}

// skip jumps up the ladder without passing the answer: to the floor, below which
// no step is feasible, and when only throughput counts to a step that the pools
// and the price cap are sure to allow.
func (ev *Evaluator) skip() {
	p := ev.p
	target := math.Inf(1)
	ev.fitsIn = target
	if p.MinThroughput > 0 {
		if t := float64(p.Batch) / (p.MinThroughput * (1 - slack)); ev.reachable(t, nil) {
			target = t
		}
	}
	if p.Objective != Cost && p.MaxCost == 0 {
		if t := ev.proportional(ev.trial); t < target && ev.reachable(t, ev.trial) {
			target = t
		}
		if p.totalDevices > ev.jump {
			target = ev.bisect(target)
		}
	}
	if math.IsInf(target, 1) {
		return
	}
	for i := range ev.stages {
		if ev.times[i] > target {
			k := ev.fit[i]
			if ev.fitsIn != target {
				k = ev.minDevices(i, target)
			}
			ev.free[ev.stages[i].pool] -= k - ev.k[i]
			ev.k[i] = k
			ev.times[i] = ev.stepTime(i, k)
		}
	}
}

// proportional returns the step time that is reached when every pool's free
// devices are shared among its stages by their divisible work, and leaves in within how
// many each then has.
func (ev *Evaluator) proportional(within []int) float64 {
	clear(ev.load)
	for i := range ev.stages {
		ev.load[ev.stages[i].pool] += ev.stages[i].parallel
	}
	slowest := 0.0
	for i := range ev.stages {
		st := &ev.stages[i]
		k := ev.k[i]
		if all := ev.load[st.pool]; all > 0 {
			k += int(float64(ev.free[st.pool]) * (st.parallel / all) * (1 - slack))
		}
		within[i] = k
		slowest = larger(slowest, ev.stepTime(i, k))
	}
	return slowest
}

// bisect returns a reachable step time close to the shortest one, at most from.
func (ev *Evaluator) bisect(from float64) float64 {
	lo, hi := 0.0, 0.0 // lo: out of reach or just in reach; hi: reached
	for i := range ev.stages {
		hi = max(hi, ev.times[i])
		lo = max(lo, ev.stepTime(i, ev.k[i]+ev.free[ev.stages[i].pool]))
	}
	hi = min(hi, from)
	for range bits.Len(uint(ev.p.totalDevices)) + 2 {
		if mid := lo + (hi-lo)/2; ev.reachable(mid, nil) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// reachable reports whether the pools and the price cap suffice for step time t. If they
// do, it leaves in ev.fit with how many devices. If within is given, so many reach it; it
// may be ev.trial.
func (ev *Evaluator) reachable(t float64, within []int) bool {
	p := ev.p
	var need [MaxPools]int
	price, bytes := 0.0, 0.0
	for i := range ev.stages {
		k, pool := ev.k[i], ev.stages[i].pool
		if within == nil {
			k = ev.minDevices(i, t)
		} else if ev.times[i] > t {
			k = ev.fewest(i, t, k, within[i])
		}
		if k == 0 {
			return false
		}
		ev.trial[i] = k
		if need[pool] += k - ev.k[i]; need[pool] > ev.free[pool] {
			return false
		}
		price += float64(k) * p.price[pool]
		bytes += float64(k) * ev.stages[i].weights
	}
	if p.servers >= 0 {
		n := p.serversFor(bytes*p.push, t)
		if need[p.servers] += n - 1; need[p.servers] > ev.free[p.servers] { // 1 is reserved
			return false
		}
		price += ev.serversPrice(n)
	}
	if !p.affords(price) {
		return false
	}
	ev.fit, ev.trial, ev.fitsIn = ev.trial, ev.fit, t
	return true
}

// minDevices returns the fewest devices, at least the present ones and within
// the pool, with which stage i needs at most t seconds per step, or 0. For a
// stage without communication that is k_min(X) = ceil(alpha / (B / (X C) - (1 -
// alpha))) of the published model.
func (ev *Evaluator) minDevices(i int, t float64) int {
	lo := ev.k[i]
	if ev.times[i] <= t {
		return lo
	}
	hi := lo + ev.free[ev.stages[i].pool]
	if !(ev.stepTime(i, hi) <= t) {
		return 0
	}
	return ev.fewest(i, t, lo, hi)
}

// fewest is minDevices where lo devices are too slow and hi are not.
func (ev *Evaluator) fewest(i int, t float64, lo, hi int) int {
	// Computing alone needs so many, if no rounding is in the way.
	if st := &ev.stages[i]; t > st.serial {
		if k := min(int(st.parallel/(t-st.serial)), hi-1); k > lo {
			if ev.stepTime(i, k) <= t {
				hi = k
			} else {
				lo = k
			}
		}
		if lo+1 < hi && ev.stepTime(i, lo+1) <= t {
			return lo + 1
		}
	}
	for lo+1 < hi {
		if mid := (lo + hi) / 2; ev.stepTime(i, mid) <= t {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

package placement

import "math"

// Fitness is the adaptive value of a scheme and what it is made of. Value is
// what placement policies maximise: samples/s (throughput), million samples per
// USD (cost), steps per second (time); an infeasible scheme has a negative
// Value, lower the farther it is from fitting.
type Fitness struct {
	Value      float64
	Throughput float64 // samples/s
	Price      float64 // USD/h of all devices of the scheme
	Cost       float64 // USD per million samples
	Feasible   bool
}

// costOf converts USD/h and samples/s to USD per million samples.
func costOf(price, throughput float64) float64 { return price / 3600 / throughput * 1e6 }

// value turns throughput and cost into what the objective maximises.
func (p *Problem) value(throughput, cost float64) float64 {
	switch p.Objective {
	case Cost:
		return 1 / cost
	case Time:
		return throughput / float64(p.Batch)
	}
	return throughput
}

// violation is an infeasible fitness: worse the larger by, and always below a
// smaller one of the same or a later kind.
func violation(by float64) Fitness {
	return Fitness{Value: -1 - min(by, math.MaxFloat64/2)}
}

// ClosedForm returns the fitness of a scheme by the published cost model and
// leaves the provisioning in the evaluator. It does not allocate.
func (ev *Evaluator) ClosedForm(s Scheme) Fitness {
	if l := ev.merge(s); l >= 0 {
		return violation(4 + float64(ev.p.layers-l))
	}
	return ev.provision()
}

// provision chooses integer devices for every stage.
//
// Rates never fall with k, so the devices worth having form a ladder: start with
// the fewest that fit, and as long as the pool has one left give the slowest
// stage another. Every non-dominated vector of devices lies on the ladder, so
// the best step of it is the optimum of the objective under the floor and caps.
func (ev *Evaluator) provision() Fitness {
	p := ev.p
	copy(ev.free, p.count)
	price, over := 0.0, 0.0
	for i := range ev.stages {
		t := ev.stages[i].pool
		k := ev.memoryFloor(i)
		if k == 0 {
			return violation(3 + ev.stages[i].weights/p.memory[t])
		}
		ev.k[i] = k
		ev.free[t] -= k
		price += float64(k) * p.price[t]
	}
	for t, f := range ev.free {
		if f < 0 {
			over += float64(-f) / float64(p.count[t])
		}
	}
	if over > 0 {
		return violation(1 + over)
	}
	for i := range ev.stages {
		ev.times[i] = ev.stepTime(i, ev.k[i])
	}
	price += ev.skip()
	return ev.climb(price)
}

// climb walks the ladder and keeps the best step in ev.best.
func (ev *Evaluator) climb(price float64) Fitness {
	p, n := ev.p, len(ev.stages)
	var best Fitness
	reached, cheapest := 0.0, math.Inf(1)
	for {
		b := 0
		for i := 1; i < n; i++ {
			if ev.times[i] > ev.times[b] {
				b = i
			}
		}
		x := float64(p.Batch) / ev.times[b]
		cost := costOf(price, x)
		reached, cheapest = max(reached, x), min(cheapest, cost)
		feasible := x >= p.MinThroughput && (p.MaxPrice == 0 || price <= p.MaxPrice) && (p.MaxCost == 0 || cost <= p.MaxCost)
		if v := p.value(x, cost); feasible && (!best.Feasible || v > best.Value) {
			best = Fitness{Value: v, Throughput: x, Price: price, Cost: cost, Feasible: true}
			copy(ev.best[:n], ev.k[:n])
		}
		t := ev.stages[b].pool
		if ev.free[t] == 0 || ev.pointless(b, price, best) {
			break
		}
		ev.k[b]++
		ev.free[t]--
		price += p.price[t]
		was := ev.times[b]
		ev.times[b] = ev.stepTime(b, ev.k[b])
		if ev.times[b] == was && ev.stepTime(b, ev.k[b]+ev.free[t]) == was {
			break
		}
	}
	if !best.Feasible {
		copy(ev.best[:n], ev.k[:n])
		return ev.shortfall(reached, cheapest, price)
	}
	return best
}

// pointless reports that no higher step of the ladder can be better: prices only
// rise, and a stage on k devices spends at least p (serial k + parallel) per
// micro-batch, which grows with k.
func (ev *Evaluator) pointless(b int, price float64, best Fitness) bool {
	p := ev.p
	if p.MaxPrice > 0 && price+p.price[ev.stages[b].pool] > p.MaxPrice {
		return true
	}
	if p.Objective != Cost || !best.Feasible {
		return false
	}
	bound := 0.0
	for i := range ev.stages {
		st := &ev.stages[i]
		bound += p.price[st.pool] * (st.serial*float64(ev.k[i]) + st.parallel)
	}
	return bound*float64(p.Microbatches)/3600/float64(p.Batch)*1e6 >= best.Cost
}

// shortfall is the fitness of a scheme that fits but misses its floor or cap.
func (ev *Evaluator) shortfall(reached, cheapest, price float64) Fitness {
	p := ev.p
	by := 0.0
	if p.MinThroughput > 0 {
		by = max(by, 1-reached/p.MinThroughput)
	}
	if p.MaxCost > 0 {
		by = max(by, 1-p.MaxCost/cheapest)
	}
	if p.MaxPrice > 0 {
		by = max(by, 1-p.MaxPrice/price)
	}
	f := violation(min(by, 0.999))
	f.Throughput, f.Price, f.Cost = reached, price, cheapest
	return f
}

// jumpDevices is the cluster size above which provisioning first jumps close to
// the answer by bisection instead of climbing from the bottom.
const jumpDevices = 256

// skip jumps up the ladder: to the floor, below which no step is feasible, and in
// large clusters, when nothing but throughput counts, to just below the best
// reachable throughput. It returns the added price.
func (ev *Evaluator) skip() float64 {
	p := ev.p
	floor := p.MinThroughput * (1 - 1e-12)
	if p.Objective != Cost && p.MaxPrice == 0 && p.MaxCost == 0 && p.totalDevices > jumpDevices {
		lo, hi := 0.0, math.Inf(1)
		for i := range ev.stages {
			lo = max(lo, ev.times[i])
			hi = min(hi, float64(p.Batch)/ev.stepTime(i, ev.k[i]+ev.free[ev.stages[i].pool]))
		}
		lo = float64(p.Batch) / lo
		for range 40 {
			if mid := lo + (hi-lo)/2; ev.reachable(mid) {
				lo = mid
			} else {
				hi = mid
			}
		}
		floor = max(floor, lo*(1-1e-12))
	}
	if floor <= 0 || !ev.reachable(floor) {
		return 0
	}
	added := 0.0
	for i := range ev.stages {
		t := ev.stages[i].pool
		k := ev.minDevices(i, floor)
		added += float64(k-ev.k[i]) * p.price[t]
		ev.free[t] -= k - ev.k[i]
		ev.k[i] = k
		ev.times[i] = ev.stepTime(i, k)
	}
	return added
}

// reachable reports whether the pools suffice for throughput x.
func (ev *Evaluator) reachable(x float64) bool {
	var need [MaxPools]int
	for i := range ev.stages {
		k := ev.minDevices(i, x)
		t := ev.stages[i].pool
		if k == 0 {
			return false
		}
		if need[t] += k - ev.k[i]; need[t] > ev.free[t] {
			return false
		}
	}
	return true
}

// minDevices returns the fewest devices, at least the present ones and within
// the pool, on which stage i reaches throughput x, or 0. For a stage without
// communication it is k_min(X) = ceil(alpha / (B / (X C) - (1 - alpha))) of the
// published model.
func (ev *Evaluator) minDevices(i int, x float64) int {
	target := float64(ev.p.Batch) / x
	lo := ev.k[i]
	if ev.times[i] <= target {
		return lo
	}
	hi := lo + ev.free[ev.stages[i].pool]
	if !(ev.stepTime(i, hi) <= target) {
		return 0
	}
	for lo+1 < hi {
		if mid := (lo + hi) / 2; ev.stepTime(i, mid) <= target {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

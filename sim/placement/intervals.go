package placement

import (
	"errors"
	"math"
)

// splitTolerance is the part of a fitness to which the bound of a branch is found
// whose best route is no scheme's.
const splitTolerance = 1e-3

// solve finds the best route of a relaxation whose fitness exceeds floor by more
// than the tolerance. It calls seen for every route that it meets. Without one it
// returns nil; bound is what no route exceeds, at least floor.
//
// Fitness falls with time and with price, and the least price falls with time.
// So an interval (lo, hi] of step times has no better fitness than lo's with the
// price of hi; and hi's cheapest route, which takes t <= hi, leaves (lo, t). The
// interval with the best outlook is halved, or tested just below its end.
func (r *relaxation) solve(o oracle, floor float64, seen func(*route) float64) (best *route, bound float64, err error) {
	p := r.p
	first := interval{lo: r.shortest(), hi: math.Inf(1)}
	if p.MinThroughput > 0 {
		first.hi = float64(p.Batch) / (p.MinThroughput * (1 - slack)) * (1 + 1e-12)
		if r.computeOnly || r.lanes {
			first.hi += p.rounding()
		}
	}
	if t := r.timeOf(floor); t < first.hi {
		first.hi = t * (1 - exactTolerance/4)
	}
	if first.lo > first.hi {
		return nil, floor, nil
	}
	open := []interval{first}
	value, known := floor, floor
	any := p.Objective != Cost && p.MaxCost == 0
	for len(open) > 0 {
		at := 0
		for i := range open {
			open[i].outlook = r.outlook(open[i].lo, open[i].price)
			if open[i].outlook > open[at].outlook {
				at = i
			}
		}
		in := open[at]
		tolerance := exactTolerance
		if value > known+math.Abs(known)*exactTolerance { // a branch to be split, whatever its bound
			tolerance = splitTolerance
		}
		if in.outlook <= value+math.Abs(value)*tolerance {
			if tolerance == splitTolerance {
				value = max(value, in.outlook)
			}
			break
		}
		open = append(open[:at], open[at+1:]...)
		t := in.probe()
		if !in.reached { // nothing is known to be at its end
			t, in.tried = in.hi, true
		}
		rt, err := o.cheapest(t, min(p.priceCap(), r.dearest(in.lo, value)), any)
		if err != nil && !errors.Is(err, errNone) {
			return best, max(value, in.outlook), err
		}
		if err != nil {
			if t < in.hi {
				open = append(open, interval{lo: t, hi: in.hi, price: in.price, tried: in.tried, reached: in.reached})
			}
			continue
		}
		if f := r.outlook(rt.time, rt.price); f > value {
			value, best = f, rt
		}
		known = max(known, seen(rt))
		value = max(value, known)
		price := rt.price // its time is rounded, and may seem to be above t
		if any {
			price = 0
		}
		open = append(open, interval{lo: in.lo, hi: math.Nextafter(min(rt.time, t), 0), price: price, reached: true})
		if t < in.hi {
			open = append(open, interval{lo: t, hi: in.hi, price: in.price, reached: true})
		}
	}
	return best, value, nil
}

// dearest returns a price in USD/h from which on no step of at least so many seconds
// has a better fitness than value.
func (r *relaxation) dearest(seconds, value float64) float64 {
	if r.p.Objective != Cost || !(value > 0) {
		return math.Inf(1)
	}
	if r.computeOnly || r.lanes {
		seconds -= r.p.rounding()
	}
	if seconds <= 0 {
		return math.Inf(1)
	}
	return 1 / r.p.costOf(1, seconds) / value * (1 + 1e-12)
}

// interval is a range (lo, hi] of step times in which there may be better routes,
// none of them below price.
type interval struct {
	lo, hi, price, outlook float64
	tried                  bool // just below the end
	reached                bool // some route takes hi or little more
}

// timeOf returns the step time of a fitness, +Inf if it does not tell.
func (r *relaxation) timeOf(value float64) float64 {
	t := math.Inf(1)
	switch p := r.p; {
	case !(value > 0):
	case p.Objective == Throughput:
		t = float64(p.Batch) / value
	case p.Objective == Time:
		t = 1 / value
	}
	if r.computeOnly || r.lanes {
		t += r.p.rounding()
	}
	return t
}

// probe returns the next step time to try: just below the end, to prove that
// what is known is best, or the middle.
func (in *interval) probe() float64 {
	switch {
	case !in.tried && in.hi-in.lo < in.hi/64:
		in.tried = true
		if t := in.hi * (1 - exactTolerance/4); t > in.lo {
			return t
		}
		return in.hi
	}
	in.tried = false
	return in.lo + (in.hi-in.lo)/2
}

// outlook is the fitness of so many seconds per step at such a price, or less
// than any number when it misses a cap.
func (r *relaxation) outlook(seconds, price float64) float64 {
	p := r.p
	if r.computeOnly || r.lanes {
		seconds -= p.rounding()
	}
	seconds = max(seconds, math.SmallestNonzeroFloat64)
	f := p.fitness(seconds, price)
	if !f.Feasible {
		return math.Inf(-1)
	}
	return f.Value
}

// priceCap returns the price that no scheme may exceed.
func (p *Problem) priceCap() float64 {
	if p.MaxPrice == 0 {
		return math.Inf(1)
	}
	return p.MaxPrice * (1 + slack) * (1 + 1e-12)
}

// shortest returns a step time that every route needs: that of the layer whose
// fastest pool is slowest, on all its devices.
func (r *relaxation) shortest() float64 {
	p, least := r.p, 0.0
	for l := range p.layers {
		layer := math.Inf(1)
		for t := range p.pools {
			if r.domain[l]&(1<<t) != 0 {
				w := &p.work[t*p.layers+l]
				layer = min(layer, w.serial+w.parallel*p.share(t, p.count[t]).device)
			}
		}
		least = max(least, layer)
	}
	return least * (1 - 1e-12)
}

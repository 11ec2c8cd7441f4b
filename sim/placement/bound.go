package placement

import (
	"errors"
	"math"
)

// boundSpans limits the problems for which every policy's answer comes with a
// bound by relaxation: a second of work or so. Larger ones get that of fluid.
const boundSpans = 1 << 21

// bounded proves what can be proven about the answer of a policy that proved
// nothing itself. A search that was interrupted gets the quick bound only.
func (s *search) bounded(whole bool) {
	if s.bound > 0 || s.certificate != "" {
		return
	}
	s.prove(s.p.fluid(s.opt.Fidelity), "no scheme is better than this bound: the least work that layers can be, spread evenly over all devices")
	if !whole || s.p.pools*s.p.layers*s.p.layers/2 > boundSpans {
		return
	}
	if s.p.Merge == ByType {
		s.prove(s.newAssignment().root(), "no scheme is better than this bound: layers spread over all devices in parts")
		return
	}
	s.effort = effort{most: boundEffort, stopped: s.stopped}
	x, err := newProof(s)
	if err != nil {
		return
	}
	r := x.relax()
	seen := func(*route) float64 { return x.best }
	_, bound, err := r.solve(x.oracle(r), x.best, seen)
	if err == nil && !x.closed(bound) && x.refine() {
		fine, least := x.relax(), bound
		_, bound, err = fine.solve(x.oracle(fine), x.best, seen)
		if bound = min(bound, least); err != nil {
			bound, err = least, nil
		}
	}
	how := "no scheme is better than this bound: the best route of the relaxation"
	if r.lanes || r.computeOnly {
		how += ", without waiting"
	}
	switch {
	case err != nil && !errors.Is(err, errLabels):
	case math.IsInf(bound, -1):
		s.bound, s.certificate = 0, "no scheme fits: not even the relaxation's routes do"
	default:
		s.prove(bound, how)
	}
}

// maxFluid is how often fluid moves its weights.
const maxFluid = 64

// fluid returns a fitness that no scheme can exceed, at any fidelity and however
// stages are merged, from each layer's divisible work alone. It costs a few
// passes over the layers.
//
// A stage of k devices takes at least t = serial + parallel / k seconds, so its
// devices are at least parallel / t. With weights w on pools, w k summed over the
// stages is at most w N over the pools, so that
//
//	t >= sum over layers of min over pools of w parallel / (w N)
//
// for any w >= 0 (the dual of spreading layers over pools in parts). The price of
// a stage's devices for t seconds is at least p (serial + parallel), so the cost
// of a step is at least the sum of the cheapest of that.
func (p *Problem) fluid(f Fidelity) float64 {
	seconds := p.fluidTime()
	cost := 0.0
	for l := range p.layers {
		least := math.Inf(1)
		for t := range p.pools {
			if w := &p.work[t*p.layers+l]; !w.refused {
				least = min(least, p.price[t]*(w.serial+w.parallel))
			}
		}
		cost += least
	}
	return p.best(f, seconds, cost)
}

// fluidTime is the best lower bound on the seconds of a step that a few rounds of
// multiplicative weights find: pools whose share of the work is above the average
// get dearer.
func (p *Problem) fluidTime() float64 {
	weight, load := make([]float64, p.pools), make([]float64, p.pools)
	for t := range weight {
		weight[t] = 1 / float64(p.count[t])
	}
	best := 0.0
	for round := range maxFluid {
		clear(load)
		sum, slowest := 0.0, 0.0
		for l := range p.layers {
			least, at, fastest := math.Inf(1), -1, math.Inf(1)
			for t := range p.pools {
				w := &p.work[t*p.layers+l]
				if w.refused {
					continue
				}
				if v := weight[t] * w.parallel; v < least {
					least, at = v, t
				}
				fastest = min(fastest, w.serial+w.parallel*p.share(t, p.count[t]).device)
			}
			if at < 0 {
				return 0
			}
			slowest = max(slowest, fastest)
			sum += least
			load[at] += p.work[at*p.layers+l].parallel / float64(p.count[at])
		}
		all, most := 0.0, 0.0
		for t, w := range weight {
			all += w * float64(p.count[t])
			most = max(most, load[t])
		}
		best = max(best, sum/all, slowest)
		if most == 0 {
			break
		}
		for t := range weight {
			weight[t] *= math.Exp((load[t]/most - 0.5) / math.Sqrt(float64(round+1)))
		}
	}
	return best * (1 - slack)
}

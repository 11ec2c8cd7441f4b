package placement

import (
	"fmt"
	"math"
)

// runFixed evaluates the scheme of the options, with its devices if they are given.
func runFixed(s *search) error {
	if len(s.opt.Scheme) != s.p.layers {
		return fmt.Errorf("placement.scheme names pools for %d layers; the model has %d", len(s.opt.Scheme), s.p.layers)
	}
	for l, t := range s.opt.Scheme {
		if int(t) >= s.p.pools {
			return fmt.Errorf("placement.scheme puts layer %d on pool %d; the cluster has %d", l, t, s.p.pools)
		}
	}
	if s.opt.Devices == nil {
		s.evaluate(s.opt.Scheme)
		return nil
	}
	pl, err := s.ev.PlanDevices(s.opt.Scheme, s.opt.Devices)
	if err != nil {
		return fmt.Errorf("placement.%w", err)
	}
	s.plan, s.fitness, s.evaluations = pl, pl.Fitness, 1
	if s.opt.Fidelity == Recurrence && pl.Fitness.Feasible {
		s.fitness, err = s.p.RecurrenceOf(pl)
	}
	return err
}

func runAllCPU(s *search) error {
	return s.uniformOver(func(t int) bool { return !s.p.Cluster.Pools[t].Device.Kind.Accelerator() }, "CPU")
}

func runAllGPU(s *search) error {
	return s.uniformOver(func(t int) bool { return s.p.Cluster.Pools[t].Device.Kind.Accelerator() }, "accelerator")
}

// uniformOver evaluates the uniform schemes over the pools that ok accepts.
func (s *search) uniformOver(ok func(t int) bool, what string) error {
	for t := range s.p.pools {
		if ok(t) {
			s.evaluate(s.p.uniform(t))
		}
	}
	if s.evaluations == 0 {
		return fmt.Errorf("the cluster has no %s pool", what)
	}
	return nil
}

// runHeuristic puts sparse and input layers on a CPU pool and the rest on an
// accelerator pool, and tries every such pair of pools.
func runHeuristic(s *search) error {
	for _, sc := range s.p.heuristics() {
		s.evaluate(sc)
	}
	if s.evaluations == 0 {
		return fmt.Errorf("the heuristic needs a CPU pool and an accelerator pool; the cluster lacks one of them")
	}
	return nil
}

func (p *Problem) heuristics() []Scheme {
	var schemes []Scheme
	for c := range p.pools {
		for a := range p.pools {
			if p.Cluster.Pools[c].Device.Kind.Accelerator() || !p.Cluster.Pools[a].Device.Kind.Accelerator() {
				continue
			}
			sc := p.uniform(a)
			for l := range sc {
				if ly := &p.Model.Layers[l]; ly.Sparse() || ly.Kind == "input" {
					sc[l] = uint8(c)
				}
			}
			schemes = append(schemes, sc)
		}
	}
	return schemes
}

// runGreedy places each layer where it alone is best, as HeterPS's greedy
// baseline: by time, or for the cost objective by time x price.
func runGreedy(s *search) error {
	s.evaluate(s.p.greedy())
	return nil
}

func (p *Problem) greedy() Scheme {
	sc := make(Scheme, p.layers)
	for l := range sc {
		best := math.Inf(1)
		for t := range p.pools {
			w := &p.work[t*p.layers+l]
			if w.refused {
				continue
			}
			v := w.serial + w.parallel
			if p.Objective == Cost {
				v *= p.price[t]
			}
			if v < best {
				best, sc[l] = v, uint8(t)
			}
		}
	}
	return sc
}

// runRandom draws schemes uniformly.
func runRandom(s *search) error {
	n := s.opt.Evaluations
	if n < 0 {
		return fmt.Errorf("evaluations = %d: at least 1, or 0 for DefaultEvaluations = %d", n, DefaultEvaluations)
	}
	if n == 0 {
		n = DefaultEvaluations
	}
	r := s.rng(1)
	sc := make(Scheme, s.p.layers)
	for range n {
		if err := s.stopped(); err != nil {
			return err
		}
		for l := range sc {
			sc[l] = uint8(r.IntN(s.p.pools))
		}
		s.evaluate(sc)
	}
	return nil
}

// MaxExhaustive is the largest number of schemes that `exhaustive` enumerates.
const MaxExhaustive = 1 << 24

// runExhaustive evaluates every scheme in lexicographic order.
func runExhaustive(s *search) error {
	if n := math.Pow(float64(s.p.pools), float64(s.p.layers)); n > MaxExhaustive {
		return fmt.Errorf("exhaustive would evaluate %d^%d = %.3g schemes; its limit MaxExhaustive is %d: use genetic, or fewer layers or pools",
			s.p.pools, s.p.layers, n, MaxExhaustive)
	}
	sc := make(Scheme, s.p.layers)
	for {
		if err := s.stopped(); err != nil {
			return err
		}
		s.evaluate(sc)
		l := len(sc) - 1
		for ; l >= 0 && int(sc[l]) == s.p.pools-1; l-- {
			sc[l] = 0
		}
		if l < 0 {
			return nil
		}
		sc[l]++
	}
}

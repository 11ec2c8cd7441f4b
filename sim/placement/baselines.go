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
	f := pl.Fitness
	if s.opt.Fidelity == Recurrence && f.Feasible {
		if f, err = s.p.RecurrenceOf(pl); err != nil {
			return err
		}
	}
	s.plan = pl
	s.count(s.opt.Scheme, f)
	return nil
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

// DefaultEvaluations is how many schemes `random` evaluates without a budget.
const DefaultEvaluations = 5000

// runRandom draws schemes uniformly until it has seen as many distinct ones as
// the budget of evaluations allows, with at most four times as many draws: a
// small problem has no more.
func runRandom(s *search) error {
	most := s.opt.Evaluations
	if most == 0 {
		most = DefaultEvaluations
	}
	r := s.rng(1)
	scs, out := s.schemes(min(batch, most))
	for s.evaluations < most && s.evaluations+s.repeats < 4*most {
		scs = scs[:min(most-s.evaluations, len(scs))]
		for _, sc := range scs {
			for l := range sc {
				sc[l] = uint8(r.IntN(s.p.pools))
			}
		}
		if err := s.evaluateOr(scs, out); err != nil {
			return err
		}
	}
	return nil
}

// schemes returns n schemes to be filled in and evaluated together.
func (s *search) schemes(n int) ([]Scheme, []Fitness) {
	arena := make(Scheme, n*s.p.layers)
	scs := make([]Scheme, n)
	for i := range scs {
		scs[i] = arena[i*s.p.layers : (i+1)*s.p.layers]
	}
	return scs, make([]Fitness, n)
}

// MaxExhaustive is the largest number of schemes that `exhaustive` enumerates.
const MaxExhaustive = 1 << 24

// runExhaustive evaluates every scheme in lexicographic order.
func runExhaustive(s *search) error {
	n := math.Pow(float64(s.p.pools), float64(s.p.layers))
	if n > MaxExhaustive {
		return fmt.Errorf("exhaustive would evaluate %d^%d = %.3g schemes; its limit MaxExhaustive is %d: use genetic, or fewer layers or pools",
			s.p.pools, s.p.layers, n, MaxExhaustive)
	}
	s.forget()
	scs, out := s.schemes(batch)
	sc, left := make(Scheme, s.p.layers), int(n)
	for left > 0 {
		scs = scs[:min(left, len(scs))]
		for i := range scs {
			copy(scs[i], sc)
			s.p.increment(sc)
		}
		if err := s.evaluateOr(scs, out); err != nil {
			return err
		}
		left -= len(scs)
	}
	if s.fitness.Feasible {
		s.prove(s.fitness.Value, fmt.Sprintf("all %d schemes were evaluated", int(n)))
	}
	return nil
}

// runExhausted is runExhaustive, and says what there is where nothing fits.
func runExhausted(s *search) error {
	err := runExhaustive(s)
	if err == nil && !s.fitness.Feasible {
		s.whyNot()
	}
	return err
}

// increment turns a scheme into the next one in lexicographic order.
func (p *Problem) increment(sc Scheme) {
	for l := len(sc) - 1; l >= 0; l-- {
		if sc[l]++; int(sc[l]) < p.pools {
			return
		}
		sc[l] = 0
	}
}

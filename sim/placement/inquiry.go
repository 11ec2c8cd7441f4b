package placement

import (
	"context"
	"fmt"
	"math"
	"slices"

	"stowage/hw"
	"stowage/hw/unit"
)

// Inquiry asks a placement policy about variations of one problem: other prices,
// other numbers of devices, other floors. It is as good as the policy: with one that
// finds the optimum the answers are true of the model.
//
// Every target scheme that it met is tried again in each variation, so that a policy
// that misses a scheme once is helped by having found it before.
type Inquiry struct {
	spec   Spec
	policy Policy
	opt    Options
	seen   []Scheme

	Searches    int
	Evaluations int
}

// MaxSearches bounds the searches of one question.
const MaxSearches = 512

// NewInquiry prepares questions about a spec. Budgets hold for each search. The traffic of
// other jobs counts for nothing, nor does a network that has no place for more devices: one
// of listed cables, or with pools inside the nodes of others.
func NewInquiry(spec Spec, policy Policy, opt Options) *Inquiry {
	opt.Memo, opt.Progress, opt.Keep = nil, nil, 0
	spec.Unrouted = spec.Unrouted || spec.Cluster.Network.Topology == hw.Cables ||
		slices.ContainsFunc(spec.Cluster.Pools, func(p hw.Pool) bool { return p.Inside != "" })
	spec.Reserved = slices.Clone(spec.Reserved)
	for i := range spec.Reserved {
		spec.Reserved[i].Of, spec.Reserved[i].Plan = nil, nil
	}
	return &Inquiry{spec: spec, policy: policy, opt: opt}
}

// Answer is the best choice found for one variation. When none fits, Fitness is
// infeasible and Plan.Reason says why the nearest does not.
type Answer struct {
	Problem *Problem
	Plan    *Plan
	Fitness Fitness // at the search's fidelity
}

// Devices returns how many devices of each pool the choice takes, servers included.
func (a *Answer) Devices() []int {
	n := make([]int, a.Problem.pools)
	for i := range a.Plan.Stages {
		n[a.Plan.Stages[i].Pool] += a.Plan.Stages[i].Devices
	}
	if a.Plan.Servers > 0 {
		n[a.Problem.servers] += a.Plan.Servers
	}
	return n
}

// Priced is the fitness of the choice if a device of a pool had another price, in
// USD/h.
func (a *Answer) Priced(pool int, price float64) Fitness {
	usd := a.Fitness.Price + float64(a.Devices()[pool])*(price-float64(a.Problem.Cluster.Pools[pool].Price))
	return a.Problem.fitness(float64(a.Problem.Batch)/a.Fitness.Throughput, usd)
}

// same reports whether two answers are one choice: scheme and devices.
func (a *Answer) same(b *Answer) bool {
	return a.Fitness.Feasible == b.Fitness.Feasible && slices.Equal(a.Plan.Scheme, b.Plan.Scheme) &&
		a.Plan.Servers == b.Plan.Servers && slices.EqualFunc(a.Plan.Stages, b.Plan.Stages, func(x, y Stage) bool { return x.Devices == y.Devices })
}

// improves reports whether fitness f beats g by more than rounding: in value, or in
// price where values are equal.
func improves(f, g Fitness) bool {
	if f.Feasible != g.Feasible {
		return f.Feasible
	}
	if d := f.Value - g.Value; math.Abs(d) > 1e-9*math.Abs(g.Value) {
		return d > 0
	}
	return f.Feasible && f.Price < g.Price*(1-1e-9)
}

// ask searches the variation that change makes of the spec. The pools are its own.
func (q *Inquiry) ask(ctx context.Context, change func(*Spec)) (*Answer, error) {
	if q.Searches >= MaxSearches {
		return nil, fmt.Errorf("more than MaxSearches = %d searches", MaxSearches)
	}
	s := q.spec
	s.Cluster = &hw.Cluster{Pools: slices.Clone(s.Cluster.Pools), Network: s.Cluster.Network}
	change(&s)
	p, err := NewProblem(s)
	if err != nil {
		return nil, err
	}
	out, err := q.policy.Search(ctx, p, q.opt)
	if err != nil {
		return nil, err
	}
	q.Searches++
	q.Evaluations += out.Evaluations
	a := &Answer{Problem: p, Plan: out.Plan, Fitness: out.Fitness}
	ev, known := NewEvaluator(p), false
	for _, sc := range q.seen {
		f := q.evaluate(ev, sc)
		if improves(f, a.Fitness) || !known && f.Feasible && !improves(a.Fitness, f) { // of equals, what was met first
			a.Fitness, a.Plan, known = f, ev.Plan(sc), true
		}
	}
	if a.Fitness.Feasible && !slices.ContainsFunc(q.seen, func(sc Scheme) bool { return slices.Equal(sc, a.Plan.Scheme) }) {
		q.seen = append(q.seen, a.Plan.Scheme)
	}
	return a, nil
}

func (q *Inquiry) evaluate(ev *Evaluator, sc Scheme) Fitness {
	if q.opt.Fidelity == Recurrence {
		return ev.Recurrence(sc)
	}
	return ev.ClosedForm(sc)
}

// Addition is what one more node of a pool brings.
type Addition struct {
	Pool    int
	Devices int     // of the node
	Price   float64 // USD/h of its devices
	Answer  *Answer
	Gain    float64 // fitness above that without it
}

// PerUSD is the gain for each USD/h that the node costs: infinite if it is free.
func (a *Addition) PerUSD() float64 {
	if a.Gain <= 0 {
		return 0
	}
	return a.Gain / a.Price
}

// OneMore adds one node to each of some pools in turn, or the nodes of a group of unlike
// devices, and returns what that brings, the most for its price first, beside the answer
// without. It errs when nothing fits without.
func (q *Inquiry) OneMore(ctx context.Context, pools []int) (without *Answer, adds []Addition, err error) {
	without, err = q.ask(ctx, func(*Spec) {})
	if err != nil {
		return nil, nil, err
	}
	if !without.Fitness.Feasible {
		return without, nil, nil
	}
	for _, t := range pools {
		n := q.spec.Cluster.Pools[t].Node.Devices
		if group := q.spec.Cluster.Pools[t].Group(); group > 1 { // which may fill several
			n = max(n, group*q.spec.Team(t))
		}
		a, err := q.ask(ctx, func(s *Spec) { s.Cluster.Pools[t].Count += n })
		if err != nil {
			return without, adds, err
		}
		adds = append(adds, Addition{
			Pool: t, Devices: n, Price: float64(n) * float64(q.spec.Cluster.Pools[t].Price),
			Answer: a, Gain: a.Fitness.Value - without.Fitness.Value,
		})
	}
	slices.SortStableFunc(adds, func(a, b Addition) int {
		switch x, y := a.PerUSD(), b.PerUSD(); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return without, adds, nil
}

// priceDigits is how near the cheapest price is approached, as a part of it.
const priceDigits = 1e-6

// Cheapest finds the devices that reach a throughput for the least USD/h. limits are
// the most devices of each pool that may be taken, beside those that other jobs have. It looks for the fastest scheme
// within a price, and halves the prices between what does and what does not suffice.
func (q *Inquiry) Cheapest(ctx context.Context, throughput float64, limits []int) (*Answer, error) {
	within := func(price float64) func(*Spec) {
		return func(s *Spec) {
			for t := range s.Cluster.Pools {
				s.Cluster.Pools[t].Count = limits[t] + s.reserved(t)
			}
			s.Objective, s.MinThroughput = Throughput, throughput
			if price > 0 {
				s.MaxPrice = price
			}
		}
	}
	best, err := q.ask(ctx, within(0))
	if err != nil || !best.Fitness.Feasible {
		return best, err
	}
	defer func(terse bool) { q.opt.terse = terse }(q.opt.terse)
	q.opt.terse = true
	lo := 0.0
	for best.Fitness.Price-lo > priceDigits*best.Fitness.Price {
		price := lo + (best.Fitness.Price-lo)/2
		a, err := q.ask(ctx, within(price))
		if err != nil {
			return best, err
		}
		if a.Fitness.Feasible {
			best = a
		} else {
			lo = price
		}
	}
	return best, nil
}

// setPrice gives a pool's devices a price.
func setPrice(s *Spec, pool int, price float64) {
	s.Cluster.Pools[pool].Price = unit.Price(price)
}

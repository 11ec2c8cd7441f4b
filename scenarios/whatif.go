package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"stowage/sim"
	"stowage/sim/placement"
)

// WhatIf are the questions of section whatif. Pools are indices.
type WhatIf struct {
	Price   *PriceQuestion
	Node    *NodeQuestion
	Cluster *ClusterQuestion
}

// PriceQuestion: at which prices of a pool's devices does the choice flip?
type PriceQuestion struct {
	Pool     int
	From, To float64 // USD per device-hour
}

// NodeQuestion: what does one more node of each of these pools bring?
type NodeQuestion struct{ Pools []int }

// ClusterQuestion: which devices reach a throughput for the least USD/h?
type ClusterQuestion struct {
	Throughput float64 // samples/s
	Limits     []int   // the most devices of each pool; 0: those that other jobs leave
}

// whatIf answers the questions by the placement policy of the scenario. One that
// cannot be answered does not keep the others from it.
func (s *Scenario) whatIf(ctx context.Context, set *prepared) (*sim.WhatIf, error) {
	w := s.WhatIf
	if w == nil {
		return nil, nil
	}
	out := &sim.WhatIf{}
	var errs []error
	ask := func(question string, answer func(q *placement.Inquiry) error) {
		if ctx.Err() != nil && len(errs) > 0 {
			return
		}
		if err := answer(placement.NewInquiry(set.spec, s.Policy, s.Search)); err != nil {
			errs = append(errs, fmt.Errorf("%s: whatif.%s: %w", s.Name, question, err))
		}
	}
	if w.Price != nil {
		ask("price", func(q *placement.Inquiry) (err error) { out.Price, err = w.Price.answer(ctx, q, set.problem); return })
	}
	if w.Node != nil {
		ask("node", func(q *placement.Inquiry) (err error) { out.Node, err = w.Node.answer(ctx, q, set.problem); return })
	}
	if w.Cluster != nil {
		ask("cluster", func(q *placement.Inquiry) (err error) {
			out.Cluster, err = w.Cluster.answer(ctx, q, set.problem)
			return
		})
	}
	return out, errors.Join(errs...)
}

func (w *PriceQuestion) answer(ctx context.Context, q *placement.Inquiry, p *placement.Problem) (*sim.PriceAnswer, error) {
	first, flips, err := q.Flips(ctx, w.Pool, w.From, w.To)
	if err != nil {
		return nil, err
	}
	pool := &p.Cluster.Pools[w.Pool]
	out := &sim.PriceAnswer{Pool: pool.Name, Present: float64(pool.Price), Asked: askedOf(q)}
	from, now := w.From, first
	for i := 0; ; i++ {
		to := w.To
		if i < len(flips) {
			to = flips[i].Price
		}
		fit := now.Fitness
		if fit.Feasible {
			fit = now.Priced(w.Pool, from)
		}
		out.Ranges = append(out.Ranges, sim.PriceRange{From: from, To: to, Choice: choiceOf(now, fit)})
		if i == len(flips) {
			return out, nil
		}
		from, now = to, flips[i].Above
	}
}

func (w *NodeQuestion) answer(ctx context.Context, q *placement.Inquiry, p *placement.Problem) (*sim.NodeAnswer, error) {
	without, adds, err := q.OneMore(ctx, w.Pools)
	if err != nil {
		return nil, err
	}
	out := &sim.NodeAnswer{Without: choiceOf(without, without.Fitness), Asked: askedOf(q)}
	for i := range adds {
		a := &adds[i]
		g := sim.NodeGain{
			Pool: p.Cluster.Pools[a.Pool].Name, Devices: a.Devices, Price: a.Price,
			Choice: choiceOf(a.Answer, a.Answer.Fitness), Gain: a.Gain,
		}
		if per := a.PerUSD(); !math.IsInf(per, 1) {
			g.PerUSD = &per
		}
		out.With = append(out.With, g)
	}
	return out, nil
}

func (w *ClusterQuestion) answer(ctx context.Context, q *placement.Inquiry, p *placement.Problem) (*sim.ClusterAnswer, error) {
	limits := slices.Clone(w.Limits)
	for t, n := range limits {
		if n == 0 {
			limits[t] = p.Left(t)
		}
	}
	a, err := q.Cheapest(ctx, w.Throughput, limits)
	if err != nil {
		return nil, err
	}
	return &sim.ClusterAnswer{
		Throughput: w.Throughput, Limits: poolDevices(p, limits), Choice: choiceOf(a, a.Fitness), Asked: askedOf(q),
	}, nil
}

func askedOf(q *placement.Inquiry) sim.Asked {
	return sim.Asked{Searches: q.Searches, Evaluations: q.Evaluations}
}

func poolDevices(p *placement.Problem, n []int) (out []sim.PoolDevices) {
	for t, k := range n {
		out = append(out, sim.PoolDevices{Pool: p.Cluster.Pools[t].Name, Devices: k})
	}
	return out
}

// choiceOf tells of an answer, and what it is worth as f says.
func choiceOf(a *placement.Answer, f placement.Fitness) sim.Choice {
	if !f.Feasible {
		return sim.Choice{Infeasible: a.Plan.Reason}
	}
	c := sim.Choice{
		Devices: poolDevices(a.Problem, a.Devices()),
		Fitness: f.Value, Throughput: f.Throughput, Price: f.Price, Cost: f.Cost,
	}
	for i := range a.Plan.Stages {
		c.Stages = append(c.Stages, stageInWords(a.Problem, &a.Plan.Stages[i]))
	}
	if n := a.Plan.Servers; n > 0 {
		c.Stages = append(c.Stages, fmt.Sprintf("%d %s: parameter servers", n, a.Problem.Cluster.Pools[a.Problem.Servers-1].Name))
	}
	return c
}

package scenarios

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"stowage/hw/unit"
	"stowage/sim"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Infeasible says that no scheme that the placement policy saw can be run, and
// why its best one cannot. It is a result about the problem, not a fault.
type Infeasible struct {
	Scenario, Policy string
	Evaluations      int
	Reason           string
}

func (e *Infeasible) Error() string {
	return fmt.Sprintf("%s: infeasible: %s found no scheme that fits among %d; the nearest one: %s", e.Scenario, e.Policy, e.Evaluations, e.Reason)
}

// Run conducts the experiment: it draws the lookups, learns from a replay what a
// round costs the slot tables, searches the target scheme, and simulates it. When
// ctx ends during the simulation, the result of the finished rounds is returned
// together with an error that wraps ctx's.
func (s *Scenario) Run(ctx context.Context, version string) (*sim.Result, error) {
	spec := s.Problem
	embeddings, err := s.embed(ctx, &spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	problem, err := placement.NewProblem(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	outcome, err := s.Policy.Search(ctx, problem, s.Search)
	if err != nil {
		return nil, fmt.Errorf("%s: placement %s: %w", s.Name, s.Policy.Name, err)
	}
	if !outcome.Fitness.Feasible {
		return nil, &Infeasible{s.Name, s.Policy.Name, outcome.Evaluations, outcome.Plan.Reason}
	}
	job := sim.Job{Problem: problem, Plan: outcome.Plan, Rounds: s.Rounds, Embeddings: embeddings, MaxEvents: s.MaxEvents}
	run, err := sim.Train(ctx, job)
	if run == nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	r := sim.Summarize(job, run, outcome, s.Policy, s.Search.Fidelity)
	r.Scenario, r.Title, r.Seed, r.Version, r.Warnings = s.Name, s.Title, s.Seed, version, problem.Warnings
	if err != nil {
		return r, fmt.Errorf("%s: stopped after %d of %d rounds: %w", s.Name, len(run.Rounds), s.Rounds, err)
	}
	if s.Slots != nil {
		r.Replacement = s.Slots.Replacement
		r.Curves, err = s.curves(ctx, job)
	}
	return r, err
}

// embed records the lookups of every embedding layer when there are slot tables,
// and fills in what a warm round costs them (placement.Spec.Lookups).
func (s *Scenario) embed(ctx context.Context, spec *placement.Spec) ([]sim.Embedding, error) {
	if s.Slots == nil || s.Lookups == nil {
		return nil, nil
	}
	layers := sparseLayers(s.Model)
	rows := make([]int64, len(layers))
	out := make([]sim.Embedding, len(layers))
	for i, l := range layers {
		rows[i] = s.Model.Layers[l].Rows()
		out[i] = sim.Embedding{Layer: l, RowBytes: spec.RowBytes(&s.Model.Layers[l])}
	}
	capacity := s.Slots.Capacity.Slots(rows, rowBytes(out))
	spec.Lookups = make([]placement.LayerLookups, len(s.Model.Layers))
	for i, l := range layers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		stream, err := lookups.NewStream(s.Model.Layers[l].Tables, *s.Lookups, spec.Batch, uint64(s.Seed), uint64(l))
		if err != nil {
			return nil, fmt.Errorf("lookups of layer %q: %w", s.Model.Layers[l].Name, err)
		}
		trace, err := lookups.Record(stream, s.Rounds, s.TraceKeys)
		if err != nil {
			return nil, fmt.Errorf("lookups of layer %q: %w", s.Model.Layers[l].Name, err)
		}
		if trace.Rounds() < s.Rounds {
			return nil, fmt.Errorf("the lookups of layer %q end after %d of training.rounds = %d rounds: set lookups.wrap = true, or fewer rounds",
				s.Model.Layers[l].Name, trace.Rounds(), s.Rounds)
		}
		trace = trace.Compact() // the table's index then holds the touched rows only
		out[i].Trace = trace
		out[i].Slots = slots.Config{
			Slots: capacity[i], Rows: trace.Rows(), Policy: s.Slots.Replacement, Future: trace, ReadOnly: spec.Inference,
		}
		if spec.Lookups[l], err = s.warmRound(out[i]); err != nil {
			return nil, fmt.Errorf("slot table of layer %q: %w", s.Model.Layers[l].Name, err)
		}
	}
	return out, nil
}

func rowBytes(ems []sim.Embedding) []unit.Bytes {
	b := make([]unit.Bytes, len(ems))
	for i := range ems {
		b[i] = ems[i].RowBytes
	}
	return b
}

// warmRound replays a trace and returns what a round costs when the table is
// warm: means over the rounds after the first quarter.
func (s *Scenario) warmRound(em sim.Embedding) (placement.LayerLookups, error) {
	ratios, err := slots.HitRatios(em.Trace, em.Slots, []int{em.Slots.Slots}, s.Slots.Lookahead)
	if err != nil {
		return placement.LayerLookups{}, err
	}
	n := float64(s.Rounds - s.Rounds/4)
	w := ratios[0].Warm
	return placement.LayerLookups{
		Slots: em.Slots.Slots, Unique: float64(w.Unique) / n, Misses: float64(w.Misses) / n, WriteBacks: float64(w.WriteBacks) / n,
	}, nil
}

// curves replays each layer that the target scheme puts behind a slot table at
// several capacities.
func (s *Scenario) curves(ctx context.Context, job sim.Job) ([]sim.Curve, error) {
	var out []sim.Curve
	for _, em := range job.Embeddings {
		if !sim.Accelerated(s.Problem.Cluster, job.Plan, em.Layer) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return out, err
		}
		sizes := curveSizes(em, s.Slots.Lookahead)
		ratios, err := slots.HitRatios(em.Trace, em.Slots, sizes, s.Slots.Lookahead)
		if err != nil {
			return out, fmt.Errorf("%s: hit ratio curve of layer %q: %w", s.Name, s.Model.Layers[em.Layer].Name, err)
		}
		c := sim.Curve{
			Layer: s.Model.Layers[em.Layer].Name, Policy: em.Slots.Policy, RowBytes: em.RowBytes,
			Rows: s.Model.Layers[em.Layer].Rows(), Slots: em.Slots.Slots,
		}
		for _, r := range ratios {
			c.Points = append(c.Points, sim.CurvePoint{Slots: r.Slots, HitRatio: r.Total.UniqueHitRatio(), Warm: r.Warm.UniqueHitRatio()})
		}
		out = append(out, c)
	}
	return out, nil
}

// curvePoints is how many sizes a hit ratio curve has, beside the scenario's own.
const curvePoints = 9

// curveSizes spreads capacities evenly on a log scale from the least that can
// hold the rounds in flight to all rows that the trace touches.
func curveSizes(em sim.Embedding, lookahead int) []int {
	lo := slots.MinSlots(em.Trace, lookahead)
	hi := max(lo, slots.MinSlots(em.Trace, em.Trace.Rounds()))
	sizes := []int{em.Slots.Slots}
	for i := range curvePoints {
		f := float64(i) / (curvePoints - 1)
		sizes = append(sizes, int(math.Round(float64(lo)*math.Pow(float64(hi)/float64(lo), f))))
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

// IsInfeasible reports whether err says that no scheme fits.
func IsInfeasible(err error) bool {
	var e *Infeasible
	return errors.As(err, &e)
}

// SetSeed replaces the scenario's seed.
func (s *Scenario) SetSeed(seed int64) { s.Seed, s.Search.Seed = seed, seed }

// SetPlacement replaces the scenario's placement policy.
func (s *Scenario) SetPlacement(name string) error {
	p, ok := placement.LookupPolicy(name)
	if !ok {
		return fmt.Errorf("unknown placement policy %q%s: one of %q", name, didYouMean(name, placement.PolicyNames()), placement.PolicyNames())
	}
	if name == "fixed" && s.Search.Scheme == nil {
		return fmt.Errorf("policy fixed needs placement.scheme in the scenario %s", s.Name)
	}
	s.Policy = p
	return nil
}

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
	"stowage/sim/rounds"
	"stowage/sim/slots"
	"stowage/workloads"
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
// together with an error that wraps ctx's. When it ends during the search, the best
// scheme that was found is run nevertheless, without hit ratio curves and sweep, and
// its result comes with a SearchInterrupted.
func (s *Scenario) Run(ctx context.Context, version string) (*sim.Result, error) {
	set, err := s.prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	outcome, cut := s.search(ctx, set.problem, version)
	if outcome == nil {
		return nil, fmt.Errorf("%s: %w", s.Name, cut)
	}
	if cut != nil {
		outcome.Finalists = nil
		ctx = context.WithoutCancel(ctx)
	}
	if !outcome.Fitness.Feasible && cut != nil {
		return nil, cut
	}
	if !outcome.Fitness.Feasible {
		return nil, &Infeasible{s.Name, s.Policy.Name, outcome.Evaluations, outcome.Plan.Reason}
	}
	chosen, err := s.decide(ctx, set, outcome, func(ctx context.Context, plan *placement.Plan) (*sim.Run, error) {
		job := s.job(set, plan)
		job.Record = max(s.Recording, sim.RecordStep)
		return set.train(ctx, job)
	})
	if chosen.run == nil {
		return nil, fmt.Errorf("%s: %w", s.Name, err)
	}
	job := s.job(set, chosen.plan)
	r := s.summarize(set, job, chosen, outcome, version)
	if err != nil {
		return r, fmt.Errorf("%s: stopped after %d of %d rounds: %w", s.Name, len(chosen.run.Rounds), s.Rounds, err)
	}
	if cut != nil {
		r.Warnings = append(r.Warnings, fmt.Sprintf("the search was stopped after %d evaluations: the best scheme that it had found was run", outcome.Evaluations))
		return r, cut
	}
	if r.Jobs, err = set.shared(ctx, job, chosen.run); err != nil {
		return r, err
	}
	if len(r.Jobs) > 0 {
		r.Metrics.Set("slowdown", r.Jobs[0].Slowdown)
	}
	if r.Curves, err = s.curves(ctx, job); err != nil {
		return r, err
	}
	if r.Sweep, err = s.sweep(ctx, set, job); err != nil {
		return r, err
	}
	r.WhatIf, err = s.whatIf(ctx, set)
	return r, err
}

// prepared is an experiment up to the search: immutable, so that searches and
// simulations of one experiment may share it.
type prepared struct {
	spec       placement.Spec // with what the slot tables take
	problem    *placement.Problem
	embeddings []sim.Embedding
	stores     []rounds.Tier
	besides    []sim.Job // other jobs
}

// prepare draws the lookups, plans the other jobs and states the placement problem, that
// of this one with the devices that they leave.
func (s *Scenario) prepare(ctx context.Context) (*prepared, error) {
	set, err := s.drawn(ctx)
	if err != nil {
		return nil, err
	}
	if set.besides, err = s.besides(ctx, set); err != nil {
		return nil, err
	}
	return set, set.state(reservations(set.besides, 0))
}

// state states the placement problem, with what other jobs leave.
func (set *prepared) state(taken []placement.Reservation) (err error) {
	set.spec.Reserved = taken
	set.problem, err = placement.NewProblem(set.spec)
	return err
}

// drawn draws the lookups, without which there is no placement problem.
func (s *Scenario) drawn(ctx context.Context) (*prepared, error) {
	set := &prepared{spec: s.Problem}
	var err error
	if set.stores, err = s.stores(&set.spec); err != nil {
		return nil, err
	}
	set.embeddings, err = s.embed(ctx, &set.spec)
	return set, err
}

// job is the training run of a plan.
func (s *Scenario) job(set *prepared, plan *placement.Plan) sim.Job {
	job := sim.Job{
		Name:    s.Name,
		Problem: set.problem, Plan: plan, Rounds: s.Rounds,
		Embeddings: set.embeddings, Stores: set.stores, MaxEvents: s.MaxEvents,
	}
	if s.Slots != nil {
		job.Feed = s.feed()
	}
	job.Trouble = s.trouble(set.problem, plan)
	return job
}

// summarize makes the result of a run, without curves and sweep.
func (s *Scenario) summarize(set *prepared, job sim.Job, chosen target, outcome *placement.Outcome, version string) *sim.Result {
	r := sim.Summarize(job, chosen.run, outcome, s.Policy, s.Search.Fidelity)
	r.Levels = chosen.levels
	if r.Search.Target != nil { // of the finalists another one may be the target
		r.Search.Target = &sim.FrontPoint{Throughput: chosen.fitness.Throughput, Cost: chosen.fitness.Cost}
	}
	r.Resolved = s.Resolved()
	r.Warnings = append(set.problem.Notes(job.Plan), missed(&set.spec, r)...)
	r.Warnings = append(r.Warnings, s.refusals(&set.spec)...)
	r.Warnings = append(r.Warnings, chosen.run.Notes...)
	r.Scenario, r.Title, r.Seed, r.Version = s.Name, s.Title, s.Seed, version
	if slices.ContainsFunc(set.embeddings, func(em sim.Embedding) bool { return sim.Accelerated(s.Problem.Cluster, job.Plan, em.Layer) }) {
		r.Replacement = s.Slots.Replacement
	}
	return r
}

func lookupsPerSample(layer *workloads.Layer) int {
	n := 0
	for _, t := range layer.Tables {
		n += t.Lookups
	}
	return n
}

func rowBytes(ems []sim.Embedding) []unit.Bytes {
	b := make([]unit.Bytes, len(ems))
	for i := range ems {
		b[i] = ems[i].RowBytes
	}
	return b
}

// missed says which floor or cap the simulated run misses although the search,
// at its lower fidelity, took the scheme to keep it.
func missed(spec *placement.Spec, r *sim.Result) []string {
	var notes []string
	if x, ok := r.Metrics.Get("throughput"); ok && x.Value < spec.MinThroughput*(1-1e-9) {
		notes = append(notes, fmt.Sprintf("the simulated throughput, %.6g samples/s, misses min_throughput = %.6g, which the %s fitness took to be kept", x.Value, spec.MinThroughput, r.Scheme.Fitness))
	}
	if c, ok := r.Metrics.Get("cost"); ok && spec.MaxCost > 0 && c.Value > spec.MaxCost*(1+1e-9) {
		notes = append(notes, fmt.Sprintf("the simulated cost, %.6g USD per million samples, is above max_cost = %.6g, which the %s fitness took to be kept", c.Value, spec.MaxCost, r.Scheme.Fitness))
	}
	return notes
}

// refusals says which layers no accelerator could serve, and why.
func (s *Scenario) refusals(spec *placement.Spec) (notes []string) {
	for l := range spec.Lookups {
		if why := spec.Lookups[l].Refused; why != "" {
			notes = append(notes, fmt.Sprintf("layer %q was kept off accelerators: %s", s.Model.Layers[l].Name, why))
		}
	}
	return notes
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
			return out, fmt.Errorf("%s: stopped before the hit ratio curve of layer %q: %w", s.Name, s.Model.Layers[em.Layer].Name, err)
		}
		c, err := s.curve(ctx, em)
		if err != nil {
			return out, fmt.Errorf("%s: hit ratio curve of layer %q: %w", s.Name, s.Model.Layers[em.Layer].Name, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// curve replays a layer at several capacities by the scenario's rules. Those at which
// a round does not fit have no point.
func (s *Scenario) curve(ctx context.Context, em sim.Embedding) (sim.Curve, error) {
	c := sim.Curve{
		Layer: s.Model.Layers[em.Layer].Name, Policy: em.Slots.Policy, RowBytes: em.RowBytes,
		Rows: s.Model.Layers[em.Layer].Rows(), Slots: em.Slots.Slots,
	}
	sizes := curveSizes(em, s.Slots.Lookahead)
	points := make([]*sim.CurvePoint, len(sizes))
	err := parallel(len(sizes), func(i int) (err error) {
		if err := ctx.Err(); err != nil {
			return err
		}
		points[i], err = s.curvePoint(em, sizes[i])
		return err
	})
	for _, p := range points {
		if p != nil {
			c.Points = append(c.Points, *p)
		}
	}
	return c, err
}

// curvePoint is one point of a curve; nil: a round does not fit.
func (s *Scenario) curvePoint(em sim.Embedding, size int) (*sim.CurvePoint, error) {
	if size < em.Slots.Ways {
		return nil, nil
	}
	em.Slots.Slots = size
	work, err := s.replay(&em, 1)
	var short *slots.ShortageError
	if errors.As(err, &short) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all, warm slots.Counts
	cold := s.coldRounds()
	for r, w := range work {
		all = all.Add(w.Counts)
		if r >= cold {
			warm = warm.Add(w.Counts)
		}
	}
	return &sim.CurvePoint{Slots: size, HitRatio: all.UniqueHitRatio(), Warm: warm.UniqueHitRatio()}, nil
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
		return fmt.Errorf("unknown placement policy %q%s", name, accepted(name, placement.PolicyNames()))
	}
	if name == "fixed" && s.Search.Scheme == nil {
		return fmt.Errorf("policy fixed needs placement.scheme in the scenario %s", s.Name)
	}
	s.Policy = p
	return nil
}

// SetReplacement replaces the replacement policy of the scenario's slot tables.
func (s *Scenario) SetReplacement(name string) error {
	if s.Slots == nil {
		return fmt.Errorf("the scenario %s has no section slots", s.Name)
	}
	known := replacementNames()
	if !slices.Contains(known, name) {
		return fmt.Errorf("unknown replacement policy %q%s", name, accepted(name, known))
	}
	changed := *s.Slots
	changed.Replacement = name
	s.Slots = &changed
	return nil
}

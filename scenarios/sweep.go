package scenarios

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"stowage/hw/spec"
	"stowage/sim"
	"stowage/sim/placement"
	"stowage/sim/slots"
)

// MaxSweep bounds the points of a sweep.
const MaxSweep = 1024

// Sweep asks what the target scheme would do with other slot tables, and with an
// embedding layer on other pools.
type Sweep struct {
	Layer        int
	Capacities   []Amount
	Replacements []string
	Pools        []int
}

// sweep reads the section of that name.
func (b *builder) sweep() {
	f := b.f.Sweep
	if f == nil || b.sc.Model == nil || b.sc.Cluster == nil {
		return
	}
	at := func(keys ...any) spec.Path { return append(spec.Path{"sweep"}, keys...) }
	if b.sc.Slots == nil {
		b.fail(at(), "it varies slot tables, and the scenario has no section slots")
		return
	}
	sw := &Sweep{Capacities: f.Capacity, Replacements: f.Replacement, Layer: b.sweptLayer(f.Layer)}
	if len(f.Capacity) == 0 {
		b.missing(at("capacity"), `the capacities to try, e.g. ["0.5 %", "1 %", "2 %"]`)
	}
	if len(sw.Replacements) == 0 {
		sw.Replacements = []string{b.sc.Slots.Replacement}
	}
	for i, r := range f.Replacement {
		b.oneOf(at("replacement", i), r, replacementNames())
	}
	sw.Pools = b.sweptPools(f.Pools)
	if n := len(sw.Capacities) * len(sw.Replacements) * len(sw.Pools); n > MaxSweep {
		b.fail(at("capacity"), "%d points of a sweep: at most MaxSweep = %d", n, MaxSweep)
	}
	b.sc.Sweep = sw
}

// sweptLayer finds the layer that moves.
func (b *builder) sweptLayer(name string) int {
	layers := sparseLayers(b.sc.Model)
	if name == "" {
		return slices.MaxFunc(layers, func(x, y int) int {
			return int(min(1, max(-1, b.sc.Model.Layers[x].Rows()-b.sc.Model.Layers[y].Rows())))
		})
	}
	var known []string
	for _, l := range layers {
		if known = append(known, b.sc.Model.Layers[l].Name); b.sc.Model.Layers[l].Name == name {
			return l
		}
	}
	b.oneOf(spec.Path{"sweep", "layer"}, name, known)
	return 0
}

func (b *builder) sweptPools(names []string) (pools []int) {
	var known []string
	for i := range b.sc.Cluster.Pools {
		known = append(known, b.sc.Cluster.Pools[i].Name)
		if len(names) == 0 {
			pools = append(pools, i)
		}
	}
	for i, name := range names {
		if b.oneOf(spec.Path{"sweep", "pools", i}, name, known) {
			pools = append(pools, slices.Index(known, name))
		}
	}
	return pools
}

// sweepRun is one point to be computed.
type sweepRun struct {
	pool        int
	replacement string
	capacity    Amount // zero: the layer is on a CPU
}

// sweep runs the best scheme with the swept layer on each pool, and on accelerators
// with each slot table; the scenario's placement policy finds it. Points run in parallel; what they give does not depend on how
// many at a time.
func (s *Scenario) sweep(ctx context.Context, set *prepared, job sim.Job) (*sim.Sweep, error) {
	if s.Sweep == nil {
		return nil, nil
	}
	layer := &s.Model.Layers[s.Sweep.Layer]
	row := s.Problem.RowBytes(layer)
	out := &sim.Sweep{Layer: layer.Name, RowBytes: row, Rows: layer.Rows()}
	for i := range s.Cluster.Pools {
		if d := s.Cluster.Pools[i].Device; d.Kind.Accelerator() && !slices.ContainsFunc(out.Devices, func(o sim.SweepDevice) bool { return o.Device == d.Name }) {
			out.Devices = append(out.Devices, sim.SweepDevice{Device: d.Name, Slots: int64(d.Memory.Capacity / row)})
		}
	}
	runs := s.sweepRuns()
	out.Points = make([]sim.SweepPoint, len(runs))
	err := parallel(len(runs), func(i int) (err error) {
		out.Points[i], err = s.sweepPoint(ctx, set, job, runs[i])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: sweep: %w", s.Name, err)
	}
	return out, nil
}

func (s *Scenario) sweepRuns() (runs []sweepRun) {
	for _, pool := range s.Sweep.Pools {
		if !s.Cluster.Pools[pool].Device.Kind.Accelerator() {
			runs = append(runs, sweepRun{pool: pool})
			continue
		}
		for _, r := range s.Sweep.Replacements {
			for _, c := range s.Sweep.Capacities {
				runs = append(runs, sweepRun{pool, r, c})
			}
		}
	}
	return runs
}

// sweepPoint searches and simulates the best scheme with the layer on a pool.
func (s *Scenario) sweepPoint(ctx context.Context, set *prepared, job sim.Job, at sweepRun) (sim.SweepPoint, error) {
	pool := &s.Cluster.Pools[at.pool]
	pt := sim.SweepPoint{Pool: pool.Name, Device: pool.Device.Name, Kind: string(pool.Device.Kind), Replacement: at.replacement}
	if err := ctx.Err(); err != nil {
		return pt, err
	}
	var err error
	if job, err = s.swept(ctx, job, at); err != nil {
		return pt, err
	}
	if at.replacement != "" {
		pt.Slots = job.Embeddings[s.sweptEmbedding()].Slots.Slots
	}
	if why := job.Problem.Lookups[s.Sweep.Layer].Refused; why != "" && at.replacement != "" {
		pt.Infeasible = why
		return pt, nil
	}
	if !job.Plan.Fitness.Feasible {
		pt.Infeasible = job.Plan.Reason
		return pt, nil
	}
	run, err := set.train(ctx, job)
	var short *slots.ShortageError
	if errors.As(err, &short) {
		pt.Infeasible = err.Error()
		return pt, nil
	}
	if err != nil {
		return pt, err
	}
	s.measure(&pt, job, run)
	return pt, nil
}

// sweptEmbedding is the place of the swept layer among the embedding layers.
func (s *Scenario) sweptEmbedding() int { return slices.Index(sparseLayers(s.Model), s.Sweep.Layer) }

// swept returns the job with other slot tables, the swept layer on another pool.
func (s *Scenario) swept(ctx context.Context, job sim.Job, at sweepRun) (sim.Job, error) {
	other := *s
	changed := *s.Slots
	other.Slots = &changed
	if at.replacement != "" {
		changed.Replacement, changed.Capacity = at.replacement, at.capacity
	}
	spec := job.Problem.Spec
	spec.Only = make([]int, len(s.Model.Layers))
	spec.Only[s.Sweep.Layer] = 1 + at.pool
	drawn := make([]recorded, len(job.Embeddings))
	for i := range job.Embeddings {
		drawn[i] = recorded{job.Embeddings[i].Trace, job.Embeddings[i].Profile}
	}
	var err error
	if job.Embeddings, err = other.reckon(ctx, &spec, drawn); err != nil {
		return job, err
	}
	if job.Problem, err = placement.NewProblem(spec); err != nil {
		return job, err
	}
	search := s.Search
	search.Keep = 0 // the search decides
	if search.Scheme != nil && int(search.Scheme[s.Sweep.Layer]) != at.pool {
		search.Scheme = slices.Clone(search.Scheme)
		search.Scheme[s.Sweep.Layer] = uint8(at.pool)
		search.Devices = nil
	}
	outcome, err := s.Policy.Search(ctx, job.Problem, search)
	if err != nil {
		return job, fmt.Errorf("placement %s: %w", s.Policy.Name, err)
	}
	job.Plan = outcome.Plan
	return job, nil
}

// measure fills in what a run shows, warm.
func (s *Scenario) measure(pt *sim.SweepPoint, job sim.Job, run *sim.Run) {
	n := len(run.Rounds)
	from := sim.WarmFrom(n, job.Feed.Pass)
	start := run.Rounds[from].Start
	if span := run.End - start; span > 0 {
		pt.Throughput = float64(n-from) * float64(s.Problem.Batch) / span.Seconds()
	}
	if pt.Replacement == "" {
		return
	}
	if c := run.WarmCounts(s.coldRounds()); c.Unique > 0 {
		pt.HitRatio, pt.LookupHits = c.UniqueHitRatio(), c.HitRatio()
	}
}

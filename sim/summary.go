package sim

import (
	"time"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/placement"
	"stowage/sim/rounds"
)

// Summarize makes a result of a run: metrics and stages. Scenario, seed and
// version are the caller's to fill in.
func Summarize(job Job, run *Run, outcome *placement.Outcome, policy placement.Policy, fidelity placement.Fidelity) *Result {
	p, pl := job.Problem, job.Plan
	r := &Result{Rounds: run.Rounds, Scheme: schemeOf(p, pl), Timeline: run.Timeline, Links: run.Links}
	r.Incidents, r.Lost, r.LostRounds = run.Incidents, run.Lost, run.LostRounds
	r.Scheme.Placement, r.Scheme.Fitness = policy.Name, string(fidelity)
	r.Search = &Search{Evaluations: outcome.Evaluations, Repeats: outcome.Repeats, Certificate: outcome.Certificate, Stopped: outcome.Stopped}
	for _, g := range outcome.History {
		r.Search.History = append(r.Search.History, Generation(g))
	}
	r.Search.front(outcome)
	for _, c := range rounds.Causes() {
		if d := run.Stalls[c]; d > 0 {
			r.Stalls = append(r.Stalls, Stall{c.String(), d, float64(d) / float64(run.Stalls.Total())})
		}
	}
	if run.Counts.Lookups > 0 {
		stats := run.Counts.CacheStats(len(run.Rounds))
		r.CacheStats = &stats
	}
	idle, stall := stageShares(r, run)
	r.Metrics = metricsOf(job, run, outcome, r, idle, stall)
	return r
}

// front keeps the trade of throughput and cost that a search saw.
func (s *Search) front(outcome *placement.Outcome) {
	seen := outcome.Pareto
	if len(seen) == 0 || seen[len(seen)-1].Fitness.Cost == 0 {
		return
	}
	for _, p := range seen {
		s.Front = append(s.Front, FrontPoint{Throughput: p.Fitness.Throughput, Cost: p.Fitness.Cost})
	}
	s.Target = &FrontPoint{Throughput: outcome.Fitness.Throughput, Cost: outcome.Fitness.Cost}
}

func schemeOf(p *placement.Problem, pl *placement.Plan) Scheme {
	s := Scheme{Objective: string(p.Objective), Merge: string(p.Merge), Schedule: p.Schedule.Name}
	for l, t := range pl.Scheme {
		pool := &p.Cluster.Pools[t]
		s.LayerNames = append(s.LayerNames, p.Model.Layers[l].Name)
		s.Layers = append(s.Layers, pool.Device.Name)
		s.Pools = append(s.Pools, pool.Name)
	}
	for i := range pl.Stages {
		st := &pl.Stages[i]
		pool := &p.Cluster.Pools[st.Pool]
		m := st.Memory
		s.Stages = append(s.Stages, Stage{
			Device: pool.Device.Name, Kind: string(pool.Device.Kind), Pool: pool.Name,
			First: st.First, Last: st.Last, Layers: st.Layers, Devices: st.Devices,
			Memory: Memory{
				Weights: m.Weights, Gradients: m.Gradients, Optimizer: m.Optimizer, Activations: m.Activations,
				Slots: m.Tables, Total: m.Total(), Capacity: m.Capacity,
			},
		})
		s.Stages[i].Samples = st.Samples
		if st.Tensor > 1 {
			s.Stages[i].TensorParallel = st.Tensor
		}
	}
	if pl.Servers > 0 {
		pool := &p.Cluster.Pools[p.Servers-1]
		s.Servers = &Servers{Device: pool.Device.Name, Pool: pool.Name, Devices: pl.Servers}
	}
	if pipe, _, err := p.Pipeline(pl); err == nil {
		for _, seg := range pipe.Segments {
			s.Stages[seg.Stage].Forward += seg.Forward
			s.Stages[seg.Stage].Backward += seg.Backward
		}
	}
	return s
}

// stageShares fills in how each stage spent the run and returns the shares of
// device time that were idle and stalled.
func stageShares(r *Result, run *Run) (idle, stall float64) {
	devices := 0.0
	for i := range r.Scheme.Stages {
		st := &r.Scheme.Stages[i]
		u := run.Usage[i]
		lost := u.Held + run.Down
		if total := max(run.Elapsed, u.Busy+u.Sync+u.Stall+lost); total > 0 {
			of := func(d time.Duration) float64 { return float64(d) / float64(total) }
			st.Busy, st.Sync, st.Stall = of(u.Busy), of(u.Sync), of(u.Stall)
			st.Lost = of(lost)
			st.Idle = of(total - u.Busy - u.Sync - u.Stall - lost)
		}
		n := float64(st.Devices)
		devices += n
		idle += n * st.Idle
		stall += n * st.Stall
	}
	return idle / devices, stall / devices
}

func metricsOf(job Job, run *Run, outcome *placement.Outcome, r *Result, idle, stall float64) Metrics {
	p, pl := job.Problem, job.Plan
	values := map[string]float64{
		"price": pl.Fitness.Price, "peak_memory": peakMemory(pl),
		"fitness": outcome.Fitness.Value, "evaluations": float64(outcome.Evaluations),
		"closed_form_throughput": pl.Fitness.Throughput,
	}
	if outcome.Bound > 0 && outcome.Fitness.Feasible {
		values["bound"], values["gap"] = outcome.Bound, outcome.Gap
	}
	if run.Elapsed > 0 {
		values["bubble_ratio"] = idle
	}
	if n := len(run.Rounds); n > 0 && run.End > 0 {
		x := float64(n) * float64(p.Batch) / run.End.Seconds()
		values["throughput"] = x * float64(n+run.Redone) / float64(n)
		if job.Trouble.recovers() {
			values["goodput"], values["goodput_ratio"] = x, run.goodputRatio()
		}
		if job.Trouble.shrinks() {
			values["shrunk_ratio"] = share(run.Shrunk, run.Elapsed)
		}
		values["step_time"] = run.End.Seconds() / float64(n)
		values["cost"] = pl.Fitness.Price / 3600 / x * 1e6
		if p.Samples > 0 {
			values["run_hours"] = p.Samples / x / 3600
			values["run_cost"] = pl.Fitness.Price * p.Samples / x / 3600
		}
		if from := WarmFrom(n, job.Feed.Pass); n >= 4 && from > 0 {
			// Without a flush the last rounds have no passes of later ones between theirs.
			if to := n - p.Schedule.Staleness; to > from {
				span := run.Rounds[to-1].End - run.Rounds[from-1].End
				values["warm_throughput"] = float64(to-from) * float64(p.Batch) / span.Seconds()
			}
		}
	}
	if f, err := p.RecurrenceOf(pl); err == nil && f.Throughput > 0 {
		values["recurrence_throughput"] = f.Throughput
	}
	if run.Counts.Lookups > 0 {
		values["hit_ratio"] = run.Counts.UniqueHitRatio()
		values["lookup_hit_ratio"] = run.Counts.HitRatio()
		values["stall_ratio"] = stall
		values["peak_slots"] = float64(run.PeakUsed)
		if run.Counts.Bypasses > 0 {
			values["bypass_ratio"] = float64(run.Counts.Bypasses) / float64(run.Counts.Unique)
		}
		if run.Splits > 0 {
			values["splits"] = float64(run.Splits)
		}
		if run.Waits > 0 {
			values["slot_waits"] = float64(run.Waits)
		}
	}
	var ms Metrics
	for _, k := range MetricKinds {
		v, ok := values[k.Name]
		if !ok {
			continue
		}
		if k.Unit == "" {
			k.Unit = fitnessUnit(p.Objective)
		}
		ms = append(ms, Metric{k.Name, v, k.Unit})
	}
	return ms
}

// WarmFrom is the round from which on figures of a run of n rounds are warm: its last
// quarter, from the first round of a pass on.
func WarmFrom(n, pass int) int {
	from := n - max(1, n/4)
	return from / max(1, pass) * max(1, pass)
}

func fitnessUnit(o placement.Objective) string {
	switch o {
	case placement.Cost:
		return "Msamples/USD"
	case placement.Time:
		return "steps/s"
	}
	return "samples/s"
}

func peakMemory(pl *placement.Plan) float64 {
	var peak unit.Bytes
	for i := range pl.Stages {
		peak = max(peak, pl.Stages[i].Memory.Total())
	}
	return float64(peak)
}

// Accelerated reports whether a layer of the plan is on a device with a memory of its own.
func Accelerated(c *hw.Cluster, pl *placement.Plan, layer int) bool {
	return c.Pools[pl.Scheme[layer]].Device.Kind.Accelerator()
}

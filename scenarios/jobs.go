package scenarios

import (
	"context"
	"fmt"
	"slices"

	"stowage/sim"
	"stowage/sim/placement"
)

// settled reports whether a job's devices are known before anything is searched.
func (s *Scenario) settled() bool { return s.Policy.Name == "fixed" && s.Search.Devices != nil }

// besides plans the other jobs of a scenario, each by its own policy with the devices
// that are left when it comes to it. Settled jobs come first; the others, in the order of
// the file, leave room for all of them, this scenario among them if it is settled. It is
// planned last, with what all leave. The jobs are in the order of the file.
func (s *Scenario) besides(ctx context.Context, set *prepared) ([]sim.Job, error) {
	jobs := make([]sim.Job, len(s.Jobs))
	var own []placement.Reservation
	plan := func(settled bool) error {
		for i, other := range s.Jobs {
			if other.settled() != settled {
				continue
			}
			job, err := other.beside(ctx, append(own[:len(own):len(own)], reservations(jobs, i)...))
			if err != nil {
				return err
			}
			jobs[i] = *job
		}
		return nil
	}
	if err := plan(true); err != nil || !s.searchesBeside() {
		return jobs, err
	}
	if s.settled() {
		var err error
		if own, err = s.fixedDevices(ctx, set.spec, reservations(jobs, 0)); err != nil {
			return nil, err
		}
	}
	return jobs, plan(false)
}

// searchesBeside reports whether another job is not settled.
func (s *Scenario) searchesBeside() bool {
	return slices.ContainsFunc(s.Jobs, func(other *Scenario) bool { return !other.settled() })
}

// beside is the best scheme that a job's search finds with what others leave.
func (s *Scenario) beside(ctx context.Context, taken []placement.Reservation) (*sim.Job, error) {
	set, err := s.drawn(ctx)
	if err == nil {
		err = set.state(taken)
	}
	if err != nil {
		return nil, fmt.Errorf("job %q: %w", s.Name, err)
	}
	outcome, err := s.Policy.Search(ctx, set.problem, s.Search)
	if err != nil {
		return nil, fmt.Errorf("job %q: placement %s: %w", s.Name, s.Policy.Name, err)
	}
	if !outcome.Fitness.Feasible {
		return nil, &Infeasible{s.Name, s.Policy.Name, outcome.Evaluations, outcome.Plan.Reason}
	}
	job := s.job(set, outcome.Plan)
	return &job, nil
}

// fixedDevices are the devices of a settled scenario; none, if its scheme does not fit
// beside the other settled ones, which its own search will say.
func (s *Scenario) fixedDevices(ctx context.Context, spec placement.Spec, taken []placement.Reservation) ([]placement.Reservation, error) {
	spec.Reserved = taken
	problem, err := placement.NewProblem(spec)
	if err != nil {
		return nil, err
	}
	outcome, err := s.Policy.Search(ctx, problem, s.Search)
	if err != nil {
		return nil, fmt.Errorf("placement %s: %w", s.Policy.Name, err)
	}
	if !outcome.Fitness.Feasible {
		return nil, nil
	}
	job := sim.Job{Problem: problem, Plan: outcome.Plan}
	return []placement.Reservation{{Job: s.Name, Devices: job.Devices(), Of: problem, Plan: job.Plan, Front: true}}, nil
}

// reservations are what the jobs have that are planned. The first ones, so many, are in
// front of the one that is to be.
func reservations(jobs []sim.Job, front int) (taken []placement.Reservation) {
	for i := range jobs {
		if job := &jobs[i]; job.Plan != nil {
			taken = append(taken, placement.Reservation{Job: job.Name, Devices: job.Devices(), Of: job.Problem, Plan: job.Plan, Front: i < front})
		}
	}
	return taken
}

// train simulates a job beside the others. Its run has theirs.
func (set *prepared) train(ctx context.Context, job sim.Job) (*sim.Run, error) {
	if len(set.besides) == 0 {
		return sim.Train(ctx, job)
	}
	runs, err := sim.TrainTogether(ctx, seated(job, set.besides))
	if runs == nil {
		return nil, err
	}
	runs[0].Beside = runs[1:]
	return runs[0], err
}

// seated gives jobs their devices, one job after the other. They were planned with what
// the others leave.
func seated(job sim.Job, others []sim.Job) []sim.Job {
	jobs := append([]sim.Job{job}, others...)
	pools := job.Problem.Cluster.Pools
	taken := make([]int, len(pools))
	for i := range jobs {
		jobs[i].Taken = append([]int(nil), taken...)
		for p, n := range jobs[i].Devices() {
			if taken[p] += n; taken[p] > pools[p].Count {
				panic(fmt.Sprintf("scenarios: jobs up to %q have %d of the %d devices of pool %q", jobs[i].Name, taken[p], pools[p].Count, pools[p].Name))
			}
		}
	}
	return jobs
}

// shared says what every job of a run lost by sharing the network: each is simulated
// again, alone in its place, on the same weak links.
func (set *prepared) shared(ctx context.Context, job sim.Job, run *sim.Run) ([]sim.SharedJob, error) {
	if len(run.Beside) == 0 {
		return nil, nil
	}
	jobs := seated(job, set.besides)
	runs := append([]*sim.Run{run}, run.Beside...)
	out := make([]sim.SharedJob, len(jobs))
	err := parallel(len(jobs), func(i int) error {
		one := jobs[i]
		one.Record = sim.RecordNothing
		one.Trouble = onSameLinks(one.Trouble, job.Trouble)
		alone, err := sim.Train(ctx, one)
		if err != nil {
			return fmt.Errorf("job %q alone: %w", one.Name, err)
		}
		out[i] = sim.Shared(&one, runs[i], alone)
		return nil
	})
	return out, err
}

// onSameLinks is the trouble of a job on links that are weak by another's.
func onSameLinks(own, other *sim.Trouble) *sim.Trouble {
	if other == nil || len(other.Links) == 0 {
		return own
	}
	var t sim.Trouble
	if own != nil {
		t = *own
	}
	t.Links = other.Links
	return &t
}

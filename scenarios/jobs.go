package scenarios

import (
	"context"
	"fmt"
	"strings"

	"stowage/sim"
)

// Overcommitted says that the schemes of jobs take more devices than there are. Like
// Infeasible it is a result, not a fault.
type Overcommitted struct{ Reason string }

func (e *Overcommitted) Error() string {
	return fmt.Sprintf("the jobs ask for more than there is: %s; fix the devices of their schemes, or cap their price", e.Reason)
}

// besides are the other jobs of a scenario, each by the best scheme that its search found.
func (s *Scenario) besides(ctx context.Context) (jobs []sim.Job, err error) {
	for _, other := range s.Jobs {
		set, err := other.prepare(ctx)
		if err != nil {
			return nil, fmt.Errorf("job %q: %w", other.Name, err)
		}
		outcome, err := other.Policy.Search(ctx, set.problem, other.Search)
		if err != nil {
			return nil, fmt.Errorf("job %q: placement %s: %w", other.Name, other.Policy.Name, err)
		}
		if !outcome.Fitness.Feasible {
			return nil, &Infeasible{other.Name, other.Policy.Name, outcome.Evaluations, outcome.Plan.Reason}
		}
		job := other.job(set, outcome.Plan)
		job.Name = other.Name
		jobs = append(jobs, job)
	}
	return jobs, nil
}

// train simulates a job beside the others. Its run has theirs.
func (set *prepared) train(ctx context.Context, job sim.Job) (*sim.Run, error) {
	if len(set.besides) == 0 {
		return sim.Train(ctx, job)
	}
	jobs, err := seated(job, set.besides)
	if err != nil {
		return nil, err
	}
	runs, err := sim.TrainTogether(ctx, jobs)
	if runs == nil {
		return nil, err
	}
	runs[0].Beside = runs[1:]
	return runs[0], err
}

// seated gives jobs their devices, one job after the other.
func seated(job sim.Job, others []sim.Job) ([]sim.Job, error) {
	jobs := append([]sim.Job{job}, others...)
	pools := job.Problem.Cluster.Pools
	taken := make([]int, len(pools))
	for i := range jobs {
		jobs[i].Taken = append([]int(nil), taken...)
		for p, n := range jobs[i].Devices() {
			taken[p] += n
		}
	}
	for p := range pools {
		if taken[p] > pools[p].Count {
			var who []string
			for i := range jobs {
				who = append(who, fmt.Sprintf("%s takes %d", jobs[i].Name, jobs[i].Devices()[p]))
			}
			return nil, &Overcommitted{fmt.Sprintf("pool %q has %s, %s", pools[p].Name, plural(pools[p].Count, "device"), strings.Join(who, ", "))}
		}
	}
	return jobs, nil
}

// shared says what every job of a run lost by sharing the network: each is simulated
// again, alone in its place, on the same weak links.
func (set *prepared) shared(ctx context.Context, job sim.Job, run *sim.Run) ([]sim.SharedJob, error) {
	if len(run.Beside) == 0 {
		return nil, nil
	}
	jobs, err := seated(job, set.besides)
	if err != nil {
		return nil, err
	}
	runs := append([]*sim.Run{run}, run.Beside...)
	out := make([]sim.SharedJob, len(jobs))
	err = parallel(len(jobs), func(i int) error {
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

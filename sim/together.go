package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stowage/hw"
	"stowage/sim/engine"
	"stowage/sim/network"
)

// TrainTogether simulates jobs on one cluster in one run of the engine, all from time 0
// on, until the last one is over. They have the same cluster, with a network, whose links
// they share; Job.Taken says where the devices of each begin. The runs are in the order of
// jobs, and errors those of Train.
func TrainTogether(ctx context.Context, jobs []Job) ([]*Run, error) {
	f, err := newFabric(&jobs[0])
	if err != nil {
		return nil, err
	}
	all := make([]*training, len(jobs))
	left := len(jobs)
	over := func() {
		if left--; left == 0 {
			for _, t := range all {
				t.allOver()
			}
		}
	}
	for i := range jobs {
		if all[i], err = newTraining(f, jobs[i]); err != nil {
			return nil, named(jobs, i, err)
		}
		all[i].over = over
	}
	err = f.e.Run(ctx)
	for i, t := range all {
		if failure := t.failed(); failure != nil {
			return nil, named(jobs, i, failure)
		}
	}
	if broken := f.net.Check(); broken != nil {
		return nil, broken
	}
	var limit *engine.LimitError
	if errors.As(err, &limit) {
		err = fmt.Errorf("limits.events = %d did not suffice: raise it, or take fewer rounds or micro-batches: %w", limit.Value, err)
	}
	runs := make([]*Run, len(jobs))
	for i, t := range all {
		runs[i] = t.finish(len(jobs) > 1)
	}
	return runs, err
}

// SharedJob is a job among several on one cluster.
type SharedJob struct {
	Name       string  `json:"name"`
	Devices    int     `json:"devices"` // of all pools
	Rounds     int     `json:"rounds"`
	Throughput float64 `json:"throughput"` // samples/s
	// Alone is the throughput of the same scheme in the same place with nothing else on
	// the cluster, and Slowdown how many times it is the other.
	Alone    float64       `json:"alone"`
	Slowdown float64       `json:"slowdown"`
	End      time.Duration `json:"end_ns"` // of its last round
}

// Shared compares a run beside others with the same job's run alone.
func Shared(job *Job, run, alone *Run) SharedJob {
	s := SharedJob{Name: job.Name, Rounds: len(run.Rounds), End: run.End}
	for _, n := range job.Devices() {
		s.Devices += n
	}
	rate := func(r *Run) float64 {
		return float64(len(r.Rounds)) * float64(job.Problem.Batch) / r.End.Seconds()
	}
	s.Throughput, s.Alone = rate(run), rate(alone)
	s.Slowdown = s.Alone / s.Throughput
	return s
}

// named says whose error it is.
func named(jobs []Job, i int, err error) error {
	if len(jobs) == 1 {
		return err
	}
	return fmt.Errorf("job %q: %w", jobs[i].Name, err)
}

// fabric is what jobs share: the clock, and the links of the cluster's network.
type fabric struct {
	e     *engine.Engine
	net   *network.Network
	graph *network.ClusterGraph // nil: stages have ports of their own
}

// newFabric lays the links of a cluster's network. It errs where the network is not one
// of the cluster, which variations of a scenario can bring about.
func newFabric(job *Job) (*fabric, error) {
	e := engine.New(engine.Options{MaxEvents: job.MaxEvents})
	f := &fabric{e: e, net: network.New(e)}
	if job.Problem.Cluster.Network.Topology == hw.OwnPorts {
		return f, nil
	}
	g, err := network.NewCluster(job.Problem.Cluster)
	if err != nil {
		return nil, fmt.Errorf("cluster.network: %w", err)
	}
	g.Lay(f.net)
	f.graph = g
	return f, nil
}

// Devices returns how many devices of every pool the job has.
func (job *Job) Devices() []int {
	stages := seats(job.Plan, nil)
	n := make([]int, len(job.Problem.Cluster.Pools))
	for _, s := range append(stages, serversSeat(job.Problem, job.Plan, stages, nil)) {
		n[s.pool] += s.devices
	}
	return n
}

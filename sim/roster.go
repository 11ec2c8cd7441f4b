package sim

import (
	"fmt"
	"slices"

	"stowage/sim/placement"
)

// roster says of a job that goes on without lost devices which of them are there, which
// replicas take part, and which hold what was learned in the rounds done.
type roster struct {
	problem *placement.Problem
	whole   *placement.Plan
	fixed   string // why the job cannot go on with fewer replicas; "": it may
	stages  []stageRoster

	counts []int // replicas of the plan below, per stage
	plan   *placement.Plan
	why    string
}

type stageRoster struct {
	unit   int    // devices of a replica
	gone   []bool // per device: it is lost, and none stands in for it
	active []bool // per replica: it takes part, or will once the job goes on
	holds  []bool // per replica: every device holds what was learned
}

// newRoster makes the roster of a job with all its devices.
func newRoster(job *Job) *roster {
	r := &roster{problem: job.Problem, whole: job.Plan}
	for i := range job.Plan.Stages {
		st := &job.Plan.Stages[i]
		s := stageRoster{
			unit: st.Devices / st.Replicas, gone: make([]bool, st.Devices),
			active: slices.Repeat([]bool{true}, st.Replicas), holds: slices.Repeat([]bool{true}, st.Replicas),
		}
		r.stages = append(r.stages, s)
	}
	for i := range job.Embeddings {
		if l := job.Embeddings[i].Layer; Accelerated(job.Problem.Cluster, job.Plan, l) {
			r.fixed = fmt.Sprintf("rows of layer %q are in slots, which the devices of stage %d divide among them", job.Problem.Model.Layers[l].Name, job.Plan.StageOf[l]+1)
		}
	}
	return r
}

// there reports whether all devices of a replica are.
func (s *stageRoster) there(replica int) bool {
	return !slices.Contains(s.gone[replica*s.unit:(replica+1)*s.unit], true)
}

// lose takes a device from the job, or what it holds if another one stands in for it. It
// returns whether its replica took part, and whether some of what was learned is now on
// no device.
func (r *roster) lose(at place, standIn bool) (stops, forgets bool) {
	s := &r.stages[at.stage]
	replica := at.device / s.unit
	held := s.holds[replica]
	s.gone[at.device], s.holds[replica] = !standIn, false
	forgets = held && (r.fixed != "" || r.problem.Divides(&r.whole.Stages[at.stage]) || !slices.Contains(s.holds, true))
	return s.active[replica], forgets
}

// lineup is the plan of the replicas that are there; nil, and why, if they cannot go on.
func (r *roster) lineup() (*placement.Plan, string) {
	counts, all := make([]int, len(r.stages)), true
	for i := range r.stages {
		s := &r.stages[i]
		for k := range s.holds {
			if s.there(k) {
				counts[i]++
			}
		}
		all = all && counts[i] == len(s.holds)
	}
	switch {
	case all:
		return r.whole, ""
	case r.fixed != "":
		return nil, r.fixed
	case !slices.Equal(counts, r.counts):
		r.counts = counts
		r.plan, r.why = r.problem.WithReplicas(r.whole, counts)
	}
	return r.plan, r.why
}

// grows reports whether a replica is there that does not take part.
func (r *roster) grows() bool {
	for i := range r.stages {
		for k, active := range r.stages[i].active {
			if !active && r.stages[i].there(k) {
				return true
			}
		}
	}
	return false
}

// join has all replicas take part that are there, or none.
func (r *roster) join(any bool) {
	for i := range r.stages {
		s := &r.stages[i]
		for k := range s.active {
			s.active[k] = any && s.there(k)
		}
	}
}

// learned notes that all replicas that take part hold what was learned.
func (r *roster) learned() {
	for i := range r.stages {
		copy(r.stages[i].holds, r.stages[i].active)
	}
}

// learners are the replicas of a stage that take part and do not hold what was learned.
func (s *stageRoster) learners() (list []int) {
	for k, active := range s.active {
		if active && !s.holds[k] {
			list = append(list, k)
		}
	}
	return list
}

// teachers are the replicas of a stage that hold what was learned.
func (s *stageRoster) teachers() (list []int) {
	for k, holds := range s.holds {
		if holds {
			list = append(list, k)
		}
	}
	return list
}

// shortage says which stages have fewer replicas than the scheme; "": none has.
func (r *roster) shortage() (text string) {
	for i := range r.stages {
		s, n := &r.stages[i], 0
		for _, active := range s.active {
			if active {
				n++
			}
		}
		if n == len(s.active) {
			continue
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf("stage %d on %d of %d replicas", i+1, n, len(s.active))
	}
	return text
}

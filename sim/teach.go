package sim

import (
	"time"

	"stowage/hw/unit"
	"stowage/sim/placement"
)

// teach sends what was learned to the replicas of a roster that take part and do not hold
// it, in the shares of a plan, and calls done when all of them do. What every replica has
// comes from the nearest one that holds it, and of what replicas divide every one gives
// as much.
func (w *wires) teach(r *roster, plan *placement.Plan, done func()) {
	left := 1
	arrived := func() {
		if left--; left == 0 {
			done()
		}
	}
	for i := range r.stages {
		s := &r.stages[i]
		learners, teachers := s.learners(), s.teachers()
		if len(learners) == 0 {
			continue
		}
		copied, divided := r.problem.LearnedBytes(&plan.Stages[i])
		if w.topology == nil {
			left++
			w.net.Transfer(nil, 0, w.teaching(i, r, learners, copied+divided), arrived)
			continue
		}
		for _, k := range learners {
			for d := k * s.unit; d < (k+1)*s.unit; d++ {
				left++
				w.give(i, d+(nearest(teachers, k)-k)*s.unit, d, copied, arrived)
				for _, from := range teachers {
					left++
					w.give(i, d+(from-k)*s.unit, d, divided/float64(len(teachers)), arrived)
				}
			}
		}
	}
	arrived()
}

// give sends bytes from a device of a stage to another one, over the cluster's network.
func (w *wires) give(stage, from, to int, bytes float64, done func()) {
	s, g := &w.seats[stage], w.topology.graph
	route := g.Way(g.Device(s.pool, s.first+from), g.Device(s.pool, s.first+to))
	w.net.Transfer(route.Path, bytes, route.Latency, done)
}

// teaching is the time of that without a network: the node with most learners has all of
// their bytes come through its port.
func (w *wires) teaching(stage int, r *roster, learners []int, bytes float64) time.Duration {
	s, st := &w.seats[stage], &r.whole.Stages[stage]
	per := w.job.Problem.Cluster.Pools[s.pool].Node.Devices
	onNode, most := map[int]int{}, 0
	for _, k := range learners {
		node := (s.first + k*r.stages[stage].unit) / per
		onNode[node]++
		most = max(most, onNode[node])
	}
	d, err := unit.Seconds(r.problem.CopySeconds(st, most, bytes))
	if err != nil {
		return unit.MaxTime // the clock says that it is too long
	}
	return d
}

// nearest is the one of some numbers that is nearest to k, the lower one of two.
func nearest(some []int, k int) int {
	best := some[0]
	for _, x := range some[1:] {
		if max(x-k, k-x) < max(best-k, k-best) {
			best = x
		}
	}
	return best
}

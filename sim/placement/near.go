package placement

import "slices"

// Near returns plans near one: those of its scheme's neighbours, with the devices that
// the evaluator provisions, and its own scheme with other devices. Only those that fit are
// among them, each once but for rare swaps.
func (ev *Evaluator) Near(pl *Plan) (near []*Plan) {
	add := func(other *Plan) {
		if other != nil && other.Fitness.Feasible {
			near = append(near, other)
		}
	}
	sc := make(Scheme, len(pl.Scheme))
	for _, m := range ev.p.moves(pl.Scheme, nil) {
		copy(sc, pl.Scheme)
		m.apply(sc)
		add(ev.Plan(sc))
	}
	for _, devices := range ev.p.nearDevices(pl) {
		other, err := ev.PlanDevices(pl.Scheme, devices)
		if err != nil {
			panic(err) // they are whole replicas, for every stage
		}
		add(other)
	}
	return near
}

// nearDevices returns other devices for the stages of a plan: one stage has one replica
// more or less, as many as fill whole nodes, a node more, or all that its pool has left;
// or another stage on its pool gives it some.
func (p *Problem) nearDevices(pl *Plan) (all [][]int) {
	now, free := make([]int, len(pl.Stages)), slices.Clone(p.count)
	for i := range now {
		now[i] = pl.Stages[i].Replicas
		free[pl.Stages[i].Pool] -= now[i]
	}
	for i := range now {
		pool := pl.Stages[i].Pool
		per := max(1, p.perNode[pool])
		counts := []int{now[i] - 1, now[i] + 1, now[i] / per * per, (now[i] + per) / per * per, now[i] - per, now[i] + free[pool]}
		slices.Sort(counts)
		for _, k := range slices.Compact(counts) {
			if k >= 1 && k != now[i] && k <= now[i]+free[pool] {
				all = append(all, p.withReplicas(pl, now, i, k))
			}
		}
		for j := range now {
			for _, gift := range []int{1, 2, 4} {
				if j != i && pl.Stages[j].Pool == pool && now[j] > gift {
					with := slices.Clone(now)
					with[j] -= gift
					all = append(all, p.withReplicas(pl, with, i, now[i]+gift))
				}
			}
		}
	}
	return all
}

// withReplicas returns the devices of stages with so many replicas, stage i having k.
func (p *Problem) withReplicas(pl *Plan, replicas []int, i, k int) []int {
	devices := slices.Clone(replicas)
	devices[i] = k
	for j := range devices {
		devices[j] *= p.unit(pl.Stages[j].Pool)
	}
	return devices
}

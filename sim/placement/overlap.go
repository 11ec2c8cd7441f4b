package placement

import "time"

// gathered returns the seconds of a pass through layers whose parameters are gathered
// for it: before it, or beside it.
func (p *Problem) gathered(pass, gather float64) float64 {
	if p.OverlapSync {
		return max(pass, gather)
	}
	return pass + gather
}

// leads works out by how much the synchronisation of each stage's gradients begins
// before the end of the stage's last pass, where they overlap.
//
// Gradients of a layer are known when the last pass has gone back through it; those of
// the stage's other segments were known before. They go over the links one layer after
// the other, in that order, as in bucketed all-reduces (Li et al., "PyTorch
// Distributed", VLDB 2020) whose buckets are so large that latency counts once. If
// layer l's are known t(l) seconds into the pass, and those from it on and before it in
// the stage are w(l) of the stage's w bytes, all are through not before
//
//	E = max over l of t(l) + S w(l) / w,
//
// where S is the time of synchronising all. To end then, links may be busy for S without
// a break from E - S on: that is when the synchronisation begins.
func (b *builder) leads() {
	p := b.p
	if !p.OverlapSync || p.Schedule.Staleness > 0 { // without a flush it is beside the passes anyhow
		return
	}
	b.out.Lead = zeroed(b.out.Lead, len(b.stages))
	for i := range b.stages {
		if b.out.Sync[i] > 0 {
			b.out.Lead[i] = b.lead(i)
		}
	}
}

// lead is that of stage i, whose last pass is through its first segment; it is no longer
// than a pass through any.
func (b *builder) lead(i int) time.Duration {
	p, st, split := b.p, &b.stages[i], b.p.Schedule.Delay != nil
	last, least := -1, time.Duration(-1)
	for g := range b.out.Segments {
		seg := &b.out.Segments[g]
		if seg.Stage != i {
			continue
		}
		pass := seg.Backward
		if split {
			pass = seg.Weight
		}
		if last < 0 {
			last, least = g, pass
		}
		least = min(least, pass)
	}
	whole, all := b.backward[last], 0.0
	if split {
		whole = b.weight[last]
	}
	for l := range b.scheme {
		if b.stageOf[l] == i {
			all += p.own(&p.Model.Layers[l], p.Team(st.pool)).Params
		}
	}
	sync, computed, end, sent := b.out.Sync[i].Seconds(), 0.0, 0.0, 0.0
	for l := range b.scheme { // first, what is known before the pass begins
		if b.stageOf[l] == i && b.segment[l] != last {
			sent += p.own(&p.Model.Layers[l], p.Team(st.pool)).Params
		}
	}
	end = sync * sent / all
	for l := len(b.scheme) - 1; l >= 0; l-- {
		if b.stageOf[l] != i || b.segment[l] != last {
			continue
		}
		computed += b.backSeconds(l, split)
		own := p.own(&p.Model.Layers[l], p.Team(st.pool)).Params
		if own == 0 {
			continue
		}
		end = max(end, min(computed, whole)) + sync*own/all
	}
	return min(least, b.duration(max(0, whole-max(0, end-sync)), "overlap of stage", i))
}

// backSeconds returns what the last pass through its segment takes for layer l.
func (b *builder) backSeconds(l int, split bool) float64 {
	p, t := b.p, int(b.scheme[l])
	st := &b.stages[b.stageOf[l]]
	c := &p.costs[t*p.layers+l]
	back := (c.serial + c.parallel/p.parts(st.replicas)) * (1 - c.forwardShare)
	if split {
		return back * c.weightShare
	}
	if c.gathered > 0 {
		return p.gathered(back, p.gatherParams(st.pool, st.replicas, c.gathered))
	}
	return back
}

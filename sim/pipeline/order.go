package pipeline

import (
	"cmp"
	"slices"
)

// program calls do for every operation of a step, after all that it needs and in
// the order in which its stage runs them.
func (p *Pipeline) program(do func(op Op)) {
	if !p.shared() {
		columns(p.windows(), p.delays(), p.Microbatches, p.ForwardOnly, do)
		return
	}
	for _, op := range p.sharedOrder() {
		do(op)
	}
}

// sharedOrder is program for stages that own several segments.
func (p *Pipeline) sharedOrder() []Op {
	stageOf := p.stageOf()
	if stages, ok := p.Schedule.rotation(stageOf); ok {
		t := turns{stages: stages, chunks: len(stageOf) / stages, microbatches: p.Microbatches, forwardOnly: p.ForwardOnly}
		return t.merged()
	}
	return p.byUnits()
}

// byUnits orders the operations of a pipeline whose segments share stages:
// by the time at which they would start if every segment had a stage of its own
// and every operation took one unit. Dependencies then always point backwards,
// so the order cannot deadlock, and a stage turns to the next micro-batch while
// another works on the first.
func (p *Pipeline) byUnits() []Op {
	n := len(p.Segments)
	unit := Pipeline{
		Stages: n, Segments: make([]Segment, n), Channels: make([]Channel, len(p.Channels)),
		Sync: nil, Microbatches: p.Microbatches, Schedule: p.Schedule, ForwardOnly: p.ForwardOnly,
	}
	for s := range unit.Segments {
		unit.Segments[s] = Segment{Stage: s, Forward: 1, Backward: 1}
		if p.split() {
			unit.Segments[s].Backward, unit.Segments[s].Weight = 2, 1
		}
	}
	for c := range unit.Channels {
		unit.Channels[c] = Channel{From: p.Channels[c].From, To: p.Channels[c].To}
	}
	r := newState(&unit)
	type timed struct {
		op  Op
		end int64
	}
	ops := make([]timed, 0, 2*n*p.Microbatches)
	columns(p.windows(), p.delays(), p.Microbatches, p.ForwardOnly, func(op Op) {
		ops = append(ops, timed{op, r.do(op)})
	})
	slices.SortStableFunc(ops, func(a, b timed) int { return cmp.Compare(a.end, b.end) })
	order := make([]Op, len(ops))
	for i, t := range ops {
		order[i] = t.op
	}
	return order
}

// InFlight returns the largest number of micro-batches whose activations each
// segment holds at once between their forward and backward passes, or those that
// compute their weight gradients. Without backward passes it is the one being
// worked on. Without a flush it is that of a run that goes on.
func (p *Pipeline) InFlight() []int {
	peak := make([]int, len(p.Segments))
	if p.ForwardOnly {
		for i := range peak {
			peak[i] = 1
		}
		return peak
	}
	if !p.shared() {
		for s := range peak {
			peak[s] = p.Schedule.Held(s, len(peak), p.Microbatches)
		}
		return peak
	}
	last := Backward
	if p.split() {
		last = Weight
	}
	held := make([]int, len(p.Segments))
	p.program(func(op Op) {
		switch op.Pass {
		case last:
			held[op.Segment]--
		case Forward:
			held[op.Segment]++
			peak[op.Segment] = max(peak[op.Segment], held[op.Segment])
		}
	})
	return peak
}

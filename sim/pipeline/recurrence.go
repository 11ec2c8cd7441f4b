package pipeline

import "time"

// Recurrence evaluates a pipeline exactly, without events, as a max-plus
// recurrence: an operation starts when its stage is free and its inputs have
// arrived; a transfer starts when its data is ready and its channel is free. It
// is exact while no two channels share a link. State carries over from step to
// step, so that Step can be called again for the next round; times add up and
// must stay below 2^63 ns. After NewRecurrence nothing is allocated.
//
// Without a flush Step looks further: passes of the next rounds come before the
// last ones of a round. Recurrence is then that of a run without end; Ends is that
// of a number of rounds.
type Recurrence struct {
	p     *Pipeline
	chain *chain // a plain chain of stages, else:
	flow  *flow  // no flush, else:
	st    *state
	w, d  []int
	order []Op // stages that share segments; nil: columns of w and d
}

// Ends returns when each of a number of rounds ends. gates, which may be nil, holds
// for every stage and round when it may start at the earliest (when its embedding
// rows are in place, for instance).
func Ends(p *Pipeline, rounds int, gates [][]time.Duration) []time.Duration {
	ends := make([]time.Duration, rounds)
	r := NewRecurrence(p)
	if r.flow != nil {
		r.flow.gates, r.flow.total = gates, rounds*p.Microbatches
	}
	for round := range ends {
		if r.flow == nil {
			for stage := range gates {
				r.Free(stage, gates[stage][round])
			}
		}
		ends[round] = r.Step()
	}
	return ends
}

// StepTime returns how long a step takes: the first one, or where steps are not
// flushed a step of a run without end, when nothing changes from step to step any
// more but times.
func StepTime(p *Pipeline) time.Duration {
	r := NewRecurrence(p)
	if r.flow != nil {
		return r.flow.period()
	}
	return r.Step()
}

// NewRecurrence prepares the evaluation of p, which must be valid and must not change.
func NewRecurrence(p *Pipeline) *Recurrence {
	r := &Recurrence{p: p}
	switch {
	case p.Schedule.Staleness > 0:
		r.flow = newFlow(p)
	case p.isChain() && !p.split() && !p.blocks():
		r.chain = newChain(p)
	case p.shared():
		r.st, r.order = newState(p), p.sharedOrder()
	default:
		r.st, r.w, r.d = newState(p), p.windows(), p.delays()
	}
	return r
}

// Free sets the earliest time at which a stage may start its next operation
// (the time at which its embedding rows are in place, for instance).
func (r *Recurrence) Free(stage int, t time.Duration) {
	free := r.free(stage)
	*free = max(*free, int64(t))
}

// free returns where it is kept when a stage is free.
func (r *Recurrence) free(stage int) *int64 {
	if r.flow != nil {
		return &r.flow.st.free[stage]
	}
	if r.chain != nil {
		return &r.chain.cells[r.chain.at[stage]].free
	}
	return &r.st.free[stage]
}

// passed returns when the last pass of a stage ended: it is free then, or when it has sent
// what the pass made.
func (r *Recurrence) passed(stage int) int64 {
	if r.st != nil {
		return r.st.passed[stage]
	}
	return *r.free(stage)
}

// Reset returns to time zero.
func (r *Recurrence) Reset() {
	if r.chain != nil {
		r.chain.reset()
		return
	}
	if r.flow != nil {
		r.flow.reset()
		return
	}
	r.st.reset()
}

// Step runs one training step and returns the time at which its last stage is done.
func (r *Recurrence) Step() time.Duration {
	switch {
	case r.flow != nil:
		return time.Duration(r.flow.step())
	case r.chain != nil:
		r.chain.step()
	case r.order != nil:
		for _, op := range r.order {
			r.st.do(op)
		}
	default:
		columns(r.w, r.d, r.p.Microbatches, r.p.ForwardOnly, func(op Op) { r.st.do(op) })
	}
	var end int64
	for i, sync := range r.p.Sync {
		free := r.free(i)
		if lead := r.p.lead(i); lead == 0 {
			*free += int64(sync)
		} else { // it began within the last pass
			*free = max(*free, r.passed(i)+int64(sync-lead))
		}
		*free += int64(r.p.update(i))
		end = max(end, *free)
	}
	return time.Duration(end)
}

// state holds when stages and channels are free and when data has arrived.
type state struct {
	p                         *Pipeline
	free                      []int64 // per stage
	passed                    []int64 // per stage: when its last operation ended, before what that made was sent
	forwardFree, backwardFree []int64 // per channel and direction
	activation                []int64 // [channel*M + micro] arrival at To
	gradient                  []int64 // [channel*M + micro] arrival at From
	in, out                   [][]int32
	split                     bool
}

func (st *state) reset() {
	clear(st.free)
	clear(st.forwardFree)
	clear(st.backwardFree)
}

func newState(p *Pipeline) *state {
	st := &state{
		p: p, split: p.split(),
		free:         make([]int64, p.Stages),
		passed:       make([]int64, p.Stages),
		forwardFree:  make([]int64, len(p.Channels)),
		backwardFree: make([]int64, len(p.Channels)),
		activation:   make([]int64, len(p.Channels)*p.Microbatches),
		gradient:     make([]int64, len(p.Channels)*p.Microbatches),
	}
	st.in, st.out = p.adjacency()
	return st
}

// do runs one operation whose predecessors have all been run; it returns its end.
func (st *state) do(op Op) int64 {
	m, micro := st.p.Microbatches, int(op.Micro)
	seg := &st.p.Segments[op.Segment]
	t := st.free[seg.Stage]
	switch op.Pass {
	case Forward:
		arrived := int64(0)
		for _, c := range st.in[op.Segment] {
			arrived = max(arrived, st.activation[int(c)*m+micro])
			if ch := &st.p.Channels[c]; ch.Blocking {
				t += int64(ch.Forward)
			}
		}
		t = max(t, arrived) + int64(seg.Forward)
		st.passed[seg.Stage] = t
		for _, c := range st.out[op.Segment] {
			ch := &st.p.Channels[c]
			a := max(t, st.forwardFree[c]) + int64(ch.Forward)
			st.forwardFree[c], st.activation[int(c)*m+micro] = a, a
			if ch.Blocking {
				t = a
			}
		}
	case Backward:
		arrived := int64(0)
		for _, c := range st.out[op.Segment] {
			arrived = max(arrived, st.gradient[int(c)*m+micro])
			if ch := &st.p.Channels[c]; ch.Blocking {
				t += int64(ch.Backward)
			}
		}
		t = max(t, arrived) + int64(seg.of(Backward, st.split))
		st.passed[seg.Stage] = t
		for _, c := range st.in[op.Segment] {
			ch := &st.p.Channels[c]
			a := max(t, st.backwardFree[c]) + int64(ch.Backward)
			st.backwardFree[c], st.gradient[int(c)*m+micro] = a, a
			if ch.Blocking {
				t = a
			}
		}
	default:
		t += int64(seg.Weight)
		st.passed[seg.Stage] = t
	}
	st.free[seg.Stage] = t
	return t
}

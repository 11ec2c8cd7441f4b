package pipeline

import "time"

// Recurrence evaluates a pipeline exactly, without events, as a max-plus
// recurrence: an operation starts when its stage is free and its inputs have
// arrived; a transfer starts when its data is ready and its channel is free. It
// is exact while no two channels share a link. State carries over from step to
// step, so that Step can be called again for the next round; times add up and
// must stay below 2^63 ns. After NewRecurrence nothing is allocated.
type Recurrence struct {
	p     *Pipeline
	chain *chain // a plain chain of stages, else:
	st    *state
	w     []int
	order []Op // stages that share segments; nil: columns of w
}

// NewRecurrence prepares the evaluation of p, which must be valid and must not change.
func NewRecurrence(p *Pipeline) *Recurrence {
	r := &Recurrence{p: p}
	switch {
	case p.isChain():
		r.chain = newChain(p)
	case p.shared():
		r.st, r.order = newState(p), p.interleave()
	default:
		r.st, r.w = newState(p), p.windows()
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
	if r.chain != nil {
		return &r.chain.cells[r.chain.at[stage]].free
	}
	return &r.st.free[stage]
}

// Reset returns to time zero.
func (r *Recurrence) Reset() {
	if r.chain != nil {
		r.chain.reset()
		return
	}
	clear(r.st.free)
	clear(r.st.forwardFree)
	clear(r.st.backwardFree)
}

// Step runs one training step and returns the time at which its last stage is done.
func (r *Recurrence) Step() time.Duration {
	switch {
	case r.chain != nil:
		r.chain.step()
	case r.order != nil:
		for _, op := range r.order {
			r.st.do(op)
		}
	default:
		columns(r.w, r.p.Microbatches, r.p.ForwardOnly, func(op Op) { r.st.do(op) })
	}
	var end int64
	for i, sync := range r.p.Sync {
		free := r.free(i)
		*free += int64(sync)
		end = max(end, *free)
	}
	return time.Duration(end)
}

// state holds when stages and channels are free and when data has arrived.
type state struct {
	p                         *Pipeline
	free                      []int64 // per stage
	forwardFree, backwardFree []int64 // per channel and direction
	activation                []int64 // [channel*M + micro] arrival at To
	gradient                  []int64 // [channel*M + micro] arrival at From
	in, out                   [][]int32
}

func newState(p *Pipeline) *state {
	st := &state{
		p:            p,
		free:         make([]int64, p.Stages),
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
	if !op.Backward {
		for _, c := range st.in[op.Segment] {
			t = max(t, st.activation[int(c)*m+micro])
		}
		t += int64(seg.Forward)
		for _, c := range st.out[op.Segment] {
			a := max(t, st.forwardFree[c]) + int64(st.p.Channels[c].Forward)
			st.forwardFree[c], st.activation[int(c)*m+micro] = a, a
		}
	} else {
		for _, c := range st.out[op.Segment] {
			t = max(t, st.gradient[int(c)*m+micro])
		}
		t += int64(seg.Backward)
		for _, c := range st.in[op.Segment] {
			a := max(t, st.backwardFree[c]) + int64(st.p.Channels[c].Backward)
			st.backwardFree[c], st.gradient[int(c)*m+micro] = a, a
		}
	}
	st.free[seg.Stage] = t
	return t
}

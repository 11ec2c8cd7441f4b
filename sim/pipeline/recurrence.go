package pipeline

import "time"

// Recurrence evaluates a pipeline exactly, without events, as a max-plus
// recurrence: an operation starts when its stage is free and its inputs have
// arrived; a transfer starts when its data is ready and its channel is free. It
// is exact while no two channels share a link. State carries over from step to
// step, so that Step can be called again for the next round. After NewRecurrence
// nothing is allocated.
type Recurrence struct {
	p     *Pipeline
	w     []int
	order []Op // nil: column order
	st    *state
	chain bool
}

// NewRecurrence prepares the evaluation of p, which must be valid and must not change.
func NewRecurrence(p *Pipeline) *Recurrence {
	r := &Recurrence{p: p, w: p.windows(), st: newState(p)}
	if p.shared() {
		r.order = p.interleave()
	}
	r.chain = !p.shared() && !p.ForwardOnly && p.isChain()
	return r
}

// isChain reports whether channel i leads from segment i to i+1 and there are no others.
func (p *Pipeline) isChain() bool {
	if len(p.Channels) != len(p.Segments)-1 {
		return false
	}
	for i, c := range p.Channels {
		if c.From != i || c.To != i+1 {
			return false
		}
	}
	return true
}

// Free sets the earliest time at which a stage may start its next operation
// (the time at which its embedding rows are in place, for instance).
func (r *Recurrence) Free(stage int, t time.Duration) {
	r.st.free[stage] = max(r.st.free[stage], int64(t))
}

// Reset returns to time zero.
func (r *Recurrence) Reset() {
	clear(r.st.free)
	clear(r.st.forwardFree)
	clear(r.st.backwardFree)
}

// Step runs one training step and returns the time at which its last stage is done.
func (r *Recurrence) Step() time.Duration {
	switch {
	case r.chain:
		r.stepChain()
	case r.order != nil:
		for _, op := range r.order {
			r.st.do(op)
		}
	default:
		columns(r.w, r.p.Microbatches, r.p.ForwardOnly, func(op Op) { r.st.do(op) })
	}
	var end int64
	for i := range r.st.free {
		r.st.free[i] += int64(r.p.Sync[i])
		end = max(end, r.st.free[i])
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

// adjacency lists the incoming and outgoing channels of every segment.
func (p *Pipeline) adjacency() (in, out [][]int32) {
	in, out = make([][]int32, len(p.Segments)), make([][]int32, len(p.Segments))
	for i, c := range p.Channels {
		in[c.To] = append(in[c.To], int32(i))
		out[c.From] = append(out[c.From], int32(i))
	}
	return in, out
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

// stepChain is columns and do, fused for the common case of a plain chain of
// stages. Between neighbours whose windows differ by d a gradient waits d
// columns, hence the buffer by micro-batch.
func (r *Recurrence) stepChain() {
	p, st, m := r.p, r.st, r.p.Microbatches
	n := len(p.Segments)
	for i := range m + r.w[0] - 1 {
		if i < m {
			r.forwardColumn(n)
		}
		for s := n - 1; s >= 0; s-- {
			j := i - r.w[s] + 1
			if uint(j) >= uint(m) {
				continue
			}
			seg := &p.Segments[s]
			t := st.free[seg.Stage]
			if s < n-1 {
				t = max(t, st.gradient[s*m+j])
			}
			t += int64(seg.Backward)
			st.free[seg.Stage] = t
			if s > 0 {
				t = max(t, st.backwardFree[s-1]) + int64(p.Channels[s-1].Backward)
				st.backwardFree[s-1], st.gradient[(s-1)*m+j] = t, t
			}
		}
	}
}

// forwardColumn passes one micro-batch through all n segments of a chain.
func (r *Recurrence) forwardColumn(n int) {
	p, st := r.p, r.st
	var arrived int64
	for s := range n {
		seg := &p.Segments[s]
		t := max(st.free[seg.Stage], arrived) + int64(seg.Forward)
		st.free[seg.Stage] = t
		if s < n-1 {
			arrived = max(t, st.forwardFree[s]) + int64(p.Channels[s].Forward)
			st.forwardFree[s] = arrived
		}
	}
}

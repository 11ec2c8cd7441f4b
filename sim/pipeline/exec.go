package pipeline

import (
	"fmt"
	"time"

	"stowage/sim/engine"
)

// Hooks connect an execution to the rest of a simulation. All may be nil.
type Hooks struct {
	// Transfer moves one micro-batch over channel c and calls done when it has
	// arrived; nil: it takes the channel's own time, as in the recurrence.
	Transfer func(c int, backward bool, done func())
	// Ready reports whether a stage may start a round (its embedding rows are
	// in place). After it was false, call Exec.Wake when it may have become true.
	Ready func(stage, round int) bool
	// Done is called when a stage has finished a round, gradients synchronised.
	Done func(stage, round int)
}

// Usage is how a stage spent the run so far.
type Usage struct {
	Busy  time.Duration // forward and backward passes
	Sync  time.Duration // gradient synchronisation
	Stall time.Duration // inputs were there, Hooks.Ready was not true
}

// Exec runs a pipeline for a number of rounds as events: one event for each
// micro-batch on each segment, one for each transfer.
type Exec struct {
	p      *Pipeline
	e      *engine.Engine
	h      Hooks
	rounds int
	stages []execStage
	segs   []execSegment
	lanes  []lane // channel c: forward 2c, backward 2c+1
	in     [][]int32
	out    [][]int32
}

type execStage struct {
	round    int
	started  bool // an operation of this round has begun
	running  bool
	op       Op
	stalled  bool
	stallAt  time.Duration
	usage    Usage
	order    []Op // shared stages: the round's operations
	pos      int
	complete func()
	synced   func()
	finished func()
}

// execSegment counts what a segment has done in the current round.
type execSegment struct {
	window, forward, backward int
}

// lane is one direction of a channel.
type lane struct {
	queued, arrived int // micro-batches, over all rounds
	busy            bool
	target          int // stage woken by an arrival
	duration        time.Duration
	done            func()
}

// NewExec prepares a run of rounds steps of p, which must be valid. Start begins it.
func NewExec(e *engine.Engine, p *Pipeline, rounds int, h Hooks) *Exec {
	x := &Exec{
		p: p, e: e, h: h, rounds: rounds,
		stages: make([]execStage, p.Stages),
		segs:   make([]execSegment, len(p.Segments)),
		lanes:  make([]lane, 2*len(p.Channels)),
	}
	x.in, x.out = p.adjacency()
	for i, w := range p.windows() {
		x.segs[i].window = w
		if p.ForwardOnly {
			x.segs[i].window = p.Microbatches
		}
	}
	if p.shared() {
		for _, op := range p.interleave() {
			st := &x.stages[p.Segments[op.Segment].Stage]
			st.order = append(st.order, op)
		}
	} else {
		for i, s := range p.Segments {
			x.stages[s.Stage].op.Segment = int32(i)
		}
	}
	for i := range x.stages {
		x.stages[i].complete = func() { x.complete(i) }
		x.stages[i].synced = func() { x.synced(i) }
	}
	for c, ch := range p.Channels {
		x.lanes[2*c] = lane{target: p.Segments[ch.To].Stage, duration: ch.Forward, done: func() { x.arrive(2 * c) }}
		x.lanes[2*c+1] = lane{target: p.Segments[ch.From].Stage, duration: ch.Backward, done: func() { x.arrive(2*c + 1) }}
	}
	return x
}

// Start lets every stage begin its first round at the engine's present time.
func (x *Exec) Start() {
	for i := range x.stages {
		x.stages[i].finished = x.e.Expect(fmt.Sprintf("stage %d", i))
	}
	for i := range x.stages {
		x.try(i)
	}
}

// Wake tells a stage that Hooks.Ready may have become true.
func (x *Exec) Wake(stage int) { x.try(stage) }

// Usage returns how a stage has spent its time.
func (x *Exec) Usage(stage int) Usage { return x.stages[stage].usage }

// next returns the operation that a stage has to run next in its round.
func (x *Exec) next(st *execStage) (Op, bool) {
	if st.order != nil {
		if st.pos == len(st.order) {
			return Op{}, false
		}
		return st.order[st.pos], true
	}
	s := &x.segs[st.op.Segment]
	switch m := x.p.Microbatches; {
	case s.forward < m && s.forward-s.backward < s.window:
		return Op{Segment: st.op.Segment, Micro: int32(s.forward)}, true
	case s.backward < m && !x.p.ForwardOnly:
		return Op{Segment: st.op.Segment, Micro: int32(s.backward), Backward: true}, true
	}
	return Op{}, false
}

// arrived reports whether all inputs of an operation have arrived.
func (x *Exec) arrived(op Op, round int) bool {
	need := round*x.p.Microbatches + int(op.Micro) + 1
	if op.Backward {
		for _, c := range x.out[op.Segment] {
			if x.lanes[2*c+1].arrived < need {
				return false
			}
		}
		return true
	}
	for _, c := range x.in[op.Segment] {
		if x.lanes[2*c].arrived < need {
			return false
		}
	}
	return true
}

// try starts the next operation of a stage if it is free and its inputs are there.
func (x *Exec) try(i int) {
	st := &x.stages[i]
	if st.running || st.round == x.rounds {
		return
	}
	op, ok := x.next(st)
	if !ok {
		st.running = true
		st.usage.Sync += x.p.Sync[i]
		x.e.After(x.p.Sync[i], st.synced)
		return
	}
	if !x.arrived(op, st.round) {
		return
	}
	if !st.started && x.h.Ready != nil && !x.h.Ready(i, st.round) {
		if !st.stalled {
			st.stalled, st.stallAt = true, x.e.Now()
		}
		return
	}
	if st.stalled {
		st.stalled = false
		st.usage.Stall += x.e.Now() - st.stallAt
	}
	d := x.p.Segments[op.Segment].Forward
	if op.Backward {
		d = x.p.Segments[op.Segment].Backward
	}
	st.started, st.running, st.op = true, true, op
	st.usage.Busy += d
	x.e.After(d, st.complete)
}

// complete ends the operation that a stage is running and sends its output on.
func (x *Exec) complete(i int) {
	st := &x.stages[i]
	op := st.op
	if op.Backward {
		x.segs[op.Segment].backward++
		for _, c := range x.in[op.Segment] {
			x.send(int(2*c + 1))
		}
	} else {
		x.segs[op.Segment].forward++
		for _, c := range x.out[op.Segment] {
			x.send(int(2 * c))
		}
	}
	st.pos++
	st.running = false
	x.try(i)
}

// send queues one micro-batch on a lane.
func (x *Exec) send(l int) {
	x.lanes[l].queued++
	if !x.lanes[l].busy {
		x.transfer(l)
	}
}

func (x *Exec) transfer(l int) {
	ln := &x.lanes[l]
	ln.queued--
	ln.busy = true
	if x.h.Transfer != nil {
		x.h.Transfer(l/2, l%2 == 1, ln.done)
		return
	}
	x.e.After(ln.duration, ln.done)
}

func (x *Exec) arrive(l int) {
	ln := &x.lanes[l]
	ln.busy = false
	ln.arrived++
	if ln.queued > 0 {
		x.transfer(l)
	}
	x.try(ln.target)
}

// synced ends a stage's round.
func (x *Exec) synced(i int) {
	st := &x.stages[i]
	for s := range x.segs {
		if x.p.Segments[s].Stage == i {
			x.segs[s].forward, x.segs[s].backward = 0, 0
		}
	}
	round := st.round
	st.round++
	st.pos, st.started, st.running = 0, false, false
	if st.round == x.rounds {
		st.finished()
	}
	if x.h.Done != nil {
		x.h.Done(i, round)
	}
	x.try(i)
}

// InFlight returns the largest number of micro-batches whose activations each
// segment holds at once.
func (p *Pipeline) InFlight() []int {
	peak := make([]int, len(p.Segments))
	if p.ForwardOnly {
		for i := range peak {
			peak[i] = 1
		}
		return peak
	}
	if !p.shared() {
		copy(peak, p.windows())
		return peak
	}
	held := make([]int, len(p.Segments))
	for _, op := range p.interleave() {
		if op.Backward {
			held[op.Segment]--
			continue
		}
		held[op.Segment]++
		peak[op.Segment] = max(peak[op.Segment], held[op.Segment])
	}
	return peak
}

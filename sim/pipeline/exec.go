package pipeline

import (
	"fmt"
	"time"

	"stowage/sim/engine"
)

// Hooks connect an execution to the rest of a simulation. All may be nil.
type Hooks struct {
	// Transfer moves one micro-batch over channel c and calls done when it has
	// arrived; nil: it takes the channel's own time, as in the recurrence. A
	// channel asks for one transfer at a time in each direction.
	Transfer func(c int, backward bool, done func())
	// Ready reports whether a stage may start a round (its embedding rows are in
	// place). It is asked once the first inputs of the round are there, perhaps
	// repeatedly. After it was false, call Exec.Wake when it may have become true.
	Ready func(stage, round int) bool
	// Ahead returns how much of a forward pass was done before it started, while Ready
	// kept its stage waiting: it takes that much less.
	Ahead func(segment, round, micro int) time.Duration
	// Stalled is called when a stage starts a round for which Ready kept it waiting
	// since a time, its inputs being there.
	Stalled func(stage, round int, since time.Duration)
	// Backward is called when a stage starts the first backward pass of a round.
	Backward func(stage, round int)
	// Sync synchronises a stage's gradients, which takes time if nothing else is on the
	// links, and calls done; nil: it takes that time.
	Sync func(stage int, time time.Duration, done func())
	// Done is called when a stage has finished a round, gradients synchronised.
	Done func(stage, round int)
}

// Usage is how a stage spent the run so far. What is left of the elapsed time it
// waited for inputs, or had finished.
type Usage struct {
	Busy  time.Duration // forward and backward passes
	Sync  time.Duration // gradient synchronisation
	Stall time.Duration // inputs were there, Hooks.Ready was not true
}

// Exec runs a pipeline for a number of rounds as events: one event for each
// micro-batch on each segment, one for each transfer.
type Exec struct {
	p       *Pipeline
	e       *engine.Engine
	h       Hooks
	rounds  int
	stages  []execStage
	lanes   []lane    // channel c: forward 2c, backward 2c+1
	in, out [][]int32 // channels of each segment
}

type execStage struct {
	round    int
	position int  // in the round's operations
	ops      int  // how many operations a round has
	running  bool // an operation or the synchronisation; also before Start
	op       Op   // the last one started

	segment, window int  // the only segment of the stage and its window, or
	order           []Op // the operations of all its segments

	usage    Usage
	stalled  bool
	stallAt  time.Duration
	syncAt   time.Duration // with Hooks.Sync: when it began
	turned   bool          // the round has begun its backward passes
	ready    func()        // meets the obligation that the stall has made
	complete func()        // Exec.complete of this stage, bound once
	synced   func()        // Exec.synced of this stage, bound once
	finished func()        // meets the obligation to finish
}

// lane is one direction of a channel.
type lane struct {
	queued, arrived int // micro-batches, over all rounds
	busy            bool
	target          int // stage woken by an arrival
	duration        time.Duration
	done            func()
}

// NewExec prepares a run of rounds steps of p, which must be valid and must not
// change. Start begins it.
func NewExec(e *engine.Engine, p *Pipeline, rounds int, h Hooks) *Exec {
	x := &Exec{
		p: p, e: e, h: h, rounds: rounds,
		stages: make([]execStage, p.Stages),
		lanes:  make([]lane, 2*len(p.Channels)),
	}
	x.in, x.out = p.adjacency()
	x.assign()
	for i := range x.stages {
		st := &x.stages[i]
		st.running = true
		st.complete = func() { x.complete(i) }
		st.synced = func() { x.synced(i) }
	}
	for c, ch := range p.Channels {
		x.lanes[2*c] = lane{target: p.Segments[ch.To].Stage, duration: ch.Forward, done: func() { x.arrive(2 * c) }}
		x.lanes[2*c+1] = lane{target: p.Segments[ch.From].Stage, duration: ch.Backward, done: func() { x.arrive(2*c + 1) }}
	}
	return x
}

// assign gives every stage the operations of a round.
func (x *Exec) assign() {
	p := x.p
	if p.shared() {
		for _, op := range p.interleave() {
			st := &x.stages[p.Segments[op.Segment].Stage]
			st.order = append(st.order, op)
			st.ops++
		}
		return
	}
	for i, s := range p.Segments {
		st := &x.stages[s.Stage]
		st.segment, st.window, st.ops = i, p.window(i), 2*p.Microbatches
		if p.ForwardOnly {
			st.window, st.ops = p.Microbatches, p.Microbatches
		}
	}
}

// Start lets every stage begin its first round at the engine's present time. A
// run that ends before all have finished their last round is a deadlock, which
// the engine reports.
func (x *Exec) Start() {
	if x.rounds < 1 {
		return
	}
	for i := range x.stages {
		x.stages[i].finished = x.e.Expect(fmt.Sprintf("stage %d done with all %d rounds", i, x.rounds))
		x.stages[i].running = false
	}
	for i := range x.stages {
		x.try(i)
	}
}

// Wake tells a stage that Hooks.Ready may have become true.
func (x *Exec) Wake(stage int) { x.try(stage) }

// Usage returns how a stage has spent its time; an operation counts from its start.
func (x *Exec) Usage(stage int) Usage { return x.stages[stage].usage }

// next returns the operation that a stage has to run next in its round.
func (st *execStage) next(microbatches int) Op {
	if st.order != nil {
		return st.order[st.position]
	}
	micro, backward := opAt(st.position, st.window, microbatches)
	return Op{Segment: int32(st.segment), Micro: int32(micro), Backward: backward}
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
	if st.position == st.ops {
		st.running = true
		if x.h.Sync != nil {
			st.syncAt = x.e.Now()
			x.h.Sync(i, x.p.Sync[i], st.synced)
			return
		}
		st.usage.Sync += x.p.Sync[i]
		x.e.After(x.p.Sync[i], st.synced)
		return
	}
	op := st.next(x.p.Microbatches)
	if !x.arrived(op, st.round) || st.position == 0 && !x.mayStart(i) {
		return
	}
	d := x.duration(op, st.round)
	st.running, st.op = true, op
	st.usage.Busy += d
	x.e.After(d, st.complete)
	if op.Backward && !st.turned {
		st.turned = true
		if x.h.Backward != nil {
			x.h.Backward(i, st.round)
		}
	}
}

// duration is how long an operation of a round takes.
func (x *Exec) duration(op Op, round int) time.Duration {
	s := &x.p.Segments[op.Segment]
	if op.Backward {
		return s.Backward
	}
	if x.h.Ahead == nil {
		return s.Forward
	}
	return max(0, s.Forward-x.h.Ahead(int(op.Segment), round, int(op.Micro)))
}

// mayStart asks Hooks.Ready for a stage whose inputs are there, and keeps the
// stall's time. While the stage is stalled it is an obligation that the answer
// becomes true, so that a run that ends before names what it waited for.
func (x *Exec) mayStart(i int) bool {
	st := &x.stages[i]
	if x.h.Ready != nil && !x.h.Ready(i, st.round) {
		if !st.stalled {
			st.stalled, st.stallAt = true, x.e.Now()
			st.ready = x.e.Expect(fmt.Sprintf("stage %d ready for round %d", i, st.round))
		}
		return false
	}
	if st.stalled {
		st.stalled = false
		st.usage.Stall += x.e.Now() - st.stallAt
		st.ready()
		if x.h.Stalled != nil {
			x.h.Stalled(i, st.round, st.stallAt)
		}
	}
	return true
}

// complete ends the operation that a stage is running and sends its output on.
func (x *Exec) complete(i int) {
	st := &x.stages[i]
	op := st.op
	if op.Backward {
		for _, c := range x.in[op.Segment] {
			x.send(int(2*c + 1))
		}
	} else {
		for _, c := range x.out[op.Segment] {
			x.send(int(2 * c))
		}
	}
	st.position++
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

// transfer begins the next transfer of a lane.
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

// arrive ends the transfer of a lane.
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
	if x.h.Sync != nil {
		st.usage.Sync += x.e.Now() - st.syncAt
	}
	round := st.round
	st.round++
	st.position, st.running, st.turned = 0, false, false
	if st.round == x.rounds {
		st.finished()
	}
	if x.h.Done != nil {
		x.h.Done(i, round)
	}
	x.try(i)
}

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
	// Takes returns how long an operation takes that begins now and takes d as it was
	// timed; nil: d.
	Takes func(stage, round int, op Op, d time.Duration) time.Duration
	// Pass runs an operation that takes d as it was timed and ends when others on its links
	// let it, and calls done at its end; false: it takes what Takes says. It begins with a
	// part that takes time, so that done is never called from inside; nil: none is so.
	Pass func(stage, round int, op Op, d time.Duration, done func()) bool
	// Stalled is called when a stage starts a round for which Ready kept it waiting
	// since a time, its inputs being there.
	Stalled func(stage, round int, since time.Duration)
	// Backward is called when a stage starts the first backward pass of a round.
	Backward func(stage, round int)
	// Sync synchronises a stage's gradients, which takes time if nothing else is on the
	// links, and calls done; nil: it takes that time.
	Sync func(stage int, time time.Duration, done func())
	// Done is called when a stage has finished a round, gradients synchronised and
	// parameters updated.
	Done func(stage, round int)
	// Synced is called just before Done, with when the synchronisation began.
	Synced func(stage, round int, since time.Duration)
	// Ran is called when a stage has run an operation since a time.
	Ran func(stage, round int, op Op, since time.Duration)
}

// Usage is how a stage spent the run so far. What is left of the elapsed time it
// waited for inputs, or had finished.
type Usage struct {
	Busy  time.Duration // forward and backward passes
	Sync  time.Duration // gradient synchronisation but what passes hide of it, and updates; without a flush what stages waited for them
	Stall time.Duration // inputs were there, Hooks.Ready was not true
	Held  time.Duration // nothing was under way, and the execution was paused
}

// Add sums two usages.
func (u Usage) Add(v Usage) Usage {
	return Usage{u.Busy + v.Busy, u.Sync + v.Sync, u.Stall + v.Stall, u.Held + v.Held}
}

// Exec runs a pipeline for a number of rounds as events: one event for each
// micro-batch on each segment, one for each transfer.
type Exec struct {
	p       *Pipeline
	e       *engine.Engine
	h       Hooks
	rounds  int
	split   bool
	paused  bool
	stages  []execStage
	lanes   []lane    // channel c: forward 2c, backward 2c+1
	in, out [][]int32 // channels of each segment
}

type execStage struct {
	round    int // finished rounds
	begun    int // rounds of which an operation has started
	turned   int // rounds of which a backward pass has started
	position int // in the operations of a round, or without a flush of the run
	ops      int // how many operations there are
	running  bool
	op       Op // the last one started, of round now
	now      int
	since    time.Duration
	until    time.Duration // when it ends, or would on idle links if
	open     bool          // others on its links have a say in that
	heldAt   time.Duration // while paused: nothing is under way since then
	freeAt   time.Duration // since when it has been free
	sends    []int32       // lanes over which what the last operation made is sent
	sent     int           // how many of them have been seen to; the next one is under way where it blocks

	segment, window int  // the only segment of the stage and its window, or
	order           []Op // the operations of a round

	usage    Usage
	stalled  bool
	stallAt  time.Duration
	syncAt   time.Duration // when the synchronisation began
	waiting  bool          // without a flush: for an update, since waitAt
	waitAt   time.Duration
	due      int // without a flush: rounds to synchronise, up to this one
	syncing  bool
	early    func()        // starts the synchronisation while the last pass runs, bound once; nil: it does not
	through  bool          // that has ended before the pass
	doneAt   time.Duration // when the last pass ended
	ready    func()        // meets the obligation that the stall has made
	begin    func()        // Exec.begin of this stage, bound once
	complete func()        // Exec.complete of this stage, bound once
	synced   func()        // Exec.synced of this stage, bound once
	updating bool          // with a flush: the optimizer is at work, until until
	stepped  func()        // Exec.finish of this stage, bound once
	finished func()        // meets the obligation to finish
}

// NewExec prepares a run of rounds steps of p, which must be valid and must not
// change. Start begins it.
func NewExec(e *engine.Engine, p *Pipeline, rounds int, h Hooks) *Exec {
	x := &Exec{
		p: p, e: e, h: h, rounds: rounds, split: p.split(),
		stages: make([]execStage, p.Stages),
		lanes:  make([]lane, 2*len(p.Channels)),
	}
	x.in, x.out = p.adjacency()
	x.assign()
	for i := range x.stages {
		st := &x.stages[i]
		st.running = true
		st.begin = func() { x.begin(i) }
		st.complete = func() { x.complete(i) }
		st.synced = func() { x.synced(i) }
		st.stepped = func() { x.finish(i) }
		if p.lead(i) > 0 {
			st.early = func() { x.sync(i) }
		}
	}
	for c, ch := range p.Channels {
		from, to := p.Segments[ch.From].Stage, p.Segments[ch.To].Stage
		x.lanes[2*c] = lane{target: to, source: from, blocking: ch.Blocking, duration: ch.Forward, done: func() { x.arrive(2 * c) }}
		x.lanes[2*c+1] = lane{target: from, source: to, blocking: ch.Blocking, duration: ch.Backward, done: func() { x.arrive(2*c + 1) }}
	}
	return x
}

// assign gives every stage the operations of a round. Without a flush a run is one
// long step.
func (x *Exec) assign() {
	p := x.p
	if p.shared() || p.split() {
		p.program(func(op Op) {
			st := &x.stages[p.Segments[op.Segment].Stage]
			st.order = append(st.order, op)
			st.ops++
		})
		return
	}
	for i, s := range p.Segments {
		m := p.Microbatches
		if x.flows() {
			m *= x.rounds
		}
		st := &x.stages[s.Stage]
		st.segment, st.window, st.ops = i, min(m, p.window(i)), 2*m
		if p.ForwardOnly {
			st.window, st.ops = m, m
		}
	}
}

// flows reports whether rounds are not flushed.
func (x *Exec) flows() bool { return x.p.Schedule.Staleness > 0 }

// Start lets every stage begin its first round at the engine's present time. A
// run that ends before all have finished their last round is a deadlock, which
// the engine reports.
func (x *Exec) Start() {
	if x.rounds < 1 {
		return
	}
	for i := range x.stages {
		x.stages[i].finished = x.e.Expect(fmt.Sprintf("stage %d done with all %d rounds", i, x.rounds))
		x.stages[i].running, x.stages[i].freeAt = false, x.e.Now()
	}
	for i := range x.stages {
		x.try(i)
	}
}

// Wake tells a stage that Hooks.Ready may have become true.
func (x *Exec) Wake(stage int) { x.try(stage) }

// Usage returns how a stage has spent its time; an operation counts from its start.
func (x *Exec) Usage(stage int) Usage { return x.stages[stage].usage }

// next returns the operation that a stage has to run next, and its round.
func (x *Exec) next(st *execStage) (op Op, round int) {
	if st.order != nil {
		return st.order[st.position], st.round
	}
	m, round := x.p.Microbatches, st.round
	if x.flows() {
		m *= x.rounds
	}
	micro, pass := opAt(st.position, st.window, m)
	if x.flows() {
		round, micro = micro/x.p.Microbatches, micro%x.p.Microbatches
	}
	return Op{Segment: int32(st.segment), Micro: int32(micro), Pass: pass}, round
}

// arrived reports whether all inputs of an operation have arrived. What the gradient
// of weights needs is there: it comes after the backward pass on the same stage.
func (x *Exec) arrived(op Op, round int) bool {
	need := round*x.p.Microbatches + int(op.Micro) + 1
	switch op.Pass {
	case Forward:
		for _, c := range x.in[op.Segment] {
			if x.lanes[2*c].arrived < need {
				return false
			}
		}
	case Backward:
		for _, c := range x.out[op.Segment] {
			if x.lanes[2*c+1].arrived < need {
				return false
			}
		}
	}
	return true
}

// try starts the next operation of a stage if it is free and its inputs are there.
func (x *Exec) try(i int) {
	st := &x.stages[i]
	if st.running || st.round == x.rounds || x.paused {
		return
	}
	if st.position == st.ops {
		if !x.flows() {
			x.computed(i)
		}
		return
	}
	op, round := x.next(st)
	if !x.arrived(op, round) || round == st.begun && !(x.updated(i, round) && x.mayStart(i, round)) {
		return
	}
	st.running, st.op, st.now, st.open = true, op, round, false
	st.begun = max(st.begun, round+1)
	st.until = x.e.Now()
	if wait := st.freeAt + x.receive(op) - x.e.Now(); wait > 0 {
		x.e.After(wait, st.begin)
		return
	}
	x.begin(i)
}

// begin runs the operation that a stage has turned to and has all it needs for.
func (x *Exec) begin(i int) {
	st := &x.stages[i]
	st.since = x.e.Now()
	d := x.run(i, st.now, st.op)
	st.until = st.since + d
	st.usage.Busy += d
	if st.early != nil && st.position == st.ops-1 {
		x.e.After(max(0, d-x.p.lead(i)), st.early)
	}
	if st.op.Pass == Backward && st.now == st.turned {
		st.turned++
		if x.h.Backward != nil {
			x.h.Backward(i, st.now)
		}
	}
}

// run lets an operation begin, and returns what it takes, or would on idle links.
func (x *Exec) run(i, round int, op Op) time.Duration {
	st, d := &x.stages[i], x.duration(op, round)
	if st.open = x.h.Pass != nil && x.h.Pass(i, round, op, d, st.complete); st.open {
		return d
	}
	if x.h.Takes != nil {
		d = x.h.Takes(i, round, op, d)
	}
	x.e.After(d, st.complete)
	return d
}

// computed ends the passes of a stage's round: its gradients are synchronised now, or
// have been since before.
func (x *Exec) computed(i int) {
	st := &x.stages[i]
	st.running, st.doneAt = true, x.e.Now()
	switch {
	case st.early == nil:
		x.sync(i)
	case st.through:
		st.through = false
		x.synced(i)
	}
}

// sync starts the synchronisation of a stage's gradients.
func (x *Exec) sync(i int) {
	st := &x.stages[i]
	st.syncing, st.syncAt = true, x.e.Now()
	if x.h.Sync != nil {
		x.h.Sync(i, x.p.Sync[i], st.synced)
		return
	}
	if !x.flows() && st.early == nil {
		st.usage.Sync += x.p.Sync[i]
	}
	x.e.After(x.p.Sync[i], st.synced)
}

// updated reports whether a stage's weights are new enough for a round, and keeps
// the time for which it waits until they are. With a flush they always are.
func (x *Exec) updated(i, round int) bool {
	st := &x.stages[i]
	if round-st.round > x.p.Schedule.Staleness {
		if !st.waiting {
			st.waiting, st.waitAt = true, x.e.Now()
		}
		return false
	}
	if st.waiting {
		st.waiting = false
		st.usage.Sync += x.e.Now() - st.waitAt
	}
	return true
}

// duration is how long an operation of a round takes.
func (x *Exec) duration(op Op, round int) time.Duration {
	d := x.p.Segments[op.Segment].of(op.Pass, x.split)
	if op.Pass != Forward || x.h.Ahead == nil {
		return d
	}
	return max(0, d-x.h.Ahead(int(op.Segment), round, int(op.Micro)))
}

// mayStart asks Hooks.Ready for a stage whose inputs are there, and keeps the
// stall's time. While the stage is stalled it is an obligation that the answer
// becomes true, so that a run that ends before names what it waited for.
func (x *Exec) mayStart(i, round int) bool {
	st := &x.stages[i]
	if x.h.Ready != nil && !x.h.Ready(i, round) {
		if !st.stalled {
			st.stalled, st.stallAt = true, x.e.Now()
			st.ready = x.e.Expect(fmt.Sprintf("stage %d ready for round %d", i, round))
		}
		return false
	}
	if st.stalled {
		st.stalled = false
		st.usage.Stall += x.e.Now() - st.stallAt
		st.ready()
		if x.h.Stalled != nil {
			x.h.Stalled(i, round, st.stallAt)
		}
	}
	return true
}

// complete ends the operation that a stage is running and sends its output on.
func (x *Exec) complete(i int) {
	st := &x.stages[i]
	op := st.op
	if st.open {
		st.usage.Busy += x.e.Now() - st.until
		st.open = false
	}
	st.until = x.e.Now() // it may still have to send
	if x.h.Ran != nil {
		x.h.Ran(i, st.now, op, st.since)
	}
	switch op.Pass {
	case Backward:
		for _, c := range x.in[op.Segment] {
			st.sends = append(st.sends, 2*c+1)
		}
	case Forward:
		for _, c := range x.out[op.Segment] {
			st.sends = append(st.sends, 2*c)
		}
	}
	x.hand(i)
}

// synced begins the update of a stage's parameters, unless its last pass is still under
// way.
func (x *Exec) synced(i int) {
	st := &x.stages[i]
	if st.early != nil && (st.position < st.ops || !st.running) { // or paused since
		st.through = true
		return
	}
	if st.early != nil {
		st.usage.Sync += x.e.Now() - st.doneAt
	} else if x.h.Sync != nil && !x.flows() {
		st.usage.Sync += x.e.Now() - st.syncAt
	}
	d := x.p.update(i)
	if d == 0 {
		x.finish(i)
		return
	}
	if !x.flows() { // else it is beside the passes
		st.updating, st.until = true, x.e.Now()+d
		st.usage.Sync += d
	}
	x.e.After(d, st.stepped)
}

// finish ends a stage's round.
func (x *Exec) finish(i int) {
	st := &x.stages[i]
	since, round := st.syncAt, st.round
	st.updating = false
	st.round++
	st.syncing = false
	if x.flows() {
		if st.due > st.round {
			x.sync(i)
		}
	} else {
		st.position = 0
		x.free(st)
	}
	if st.round == x.rounds {
		st.finished()
	}
	if x.h.Synced != nil {
		x.h.Synced(i, round, since)
	}
	if x.h.Done != nil {
		x.h.Done(i, round)
	}
	x.try(i)
}

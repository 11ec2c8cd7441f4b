package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/network"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Job is a training run: a plan, run for a number of rounds.
type Job struct {
	Problem *placement.Problem
	Plan    *placement.Plan // feasible
	Rounds  int
	// Embeddings are the layers that use a slot table where the plan puts them
	// on an accelerator; layers that it puts on CPUs are passed over.
	Embeddings []Embedding
	// MaxEvents bounds the run; 0: engine.DefaultMaxEvents.
	MaxEvents uint64
}

// Embedding is a layer behind a slot table.
type Embedding struct {
	Layer    int
	Trace    *lookups.Trace // at least Job.Rounds rounds
	Slots    slots.Config
	RowBytes unit.Bytes
}

// Enough adds to a *slots.ShortageError, which speaks of one round, how many slots
// would do for the whole trace. Other errors are returned as they are.
func (em *Embedding) Enough(err error, lookahead int) error {
	var short *slots.ShortageError
	if !errors.As(err, &short) {
		return err
	}
	return fmt.Errorf("%w; %d slots suffice for all %d rounds", err, slots.MinSlots(em.Trace, lookahead), em.Trace.Rounds())
}

// Train simulates a job: micro-batches through the stages under the schedule,
// transfers over links that they share, gradient synchronisation, and for
// stages with embedding layers on accelerators the slot tables, filled up to
// Problem.Lookahead rounds ahead.
//
// It returns what the rounds took, stage by stage. When ctx ends or MaxEvents do
// not suffice, the rounds finished so far are returned together with an error
// that wraps ctx's or is an *engine.LimitError. A table that is too small is an
// error that wraps a *slots.ShortageError.
func Train(ctx context.Context, job Job) (*Run, error) {
	t, err := newTraining(job)
	if err != nil {
		return nil, err
	}
	err = t.e.Run(ctx)
	if t.failure != nil {
		return nil, t.failure
	}
	var limit *engine.LimitError
	if errors.As(err, &limit) {
		err = fmt.Errorf("limits.events = %d did not suffice: raise it, or take fewer rounds or micro-batches: %w", limit.Value, err)
	}
	return t.finish(), err
}

// Run is what a training run took.
type Run struct {
	Rounds []Round
	End    time.Duration // of the last finished round
	Events uint64
	Counts slots.Counts // over the finished rounds and all slot tables

	// Usage is how each stage spent the time until Elapsed: End, or later when the
	// run was stopped in the middle of a round. An operation that was cut short
	// counts in full, so that a stage of a stopped run may have used a little more.
	Usage   []pipeline.Usage
	Elapsed time.Duration
}

// training is the state of one run.
type training struct {
	job     Job
	e       *engine.Engine
	exec    *pipeline.Exec
	stages  []*trainStage
	rounds  []Round
	waiting []int // per round: stages that have not finished it
	done    int   // finished rounds
	counts  []slots.Counts
	failure error // of a process: the run cannot go on
}

// trainStage is the slot tables of one stage and what they wait for.
type trainStage struct {
	index      int
	embeddings []Embedding
	tables     []*slots.Table
	ready      int              // rounds whose rows are in place
	finished   []*engine.Signal // per round: its updates are done
	stalled    time.Duration
}

func newTraining(job Job) (*training, error) {
	if job.Rounds < 1 {
		return nil, fmt.Errorf("rounds = %d: at least 1", job.Rounds)
	}
	if !job.Plan.Fitness.Feasible {
		return nil, fmt.Errorf("the scheme cannot be run: %s", job.Plan.Reason)
	}
	pipe, transfers, err := job.Problem.Pipeline(job.Plan)
	if err != nil {
		return nil, err
	}
	if pipeline.NewRecurrence(pipe).Step() == 0 {
		return nil, fmt.Errorf("the scheme takes no time: every part of it is shorter than half a nanosecond")
	}
	t := &training{
		job:     job,
		e:       engine.New(engine.Options{MaxEvents: job.MaxEvents}),
		rounds:  make([]Round, job.Rounds),
		waiting: make([]int, job.Rounds),
		counts:  make([]slots.Counts, job.Rounds),
	}
	for r := range t.waiting {
		t.waiting[r] = pipe.Stages
	}
	if err := t.embed(pipe.Stages); err != nil {
		return nil, err
	}
	hooks := pipeline.Hooks{Transfer: t.wire(pipe, transfers), Ready: t.isReady, Done: t.stageDone}
	t.exec = pipeline.NewExec(t.e, pipe, job.Rounds, hooks)
	t.start()
	return t, nil
}

// embed makes the slot tables of the stages that need them.
func (t *training) embed(stages int) error {
	t.stages = make([]*trainStage, stages)
	for i := range t.stages {
		t.stages[i] = &trainStage{index: i, ready: t.job.Rounds}
	}
	for _, em := range t.job.Embeddings {
		pool := &t.job.Problem.Cluster.Pools[t.job.Plan.Scheme[em.Layer]]
		if !pool.Device.Kind.Accelerator() {
			continue
		}
		if em.Trace.Rounds() < t.job.Rounds {
			return fmt.Errorf("the lookups of layer %q end after %d of %d rounds", t.job.Problem.Model.Layers[em.Layer].Name, em.Trace.Rounds(), t.job.Rounds)
		}
		table, err := slots.New(em.Slots)
		if err != nil {
			return fmt.Errorf("slot table of layer %q: %w", t.job.Problem.Model.Layers[em.Layer].Name, err)
		}
		st := t.stages[t.job.Plan.StageOf[em.Layer]]
		st.embeddings, st.tables = append(st.embeddings, em), append(st.tables, table)
		st.ready = 0
	}
	return nil
}

// start begins the pipeline and one prefetch process for every stage with slot tables.
func (t *training) start() {
	for _, st := range t.stages {
		if len(st.tables) == 0 {
			continue
		}
		st.finished = make([]*engine.Signal, t.job.Rounds)
		for r := range st.finished {
			st.finished[r] = t.e.Signal(fmt.Sprintf("round %d of stage %d", r, st.index))
		}
		t.e.Go(fmt.Sprintf("prefetch of stage %d", st.index), func(p *engine.Process) { t.prefetch(p, st) })
	}
	t.e.After(0, t.exec.Start)
}

// prefetch brings the rows of one round after another into their slots, at most
// Lookahead rounds before the round that computes.
func (t *training) prefetch(p *engine.Process, st *trainStage) {
	ahead := t.job.Problem.Lookahead
	for r := range t.job.Rounds {
		if before := r - 1 - ahead; before >= 0 {
			p.Wait(st.finished[before])
		}
		d, err := t.plan(st, r)
		if err != nil {
			t.failure = err
			return // the pipeline waits for ever; Train reports the failure
		}
		p.Sleep(d)
		st.ready = r + 1
		t.exec.Wake(st.index)
	}
}

// plan updates the slot tables of a stage for round r and returns how long the
// rows take to arrive. A round in flight keeps its rows until the round that is
// Lookahead + 1 later is planned, so that what is in the slots never depends on
// timing.
func (t *training) plan(st *trainStage, r int) (time.Duration, error) {
	var sum slots.Counts
	var in, out float64
	for i, table := range st.tables {
		for table.InFlight() > t.job.Problem.Lookahead {
			table.Release()
		}
		em := &st.embeddings[i]
		c, err := table.Plan(em.Trace.Round(r))
		if err != nil {
			return 0, fmt.Errorf("slot table of layer %q: %w", t.job.Problem.Model.Layers[em.Layer].Name, em.Enough(err, t.job.Problem.Lookahead))
		}
		row := float64(em.RowBytes)
		in += float64(c.Misses) * row
		out += float64(c.WriteBacks) * row
		used := sum.Used + c.Used
		sum = sum.Add(c)
		sum.Used = used
	}
	used := t.counts[r].Used + sum.Used
	t.counts[r] = t.counts[r].Add(sum)
	t.counts[r].Used = used
	t.addBytes(r, in, out)
	return t.job.Problem.FetchTime(&t.job.Plan.Stages[st.index],
		float64(sum.Unique), float64(sum.Misses), float64(sum.WriteBacks), in, out)
}

func (t *training) addBytes(r int, in, out float64) {
	rd := &t.rounds[r]
	if rd.Slots == nil {
		rd.Slots = &SlotCounters{}
	}
	rd.Slots.BytesIn += int64(in)
	rd.Slots.BytesOut += int64(out)
}

func (t *training) isReady(stage, round int) bool { return t.stages[stage].ready > round }

// stageDone notes that a stage has finished a round.
func (t *training) stageDone(stage, round int) {
	st := t.stages[stage]
	if st.finished != nil {
		st.finished[round].Fire()
	}
	stalled := t.exec.Usage(stage).Stall
	rd := &t.rounds[round]
	rd.Stall = max(rd.Stall, stalled-st.stalled)
	st.stalled = stalled
	if t.waiting[round]--; t.waiting[round] > 0 {
		return
	}
	rd.Round, rd.End = round, t.e.Now()
	if round > 0 {
		rd.Start = t.rounds[round-1].End
	}
	rd.StepTime = rd.End - rd.Start
	t.done = round + 1
}

// finish collects the rounds that were finished.
func (t *training) finish() *Run {
	run := &Run{
		Rounds: t.rounds[:t.done], Events: t.e.Events(),
		Usage: make([]pipeline.Usage, len(t.stages)), Elapsed: t.e.Now(),
	}
	for i := range t.stages {
		run.Usage[i] = t.exec.Usage(i)
	}
	for r := range run.Rounds {
		rd := &run.Rounds[r]
		if s := rd.StepTime.Seconds(); s > 0 {
			rd.Throughput = float64(t.job.Problem.Batch) / s
		}
		run.End = rd.End
		c := t.counts[r]
		run.Counts = run.Counts.Add(c)
		if rd.Slots == nil {
			continue
		}
		*rd.Slots = SlotCounters{
			Lookups: int64(c.Lookups), Unique: int64(c.Unique), Hits: int64(c.Hits), Misses: int64(c.Misses),
			Evictions: int64(c.Evictions), WriteBacks: int64(c.WriteBacks), HitRatio: c.UniqueHitRatio(),
			BytesIn: rd.Slots.BytesIn, BytesOut: rd.Slots.BytesOut, Used: int64(c.Used),
		}
	}
	return run
}

// wire lays the links of the plan's stages and returns the transfer hook. A stage
// has one link out and one in for each class of its ports, which all its
// transfers share: that is where they contend.
func (t *training) wire(pipe *pipeline.Pipeline, transfers []placement.Transfer) func(int, bool, func()) {
	net := network.New(t.e)
	type port struct {
		stage int
		class placement.LinkClass
		in    bool
	}
	ids := map[port]network.LinkID{}
	link := func(stage, other int, class placement.LinkClass, in bool) network.LinkID {
		at := port{stage, class, in}
		id, ok := ids[at]
		if !ok {
			a, b := &t.job.Plan.Stages[stage], &t.job.Plan.Stages[other]
			id = net.Link(fmt.Sprintf("stage %d", stage), unit.Rate(t.job.Problem.PortRate(a.Pool, b.Pool, a.Devices)))
			ids[at] = id
		}
		return id
	}
	type lane struct{ forward, backward []network.LinkID }
	lanes := make([]lane, len(transfers))
	for i, tr := range transfers {
		if tr.Forward.Bytes == 0 && tr.Backward.Bytes == 0 {
			continue
		}
		from, to := pipe.Segments[pipe.Channels[i].From].Stage, pipe.Segments[pipe.Channels[i].To].Stage
		lanes[i].forward = []network.LinkID{link(from, to, tr.Class, false), link(to, from, tr.Class, true)}
		lanes[i].backward = []network.LinkID{link(to, from, tr.Class, false), link(from, to, tr.Class, true)}
	}
	return func(c int, backward bool, done func()) {
		move, path := transfers[c].Forward, lanes[c].forward
		if backward {
			move, path = transfers[c].Backward, lanes[c].backward
		}
		net.Transfer(path, move.Bytes, move.Time, done)
	}
}

package sim

import (
	"context"
	"fmt"
	"time"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/pipeline"
	"stowage/sim/placement"
	"stowage/sim/rounds"
	"stowage/sim/slots"
	"stowage/workloads/lookups"
)

// Job is a training run: a plan, run for a number of rounds.
type Job struct {
	Name    string // in errors, where there are several; may be empty
	Problem *placement.Problem
	Plan    *placement.Plan // feasible
	Taken   []int           // devices of each pool that jobs before have; nil: none
	Rounds  int
	// Embeddings are the layers that use a slot table where the plan puts them
	// on an accelerator; layers that it puts on CPUs are passed over.
	Embeddings []Embedding
	// Feed holds the rules by which their rows get into place, and the costs that
	// do not follow from the hardware; what the plan decides is left out.
	Feed rounds.Spec
	// Stores is the tier below host memory as one node of each pool uses it; nil:
	// host memory holds all rows.
	Stores []rounds.Tier
	// Record says what of the run to keep in Run.Timeline.
	Record Recording
	// Trouble is what goes wrong; nil: nothing does.
	Trouble *Trouble
	// MaxEvents bounds the run; 0: engine.DefaultMaxEvents.
	MaxEvents uint64
}

// Recording is what of a run to keep.
type Recording uint8

// The recordings: of nothing, of one warm step, of all rounds.
const (
	RecordNothing Recording = iota
	RecordStep
	RecordAll
)

// Embedding is a layer behind a slot table.
type Embedding struct {
	Layer    int
	Trace    *lookups.Trace // at least Job.Rounds rounds
	Rows     int64          // of the layer
	Profile  *lookups.Trace // of the same keys, says which rows are hot; nil: the trace itself
	Layout   lookups.Layout // of the trace's raw lookups, where it has them
	Slots    slots.Config
	RowBytes unit.Bytes // of a slot
	OutBytes unit.Bytes // of a row's value, which devices exchange

	// StateBytes of optimizer state stay on the host for each row.
	StateBytes unit.Bytes

	// Hosted is how many rows host memory holds, as a cache over Job.Stores; 0: all.
	Hosted                 int64
	BelowSlots, BelowHosts rounds.Rule
}

// Train simulates a job: micro-batches through the stages under the schedule,
// transfers over links that they share, gradient synchronisation, and for
// stages with embedding layers on accelerators the slot tables (package rounds).
//
// It returns what the rounds took, stage by stage. When ctx ends or MaxEvents do
// not suffice, the rounds finished so far are returned together with an error
// that wraps ctx's or is an *engine.LimitError. A table that is too small is an
// error that wraps a *slots.ShortageError.
func Train(ctx context.Context, job Job) (*Run, error) {
	runs, err := TrainTogether(ctx, []Job{job})
	if runs == nil {
		return nil, err
	}
	return runs[0], err
}

// Run is what a training run took.
type Run struct {
	Rounds []Round
	End    time.Duration // of the last finished round
	Events uint64
	Counts slots.Counts // over the finished rounds and all slot tables

	counts []slots.Counts // per round

	PeakUsed int64         // most slots in use at a time, all slot tables together
	Stalls   rounds.Stalls // waits for embedding rows, by cause, over all stages
	Splits   int           // rounds or passes that were cut into parts
	Waits    int           // times that one waited for slots

	// Usage is how each stage spent the time until Elapsed: End, or later when the
	// run was stopped in the middle of a round. An operation that was cut short
	// counts in full, so that a stage of a stopped run may have used a little more.
	Usage   []pipeline.Usage
	Elapsed time.Duration

	// Timeline is nil when nothing was recorded, or the step did not end.
	Timeline *Timeline

	// Links are the MostLinks of the cluster's network that carried most for what they
	// can, in this order; nil without a network.
	Links []Link

	// Incidents, Lost, LostRounds and Losses say what went wrong; see Result. Redone
	// counts the rounds that were done and lost, Checkpoints those that were finished.
	Incidents                   []Incident
	Lost                        []LostTime
	LostRounds                  []Round
	Losses, Redone, Checkpoints int
	// Down is how long every stage waited for repairs, restarts and reconfigurations, and
	// Shrunk how long the job trained with replicas missing.
	Down, Shrunk time.Duration
	// Beside are the runs of other jobs at the same time.
	Beside []*Run
	// Notes are about trouble that came to nothing.
	Notes []string
}

// WarmCounts sums the counts of the rounds from one on, over all slot tables.
func (run *Run) WarmCounts(from int) (sum slots.Counts) {
	for _, c := range run.counts[min(from, len(run.counts)):] {
		sum = sum.Add(c)
	}
	return sum
}

// training is the state of one run.
type training struct {
	job     Job // with the plan of the replicas that take part
	fabric  *fabric
	e       *engine.Engine
	pipe    *pipeline.Pipeline
	seats   []seat // per stage
	run     *Run
	exec    *pipeline.Exec
	rounds  []Round
	waiting []int // per round: stages that have not finished it
	done    int   // finished rounds
	wires   *wires
	feeds   []*rounds.Feed  // per stage; nil: no slot tables
	stalled []time.Duration // per stage, until its last finished round
	stageOf []int           // per segment

	recorder *recorder // nil: nothing is recorded
	over     func()    // called at the end of the last round

	troubled
}

func newTraining(f *fabric, job Job) (*training, error) {
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
	if pipeline.StepTime(pipe) == 0 {
		return nil, fmt.Errorf("the scheme takes no time: every part of it is shorter than half a nanosecond")
	}
	t := &training{
		job:     job,
		fabric:  f,
		e:       f.e,
		pipe:    pipe,
		seats:   seats(job.Plan, job.Taken),
		run:     &Run{counts: make([]slots.Counts, job.Rounds), Usage: make([]pipeline.Usage, pipe.Stages)},
		rounds:  make([]Round, job.Rounds),
		waiting: make([]int, job.Rounds),
	}
	for _, g := range pipe.Segments {
		t.stageOf = append(t.stageOf, g.Stage)
	}
	if t.wires, err = newWires(f, &t.job, pipe, transfers, t.seats, nil); err != nil {
		return nil, err
	}
	for r := range t.waiting {
		t.waiting[r] = pipe.Stages
	}
	t.recorder = t.newRecorder(pipe)
	if err := t.meetTrouble(); err != nil {
		return nil, err
	}
	return t, t.begin(0)
}

// begin lets the job begin a round at the engine's present time: the first one, or the
// one after the last checkpoint.
func (t *training) begin(base int) error {
	t.base, t.from = base, t.e.Now()
	if t.recorder != nil {
		t.recorder.begin(base)
	}
	if t.recovery != nil {
		t.scope = t.e.NewScope()
		defer t.e.Enter(t.e.Enter(t.scope))
	}
	if err := t.embed(t.pipe.Stages); err != nil {
		return err
	}
	t.exec = pipeline.NewExec(t.e, t.pipe, t.job.Rounds-base, t.hooks())
	t.start()
	return nil
}

// hooks connect the pipeline to the rest. Their rounds are counted from base.
func (t *training) hooks() pipeline.Hooks {
	hooks := pipeline.Hooks{
		Transfer: t.wires.transfer, Ready: t.isReady, Ahead: t.ahead, Stalled: t.waited, Backward: t.turned, Done: t.stageDone,
	}
	if t.wires.topology != nil {
		hooks.Sync = t.wires.topology.sync
		if t.wires.topology.passes != nil {
			hooks.Pass = t.pass
		}
	}
	t.hookTrouble(&hooks)
	if t.recorder != nil {
		t.recorder.listen(&hooks)
	}
	return hooks
}

// embed makes the feeds of the stages with embedding layers on accelerators.
func (t *training) embed(stages int) error {
	t.feeds = make([]*rounds.Feed, stages)
	t.stalled = make([]time.Duration, stages)
	layers := make([][]rounds.Layer, stages)
	for i := range t.job.Embeddings {
		em := &t.job.Embeddings[i]
		if Accelerated(t.job.Problem.Cluster, t.job.Plan, em.Layer) {
			s := t.job.Plan.StageOf[em.Layer]
			layers[s] = append(layers[s], em.RoundsLayer(t.job.Problem.Model.Layers[em.Layer].Name, t.base))
		}
	}
	for s, ls := range layers {
		if len(ls) == 0 {
			continue
		}
		if t.job.Problem.Schedule.Staleness > 0 {
			return fmt.Errorf("schedule %q does not flush, and the rows of %s are in slots, which belong to the rounds that use them: take a schedule that flushes", t.job.Problem.Schedule.Name, ls[0].Name)
		}
		spec, hooks := t.job.feed(s, ls, t.base), rounds.Hooks{
			Ready:    func(int) { t.exec.Wake(s) },
			Transfer: t.wires.host(s),
		}
		if t.recorder != nil {
			hooks.Transfer = t.recorder.host(s, hooks.Transfer)
		}
		if t.wires.topology != nil {
			spec.Crossing, hooks.Exchange = true, t.wires.topology.exchange(s)
		}
		feed, err := rounds.New(t.e, spec, hooks)
		if err != nil {
			return err
		}
		t.feeds[s] = feed
	}
	return nil
}

// RoundsLayer describes an embedding layer of some name to package rounds, from a round
// on.
func (em *Embedding) RoundsLayer(name string, from int) rounds.Layer {
	cfg, trace, profile := em.Slots, em.Trace, em.Profile
	if from > 0 {
		if profile == nil {
			profile = trace
		}
		trace = trace.From(from)
		if cfg.Future != nil {
			cfg.Future = cfg.Future.From(from)
		}
	}
	return rounds.Layer{
		Name: name, Trace: trace, Rows: em.Rows, Profile: profile, Layout: em.Layout, Slots: cfg,
		RowBytes: em.RowBytes, OutBytes: em.OutBytes, StateBytes: em.StateBytes,
		Hosted: em.Hosted, BelowSlots: em.BelowSlots, BelowHosts: em.BelowHosts,
	}
}

// feed describes the feed of a stage from a round on: the job's rules on the stage's
// hardware.
func (job *Job) feed(stage int, layers []rounds.Layer, from int) rounds.Spec {
	st := &job.Plan.Stages[stage]
	pool := &job.Problem.Cluster.Pools[st.Pool]
	spec := job.Feed
	spec.Name = fmt.Sprintf("stage %d", stage)
	spec.Layers, spec.Rounds, spec.Devices = layers, job.Rounds-from, st.Devices
	spec.Batch = job.Problem.Batch
	spec.Lookahead, spec.ReadOnly = job.Problem.Lookahead, job.Problem.Inference
	spec.Costs = Costs(spec.Costs, pool)
	spec.Costs.Local = st.Gather
	if job.Stores != nil {
		spec.Costs.Store = job.Stores[st.Pool]
	}
	return spec
}

// Costs puts in what follows from the hardware of a pool.
func Costs(c rounds.Costs, pool *hw.Pool) rounds.Costs {
	c.Index = pool.Device.Gather.Rows
	c.Host, c.Sockets = pool.Host.Gather, float64(max(1, pool.Node.Hosts))
	c.PerNode, c.Link = pool.Node.Devices, pool.Node.HostLink
	c.Peer, c.NIC = pool.Node.PeerLink, pool.Node.NIC
	if c.Peer.Bandwidth == 0 {
		c.Peer = pool.Node.HostLink // through the host
	}
	return c
}

// start begins the pipeline and the feeds.
func (t *training) start() {
	for _, f := range t.feeds {
		if f != nil {
			f.Start()
		}
	}
	t.e.After(0, t.exec.Start)
}

func (t *training) isReady(stage, round int) bool {
	return t.feeds[stage] == nil || t.feeds[stage].Ready(round)
}

// ahead returns how much of a forward pass was done while its rows still came from the
// host: the devices read their own memory micro-batch by micro-batch, each segment its
// layers' rows.
func (t *training) ahead(segment, round, micro int) time.Duration {
	f := t.feeds[t.stageOf[segment]]
	if f == nil || f.Ahead(round) == 0 {
		return 0
	}
	each := t.job.Plan.Stages[t.stageOf[segment]].Gather / float64(t.job.Problem.Microbatches)
	done := min(each, max(0, f.Ahead(round).Seconds()-float64(micro)*each))
	d, err := unit.Seconds(done / each * t.job.Plan.Gathers[segment])
	if err != nil {
		panic(err) // the forward pass is longer, and has passed
	}
	return d
}

func (t *training) waited(stage, round int, since time.Duration) {
	t.feeds[stage].Stalled(round, since, t.e.Now())
}

func (t *training) turned(stage, round int) {
	if f := t.feeds[stage]; f != nil {
		f.Backward(round)
	}
}

// failed returns why a feed could not go on, or the job not begin anew.
func (t *training) failed() error {
	if t.fault != nil {
		return t.fault
	}
	for _, f := range t.feeds {
		if f != nil && f.Failed() != nil {
			return f.Failed()
		}
	}
	return nil
}

// stageDone notes that a stage has finished a round.
func (t *training) stageDone(stage, round int) {
	if f := t.feeds[stage]; f != nil {
		f.Computed(round)
	}
	round += t.base
	stalled := t.exec.Usage(stage).Stall
	rd := &t.rounds[round]
	rd.Stall = max(rd.Stall, stalled-t.stalled[stage])
	t.stalled[stage] = stalled
	t.reached = max(t.reached, round)
	if t.waiting[round]--; t.waiting[round] > 0 {
		return
	}
	rd.Round, rd.End = round, t.e.Now()
	if round > 0 {
		rd.Start = t.rounds[round-1].End
	}
	rd.Start = max(rd.Start, t.from)
	rd.StepTime = rd.End - rd.Start
	t.done = round + 1
	t.roundDone()
}

// finish collects the rounds that were finished. A job beside others ends when its own
// rounds do.
func (t *training) finish(beside bool) *Run {
	run := t.run
	run.Rounds, run.Events, run.Elapsed = t.rounds[:t.done], t.e.Events(), t.e.Now()
	if beside && t.done == t.job.Rounds {
		run.Elapsed = run.Rounds[t.done-1].End
	}
	t.collect(t.done)
	t.account()
	if t.recorder != nil {
		run.Timeline = t.recorder.finish(run.Rounds)
	}
	for i := range run.Usage {
		if t.exec != nil { // it has not been given up
			run.Usage[i] = run.Usage[i].Add(t.exec.Usage(i))
		}
	}
	if t.wires.topology != nil {
		run.Links = t.wires.topology.busiest(t.e.Now())
	}
	run.counts = run.counts[:t.done]
	for r := range run.Rounds {
		rd := &run.Rounds[r]
		if s := rd.StepTime.Seconds(); s > 0 {
			rd.Throughput = float64(t.job.Problem.Batch) / s
		}
		run.End = rd.End
		if rd.Slots != nil {
			run.Counts.Used = int(rd.Slots.Used)
			if rd.Slots.Unique > 0 {
				rd.Slots.HitRatio = float64(rd.Slots.Hits) / float64(rd.Slots.Unique)
			}
		}
	}
	return run
}

// collect takes over what the feeds did in the rounds from base on until one.
func (t *training) collect(until int) {
	for _, f := range t.feeds {
		if f != nil {
			t.run.Splits += f.Splits()
			t.run.Waits += f.Waits()
		}
	}
	for r := t.base; r < until; r++ {
		for _, f := range t.feeds {
			if f != nil {
				t.run.addRound(&t.rounds[r], f, r-t.base)
			}
		}
	}
}

// addRound adds what the feed of one stage did in a round, its own number of which is
// given.
func (run *Run) addRound(rd *Round, f *rounds.Feed, own int) {
	if rd.Slots == nil {
		rd.Slots = &SlotCounters{}
	}
	w := f.Round(own)
	s, c := rd.Slots, w.Counts
	s.Lookups += int64(c.Lookups)
	s.Unique += int64(c.Unique)
	s.Hits += int64(c.Hits)
	s.Misses += int64(c.Misses)
	s.Bypasses += int64(c.Bypasses)
	s.Evictions += int64(c.Evictions)
	s.WriteBacks += int64(c.WriteBacks)
	s.BytesIn += int64(w.In)
	s.BytesOut += int64(w.Out)
	s.BytesPast += int64(w.Past)
	s.Used += int64(c.Used)
	s.Traded += int64(w.Traded)
	s.StoreReads += int64(w.StoreReads)
	s.StoreWrites += int64(w.StoreWrites)
	run.PeakUsed = max(run.PeakUsed, s.Used)
	run.Counts = run.Counts.Add(c)
	run.counts[rd.Round] = run.counts[rd.Round].Add(c)
	run.Stalls = run.Stalls.Add(f.StallsOf(own))
}

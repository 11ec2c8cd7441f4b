package sim

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"stowage/sim/pipeline"
	"stowage/sim/placement"
)

// MaxSpans bounds what a timeline of all rounds keeps: some 150 MB. MaxStepSpans
// bounds that of one step.
const (
	MaxSpans     = 1 << 21
	MaxStepSpans = 1 << 18
)

// SpanKind is what took the time of a Span.
type SpanKind uint8

// The kinds of spans, in the order of legends.
const (
	SpanForward SpanKind = iota
	SpanBackward
	SpanWeight     // gradients of weights, where the schedule splits backward passes
	SpanSync       // gradients among replicas, and the update
	SpanStall      // waiting for embedding rows
	SpanActivation // a transfer forward
	SpanGradient   // a transfer backward
	SpanFetch      // rows from hosts to devices
	SpanWriteBack  // rows from devices to hosts
	SpanCheckpoint // rounds wait for a checkpoint
	SpanWaiting    // for a lost device to be repaired
	SpanRestart
	SpanLost // the last work before a device was lost, as much as is done again
	SpanDetection
	SpanReconfiguration
	SpanTransfer // of what was learned, to devices that have none of it
)

// String names a kind.
func (k SpanKind) String() string { return spanNames[k] }

var spanNames = [...]string{"forward", "backward", "weight", "sync", "stall", "activations", "gradients", "fetch", "write back", "checkpoint", "waiting for repair", "restart", "lost work", "detection", "reconfiguration", "state transfer"}

// SpanKinds returns all kinds in order.
func SpanKinds() []SpanKind {
	kinds := make([]SpanKind, len(spanNames))
	for i := range kinds {
		kinds[i] = SpanKind(i)
	}
	return kinds
}

// Timeline says what happened when: in one step of a run and whatever else was under
// way then, or in all rounds.
type Timeline struct {
	Round    int // the step, and when it began and ended
	From, To time.Duration
	Tracks   []Track
	Spans    []Span // by start, then by track
	Missing  int    // spans beyond MaxSpans
	// Memory is that of every stage in the step; nil when not all spans were kept.
	Memory []StageMemory
}

// Track is what does one thing after the other: the devices of a stage, or a link
// between two stages in one direction. Rows of embeddings may share theirs.
type Track struct {
	Name        string
	Stage       int // whose devices they are, or where the link begins
	Link, Rows  bool
	To          int // Link: the stage at the other end
	Synchronous bool
	Trouble     bool // of the whole job
}

// Span is one thing that happened. Segment and Micro are -1 where they do not apply;
// Round is too. Of a transfer Segment is where it begins.
type Span struct {
	Start, End   time.Duration
	Track        int32
	Segment, To  int32 // To: of a transfer, where it ends
	Micro, Round int32
	Kind         SpanKind
	Attempt      int32 // how often the job had begun anew
	channel      int32 // of a transfer
}

// recorder fills in a timeline. It records the rounds from first to last.
type recorder struct {
	t           *training
	pipe        *pipeline.Pipeline
	round       int // the one step; the others recorded are near enough to overlap with it
	first, last int
	whole       bool
	limit       int
	line        Timeline
	lanes       []laneTrack // per channel and direction
	rows        [][2]int32  // per stage: tracks of fetch and write back, 0: none yet
	syncs       []int32     // per stage: of synchronisation beside the passes, 0: none yet
	troubles    int32       // track of checkpoints and losses, 0: none yet
	begins      []beginning // when the job began, and began anew
}

// beginning is when a job began, with which replicas.
type beginning struct {
	at        time.Duration
	plan      *placement.Plan
	transfers []placement.Transfer
}

// laneTrack is one direction of a channel.
type laneTrack struct {
	track int32
	moved int // transfers begun
}

// newRecorder makes the recorder of a run; nil: nothing is recorded, and the run is as
// fast as can be.
func (t *training) newRecorder(pipe *pipeline.Pipeline) *recorder {
	if t.job.Record == RecordNothing {
		return nil
	}
	near := 1 + pipe.Schedule.Staleness
	round := WarmFrom(t.job.Rounds, t.job.Feed.Pass)
	r := &recorder{
		t: t, pipe: pipe, round: round, first: round - near, last: round + near, limit: MaxStepSpans,
		rows: make([][2]int32, pipe.Stages), syncs: make([]int32, pipe.Stages),
	}
	if t.job.Record == RecordAll {
		r.first, r.last, r.whole, r.limit = 0, t.job.Rounds, true, MaxSpans
	}
	for i := range pipe.Stages {
		r.line.Tracks = append(r.line.Tracks, Track{Name: t.stageName(i), Stage: i})
	}
	r.channels()
	return r
}

// listen has the recorder told what the pipeline does.
func (r *recorder) listen(h *pipeline.Hooks) {
	h.Ran, h.Synced, h.Stalled = r.ran, r.synced, r.stalled
	h.Transfer = r.transfer(h.Transfer)
}

// stageName is how a stage's track is called.
func (t *training) stageName(i int) string {
	st := &t.job.Plan.Stages[i]
	return fmt.Sprintf("stage %d: %s × %d", i+1, t.job.Problem.Cluster.Pools[st.Pool].Name, st.Devices)
}

// channels makes the tracks of links.
func (r *recorder) channels() {
	of := map[[2]int]int32{}
	for _, c := range r.pipe.Channels {
		from, to := r.pipe.Segments[c.From].Stage, r.pipe.Segments[c.To].Stage
		for _, ends := range [][2]int{{from, to}, {to, from}} {
			if _, ok := of[ends]; !ok && from != to { // within a stage data stays in place
				of[ends] = int32(len(r.line.Tracks))
				r.line.Tracks = append(r.line.Tracks, Track{
					Name: fmt.Sprintf("link %d → %d", ends[0]+1, ends[1]+1), Stage: ends[0], To: ends[1], Link: true,
				})
			}
			r.lanes = append(r.lanes, laneTrack{track: of[ends]})
		}
	}
}

func (r *recorder) add(s Span) {
	if int(s.Round) < r.first || int(s.Round) > r.last {
		return
	}
	if len(r.line.Spans) == r.limit {
		r.line.Missing++
		return
	}
	s.Attempt = int32(len(r.begins) - 1)
	r.line.Spans = append(r.line.Spans, s)
}

var passKinds = [...]SpanKind{pipeline.Forward: SpanForward, pipeline.Backward: SpanBackward, pipeline.Weight: SpanWeight}

func (r *recorder) ran(stage, round int, op pipeline.Op, since time.Duration) {
	round += r.t.base
	r.add(Span{Start: since, End: r.t.e.Now(), Track: int32(stage), Segment: op.Segment, To: -1, Micro: op.Micro, Round: int32(round), Kind: passKinds[op.Pass]})
}

// synced is told when a stage's gradients are synchronised. Where that goes on beside
// the passes it has a track of its own.
func (r *recorder) synced(stage, round int, since time.Duration) {
	round += r.t.base
	track := int32(stage)
	if since == r.t.e.Now() {
		return
	}
	if r.pipe.Schedule.Staleness > 0 || r.pipe.Lead != nil && r.pipe.Lead[stage] > 0 {
		if r.syncs[stage] == 0 {
			r.syncs[stage] = int32(len(r.line.Tracks))
			r.line.Tracks = append(r.line.Tracks, Track{Name: fmt.Sprintf("gradients of stage %d", stage+1), Stage: stage, Synchronous: true})
		}
		track = r.syncs[stage]
	}
	r.add(Span{Start: since, End: r.t.e.Now(), Track: track, Segment: -1, To: -1, Micro: -1, Round: int32(round), Kind: SpanSync})
}

func (r *recorder) stalled(stage, round int, since time.Duration) {
	r.t.waited(stage, round, since)
	round += r.t.base
	r.add(Span{Start: since, End: r.t.e.Now(), Track: int32(stage), Segment: -1, To: -1, Micro: -1, Round: int32(round), Kind: SpanStall})
}

// transfer wraps the hook that moves micro-batches.
func (r *recorder) transfer(move func(c int, backward bool, done func())) func(c int, backward bool, done func()) {
	return func(c int, backward bool, done func()) {
		lane, kind, from, to := &r.lanes[2*c], SpanActivation, r.pipe.Channels[c].From, r.pipe.Channels[c].To
		if backward {
			lane, kind, from, to = &r.lanes[2*c+1], SpanGradient, to, from
		}
		s := Span{
			Start: r.t.e.Now(), Track: lane.track, Segment: int32(from), To: int32(to), Kind: kind, channel: int32(c),
			Round: int32(lane.moved / r.pipe.Microbatches), Micro: int32(lane.moved % r.pipe.Microbatches),
		}
		lane.moved++
		if int(s.Round) < r.first || int(s.Round) > r.last {
			move(c, backward, done)
			return
		}
		move(c, backward, func() {
			s.End = r.t.e.Now()
			r.add(s)
			done()
		})
	}
}

// host wraps the hook that moves the rows of a stage. Rows belong to rounds that are
// to come, or are over: they are recorded around the step.
func (r *recorder) host(stage int, move func(toDevice bool, bytes float64, done func())) func(toDevice bool, bytes float64, done func()) {
	return func(toDevice bool, bytes float64, done func()) {
		way, kind, name := 1, SpanWriteBack, "rows out of stage %d"
		if toDevice {
			way, kind, name = 0, SpanFetch, "rows into stage %d"
		}
		if r.rows[stage][way] == 0 {
			r.rows[stage][way] = int32(len(r.line.Tracks))
			r.line.Tracks = append(r.line.Tracks, Track{Name: fmt.Sprintf(name, stage+1), Stage: stage, Rows: true})
		}
		s := Span{Start: r.t.e.Now(), Track: r.rows[stage][way], Segment: -1, To: -1, Micro: -1, Round: int32(r.t.done), Kind: kind}
		move(toDevice, bytes, func() {
			s.End = r.t.e.Now()
			r.add(s)
			done()
		})
	}
}

// begin notes that the job begins a round, for the first time or anew.
func (r *recorder) begin(base int) {
	r.pipe = r.t.pipe
	r.begins = append(r.begins, beginning{r.t.e.Now(), r.t.job.Plan, r.t.wires.transfers})
	for i := range r.lanes {
		r.lanes[i].moved = base * r.pipe.Microbatches
	}
}

// trouble records what was between rounds, until now.
func (r *recorder) trouble(kind SpanKind, since time.Duration) {
	if r.troubles == 0 {
		r.troubles = int32(len(r.line.Tracks))
		r.line.Tracks = append(r.line.Tracks, Track{Name: "checkpoints and losses", Trouble: true})
	}
	r.add(Span{Start: since, End: r.t.e.Now(), Track: r.troubles, Segment: -1, To: -1, Micro: -1, Round: int32(r.t.done), Kind: kind})
}

// finish returns the timeline; nil: the run ended before its step did, or it has more
// spans than one step may have.
func (r *recorder) finish(done []Round) *Timeline {
	if len(done) == 0 || !r.whole && (len(done) <= r.round || r.line.Missing > 0) {
		return nil
	}
	line := &r.line
	line.Round = min(r.round, len(done)-1)
	line.From, line.To = done[line.Round].Start, done[line.Round].End
	if line.Missing == 0 {
		line.Memory = r.memory(line.From, line.To)
	}
	line.Spans = slices.DeleteFunc(line.Spans, func(s Span) bool {
		return s.End == s.Start || !r.whole && (s.End <= line.From || s.Start >= line.To)
	})
	slices.SortStableFunc(line.Spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Track, b.Track), cmp.Compare(a.End, b.End))
	})
	return line
}

// Package pipeline says how micro-batches flow through the stages of a scheme:
// the schedule (data), its exact makespan by a max-plus recurrence, and its
// execution as events on sim/engine. One executor and one recurrence serve every
// schedule.
//
// A pipeline is a graph of segments in topological order. A segment is what a
// stage does to a micro-batch in one go; with contiguous merging each stage has
// one, with by-type merging a stage may own several, between which the data
// leaves it. Channels carry activations forward and their gradients backward; a
// channel moves one micro-batch at a time in each direction, in order.
package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stowage/hw/unit"
)

// MaxOps bounds the operations and transfers of one step, (segments + channels) x
// micro-batches x 2, and with them its memory: some 60 bytes for each.
const MaxOps = 1 << 24

// Pipeline is one training step, timed for each part as if it ran alone.
type Pipeline struct {
	Stages       int             // resources; each runs one operation at a time
	Segments     []Segment       // topological order
	Channels     []Channel       // From < To
	Sync         []time.Duration // per stage: gradient synchronisation after its last backward
	Lead         []time.Duration // per stage, or nil: by how much Sync begins before the end of the stage's last pass of a step
	Update       []time.Duration // per stage, or nil: the optimizer's, after Sync
	Microbatches int
	Schedule     Schedule
	// ForwardOnly leaves out every backward operation (inference).
	ForwardOnly bool
}

// Segment is the work of one stage on one micro-batch in one go.
type Segment struct {
	Stage             int
	Forward, Backward time.Duration
	// Weight is the part of Backward that computes the gradients of weights, which
	// schedules that split backward passes may put off.
	Weight time.Duration
}

// of returns how long a pass through the segment takes.
func (s *Segment) of(pass Pass, split bool) time.Duration {
	switch {
	case pass == Forward:
		return s.Forward
	case pass == Weight:
		return s.Weight
	case split:
		return s.Backward - s.Weight
	}
	return s.Backward
}

// Channel moves data between two segments, durations per micro-batch when the
// links on the way are not shared.
//
// Without more, data moves beside the operations. Where it blocks, a stage sends what an
// operation made before it does anything else, and one that turns to data that is on its
// way, or has come, still takes as long to receive it: an operation starts when all its
// inputs have arrived, and not before its stage was free for as long as the blocking ones
// among them took. (A receiver that is late delays nobody but itself: what it was sent is
// kept for it, so that no order of operations can wait for itself.)
type Channel struct {
	From, To          int // segments
	Forward, Backward time.Duration
	Blocking          bool
}

// Validate checks indices, signs, limits and the schedule. Everything else in this
// package wants a valid pipeline.
func (p *Pipeline) Validate() error {
	if p.Stages < 1 || len(p.Segments) < p.Stages {
		return fmt.Errorf("pipeline: %d segments on %d stages: every stage needs at least one", len(p.Segments), p.Stages)
	}
	if p.Microbatches < 1 {
		return fmt.Errorf("pipeline: %d micro-batches: at least 1 is needed", p.Microbatches)
	}
	if parts := 2 * (len(p.Segments) + len(p.Channels)); p.Microbatches > MaxOps/parts {
		return fmt.Errorf("pipeline: a step of %d segments, %d channels and %d micro-batches has more operations and transfers than the limit MaxOps = %d: use fewer micro-batches or stages",
			len(p.Segments), len(p.Channels), p.Microbatches, MaxOps)
	}
	if len(p.Sync) != p.Stages {
		return fmt.Errorf("pipeline: %d synchronisation times for %d stages", len(p.Sync), p.Stages)
	}
	if err := p.checkSegments(); err != nil {
		return err
	}
	if err := p.checkLeads(); err != nil {
		return err
	}
	if p.Update != nil && len(p.Update) != p.Stages || slices.ContainsFunc(p.Update, func(d time.Duration) bool { return d < 0 }) {
		return fmt.Errorf("pipeline: updates take %v on %d stages: a time for each, 0 or more", p.Update, p.Stages)
	}
	for i, c := range p.Channels {
		if c.From < 0 || c.To >= len(p.Segments) || c.From >= c.To {
			return fmt.Errorf("pipeline: channel %d goes from segment %d to %d: it must go forward within %d segments", i, c.From, c.To, len(p.Segments))
		}
		if c.Forward < 0 || c.Backward < 0 {
			return fmt.Errorf("pipeline: channel %d has a negative time", i)
		}
		if c.Blocking && p.Schedule.Staleness > 0 {
			return fmt.Errorf("pipeline: channel %d blocks its stages, and schedule %q does not flush", i, p.Schedule.Name)
		}
	}
	if err := p.checkTotal(); err != nil {
		return err
	}
	return p.checkSchedule()
}

// checkSegments checks that every segment has a stage and every stage a segment.
func (p *Pipeline) checkSegments() error {
	used := make([]bool, p.Stages)
	for i, s := range p.Segments {
		if s.Stage < 0 || s.Stage >= p.Stages {
			return fmt.Errorf("pipeline: segment %d is on stage %d: stages are 0 to %d", i, s.Stage, p.Stages-1)
		}
		if s.Forward < 0 || s.Backward < 0 {
			return fmt.Errorf("pipeline: segment %d has a negative time", i)
		}
		if s.Weight < 0 || s.Weight > s.Backward {
			return fmt.Errorf("pipeline: segment %d computes gradients of weights for %v of its backward pass of %v", i, s.Weight, s.Backward)
		}
		used[s.Stage] = true
	}
	for i, u := range used {
		if !u {
			return fmt.Errorf("pipeline: stage %d has no segment", i)
		}
		if p.Sync[i] < 0 {
			return fmt.Errorf("pipeline: stage %d has a negative synchronisation time", i)
		}
	}
	return nil
}

// checkLeads checks that synchronisation begins within passes that there are: no lead is
// longer than any pass that may be a stage's last one.
func (p *Pipeline) checkLeads() error {
	if p.Lead == nil {
		return nil
	}
	if len(p.Lead) != p.Stages {
		return fmt.Errorf("pipeline: %d leads of synchronisation for %d stages", len(p.Lead), p.Stages)
	}
	for _, s := range p.Segments {
		last, lead := s.Backward, p.Lead[s.Stage]
		if p.split() {
			last = s.Weight
		}
		if lead < 0 || lead > last || lead > 0 && (p.ForwardOnly || p.Schedule.Staleness > 0) {
			return fmt.Errorf("pipeline: synchronisation of stage %d begins %v before the end of its last pass, of %v: that needs a flush and a longer pass", s.Stage, lead, last)
		}
	}
	return nil
}

// lead returns by how much the synchronisation of a stage begins before the end of its
// last pass.
func (p *Pipeline) lead(stage int) time.Duration {
	if p.Lead == nil {
		return 0
	}
	return p.Lead[stage]
}

// update returns how long the optimizer of a stage takes.
func (p *Pipeline) update(stage int) time.Duration {
	if p.Update == nil {
		return 0
	}
	return p.Update[stage]
}

// checkTotal checks that a step fits the clock even if nothing overlaps, so that
// no sum of times can overflow.
func (p *Pipeline) checkTotal() error {
	micro, sync := time.Duration(0), time.Duration(0)
	fits := true
	add := func(sum *time.Duration, t time.Duration) {
		if fits = fits && t <= unit.MaxTime-*sum; fits {
			*sum += t
		}
	}
	for _, s := range p.Segments {
		add(&micro, s.Forward)
		add(&micro, s.Backward)
	}
	for _, c := range p.Channels {
		add(&micro, c.Forward)
		add(&micro, c.Backward)
	}
	for _, t := range p.Sync {
		add(&sync, t)
	}
	for _, t := range p.Update {
		add(&sync, t)
	}
	if !fits || micro > (unit.MaxTime-sync)/time.Duration(p.Microbatches) {
		return fmt.Errorf("pipeline: the times of a step of %d micro-batches add up to more than the clock's %v", p.Microbatches, unit.MaxTime)
	}
	return nil
}

// checkSchedule checks that the schedule can be followed.
func (p *Pipeline) checkSchedule() error {
	if p.Schedule.Window == nil {
		return fmt.Errorf("pipeline: no schedule: one of %s", strings.Join(ScheduleNames(), ", "))
	}
	if p.Schedule.Staleness > 0 && p.shared() {
		return fmt.Errorf("pipeline: schedule %q does not flush, and %d stages own %d segments: without a flush every stage has one, as with merge = \"contiguous\"",
			p.Schedule.Name, p.Stages, len(p.Segments))
	}
	return p.Schedule.check(len(p.Segments), p.Microbatches)
}

// blocks reports whether some channel does.
func (p *Pipeline) blocks() bool {
	return slices.ContainsFunc(p.Channels, func(c Channel) bool { return c.Blocking })
}

// shared reports whether some stage owns more than one segment.
func (p *Pipeline) shared() bool { return len(p.Segments) > p.Stages }

// split reports whether backward passes are split. Without backward passes they are not.
func (p *Pipeline) split() bool { return p.Schedule.Delay != nil && !p.ForwardOnly }

// window returns the schedule's window of a segment.
func (p *Pipeline) window(segment int) int {
	return p.Schedule.window(segment, len(p.Segments), p.Microbatches)
}

// stageOf returns the stage of every segment.
func (p *Pipeline) stageOf() []int {
	of := make([]int, len(p.Segments))
	for g := range of {
		of[g] = p.Segments[g].Stage
	}
	return of
}

// windows returns the windows of all segments.
func (p *Pipeline) windows() []int {
	w := make([]int, len(p.Segments))
	for s := range w {
		w[s] = p.window(s)
	}
	return w
}

// delays returns the delays of all segments; nil: backward passes are not split.
func (p *Pipeline) delays() []int {
	if !p.split() {
		return nil
	}
	d := make([]int, len(p.Segments))
	for s := range d {
		d[s] = p.Schedule.delay(s, len(d), p.Microbatches)
	}
	return d
}

// isChain reports whether every stage has one segment and channel i leads from
// segment i to i+1, and there are no others.
func (p *Pipeline) isChain() bool {
	if p.shared() || len(p.Channels) != len(p.Segments)-1 {
		return false
	}
	for i, c := range p.Channels {
		if c.From != i || c.To != i+1 {
			return false
		}
	}
	return true
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

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
	"time"
)

// MaxOps bounds the operations of one step: segments x micro-batches x 2.
const MaxOps = 1 << 28

// Pipeline is one training step, timed for each part as if it ran alone.
type Pipeline struct {
	Stages       int             // resources; each runs one operation at a time
	Segments     []Segment       // topological order
	Channels     []Channel       // From < To
	Sync         []time.Duration // per stage: gradient synchronisation after its last backward
	Microbatches int
	Schedule     Schedule
	// ForwardOnly leaves out every backward operation (inference).
	ForwardOnly bool
}

// Segment is the work of one stage on one micro-batch in one go.
type Segment struct {
	Stage             int
	Forward, Backward time.Duration
}

// Channel moves data between two segments, durations per micro-batch when the
// links on the way are not shared.
type Channel struct {
	From, To          int // segments
	Forward, Backward time.Duration
}

// Validate checks indices, signs and limits.
func (p *Pipeline) Validate() error {
	if p.Stages < 1 || len(p.Segments) < p.Stages {
		return fmt.Errorf("pipeline: %d segments on %d stages: every stage needs at least one", len(p.Segments), p.Stages)
	}
	if p.Microbatches < 1 {
		return fmt.Errorf("pipeline: %d micro-batches: at least 1 is needed", p.Microbatches)
	}
	if ops := 2 * len(p.Segments) * p.Microbatches; ops > MaxOps {
		return fmt.Errorf("pipeline: %d operations in a step exceed the limit MaxOps = %d: use fewer micro-batches or stages", ops, MaxOps)
	}
	if len(p.Sync) != p.Stages {
		return fmt.Errorf("pipeline: %d synchronisation times for %d stages", len(p.Sync), p.Stages)
	}
	if p.Schedule.Window == nil {
		return fmt.Errorf("pipeline: no schedule")
	}
	used := make([]bool, p.Stages)
	for i, s := range p.Segments {
		if s.Stage < 0 || s.Stage >= p.Stages {
			return fmt.Errorf("pipeline: segment %d is on stage %d of %d", i, s.Stage, p.Stages)
		}
		if s.Forward < 0 || s.Backward < 0 {
			return fmt.Errorf("pipeline: segment %d has a negative time", i)
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
	for i, c := range p.Channels {
		if c.From < 0 || c.To >= len(p.Segments) || c.From >= c.To {
			return fmt.Errorf("pipeline: channel %d goes from segment %d to %d: it must go forward within %d segments", i, c.From, c.To, len(p.Segments))
		}
		if c.Forward < 0 || c.Backward < 0 {
			return fmt.Errorf("pipeline: channel %d has a negative time", i)
		}
	}
	return nil
}

// shared reports whether some stage owns more than one segment.
func (p *Pipeline) shared() bool { return len(p.Segments) > p.Stages }

// window returns the schedule's window of a segment, within 1 and Microbatches.
func (p *Pipeline) window(segment int) int {
	return min(p.Microbatches, max(1, p.Schedule.Window(segment, len(p.Segments), p.Microbatches)))
}

// windows returns the windows of all segments.
func (p *Pipeline) windows() []int {
	w := make([]int, len(p.Segments))
	for s := range w {
		w[s] = p.window(s)
	}
	return w
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

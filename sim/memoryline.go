package sim

import (
	"cmp"
	"slices"
	"time"

	"stowage/hw/unit"
	"stowage/sim/placement"
)

// StageMemory is what changes in the memory of one device of a stage in a step; what
// does not change is in Stage.Memory.
type StageMemory struct {
	Stage  int
	Points []MemoryPoint // by time; the first one is when the step begins
}

// MemoryPoint is the memory from a time on.
type MemoryPoint struct {
	At time.Duration
	// Activations are kept from the begin of a micro-batch's forward pass to the end of
	// the last pass that needs them: backward, or that of its weights' gradients; what is
	// computed again, of the largest layer, is there during the backward pass. In
	// inference it is the largest layer's, while it passes.
	Activations unit.Bytes
	// Buffers hold what comes from other stages, from the begin of the transfer to that
	// of the pass that takes it. The closed form counts inputs with the pass alone.
	Buffers unit.Bytes
}

// Peak returns the most activations and the most of both kinds together.
func (m *StageMemory) Peak() (activations, both unit.Bytes) {
	for _, p := range m.Points {
		activations, both = max(activations, p.Activations), max(both, p.Activations+p.Buffers)
	}
	return activations, both
}

// memoryStep is a change of a stage's memory.
type memoryStep struct {
	at                   time.Duration
	stage                int
	activations, buffers int32 // which: segment (behind all of them, what it computes again) or channel's direction, plus 1; 0: none
	by                   int   // 1 or -1
}

// memory works out the memory of all stages between two times from all that was
// recorded, in the order in which it was: what ends frees memory before what begins
// at the same instant takes it.
func (r *recorder) memory(from, to time.Duration) []StageMemory {
	begun := r.begun(from)
	steps := r.memorySteps(begun.at)
	slices.SortStableFunc(steps, func(a, b memoryStep) int {
		return cmp.Compare(a.at, b.at)
	})
	kept, again := r.t.job.Problem.Kept(begun.plan)
	kept = append(kept, again...)
	lanes := r.laneBytes(&begun)
	lines := make([]StageMemory, r.pipe.Stages)
	held, coming := make([][]int, len(lines)), make([][]int, len(lines))
	for i := range lines {
		lines[i] = StageMemory{Stage: i, Points: []MemoryPoint{{At: from}}}
		held[i], coming[i] = make([]int, len(kept)), make([]int, len(lanes))
	}
	for _, s := range steps {
		if s.at >= to {
			break
		}
		if s.activations > 0 {
			held[s.stage][s.activations-1] += s.by
		} else {
			coming[s.stage][s.buffers-1] += s.by
		}
		p := MemoryPoint{max(s.at, from), weigh(held[s.stage], kept), weigh(coming[s.stage], lanes)}
		points := &lines[s.stage].Points
		switch last := &(*points)[len(*points)-1]; {
		case last.Activations == p.Activations && last.Buffers == p.Buffers:
		case last.At == p.At && p.At == from:
			*last = p
		default:
			*points = append(*points, p)
		}
	}
	return lines
}

// weigh sums counts of things of so many bytes each.
func weigh(counts []int, bytes []float64) unit.Bytes {
	sum := 0.0
	for i, n := range counts {
		sum += float64(n) * bytes[i]
	}
	return unit.Bytes(sum + 0.5)
}

// laneBytes returns what a device of the receiving stage gets of a micro-batch, per
// channel and direction.
func (r *recorder) laneBytes(b *beginning) []float64 {
	bytes := make([]float64, 2*len(r.pipe.Channels))
	for c, ch := range r.pipe.Channels {
		tr := &b.transfers[c]
		from, to := r.pipe.Segments[ch.From].Stage, r.pipe.Segments[ch.To].Stage
		bytes[2*c] = tr.Forward.Bytes / float64(r.holders(&b.plan.Stages[to]))
		bytes[2*c+1] = tr.Backward.Bytes / float64(r.holders(&b.plan.Stages[from]))
	}
	return bytes
}

// holders returns among how many devices of a stage what comes from others is divided:
// those that compute layers together hold all of it each, unless they divide sequences.
func (r *recorder) holders(st *placement.Stage) int {
	if r.t.job.Problem.SequenceParallel {
		return st.Devices
	}
	return st.Devices / st.Tensor
}

// begun returns when the job began, or last began anew with empty memory, before a time.
func (r *recorder) begun(at time.Duration) (begun beginning) {
	for _, b := range r.begins {
		if b.at <= at {
			begun = b
		}
	}
	return begun
}

// memorySteps lists the changes that spans make which begin at a time or later.
func (r *recorder) memorySteps(begun time.Duration) []memoryStep {
	type pass struct {
		kind                  SpanKind
		segment, micro, round int32
	}
	free := SpanBackward
	switch {
	case r.pipe.ForwardOnly:
		free = SpanForward
	case r.pipe.Schedule.Delay != nil:
		free = SpanWeight
	}
	begins := map[pass]time.Duration{}
	var steps []memoryStep
	for i := range r.line.Spans {
		s := &r.line.Spans[i]
		if s.Kind > SpanWeight || s.Start < begun {
			continue
		}
		begins[pass{s.Kind, s.Segment, s.Micro, s.Round}] = s.Start
		if s.Kind == SpanForward {
			steps = append(steps, memoryStep{at: s.Start, stage: int(s.Track), activations: s.Segment + 1, by: 1})
		}
		if s.Kind == SpanBackward {
			again := s.Segment + int32(len(r.pipe.Segments)) + 1
			steps = append(steps, memoryStep{at: s.Start, stage: int(s.Track), activations: again, by: 1}, memoryStep{at: s.End, stage: int(s.Track), activations: again, by: -1})
		}
		if s.Kind == free {
			steps = append(steps, memoryStep{at: s.End, stage: int(s.Track), activations: s.Segment + 1, by: -1})
		}
	}
	for i := range r.line.Spans {
		s := &r.line.Spans[i]
		kind, way := SpanForward, int32(0)
		switch s.Kind {
		case SpanActivation:
		case SpanGradient:
			kind, way = SpanBackward, 1
		default:
			continue
		}
		if s.Start < begun {
			continue
		}
		stage := r.pipe.Segments[s.To].Stage
		lane := 2*s.channel + way + 1
		steps = append(steps, memoryStep{at: s.Start, stage: stage, buffers: lane, by: 1})
		if at, ok := begins[pass{kind, s.To, s.Micro, s.Round}]; ok {
			steps = append(steps, memoryStep{at: at, stage: stage, buffers: lane, by: -1})
		}
	}
	return steps
}

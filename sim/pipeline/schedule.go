package pipeline

import (
	"fmt"
	"slices"
)

// Schedule is the order of micro-batches through segments, as data: every
// segment first runs Window forward passes, then alternates one backward and
// one forward pass until the forward passes are used up, then drains. What else
// a schedule may say refines that; one recurrence and one executor follow it.
type Schedule struct {
	Name  string
	Title string
	// Window returns how many forward passes of segment s of n come before its first
	// backward pass. It must not grow with s. It is kept within 1 and the micro-batches
	// that may be under way: those of a step, or without a flush those that Staleness
	// lets in.
	Window func(s, n, microbatches int) int
	// Delay, where it is not nil, splits backward passes: the gradient of a segment's
	// input goes back at once, and that of its weights (Segment.Weight) is computed
	// after so many more backward passes, or at the end. Micro-batches keep their
	// activations until then. It must not shrink with s, and needs less than the
	// micro-batches of a step.
	Delay func(s, n, microbatches int) int
	// Chunked makes stages that own several segments, each as many and in the same
	// rotation, take as many micro-batches as there are stages through their first
	// segment, then the same through the next. Other stages with several segments, and
	// those of other schedules, follow the order of Pipeline.byUnits.
	Chunked bool
	// Staleness above 0 leaves out the flush between steps: a step may begin on weights
	// that miss the updates of so many steps before it. Updates are made beside the
	// passes, and in place.
	Staleness int
}

// Schedules lists every schedule in the order of help and legends.
var Schedules = []Schedule{
	{
		Name:   "gpipe",
		Title:  "all forward passes, then all backward passes (Huang et al., GPipe, NeurIPS 2019)",
		Window: func(_, _, m int) int { return m },
	},
	{
		Name:   "1f1b",
		Title:  "one forward, one backward, flushed each step (Narayanan et al., PipeDream-Flush, ICML 2021)",
		Window: oneForwardOneBackward,
	},
	{
		Name:    "interleaved",
		Title:   "1f1b over stages of several chunks, those of merge = \"by-type\" (Narayanan et al., Megatron-LM, SC 2021)",
		Window:  oneForwardOneBackward,
		Chunked: true,
	},
	{
		Name:   "zb-h1",
		Title:  "1f1b with weight gradients delayed into the bubble (Qi et al., Zero Bubble Pipeline Parallelism, ICLR 2024)",
		Window: oneForwardOneBackward,
		Delay:  func(s, n, m int) int { return min(m, n) - min(m, n-s) },
	},
	{
		Name:      "async",
		Title:     "1f1b without a flush, on weights at most training.staleness steps old (as parameter servers do)",
		Window:    oneForwardOneBackward,
		Staleness: 1,
	},
}

func oneForwardOneBackward(s, n, _ int) int { return n - s }

// ScheduleNames returns the names of Schedules.
func ScheduleNames() []string {
	names := make([]string, len(Schedules))
	for i, s := range Schedules {
		names[i] = s.Name
	}
	return names
}

// LookupSchedule returns the schedule of that name.
func LookupSchedule(name string) (Schedule, bool) {
	i := slices.IndexFunc(Schedules, func(s Schedule) bool { return s.Name == name })
	if i < 0 {
		return Schedule{}, false
	}
	return Schedules[i], true
}

// Plain reports whether the schedule runs whole backward passes and flushes them.
func (s *Schedule) Plain() bool { return s.Delay == nil && s.Staleness == 0 }

// window returns Window, kept within what may be under way. Without a flush the
// first forward pass of a step waits for an update whose last backward pass must
// come before it in the order of the segment: that is so up to Staleness steps
// and a micro-batch.
func (s *Schedule) window(segment, n, microbatches int) int {
	most := microbatches
	if s.Staleness > 0 {
		most = s.Staleness*microbatches + 1
	}
	return min(most, max(1, s.Window(segment, n, microbatches)))
}

// delay returns Delay, or 0.
func (s *Schedule) delay(segment, n, microbatches int) int {
	if s.Delay == nil {
		return 0
	}
	return s.Delay(segment, n, microbatches)
}

// Held returns how many micro-batches' activations segment s of n holds at once when
// every stage has one segment: those ahead of its backward passes, and those that
// wait for their weight gradients.
func (s *Schedule) Held(segment, n, microbatches int) int {
	ahead := s.window(segment, n, microbatches)
	if s.Delay == nil {
		return ahead
	}
	return min(microbatches, ahead+s.delay(segment, n, microbatches))
}

// HeldBy is Held for segments on the stages of stageOf, by segment.
func (s *Schedule) HeldBy(stageOf []int, microbatches int) []int {
	held := make([]int, len(stageOf))
	if stages, ok := s.rotation(stageOf); ok {
		for r := range stages {
			turns{stages: stages, chunks: len(stageOf) / stages, microbatches: microbatches}.held(r, held)
		}
		return held
	}
	for g := range held {
		held[g] = s.Held(g, len(held), microbatches)
	}
	return held
}

// check says what is wrong with the schedule of n segments.
func (s *Schedule) check(n, microbatches int) error {
	if s.Staleness < 0 || s.Staleness > MaxOps {
		return fmt.Errorf("pipeline: schedule %q has a staleness of %d: from 0 to %d steps", s.Name, s.Staleness, MaxOps)
	}
	last, late := s.window(0, n, microbatches), 0
	for g := range n {
		// A later segment that held more micro-batches than an earlier one lets through
		// would wait for ever.
		w, d := s.window(g, n, microbatches), s.delay(g, n, microbatches)
		if w > last {
			return fmt.Errorf("pipeline: schedule %q lets segment %d hold %d micro-batches and segment %d only %d: windows must not grow along the pipeline",
				s.Name, g, w, g-1, last)
		}
		if d < late || d >= microbatches {
			return fmt.Errorf("pipeline: schedule %q delays weight gradients of segment %d by %d micro-batches, those of the one before by %d, in a step of %d: delays must not shrink along the pipeline, and end with the step",
				s.Name, g, d, late, microbatches)
		}
		last, late = w, d
	}
	return nil
}

// Pass is what an operation does.
type Pass uint8

// The passes. Backward makes the gradients of weights as well, unless the
// schedule leaves them to Weight.
const (
	Forward Pass = iota
	Backward
	Weight
)

// String returns the name of a pass.
func (p Pass) String() string { return [...]string{"forward", "backward", "weight"}[p] }

// Op is one operation: a pass of a micro-batch through a segment.
type Op struct {
	Segment, Micro int32
	Pass           Pass
}

// opAt returns the operation at a position of a segment's step: window forward
// passes, then a backward and a forward pass in turn, then the backward passes
// that are left. Forward passes alone are a window of all micro-batches, cut short.
func opAt(position, window, microbatches int) (micro int, pass Pass) {
	turn := position - window
	switch {
	case turn < 0:
		return position, Forward
	case turn >= 2*(microbatches-window):
		return position - microbatches, Backward
	case turn%2 == 1:
		return window + turn/2, Forward
	}
	return turn / 2, Backward
}

// columns calls do for every operation of a step in an order that respects all
// dependencies whenever windows w do not grow with the segment: column n holds the
// forward passes of micro-batch n, then the backward passes that may follow them.
// Forward s,m needs backward s,m-w[s], one column earlier; backward s,j needs
// backward s+1,j, in this column or an earlier one. With delays d, which may be
// nil, backward passes are followed by the weight gradients that are due.
func columns(w, d []int, m int, forwardOnly bool, do func(op Op)) {
	n := len(w)
	if forwardOnly {
		for i := range m {
			for s := range n {
				do(Op{Segment: int32(s), Micro: int32(i)})
			}
		}
		return
	}
	for i := range m + w[0] - 1 {
		if i < m {
			for s := range n {
				do(Op{Segment: int32(s), Micro: int32(i)})
			}
		}
		for s := n - 1; s >= 0; s-- {
			j := i - w[s] + 1
			if j < 0 || j >= m {
				continue
			}
			do(Op{Segment: int32(s), Micro: int32(j), Pass: Backward})
			if d != nil && j >= d[s] {
				do(Op{Segment: int32(s), Micro: int32(j - d[s]), Pass: Weight})
			}
		}
	}
	for s := range d {
		for j := m - d[s]; j < m; j++ {
			do(Op{Segment: int32(s), Micro: int32(j), Pass: Weight})
		}
	}
}

package pipeline

import (
	"cmp"
	"slices"
)

// Schedule is the order of micro-batches through segments, as data: every
// segment first runs Window forward passes, then alternates one backward and
// one forward pass until the forward passes are used up, then drains. Window is
// also the number of micro-batches whose activations the segment holds.
type Schedule struct {
	Name  string
	Title string
	// Window returns how many micro-batches segment s of n may hold between
	// forward and backward. It must not grow with s.
	Window func(s, n, microbatches int) int
}

// Schedules lists every schedule in the order of help and legends.
var Schedules = []Schedule{
	{
		Name:  "gpipe",
		Title: "all forward passes, then all backward passes (Huang et al., GPipe, NeurIPS 2019)",
		Window: func(_, _, m int) int {
			return m
		},
	},
	{
		Name:  "1f1b",
		Title: "one forward, one backward, flushed each step (Narayanan et al., PipeDream-Flush, ICML 2021)",
		Window: func(s, n, m int) int {
			return min(m, n-s)
		},
	},
}

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

// Op is one operation: the forward or backward pass of a micro-batch through a segment.
type Op struct {
	Segment, Micro int32
	Backward       bool
}

// opAt returns the operation at a position of a segment's step: window forward
// passes, then a backward and a forward pass in turn, then the backward passes
// that are left. Forward passes alone are a window of all micro-batches, cut short.
func opAt(position, window, microbatches int) (micro int, backward bool) {
	turn := position - window
	switch {
	case turn < 0:
		return position, false
	case turn >= 2*(microbatches-window):
		return position - microbatches, true
	case turn%2 == 1:
		return window + turn/2, false
	}
	return turn / 2, true
}

// columns calls do for every operation of a step in an order that respects all
// dependencies whenever windows do not grow with the segment: column n holds the
// forward passes of micro-batch n, then the backward passes that may follow them.
// Forward s,m needs backward s,m-w[s], one column earlier; backward s,j needs
// backward s+1,j, in this column or an earlier one.
func columns(w []int, m int, forwardOnly bool, do func(op Op)) {
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
			if j := i - w[s] + 1; j >= 0 && j < m {
				do(Op{Segment: int32(s), Micro: int32(j), Backward: true})
			}
		}
	}
}

// interleave orders the operations of a pipeline whose segments share stages:
// by the time at which they would start if every segment had a stage of its own
// and every operation took one unit. Dependencies then always point backwards,
// so the order cannot deadlock, and a stage turns to the next micro-batch while
// another works on the first.
func (p *Pipeline) interleave() []Op {
	n := len(p.Segments)
	unit := Pipeline{
		Stages: n, Segments: make([]Segment, n), Channels: make([]Channel, len(p.Channels)),
		Sync: nil, Microbatches: p.Microbatches, Schedule: p.Schedule, ForwardOnly: p.ForwardOnly,
	}
	for s := range unit.Segments {
		unit.Segments[s] = Segment{Stage: s, Forward: 1, Backward: 1}
	}
	for c := range unit.Channels {
		unit.Channels[c] = Channel{From: p.Channels[c].From, To: p.Channels[c].To}
	}
	r := newState(&unit)
	type timed struct {
		op  Op
		end int64
	}
	ops := make([]timed, 0, 2*n*p.Microbatches)
	columns(p.windows(), p.Microbatches, p.ForwardOnly, func(op Op) {
		ops = append(ops, timed{op, r.do(op)})
	})
	slices.SortStableFunc(ops, func(a, b timed) int { return cmp.Compare(a.end, b.end) })
	order := make([]Op, len(ops))
	for i, t := range ops {
		order[i] = t.op
	}
	return order
}

// InFlight returns the largest number of micro-batches whose activations each
// segment holds at once between their forward and backward passes. Without
// backward passes it is the one being worked on.
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

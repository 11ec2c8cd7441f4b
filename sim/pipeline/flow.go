package pipeline

import (
	"slices"
	"time"
)

// flow is the recurrence of steps that are not flushed: columns of micro-batches
// that never end, of which a round is every Microbatches in a row. Every stage has
// one segment.
type flow struct {
	p     *Pipeline
	st    *state // of a ring of micro-batches
	w     []int
	ring  int // micro-batches that can be under way
	stage []int

	gates [][]time.Duration // per stage and round, or nil
	total int               // micro-batches of the run; 0: no end

	column   int
	round    int     // of the next step
	syncFree []int64 // per stage
	updated  []int64 // [stage*kept + round%kept]: when its update was made
	kept     int
	ended    []int64 // by round%kept: the latest update
}

// newFlow lays out p.
func newFlow(p *Pipeline) *flow {
	f := &flow{p: p, w: p.windows(), stage: p.stageOf()}
	if p.ForwardOnly {
		for s := range f.w {
			f.w[s] = 1
		}
	}
	f.ring = f.w[0] + 1
	ring := *p
	ring.Microbatches = f.ring
	f.st = newState(&ring)
	// Rounds of which something is still to be asked: those that the windows span, and
	// the updates that Staleness lets be missed.
	f.kept = f.w[0]/p.Microbatches + p.Schedule.Staleness + 3
	f.syncFree = make([]int64, p.Stages)
	f.updated, f.ended = make([]int64, p.Stages*f.kept), make([]int64, f.kept)
	return f
}

func (f *flow) reset() {
	f.st.reset()
	f.column, f.round = 0, 0
	clear(f.syncFree)
	clear(f.updated)
	clear(f.ended)
}

// step runs the columns up to the end of the next round, and returns when it ends.
func (f *flow) step() int64 {
	f.round++
	for f.column < f.round*f.p.Microbatches+f.w[0]-1 {
		f.forwards(f.column)
		f.backwards(f.column)
		f.column++
	}
	slot := (f.round - 1) % f.kept
	end := f.ended[slot]
	f.ended[slot] = 0
	return end
}

// forwards passes micro-batch i through all segments.
func (f *flow) forwards(i int) {
	m, stale := f.p.Microbatches, f.p.Schedule.Staleness
	if f.total > 0 && i >= f.total {
		return
	}
	round := i / m
	for s, stage := range f.stage {
		if i%m == 0 {
			free := &f.st.free[stage]
			if round > stale {
				*free = max(*free, f.updated[stage*f.kept+(round-1-stale)%f.kept])
			}
			if f.gates != nil {
				*free = max(*free, int64(f.gates[stage][round]))
			}
		}
		t := f.st.do(Op{Segment: int32(s), Micro: int32(i % f.ring)})
		if f.p.ForwardOnly {
			f.sync(stage, i, t)
		}
	}
}

// backwards runs the backward passes that come after the forward passes of column i.
func (f *flow) backwards(i int) {
	if f.p.ForwardOnly {
		return
	}
	for s := len(f.w) - 1; s >= 0; s-- {
		j := i - f.w[s] + 1
		if j < 0 || f.total > 0 && j >= f.total {
			continue
		}
		t := f.st.do(Op{Segment: int32(s), Micro: int32(j % f.ring), Pass: Backward})
		f.sync(f.stage[s], j, t)
	}
}

// sync updates a stage's weights after the last pass of a round, at t.
func (f *flow) sync(stage, micro int, t int64) {
	m := f.p.Microbatches
	if micro%m != m-1 {
		return
	}
	t = max(t, f.syncFree[stage]) + int64(f.p.Sync[stage]+f.p.update(stage))
	f.syncFree[stage] = t
	slot := micro / m % f.kept
	f.updated[stage*f.kept+slot] = t
	f.ended[slot] = max(f.ended[slot], t)
}

// Cycles of steps that period finds, and after how many steps it gives up: long
// cycles come from times without a common measure, and the mean of many steps is
// then as good.
const (
	longestCycle = 8
	mostSteps    = 256
)

// period returns how long a step takes in the long run. When every time of the state
// has grown by the same since some steps ago, it will for ever: x(k+c) = x(k) + c
// period.
func (f *flow) period() time.Duration {
	var ends [mostSteps]int64
	var states [longestCycle][]int64
	for k := range ends {
		ends[k] = f.step()
		now := f.relative(states[k%longestCycle][:0], ends[k])
		for c := 1; c < longestCycle && c <= k; c++ {
			if slices.Equal(now, states[(k-c)%longestCycle]) {
				return time.Duration((ends[k] - ends[k-c]) / int64(c))
			}
		}
		states[k%longestCycle] = now
	}
	return max(f.busiest(), time.Duration((ends[mostSteps-1]-ends[mostSteps/2-1])/(mostSteps/2)))
}

// busiest returns what the busiest stage or channel needs for a step: no step of a
// run without end is shorter.
func (f *flow) busiest() time.Duration {
	var most time.Duration
	for i := range f.p.Segments {
		s := &f.p.Segments[i]
		pass := s.Forward
		if !f.p.ForwardOnly {
			pass += s.Backward
		}
		most = max(most, pass*time.Duration(f.p.Microbatches), f.p.Sync[s.Stage]+f.p.update(s.Stage))
	}
	for _, c := range f.p.Channels {
		most = max(most, c.Forward*time.Duration(f.p.Microbatches))
		if !f.p.ForwardOnly {
			most = max(most, c.Backward*time.Duration(f.p.Microbatches))
		}
	}
	return most
}

// relative appends every time that can still matter, before a round's end.
func (f *flow) relative(to []int64, end int64) []int64 {
	add := func(times []int64) {
		for _, t := range times {
			to = append(to, t-end)
		}
	}
	add(f.st.free)
	add(f.st.forwardFree)
	add(f.st.backwardFree)
	add(f.syncFree)
	for i := range f.kept {
		slot := (f.round + i) % f.kept
		for stage := range f.stage {
			to = append(to, f.updated[stage*f.kept+slot]-end)
		}
	}
	for i := range f.ring {
		slot := (f.column + i) % f.ring
		for c := range f.p.Channels {
			to = append(to, f.st.gradient[c*f.ring+slot]-end)
		}
	}
	return to
}

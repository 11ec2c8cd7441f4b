package pipeline

import (
	"context"
	"fmt"
	"testing"
	"time"

	"stowage/sim/engine"
)

// chainOf is a chain of stages whose times differ a little, as real ones do.
func chainOf(stages, microbatches int, schedule string) *Pipeline {
	s, ok := LookupSchedule(schedule)
	if !ok {
		panic("no schedule " + schedule)
	}
	p := &Pipeline{Stages: stages, Microbatches: microbatches, Schedule: s, Sync: make([]time.Duration, stages)}
	for i := range stages {
		p.Segments = append(p.Segments, Segment{Stage: i, Forward: time.Duration(1000 + 7*i%13), Backward: time.Duration(2000 + 5*i%11)})
		if i > 0 {
			p.Channels = append(p.Channels, Channel{From: i - 1, To: i, Forward: 300, Backward: time.Duration(300 + i%3)})
		}
	}
	return p
}

// bare is the floor of a recurrence: two loops over arrays, max and plus, no
// channels, no schedule.
func bare(free, forward, backward []int64, microbatches int) {
	for range microbatches {
		t := int64(0)
		for s := range free {
			t = max(t, free[s]) + forward[s]
			free[s] = t
		}
	}
	for range microbatches {
		t := int64(0)
		for s := len(free) - 1; s >= 0; s-- {
			t = max(t, free[s]) + backward[s]
			free[s] = t
		}
	}
}

// BenchmarkRecurrence reports the time per stage and micro-batch, a forward and a
// backward pass and both transfers.
func BenchmarkRecurrence(b *testing.B) {
	for _, size := range [][2]int{{8, 64}, {16, 1024}, {64, 1000}} {
		stages, m := size[0], size[1]
		report := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(stages*m), "ns/stage·micro")
		}
		for _, schedule := range ScheduleNames() {
			b.Run(fmt.Sprintf("%s/%dx%d", schedule, stages, m), func(b *testing.B) {
				r := NewRecurrence(chainOf(stages, m, schedule))
				b.ReportAllocs()
				for b.Loop() {
					r.Step()
				}
				report(b)
			})
		}
		b.Run(fmt.Sprintf("general/%dx%d", stages, m), func(b *testing.B) {
			p := chainOf(stages, m, "1f1b")
			p.Channels = append(p.Channels, Channel{From: 0, To: stages - 1}) // no plain chain
			r := NewRecurrence(p)
			b.ReportAllocs()
			for b.Loop() {
				r.Step()
			}
			report(b)
		})
		b.Run(fmt.Sprintf("floor/%dx%d", stages, m), func(b *testing.B) {
			free, forward, backward := make([]int64, stages), make([]int64, stages), make([]int64, stages)
			for s := range stages {
				forward[s], backward[s] = int64(1000+7*s%13), int64(2000+5*s%11)
			}
			for b.Loop() {
				bare(free, forward, backward, m)
			}
			report(b)
		})
	}
}

// BenchmarkEvaluate is what one evaluation of a placement policy costs: prepare
// and run one step.
func BenchmarkEvaluate(b *testing.B) {
	for _, schedule := range ScheduleNames() {
		b.Run(schedule, func(b *testing.B) {
			p := chainOf(8, 64, schedule)
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Validate(); err != nil {
					b.Fatal(err)
				}
				NewRecurrence(p).Step()
			}
		})
	}
}

// BenchmarkExec runs one step as events; floor is as many bare events.
func BenchmarkExec(b *testing.B) {
	const stages, m = 16, 1024
	const events = 2*stages*m + 2*(stages-1)*m + stages
	report := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/events, "ns/event")
	}
	b.Run("1f1b/16x1024", func(b *testing.B) {
		p := chainOf(stages, m, "1f1b")
		for b.Loop() {
			e := engine.New(engine.Options{})
			NewExec(e, p, 1, Hooks{}).Start()
			if err := e.Run(context.Background()); err != nil {
				b.Fatal(err)
			}
			if e.Events() != events {
				b.Fatalf("%d events, want %d", e.Events(), events)
			}
		}
		report(b)
	})
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			e := engine.New(engine.Options{})
			left := events - 2*stages
			var next func()
			next = func() {
				if left--; left >= 0 {
					e.After(1000, next)
				}
			}
			for range 2 * stages { // as many pending as stages and channels have
				e.After(1000, next)
			}
			if err := e.Run(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
}

package pipeline

import (
	"context"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/sim/engine"
)

// Operations whose end the hook decides are operations of the time that it took: those
// that take d are those of the recurrence, and what takes longer counts in full, also
// where an execution is given up.
func TestPassesOfOpenEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPipeline(t)
		rounds := rapid.IntRange(1, 3).Draw(t, "rounds")
		longer := time.Duration(rapid.IntRange(0, 3).Draw(t, "longer"))
		run := func(hooks func(e *engine.Engine, h *Hooks), until time.Duration) (ends []time.Duration, usage []Usage) {
			e := engine.New(engine.Options{})
			ends, done := make([]time.Duration, rounds), make([]int, rounds)
			h := Hooks{Done: func(_, round int) {
				if done[round]++; done[round] == p.Stages {
					ends[round] = e.Now()
				}
			}}
			hooks(e, &h)
			scope := e.NewScope()
			before := e.Enter(scope)
			x := NewExec(e, p, rounds, h)
			e.After(0, x.Start)
			e.Enter(before)
			if until > 0 {
				e.After(until, func() {
					for i := range p.Stages {
						usage = append(usage, x.Cut(i))
					}
					scope.End()
				})
			}
			if err := e.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
			for i := range p.Stages {
				if until == 0 {
					usage = append(usage, x.Usage(i))
				}
			}
			return ends, usage
		}
		takes := func(_ *engine.Engine, h *Hooks) {
			h.Takes = func(_, _ int, _ Op, d time.Duration) time.Duration { return d + longer }
		}
		opens := func(e *engine.Engine, h *Hooks) {
			h.Pass = func(_, _ int, op Op, d time.Duration, done func()) bool {
				e.After(d/2, func() { e.After(d-d/2+longer, done) })
				return true
			}
		}
		ends, usage := run(takes, 0)
		if got, spent := run(opens, 0); !slices.Equal(got, ends) || !slices.Equal(spent, usage) {
			t.Fatalf("rounds end at %v, as timed at %v; used %+v, as timed %+v", got, ends, spent, usage)
		}
		until := time.Duration(rapid.IntRange(1, int(ends[rounds-1])+1).Draw(t, "until"))
		_, usage = run(takes, until)
		if _, spent := run(opens, until); !slices.Equal(spent, usage) {
			t.Fatalf("until %v used %+v, as timed %+v", until, spent, usage)
		}
	})
}

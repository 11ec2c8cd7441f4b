package pipeline

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stowage/sim/engine"
)

// No test may leave a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recurrence returns the end of every round by the recurrence. gates may be nil.
func recurrence(p *Pipeline, rounds int, gates [][]time.Duration) []time.Duration {
	return Ends(p, rounds, gates)
}

// failer is the part of testing.TB that rapid.T has as well.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// events returns the end of every round by the events, and how each stage spent
// its time. gates[stage][round], which may be nil, is when a stage's rows are in
// place. lay, which may be nil, makes the hook that moves data.
func events(t failer, p *Pipeline, rounds int, gates [][]time.Duration, lay func(e *engine.Engine) func(int, bool, func())) ([]time.Duration, []Usage) {
	t.Helper()
	e := engine.New(engine.Options{})
	ends := make([]time.Duration, rounds)
	h := Hooks{Done: func(_, round int) { ends[round] = max(ends[round], e.Now()) }}
	if lay != nil {
		h.Transfer = lay(e)
	}
	if gates != nil {
		h.Ready = func(stage, round int) bool { return e.Now() >= gates[stage][round] }
	}
	x := NewExec(e, p, rounds, h)
	for stage := range gates {
		for _, at := range gates[stage] {
			e.After(at, func() { x.Wake(stage) })
		}
	}
	x.Start()
	if err := e.Run(context.Background()); err != nil {
		t.Fatalf("Run: %v", err)
	}
	usage := make([]Usage, p.Stages)
	for i := range usage {
		usage[i] = x.Usage(i)
	}
	return ends, usage
}

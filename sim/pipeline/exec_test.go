package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
	"stowage/sim/network"
)

// A stall is counted only while the inputs are there and the rows are not.
func TestStall(t *testing.T) {
	p := line("gpipe", 1, [][2]time.Duration{{10, 10}, {10, 10}}, 5, 5)
	test := func(name string, gates [][]time.Duration, want []time.Duration, stalls ...time.Duration) {
		t.Helper()
		ends, usage := events(t, p, len(want), gates, nil)
		if !slices.Equal(ends, want) {
			t.Errorf("%s: rounds end at %v, want %v", name, ends, want)
		}
		if got := recurrence(p, len(want), gates); !slices.Equal(got, want) {
			t.Errorf("%s: the recurrence ends rounds at %v, want %v", name, got, want)
		}
		for i, u := range usage {
			if u.Stall != stalls[i] {
				t.Errorf("%s: stage %d stalls for %v, want %v", name, i, u.Stall, stalls[i])
			}
		}
	}
	// F 0-10, down 10-15, F 15-25, B 25-35, up 35-40, B 40-50.
	test("rows in time", [][]time.Duration{{0}, {15}}, []time.Duration{50}, 0, 0)
	test("rows late for stage 1", [][]time.Duration{{0}, {22}}, []time.Duration{57}, 0, 7)
	test("rows late for both", [][]time.Duration{{8}, {22}}, []time.Duration{58}, 8, 0)
	test("second round", [][]time.Duration{{0, 60}, {0, 80}}, []time.Duration{50, 115}, 10, 5)
}

// Wake for a stage that is not waiting changes nothing, before Start neither.
func TestWakeIsHarmless(t *testing.T) {
	p := line("1f1b", 5, [][2]time.Duration{{1, 2}, {3, 4}}, 1, 1)
	e := engine.New(engine.Options{})
	x := NewExec(e, p, 2, Hooks{})
	x.Wake(0)
	if got := x.Usage(0); got != (Usage{}) {
		t.Errorf("woken before Start a stage has spent %+v", got)
	}
	x.Start()
	for i := range 60 {
		e.After(time.Duration(i), func() { x.Wake(0); x.Wake(1) })
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if want := max(recurrence(p, 2, nil)[1], 59); e.Now() != want {
		t.Errorf("it ended at %v, want %v", e.Now(), want)
	}
}

// Done is called for every stage and round, in the order of rounds, when the
// gradients are synchronised.
func TestDone(t *testing.T) {
	p := line("1f1b", 2, [][2]time.Duration{{1, 1}, {1, 1}}, 0, 0)
	p.Sync = []time.Duration{3, 1}
	e := engine.New(engine.Options{})
	var got []string
	NewExec(e, p, 2, Hooks{Done: func(stage, round int) {
		got = append(got, fmt.Sprintf("stage %d round %d at %d", stage, round, e.Now()))
	}}).Start()
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	// Stage 0: F 0-1 1-2, B 3-4 5-6, synchronised 9; stage 1: F B F B 1-5, synchronised 6.
	want := []string{"stage 1 round 0 at 6", "stage 0 round 0 at 9", "stage 1 round 1 at 15", "stage 0 round 1 at 18"}
	if !slices.Equal(got, want) {
		t.Errorf("Done was called for\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Ready is asked when the first inputs of a round are there, and not any more
// once the round has begun.
func TestReadyIsAskedOncePerRound(t *testing.T) {
	p := line("1f1b", 4, [][2]time.Duration{{1, 2}, {1, 2}}, 3, 3)
	e := engine.New(engine.Options{})
	var asked []string
	NewExec(e, p, 2, Hooks{Ready: func(stage, round int) bool {
		asked = append(asked, fmt.Sprintf("stage %d round %d at %d", stage, round, e.Now()))
		return true
	}}).Start()
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	step := recurrence(p, 1, nil)[0]
	want := []string{
		"stage 0 round 0 at 0", "stage 1 round 0 at 4",
		fmt.Sprintf("stage 0 round 1 at %d", step), fmt.Sprintf("stage 1 round 1 at %d", step+4),
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
}

// A stage whose rows never come is a deadlock that says which and in which round.
func TestRowsThatNeverCome(t *testing.T) {
	p := line("1f1b", 4, [][2]time.Duration{{1, 2}, {1, 2}, {1, 2}}, 1, 1)
	e := engine.New(engine.Options{})
	NewExec(e, p, 5, Hooks{Ready: func(stage, round int) bool { return stage != 1 || round < 3 }}).Start()
	err := e.Run(context.Background())
	var deadlock *engine.DeadlockError
	if !errors.As(err, &deadlock) {
		t.Fatalf("Run = %v, want a deadlock", err)
	}
	want := []string{
		`"stage 0 done with all 5 rounds" has not happened`,
		`"stage 1 done with all 5 rounds" has not happened`,
		`"stage 1 ready for round 3" has not happened`,
		`"stage 2 done with all 5 rounds" has not happened`,
	}
	if !slices.Equal(deadlock.Waiting, want) {
		t.Errorf("waiting:\n%s\nwant\n%s", strings.Join(deadlock.Waiting, "\n"), strings.Join(want, "\n"))
	}
}

// So is a transfer that never arrives.
func TestTransferThatNeverArrives(t *testing.T) {
	p := line("gpipe", 2, [][2]time.Duration{{1, 2}, {1, 2}}, 1, 1)
	e := engine.New(engine.Options{})
	NewExec(e, p, 1, Hooks{Transfer: func(int, bool, func()) {}}).Start()
	var deadlock *engine.DeadlockError
	if err := e.Run(context.Background()); !errors.As(err, &deadlock) || len(deadlock.Waiting) != 2 {
		t.Errorf("Run = %v, want a deadlock of two stages", err)
	}
}

func TestLimits(t *testing.T) {
	p := line("gpipe", 100, [][2]time.Duration{{1, 2}, {1, 2}}, 1, 1)
	e := engine.New(engine.Options{MaxEvents: 50})
	NewExec(e, p, 1, Hooks{}).Start()
	var limit *engine.LimitError
	if err := e.Run(context.Background()); !errors.As(err, &limit) || limit.Limit != "MaxEvents" || limit.Value != 50 {
		t.Errorf("Run = %v, want the limit of 50 events", err)
	}
	p = line("gpipe", 1, [][2]time.Duration{{unit.MaxTime / 2, unit.MaxTime / 2}}, 0, 0)
	if err := p.Validate(); err != nil {
		t.Fatal(err)
	}
	e = engine.New(engine.Options{})
	NewExec(e, p, 2, Hooks{}).Start()
	if err := e.Run(context.Background()); !errors.Is(err, engine.ErrTooLong) {
		t.Errorf("Run = %v, want %v", err, engine.ErrTooLong)
	}
}

// No rounds are no work, and no deadlock.
func TestNoRounds(t *testing.T) {
	e := engine.New(engine.Options{})
	x := NewExec(e, line("gpipe", 2, [][2]time.Duration{{1, 2}}, 0, 0), 0, Hooks{})
	x.Start()
	x.Wake(0)
	if err := e.Run(context.Background()); err != nil || e.Events() != 0 {
		t.Errorf("Run = %v after %d events, want nothing to happen", err, e.Events())
	}
}

// Two branches whose data leave over one link: 8 bytes each at 2 B/ns take 4 ns
// alone, 8 ns together.
func TestContention(t *testing.T) {
	p := line("gpipe", 1, [][2]time.Duration{{1, 0}, {1, 0}, {1, 0}}, 0, 0)
	p.Channels = []Channel{{From: 0, To: 1, Forward: 4, Backward: 4}, {From: 0, To: 2, Forward: 4, Backward: 4}}
	p.ForwardOnly = true
	if got := recurrence(p, 1, nil)[0]; got != 6 {
		t.Errorf("without contention it takes %d ns, want 6", got)
	}
	got, _ := events(t, p, 1, nil, func(e *engine.Engine) func(int, bool, func()) {
		net := network.New(e)
		link := []network.LinkID{net.Link("out of stage 0", 2e9)}
		return func(_ int, _ bool, done func()) { net.Transfer(link, 8, 0, done) }
	})
	if got[0] != 10 {
		t.Errorf("with contention it takes %d ns, want 10", got[0])
	}
}

// A hook may call done at once.
func TestInstantTransfer(t *testing.T) {
	p := bounce("1f1b", 6)
	want := recurrence(p, 2, nil)
	got, _ := events(t, p, 2, nil, func(*engine.Engine) func(int, bool, func()) {
		return func(_ int, _ bool, done func()) { done() }
	})
	if !slices.Equal(got, want) {
		t.Errorf("rounds end at %v, want %v", got, want)
	}
}

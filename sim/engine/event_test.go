package engine

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestEventsOfOneInstantFireInScheduleOrder(t *testing.T) {
	e := New(Options{})
	const n = 1000
	var got, want []int
	for i := range n {
		e.After(7, func() { got = append(got, i) })
		want = append(want, i)
	}
	// Scheduled later for the same instant, from an earlier one.
	e.After(3, func() { e.After(4, func() { got = append(got, n) }) })
	// Scheduled at the instant itself.
	e.After(7, func() { e.After(0, func() { got = append(got, n+1) }) })
	run(t, e)
	want = append(want, n, n+1)
	if !slices.Equal(got, want) {
		t.Fatalf("fired in the order %v", got)
	}
	if e.Now() != 7 || e.Events() != n+4 {
		t.Fatalf("%d events until %d ns; want %d and 7", e.Events(), e.Now(), n+4)
	}
}

func TestNowIsExact(t *testing.T) {
	e := New(Options{})
	// Sums that a float64 of seconds gets wrong, up to the last exact instant.
	steps := []time.Duration{1, 100 * time.Millisecond, 200*time.Millisecond + 1, 24 * time.Hour, 1<<53 - 1}
	var want time.Duration
	for _, at := range steps {
		e.After(at-want, func() {
			if e.Now() != at {
				t.Errorf("the clock says %d, want %d", e.Now(), at)
			}
		})
		run(t, e)
		want = at
	}
	e.After(1, func() {})
	run(t, e)
	if e.Now() != maxTime {
		t.Fatalf("the clock ends at %d, want %d", e.Now(), maxTime)
	}
}

func TestCancel(t *testing.T) {
	e := New(Options{})
	var fired []string
	note := func(s string) func() { return func() { fired = append(fired, s) } }
	a := e.After(10, note("a"))
	b := e.After(20, note("b"))
	e.After(15, func() {
		if a.Cancel() {
			t.Error("a could be cancelled after it had fired")
		}
		if !b.Cancel() || b.Cancel() {
			t.Error("b: want cancellable exactly once")
		}
	})
	var self Event
	self = e.After(5, func() {
		if self.Cancel() {
			t.Error("an event could be cancelled while it fires")
		}
	})
	last := e.After(time.Hour, note("last"))
	e.After(16, func() { last.Cancel() })
	run(t, e)
	if want := []string{"a"}; !slices.Equal(fired, want) {
		t.Fatalf("fired %v, want %v", fired, want)
	}
	if e.Now() != 16 {
		t.Fatalf("cancelled events moved the clock to %v", e.Now())
	}
	if e.Events() != 4 {
		t.Fatalf("%d events, want 4: cancelled ones do not count", e.Events())
	}
	if (Event{}).Cancel() {
		t.Fatal("the zero Event could be cancelled")
	}
}

// A handle that has outlived its event must not touch the next one in its entry.
func TestStaleHandleIsHarmless(t *testing.T) {
	e := New(Options{})
	const n = 100
	var stale []Event
	fired := 0
	for range n {
		stale = append(stale, e.After(1, func() { fired++ }))
	}
	run(t, e)
	used := map[*entry]bool{}
	for _, ev := range stale {
		used[ev.entry] = true
	}
	reused := 0
	for range n {
		if ev := e.After(1, func() { fired++ }); used[ev.entry] {
			reused++
		}
	}
	if reused == 0 {
		t.Fatal("no entry was reused, so this test shows nothing")
	}
	for _, ev := range stale {
		if ev.Cancel() {
			t.Fatal("a stale handle cancelled an event")
		}
	}
	run(t, e)
	if fired != 2*n {
		t.Fatalf("%d events fired, want %d", fired, 2*n)
	}
}

// A cancelled event's entry stays out of use until its queue item has gone;
// otherwise that item would fire the entry's next event early.
func TestCancelledEntryIsNotReusedWhileQueued(t *testing.T) {
	e := New(Options{})
	cancelled := e.After(10, func() { t.Error("a cancelled event fired") })
	e.After(11, func() {})
	cancelled.Cancel() // half of the queue is cancelled: not enough to sweep it
	for i := range 3 * largestSlab {
		want := time.Duration(20 + i)
		ev := e.After(want, func() {
			if e.Now() != want {
				t.Errorf("fired at %v, want %v", e.Now(), want)
			}
		})
		if ev.entry == cancelled.entry {
			t.Fatal("the entry of a cancelled event was reused while it was queued")
		}
	}
	run(t, e)
}

func TestAfterPanicsOnOurBugs(t *testing.T) {
	e := New(Options{})
	for name, call := range map[string]func(){
		"negative delay": func() { e.After(-1, func() {}) },
		"nil function":   func() { e.After(1, nil) },
		"nil body":       func() { e.Go("p", nil) },
		"nil subscriber": func() { e.Signal("s").OnFire(nil) },
	} {
		if got := panicOf(call); got == nil || !strings.HasPrefix(fmt.Sprint(got), "engine: ") {
			t.Errorf("%s: panicked with %v", name, got)
		}
	}
	run(t, e)
}

// panicOf returns what f panics with, or nil.
func panicOf(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// timers is what the engine and its dumb twin have in common.
type timers interface {
	after(d time.Duration, fn func()) (cancel func() bool)
	now() time.Duration
	run()
}

type engineTimers struct{ e *Engine }

func (x engineTimers) after(d time.Duration, fn func()) func() bool { return x.e.After(d, fn).Cancel }
func (x engineTimers) now() time.Duration                           { return x.e.Now() }
func (x engineTimers) run() {
	if err := x.e.Run(context.Background()); err != nil {
		panic(err)
	}
}

// listTimers is the twin: an unordered list, searched from the start every time.
type listTimers struct {
	list []*listTimer
	time time.Duration
}

type listTimer struct {
	at time.Duration
	fn func()
}

func (x *listTimers) after(d time.Duration, fn func()) func() bool {
	timer := &listTimer{x.time + d, fn}
	x.list = append(x.list, timer)
	return func() bool {
		i := slices.Index(x.list, timer)
		if i < 0 {
			return false
		}
		x.list = slices.Delete(x.list, i, i+1)
		return true
	}
}

func (x *listTimers) now() time.Duration { return x.time }

func (x *listTimers) run() {
	for len(x.list) > 0 {
		first := 0
		for i, timer := range x.list {
			if timer.at < x.list[first].at {
				first = i
			}
		}
		timer := x.list[first]
		x.list = slices.Delete(x.list, first, first+1)
		x.time = timer.at
		timer.fn()
	}
}

// step is one event of a random program: when it fires it schedules others and
// cancels others, some of which have fired, or are cancelled, or do not exist yet.
type step struct {
	delay    time.Duration
	schedule []int // steps with higher numbers
	cancel   []int
}

// play runs a program, twice over, and returns all that can be seen of it.
func play(program []step, on timers) (seen []string) {
	cancels := make([]func() bool, len(program))
	var start func(i int)
	start = func(i int) {
		cancels[i] = on.after(program[i].delay, func() {
			seen = append(seen, fmt.Sprintf("%d fires at %d", i, on.now()))
			for _, next := range program[i].schedule {
				start(next)
			}
			for _, victim := range program[i].cancel {
				if cancels[victim] != nil {
					seen = append(seen, fmt.Sprintf("cancel %d: %v", victim, cancels[victim]()))
				}
			}
		})
	}
	for range 2 {
		for i := range min(len(program), 3) {
			start(i)
		}
		on.run()
		seen = append(seen, fmt.Sprintf("over at %d", on.now()))
	}
	return seen
}

func TestRandomProgramsAgreeWithASortedList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "steps")
		program := make([]step, n)
		for i := range program {
			// Short delays make ties, of which there should be many.
			program[i].delay = time.Duration(rapid.OneOf(rapid.IntRange(0, 4), rapid.IntRange(0, 1e9)).Draw(t, "delay"))
			if i+1 < n {
				program[i].schedule = rapid.SliceOfN(rapid.IntRange(i+1, min(n-1, i+8)), 0, 2).Draw(t, "schedule")
			}
			program[i].cancel = rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3).Draw(t, "cancel")
		}
		// A step may be reached by many paths: bound their number.
		if reach(program) > 2000 {
			t.Skip("too many paths")
		}
		got := play(program, engineTimers{New(Options{})})
		want := play(program, &listTimers{})
		if !slices.Equal(got, want) {
			t.Fatalf("engine:\n%s\nlist:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
}

// reach counts the events that a program fires at most.
func reach(program []step) int {
	paths := make([]int, len(program))
	total := 0
	for i := len(program) - 1; i >= 0; i-- {
		paths[i] = 1
		for _, next := range program[i].schedule {
			paths[i] = min(paths[i]+paths[next], math.MaxInt32)
		}
		if i < 3 {
			total += paths[i]
		}
	}
	return total
}

// In the steady state an event that is scheduled, fires or is cancelled allocates
// nothing.
func TestNoAllocationsPerEvent(t *testing.T) {
	e := New(Options{})
	const pending, events = 100, 10_000
	left := 0
	var fire func()
	fire = func() {
		if left > 0 {
			left--
			e.After(delay(left), fire)
			e.After(delay(left), fire).Cancel()
		}
	}
	hold := func() {
		left = events
		for range pending {
			e.After(0, fire)
		}
		run(t, e)
	}
	hold() // grow to the size of the steady state
	// The two that Run itself may need are far below one per event.
	if perRun := testing.AllocsPerRun(5, hold); perRun > 10 {
		t.Fatalf("%.0f allocations in a run of %d events, want none per event", perRun, events)
	}
}

// A timeout that is cancelled and set again all the time must not pile up.
func TestCancelledEventsDoNotPileUp(t *testing.T) {
	e := New(Options{})
	watchdog := e.After(time.Hour, func() {})
	ticks := 0
	var tick func()
	tick = func() {
		watchdog.Cancel()
		watchdog = e.After(time.Hour, func() {})
		if len(e.queue) > 5 || len(e.entries) > 16 {
			t.Fatalf("after %d ticks the queue holds %d items, with %d entries", ticks, len(e.queue), len(e.entries))
		}
		if ticks++; ticks < 10_000 {
			e.After(time.Millisecond, tick)
		}
	}
	e.After(0, tick)
	run(t, e)
}

// A pending event should cost no more than 150 bytes, queue included.
// A simgo process that sleeps takes 3.2 KB.
func TestMemoryPerPendingEvent(t *testing.T) {
	const n = 50_000
	fn := func() {}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	e := New(Options{})
	for i := range n {
		e.After(delay(i), fn)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := float64(after.HeapAlloc-before.HeapAlloc) / n
	t.Logf("%.0f bytes per pending event", each)
	if each > 150 {
		t.Fatalf("%.0f bytes per pending event, want at most 150", each)
	}
	run(t, e)
}

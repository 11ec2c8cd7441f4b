package network

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

const (
	ms  = time.Millisecond
	sec = time.Second
	gb  = 1e9
)

// move is one transfer of a table and when it must end.
type move struct {
	start   time.Duration
	path    []LinkID
	bytes   float64
	latency time.Duration
	want    time.Duration
	limit   unit.Rate // 0: none
}

func TestTransfers(t *testing.T) {
	tests := []struct {
		name  string
		links []unit.Rate
		moves []move
	}{
		{"alone", []unit.Rate{gb}, []move{{0, []LinkID{0}, gb, 0, sec, 0}}},
		{"latency first, then the bytes", []unit.Rate{gb, gb}, []move{{0, []LinkID{0, 1}, gb, 750 * ms, 1750 * ms, 0}}},
		{"the slowest link of the path counts", []unit.Rate{4 * gb, gb, 2 * gb}, []move{{0, []LinkID{0, 1, 2}, gb, 0, sec, 0}}},
		{"two share", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb, 0, 2 * sec, 0},
			{0, []LinkID{0}, gb, 0, 2 * sec, 0},
		}},
		// 0.5 GB alone, then half the rate each: the first needs another second,
		// by then the second has moved 0.5 GB and goes on alone.
		{"late join", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb, 0, 1500 * ms, 0},
			{500 * ms, []LinkID{0}, gb, 0, 2 * sec, 0},
		}},
		{"a latency is not spent on the link", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb, 500 * ms, 2 * sec, 0},
			{0, []LinkID{0}, gb, 0, 1500 * ms, 0},
		}},
		// The long transfer gets half of link 0; what it leaves of link 1, 1.5 GB/s,
		// goes to the other.
		{"parking lot", []unit.Rate{gb, 2 * gb}, []move{
			{0, []LinkID{0, 1}, gb, 0, 2 * sec, 0},
			{0, []LinkID{0}, gb, 0, 2 * sec, 0},
			{0, []LinkID{1}, 3 * gb, 0, 2 * sec, 0},
		}},
		// 1/3 each until 1.5 s, when the short one has moved 0.5 GB; the others, with
		// 0.5 GB left, get half each until 2.5 s.
		{"a departure frees its share", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb, 0, 2500 * ms, 0},
			{0, []LinkID{0}, gb / 2, 0, 1500 * ms, 0},
			{0, []LinkID{0}, gb, 0, 2500 * ms, 0},
		}},
		{"directions are links of their own", []unit.Rate{gb, gb}, []move{
			{0, []LinkID{0}, gb, 0, sec, 0},
			{0, []LinkID{1}, gb, 0, sec, 0},
		}},
		{"a limit below the share leaves the rest to others", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb / 4, 0, sec, gb / 4},
			{0, []LinkID{0}, 3 * gb / 4, 0, sec, 0},
		}},
		{"a limit above the share is none", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb, 0, 2 * sec, 0.6 * gb},
			{0, []LinkID{0}, gb, 0, 2 * sec, 0},
		}},
		{"a limit without a path", nil, []move{{0, nil, gb, ms, 501 * ms, 2 * gb}}},
		{"half duplex: both directions on one link", []unit.Rate{gb, 2 * gb, 2 * gb}, []move{
			{0, []LinkID{1, 0, 2}, gb, 0, 2 * sec, 0},
			{0, []LinkID{2, 0, 1}, gb, 0, 2 * sec, 0},
		}},
		{"twice over one link", []unit.Rate{gb}, []move{{0, []LinkID{0, 0}, gb, 0, 2 * sec, 0}}},
		{"no bytes, no path", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, 0, 3 * ms, 3 * ms, 0},
			{0, nil, gb, 5 * ms, 5 * ms, 0},
			{7 * ms, []LinkID{0}, 0, 0, 7 * ms, 0},
			{0, []LinkID{0}, gb, 0, sec, 0}, // undisturbed by all of them
		}},
		{"less than a nanosecond", []unit.Rate{1e12}, []move{{ms, []LinkID{0}, 1, 0, ms, 0}}},
		{"an arrival at the instant of a departure", []unit.Rate{gb}, []move{
			{0, []LinkID{0}, gb, 0, sec, 0},
			{sec, []LinkID{0}, gb, 0, 2 * sec, 0},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, n, ids := build(test.links)
			ends := start(e, n, test.moves)
			run(t, e)
			carried := make([]float64, len(ids))
			for i, m := range test.moves {
				if ends[i] != m.want {
					t.Errorf("transfer %d ended at %v, want %v", i, ends[i], m.want)
				}
				for _, l := range m.path {
					carried[l] += m.bytes
				}
			}
			for _, l := range ids {
				if n.Carried(l) != carried[l] {
					t.Errorf("link %d carried %g bytes, was sent %g", l, n.Carried(l), carried[l])
				}
			}
		})
	}
}

// build makes a network of links with these capacities.
func build(capacities []unit.Rate) (*engine.Engine, *Network, []LinkID) {
	e := engine.New(engine.Options{})
	n := New(e)
	var ids []LinkID
	for _, c := range capacities {
		ids = append(ids, n.Link("l", c))
	}
	return e, n, ids
}

// start schedules moves; their ends are filled in during the run.
func start(e *engine.Engine, n *Network, moves []move) []time.Duration {
	ends := make([]time.Duration, len(moves))
	for i, m := range moves {
		ends[i] = -1
		done := e.Expect("transfer")
		e.After(m.start, func() {
			arrive := func() {
				ends[i] = e.Now()
				done()
			}
			if m.limit > 0 {
				n.Limited(m.path, m.bytes, m.limit, m.latency, arrive)
			} else {
				n.Transfer(m.path, m.bytes, m.latency, arrive)
			}
		})
	}
	return ends
}

// A done may start the next transfer, which may take over the memory of the one
// that has just ended.
func TestDoneStartsTheNext(t *testing.T) {
	e, n, _ := build([]unit.Rate{gb})
	var ends []time.Duration
	var next func()
	next = func() {
		if ends = append(ends, e.Now()); len(ends) < 4 {
			n.Transfer([]LinkID{0}, gb, 0, next)
		}
	}
	n.Transfer([]LinkID{0}, gb, 0, next)
	run(t, e)
	if want := []time.Duration{sec, 2 * sec, 3 * sec, 4 * sec}; !slices.Equal(ends, want) {
		t.Errorf("ends %v, want %v", ends, want)
	}
	if len(n.pool) != 1 {
		t.Errorf("%d flows were made for transfers one after another", len(n.pool))
	}
}

// Transfers that end together call done in the order in which they started.
func TestOrderOfDone(t *testing.T) {
	e, n, _ := build([]unit.Rate{gb, gb})
	var order []int
	for i := range 20 {
		n.Transfer([]LinkID{LinkID(i % 2)}, gb, 0, func() { order = append(order, i) })
	}
	run(t, e)
	if !slices.IsSorted(order) || len(order) != 20 {
		t.Errorf("order of done: %v", order)
	}
}

// Transfers that are the only ones on their links take exactly bytes / rate,
// whatever goes on elsewhere: here times that end in half a nanosecond, which
// the least error would round the other way.
func TestUndisturbedIsExact(t *testing.T) {
	e, n, ids := build([]unit.Rate{7e9})
	ends, want := make([]time.Duration, 50), make([]time.Duration, 50)
	for i := range ends {
		bytes := 1e9*float64(i+1) + 1
		want[i], _ = unit.Seconds(bytes / 2e9)
		n.Transfer([]LinkID{n.Link("private", 2e9)}, bytes, 0, func() { ends[i] = e.Now() })
	}
	for i := range 1000 {
		n.Transfer(ids, 1e6*float64(i+1), time.Duration(i)*ms, func() {})
	}
	run(t, e)
	if !slices.Equal(ends, want) {
		t.Errorf("ends %v, want %v", ends, want)
	}
}

func TestTooLong(t *testing.T) {
	e, n, _ := build([]unit.Rate{1, gb})
	ended := false
	n.Transfer([]LinkID{0}, 1e300, 0, func() { t.Error("1e300 bytes at 1 B/s arrived") })
	n.Transfer([]LinkID{1}, gb, 0, func() { ended = true })
	if err := e.Run(context.Background()); !errors.Is(err, engine.ErrTooLong) {
		t.Errorf("Run = %v, want %v", err, engine.ErrTooLong)
	}
	if !ended {
		t.Error("a transfer that fits the clock did not end before the run did")
	}
}

// A share that is too slow for the clock at first is no error if it grows in time.
func TestTooLongAtFirst(t *testing.T) {
	e, n, _ := build([]unit.Rate{2})
	var end time.Duration
	n.Transfer([]LinkID{0}, 2, 0, func() {})
	n.Transfer([]LinkID{0}, 9e6+1, 0, func() { end = e.Now() })
	n.Transfer([]LinkID{0}, 9e6, 0, func() {})
	run(t, e)
	// At 2/3 B/s the second would need 156 days; with 18 000 003 B in all over
	// 2 B/s it ends at half of that in seconds.
	if want := time.Duration(18_000_003) * sec / 2; end < want-10 || end > want+10 {
		t.Errorf("ended at %v, want %v", end, want)
	}
}

func TestCallersBugsPanic(t *testing.T) {
	test := func(want string, f func(n *Network)) {
		t.Helper()
		defer func() {
			t.Helper()
			text, _ := recover().(string)
			if !strings.Contains(text, want) {
				t.Errorf("panic %q, want %q in it", text, want)
			}
		}()
		_, n, _ := build([]unit.Rate{1})
		f(n)
	}
	for _, c := range []float64{0, -1, math.NaN(), math.Inf(1)} {
		test(`link "uplink"`, func(n *Network) { n.Link("uplink", unit.Rate(c)) })
	}
	for _, b := range []float64{-1, math.NaN(), math.Inf(1)} {
		test("bytes", func(n *Network) { n.Transfer([]LinkID{0}, b, 0, func() {}) })
	}
	for _, c := range []unit.Rate{0, -1, unit.Rate(math.NaN()), unit.Rate(math.Inf(1))} {
		test("limit", func(n *Network) { n.Limited([]LinkID{0}, 1, c, 0, func() {}) })
	}
}

// Books that cannot be are found, and the link is named.
func TestCheck(t *testing.T) {
	test := func(want string, spoil func(l *link)) {
		t.Helper()
		e, n, _ := build([]unit.Rate{gb, gb})
		n.links[1].name = "uplink"
		for range 3 {
			n.Transfer([]LinkID{0, 1}, gb, 0, func() {})
		}
		run(t, e)
		if err := n.Check(); err != nil {
			t.Fatal(err)
		}
		spoil(n.links[1])
		if err := n.Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `link 1 ("uplink")`) {
			t.Errorf("error %v, want %q and the link in it", err, want)
		}
	}
	test("busy for 4s of 3s", func(l *link) { l.busy += sec })
	test("it can carry", func(l *link) { l.busy -= sec })
	test("4e+09 bytes were sent, 3e+09 have arrived", func(l *link) { l.entered += gb })
	test("it can carry", func(l *link) { l.carried += gb })
	test("2e+09 bytes were sent, 3e+09 have arrived", func(l *link) { l.active, l.since, l.entered = 1, 3*sec, l.entered-gb })
}

// A transfer costs three events (enter, solve, complete) and, but for what the
// engine's queue allocates for them, no memory.
func TestTransferAllocates(t *testing.T) {
	const transfers = 1000
	e, n, _ := build([]unit.Rate{gb, gb})
	path, left := []LinkID{0, 1}, 0
	var next, tick func()
	next = func() {
		if left--; left >= 0 {
			n.Transfer(path, 1e3, 10, next)
		}
	}
	tick = func() {
		if left--; left >= 0 {
			e.After(10, tick)
		}
	}
	batch := func(count int, begin func()) func() {
		return func() {
			left = count
			begin()
			run(t, e)
		}
	}
	events := e.Events()
	batch(transfers, next)()
	events = e.Events() - events
	if events > 3*transfers+1 {
		t.Errorf("%d transfers one after another took %d events", transfers, events)
	}
	got := testing.AllocsPerRun(5, batch(transfers, next))
	bare := testing.AllocsPerRun(5, batch(int(events), tick))
	if got > bare+20 {
		t.Errorf("%v allocations for %d transfers, %v for as many bare events", got, transfers, bare)
	}
}

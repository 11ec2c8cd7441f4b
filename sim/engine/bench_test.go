package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"testing"
	"time"

	"github.com/fschuetz04/simgo"
)

// The classic hold model: a fixed number of events is pending; each one that
// fires schedules another after a random delay. The same delays, in the same
// order, are held by
//
//	H  a hand-written 4-ary heap in a loop: the floor
//	B  a hand-written binary heap in a loop: the bare event queue
//	E  this package, in callbacks
//	R  simgo with two copied events per timer, used in turn: the least that an event
//	   in simgo's own queue can cost
//	S  simgo in process style: Wait(Timeout(d))
//	N  simgo in naive callbacks: Timeout(d).AddHandler(f)
//
// R, S and N make garbage, because simgo boxes the items of its queue. The heap of
// this benchmark is so small that by default it would be collected every 4 MB, more
// often than that of a real program: GOGC is 400, in favour of these three.
//
//	go test -run '^$' -bench Hold -benchmem ./sim/engine

var holdPending = []int{1, 100, 10_000, 1_000_000}

// delays are exponential-like, whole nanoseconds, mean 1 ms.
var delays = func() (d [1 << 16]time.Duration) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range d {
		d[i] = time.Duration(math.Ceil(rng.ExpFloat64() * 1e6))
	}
	return d
}()

func delay(i int) time.Duration { return delays[i&(len(delays)-1)] }

// bareEvent is what a queue cannot do without: when, in which order, and what.
type bareEvent struct {
	at, id int64
	what   int
}

func (a bareEvent) before(b bareEvent) bool {
	return a.at < b.at || a.at == b.at && a.id < b.id
}

// bareHeap is a heap with the given number of children per node.
type bareHeap struct {
	events []bareEvent
	now    int64
	nextID int64
}

func (h *bareHeap) push(arity int, d time.Duration, what int) {
	ev := bareEvent{h.now + int64(d), h.nextID, what}
	h.nextID++
	h.events = append(h.events, ev)
	i := len(h.events) - 1
	for i > 0 {
		parent := (i - 1) / arity
		if !ev.before(h.events[parent]) {
			break
		}
		h.events[i] = h.events[parent]
		i = parent
	}
	h.events[i] = ev
}

func (h *bareHeap) pop(arity int) bareEvent {
	top := h.events[0]
	n := len(h.events) - 1
	ev := h.events[n]
	h.events = h.events[:n]
	h.now = top.at
	i := 0
	for n > 0 {
		child := arity*i + 1
		if child >= n {
			break
		}
		for c, end := child+1, min(child+arity, n); c < end; c++ {
			if h.events[c].before(h.events[child]) {
				child = c
			}
		}
		if !h.events[child].before(ev) {
			break
		}
		h.events[i] = h.events[child]
		i = child
	}
	if n > 0 {
		h.events[i] = ev
	}
	return top
}

// A yardstick must be true, too: both heaps fire in the order of time and schedule.
func TestBareHeaps(t *testing.T) {
	for _, arity := range []int{2, 4} {
		h := &bareHeap{}
		var last bareEvent
		for i := range 5000 {
			h.push(arity, delay(i)/100_000, i) // few distinct times: many ties
			if i%3 == 0 {
				continue
			}
			ev := h.pop(arity)
			if ev.before(last) {
				t.Fatalf("arity %d: %v fired after %v", arity, ev, last)
			}
			last = ev
		}
	}
}

func holdH(b *testing.B, pending int) { holdBare(b, pending, 4) }
func holdB(b *testing.B, pending int) { holdBare(b, pending, 2) }

func holdBare(b *testing.B, pending, arity int) {
	h := &bareHeap{}
	for i := range pending {
		h.push(arity, delay(i), i)
	}
	b.ResetTimer()
	for i := range b.N {
		ev := h.pop(arity)
		h.push(arity, delay(pending+i), ev.what)
	}
}

func holdE(b *testing.B, pending int) {
	e := New(Options{MaxEvents: uint64(b.N)})
	i := 0
	var fire func()
	fire = func() {
		e.After(delay(i), fire)
		i++
	}
	for range pending {
		fire()
	}
	b.ResetTimer()
	var limit *LimitError
	if err := e.Run(context.Background()); !errors.As(err, &limit) || e.Events() != uint64(b.N) {
		b.Fatalf("%v after %d events", err, e.Events())
	}
}

func holdR(b *testing.B, pending int) {
	type timer struct {
		events [2]simgo.Event
		armed  simgo.Event
		turn   uint8
	}
	sim := simgo.NewSimulation()
	blank := *sim.Event()
	timers := make([]timer, pending)
	i := 0
	for k := range timers {
		tm := &timers[k]
		arm := func(*simgo.Event) {
			tm.turn ^= 1
			tm.events[tm.turn] = tm.armed
			tm.events[tm.turn].TriggerDelayed(float64(delay(i)))
			i++
		}
		tm.armed = blank
		tm.armed.AddHandler(arm)
		arm(nil)
	}
	b.ResetTimer()
	for range b.N {
		sim.Step()
	}
}

func holdN(b *testing.B, pending int) {
	sim := simgo.NewSimulation()
	i := 0
	var fire simgo.Handler
	fire = func(*simgo.Event) {
		sim.Timeout(float64(delay(i))).AddHandler(fire)
		i++
	}
	for range pending {
		fire(nil)
	}
	b.ResetTimer()
	for range b.N {
		sim.Step()
	}
}

func holdS(b *testing.B, pending int) {
	sim := simgo.NewSimulation()
	i, stop := 0, false
	for range pending {
		sim.Process(func(p simgo.Process) {
			for !stop {
				d := float64(delay(i))
				i++
				p.Wait(p.Timeout(d))
			}
		})
	}
	for range pending { // start them
		sim.Step()
	}
	b.ResetTimer()
	for range b.N {
		sim.Step()
	}
	b.StopTimer()
	stop = true
	sim.Run()
}

func BenchmarkHold(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	for _, pending := range holdPending {
		for _, style := range []struct {
			name string
			hold func(*testing.B, int)
		}{{"H", holdH}, {"B", holdB}, {"E", holdE}, {"R", holdR}, {"S", holdS}, {"N", holdN}} {
			b.Run(fmt.Sprintf("pending=%d/%s", pending, style.name), func(b *testing.B) {
				b.ReportAllocs()
				style.hold(b, pending)
			})
		}
	}
}

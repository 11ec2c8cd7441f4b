package network

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw/unit"
)

// 1 GB at 1 GB/s, of which a quarter is left from 0.5 s to 1.5 s: 0.5 + 0.25 GB, and the
// rest at full speed. The other link, which is not touched, goes on.
func TestCapacityChangesByHand(t *testing.T) {
	e, n, _ := build([]unit.Rate{gb, gb})
	ends := start(e, n, []move{
		{0, []LinkID{0}, gb, 0, 1750 * ms, 0},
		{0, []LinkID{1}, gb, 0, sec, 0},
		{0, []LinkID{1}, 0, 3 * sec, 3 * sec, 0},
	})
	e.After(500*ms, func() { n.SetCapacity(0, gb/4) })
	e.After(1500*ms, func() { n.SetCapacity(0, gb) })
	run(t, e)
	if ends[0] != 1750*ms || ends[1] != sec {
		t.Errorf("ends %v, want 1.75s and 1s", ends[:2])
	}
	if got, want := n.Could(0), 2.25*gb; math.Abs(got-want) > 1 {
		t.Errorf("the link could have carried %g bytes in 3 s, want %g", got, want)
	}
	if err := n.Check(); err != nil {
		t.Error(err)
	}
}

// Two share a link; the one that is dropped at 1 s had moved 0.5 GB, and the other goes
// on alone.
func TestDropByHand(t *testing.T) {
	e, n, _ := build([]unit.Rate{gb})
	s := e.NewScope()
	dropped := false
	e.Enter(s)
	n.Transfer([]LinkID{0}, gb, 0, func() { dropped = true })
	n.Transfer([]LinkID{0}, gb, 2*sec, func() { dropped = true })
	e.Enter(nil)
	end := time.Duration(0)
	n.Transfer([]LinkID{0}, gb, 0, func() { end = e.Now() })
	e.After(sec, func() { s.End(); n.Drop(s) })
	run(t, e)
	if dropped || end != 1500*ms {
		t.Errorf("ended at %v, want 1.5s; told of a dropped transfer: %v", end, dropped)
	}
	if got := n.Carried(0); got != 1.5*gb {
		t.Errorf("carried %g bytes, want 1.5e9", got)
	}
	if err := n.Check(); err != nil {
		t.Error(err)
	}
}

// Whatever changes and is dropped, every solve is the textbook's, nobody loses its
// place, and what was carried is what the rates add up to.
func TestChangesAreFair(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		capacities, moves := drawNetwork(rt)
		e, n, _ := build(capacities)
		flowed, measure := meter(e, n, len(capacities))
		changes := 0
		account := func() { measure(); changes++ }
		n.again = func() {
			n.resolve()
			checkFair(rt, n)
			checkSame(rt, n)
			checkBooks(rt, n)
			account()
		}
		n.wake = func() { n.complete(); account() }
		// The last ones are begun in a scope that ends.
		s, kept := e.NewScope(), rapid.IntRange(0, len(moves)).Draw(rt, "kept")
		e.Enter(s)
		gone := start(e, n, moves[kept:])
		e.Enter(nil)
		ends := start(e, n, moves[:kept])
		when := rapid.Custom(func(t *rapid.T) time.Duration { return time.Duration(rapid.Int64Range(0, int64(4*sec)).Draw(t, "ns")) })
		over := when.Draw(rt, "end of the scope")
		e.After(over, func() { s.End(); n.Drop(s); account() })
		for range rapid.IntRange(0, 8).Draw(rt, "changes") {
			l := rapid.IntRange(0, len(capacities)-1).Draw(rt, "link")
			to := unit.Rate(rapid.SampledFrom([]float64{0.5, 1, 2}).Draw(rt, "factor")) * capacities[l]
			e.After(when.Draw(rt, "change"), func() { n.SetCapacity(LinkID(l), to) })
		}
		run(t, e)
		for i, end := range ends {
			if end < 0 {
				rt.Fatalf("transfer %d never ended", i)
			}
		}
		for i, end := range gone {
			if end > over {
				rt.Fatalf("transfer %d of the scope ended at %v, the scope at %v", i, end, over)
			}
		}
		if err := n.Check(); err != nil {
			rt.Fatal(err)
		}
		for l := range flowed {
			slack := 1e-9*flowed[l] + 2e-9*float64(changes+2*len(moves))*float64(capacities[l])
			if got := n.Carried(LinkID(l)); math.Abs(flowed[l]-got) > slack {
				rt.Fatalf("link %d: the rates add up to %g bytes, %g were carried", l, flowed[l], got)
			}
		}
	})
}

func TestSetCapacityPanics(t *testing.T) {
	_, n, _ := build([]unit.Rate{gb})
	for _, c := range []unit.Rate{0, -1, unit.Rate(math.NaN()), unit.Rate(math.Inf(1))} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a capacity of %v is let through", float64(c))
				}
			}()
			n.SetCapacity(0, c)
		}()
	}
}

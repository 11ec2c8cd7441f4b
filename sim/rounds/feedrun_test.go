package rounds

import (
	"context"
	"time"

	"stowage/sim/engine"
	"stowage/workloads"
	"stowage/workloads/lookups"
)

// tester is what a *testing.T, a *testing.B and a *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// rawTrace holds rounds of batch samples, each with some lookups in one table of
// rows, as they came and made unique.
func rawTrace(t tester, rows int64, batch, perSample int, keys []uint32) (*lookups.Trace, lookups.Layout) {
	t.Helper()
	tables := []workloads.Table{{Name: "rows", Rows: rows, Dim: 4, Lookups: perSample}}
	stream, err := lookups.NewStream(tables, lookups.Spec{Generator: lookups.Traced, Keys: keys}, batch, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := lookups.RecordRaw(stream, len(keys)/(batch*perSample), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return trace, lookups.NewLayout(tables, batch)
}

// rig is a feed and the least that can compute: one round after the other, each a
// forward and a backward pass.
type rig struct {
	t    tester
	e    *engine.Engine
	feed *Feed

	forward, backward func(r int) time.Duration
	slow              time.Duration // see newSlowRig

	next    int           // the round to compute
	busy    bool          // with it
	since   time.Duration // when the one before was over
	readies []int         // rounds, in the order in which they became ready
	ready   []time.Duration
	ends    []time.Duration // of computing
	stalled time.Duration
}

// newRig makes a rig whose passes take no time. Set forward and backward.
func newRig(t tester, spec Spec) *rig { t.Helper(); return newSlowRig(t, spec, 0) }

// newSlowRig is newRig with links of its own where slow > 0: what goes down to the
// devices takes 1 us, what comes up takes slow, one after the other.
func newSlowRig(t tester, spec Spec, slow time.Duration) *rig {
	t.Helper()
	g, err := tryRig(t, spec, slow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func tryRig(t tester, spec Spec, slow time.Duration) (*rig, error) {
	none := func(int) time.Duration { return 0 }
	g := &rig{t: t, e: engine.New(engine.Options{MaxEvents: 1e7}), forward: none, backward: none, slow: slow}
	var err error
	hooks := Hooks{Ready: g.isReady}
	if slow > 0 {
		var up server
		hooks.Transfer = func(toDevice bool, _ float64, done func()) {
			d := time.Microsecond
			if !toDevice {
				d = up.take(g.e.Now(), slow) - g.e.Now()
			}
			g.e.After(d, done)
		}
	}
	g.feed, err = New(g.e, spec, hooks)
	return g, err
}

// run simulates until nothing happens any more.
func (g *rig) run() error {
	g.feed.Start()
	err := g.e.Run(context.Background())
	if failure := g.feed.Failed(); failure != nil {
		return failure
	}
	return err
}

// mustRun is run where an error is a failure.
func (g *rig) mustRun() {
	g.t.Helper()
	if err := g.run(); err != nil {
		g.t.Fatal(err)
	}
	if len(g.ends) != g.feed.spec.Rounds {
		g.t.Fatalf("%d of %d rounds are over", len(g.ends), g.feed.spec.Rounds)
	}
}

func (g *rig) isReady(round int) {
	g.readies, g.ready = append(g.readies, round), append(g.ready, g.e.Now())
	g.begin()
}

// begin computes the next round, if its rows are there and nothing else is computed.
func (g *rig) begin() {
	r := g.next
	if g.busy || r == g.feed.spec.Rounds || !g.feed.Ready(r) {
		return
	}
	g.busy = true
	if now := g.e.Now(); now > g.since {
		g.feed.Stalled(r, g.since, now)
		g.stalled += now - g.since
	}
	g.e.After(g.forward(r), func() {
		g.feed.Backward(r)
		g.e.After(g.backward(r), func() {
			g.busy, g.since = false, g.e.Now()
			g.ends = append(g.ends, g.since)
			g.next++
			g.feed.Computed(r)
			g.begin()
		})
	})
}

// total adds up the work of all units and the stalls of all rounds.
func (g *rig) total() (w Work, s Stalls) {
	for r := range g.feed.spec.Rounds {
		w.add(g.feed.Round(r))
		s = s.Add(g.feed.StallsOf(r))
	}
	return w, s
}

func always(d time.Duration) func(int) time.Duration { return func(int) time.Duration { return d } }

package network

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw/unit"
	"stowage/sim/engine"
)

// drawNetwork draws links and transfers. Capacities and sizes come from small
// sets half of the time, so that ties are common.
func drawNetwork(t *rapid.T) ([]unit.Rate, []move) {
	capacity := rapid.OneOf(rapid.SampledFrom([]float64{1e9, 2e9, 3e9}), rapid.Float64Range(1e6, 1e11))
	var capacities []unit.Rate
	for _, c := range rapid.SliceOfN(capacity, 1, 12).Draw(t, "capacities") {
		capacities = append(capacities, unit.Rate(c))
	}
	at := rapid.OneOf(rapid.SampledFrom([]time.Duration{0, sec}), rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(2*sec)).Draw(t, "ns"))
	}))
	ids := make([]LinkID, len(capacities))
	for i := range ids {
		ids[i] = LinkID(i)
	}
	limit := rapid.OneOf(rapid.Just[unit.Rate](0), rapid.Just[unit.Rate](0), rapid.SampledFrom([]unit.Rate{1e8, 1e9}))
	draw := rapid.Custom(func(t *rapid.T) move {
		path := rapid.Permutation(ids).Draw(t, "path")
		return move{
			start:   at.Draw(t, "start"),
			path:    path[:rapid.IntRange(1, len(path)).Draw(t, "hops")],
			bytes:   rapid.OneOf(rapid.SampledFrom([]float64{1e9, 2e9}), rapid.Float64Range(1, 1e10)).Draw(t, "bytes"),
			limit:   limit.Draw(t, "limit"),
			latency: at.Draw(t, "latency"),
		}
	})
	return capacities, rapid.SliceOfN(draw, 1, 40).Draw(t, "moves")
}

// active returns the transfers that have a rate, in the order in which they began.
func active(n *Network) (flows []*flow) {
	for _, l := range n.links {
		flows = append(flows, l.group.flows...)
	}
	slices.SortFunc(flows, func(a, b *flow) int { return int(a.seq) - int(b.seq) })
	return flows
}

// checkSame holds the rates against a solve of all links from empty.
func checkSame(t failer, n *Network) {
	twin := newEager(nil)
	for _, l := range n.links {
		twin.Link(l.name, unit.Rate(l.capacity))
	}
	flows := active(n)
	for _, f := range flows {
		g := &eagerFlow{remains: 1}
		for i := range f.cross {
			l := f.cross[i].link.id
			g.path = append(g.path, LinkID(l))
			twin.links[l].flows++
		}
		twin.flows = append(twin.flows, g)
	}
	twin.share(0)
	for i, f := range flows {
		if want := twin.flows[i].rate; math.Abs(f.group.level-want) > 1e-9*want {
			t.Fatalf("transfer %d has %g B/s, the textbook gives it %g", f.seq, f.group.level, want)
		}
	}
}

// checkBooks holds cells, groups and heaps against the transfers themselves.
func checkBooks(t failer, n *Network) {
	if len(n.fresh.flows)+len(n.fresh.col) > 0 {
		t.Fatalf("%d transfers were left without a rate", len(n.fresh.flows))
	}
	count := map[[2]int32]int{}
	for _, f := range active(n) {
		for i := range f.cross {
			count[[2]int32{f.cross[i].link.id, f.group.id}]++
		}
		if f.group.flows[f.at] != f || f.group.flows[0].mark > f.mark {
			t.Fatalf("transfer %d is lost in its group's heap", f.seq)
		}
	}
	cells, groups := 0, 0
	for _, l := range n.links {
		cells += len(l.row)
		for _, e := range l.row {
			if want := count[[2]int32{l.id, e.id}]; e.cell.count != want {
				t.Fatalf("link %d, group %d: %d crossings are counted, there are %d", l.id, e.id, e.cell.count, want)
			}
		}
		if len(l.group.flows) > 0 {
			groups++
			if n.ends[l.group.at] != &l.group || n.ends[0].end > l.group.end {
				t.Fatalf("group %d is lost in the heap of ends", l.id)
			}
		}
	}
	if cells != len(count) || groups != len(n.ends) {
		t.Fatalf("%d cells and %d scheduled groups, there are %d and %d", cells, len(n.ends), len(count), groups)
	}
}

// checkFair is the definition of max-min fairness (Bertsekas and Gallager, Data
// Networks, 2nd ed., 6.5.2, recalled): rates are fair exactly when every transfer has a bottleneck,
// a saturated link of its path on which no transfer is faster.
func checkFair(t failer, n *Network) {
	const tolerance = 1e-9
	load, fastest := make([]float64, len(n.links)), make([]float64, len(n.links))
	flows := active(n)
	for _, f := range flows {
		for i := range f.cross {
			l := f.cross[i].link.id
			load[l] += f.group.level
			fastest[l] = max(fastest[l], f.group.level)
		}
	}
	for l := range n.links {
		if load[l] > n.links[l].capacity*(1+tolerance) {
			t.Fatalf("link %d carries %g B/s of %g", l, load[l], n.links[l].capacity)
		}
	}
	for _, f := range flows {
		if !slices.ContainsFunc(f.cross, func(x crossing) bool {
			l := x.link
			return load[l.id] >= l.capacity*(1-tolerance) && f.group.level >= fastest[l.id]*(1-tolerance)
		}) {
			t.Fatalf("transfer %d at %g B/s has no bottleneck on its path %v, limit %g", f.seq, f.group.level, f.path, f.limit)
		}
	}
}

// meter integrates the rates of links: flowed is what they add up to until account was last
// called, which must be whenever rates have changed.
func meter(e *engine.Engine, n *Network, links int) (flowed []float64, account func()) {
	flowed = make([]float64, links)
	var rates []float64 // since last
	var last time.Duration
	return flowed, func() {
		for l, r := range rates {
			flowed[l] += r * (e.Now() - last).Seconds()
		}
		last, rates = e.Now(), make([]float64, links)
		for _, f := range active(n) {
			for _, l := range f.path {
				rates[l] += f.group.level
			}
		}
	}
}

// On random graphs every solve is fair, every transfer ends once, what was
// carried is what was sent, and what the rates add up to is what was carried.
func TestMaxMinFair(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		capacities, moves := drawNetwork(rt)
		e, n, _ := build(capacities)
		flowed, account := meter(e, n, len(capacities))
		n.again = func() {
			n.resolve()
			checkFair(rt, n)
			checkSame(rt, n)
			checkBooks(rt, n)
			account()
		}
		n.wake = func() {
			n.complete()
			account()
		}
		ends := start(e, n, moves)
		run(t, e)
		sent := make([]float64, len(capacities))
		for i, m := range moves {
			for _, l := range m.path {
				sent[l] += m.bytes
			}
			slowest := math.Inf(1)
			for _, l := range m.path {
				slowest = min(slowest, float64(capacities[l]))
			}
			if alone := (m.start + m.latency).Seconds() + m.bytes/slowest; ends[i].Seconds() < alone*(1-1e-9)-1e-9 {
				rt.Fatalf("transfer %d ended at %v, before the %g s it takes alone", i, ends[i], alone)
			}
		}
		if err := n.Check(); err != nil {
			rt.Fatal(err)
		}
		for l := range sent {
			if got := n.Carried(LinkID(l)); math.Abs(got-sent[l]) > 1e-9*sent[l] {
				rt.Fatalf("link %d carried %g bytes of %g", l, got, sent[l])
			}
			// Half a nanosecond of rounding per change of rate.
			if slack := 1e-9*sent[l] + 1e-9*float64(2*len(moves))*float64(capacities[l]); math.Abs(flowed[l]-sent[l]) > slack {
				rt.Fatalf("link %d: the rates add up to %g bytes, %g were sent", l, flowed[l], sent[l])
			}
		}
	})
}

// twin computes when transfers end by the fluid model in float seconds, with an
// independent way to the rates: every rate grows alike until a link of its path
// is full. It shares nothing with the solver but the definition.
func twin(capacities []unit.Rate, moves []move) []float64 {
	left, enter, end := make([]float64, len(moves)), make([]float64, len(moves)), make([]float64, len(moves))
	for i, m := range moves {
		left[i], enter[i], end[i] = m.bytes, (m.start + m.latency).Seconds(), -1
	}
	for now := 0.0; slices.Contains(end, -1); {
		active := func(i int) bool { return end[i] < 0 && enter[i] <= now }
		rates := grow(capacities, moves, active)
		step := math.Inf(1)
		for i := range moves {
			switch {
			case active(i):
				step = min(step, left[i]/rates[i])
			case end[i] < 0:
				step = min(step, enter[i]-now)
			}
		}
		before := now
		now += step
		for i := range moves {
			if end[i] < 0 && enter[i] <= before {
				if left[i] -= rates[i] * step; left[i] <= 1e-12*moves[i].bytes {
					end[i] = now
				}
			}
			if enter[i] > before && enter[i]-now < 1e-12 {
				enter[i] = min(enter[i], now)
			}
		}
	}
	return end
}

// limitsAsLinks puts a link of its own on the path of each transfer with a limit.
func limitsAsLinks(capacities []unit.Rate, moves []move) ([]unit.Rate, []move) {
	capacities, moves = slices.Clone(capacities), slices.Clone(moves)
	for i := range moves {
		if m := &moves[i]; m.limit > 0 {
			m.path = append(slices.Clone(m.path), LinkID(len(capacities)))
			capacities = append(capacities, m.limit)
		}
	}
	return capacities, moves
}

// grow raises all rates together and stops those that reach a full link.
func grow(capacities []unit.Rate, moves []move, active func(int) bool) []float64 {
	capacities, moves = limitsAsLinks(capacities, moves)
	rates, stopped := make([]float64, len(moves)), make([]bool, len(moves))
	for {
		step := math.Inf(1)
		room, growing := make([]float64, len(capacities)), make([]int, len(capacities))
		for l, c := range capacities {
			room[l] = float64(c)
		}
		for i, m := range moves {
			for _, l := range m.path {
				if active(i) {
					room[l] -= rates[i]
				}
				if active(i) && !stopped[i] {
					growing[l]++
				}
			}
		}
		for l := range capacities {
			if growing[l] > 0 {
				step = min(step, max(0, room[l])/float64(growing[l]))
			}
		}
		if math.IsInf(step, 1) {
			return rates
		}
		for i, m := range moves {
			if !active(i) || stopped[i] {
				continue
			}
			rates[i] += step
			stopped[i] = slices.ContainsFunc(m.path, func(l LinkID) bool {
				return room[l]-step*float64(growing[l]) <= 1e-12*float64(capacities[l])
			})
		}
	}
}

// The events agree with the fluid model but for the nanosecond to which each end
// is rounded; an end that comes late by half a nanosecond delays others by a
// share of that.
func TestTwin(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		capacities, moves := drawNetwork(rt)
		e, n, _ := build(capacities)
		ends := start(e, n, moves)
		run(t, e)
		for i, want := range twin(capacities, moves) {
			// 1 GB/s left idle for half a nanosecond costs a transfer that then crawls
			// at 1 MB/s a thousand times as much.
			linked, _ := limitsAsLinks(capacities, moves)
			slack := 1e-9*want + 2e-9*float64(len(moves))*ratio(linked)
			if got := ends[i].Seconds(); math.Abs(got-want) > slack {
				rt.Fatalf("transfer %d ended at %.12f s, the fluid model says %.12f s", i, got, want)
			}
		}
	})
}

// ratio returns the fastest capacity over the slowest.
func ratio(capacities []unit.Rate) float64 {
	return float64(slices.Max(capacities) / slices.Min(capacities))
}

// Times scale with sizes, and against capacities.
func TestScaling(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		capacities, moves := drawNetwork(rt)
		for i := range moves { // all at once, so that sizes are all that counts
			moves[i].start, moves[i].latency, moves[i].limit = 0, 0, 0
		}
		ends := func(size, speed float64) []time.Duration {
			e := engine.New(engine.Options{})
			n := New(e)
			for _, c := range capacities {
				n.Link("l", c*unit.Rate(speed))
			}
			scaled := slices.Clone(moves)
			for i := range scaled {
				scaled[i].bytes *= size
			}
			out := start(e, n, scaled)
			run(t, e)
			return out
		}
		base, same, twice := ends(1, 1), ends(4, 4), ends(2, 1)
		slack := time.Duration(2 * float64(len(moves)) * ratio(capacities))
		for i := range base {
			if base[i] != same[i] {
				rt.Fatalf("transfer %d: %v, with everything four times as large %v", i, base[i], same[i])
			}
			if d := twice[i] - 2*base[i]; d < -slack || d > slack {
				rt.Fatalf("transfer %d: %v, twice the bytes %v", i, base[i], twice[i])
			}
		}
	})
}

// failer is what a *testing.T and a *rapid.T have in common.
type failer interface{ Fatalf(string, ...any) }

// Drawn networks are small. On large ones, where many transfers share bottlenecks and
// thresholds cut solves short, every solve is fair, too, and the textbook's.
func TestLargeIsFair(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 3))
		var capacities []unit.Rate
		for range 40 {
			capacities = append(capacities, []unit.Rate{1e9, 2e9, unit.Rate(1e8 * math.Exp(5*r.Float64()))}[r.IntN(3)])
		}
		e, n, _ := build(capacities)
		solves := 0
		n.again = func() {
			n.resolve()
			checkFair(t, n)
			checkSame(t, n)
			checkBooks(t, n)
			solves++
		}
		var moves []move
		for range 250 {
			m := move{
				start: time.Duration(r.IntN(int(sec))), bytes: 1e9 * r.ExpFloat64(),
				path: make([]LinkID, 1+r.IntN(4)), // a link may come twice
			}
			if r.IntN(3) == 0 {
				m.start = time.Duration(r.IntN(10)) * 100 * ms // several at an instant
			}
			for i := range m.path {
				m.path[i] = LinkID(r.IntN(len(capacities)))
			}
			if r.IntN(5) == 0 {
				m.limit = unit.Rate(1e7 * math.Exp(4*r.Float64()))
			}
			moves = append(moves, m)
		}
		start(e, n, moves)
		run(t, e)
		if err := n.Check(); err != nil {
			t.Error(err)
		}
		if solves < 300 {
			t.Errorf("%d solves", solves)
		}
	}
}

package sim

import (
	"math"
	"slices"
	"time"

	"stowage/hw/unit"
)

// pace is how much longer than planned things take, by time: a factor from each time on.
type pace struct {
	sets  [][]window      // each of something that everything waits for: the slowest one counts
	edges []time.Duration // where the factor changes, in order
}

// window is a factor from one time until another.
type window struct {
	from, until           time.Duration // until 0: to the end
	fromRound, untilRound int           // of what belongs to rounds
	factor                float64
}

func newPace(sets ...[]window) (p pace) {
	for _, windows := range sets {
		if len(windows) > 0 {
			p.sets = append(p.sets, windows)
		}
		for _, w := range windows {
			p.edges = append(p.edges, w.from)
			if w.until > 0 {
				p.edges = append(p.edges, w.until)
			}
		}
	}
	slices.Sort(p.edges)
	p.edges = slices.Compact(p.edges)
	return p
}

// has reports whether a window holds at a time, for what belongs to a round.
func (w *window) has(at time.Duration, round int) bool {
	return at >= w.from && (w.until == 0 || at < w.until) &&
		round >= w.fromRound && (w.untilRound == 0 || round < w.untilRound)
}

// factor is the product of the windows that hold at a time, of the set in which it is
// largest, and at least 1.
func (p *pace) factor(at time.Duration, round int) float64 {
	most := 1.0
	for _, windows := range p.sets {
		f := 1.0
		for i := range windows {
			if w := &windows[i]; w.has(at, round) {
				f *= w.factor
			}
		}
		most = max(most, f)
	}
	return most
}

// takes returns how long something takes that begins at a time and would take
// nanoseconds at factor 1: what is under way when the factor changes goes on at the new
// one. It is rounded to the nanosecond once, and cut at what no clock can hold.
func (p *pace) takes(nanoseconds float64, at time.Duration, round int) time.Duration {
	gone, left := 0.0, nanoseconds
	i, _ := slices.BinarySearch(p.edges, at+1) // the first edge after at
	for now := at; ; i++ {
		f := p.factor(now, round)
		if i == len(p.edges) || left*f <= float64(p.edges[i]-now) {
			gone += left * f
			break
		}
		left -= float64(p.edges[i]-now) / f
		gone, now = float64(p.edges[i]-at), p.edges[i]
	}
	return time.Duration(math.Round(min(gone, float64(unit.MaxTime)+1)))
}

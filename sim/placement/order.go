package placement

import (
	"fmt"
	"math/bits"
	"strings"
)

// disorder returns how many stages no order can put behind all that they read
// from: 0 if the stages can be ordered so that every edge goes forward. There
// must be at most MaxPools stages.
func (ev *Evaluator) disorder() int {
	before, backward := ev.reads()
	if !backward { // the order of their first layers will do
		return 0
	}
	return bits.OnesCount64(unordered(before[:len(ev.stages)]))
}

// reads returns for each stage the set of other stages that it reads from, and
// whether it reads from any that begins behind it.
func (ev *Evaluator) reads() (before [MaxPools]uint64, backward bool) {
	for i := range ev.p.edges {
		e := &ev.p.edges[i]
		from, to := ev.stageOf[e.from], ev.stageOf[e.to]
		if from != to {
			before[to] |= 1 << from
			backward = backward || from > to
		}
	}
	return before, backward
}

// unordered takes away stages that read from none of those left, until there is
// none, and returns those left: they form cycles, or stand behind one.
func unordered(before []uint64) uint64 {
	left := uint64(1)<<len(before) - 1
	for {
		was := left
		for i, b := range before {
			if b&left == 0 {
				left &^= 1 << i
			}
		}
		if left == was || left == 0 {
			return left
		}
	}
}

// cycle names the pools of stages that read from each other in a circle.
func (p *Problem) cycle(pl *Plan) string {
	ev := Evaluator{p: p, stageOf: pl.StageOf}
	before, _ := ev.reads()
	left := unordered(before[:len(pl.Stages)])
	if left == 0 {
		return ""
	}
	// Every stage left reads from one left: going back must come round.
	seen := map[int]bool{}
	at := bits.TrailingZeros64(left)
	for ; !seen[at]; at = bits.TrailingZeros64(before[at] & left) {
		seen[at] = true
	}
	names := []string{p.Cluster.Pools[pl.Stages[at].Pool].Name}
	for i := bits.TrailingZeros64(before[at] & left); i != at; i = bits.TrailingZeros64(before[i] & left) {
		names = append([]string{p.Cluster.Pools[pl.Stages[i].Pool].Name}, names...)
	}
	names = append([]string{p.Cluster.Pools[pl.Stages[at].Pool].Name}, names...)
	return fmt.Sprintf("merge = %q: its stages on %s read from each other in a circle, so that no order sends every edge forward", Convex, strings.Join(names, " -> "))
}

package workloads

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sortSlowly is the dumb twin of topological: again and again it takes the
// lowest node that nothing left points to.
func sortSlowly(n int, edges []Edge) []int {
	taken := make([]bool, n)
	var order []int
	for range n {
		next := -1
		for i := n - 1; i >= 0; i-- {
			blocked := slices.ContainsFunc(edges, func(e Edge) bool { return e.To == i && !taken[e.From] })
			if !taken[i] && !blocked {
				next = i
			}
		}
		if next < 0 {
			return nil
		}
		taken[next] = true
		order = append(order, next)
	}
	return order
}

func TestTopologicalAgainstTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 9).Draw(t, "n")
		var edges []Edge
		for range rapid.IntRange(0, 14).Draw(t, "edges") {
			e := Edge{From: rapid.IntRange(0, n-1).Draw(t, "from"), To: rapid.IntRange(0, n-1).Draw(t, "to")}
			if e.From != e.To {
				edges = append(edges, e)
			}
		}
		order, cycle := topological(n, edges)
		want := sortSlowly(n, edges)
		if !slices.Equal(order, want) {
			t.Fatalf("order %v, want %v", order, want)
		}
		if (want == nil) != (cycle != nil) {
			t.Fatalf("cycle %v, but order %v", cycle, want)
		}
		for i := range cycle {
			from, to := cycle[i], cycle[(i+1)%len(cycle)]
			if !slices.ContainsFunc(edges, func(e Edge) bool { return e.From == from && e.To == to }) {
				t.Fatalf("cycle %v has no edge %d -> %d", cycle, from, to)
			}
		}
	})
}

func TestCycleTextIsCut(t *testing.T) {
	name := func(i int) string { return string(rune('a' + i)) }
	if got := cycleText([]int{0, 1, 2}, name); got != "a -> b -> c -> a" {
		t.Error(got)
	}
	long := make([]int, 20)
	for i := range long {
		long[i] = i
	}
	if got := cycleText(long, name); got != "a -> b -> c -> d -> e -> f -> g -> … -> a" {
		t.Error(got)
	}
}

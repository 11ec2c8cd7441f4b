package workloads

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
)

// topological orders the nodes 0..n-1 so that every edge goes forward. It is
// stable: of the nodes that may come next, the lowest number does (Kahn's
// algorithm with a heap). When the edges form a cycle, order is nil and cycle
// holds the nodes of one, in edge direction.
func topological(n int, edges []Edge) (order, cycle []int) {
	next := make([][]int, n)
	waiting := make([]int, n)
	for _, e := range edges {
		next[e.From] = append(next[e.From], e.To)
		waiting[e.To]++
	}
	ready := make(intHeap, 0, n)
	for i := range n {
		if waiting[i] == 0 {
			ready = append(ready, i) // ascending, so already a heap
		}
	}
	order = make([]int, 0, n)
	for len(ready) > 0 {
		i := heap.Pop(&ready).(int)
		order = append(order, i)
		for _, j := range next[i] {
			if waiting[j]--; waiting[j] == 0 {
				heap.Push(&ready, j)
			}
		}
	}
	if len(order) < n {
		return nil, findCycle(next, waiting)
	}
	return order, nil
}

// findCycle returns one cycle among the nodes that still wait for another.
// Every such node has a waiting predecessor, so walking backwards from any of
// them must come round.
func findCycle(next [][]int, waiting []int) []int {
	previous := make([]int, len(next))
	start := -1
	for i := range next {
		if waiting[i] == 0 {
			continue
		}
		start = i
		for _, j := range next[i] {
			if waiting[j] > 0 {
				previous[j] = i
			}
		}
	}
	seen := make([]bool, len(next))
	i := start
	for !seen[i] {
		seen[i] = true
		i = previous[i]
	}
	cycle := []int{i}
	for j := previous[i]; j != i; j = previous[j] {
		cycle = append(cycle, j)
	}
	slices.Reverse(cycle)
	return cycle
}

// cycleText writes a cycle as "a -> b -> a". A long one is cut in the middle.
func cycleText(cycle []int, name func(int) string) string {
	const most = 8
	var parts []string
	for k, i := range cycle {
		if len(cycle) > most && k == most-1 {
			parts = append(parts, "…")
			break
		}
		parts = append(parts, name(i))
	}
	return strings.Join(append(parts, name(cycle[0])), " -> ")
}

// arrange puts layers into the given order and renumbers and sorts the edges.
func arrange(layers []Layer, edges []Edge, order []int) ([]Layer, []Edge) {
	place := make([]int, len(layers))
	sorted := make([]Layer, len(layers))
	for k, i := range order {
		place[i] = k
		sorted[k] = layers[i]
	}
	renumbered := make([]Edge, len(edges))
	for i, e := range edges {
		e.From, e.To = place[e.From], place[e.To]
		renumbered[i] = e
	}
	slices.SortFunc(renumbered, compareEdges)
	return sorted, renumbered
}

func compareEdges(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
}

// intHeap is a min-heap of ints for container/heap.
type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}

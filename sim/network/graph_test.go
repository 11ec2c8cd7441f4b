package network

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw/unit"
)

// Routes are paths, of least cost, and the same whenever they are asked for.
func TestRoutes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(rt, "vertices")
		count := rapid.IntRange(0, 25).Draw(rt, "cables")
		type cable struct{ a, b, cost int }
		var cables []cable
		for range count {
			c := cable{rapid.IntRange(0, n-1).Draw(rt, "a"), rapid.IntRange(0, n-1).Draw(rt, "b"), rapid.IntRange(0, 3).Draw(rt, "cost")}
			if c.a != c.b {
				cables = append(cables, c)
			}
		}
		build := func() *Graph {
			g := NewGraph()
			for i := range n {
				g.Vertex(fmt.Sprint(i))
			}
			for _, c := range cables {
				g.Connect(Vertex(c.a), Vertex(c.b), Cable{Capacity: 1, Latency: us, Cost: c.cost, Half: c.a > c.b})
			}
			return g
		}
		// Floyd and Warshall say what the least cost is.
		least := make([][]int, n)
		for i := range least {
			least[i] = slices.Repeat([]int{1 << 20}, n)
			least[i][i] = 0
		}
		for _, c := range cables {
			least[c.a][c.b] = min(least[c.a][c.b], max(1, c.cost))
			least[c.b][c.a] = least[c.a][c.b]
		}
		for k := range n {
			for i := range n {
				for j := range n {
					least[i][j] = min(least[i][j], least[i][k]+least[k][j])
				}
			}
		}
		g, h := build(), build()
		ends := map[LinkID][][3]int{} // from, to, cost
		id := LinkID(0)
		for _, c := range cables {
			ends[id] = append(ends[id], [3]int{c.a, c.b, max(1, c.cost)})
			if c.a <= c.b {
				id++
			}
			ends[id] = append(ends[id], [3]int{c.b, c.a, max(1, c.cost)})
			id++
		}
		for i := range n {
			for j := range n {
				r, ok := g.Route(Vertex(i), Vertex(j))
				if ok != (least[i][j] < 1<<20) {
					rt.Fatalf("from %d to %d: a route is there: %v", i, j, ok)
				}
				if !ok {
					continue
				}
				at, cost := i, 0
				for _, l := range r.Path {
					e := slices.IndexFunc(ends[l], func(e [3]int) bool { return e[0] == at })
					if e < 0 {
						rt.Fatalf("from %d to %d: link %d does not begin at %d", i, j, l, at)
					}
					at, cost = ends[l][e][1], cost+ends[l][e][2]
				}
				if at != j || cost != least[i][j] || int64(r.Latency) != int64(us)*int64(len(r.Path)) {
					rt.Fatalf("from %d to %d: ends at %d, costs %d (least %d), latency %v", i, j, at, cost, least[i][j], r.Latency)
				}
			}
		}
		// Asked in another order, the answers are the same.
		for i := n - 1; i >= 0; i-- {
			for j := n - 1; j >= 0; j-- {
				a, okA := g.Route(Vertex(i), Vertex(j))
				b, okB := h.Route(Vertex(i), Vertex(j))
				if okA != okB || okA && !slices.Equal(a.Path, b.Path) {
					rt.Fatalf("from %d to %d the route depends on the order of questions", i, j)
				}
			}
		}
	})
}

// Pairs spread over ways of equal cost.
func TestRoutesSpread(t *testing.T) {
	const spines, hosts = 4, 400
	g := NewGraph()
	left, right := g.Vertex("left"), g.Vertex("right")
	for s := range spines {
		spine := g.Vertex(fmt.Sprintf("spine %d", s))
		g.Connect(left, spine, Cable{Capacity: unit.Rate(1 + s)})
		g.Connect(spine, right, Cable{Capacity: unit.Rate(1 + s)})
	}
	far := g.Vertex("far")
	g.Connect(right, far, Cable{Capacity: 1})
	count := map[unit.Rate]int{}
	for i := range hosts {
		host := g.Vertex(fmt.Sprintf("host %d", i))
		g.Connect(host, left, Cable{Capacity: 1})
		r, ok := g.Route(host, far)
		if !ok || len(r.Path) != 4 {
			t.Fatalf("host %d: %v, %v", i, r, ok)
		}
		count[g.Capacity(r.Path[1])]++
	}
	for s := range spines {
		if c := count[unit.Rate(1+s)]; c < hosts/spines*7/10 || c > hosts/spines*13/10 {
			t.Errorf("%d of %d routes go over spine %d of %d", c, hosts, s, spines)
		}
	}
}

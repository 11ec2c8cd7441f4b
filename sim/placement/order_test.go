package placement

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stowage/workloads"
)

// circular reports whether some stage reads, through others, from itself.
func circular(edges []workloads.Edge, stageOf []int) bool {
	n := slices.Max(stageOf) + 1
	reach := make([][]bool, n)
	for i := range reach {
		reach[i] = make([]bool, n)
	}
	for _, e := range edges {
		if a, b := stageOf[e.From], stageOf[e.To]; a != b {
			reach[a][b] = true
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
			}
		}
	}
	for i := range n {
		if reach[i][i] {
			return true
		}
	}
	return false
}

// TestConvexOrder: a convex scheme is worth what it is worth by type, or its
// stages read from each other in a circle and its plan says which.
func TestConvexOrder(t *testing.T) {
	circles, ordered := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 12, 5, 8)
		byType := s
		s.Merge, byType.Merge = Convex, ByType
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		q, err := NewProblem(byType)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 4))
		for range 6 {
			sc := randomScheme(r, p.layers, p.pools, 0.4)
			pl := NewEvaluator(p).Plan(sc)
			if pl.StageOf == nil {
				continue
			}
			if circular(s.Model.Edges, pl.StageOf) {
				circles++
				if pl.Fitness.Feasible || !strings.HasPrefix(pl.Reason, `merge = "convex": its stages on `) {
					t.Fatalf("%v: %+v, %s", sc, pl.Fitness, pl.Reason)
				}
				checkCircle(t, p, pl)
				continue
			}
			ordered++
			if a, b := NewEvaluator(p).Recurrence(sc), NewEvaluator(q).Recurrence(sc); a != b {
				t.Fatalf("%v: convex %+v, by type %+v", sc, a, b)
			}
		}
	})
	if ordered == 0 || circles == 0 && !testing.Short() {
		t.Errorf("%d circles, %d orders: the test tests nothing", circles, ordered)
	}
}

// checkCircle: each stage that the reason names reads from the one before it.
func checkCircle(t *rapid.T, p *Problem, pl *Plan) {
	names := strings.Split(strings.Split(strings.TrimPrefix(pl.Reason, `merge = "convex": its stages on `), " read")[0], " -> ")
	if len(names) < 3 || names[0] != names[len(names)-1] {
		t.Fatalf("no circle: %s", pl.Reason)
	}
	pool := func(stage int) string { return p.Cluster.Pools[pl.Stages[stage].Pool].Name }
	for i := 1; i < len(names); i++ {
		if !slices.ContainsFunc(p.Model.Edges, func(e workloads.Edge) bool {
			return pool(pl.StageOf[e.From]) == names[i-1] && pool(pl.StageOf[e.To]) == names[i]
		}) {
			t.Fatalf("nothing goes from %s to %s: %s", names[i-1], names[i], pl.Reason)
		}
	}
}

// TestConvexByHand: a b c d in a chain on pools 0 1 0 bounces; two branches that
// alternate in the order of layers do not.
func TestConvexByHand(t *testing.T) {
	s := bounce(Convex)
	p := mustProblem(t, s)
	pl := NewEvaluator(p).Plan(Scheme{0, 1, 1, 0})
	if want := `merge = "convex": its stages on c -> g -> c read from each other in a circle, so that no order sends every edge forward`; pl.Fitness.Feasible || pl.Reason != want {
		t.Errorf("%+v, %q", pl.Fitness, pl.Reason)
	}
	if given, err := NewEvaluator(p).PlanDevices(Scheme{0, 1, 1, 0}, []int{1, 1}); err != nil || given.Reason != pl.Reason || given.Fitness.Feasible {
		t.Errorf("with devices given: %+v, %v", given, err)
	}
	s.Model.Edges = []workloads.Edge{{From: 0, To: 2, Elements: 10}, {From: 1, To: 3, Elements: 20}}
	pl = NewEvaluator(mustProblem(t, s)).Plan(Scheme{0, 1, 0, 1})
	if !pl.Fitness.Feasible || len(pl.Stages) != 2 || pl.Segment[3] != 3 {
		t.Errorf("two branches: %+v, %q", pl.Fitness, pl.Reason)
	}
}

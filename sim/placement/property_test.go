package placement

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stowage/hw"
	"stowage/hw/unit"
)

// search runs a policy by name.
func mustSearch(t testing.TB, name string, p *Problem, opt Options) *Outcome {
	t.Helper()
	policy, ok := LookupPolicy(name)
	if !ok {
		t.Fatalf("no policy %q", name)
	}
	out, err := policy.Search(context.Background(), p, opt)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

// copyPools gives a spec pools and device types of its own.
func copyPools(s *Spec) {
	c := &hw.Cluster{Pools: slices.Clone(s.Cluster.Pools)}
	for i := range c.Pools {
		d, h := *c.Pools[i].Device, *c.Pools[i].Host
		c.Pools[i].Device, c.Pools[i].Host = &d, &h
		members := slices.Clone(c.Pools[i].Members)
		for k, m := range members {
			own := *m
			members[k] = &own
		}
		c.Pools[i].Members = members
	}
	s.Cluster = c
}

// TestPoolOrderIsNoMatter: permuting and renaming pools changes indices only.
func TestPoolOrderIsNoMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 8, 3, 8)
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		sc := randomScheme(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 3)), p.layers, p.pools, 0.5)
		order := rapid.Permutation([]int{0, 1, 2}[:p.pools]).Draw(t, "order") // new -> old
		o := s
		copyPools(&o)
		o.Tensor = inOrder(s.Tensor, order)
		moved := make(Scheme, len(sc))
		for to, from := range order {
			o.Cluster.Pools[to] = s.Cluster.Pools[from]
			o.Cluster.Pools[to].Name = "renamed" + string(rune('a'+to))
			if s.Servers == from+1 {
				o.Servers = to + 1
			}
			for l := range sc {
				if int(sc[l]) == from {
					moved[l] = uint8(to)
				}
			}
		}
		q, err := NewProblem(o)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := NewEvaluator(p).Recurrence(sc), NewEvaluator(q).Recurrence(moved); math.Abs(a.Value-b.Value) > 1e-12*math.Abs(a.Value) {
			t.Fatalf("%v: %+v; with pools in order %v: %+v", sc, a, order, b)
		}
		a, b := NewEvaluator(p).Plan(sc), NewEvaluator(q).Plan(moved)
		for i := range a.Stages {
			if a.Stages[i].Devices != b.Stages[i].Devices || a.Stages[i].Memory != b.Stages[i].Memory {
				t.Fatalf("stage %d: %+v and %+v", i, a.Stages[i], b.Stages[i])
			}
		}
	})
}

// slower returns a spec whose devices and links take so many times as long.
func slower(s Spec, times float64) Spec {
	copyPools(&s)
	model := *s.Model
	model.Edges = slices.Clone(model.Edges)
	for i := range model.Edges {
		model.Edges[i].Seconds *= times
	}
	s.Model = &model
	for i := range s.Cluster.Pools {
		pool := &s.Cluster.Pools[i]
		for _, d := range append([]*hw.Device{pool.Device, pool.Host}, pool.Members...) {
			peak := map[hw.Precision]unit.FLOPS{}
			for k, v := range d.Peak {
				peak[k] = v / unit.FLOPS(times)
			}
			d.Peak = peak
			d.Overhead *= time.Duration(times)
			d.Memory.Bandwidth /= unit.Rate(times)
			d.Gather.Rows /= unit.RowRate(times)
			d.Gather.Bandwidth /= unit.Rate(times)
		}
		for _, l := range []*hw.Link{&pool.Node.NIC, &pool.Node.HostLink, &pool.Node.PeerLink} {
			l.Bandwidth /= unit.Rate(times)
			l.Latency *= time.Duration(times)
		}
	}
	if store := s.Store; store != nil {
		s.Store = func(pool int, rows, bytes float64) float64 { return times * store(pool, rows, bytes) }
	}
	s.MinThroughput /= times
	s.MaxCost *= times
	return s
}

// TestSlowerByThree: devices and links three times as slow reach a third of the
// throughput, at three times the cost.
func TestSlowerByThree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSpec(t, 8, 3, 8)
		p, err := NewProblem(s)
		if err != nil {
			t.Fatal(err)
		}
		slow := slower(s, 3)
		q, err := NewProblem(slow)
		if err != nil {
			t.Fatal(err)
		}
		sc := randomScheme(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "scheme"), 3)), p.layers, p.pools, 0.5)
		a, b := NewEvaluator(p).ClosedForm(sc), NewEvaluator(q).ClosedForm(sc)
		if a.Feasible != b.Feasible {
			t.Fatalf("%+v and %+v", a, b)
		}
		// Vectors of devices that cost the same may differ in the last digit, and in throughput.
		same := s.Objective == Cost || math.Abs(3*b.Throughput/a.Throughput-1) <= 1e-9
		if a.Feasible && (!same || math.Abs(3*b.Value/a.Value-1) > 1e-9) {
			t.Fatalf("%v: %+v, three times as slow %+v", sc, a, b)
		}
	})
}

// TestInfeasibleOrder: feasible schemes are positive, infeasible ones negative,
// and the kinds do not overlap whatever their degree.
func TestInfeasibleOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by := rapid.Float64Range(0, math.MaxFloat64)
		a, b := by.Draw(t, "a"), by.Draw(t, "b")
		for kind := missed; kind < timeless; kind++ {
			v, next := violation(kind, a), violation(kind+1, b)
			if v >= 0 || next > v {
				t.Fatalf("kind %d by %v: %v; the next kind by %v: %v", kind, a, v, b, next)
			}
			if w := violation(kind, b); a < b && w > v {
				t.Fatalf("kind %d: by %v gives %v, by %v gives %v", kind, a, v, b, w)
			}
		}
	})
}

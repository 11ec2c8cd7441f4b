package placement

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stowage/hw"
)

// optimal names the policies that find the true optimum.
func optimal() (names []string) {
	for _, name := range []string{"exhaustive", "exact"} {
		if _, ok := LookupPolicy(name); ok {
			names = append(names, name)
		}
	}
	return names
}

// forOptimal runs a property of the optimum for every policy that finds it, every
// objective and every merge, on problems of up to 5 layers and 3 pools, half of
// them with a floor or caps near what can be reached.
func forOptimal(t *testing.T, property func(t *rapid.T, policy string, s Spec, best func(Spec) *Outcome)) {
	for _, name := range optimal() {
		policy, _ := LookupPolicy(name)
		for _, o := range []Objective{Throughput, Cost, Time} {
			for _, m := range Merges() {
				t.Run(fmt.Sprintf("%s/%s/%s", name, o, m), func(t *testing.T) {
					fits, bounded := 0, 0
					rapid.Check(t, func(t *rapid.T) {
						best := func(s Spec) *Outcome {
							p, err := NewProblem(s)
							if err != nil {
								t.Fatal(err)
							}
							out, err := policy.Search(context.Background(), p, Options{})
							if err != nil {
								t.Fatal(err)
							}
							if out.Fitness.Feasible {
								fits++
								if s.MinThroughput+s.MaxPrice+s.MaxCost > 0 {
									bounded++
								}
							}
							return out
						}
						s := drawSpec(t, 5, 3, 5)
						s.Objective, s.Merge = o, Merge(m)
						if rapid.Bool().Draw(t, "bounds") {
							if f := best(s).Fitness; f.Feasible {
								drawBounds(t, &s, f)
							}
						}
						property(t, name, s, best)
					})
					if !testing.Short() && (fits < 50 || bounded < 10) { // -short draws few
						t.Errorf("%d feasible answers, %d of them with a floor or caps: the property says little", fits, bounded)
					}
				})
			}
		}
	}
}

// nearness is the part of the best fitness to which a policy finds it.
func nearness(policy string) float64 {
	if policy == "exact" {
		return 2 * exactTolerance
	}
	return 0
}

// TestMoreDevicesNeverHurt: with one device more, the best scheme is as good or
// better. Only where a pool outgrows its one node does the model itself change:
// its stages then meet over network ports, not over links inside the node.
func TestMoreDevicesNeverHurt(t *testing.T) {
	forOptimal(t, func(t *rapid.T, policy string, s Spec, best func(Spec) *Outcome) {
		copyPools(&s)
		at := rapid.IntRange(0, len(s.Cluster.Pools)-1).Draw(t, "pool")
		pool, more := &s.Cluster.Pools[at], 1
		if pool.Count == pool.Node.Devices {
			pool.Node.PeerLink = hw.Link{}
		}
		before := best(s).Fitness
		if !before.Feasible {
			return // how far a miss is depends on the steps that were tried
		}
		if pool.Group() > 1 { // a group more
			more = pool.Group() * s.Team(at)
		}
		pool.Count += more
		if after := best(s).Fitness; after.Value < before.Value*(1-max(1e-12, nearness(policy))) {
			t.Fatalf("one more device of %s: %+v becomes %+v", pool.Name, before, after)
		}
	})
}

// TestBestWhateverTheOrder: permuting and renaming pools, and renaming device
// types, leaves the best fitness as it is: with exhaustive to the last bit, and of
// schemes that are equally good it takes the cheapest; exact stops at the first.
func TestBestWhateverTheOrder(t *testing.T) {
	forOptimal(t, func(t *rapid.T, policy string, s Spec, best func(Spec) *Outcome) {
		order := rapid.Permutation([]int{0, 1, 2}[:len(s.Cluster.Pools)]).Draw(t, "order") // new -> old
		o := s
		copyPools(&o)
		o.Tensor = inOrder(s.Tensor, order)
		for to, from := range order {
			pool := s.Cluster.Pools[from]
			d := *pool.Device
			pool.Name, d.Name = "pool "+string(rune('z'-to)), "type "+string(rune('z'-to))
			pool.Device = &d
			o.Cluster.Pools[to] = pool
			if s.Servers == from+1 {
				o.Servers = to + 1
			}
		}
		a, b := best(s).Fitness, best(o).Fitness
		apart := math.Abs(a.Value-b.Value) > nearness(policy)*math.Abs(a.Value)
		if a.Feasible != b.Feasible || a.Feasible && (apart || policy == "exhaustive" && a.Price != b.Price) {
			t.Fatalf("%+v; with pools in order %v: %+v", a, order, b)
		}
	})
}

// TestBestSlowerByThree: with everything three times as slow the best fitness is a
// third, to rounding; with everything four times as slow, which rounds nothing, a
// quarter to the last bit, by the same scheme on the same devices.
func TestBestSlowerByThree(t *testing.T) {
	forOptimal(t, func(t *rapid.T, policy string, s Spec, best func(Spec) *Outcome) {
		out := best(s)
		a := out.Fitness
		if b := best(slower(s, 3)).Fitness; a.Feasible != b.Feasible || a.Feasible && math.Abs(3*b.Value/a.Value-1) > max(1e-12, nearness(policy)) {
			t.Fatalf("%+v; three times as slow: %+v", a, b)
		}
		four := best(slower(s, 4))
		if b := four.Fitness; a.Feasible != b.Feasible || a.Feasible && (4*b.Value != a.Value || b.Price != a.Price) {
			t.Fatalf("%+v; four times as slow: %+v", a, b)
		}
		if a.Feasible && !slices.Equal(out.Plan.Scheme, four.Plan.Scheme) {
			t.Fatalf("%v; four times as slow: %v", out.Plan.Scheme, four.Plan.Scheme)
		}
	})
}

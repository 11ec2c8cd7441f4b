package placement

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// choices yields throughput, USD/h and USD per million samples of every scheme
// with every vector of devices.
func choices(p *Problem, yield func(throughput, price, cost float64)) {
	ev, sc := NewEvaluator(p), make(Scheme, p.layers)
	var devices func(i int, k, free []int)
	devices = func(i int, k, free []int) {
		if i == len(ev.stages) {
			seconds, price := 0.0, 0.0
			for j := range k {
				seconds = max(seconds, ev.stepTime(j, k[j]))
				price += float64(k[j]) * p.price[ev.stages[j].pool]
			}
			x := float64(p.Batch) / seconds
			yield(x, price, price/3600/x*1e6)
			return
		}
		pool := ev.stages[i].pool
		for n := 1; n <= free[pool]; n++ {
			free[pool] -= n
			devices(i+1, append(k, n), free)
			free[pool] += n
		}
	}
	var layers func(l int)
	layers = func(l int) {
		if l < len(sc) {
			for t := range p.pools {
				sc[l] = uint8(t)
				layers(l + 1)
			}
			return
		}
		ev.merge(sc)
		devices(0, nil, append([]int(nil), p.count...))
	}
	layers(0)
}

// TestFloorsAndCaps: the cheapest scheme that reaches a throughput, and the
// fastest within a price or a cost, are those found by looking at every scheme
// with every vector of devices.
func TestFloorsAndCaps(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 31))
	for range 12 {
		s := spec(randomModel(r, 4), cluster(cpuPool("c", 4, 0.3+r.Float64()), gpuPool("g", 4, 0.3+3*r.Float64())))
		fastest, leastPrice, leastCost := 0.0, math.Inf(1), math.Inf(1)
		choices(mustProblem(t, s), func(x, price, cost float64) {
			fastest, leastPrice, leastCost = max(fastest, x), min(leastPrice, price), min(leastCost, cost)
		})
		floor := fastest * (0.3 + 0.6*r.Float64())
		price, cost := leastPrice*(1+3*r.Float64()), leastCost*(1+r.Float64())
		cheapest, byPrice, byCost := math.Inf(1), 0.0, 0.0
		choices(mustProblem(t, s), func(x, pays, costs float64) {
			if x >= floor {
				cheapest = min(cheapest, costs)
			}
			if pays <= price {
				byPrice = max(byPrice, x)
			}
			if costs <= cost {
				byCost = max(byCost, x)
			}
		})
		for _, c := range []struct {
			name      string
			objective Objective
			change    func(*Spec)
			got       func(Fitness) float64
			want      float64
		}{
			{"cheapest that reaches", Cost, func(s *Spec) { s.MinThroughput = floor }, func(f Fitness) float64 { return f.Cost }, cheapest},
			{"fastest within a price", Throughput, func(s *Spec) { s.MaxPrice = price }, func(f Fitness) float64 { return f.Throughput }, byPrice},
			{"fastest within a cost", Time, func(s *Spec) { s.MaxCost = cost }, func(f Fitness) float64 { return f.Throughput }, byCost},
		} {
			q := s
			q.Objective = c.objective
			c.change(&q)
			out := mustSearch(t, "exhaustive", mustProblem(t, q), Options{})
			if got := c.got(out.Fitness); !out.Fitness.Feasible || math.Abs(got-c.want) > 1e-9*c.want {
				t.Errorf("%s: %+v, want %v", c.name, out.Fitness, c.want)
			}
		}
	}
}

// TestOutOfReach: a floor or caps that no scheme keeps: the answer says what there
// is instead, which `exact` and `exhaustive` prove whatever their objective; other
// policies say what they saw.
func TestOutOfReach(t *testing.T) {
	for seed := range uint64(8) {
		base := spec(randomModel(rand.New(rand.NewPCG(9, 9+seed)), 4), cluster(cpuPool("c", 4, 1), gpuPool("g", 4, 2)))
		most, least := 0.0, math.Inf(1)
		within, thrifty := 0.0, 0.0 // most with at most 3 USD/h, and at a cost of 1.2 times the least
		p := mustProblem(t, base)
		choices(p, func(x, price, cost float64) {
			most, least = max(most, x), min(least, cost)
			if price <= 3 {
				within = max(within, x)
			}
		})
		choices(p, func(x, _, cost float64) {
			if cost <= 1.2*least {
				thrifty = max(thrifty, x)
			}
		})
		for _, c := range []struct {
			change func(*Spec)
			want   string // after "no scheme comes to ", or "no scheme seen comes to "
			seen   bool   // only the latter
		}{
			{func(s *Spec) { s.MinThroughput = 2 * most }, "more than " + figure(most) + " samples/s", false},
			{func(s *Spec) { s.MinThroughput, s.MaxPrice = 2*within, 3 }, "more than " + figure(within) + " samples/s within max_price", false},
			{func(s *Spec) { s.MinThroughput, s.MaxCost = 2*thrifty, 1.2*least }, "more than " + figure(thrifty) + " samples/s within max_cost", false},
			{func(s *Spec) { s.MaxCost = least / 2 }, "less than " + figure(least) + " USD per million samples", false},
			{func(s *Spec) { s.MinThroughput, s.MaxCost = 1, least/2 }, "less than " + figure(least) + " USD per million samples", false},
			{func(s *Spec) { s.MaxPrice = 0.5 }, "less than 1 USD/h", true},
			{func(s *Spec) { s.MinThroughput, s.MaxPrice = 1, 0.5 }, "less than 1 USD/h", true},
		} {
			for _, objective := range []Objective{Throughput, Cost, Time} {
				s := base
				s.Objective = objective
				c.change(&s)
				for _, policy := range []string{"exact", "exhaustive", "local"} {
					out := mustSearch(t, policy, mustProblem(t, s), Options{})
					want := "; no scheme comes to " + c.want
					if c.seen || policy == "local" {
						want = "; no scheme seen comes to " + c.want
					}
					if policy == "local" && s.MinThroughput > 0 && s.MaxCost > 0 {
						want = " is " // it names the nearest alone
					}
					if out.Fitness.Feasible || !strings.Contains(out.Plan.Reason, want) {
						t.Errorf("seed %d, %s, %s: feasible %v, %q lacks %q", seed, policy, objective, out.Fitness.Feasible, out.Plan.Reason, want)
					}
				}
			}
		}
	}
}

// TestNearest: where no scheme gets devices, `exact` names what is nearest to it.
func TestNearest(t *testing.T) {
	for seed := range uint64(20) {
		m := randomModel(rand.New(rand.NewPCG(11, seed)), 5)
		for l := range m.Layers {
			m.Layers[l].Params = int64(1+l) << 32
		}
		p := mustProblem(t, spec(m, cluster(cpuPool("c", 1, 1), gpuPool("g", 1, 2), gpuPool("h", 2, 3))))
		all, exact := mustSearch(t, "exhaustive", p, Options{}), mustSearch(t, "exact", p, Options{})
		if all.Fitness.Feasible || exact.Fitness != all.Fitness {
			t.Errorf("seed %d: %v %q; among all: %v %q", seed, exact.Fitness, exact.Plan.Reason, all.Fitness, all.Plan.Reason)
		}
	}
}

// TestWhatWasSeen: once a bound is known, the answer names it too.
func TestWhatWasSeen(t *testing.T) {
	base := spec(randomModel(rand.New(rand.NewPCG(9, 9)), 4), cluster(cpuPool("c", 4, 1), gpuPool("g", 4, 2)))
	p := mustProblem(t, base)
	p.MinThroughput = 20
	r := reached{}
	r.add(p, Fitness{Value: -1.5, Throughput: 10, Cost: 1, Price: 2})
	if got := r.say(p, p.throughputBound(15)); got != "; no scheme seen comes to more than 10 samples/s; none at all exceeds 15 samples/s" {
		t.Errorf("%q", got)
	}
}

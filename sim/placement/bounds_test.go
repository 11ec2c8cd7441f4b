package placement

import (
	"fmt"
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

// TestOutOfReach: a floor or caps that no scheme keeps: the answer says what the
// schemes reach at most, and what none can exceed once that is known.
func TestOutOfReach(t *testing.T) {
	base := spec(randomModel(rand.New(rand.NewPCG(9, 9)), 4), cluster(cpuPool("c", 4, 1), gpuPool("g", 4, 2)))
	most, least := 0.0, math.Inf(1)
	within, cheapest := 0.0, math.Inf(1) // with at most 3 USD/h
	choices(mustProblem(t, base), func(x, price, cost float64) {
		most, least = max(most, x), min(least, cost)
		if price <= 3 {
			within, cheapest = max(within, x), min(cheapest, cost)
		}
	})
	for _, c := range []struct {
		change func(*Spec)
		want   []string
	}{
		{func(s *Spec) { s.MinThroughput = 2 * most }, []string{"min_throughput is ", "; no scheme seen comes to more than " + six(most) + " samples/s"}},
		{func(s *Spec) { s.MinThroughput, s.MaxPrice = 2*within, 3 }, []string{"; no scheme seen comes to more than " + six(within) + " samples/s within max_price"}},
		{func(s *Spec) { s.MaxCost = least / 2 }, []string{"max_cost is ", "; no scheme seen comes to less than " + six(least) + " USD per million samples"}},
		{func(s *Spec) { s.MaxPrice = 0.5 }, []string{"max_price is 0.5 USD/h", "; no scheme seen comes to less than 1 USD/h"}},
	} {
		s := base
		c.change(&s)
		out := mustSearch(t, "exhaustive", mustProblem(t, s), Options{})
		for _, w := range c.want {
			if out.Fitness.Feasible || !strings.Contains(out.Plan.Reason, w) {
				t.Errorf("feasible %v, %q lacks %q", out.Fitness.Feasible, out.Plan.Reason, w)
			}
		}
	}
	p := mustProblem(t, base)
	p.MinThroughput = 20
	r := reached{}
	r.add(p, Fitness{Value: -1.5, Throughput: 10, Cost: 1, Price: 2})
	if got := r.say(p, p.throughputBound(15)); got != "; no scheme seen comes to more than 10 samples/s; none at all exceeds 15 samples/s" {
		t.Errorf("%q", got)
	}
}

func six(v float64) string { return fmt.Sprintf("%.6g", v) }

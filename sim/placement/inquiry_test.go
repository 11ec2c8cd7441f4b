package placement

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// inquiry asks exhaustive.
func inquiry(s Spec) *Inquiry {
	policy, _ := LookupPolicy("exhaustive")
	return NewInquiry(s, policy, Options{})
}

// inquirySpec draws 4 layers on two pools.
func inquirySpec(r *rand.Rand) Spec {
	return spec(randomModel(r, 4), cluster(cpuPool("c", 4, 0.3+r.Float64()), gpuPool("g", 4, 0.3+3*r.Float64())))
}

// line is what a choice costs over the price of pool 1: seconds x (rest + n price).
type line struct{ seconds, rest, n float64 }

func (l line) at(price float64) float64 { return l.seconds * (l.rest + l.n*price) }

// lines returns the lines of every scheme with every vector of devices: those of a
// price of 0, and of 1, say how many devices there are.
func lines(t *testing.T, s Spec) (out []line) {
	free := s
	free.Cluster = cluster(slices.Clone(s.Cluster.Pools)...)
	free.Objective = Throughput
	setPrice(&free, 1, 0)
	choices(mustProblem(t, free), func(x, price, _ float64) { out = append(out, line{seconds: float64(s.Batch) / x, rest: price}) })
	setPrice(&free, 1, 1)
	i := 0
	choices(mustProblem(t, free), func(_, price, _ float64) { out[i].n = price - out[i].rest; i++ })
	return out
}

// TestFlipsAreTheEnvelope: for cost, flips are the corners of the lower envelope of
// the lines of all choices.
func TestFlipsAreTheEnvelope(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 41))
	found := 0
	for range 20 {
		s := inquirySpec(r)
		s.Objective = Cost
		all := lines(t, s)
		const from, to = 0.01, 20
		_, flips, err := inquiry(s).Flips(context.Background(), 1, from, to)
		if err != nil {
			t.Fatal(err)
		}
		var want []float64
		for at := from; ; {
			now := all[0]
			for _, l := range all { // the cheapest just above at
				if d := l.at(at) - now.at(at); d < -1e-12*now.at(at) || d < 1e-12*now.at(at) && l.seconds*l.n < now.seconds*now.n*(1-1e-12) {
					now = l
				}
			}
			next := math.Inf(1)
			for _, l := range all {
				if x := (l.seconds*l.rest - now.seconds*now.rest) / (now.seconds*now.n - l.seconds*l.n); l.seconds*l.n < now.seconds*now.n*(1-1e-12) && x > at*(1+1e-9) {
					next = min(next, x)
				}
			}
			if next >= to {
				break
			}
			want, at = append(want, next), next
		}
		if len(flips) != len(want) {
			t.Fatalf("%d flips, want %v", len(flips), want)
		}
		for i, f := range flips {
			if math.Abs(f.Price-want[i]) > 2e-6*want[i] {
				t.Errorf("flip at %v, want %v", f.Price, want[i])
			}
		}
		found += len(flips)
	}
	if found < 20 {
		t.Errorf("%d flips in 20 problems: the test tests little", found)
	}
}

// TestFlipsUnderACap: where a cap decides, the choices that flips part are the best all
// the way between them, and take one search each to find.
func TestFlipsUnderACap(t *testing.T) {
	r := rand.New(rand.NewPCG(42, 42))
	found := 0
	for i := range 12 {
		s := inquirySpec(r)
		s.Objective = [...]Objective{Throughput, Time}[i%2]
		if i%3 == 0 {
			s.MaxCost = mustSearch(t, "exhaustive", mustProblem(t, s), Options{}).Fitness.Cost * (0.5 + r.Float64())
		} else {
			s.MaxPrice = 3 + 3*r.Float64()
		}
		const from, to = 0, 8
		q := inquiry(s)
		below, flips, err := q.Flips(context.Background(), 1, from, to)
		if err != nil {
			t.Fatal(err)
		}
		if q.Searches != 1+len(flips) {
			t.Errorf("%d searches for %d flips", q.Searches, len(flips))
		}
		found += len(flips)
		for at, i, now := 0.05, 0, below; at < to; at += 0.11 {
			for i < len(flips) && flips[i].Price <= at {
				if !flips[i].Below.same(now) {
					t.Fatalf("at %v one choice ends that did not begin", flips[i].Price)
				}
				now = flips[i].Above
				i++
			}
			q := s
			q.Cluster = cluster(slices.Clone(s.Cluster.Pools)...)
			setPrice(&q, 1, at)
			if want := mustSearch(t, "exhaustive", mustProblem(t, q), Options{}).Fitness; want.Feasible != now.Fitness.Feasible || want.Feasible && math.Abs(want.Value-now.Fitness.Value) > 1e-9*want.Value {
				t.Fatalf("at %v USD/h: %+v, want %+v", at, now.Fitness, want)
			}
		}
	}
	if found < 20 {
		t.Errorf("%d flips: the test tests little", found)
	}
}

// TestFlipsOfToday: with prices under a cap, the choice at the present price is the one
// that a search of the problem itself makes.
func TestFlipsOfToday(t *testing.T) {
	r := rand.New(rand.NewPCG(44, 44))
	for range 12 {
		s := inquirySpec(r)
		s.Objective, s.MaxPrice = Cost, 3+3*r.Float64()
		today := float64(s.Cluster.Pools[1].Price)
		below, flips, err := inquiry(s).Flips(context.Background(), 1, today/100, today*10)
		if err != nil {
			t.Fatal(err)
		}
		now := below
		for i := range flips {
			if flips[i].Price <= today {
				now = flips[i].Above
			}
		}
		want := mustSearch(t, "exhaustive", mustProblem(t, s), Options{}).Fitness
		if want.Feasible != now.Fitness.Feasible || want.Feasible && math.Abs(now.Priced(1, today).Cost-want.Cost) > 1e-9*want.Cost {
			t.Errorf("today %+v, want %+v", now.Priced(1, today), want)
		}
	}
}

// TestFlipsBeginAgain: a policy that draws schemes finds later what would have been
// better before; its flips are told as if it had known.
func TestFlipsBeginAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(45, 45))
	for seed := range int64(10) {
		s := inquirySpec(r)
		s.MaxPrice = 3 + 3*r.Float64()
		random, _ := LookupPolicy("random")
		below, flips, err := NewInquiry(s, random, Options{Seed: seed, Budget: Budget{Evaluations: 2}}).Flips(context.Background(), 1, 0.1, 8)
		if err != nil {
			t.Fatal(err)
		}
		last := below.Fitness.Value
		for i := range flips {
			if v := flips[i].Above.Fitness.Value; v > last*(1+1e-6) {
				t.Errorf("seed %d: at %v a choice becomes the best that was better before: %v, %v", seed, flips[i].Price, v, last)
			} else {
				last = v
			}
		}
	}
}

// TestCheapestCluster: the least USD/h of all choices that reach a throughput.
func TestCheapestCluster(t *testing.T) {
	r := rand.New(rand.NewPCG(43, 43))
	for range 10 {
		s := inquirySpec(r)
		fastest := 0.0
		choices(mustProblem(t, s), func(x, _, _ float64) { fastest = max(fastest, x) })
		floor, want := fastest*(0.2+0.7*r.Float64()), math.Inf(1)
		choices(mustProblem(t, s), func(x, price, _ float64) {
			if x >= floor {
				want = min(want, price)
			}
		})
		limits := []int{s.Cluster.Pools[0].Count, s.Cluster.Pools[1].Count}
		few := s
		few.Cluster = cluster(slices.Clone(s.Cluster.Pools)...)
		few.Cluster.Pools[0].Count, few.Cluster.Pools[1].Count = 1, 1
		a, err := inquiry(few).Cheapest(context.Background(), floor, limits)
		if err != nil {
			t.Fatal(err)
		}
		if !a.Fitness.Feasible || a.Fitness.Throughput < floor*(1-1e-9) || math.Abs(a.Fitness.Price-want) > 1e-9*want {
			t.Errorf("%+v, want %v USD/h for %v samples/s", a.Fitness, want, floor)
		}
		n, price := a.Devices(), 0.0
		for i := range n {
			price += float64(n[i]) * float64(s.Cluster.Pools[i].Price)
		}
		if math.Abs(price-want) > 1e-9*want {
			t.Errorf("devices %v come to %v USD/h, not %v", n, price, want)
		}
		if a, err = inquiry(s).Cheapest(context.Background(), 2*fastest, limits); err != nil || a.Fitness.Feasible || !strings.Contains(a.Plan.Reason, "no scheme comes to more than "+figure(fastest)) {
			t.Errorf("out of reach: %+v, %v, %q", a.Fitness, err, a.Plan.Reason)
		}
	}
}

// TestOneMoreNode: gains are those of searches on the larger clusters, ordered by
// what they bring for their price.
func TestOneMoreNode(t *testing.T) {
	r := rand.New(rand.NewPCG(44, 44))
	gained := 0
	for _, o := range []Objective{Throughput, Cost, Time} {
		for range 4 {
			s := inquirySpec(r)
			s.Objective = o
			before := mustSearch(t, "exhaustive", mustProblem(t, s), Options{}).Fitness
			without, adds, err := inquiry(s).OneMore(context.Background(), []int{0, 1})
			if err != nil || without.Fitness != before || len(adds) != 2 {
				t.Fatalf("%+v, %v, %v; want %+v", without.Fitness, adds, err, before)
			}
			for i := range adds {
				a := &adds[i]
				q := s
				q.Cluster = cluster(slices.Clone(s.Cluster.Pools)...)
				pool := &q.Cluster.Pools[a.Pool]
				pool.Count += pool.Node.Devices
				after := mustSearch(t, "exhaustive", mustProblem(t, q), Options{}).Fitness
				if math.Abs(a.Answer.Fitness.Value-after.Value) > 1e-9*after.Value || math.Abs(a.Gain-(after.Value-before.Value)) > 1e-9*after.Value || math.Abs(a.Price-float64(pool.Node.Devices)*float64(pool.Price)) > 1e-12 {
					t.Errorf("%+v, want %+v", a, after)
				}
				if a.Gain > 0 {
					gained++
				}
				if i > 0 && a.PerUSD() > adds[i-1].PerUSD() {
					t.Errorf("%v for each USD/h comes behind %v", a.PerUSD(), adds[i-1].PerUSD())
				}
			}
		}
	}
	if gained == 0 {
		t.Error("no node brings anything: the test tests nothing")
	}
}

func TestInquiryErrors(t *testing.T) {
	s := inquirySpec(rand.New(rand.NewPCG(41, 41)))
	s.Objective = Cost
	q := inquiry(s)
	if _, _, err := q.Flips(context.Background(), 0, 2, 1); err == nil || !strings.HasPrefix(err.Error(), "prices from 2 to 1") {
		t.Errorf("%v", err)
	}
	q.Searches = MaxSearches - 2
	if _, _, err := q.Flips(context.Background(), 1, 0.01, 100); err == nil {
		t.Error("no limit to the searches")
	} else if want := "more than MaxSearches = 512 searches"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

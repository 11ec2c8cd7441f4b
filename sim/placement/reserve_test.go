package placement

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"stowage/hw"
)

// reservedSome gives devices of each pool to one or two other jobs, now and then all.
func reservedSome(r *rand.Rand, c *hw.Cluster) []Reservation {
	all := []Reservation{{Job: "a", Devices: make([]int, len(c.Pools))}, {Job: "b", Devices: make([]int, len(c.Pools))}}
	for t := range c.Pools {
		n := r.IntN(c.Pools[t].Count + 1)
		all[0].Devices[t] = r.IntN(n + 1)
		all[1].Devices[t] = n - all[0].Devices[t]
	}
	return all
}

// Whatever other jobs have, exact finds what exhaustive finds, no scheme takes more than
// is left, and the bounds hold.
func TestExactReserved(t *testing.T) {
	feasible, gone := 0, 0
	for i := range drawn(400) {
		r := rand.New(rand.NewPCG(uint64(i), 17))
		s := randomSpec(r, []Merge{Contiguous, ByType, Convex}[i%3])
		s.Reserved = reservedSome(r, s.Cluster)
		p := mustProblem(t, s)
		fidelity := []Fidelity{ClosedForm, Recurrence}[r.IntN(2)]
		if p.added {
			fidelity = ClosedForm
		}
		best := outcomeOf(t, "exhaustive", p, fidelity)
		if checkExact(t, i, p, fidelity) {
			feasible++
		}
		wildBounds(t, i, p, fidelity, best.Fitness)
		for pool := range p.pools {
			used := 0
			for _, st := range best.Plan.Stages {
				if st.Pool == pool {
					used += st.Devices
				}
			}
			if p.servers == pool {
				used += best.Plan.Servers
			}
			if p.Left(pool) == 0 {
				gone++
			}
			if best.Fitness.Feasible && used > p.Left(pool) {
				t.Errorf("%d: pool %d has %d left, and the plan takes %d", i, pool, p.Left(pool), used)
			}
		}
	}
	if n := drawn(400); feasible < n/4 || gone < n/10 {
		t.Errorf("of %d problems %d feasible, %d pools with nothing left: the test tests little", n, feasible, gone)
	}
}

// A pool of which others have some is a smaller pool: every scheme is worth the same.
// A pool of which nothing is left takes no layer, and the schemes on the others are
// worth what they were.
func TestReservedIsSmaller(t *testing.T) {
	same := 0
	for i := range drawn(300) {
		r := rand.New(rand.NewPCG(uint64(i), 18))
		s := randomSpec(r, []Merge{Contiguous, ByType, Convex}[i%3])
		for t := range s.Cluster.Pools { // else a smaller pool may be one node, in which stages talk otherwise
			s.Cluster.Pools[t].Node.PeerLink = hw.Link{}
		}
		s.Reserved = reservedSome(r, s.Cluster)
		less := s
		less.Reserved = nil
		less.Cluster = &hw.Cluster{Pools: slices.Clone(s.Cluster.Pools)}
		for pool := range less.Cluster.Pools {
			less.Cluster.Pools[pool].Count = max(1, s.Left(pool))
		}
		p, q := mustProblem(t, s), mustProblem(t, less)
		a, b := NewEvaluator(p), NewEvaluator(q)
		for range 50 {
			sc := randomScheme(r, p.layers, p.pools, 0.4)
			gone := s.Servers > 0 && s.Left(s.Servers-1) == 0
			for _, pool := range sc {
				gone = gone || s.Left(int(pool)) == 0
			}
			f := a.ClosedForm(sc)
			switch g := b.ClosedForm(sc); {
			case gone && (f.Feasible || !strings.Contains(a.Plan(sc).Reason, "devices are taken")):
				t.Fatalf("%d: %v is on a pool of which nothing is left: %+v %q", i, sc, f, a.Plan(sc).Reason)
			case !gone && f != g:
				t.Fatalf("%d: %v: %+v beside others, %+v in smaller pools", i, sc, f, g)
			case !gone && f.Feasible:
				same++
			}
		}
	}
	if same < drawn(300) {
		t.Errorf("only %d feasible schemes compared", same)
	}
}

// Reasons say who has the devices that a scheme lacks.
func TestReservedReasons(t *testing.T) {
	for _, c := range []struct {
		others []Reservation
		change func(*Spec)
		scheme Scheme
		counts []int // nil: provisioned
		want   string
	}{
		{[]Reservation{{Job: "y", Devices: []int{0, 8}}}, nil, Scheme{0, 1}, nil,
			`layer "lba" cannot run on g: all 8 devices are taken by job "y"`},
		{[]Reservation{{Job: "y", Devices: []int{0, 8}}}, nil, Scheme{1, 1}, nil,
			`layer "laa" cannot run on g: all 8 devices are taken by job "y" (and 1 more layers)`},
		{[]Reservation{{Job: "y", Devices: []int{0, 5}}, {Job: "x", Devices: []int{3, 0}}, {Job: "z", Devices: []int{0, 3}}}, nil, Scheme{0, 1}, nil,
			`layer "lba" cannot run on g: all 8 devices are taken: job "y" takes 5, job "z" takes 3`},
		{[]Reservation{{Job: "y", Devices: []int{0, 6}}}, nil, Scheme{0, 1}, []int{1, 3},
			`its stages on pool "g" need 3 devices; the pool has 8, of which job "y" takes 6`},
		{[]Reservation{{Job: "y", Devices: []int{0, 6}}}, func(s *Spec) { s.Tensor = []int{1, 4} }, Scheme{0, 1}, nil,
			`layer "lba" cannot run on g: a replica has 4 devices, and of 8 2 are left: job "y" takes 6`},
		{[]Reservation{{Job: "y", Devices: []int{4, 0}}}, func(s *Spec) { s.Sync, s.Servers = Server, 1 }, Scheme{1, 1}, nil,
			`layer "laa" cannot run on g: it needs parameter servers on pool "c": all 4 devices are taken by job "y" (and 1 more layers)`},
		{[]Reservation{{Job: "y", Devices: []int{2, 0}}}, func(s *Spec) { s.Sync, s.Servers = Server, 1 }, Scheme{0, 1}, []int{2, 1},
			`its stages on pool "c" need all of its 2 devices that are left (job "y" takes 2), and the parameter servers at least one`},
	} {
		m := randomModel(rand.New(rand.NewPCG(1, 1)), 2)
		s := spec(m, cluster(cpuPool("c", 4, 1), gpuPool("g", 8, 1)))
		s.Reserved = c.others
		if c.change != nil {
			c.change(&s)
		}
		p := mustProblem(t, s)
		plan := NewEvaluator(p).Plan(c.scheme)
		if c.counts != nil {
			var err error
			if plan, err = NewEvaluator(p).PlanDevices(c.scheme, c.counts); err != nil {
				t.Fatal(err)
			}
		}
		if plan.Reason != c.want {
			t.Errorf("%q\nwant %q", plan.Reason, c.want)
		}
	}
}

func TestReservedErrors(t *testing.T) {
	for _, c := range []struct {
		others []Reservation
		want   string
	}{
		{[]Reservation{{Job: "y", Devices: []int{1}}}, `job "y" has devices of 1 pools: the cluster has 2`},
		{[]Reservation{{Job: "y", Devices: []int{0, -1}}}, `job "y" has -1 devices of pool "g": at least 0`},
		{[]Reservation{{Job: "y", Devices: []int{0, 5}}, {Job: "z", Devices: []int{0, 4}}}, `pool "g" has 8 devices, and jobs have more: job "y" takes 5, job "z" takes 4`},
	} {
		s := spec(randomModel(rand.New(rand.NewPCG(1, 1)), 2), cluster(cpuPool("c", 4, 1), gpuPool("g", 8, 1)))
		s.Reserved = c.others
		if _, err := NewProblem(s); fmt.Sprint(err) != c.want {
			t.Errorf("%v\nwant %s", err, c.want)
		}
	}
}

// Questions plan with what is left: one more node is beside it, and limits are of what
// this job may take.
func TestInquiryReserved(t *testing.T) {
	s := spec(randomModel(rand.New(rand.NewPCG(3, 3)), 6), cluster(cpuPool("c", 4, 1), gpuPool("g", 16, 1)))
	s.Reserved = []Reservation{{Job: "y", Devices: []int{0, 16}}}
	exact, _ := LookupPolicy("exact")
	without, adds, err := NewInquiry(s, exact, Options{}).OneMore(context.Background(), []int{1})
	if err != nil {
		t.Fatal(err)
	}
	if n := without.Devices()[1]; n != 0 {
		t.Errorf("%d devices of a pool of which none is left", n)
	}
	if n := adds[0].Answer.Devices()[1]; n < 1 || n > 8 {
		t.Errorf("%d devices of the one node that is not taken", n)
	}
	reached := adds[0].Answer.Fitness.Throughput
	for _, c := range []struct {
		limit    int
		feasible bool
	}{{8, true}, {0, false}} {
		a, err := NewInquiry(s, exact, Options{}).Cheapest(context.Background(), reached*0.999, []int{4, c.limit})
		if err != nil {
			t.Fatal(err)
		}
		if a.Fitness.Feasible != c.feasible || a.Fitness.Feasible && a.Devices()[1] > c.limit {
			t.Errorf("limit %d: %+v with %v", c.limit, a.Fitness, a.Devices())
		}
	}
}

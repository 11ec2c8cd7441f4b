package placement

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"stowage/hw"
	"stowage/hw/unit"
	"stowage/workloads"
)

// reader makes numbers of fuzz input; at its end they are zero.
type reader struct{ data []byte }

func (r *reader) byte() int {
	if len(r.data) == 0 {
		return 0
	}
	b := r.data[0]
	r.data = r.data[1:]
	return int(b)
}

// number is mostly a magnitude, at times something that no number should be.
func (r *reader) number() float64 {
	b := r.byte()
	if b > 250 && r.byte() < 100 {
		return []float64{-1, math.NaN(), math.Inf(1), math.MaxFloat64, math.SmallestNonzeroFloat64}[b-251]
	}
	return math.Pow(10, float64(b%10)-3) * float64(r.byte())
}

// count is mostly from 1 to n, at times 0.
func (r *reader) count(n int) int {
	b := r.byte()
	if b == 255 {
		return 0
	}
	return 1 + b%n
}

func fuzzSpec(r *reader) Spec {
	m := &workloads.Model{}
	for l := range 1 + r.byte()%7 {
		ly := workloads.Layer{
			Name: "l", Kind: workloads.Linear, FLOPs: r.number(), Traffic: r.number(), Params: int64(r.byte()) << (r.byte() % 24),
			Output: r.number(), Stored: r.number(), Backward: float64(r.byte() % 4), Parallel: float64(r.byte())/254 - 0.1,
		}
		if r.byte()%3 == 0 {
			ly.Tables = []workloads.Table{{Rows: int64(r.byte()) << (r.byte() % 28), Dim: r.byte(), Lookups: r.byte()}}
		}
		if r.byte()%4 == 0 {
			ly.Profiles = []workloads.Profile{{Device: "a", Points: []workloads.ProfilePoint{{Batch: 1 + r.byte(), Forward: r.number(), Backward: r.number()}}}}
			ly.OnlyProfiled = r.byte()%2 == 0
		}
		m.Layers = append(m.Layers, ly)
		if l > 0 {
			m.Edges = append(m.Edges, workloads.Edge{From: l - r.count(l), To: l, Elements: r.number(), Seconds: float64(r.byte() / 250)})
		}
	}
	c := cluster()
	for i := range 1 + r.byte()%3 {
		pool := cpuPool("a", r.count(20), r.number())
		if r.byte()%2 == 0 {
			pool = gpuPool("a", r.count(20), r.number())
			pool.Device.Memory.Capacity = unit.Bytes(r.byte()) << (24 + r.byte()%16)
		}
		pool.Name = string(rune('a' + i))
		pool.Device.Name = pool.Name
		pool.Node.Devices = r.count(9)
		c.Pools = append(c.Pools, pool)
	}
	s := spec(m, c)
	s.Microbatches = r.count(40)
	s.Batch = s.Microbatches * r.count(200)
	s.Schedule = flushed()[r.byte()%len(flushed())]
	s.Merge = []Merge{Contiguous, ByType}[r.byte()%2]
	s.Objective = []Objective{Throughput, Cost, Time}[r.byte()%3]
	s.Sync = []Sync{Ring, Server, NoSync}[r.byte()%3]
	s.Precision = []hw.Precision{hw.FP32, hw.FP16, hw.FP32, hw.FP8}[r.byte()%4]
	s.Inference = r.byte()%2 == 0
	for _, bound := range []*float64{&s.MinThroughput, &s.MaxPrice, &s.MaxCost} {
		if r.byte()%8 == 0 {
			*bound = r.number()
		}
	}
	if s.Lookahead = r.byte() % 3; r.byte()%2 == 0 {
		for range m.Layers {
			s.Lookups = append(s.Lookups, LayerLookups{Slots: r.byte() << (r.byte() % 20), Unique: r.number(), Misses: r.number(), WriteBacks: r.number()})
		}
	}
	return s
}

// FuzzSearch: whatever the problem, NewProblem refuses it or every policy ends
// with a consistent outcome.
func FuzzSearch(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	seeds := 60
	if testing.Short() {
		seeds = 20
	}
	for range seeds {
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := NewProblem(fuzzSpec(&reader{data}))
		if err != nil {
			return
		}
		g := DefaultGenetic()
		g.Population, g.Generations, g.Patience = 8, 4, 4
		for _, policy := range Policies {
			for _, fidelity := range []Fidelity{ClosedForm, Recurrence} {
				if policy.Name == "exhaustive" && p.layers > 4 {
					continue // to stay fast
				}
				opt := Options{Seed: int64(len(data)), Fidelity: fidelity, Budget: Budget{Evaluations: 10}, Knobs: Knobs{Genetic: g}, Scheme: p.uniform(0), Devices: []int{1}}
				if out, err := policy.Search(context.Background(), p, opt); err == nil {
					checkOutcome(t, p, out)
				}
			}
		}
	})
}

// TestFuzzSeeds: the seeds of FuzzSearch reach every end.
func TestFuzzSeeds(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	refused, fits, unfit := 0, 0, 0
	for range 200 {
		data := make([]byte, 300)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		p, err := NewProblem(fuzzSpec(&reader{data}))
		switch {
		case err != nil:
			refused++
		case mustSearch(t, "random", p, Options{Budget: Budget{Evaluations: 500}}).Fitness.Feasible:
			fits++
		default:
			unfit++
		}
	}
	t.Logf("%d refused, %d feasible, %d infeasible", refused, fits, unfit)
	if min(refused, fits, unfit) < 20 {
		t.Errorf("%d refused, %d feasible, %d infeasible: the fuzz input is too tame or too wild", refused, fits, unfit)
	}
}

// checkOutcome checks that a feasible outcome keeps every promise and that an
// infeasible one says why.
func checkOutcome(t *testing.T, p *Problem, out *Outcome) {
	t.Helper()
	f, pl := out.Fitness, out.Plan
	if !f.Feasible {
		if !(f.Value <= -1) || (pl.Reason == "") {
			t.Fatalf("infeasible with value %v and reason %q", f.Value, pl.Reason)
		}
		return
	}
	if !(f.Value > 0) || !positive(f.Throughput) || !amount(f.Cost) || !p.meets(f.Throughput, f.Price, f.Cost) {
		t.Fatalf("feasible: %+v", f)
	}
	used, covered := make([]int, p.pools), 0
	for i, st := range pl.Stages {
		used[st.Pool] += st.Devices
		if st.Devices < 1 || st.Memory.Total() > st.Memory.Capacity {
			t.Fatalf("stage %d: %+v", i, st)
		}
		for _, l := range st.Layers {
			covered++
			if pl.StageOf[l] != i || int(pl.Scheme[l]) != st.Pool {
				t.Fatalf("layer %d is on stage %d, pool %d; stage %d says %+v", l, pl.StageOf[l], pl.Scheme[l], i, st)
			}
		}
	}
	for pool, n := range used {
		if n > p.count[pool] {
			t.Fatalf("%d devices of pool %d, which has %d", n, pool, p.count[pool])
		}
	}
	if covered != p.layers {
		t.Fatalf("stages cover %d of %d layers", covered, p.layers)
	}
}

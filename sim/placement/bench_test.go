package placement

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
)

// benchProblem has 4 pools of 8 to 16 devices.
func benchProblem(b *testing.B, layers, microbatches int, o Objective) *Problem {
	s := spec(randomModel(rand.New(rand.NewPCG(1, 2)), layers), cluster(
		cpuPool("c1", 16, 0.4), cpuPool("c2", 8, 0.9), gpuPool("g1", 16, 2.5), gpuPool("g2", 8, 4)))
	s.Microbatches, s.Batch, s.Objective = microbatches, 128*microbatches, o
	return mustProblem(b, s)
}

func benchSchemes(p *Problem, change float64) []Scheme {
	r := rand.New(rand.NewPCG(3, 4))
	out := make([]Scheme, 256)
	for i := range out {
		out[i] = randomScheme(r, p.layers, p.pools, change)
	}
	return out
}

// BenchmarkClosedForm evaluates schemes of 16 layers on 4 pools: schemes as a
// search meets them (few stages) and with every layer drawn alone. The floor
// merges and charges the cuts only.
func BenchmarkClosedForm(b *testing.B) {
	for _, o := range []Objective{Throughput, Cost} {
		for _, kind := range []struct {
			name   string
			change float64
		}{{"few-stages", 0.2}, {"random", 1}} {
			b.Run(fmt.Sprintf("%s/%s", o, kind.name), func(b *testing.B) {
				p := benchProblem(b, 16, 8, o)
				ev, schemes := NewEvaluator(p), benchSchemes(p, kind.change)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					ev.ClosedForm(schemes[i&255])
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "schemes/s")
			})
		}
	}
	b.Run("floor/merge-only", func(b *testing.B) {
		p := benchProblem(b, 16, 8, Throughput)
		ev, schemes := NewEvaluator(p), benchSchemes(p, 0.2)
		for i := 0; b.Loop(); i++ {
			ev.merge(schemes[i&255])
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "schemes/s")
	})
}

// lighten keeps deep models within the devices' memory.
func lighten(p *Problem) {
	for i := range p.work {
		w, n := &p.work[i], float64(p.layers)
		w.table, w.weights, w.act = w.table/n, w.weights/n, w.act/n
	}
}

// BenchmarkLayers shows how one evaluation grows with the model at 8 stages.
func BenchmarkLayers(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10000} {
		p := benchProblem(b, n, 8, Throughput)
		lighten(p)
		sc := make(Scheme, n)
		for l := range sc {
			sc[l] = uint8(l * 8 / n % 4)
		}
		ev := NewEvaluator(p)
		for _, f := range []struct {
			name string
			do   func(Scheme) Fitness
		}{{"closed-form", ev.ClosedForm}, {"recurrence", ev.Recurrence}} {
			b.Run(fmt.Sprintf("%s/%d", f.name, n), func(b *testing.B) {
				if f := f.do(sc); !f.Feasible {
					b.Fatalf("infeasible: %+v", f)
				}
				b.ReportAllocs()
				for b.Loop() {
					f.do(sc)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/layer")
			})
		}
	}
}

// BenchmarkRecurrence evaluates 8 stages x 64 micro-batches.
func BenchmarkRecurrence(b *testing.B) {
	p := benchProblem(b, 16, 64, Throughput)
	sc := make(Scheme, 16)
	for l := range sc {
		sc[l] = uint8(l / 2 % 4)
	}
	ev := NewEvaluator(p)
	if f := ev.Recurrence(sc); !f.Feasible {
		b.Fatal("infeasible")
	}
	b.ReportAllocs()
	for b.Loop() {
		ev.Recurrence(sc)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "schemes/s")
}

// BenchmarkGenetic runs whole searches with the defaults.
func BenchmarkGenetic(b *testing.B) {
	p := benchProblem(b, 16, 8, Throughput)
	policy, _ := LookupPolicy("genetic")
	n := 0
	for b.Loop() {
		out, err := policy.Search(context.Background(), p, Options{Seed: int64(n)})
		if err != nil {
			b.Fatal(err)
		}
		n += out.Evaluations
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "evaluations/s")
}

// BenchmarkGrowth runs searches on longer and longer chains, each with as many
// evaluations: time must grow with the layers, not with their square, until the
// best scheme has more stages.
func BenchmarkGrowth(b *testing.B) {
	for _, policy := range []string{"greedy", "genetic", "local"} {
		for _, n := range []int{10, 100, 1000, 10000} {
			p := benchProblem(b, n, 8, Throughput)
			lighten(p)
			pol, _ := LookupPolicy(policy)
			b.Run(fmt.Sprintf("%s/%d", policy, n), func(b *testing.B) {
				evaluations := 0
				for b.Loop() {
					s := newSearch(context.Background(), p, Options{Fidelity: ClosedForm, Budget: Budget{Evaluations: 2000}})
					if err := pol.run(s); err != nil && s.evaluations == 0 {
						b.Fatal(err)
					}
					evaluations += s.evaluations
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(evaluations)/float64(n), "ns/evaluation/layer")
			})
		}
	}
}

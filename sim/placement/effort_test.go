package placement

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"stowage/workloads"
)

// tooMany is of how many devices tables would be too large.
const tooMany = 64

// jagged is a chain of layers that take unlike times on every pool and send little:
// any cut may be worth it, and very many partial routes are as good as each other.
func jagged(t *testing.T, layers, devices int) Spec {
	t.Helper()
	s := spec(&workloads.Model{Name: "jagged"}, cluster(cpuPool("c", devices, 1), gpuPool("g", devices, 2), gpuPool("h", devices, 3), cpuPool("d", devices, 4)))
	s.Batch, s.Microbatches = 128, 4
	r := rand.New(rand.NewPCG(5, 5))
	for range layers {
		ly := workloads.Layer{Name: "l", Output: 100, OnlyProfiled: true, Parallel: -1}
		for i := range s.Cluster.Pools {
			ly.Profiles = append(ly.Profiles, workloads.Profile{
				Device: s.Cluster.Pools[i].Device.Name,
				Points: []workloads.ProfilePoint{{Batch: 32, Forward: 1e-6 * float64(10+r.IntN(4000)), Backward: 1e-6 * float64(10+r.IntN(4000))}},
			})
		}
		s.Model.Layers = append(s.Model.Layers, ly)
	}
	for l := 1; l < layers; l++ {
		s.Model.Edges = append(s.Model.Edges, workloads.Edge{From: l - 1, To: l, Elements: 100})
	}
	return s
}

// TestBoundEffort: a bound that nobody asked for ends when it has cost enough, and
// is one all the same.
func TestBoundEffort(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of comparisons")
	}
	p := mustProblem(t, jagged(t, 200, tooMany))
	s := newSearch(t.Context(), p, Options{})
	if err := runAllGPU(s); err != nil {
		t.Fatal(err)
	}
	s.bounded(true)
	if s.effort.over != errLabels || s.effort.done > boundEffort+MaxLabels {
		t.Errorf("%d comparisons, ended by %v", s.effort.done, s.effort.over)
	}
	if s.bound < s.fitness.Value || s.bound > p.fluid(ClosedForm) {
		t.Errorf("bound %v, of %v reached, quick bound %v", s.bound, s.fitness.Value, p.fluid(ClosedForm))
	}
}

// TestWhyNotEffort: what there is instead of a floor that is easily disproved may be
// hard to prove; then the answer says what was seen.
func TestWhyNotEffort(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of comparisons")
	}
	s := jagged(t, 200, tooMany)
	s.MinThroughput = 1e9
	out := mustSearch(t, "exact", mustProblem(t, s), Options{})
	if out.Fitness.Feasible || !strings.Contains(out.Certificate, "no scheme fits") || !strings.Contains(out.Plan.Reason, "no scheme seen comes to more than ") {
		t.Errorf("%+v, %q, %q", out.Fitness, out.Certificate, out.Plan.Reason)
	}
}

// TestStopsInLabels: a search that must end does so while it sets labels.
func TestStopsInLabels(t *testing.T) {
	start := time.Now()
	out := mustSearch(t, "exact", mustProblem(t, jagged(t, 200, tooMany)), Options{Budget: Budget{Time: 300 * time.Millisecond}})
	if took := time.Since(start); out.Stopped == "" || took > 20*time.Second { // it took minutes
		t.Errorf("stopped by %q after %v", out.Stopped, took)
	}
}

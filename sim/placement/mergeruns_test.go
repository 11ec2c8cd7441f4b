package placement

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMergeRuns: where stages are runs of layers without rare parts, merging them takes a
// shorter way to the same stages, to the last bit.
func TestMergeRuns(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, sched := range flushed() {
		for _, layers := range []int{1, 2, 16, 3 * tabulated} {
			s := spec(randomModel(r, layers), cluster(cpuPool("c", 16, 0.4), gpuPool("g1", 16, 2.5), gpuPool("g2", 8, 4)))
			s.Schedule = sched
			s.Only = make([]int, layers) // the last layer has its pool
			s.Only[layers-1] = 2
			p := mustProblem(t, s)
			if !p.plain {
				t.Fatal("the problem has rare parts")
			}
			general := *p
			general.plain = false
			ev, twin := NewEvaluator(p), NewEvaluator(&general)
			for range 40 {
				sc := randomScheme(r, layers, p.pools, r.Float64())
				n, first := ev.merge(sc)
				m, second := twin.merge(sc)
				if n != m || first != second {
					t.Fatalf("%s, %v: %d layers are refused, the first is %d; by the long way %d, and %d", sched.Name, sc, n, first, m, second)
				}
				if n == 0 && !(slices.Equal(ev.stages, twin.stages) && slices.Equal(ev.stageOf, twin.stageOf) &&
					slices.Equal(ev.segment, twin.segment) && ev.segments == twin.segments) {
					t.Fatalf("%s, %v: stages %+v; by the long way %+v", sched.Name, sc, ev.stages, twin.stages)
				}
			}
		}
	}
}

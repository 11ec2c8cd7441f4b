package placement

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Policies that are said to draw nothing give one answer for all seeds; of the others one
// does not, or the word would mean nothing.
func TestStochastic(t *testing.T) {
	m := randomModel(rand.New(rand.NewPCG(5, 8)), 9)
	p := mustProblem(t, spec(m, cluster(cpuPool("cpu", 3, 1), gpuPool("gpu", 4, 5))))
	differ := 0
	for _, pol := range Policies {
		if pol.Name == "fixed" {
			continue
		}
		answers := map[string]bool{}
		for seed := range int64(4) {
			out, err := pol.Search(t.Context(), p, Options{Seed: seed})
			if err != nil {
				t.Fatalf("%s: %v", pol.Name, err)
			}
			answers[fmt.Sprint(out.Plan.Scheme, out.Evaluations, out.Repeats, out.History)] = true
		}
		if !pol.Stochastic() && len(answers) > 1 {
			t.Errorf("%s gives %d answers to 4 seeds", pol.Name, len(answers))
		}
		if pol.Stochastic() && len(answers) > 1 {
			differ++
		}
	}
	if differ == 0 {
		t.Error("no policy depends on the seed")
	}
}

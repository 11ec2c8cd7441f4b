package scenarios

import (
	"context"

	"stowage/sim"
	"stowage/sim/placement"
)

// Bench runs the experiment under each placement policy and seed, for a regression
// benchmark. Unlike with ComparePlacements the seed is that of the lookups too: what
// policies find is judged on as many draws of them as there are seeds. A policy that
// draws nothing, on a problem without lookups, runs once.
//
// Seeds share the processors, and a seed's lookups are in memory only while its runs
// last. What comes out does not depend on how many processors there are. When ctx ends,
// the finished runs are returned together with ctx's error.
func (s *Scenario) Bench(ctx context.Context, how Comparing) (*sim.Comparison, error) {
	by := comparison{by: sim.Placements, draws: func(policy string) bool {
		pol, _ := placement.LookupPolicy(policy)
		return pol.Stochastic() || s.Lookups != nil
	}}
	out, runs := s.planned(how, by)
	tell := teller(how.Progress, len(runs))
	errs := make([]error, len(runs))
	_ = parallel(out.Seeds, func(i int) error { // every error has its place in errs
		seed := s.Seed + int64(i)
		one := *s
		one.SetSeed(seed)
		set, err := one.prepare(ctx)
		by := by
		by.do = one.benched(ctx, how, set)
		for j := range runs {
			if runs[j].Seed != seed {
				continue
			}
			if err != nil {
				errs[j] = finding(&runs[j], err)
			} else {
				errs[j] = by.one(ctx, &runs[j], tell)
			}
		}
		return nil
	})
	return s.compared(ctx, out, runs, errs)
}

// benched returns what does a run on a prepared experiment.
func (s *Scenario) benched(ctx context.Context, how Comparing, set *prepared) func(*sim.ComparedRun, func(placement.Progress)) error {
	of := s.simulated(ctx, set)
	return func(run *sim.ComparedRun, tell func(placement.Progress)) error {
		one := *s
		if err := one.SetPlacement(run.Policy); err != nil {
			return err
		}
		one.Search.Progress = tell
		one.Search.Workers = 1 // seeds share the processors
		return one.comparePlacement(ctx, how, of, run)
	}
}

package scenarios

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"stowage/sim/placement"
)

// MaxImprove bounds placement.improve.
const MaxImprove = 1 << 16

// improver looks for plans that are better simulated than the finalists. Of a plan's
// neighbours the recurrence, which is a thousand times faster, says in which order they
// are worth simulating.
type improver struct {
	s     *Scenario
	set   *prepared
	train trainer
	ev    *placement.Evaluator
	seen  map[string]bool // plans that were simulated, or are about to be
	left  int             // simulations
	best  finalist
}

// improveBatch is how many plans are simulated at a time.
const improveBatch = 8

// improveClimb bounds the steps of a climb by recurrence.
const improveClimb = 64

// improve is local search by simulation, with as many simulations as the scenario allows.
// It first simulates to where a climb by recurrence leads from each finalist, then the
// neighbours of the best simulated plan. It returns the best plan, with no run if none is
// better than that of the finalist that is best, and how many it simulated.
func (s *Scenario) improve(ctx context.Context, set *prepared, finalists []finalist, best int, train trainer) (finalist, int, error) {
	im := &improver{s: s, set: set, train: train, ev: placement.NewEvaluator(set.problem), seen: map[string]bool{}, left: s.Improve}
	for i := range finalists {
		im.seen[keyOfPlan(finalists[i].plan)] = true
	}
	im.best.simulated = finalists[best].simulated
	var tops []*placement.Plan
	for i := range finalists {
		if err := ctx.Err(); err != nil {
			return finalist{}, 0, err
		}
		tops = append(tops, im.climb(finalists[i].plan))
	}
	_, err := im.simulate(ctx, tops)
	at := finalists[best].plan
	for better := true; better && err == nil && im.left > 0; {
		if im.best.plan != nil {
			at = im.best.plan
		}
		better, err = im.around(ctx, at)
	}
	return im.best, s.Improve - im.left, err
}

// climb goes to the best neighbour by recurrence until there is none that is better.
func (im *improver) climb(pl *placement.Plan) *placement.Plan {
	value := im.value(pl)
	for range improveClimb {
		near := im.near(pl)
		if len(near) == 0 || near[0].value <= value {
			break
		}
		pl, value = near[0].plan, near[0].value
	}
	return pl
}

// valued is a plan and what it is worth by recurrence.
type valued struct {
	plan  *placement.Plan
	value float64
}

// near returns the neighbours of a plan, the best by recurrence first.
func (im *improver) near(pl *placement.Plan) (near []valued) {
	for _, other := range im.ev.Near(pl) {
		near = append(near, valued{other, im.value(other)})
	}
	slices.SortStableFunc(near, func(a, b valued) int { return cmp.Compare(b.value, a.value) })
	return near
}

func (im *improver) value(pl *placement.Plan) float64 {
	f, err := im.set.problem.RecurrenceOf(pl)
	if err != nil {
		return -1
	}
	return f.Value
}

// around simulates the neighbours of a plan, the most promising first, until one is better
// than the best, and reports whether one is.
func (im *improver) around(ctx context.Context, pl *placement.Plan) (bool, error) {
	near := im.near(pl)
	for len(near) > 0 && im.left > 0 {
		n := min(len(near), improveBatch)
		plans := make([]*placement.Plan, n)
		for i := range plans {
			plans[i] = near[i].plan
		}
		near = near[n:]
		if better, err := im.simulate(ctx, plans); better || err != nil {
			return better, err
		}
	}
	return false, nil
}

// simulate runs plans that were not run before, as many as may be, and keeps the best. It
// reports whether that is another one than before.
func (im *improver) simulate(ctx context.Context, plans []*placement.Plan) (better bool, err error) {
	var all []finalist
	for _, pl := range plans {
		if key := keyOfPlan(pl); !im.seen[key] && im.left > 0 {
			im.seen[key] = true
			im.left--
			all = append(all, finalist{plan: pl})
		}
	}
	err = parallel(len(all), func(i int) error { return all[i].simulate(ctx, im.train) })
	if err != nil {
		return false, fmt.Errorf("improving the finalists: %w", err)
	}
	for i := range all {
		if all[i].run == nil {
			continue
		}
		all[i].simulated = im.set.problem.Measured(all[i].plan, im.s.warmStep(all[i].run))
		if all[i].simulated.Value > im.best.simulated.Value {
			im.best, better = all[i], true
		}
	}
	return better, nil
}

// keyOfPlan tells plans apart.
func keyOfPlan(pl *placement.Plan) string {
	key := string(pl.Scheme)
	for i := range pl.Stages {
		key += fmt.Sprint(" ", pl.Stages[i].Devices)
	}
	return key
}

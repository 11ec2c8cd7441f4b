package reports

import (
	"slices"
	"time"

	"stowage/sim"
)

// standing is how one policy did over its seeds.
type standing struct {
	policy   string
	once     bool
	runs     []*sim.ComparedRun
	fit      []*sim.ComparedRun // the feasible ones, best first
	chosen   *sim.ComparedRun   // the first of the best; nil: none fits
	schemes  float64            // median of the evaluations
	duration time.Duration      // median
}

// standings groups the runs of a comparison by policy, in order.
func standings(c *sim.Comparison) []standing {
	var all []standing
	for i := range c.Runs {
		r := &c.Runs[i]
		k := slices.IndexFunc(all, func(s standing) bool { return s.policy == r.Policy })
		if k < 0 {
			k = len(all)
			all = append(all, standing{policy: r.Policy, once: r.Once})
		}
		all[k].runs = append(all[k].runs, r)
	}
	for i := range all {
		all[i].complete(c)
	}
	return all
}

func (s *standing) complete(c *sim.Comparison) {
	var schemes, seconds []float64
	for _, r := range s.runs {
		schemes, seconds = append(schemes, float64(r.Evaluations)), append(seconds, r.Elapsed.Seconds())
		if r.Infeasible == "" {
			s.fit = append(s.fit, r)
		}
	}
	s.schemes, s.duration = median(schemes), time.Duration(median(seconds)*1e9)
	slices.SortStableFunc(s.fit, func(a, b *sim.ComparedRun) int {
		x, y := worth(c, a), worth(c, b)
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if len(s.fit) > 0 {
		s.chosen = s.fit[0]
	}
}

// worth is what a comparison orders runs by: the fitness that placement policies
// maximised, or the simulated throughput under a replacement policy.
func worth(c *sim.Comparison, r *sim.ComparedRun) float64 {
	name := "fitness"
	if c.By == sim.Replacements {
		name = "throughput"
	}
	m, _ := r.Metrics.Get(name)
	return m.Value
}

// worths are those of the feasible runs, the best first.
func (s *standing) worths(c *sim.Comparison) []float64 {
	return s.values(func(r *sim.ComparedRun) (float64, bool) { return worth(c, r), true })
}

// metric returns a metric of the feasible runs that have it.
func (s *standing) metric(name string) []float64 {
	return s.values(func(r *sim.ComparedRun) (float64, bool) {
		m, ok := r.Metrics.Get(name)
		return m.Value, ok
	})
}

func (s *standing) values(of func(r *sim.ComparedRun) (float64, bool)) []float64 {
	var values []float64
	for _, r := range s.fit {
		if v, ok := of(r); ok {
			values = append(values, v)
		}
	}
	return values
}

// gap is the median distance to a limit in per cent; false: nothing fits.
func (s *standing) gap(c *sim.Comparison, limit float64) (float64, bool) {
	if len(s.fit) == 0 || limit <= 0 {
		return 0, false
	}
	gaps := s.worths(c)
	for i, f := range gaps {
		gaps[i] = sim.Gap(f, limit)
	}
	return median(gaps), true
}

// median is the middle value, or the mean of the two in the middle; 0 of none.
func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile interpolates between the order statistics (type 7 of Hyndman and Fan, 1996);
// 0 of no values.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-1)
	if i == len(sorted)-1 || at == float64(i) {
		return sorted[i]
	}
	share := at - float64(i)
	return sorted[i]*(1-share) + sorted[i+1]*share
}

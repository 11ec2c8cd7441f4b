package reports

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"

	"stowage/sim"
)

// Against is a suite compared with its baseline.
type Against struct {
	Baseline string // the file, for people
	Old, New string // versions
	Rows     []AgainstRow
	// Faults are why the comparison is not whole, though it should be: a scenario that
	// has changed, a case or a metric that is gone. Any of them fails.
	Faults []AgainstNote
	// Notes are what else is not compared: what is new.
	Notes []AgainstNote
}

// AgainstNote is said about a part of a suite.
type AgainstNote struct {
	Scenario string
	Text     string
}

// AgainstRow is one metric of one experiment under one pair of policies, over the seeds
// that both sides have.
type AgainstRow struct {
	Scenario, Placement, Replacement string
	Metric                           sim.MetricKind

	N        int     // pairs of equal seed
	Old, New float64 // means; of wall-clock times medians
	Spread   string  // confidence intervals of wall-clock medians, e.g. "±3%"; else empty
	Better   int     // pairs that got better
	Worse    int     // pairs that got worse; where neither way is better, both are 0
	Moved    int     // pairs that differ
	P        float64 // of the signed-rank test over the pairs

	Limit   Threshold
	Verdict Verdict
}

// Verdict is what came out for a row.
type Verdict string

// The verdicts.
const (
	Same      Verdict = "same"      // all pairs are equal, or (wall clock) not told apart
	Improved  Verdict = "better"    // the mean moved for the better
	Moved     Verdict = "changed"   // pairs differ, their mean does not or has no better way
	Tolerated Verdict = "tolerated" // the mean got worse, within the threshold
	Worsened  Verdict = "worse"     // the mean got worse by more than the threshold
)

// Failed reports whether anything got worse, or could not be compared that should be.
func (a *Against) Failed() bool { return len(a.Faults) > 0 || a.Count(Worsened) > 0 }

// Count counts the rows with a verdict.
func (a *Against) Count(v Verdict) int {
	n := 0
	for i := range a.Rows {
		if a.Rows[i].Verdict == v {
			n++
		}
	}
	return n
}

// CompareSuites compares what was measured with a baseline: each metric of each
// experiment and pair of policies, pair by pair of equal seeds.
//
// What is simulated is exact: a difference is a difference, and it is for the worse when
// the mean over the pairs is worse by more than the metric's threshold; p only says how
// one-sided the pairs are. Wall-clock times differ between any two runs: they have
// changed only if p is below 0.05.
func CompareSuites(baseline string, old, now *Suite, limits Thresholds) *Against {
	a := &Against{Baseline: baseline, Old: old.Version, New: now.Version}
	before, after := old.groups(), now.groups()
	if old.Version != now.Version {
		a.note("", "the baseline is of version %s, this is %s", old.Version, now.Version)
	}
	changed := a.changedScenarios(old, now)
	for _, g := range before {
		if changed[g.scenario()] {
			continue
		}
		i := slices.IndexFunc(after, func(o caseGroup) bool { return o.key == g.key })
		if i < 0 {
			a.fault(g.scenario(), "%s is in the baseline and was not measured", g.key)
			continue
		}
		a.group(&g, &after[i], limits)
	}
	for _, g := range after {
		if changed[g.scenario()] || slices.ContainsFunc(before, func(o caseGroup) bool { return o.key == g.key }) {
			continue
		}
		a.note(g.scenario(), "%s is new: the baseline does not have it", g.key)
	}
	return a
}

func (a *Against) fault(scenario, format string, args ...any) {
	a.Faults = append(a.Faults, AgainstNote{scenario, fmt.Sprintf(format, args...)})
}

func (a *Against) note(scenario, format string, args ...any) {
	a.Notes = append(a.Notes, AgainstNote{scenario, fmt.Sprintf(format, args...)})
}

// changedScenarios finds the scenarios whose hash is another one, and says so.
func (a *Against) changedScenarios(old, now *Suite) map[string]bool {
	changed := map[string]bool{}
	for i := range now.Cases {
		c := &now.Cases[i]
		name := benchWord(c.Scenario)
		for j := range old.Cases {
			o := &old.Cases[j]
			if benchWord(o.Scenario) == name && o.Hash != c.Hash && !changed[name] {
				changed[name] = true
				a.fault(name, "the scenario %s has changed (hash %s, now %s): its figures are not compared; save a new baseline", name, o.Hash, c.Hash)
			}
		}
	}
	return changed
}

// caseGroup are the cases that differ by their seeds alone.
type caseGroup struct {
	key   string
	cases []*SuiteCase
}

func (g *caseGroup) scenario() string { return benchWord(g.cases[0].Scenario) }

func (g *caseGroup) seed(seed int64) *SuiteCase {
	for _, c := range g.cases {
		if c.Seed == seed {
			return c
		}
	}
	return nil
}

// groups returns the cases by key, in the order of the suite.
func (s *Suite) groups() []caseGroup {
	var all []caseGroup
	index := map[string]int{}
	for i := range s.Cases {
		c := &s.Cases[i]
		key := c.key()
		at, ok := index[key]
		if !ok {
			at = len(all)
			index[key] = at
			all = append(all, caseGroup{key: key})
		}
		all[at].cases = append(all[at].cases, c)
	}
	return all
}

// pair is one metric under one seed, then and now.
type pair struct{ old, now float64 }

// group compares the cases of one key.
func (a *Against) group(old, now *caseGroup, limits Thresholds) {
	var both [][2]*SuiteCase
	for _, o := range old.cases {
		if n := now.seed(o.Seed); n != nil {
			both = append(both, [2]*SuiteCase{o, n})
		} else {
			a.fault(old.scenario(), "%s: seed %d is in the baseline and was not measured", old.key, o.Seed)
		}
	}
	for _, n := range now.cases {
		if old.seed(n.Seed) == nil {
			a.note(old.scenario(), "%s: seed %d is new: the baseline does not have it", old.key, n.Seed)
		}
	}
	fit := a.fitting(old, both)
	for _, k := range slices.Concat(suiteKinds[:1], sim.MetricKinds, suiteKinds[1:]) {
		cases := fit
		if k.Name == Feasible {
			cases = both
		}
		pairs := a.pairs(old, k.Name, cases)
		if len(pairs) == 0 {
			continue
		}
		c := old.cases[0]
		row := AgainstRow{Scenario: c.Scenario, Placement: c.Placement, Replacement: c.Replacement, Metric: k, Limit: limits.of(k.Name)}
		row.judge(pairs)
		a.Rows = append(a.Rows, row)
	}
}

// fitting leaves out the pairs of which a side found no scheme that fits, and so has no
// figures, and says so.
func (a *Against) fitting(g *caseGroup, both [][2]*SuiteCase) [][2]*SuiteCase {
	var fit [][2]*SuiteCase
	for _, c := range both {
		switch old, now := c[0].infeasible(), c[1].infeasible(); {
		case !old && !now:
			fit = append(fit, c)
		case now && !old:
			a.fault(g.scenario(), "%s, seed %d: no scheme fits now, so it has no figures", g.key, c[0].Seed)
		case old && !now:
			a.note(g.scenario(), "%s, seed %d: a scheme fits now; the baseline has no figures of one", g.key, c[0].Seed)
		}
	}
	return fit
}

func (c *SuiteCase) infeasible() bool {
	m, ok := c.Metrics.Get(Feasible)
	return ok && m.Value == 0
}

// pairs gathers a metric from the cases of both sides, and says where one side lacks it.
func (a *Against) pairs(g *caseGroup, metric string, both [][2]*SuiteCase) []pair {
	var pairs []pair
	for _, c := range both {
		o, was := c[0].Metrics.Get(metric)
		n, is := c[1].Metrics.Get(metric)
		switch {
		case was && is:
			pairs = append(pairs, pair{o.Value, n.Value})
		case was && metric == SearchTime:
			a.note(g.scenario(), "%s, seed %d: the baseline has wall-clock times, which were not asked for now", g.key, c[0].Seed)
		case was:
			a.fault(g.scenario(), "%s, seed %d: the metric %s is in the baseline and is missing now", g.key, c[0].Seed, metric)
		case is:
			a.note(g.scenario(), "%s, seed %d: the metric %s is new: the baseline does not have it", g.key, c[0].Seed, metric)
		}
	}
	return pairs
}

// judge fills in what the pairs show.
func (r *AgainstRow) judge(pairs []pair) {
	r.N = len(pairs)
	timed := r.Metric.Name == SearchTime
	olds, news := make([]float64, r.N), make([]float64, r.N)
	differences := make([]float64, r.N)
	for i, p := range pairs {
		olds[i], news[i], differences[i] = p.old, p.now, p.now-p.old
		if timed && p.old > 0 && p.now > 0 {
			differences[i] = math.Log(p.now / p.old) // seeds take unlike times
		}
		if p.old == p.now {
			continue
		}
		r.Moved++
		if up := p.now > p.old; r.Metric.Better != "" && up == (r.Metric.Better == "higher") {
			r.Better++
		} else if r.Metric.Better != "" {
			r.Worse++
		}
	}
	r.P = signedRank(differences)
	if timed {
		r.Old, r.New, r.Spread = medians(olds, news)
	} else {
		r.Old, r.New = meanOf(olds), meanOf(news)
	}
	r.Verdict = r.verdict(timed)
}

func (r *AgainstRow) verdict(timed bool) Verdict {
	loss := r.New - r.Old
	if r.Metric.Better == "higher" {
		loss = -loss
	}
	switch {
	case r.Moved == 0 || timed && r.P >= timeAlpha:
		return Same
	case r.Metric.Better == "" || loss == 0:
		return Moved
	case loss < 0:
		return Improved
	case loss > r.Limit.allowed(r.Old):
		return Worsened
	}
	return Tolerated
}

// meanOf is the mean; of equal numbers it is that number, without a rounding.
func meanOf(vs []float64) float64 {
	sum := 0.0
	for _, v := range vs {
		sum += v - vs[0]
	}
	return vs[0] + sum/float64(len(vs))
}

// medians returns the medians of two samples of wall-clock times, and how far their 95 %
// confidence intervals reach.
func medians(olds, news []float64) (old, now float64, spread string) {
	limits := benchmath.DefaultThresholds
	a := benchmath.AssumeNothing.Summary(benchmath.NewSample(olds, &limits), 0.95)
	b := benchmath.AssumeNothing.Summary(benchmath.NewSample(news, &limits), 0.95)
	return a.Center, b.Center, fmt.Sprintf("±%s, ±%s", a.PctRangeString(), b.PctRangeString())
}

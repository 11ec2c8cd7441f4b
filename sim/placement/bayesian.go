package placement

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// Bayesian are the knobs of `bayesian`, the search of the sibling filing
// US20230206024A1 as we read it: a set of evaluation points, each a scheme and its
// cost, grows step by step. A Gaussian process learns from them; of many
// candidates the Batch with the highest expected improvement become points.
// Candidates are random changes of the best points, and random schemes.
type Bayesian struct {
	Points     int `toml:"points"`     // schemes evaluated in all; default 320
	Initial    int `toml:"initial"`    // of them before the first model, beside the schemes that a person would try; default 32
	Batch      int `toml:"batch"`      // points between two models; default 8
	Candidates int `toml:"candidates"` // default 256
	Parents    int `toml:"parents"`    // best points that candidates are made from; default 12
}

// DefaultBayesian returns the defaults.
func DefaultBayesian() Bayesian {
	return Bayesian{Points: 320, Initial: 32, Batch: 8, Candidates: 256, Parents: 12}
}

// Limits of bayesian: its time grows as the cube of the points.
const (
	MaxPoints     = 1 << 12
	MaxCandidates = 1 << 16
)

// Validate checks the knobs. Errors begin with the key.
func (k Bayesian) Validate() error {
	return firstError(
		between("points", k.Points, 2, "MaxPoints", MaxPoints),
		between("initial", k.Initial, 1, "points", k.Points),
		between("batch", k.Batch, 1, "points", k.Points),
		between("candidates", k.Candidates, 1, "MaxCandidates", MaxCandidates),
		between("parents", k.Parents, 1, "points", k.Points))
}

// points is the growing set of evaluation points.
type points struct {
	s    *search
	r    *rand.Rand
	gp   surrogate
	fit  []Fitness
	y    []float64
	seen map[string]struct{}
}

func runBayesian(s *search) error {
	k := s.opt.Bayesian
	if k == (Bayesian{}) {
		k = DefaultBayesian()
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("bayesian: %w", err)
	}
	ps := &points{s: s, r: s.stream(1), seen: map[string]struct{}{}}
	ps.gp.settle(0.3, 0.3, s.p.layers)
	first := s.p.starts()
	for range k.Initial {
		sc := make(Scheme, s.p.layers)
		s.p.draw(sc, ps.r)
		first = append(first, sc)
	}
	if err := ps.grow(first, k.Points); err != nil {
		return err
	}
	for tuned := 0; len(ps.fit) < k.Points; {
		if ps.targets(); len(ps.fit) >= 2*tuned {
			tuned = len(ps.fit)
			ps.gp.tune(ps.y)
		}
		ps.gp.fit(ps.y)
		next := ps.promising(k)
		if len(next) == 0 {
			return nil // nothing new is near
		}
		if err := ps.grow(next, k.Points); err != nil {
			return err
		}
	}
	return nil
}

// grow evaluates schemes and makes points of those that are new, up to most.
func (ps *points) grow(scs []Scheme, most int) error {
	var fresh []Scheme
	for _, sc := range scs {
		if _, ok := ps.seen[string(sc)]; !ok && len(ps.fit)+len(fresh) < most {
			ps.seen[string(sc)] = struct{}{}
			fresh = append(fresh, sc)
		}
	}
	out := make([]Fitness, len(fresh))
	if err := ps.s.evaluateOr(fresh, out); err != nil {
		return err
	}
	for i, sc := range fresh {
		ps.gp.add(sc)
		ps.fit = append(ps.fit, out[i])
	}
	return nil
}

// targets computes what the model learns: scores, which move with the worst
// feasible point.
func (ps *points) targets() {
	ps.y = ps.y[:0]
	for _, f := range ps.fit {
		ps.y = append(ps.y, ps.s.score(f))
	}
}

// promising returns the candidates with the highest expected improvement.
func (ps *points) promising(k Bayesian) []Scheme {
	candidates := ps.candidates(k)
	best := slices.Max(ps.y)
	gain := make([]float64, len(candidates))
	order := make([]int, len(candidates))
	for i, sc := range candidates {
		mean, deviation := ps.gp.predict(sc)
		gain[i], order[i] = improvement(mean, deviation, best), i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(gain[j], gain[i]) })
	next := make([]Scheme, 0, k.Batch)
	for _, i := range order[:min(k.Batch, len(order))] {
		next = append(next, candidates[i])
	}
	return next
}

// candidates draws schemes that are no points yet: three of four are one to three
// changes away from one of the best points.
func (ps *points) candidates(k Bayesian) []Scheme {
	p := ps.s.p
	order := make([]int, len(ps.y))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ps.y[j], ps.y[i]) })
	order = order[:min(k.Parents, len(order))]
	var scs []Scheme
	drawn := map[string]struct{}{}
	for n := range k.Candidates {
		sc := make(Scheme, p.layers)
		if n%4 == 3 {
			p.draw(sc, ps.r)
		} else {
			copy(sc, ps.gp.schemes[order[ps.r.IntN(len(order))]])
			for range 1 + ps.r.IntN(3) {
				p.perturb(sc, ps.r)
			}
		}
		_, point := ps.seen[string(sc)]
		_, twice := drawn[string(sc)]
		if !point && !twice {
			drawn[string(sc)] = struct{}{}
			scs = append(scs, sc)
		}
	}
	return scs
}

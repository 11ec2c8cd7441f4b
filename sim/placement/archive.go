package placement

import "slices"

// MaxKeep bounds Options.Keep.
const MaxKeep = 1024

// keep remembers a scheme if it is among the best distinct ones seen, as many as the
// options ask for: by value, of equal values the cheaper, of equal prices the first. Where
// the network counts, only the best is kept of those with runs of layers on the same pools
// in the same order: those are often alike in what they put on which link, and when
// fitness is wrong about one it is about all.
func (s *search) keep(sc Scheme, f Fitness) {
	if s.opt.Keep == 0 || !f.Feasible {
		return
	}
	best := s.finalists
	if s.p.routes != nil && len(best) > 0 && (len(best) < s.opt.Keep || outranks(f, best[len(best)-1].Fitness)) {
		at := slices.IndexFunc(best, func(b Point) bool { return b.Scheme.shaped(sc) })
		if at >= 0 && !outranks(f, best[at].Fitness) {
			return
		}
		if at >= 0 {
			best = slices.Delete(best, at, at+1)
		}
	}
	if len(best) == s.opt.Keep && !outranks(f, best[len(best)-1].Fitness) {
		return
	}
	at := len(best)
	for at > 0 && outranks(f, best[at-1].Fitness) {
		at--
	}
	// A full memo forgets, and a scheme may come again: then it is among its equals.
	for i := at - 1; i >= 0 && best[i].Fitness.Value == f.Value; i-- {
		if slices.Equal(best[i].Scheme, sc) {
			return
		}
	}
	var copied Scheme
	if len(best) == s.opt.Keep {
		copied, best = best[len(best)-1].Scheme, best[:len(best)-1]
	} else {
		copied = make(Scheme, len(sc))
	}
	copy(copied, sc)
	s.finalists = slices.Insert(best, at, Point{copied, f})
}

// shaped reports whether two schemes have runs of layers on the same pools in the same
// order.
func (s Scheme) shaped(other Scheme) bool {
	i, j := 0, 0
	for i < len(s) && j < len(other) && s[i] == other[j] {
		i, j = s.runEnd(i), other.runEnd(j)
	}
	return i == len(s) && j == len(other)
}

// runEnd returns where the run of layer l ends.
func (s Scheme) runEnd(l int) int {
	for t := s[l]; l < len(s) && s[l] == t; {
		l++
	}
	return l
}

// runExactKeeping is runExact, and where that proved the best scheme having seen fewer than
// it is asked to keep, the best of its neighbours fill up. They are no part of the search:
// none can be better, and they are not counted.
func runExactKeeping(s *search) error {
	err := runExact(s)
	if err == nil && !s.fitness.Feasible {
		s.whyNot()
	}
	if err != nil || len(s.finalists) == 0 || len(s.finalists) == s.opt.Keep {
		return err
	}
	best := slices.Clone(s.finalists[0].Scheme)
	near := make(Scheme, len(best))
	for _, m := range s.p.moves(best, nil) {
		if s.ctx.Err() != nil {
			return nil // the answer is there
		}
		copy(near, best)
		m.apply(near)
		if f := s.compute(s.ev, near); !outranks(f, s.fitness) {
			s.keep(near, f)
		}
	}
	return nil
}

// outranks reports whether a fitness is better than that of a scheme seen before.
func outranks(f, than Fitness) bool {
	return f.Value > than.Value || f.Value == than.Value && f.Price < than.Price
}

// Measured is the fitness of a plan whose step took so many seconds, by whatever
// measured it.
func (p *Problem) Measured(pl *Plan, seconds float64) Fitness {
	if !positive(seconds) {
		return infeasible(timeless, 1)
	}
	return p.fitness(seconds, pl.Fitness.Price)
}

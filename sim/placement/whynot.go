package placement

import (
	"math"
	"strconv"
	"time"
)

// whyNot says, where a proof ended without a scheme that fits, what there is
// instead: the proof itself met few schemes, and those not for what they reach.
//
// Where a floor is what cannot be kept it proves the most that the caps allow;
// where they allow nothing, the least cost that max_price allows; and where no
// scheme gets devices, or none is cheap enough, local search finds the nearest.
// It keeps within the search's budget, and whatever ends it, the proof stands.
func (s *search) whyNot() {
	if s.opt.terse {
		return
	}
	defer func(over error) { s.over = over }(s.over)
	p := s.p
	all := float64(s.evaluations) >= math.Pow(float64(p.pools), float64(p.layers))
	if p.MinThroughput > 0 {
		if f := s.without(func(q *Problem) { q.Objective, q.MinThroughput = Throughput, 0 }, all); f.Feasible {
			s.most = "more than " + figure(f.Throughput) + " samples/s" + p.capsInWords()
			return
		}
	}
	if p.MaxCost > 0 && p.priced() {
		if f := s.without(func(q *Problem) { q.Objective, q.MinThroughput, q.MaxCost = Cost, 0, 0 }, all); f.Feasible {
			q := Problem{Spec: Spec{MaxPrice: p.MaxPrice}}
			s.most = "less than " + figure(f.Cost) + " USD per million samples" + q.capsInWords()
			return
		}
	}
	if !all {
		_ = s.local() // its error says what ended it
	}
}

// without proves the best fitness of the problem when change takes some of its
// floor and caps away, and evaluates its scheme with them unless all were. Nothing
// fits when that has no proof.
func (s *search) without(change func(*Problem), all bool) Fitness {
	q := *s.p
	change(&q)
	opt := s.opt
	opt.Memo, opt.Progress, opt.Keep = nil, nil, 0
	if opt.Evaluations > 0 {
		opt.Evaluations = max(1, opt.Evaluations-s.evaluations)
	}
	if opt.Time > 0 {
		opt.Time = max(1, opt.Time-time.Since(s.start))
	}
	sub := newSearch(s.ctx, &q, opt)
	sub.effort.most = boundEffort
	err := runExact(sub)
	if !all && sub.fitness.Feasible {
		s.evaluate(sub.best)
	}
	if err != nil || sub.over != nil {
		return Fitness{}
	}
	return sub.fitness
}

// priced reports whether no pool is free, so that every scheme costs something.
func (p *Problem) priced() bool {
	for _, usd := range p.price {
		if usd == 0 {
			return false
		}
	}
	return true
}

// capsInWords names the caps that a figure keeps.
func (p *Problem) capsInWords() string {
	switch {
	case p.MaxPrice > 0 && p.MaxCost > 0:
		return " within max_price and max_cost"
	case p.MaxPrice > 0:
		return " within max_price"
	case p.MaxCost > 0:
		return " within max_cost"
	}
	return ""
}

// figure prints a number to six digits, without an exponent where people would
// write none.
func figure(v float64) string {
	if a := math.Abs(v); a >= 1e6 && a < 1e15 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}

package placement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// Flip is a price of a pool's devices at which another choice becomes the best.
type Flip struct {
	Price        float64 // USD per device-hour
	Below, Above *Answer // the choices at lower and at higher prices
}

// Flips returns the prices of a pool between from and to, in USD per device-hour, at
// which the target scheme or its devices change, in order; below is the choice at
// from. Where the objective is cost, what a choice costs is a straight line over the
// price, and flips lie where lines cross: they are exact. Else a flip is enclosed to
// a millionth of its price. Two prices with one choice have no other between them, as
// lines cross once, unless a floor or cap on prices forbids choices on the way.
func (q *Inquiry) Flips(ctx context.Context, pool int, from, to float64) (below *Answer, flips []Flip, err error) {
	if !(0 <= from && from < to) {
		return nil, nil, fmt.Errorf("prices from %v to %v: at least 0, and the first below the second", from, to)
	}
	f := &flipper{q: q, pool: pool, ctx: ctx}
	low, err := f.at(from)
	if err != nil {
		return nil, nil, err
	}
	high, err := f.at(to)
	if err != nil {
		return nil, nil, err
	}
	if err := f.between(from, to, low, high); err != nil {
		return nil, nil, err
	}
	return low, f.joined(), nil
}

type flipper struct {
	q     *Inquiry
	ctx   context.Context
	pool  int
	flips []Flip
}

func (f *flipper) at(price float64) (*Answer, error) {
	return f.q.ask(f.ctx, func(s *Spec) { setPrice(s, f.pool, price) })
}

// between finds the flips of an interval of prices whose ends have the answers a and b.
func (f *flipper) between(lo, hi float64, a, b *Answer) error {
	if a.same(b) || !a.Fitness.Feasible && !b.Fitness.Feasible {
		return nil
	}
	if hi-lo <= priceDigits*hi {
		f.flips = append(f.flips, Flip{Price: hi, Below: a, Above: b})
		return nil
	}
	x, crossing := f.crossing(lo, hi, a, b)
	if !crossing {
		x = lo + (hi-lo)/2
	}
	m, err := f.at(x)
	if err != nil {
		return errors.Join(err, fmt.Errorf("looking for flips between %.6g and %.6g USD/h: a narrower range takes fewer searches", lo, hi))
	}
	if crossing && !improves(m.Fitness, a.Priced(f.pool, x)) {
		f.flips = append(f.flips, Flip{Price: x, Below: a, Above: b})
		return nil
	}
	if err := f.between(lo, x, a, m); err != nil {
		return err
	}
	return f.between(x, hi, m, b)
}

// crossing returns the price at which two choices cost the same, if it lies within
// an interval and both are allowed there.
func (f *flipper) crossing(lo, hi float64, a, b *Answer) (float64, bool) {
	if f.q.spec.Objective != Cost || !a.Fitness.Feasible || !b.Fitness.Feasible {
		return 0, false
	}
	// cost = step time x (rest + n price): equal at
	sa, sb := 1/a.Fitness.Throughput, 1/b.Fitness.Throughput
	na, nb := float64(a.Devices()[f.pool]), float64(b.Devices()[f.pool])
	ra, rb := a.Fitness.Price-na*float64(a.Problem.Cluster.Pools[f.pool].Price), b.Fitness.Price-nb*float64(b.Problem.Cluster.Pools[f.pool].Price)
	x := (sb*rb - sa*ra) / (sa*na - sb*nb)
	margin := priceDigits * hi
	if math.IsNaN(x) || x <= lo+margin || x >= hi-margin {
		return 0, false
	}
	return x, a.Priced(f.pool, x).Feasible && b.Priced(f.pool, x).Feasible
}

// joined returns the flips in order, without those that lead from a choice to itself
// and with those at one price made one.
func (f *flipper) joined() []Flip {
	slices.SortStableFunc(f.flips, func(a, b Flip) int {
		switch {
		case a.Price < b.Price:
			return -1
		case a.Price > b.Price:
			return 1
		}
		return 0
	})
	var out []Flip
	for _, x := range f.flips {
		if last := len(out) - 1; last >= 0 && x.Price-out[last].Price <= priceDigits*x.Price {
			out[last].Above = x.Above
			continue
		}
		out = append(out, x)
	}
	return slices.DeleteFunc(out, func(x Flip) bool { return x.Below.same(x.Above) })
}

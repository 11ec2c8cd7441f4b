package placement

import (
	"context"
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
// from.
//
// Where the objective is cost, what a choice costs is a straight line over the price,
// and flips lie where lines cross: they are exact. Two prices with one choice have no
// other between them, as lines cross once, unless a cap on prices forbids one of them
// on the way: then the present price is looked at, and where choices end that were
// met; one that begins and ends between two prices looked at stays hidden.
//
// With another objective a choice is worth the same at all prices that the caps allow,
// and as the price rises they allow ever fewer: the best choice is the best until it is
// dearer than a cap. So all flips are found, and they are exact.
func (q *Inquiry) Flips(ctx context.Context, pool int, from, to float64) (below *Answer, flips []Flip, err error) {
	if !(0 <= from && from < to) {
		return nil, nil, fmt.Errorf("prices from %v to %v: at least 0, and the first below the second", from, to)
	}
	f := &flipper{q: q, pool: pool, ctx: ctx}
	low, err := f.at(from)
	if err != nil {
		return nil, nil, err
	}
	if q.spec.Objective != Cost {
		return f.climb(from, to, low)
	}
	high, err := f.at(to)
	if err != nil {
		return nil, nil, err
	}
	below = low
	if now := float64(q.spec.Cluster.Pools[pool].Price); q.spec.MaxPrice > 0 && from < now && now < to {
		// What the cap forbids at the ends may be the choice of today.
		present, err := f.at(now)
		if err != nil {
			return nil, nil, err
		}
		if err := f.between(from, now, low, present); err != nil {
			return nil, nil, err
		}
		from, low = now, present
	}
	if err := f.between(from, to, low, high); err != nil {
		return nil, nil, err
	}
	return below, f.joined(), nil
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

// climb finds the flips by following each choice up to the price that a cap allows.
// It begins again when a later search found what would have been better before, as
// policies that prove nothing may: ask remembers it.
func (f *flipper) climb(from, to float64, low *Answer) (*Answer, []Flip, error) {
	at, now := from, low
	for now.Fitness.Feasible {
		x, beyond := f.last(now)
		if !(x < to) {
			break
		}
		x = max(x, at)
		next, err := f.at(max(beyond, math.Nextafter(x, math.Inf(1))))
		if err != nil {
			return nil, nil, f.narrower(err, x, to)
		}
		if next.Fitness.Feasible && next.Fitness.Value > now.Fitness.Value*(1+priceDigits) {
			if low, err = f.at(from); err != nil {
				return nil, nil, f.narrower(err, from, to)
			}
			f.flips, at, now = nil, from, low
			continue
		}
		f.flips = append(f.flips, Flip{Price: x, Below: now, Above: next})
		at, now = x, next
	}
	return low, f.joined(), nil
}

// ends finds the flips of an interval in which a cap ends its first choice, at x.
func (f *flipper) ends(lo, x, beyond, hi float64, a, b *Answer) error {
	end, err := f.at(x)
	if err != nil {
		return f.narrower(err, lo, hi)
	}
	next, err := f.at(beyond)
	if err != nil {
		return f.narrower(err, lo, hi)
	}
	if err := f.between(lo, x, a, end); err != nil {
		return err
	}
	f.flips = append(f.flips, Flip{Price: x, Below: end, Above: next})
	return f.between(beyond, hi, next, b)
}

// last returns the highest price at which the caps allow a choice, and one just
// beyond what they allow with their slack; +Inf when they always do.
func (f *flipper) last(a *Answer) (x, beyond float64) {
	p, n := a.Problem, float64(a.Devices()[f.pool])
	most := math.Inf(1) // USD/h of all its devices
	if p.MaxPrice > 0 {
		most = p.MaxPrice
	}
	if p.MaxCost > 0 {
		most = min(most, p.MaxCost/p.costOf(1, float64(p.Batch)/a.Fitness.Throughput))
	}
	if n == 0 || math.IsInf(most, 1) {
		return math.Inf(1), math.Inf(1)
	}
	rest := a.Fitness.Price - n*p.price[f.pool]
	return (most - rest) / n, (most*(1+8*slack) - rest) / n
}

// narrower says of a question that took too many searches what takes fewer.
func (f *flipper) narrower(err error, lo, hi float64) error {
	return fmt.Errorf("%w, looking for flips between %.6g and %.6g USD/h: a narrower range takes fewer", err, lo, hi)
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
	if x, beyond := f.last(a); a.Fitness.Feasible && lo < x && beyond < hi {
		return f.ends(lo, x, beyond, hi, a, b)
	}
	x, crossing := f.crossing(lo, hi, a, b)
	if !crossing {
		x = lo + (hi-lo)/2
	}
	m, err := f.at(x)
	if err != nil {
		return f.narrower(err, lo, hi)
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
	if !a.Fitness.Feasible || !b.Fitness.Feasible {
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

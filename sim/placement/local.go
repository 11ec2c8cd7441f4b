package placement

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// Local are the knobs of `local`: hill climbing from several starts. From a
// scheme it goes to a better neighbour until there is none: one layer on another
// pool, a run or its begin or end on another pool, the pools of two runs swapped.
// The first start is the best of the schemes that a person would try, others are
// random, every second one the best scheme so far after a few random changes
// (iterated local search: Lourenço, Martin and Stützle, Handbook of
// Metaheuristics, 2003).
type Local struct {
	Descent    string `toml:"descent"`    // "first" better neighbour in random order (default), or "steepest": the best of all
	Restarts   int    `toml:"restarts"`   // climbs after the first one; default 20
	Kick       int    `toml:"kick"`       // random changes that a climb from the best scheme starts with; default 4
	Neighbours int    `toml:"neighbours"` // most neighbours of one scheme that are looked at, drawn at random; default 4096
}

// DefaultLocal returns the defaults.
func DefaultLocal() Local { return Local{Descent: "first", Restarts: 20, Kick: 4, Neighbours: 4096} }

// Limits of local and tabu.
const (
	MaxRestarts   = 1 << 20
	MaxKick       = 1 << 16
	MaxNeighbours = 1 << 24
)

// Descents names the ways down of `local`.
var Descents = []string{"first", "steepest"}

// Validate checks the knobs. Errors begin with the key.
func (k Local) Validate() error {
	if !slices.Contains(Descents, k.Descent) {
		return fmt.Errorf("descent = %q: one of %q", k.Descent, Descents)
	}
	return firstError(
		between("restarts", k.Restarts, 0, "MaxRestarts", MaxRestarts),
		between("kick", k.Kick, 1, "MaxKick", MaxKick),
		between("neighbours", k.Neighbours, 1, "MaxNeighbours", MaxNeighbours))
}

// between returns an error that names the key unless v is in [least, most].
func between(key string, v, least int, name string, most int) error {
	if v < least || v > most {
		return fmt.Errorf("%s = %d: from %d to %s = %d", key, v, least, name, most)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func runLocal(s *search) error {
	k := s.opt.Local
	if k == (Local{}) {
		k = DefaultLocal()
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("local: %w", err)
	}
	c := newClimber(s, k.Neighbours)
	if err := c.first(); err != nil {
		return err
	}
	for n := 0; ; n++ {
		climb := c.firstBetter
		if k.Descent == "steepest" {
			climb = c.steepest
		}
		for better := true; better; {
			var err error
			if better, err = climb(); err != nil {
				return err
			}
		}
		if n == k.Restarts {
			return nil
		}
		if n%2 == 0 {
			s.p.draw(c.at, c.r)
		} else {
			copy(c.at, s.best)
			for range k.Kick {
				s.p.perturb(c.at, c.r)
			}
		}
		c.f = s.evaluate(c.at)
	}
}

// climber is at a scheme and looks at its neighbours.
type climber struct {
	s    *search
	r    *rand.Rand
	most int // neighbours

	at    Scheme
	f     Fitness
	moves []move
	scs   []Scheme
	out   []Fitness
}

func newClimber(s *search, most int) *climber {
	return &climber{s: s, r: s.stream(1), most: most, at: make(Scheme, s.p.layers)}
}

// first goes to the best of the schemes that a person would try.
func (c *climber) first() error {
	starts := c.s.p.starts()
	err := c.s.evaluateOr(starts, make([]Fitness, len(starts)))
	copy(c.at, c.s.best)
	c.f = c.s.fitness
	return err
}

// firstBetter goes to the first better neighbour in random order, if there is one.
func (c *climber) firstBetter() (bool, error) {
	s := c.s
	c.moves = s.p.neighbourhood(c.at, c.most, c.r, c.moves)
	next := c.room(1)[0]
	for i := range c.moves {
		if err := s.stopped(); err != nil {
			return false, err
		}
		copy(next, c.at)
		c.moves[i].apply(next)
		if f := s.evaluate(next); better(f, c.f) {
			copy(c.at, next)
			c.f = f
			return true, nil
		}
	}
	return false, nil
}

// steepest goes to the best neighbour, if it is better.
func (c *climber) steepest() (bool, error) {
	if err := c.look(); err != nil {
		return false, err
	}
	best := -1
	for i, f := range c.out {
		if better(f, c.f) && (best < 0 || better(f, c.out[best])) {
			best = i
		}
	}
	if best < 0 {
		return false, nil
	}
	copy(c.at, c.scs[best])
	c.f = c.out[best]
	return true, nil
}

// look evaluates all neighbours, on all workers.
func (c *climber) look() error {
	c.moves = c.s.p.neighbourhood(c.at, c.most, c.r, c.moves)
	scs := c.room(len(c.moves))
	for i := range c.moves {
		copy(scs[i], c.at)
		c.moves[i].apply(scs[i])
	}
	return c.s.evaluateOr(scs, c.out)
}

// room returns n schemes to fill in, and makes as much room for their fitness.
func (c *climber) room(n int) []Scheme {
	for len(c.scs) < n {
		c.scs = append(c.scs, make(Scheme, c.s.p.layers))
	}
	if cap(c.out) < n {
		c.out = make([]Fitness, 2*n)
	}
	c.out = c.out[:n]
	return c.scs[:n]
}

// better reports whether f is worth more than g, or as much at a lower price.
func better(f, g Fitness) bool {
	return f.Value > g.Value || (f.Value == g.Value && f.Feasible && f.Price < g.Price)
}

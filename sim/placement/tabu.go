package placement

import "fmt"

// Tabu are the knobs of `tabu`: tabu search (Glover, ORSA Journal on Computing 1
// and 2, 1989 and 1990). It goes to the best neighbour even if that is worse. A
// layer that left a pool may not go back to it for Tenure steps, unless the
// neighbour is better than every scheme so far (aspiration). After Patience steps
// without a better scheme it starts anew from a random one. Neighbours are those
// of `local`.
type Tabu struct {
	Steps      int `toml:"steps"`      // default 150
	Tenure     int `toml:"tenure"`     // steps for which a layer may not go back; default 8
	Patience   int `toml:"patience"`   // steps without a better scheme; default 40
	Neighbours int `toml:"neighbours"` // most neighbours of one scheme that are looked at, drawn at random; default 4096
}

// DefaultTabu returns the defaults.
func DefaultTabu() Tabu { return Tabu{Steps: 150, Tenure: 8, Patience: 40, Neighbours: 4096} }

// Validate checks the knobs. Errors begin with the key.
func (k Tabu) Validate() error {
	return firstError(
		between("steps", k.Steps, 1, "MaxSteps", MaxSteps),
		between("tenure", k.Tenure, 0, "MaxSteps", MaxSteps),
		between("patience", k.Patience, 1, "MaxSteps", MaxSteps),
		between("neighbours", k.Neighbours, 1, "MaxNeighbours", MaxNeighbours))
}

func runTabu(s *search) error {
	k := s.opt.Tabu
	if k == (Tabu{}) {
		k = DefaultTabu()
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("tabu: %w", err)
	}
	c := newClimber(s, k.Neighbours)
	if err := c.first(); err != nil {
		return err
	}
	until := make([]int, s.p.layers*s.p.pools) // [layer*pools + pool]: the first step at which it may go there
	for step, since := 1, 0; step <= k.Steps; step++ {
		was := s.fitness
		if err := c.look(); err != nil {
			return err
		}
		if best := c.allowed(until, step, was); best >= 0 {
			c.forbid(until, &c.moves[best], step+1+k.Tenure)
			copy(c.at, c.scs[best])
			c.f = c.out[best]
		}
		if since++; better(s.fitness, was) {
			since = 0
		}
		if since >= k.Patience {
			since = 0
			clear(until)
			s.p.draw(c.at, c.r)
			c.f = s.evaluate(c.at)
		}
	}
	return nil
}

// allowed returns the best neighbour to which a move may be made; -1: none.
func (c *climber) allowed(until []int, step int, record Fitness) int {
	best := -1
	for i, f := range c.out {
		if best >= 0 && !better(f, c.out[best]) {
			continue
		}
		if better(f, record) || !c.forbidden(until, &c.moves[i], step) {
			best = i
		}
	}
	return best
}

// forbidden reports whether a move takes a layer back to where it may not go.
func (c *climber) forbidden(until []int, m *move, step int) bool {
	pools := c.s.p.pools
	for l := m.from; l < m.to; l++ {
		if until[l*pools+int(m.pool)] > step {
			return true
		}
	}
	for l := m.from2; l < m.to2; l++ {
		if until[l*pools+int(m.pool2)] > step {
			return true
		}
	}
	return false
}

// forbid keeps the layers of a move from going back before a step.
func (c *climber) forbid(until []int, m *move, before int) {
	pools := c.s.p.pools
	for l := m.from; l < m.to; l++ {
		until[l*pools+int(c.at[l])] = before
	}
	for l := m.from2; l < m.to2; l++ {
		until[l*pools+int(c.at[l])] = before
	}
}

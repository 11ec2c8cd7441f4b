package placement

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Annealing are the knobs of `annealing`: simulated annealing (Kirkpatrick,
// Gelatt and Vecchi, Science 220, 1983). Each chain proposes a random change of
// its scheme and accepts it by the rule of Metropolis: always if it is not worse,
// else with probability exp(difference / temperature). Differences are those of
// the logarithm of fitness, so that nothing depends on its unit. The temperature
// at which a chain starts is such that Accept of the worse changes sampled around
// its start would be accepted (Johnson et al., Operations Research 37, 1989); it
// falls by the same factor with every step.
type Annealing struct {
	Chains  int     `toml:"chains"`  // independent ones, side by side; default 8
	Steps   int     `toml:"steps"`   // of each chain; default 1000
	Sample  int     `toml:"sample"`  // changes that the starting temperature is taken from, for each chain; default 16
	Accept  float64 `toml:"accept"`  // share of worse changes accepted at the start; default 0.5
	Cooling float64 `toml:"cooling"` // the last temperature, as a share of the first; default 0.005
}

// DefaultAnnealing returns the defaults.
func DefaultAnnealing() Annealing {
	return Annealing{Chains: 8, Steps: 1000, Sample: 16, Accept: 0.5, Cooling: 0.005}
}

// Limits of annealing.
const (
	MaxChains = 1 << 12
	MaxSteps  = 1 << 30
	MaxSample = 1 << 16
)

// Validate checks the knobs. Errors begin with the key.
func (k Annealing) Validate() error {
	return firstError(
		between("chains", k.Chains, 1, "MaxChains", MaxChains),
		between("steps", k.Steps, 1, "MaxSteps", MaxSteps),
		between("sample", k.Sample, 1, "MaxSample", MaxSample),
		inside("accept", k.Accept), inside("cooling", k.Cooling))
}

// inside returns an error that names the key unless 0 < v < 1.
func inside(key string, v float64) error {
	if !(v > 0 && v < 1) {
		return fmt.Errorf("%s = %v: a number above 0 and below 1", key, v)
	}
	return nil
}

// chain is one walk.
type chain struct {
	r           *rand.Rand
	at          Scheme
	f           Fitness
	temperature float64
}

func runAnnealing(s *search) error {
	k := s.opt.Annealing
	if k == (Annealing{}) {
		k = DefaultAnnealing()
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("annealing: %w", err)
	}
	chains, err := s.chains(k)
	if err != nil {
		return err
	}
	factor := math.Pow(k.Cooling, 1/float64(k.Steps))
	scs, out := s.schemes(len(chains))
	for range k.Steps {
		for i := range chains {
			copy(scs[i], chains[i].at)
			s.p.perturb(scs[i], chains[i].r)
		}
		if err := s.evaluateOr(scs, out); err != nil {
			return err
		}
		for i := range chains {
			c := &chains[i]
			d := s.score(out[i]) - s.score(c.f)
			if d >= 0 || c.r.Float64() < math.Exp(d/c.temperature) {
				copy(c.at, scs[i])
				c.f = out[i]
			}
			c.temperature *= factor
		}
	}
	return nil
}

// chains starts the first one at the best of the schemes that a person would try
// and the others at random.
func (s *search) chains(k Annealing) ([]chain, error) {
	starts := s.p.starts()
	if err := s.evaluateOr(starts, make([]Fitness, len(starts))); err != nil {
		return nil, err
	}
	chains := make([]chain, k.Chains)
	scs, out := s.schemes(k.Chains)
	for i := range chains {
		chains[i].r = s.stream(uint64(i) + 1)
		if i == 0 {
			copy(scs[i], s.best)
		} else {
			s.p.draw(scs[i], chains[i].r)
		}
	}
	if err := s.evaluateOr(scs, out); err != nil {
		return nil, err
	}
	near, around := s.schemes(k.Sample)
	for i := range chains {
		c := &chains[i]
		c.at, c.f = scs[i], out[i]
		for j := range near {
			copy(near[j], c.at)
			s.p.perturb(near[j], c.r)
		}
		if err := s.evaluateOr(near, around); err != nil {
			return nil, err
		}
		c.temperature = s.temperature(c.f, around, k.Accept)
	}
	return chains, nil
}

// temperature returns the one at which a mean worse change would be accepted with
// the given probability.
func (s *search) temperature(at Fitness, around []Fitness, accept float64) float64 {
	sum, n := 0.0, 0
	for _, f := range around {
		if d := s.score(at) - s.score(f); d > 0 {
			sum += d
			n++
		}
	}
	if n == 0 {
		return 0.1 // a start that every change improves is left at once
	}
	return sum / float64(n) / -math.Log(accept)
}

// score is a fitness on a scale without a unit: the logarithm of a feasible
// one's value, and below the worst feasible one that the search saw an infeasible
// one's, the lower the farther from fitting.
func (s *search) score(f Fitness) float64 {
	if f.Feasible {
		return math.Log(f.Value)
	}
	if s.worst == 0 {
		return f.Value
	}
	return math.Log(s.worst) + f.Value
}

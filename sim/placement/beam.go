package placement

import (
	"cmp"
	"fmt"
	"slices"
)

// Beam are the knobs of `beam`: beam search (Lowerre, The HARPY speech recognition
// system, 1976) over the layers from first to last. It keeps the Width best
// placements of the layers so far and tries each pool for the next layer. What a
// partial scheme is worth is the fitness that it has with all further layers on
// one pool, on the best one; of equals, on the second best, and so on. The seed
// does not matter to it.
type Beam struct {
	Width int `toml:"width"` // partial schemes kept; default 48
}

// DefaultBeam returns the defaults.
func DefaultBeam() Beam { return Beam{Width: 48} }

// MaxWidth is the widest beam.
const MaxWidth = 1 << 16

// Validate checks the knobs. Errors begin with the key.
func (k Beam) Validate() error { return between("width", k.Width, 1, "MaxWidth", MaxWidth) }

// partial is a scheme of which the first layers are decided.
type partial struct {
	scheme Scheme
	worth  []Fitness // completed with each pool, best first
}

func runBeam(s *search) error {
	k := s.opt.Beam
	if k == (Beam{}) {
		k = DefaultBeam()
	}
	if err := k.Validate(); err != nil {
		return fmt.Errorf("beam: %w", err)
	}
	beam := []partial{{scheme: make(Scheme, s.p.layers)}}
	for l := range s.p.layers {
		next := make([]partial, 0, len(beam)*s.p.pools)
		for _, b := range beam {
			for t := range s.p.pools {
				sc := slices.Clone(b.scheme)
				sc[l] = uint8(t)
				next = append(next, partial{scheme: sc})
			}
		}
		if err := s.complete(next, l+1); err != nil {
			return err
		}
		slices.SortStableFunc(next, comparePartial)
		beam = next[:min(k.Width, len(next))]
	}
	return nil
}

// complete finds out what partial schemes of n layers are worth.
func (s *search) complete(next []partial, n int) error {
	pools := s.p.pools
	if n == s.p.layers {
		pools = 1
	}
	scs, out := s.schemes(len(next) * pools)
	for i, sc := range scs {
		copy(sc, next[i/pools].scheme[:n])
		for l := n; l < len(sc); l++ {
			sc[l] = uint8(i % pools)
		}
	}
	if err := s.evaluateOr(scs, out); err != nil {
		return err
	}
	for i := range next {
		next[i].worth = out[i*pools : (i+1)*pools]
		slices.SortStableFunc(next[i].worth, compareFitness)
	}
	return nil
}

// compareFitness puts the better one first.
func compareFitness(f, g Fitness) int { return cmp.Compare(g.Value, f.Value) }

func comparePartial(a, b partial) int { return slices.CompareFunc(a.worth, b.worth, compareFitness) }

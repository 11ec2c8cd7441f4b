package placement

import "slices"

// settled are the policies that draw nothing: their answer does not depend on the seed.
var settled = []string{"fixed", "all-cpu", "all-gpu", "heuristic", "greedy", "beam", "exhaustive", "exact"}

// Stochastic reports whether what the policy finds depends on the seed.
func (pol Policy) Stochastic() bool { return !slices.Contains(settled, pol.Name) }

package placement

import "math/rand/v2"

// move changes a scheme: the layers [from, to) go to pool; and those of a second
// range, which may be empty, to another. A move is made for one scheme.
type move struct {
	from, to   int
	pool       uint8
	from2, to2 int
	pool2      uint8
}

func (m *move) apply(sc Scheme) {
	for l := m.from; l < m.to; l++ {
		sc[l] = m.pool
	}
	for l := m.from2; l < m.to2; l++ {
		sc[l] = m.pool2
	}
}

// runs appends where the runs of a scheme begin, and its end.
func (sc Scheme) runs(at []int) []int {
	for l := range sc {
		if l == 0 || sc[l] != sc[l-1] {
			at = append(at, l)
		}
	}
	return append(at, len(sc))
}

// moves appends every move from a scheme to a neighbour, each neighbour once but
// for rare swaps: one layer to another pool; the first layers or the last layers
// of a run, or all of it, to another pool, which also shifts the boundary between
// two runs; the pools of two runs swapped.
func (p *Problem) moves(sc Scheme, ms []move) []move {
	at := sc.runs(nil)
	for i := range len(at) - 1 {
		a, b := at[i], at[i+1]
		for t := range p.pools {
			if t == int(sc[a]) {
				continue
			}
			to := uint8(t)
			for l := a; l < b; l++ {
				ms = append(ms, move{from: a, to: l + 1, pool: to}) // the first ones, or all
				if l > a {
					ms = append(ms, move{from: l, to: b, pool: to}) // the last ones
				}
				if l > a && l < b-1 {
					ms = append(ms, move{from: l, to: l + 1, pool: to})
				}
			}
		}
		for j := i + 1; j < len(at)-1; j++ {
			if sc[at[j]] != sc[a] {
				ms = append(ms, move{a, b, sc[at[j]], at[j], at[j+1], sc[a]})
			}
		}
	}
	return ms
}

// neighbourhood returns the moves of a scheme, in random order and no more than
// most; 0: all.
func (p *Problem) neighbourhood(sc Scheme, most int, r *rand.Rand, ms []move) []move {
	ms = p.moves(sc, ms[:0])
	r.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
	if most > 0 && len(ms) > most {
		ms = ms[:most]
	}
	return ms
}

// perturb makes one of four changes: a layer goes to another pool; the boundary
// of a stage moves (a layer joins its neighbour); a run of layers or a part of it
// goes to another pool; two runs swap their pools. The last three keep the number
// of stages small, which single layers cannot do without passing through worse
// schemes.
func (p *Problem) perturb(sc Scheme, r *rand.Rand) {
	if p.pools < 2 {
		return
	}
	l := r.IntN(len(sc))
	other := func() uint8 { return uint8((int(sc[l]) + 1 + r.IntN(p.pools-1)) % p.pools) }
	switch r.IntN(4) {
	case 0:
		sc[l] = other()
	case 1:
		at, to := boundary(sc, l)
		sc[at] = to
	case 2:
		a, b := sc.runAt(l)
		if r.IntN(2) == 0 { // a part
			if r.IntN(2) == 0 {
				a = l
			} else {
				b = l + 1
			}
		}
		m := move{from: a, to: b, pool: other()}
		m.apply(sc)
	default:
		a, b := sc.runAt(l)
		c, d := sc.runAt(r.IntN(len(sc)))
		m := move{a, b, sc[c], c, d, sc[a]}
		m.apply(sc)
	}
}

// runAt returns the run [a, b) that layer l is in.
func (sc Scheme) runAt(l int) (a, b int) {
	a, b = l, l+1
	for a > 0 && sc[a-1] == sc[l] {
		a--
	}
	for b < len(sc) && sc[b] == sc[l] {
		b++
	}
	return a, b
}

// boundary returns the first layer at or after l, going round, whose left
// neighbour is on another pool, and that pool; without any boundary, l itself.
// Now and then the layer left of it joins its right neighbour instead.
func boundary(sc Scheme, l int) (at int, to uint8) {
	for i := range sc {
		if k := (l + i) % len(sc); k > 0 && sc[k] != sc[k-1] {
			if i%2 == 0 {
				return k, sc[k-1]
			}
			return k - 1, sc[k]
		}
	}
	return l, sc[l]
}

// starts returns the schemes that a person would try first: every layer on one
// pool, the heuristic, greedy.
func (p *Problem) starts() []Scheme {
	var scs []Scheme
	for t := range p.pools {
		scs = append(scs, p.uniform(t))
	}
	return append(append(scs, p.heuristics()...), p.greedy())
}

// draw fills in a scheme of random runs. A run of random length on one pool is
// far likelier to be feasible than a scheme whose every layer is drawn alone,
// which has as many stages as layers.
func (p *Problem) draw(sc Scheme, r *rand.Rand) {
	change := r.Float64()
	for l := range sc {
		if sc[l] = uint8(r.IntN(p.pools)); l > 0 && r.Float64() > change {
			sc[l] = sc[l-1]
		}
	}
}

package placement

// promises are what a leg may say of the skip that begins in it: over which face of
// its pool the other end is. Those between which no leg can tell are one.
type promises struct {
	of      [][]int // [pool][face]
	closing [][]int // [promise][pool]: that pool's face towards the begin of a skip that ends there; -1: it must not
	passing [][]int // [promise][pool]: same, of a skip that does not end there; -1: not known
}

// newPromises numbers them. The skip of a pool may end on any pool that is over the
// promised face, so that only that pool itself, when it is not, tells the promise
// from that of another pool which is alike to all others: the two are one. Then
// routes may break it, at no less than it costs.
func newPromises(r *relaxation) promises {
	p := r.p
	var s promises
	s.of = make([][]int, p.pools)
	var any [][]bool // [promise][pool]: its own, so that others decide
	for w := range p.pools {
		for f := range r.faces[w] {
			closes, passes := make([]int, p.pools), make([]int, p.pools)
			for v := range p.pools {
				passes[v], closes[v] = r.face[v*p.pools+w], -1
				if r.face[w*p.pools+v] == f {
					closes[v] = passes[v]
				}
			}
			own := make([]bool, p.pools)
			own[w] = closes[w] < 0
			at := 0
			for at < len(s.closing) && !merges(s.closing[at], closes, any[at], own) {
				at++
			}
			if at == len(s.closing) {
				s.closing, s.passing, any = append(s.closing, closes), append(s.passing, passes), append(any, own)
			}
			for v := range p.pools {
				if s.passing[at][v] != passes[v] {
					s.passing[at][v] = -1
				}
				if any[at][v] && !own[v] {
					any[at][v], s.closing[at][v] = false, closes[v]
				}
			}
			s.of[w] = append(s.of[w], at)
		}
	}
	return s
}

// merges reports whether two promises agree on all pools but those that do not count.
func merges(a, b []int, anyA, anyB []bool) bool {
	for v := range a {
		if a[v] != b[v] && !anyA[v] && !anyB[v] {
			return false
		}
	}
	return true
}

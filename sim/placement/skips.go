package placement

import "math"

// skip is the edge that routes keep track of at a cut, beside those between the
// layers at it: what an edge that passes over a stage costs depends on the pools at
// both its ends.
type skip struct {
	from, to int

	// At the cuts behind each other first to last it is this one.
	first, last int
}

// loose reports whether the leg before the cut, when the skip begins before that, may
// not know of it.
func (s *skip) loose() bool { return s.first > s.from+1 || s.last < s.to }

// trackedSpans is up to how many spans with their variants routes keep track of skips:
// each takes a part of a microsecond, at each step time that is tried.
const trackedSpans = 1 << 23

// tracks reports whether something is left open that routes could keep track of.
func (r *relaxation) tracks() bool {
	p := r.p
	if r.lanes || r.computeOnly || p.added || p.byPool {
		return false
	}
	for t := range p.pools {
		if r.near[t]*(3+len(r.faces[t])) > math.MaxUint8 { // a label's variant
			return false
		}
	}
	for i := range p.edges {
		if e := &p.edges[i]; e.to > e.from+1 && e.bytes+e.seconds > 0 {
			return true
		}
	}
	return false
}

// track chooses the skip of every cut: the heaviest edge over it that goes on. Among
// equals it stays with the one of the cut before.
func (r *relaxation) track() []skip {
	p := r.p
	skips := make([]skip, p.layers+1)
	for b := 1; b < p.layers; b++ {
		skips[b] = skip{from: b - 1, to: b}
		most := 0.0
		for _, f := range r.live[b] {
			var all sent
			far := b
			for i := r.outAt[f]; i < r.outAt[f+1]; i++ {
				e := &p.edges[i]
				if next := f == b-1 && e.to == b; e.to >= b && !next && e.bytes+e.seconds > 0 {
					all.add(e, p.output[f])
					far = e.to
				}
			}
			weight := all.bytes + 1e9*all.seconds // an edge has one or the other
			if s := (skip{from: f, to: far}); weight > most || weight == most && s.is(&skips[b-1]) {
				most, skips[b] = weight, s
			}
		}
	}
	for b := p.layers - 1; b > 0; b-- {
		s, next := &skips[b], &skips[b+1]
		s.last = b
		if s.is(next) {
			s.last = next.last
		}
	}
	for b := 1; b < p.layers; b++ {
		s, before := &skips[b], &skips[b-1]
		s.first = b
		if s.is(before) {
			s.first = before.first
		}
	}
	return skips
}

func (s *skip) is(o *skip) bool { return s.from == o.from && s.to == o.to }

// tracked reports whether there is a skip at cut b.
func (r *relaxation) tracked(b int) bool {
	return r.skips != nil && r.skips[b].to-r.skips[b].from > 1
}

// variant is what a leg knows of one of its ends, where its neighbour is over a face.
//
// whole: all edges over the cut from the begin of the skip on (for the leg behind the
// cut: that are received from there), or up to its end (for the leg before it), are
// the neighbour's. Where there is no skip, no more than that is ever known.
//
// apart: the skip's other end is not the neighbour's, and is over a face.
//
// loose: the skip's other end is not the neighbour's, and not known.
//
// closing: before the leg behind, which ends the skip; it begins before this leg.
type variant struct{ kind, face, other int }

const (
	whole = iota
	apart
	loose
	closing
	variantKinds
)

// variants returns how many of them legs on a pool have at either end.
func (r *relaxation) variants(t int) int {
	if r.skips == nil {
		return r.near[t]
	}
	return r.near[t] * (3 + len(r.faces[t]))
}

// variant decodes the index of one.
func (r *relaxation) variant(t, v int) variant {
	n, m := r.near[t], len(r.faces[t])
	switch {
	case v < n:
		return variant{kind: whole, face: v}
	case v < n+n*m:
		return variant{apart, (v - n) / m, (v - n) % m}
	case v < 2*n+n*m:
		return variant{kind: loose, face: v - n - n*m}
	}
	return variant{kind: closing, face: v - 2*n - n*m}
}

// indexOf is the inverse of variant.
func (r *relaxation) indexOf(t int, v variant) int {
	n, m := r.near[t], len(r.faces[t])
	switch v.kind {
	case whole:
		return v.face
	case apart:
		return n + v.face*m + v.other
	case loose:
		return n + n*m + v.face
	}
	return 2*n + n*m + v.face
}

// Faces of outflows that are known once a leg's variant is.
const (
	near = -1 // towards the leg behind
	over = -2 // towards the end of the skip
)

// skipFlows is outflows for legs whose variant at the cut is whole, closing or apart.
func (r *relaxation) skipFlows(pool, b, kind int) []outflow {
	p, end := r.p, r.skips[b].to
	var flows []outflow
	for _, f := range r.live[b] {
		var all, next, far sent
		known := make([]sent, len(r.faces[pool]))
		for i := r.outAt[f]; i < r.outAt[f+1]; i++ {
			e := &p.edges[i]
			if e.to < b {
				continue
			}
			all.add(e, p.output[f])
			if kind == whole && e.to <= end || e.to == b {
				next.add(e, p.output[f])
			} else if kind == apart && e.to == end {
				far.add(e, p.output[f])
			} else if k := r.knownFace(pool, e.to); k >= 0 {
				known[k].add(e, p.output[f])
			}
		}
		gradient := p.edges[r.outAt[f]].gradient
		add := func(face int, v sent) {
			if v != (sent{}) {
				flows = append(flows, outflow{f, face, v, gradient})
			}
		}
		add(near, sent{bytes: next.bytes})
		add(over, sent{bytes: far.bytes})
		sum := next.bytes + far.bytes
		for k, v := range known { // their stages may be those
			rest := max(0, min(v.bytes, p.output[f]-sum))
			add(k, sent{bytes: rest})
			sum += rest
		}
		add(0, sent{seconds: max(all.seconds, next.seconds+far.seconds)})
	}
	return flows
}

// list finds the variants that the span can have as it is, and what then crosses its
// ends.
func (e *variety) list(s *span) {
	r, a, b := s.r, s.first, s.end
	e.before, e.behind, e.comes, e.goes = e.before[:0], e.behind[:0], e.comes[:0], e.goes[:0]
	for v := range r.variants(s.pool) {
		d := r.variant(s.pool, v)
		if r.startsAs(a, b, d.kind) {
			var c crossed
			s.comes(&c, d)
			e.before, e.comes = append(e.before, v), append(e.comes, c)
		}
		if r.endsAs(a, b, d.kind) {
			var c crossed
			s.goes(&c, d, s.crossing(d.kind))
			e.behind, e.goes = append(e.behind, v), append(e.goes, c)
		}
	}
}

// most returns no less of anything than what crosses the ends of a span by any of its
// variants.
func (s *span) most() (most crossed) {
	open := s.nearIn
	open.join(s.skipIn)
	open.join(s.midIn)
	for f, in := range s.in { // all of it over each face
		k := &s.r.faces[s.pool][f]
		in.join(open)
		most.in[k.class] += in.bytes * k.get
		most.out[k.class] += in.gradient * k.get
	}
	most.join(&s.r.mostOut[s.pool*(s.r.p.layers+1)+s.end])
	return most
}

// mostOver returns no less of anything than what goes over cut b from a pool, wherever
// the span begins.
func (r *relaxation) mostOver(pool, b int) (most crossed) {
	s := span{r: r, pool: pool, end: b} // of all layers before
	for v := range r.variants(pool) {
		var c crossed
		d := r.variant(pool, v)
		s.goes(&c, d, s.crossing(d.kind))
		for k := range c.out {
			most.out[k], most.in[k] = max(most.out[k], c.out[k]), max(most.in[k], c.in[k])
		}
		most.measured = max(most.measured, c.measured)
	}
	return most
}

// startsAs reports whether a leg of layers [a, b) can have a variant of this kind before it.
func (r *relaxation) startsAs(a, b, kind int) bool {
	k := &r.skips[a]
	switch {
	case !r.tracked(a):
		return kind == whole
	case kind == loose:
		return k.loose() || b <= k.last // a leg that is passed over may have another's promise
	}
	return kind != closing
}

// endsAs reports whether a leg of layers [a, b) can have a variant of this kind behind it.
func (r *relaxation) endsAs(a, b, kind int) bool {
	k := &r.skips[b]
	switch {
	case !r.tracked(b):
		return kind == whole
	case k.from < a:
		return kind == loose || kind == closing
	case k.to == b:
		return kind == whole
	}
	return kind == whole || kind == apart
}

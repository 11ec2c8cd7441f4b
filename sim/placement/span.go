package placement

// traffic is what crosses a border of a span over one face, in bytes per
// micro-batch: activations, and the gradients that go the other way.
type traffic struct{ bytes, gradient float64 }

func (t *traffic) add(bytes float64, gradient bool) {
	t.bytes += bytes
	if gradient {
		t.gradient += bytes
	}
}

func (t *traffic) join(o traffic) {
	t.bytes += o.bytes
	t.gradient += o.gradient
}

// span is a run of layers [first, end) on one pool that grows at its end.
type span struct {
	r          *relaxation
	pool       int
	first, end int
	st         stage     // with act for a window of 1, and without what goes out
	in         []traffic // over known faces
	nearIn     traffic   // from the layer before, face not known
	skipIn     traffic   // same, from the begin of the skip at the first layer, unless that is the layer before
	midIn      traffic   // same, from layers between those two
	got        []sent    // per layer before: what it sends to the span
	touched    []int     // the layers of got that are not zero
}

// begin makes the span empty.
func (s *span) begin(r *relaxation, pool, first int) {
	s.r, s.pool, s.first, s.end = r, pool, first, first
	s.nearIn, s.skipIn, s.midIn = traffic{}, traffic{}, traffic{}
	s.st = stage{common: common{pool: pool, first: first}}
	s.in = zeroed(s.in, len(r.faces[pool]))
	if len(s.got) < r.p.layers {
		s.got = make([]sent, r.p.layers)
	}
	for _, f := range s.touched {
		s.got[f] = sent{}
	}
	s.touched = s.touched[:0]
}

// grow adds the next layer. It is false when the pool does not take it.
func (s *span) grow() bool {
	p, l := s.r.p, s.end
	if s.r.domain[l]&(1<<s.pool) == 0 {
		return false
	}
	act := s.st.act
	s.st.last = l
	s.r.join(&s.st, l)
	if p.Inference {
		s.st.act = max(act, p.work[s.pool*p.layers+l].act)
	}
	s.end++
	if !s.r.computeOnly {
		for _, i := range s.r.inEdges[l] {
			s.receive(&p.edges[i])
		}
	}
	return true
}

// receive accounts for what comes in over an edge, unless it starts in the span.
func (s *span) receive(e *edgeCost) {
	p, r, f := s.r.p, s.r, e.from
	if f >= s.first {
		return
	}
	was := s.got[f]
	if was == (sent{}) {
		s.touched = append(s.touched, f)
	}
	s.got[f].add(e, p.output[f])
	now := s.got[f]
	if p.added {
		r.pay(&s.st.crossed, s.pool, sent{now.bytes - was.bytes, now.seconds - was.seconds}, e.gradient)
		return
	}
	if r.lanes {
		if f == s.first-1 {
			s.nearIn.add(now.bytes-was.bytes, e.gradient)
		}
		return
	}
	s.st.measured += stepSeconds(p, now.seconds-was.seconds, e.gradient)
	if k := r.knownFace(s.pool, f); k >= 0 {
		s.in[k].add(now.bytes-was.bytes, e.gradient)
	} else if f == s.first-1 {
		s.nearIn.add(now.bytes-was.bytes, e.gradient)
	} else if r.skips != nil && f == r.skips[s.first].from {
		s.skipIn.add(now.bytes-was.bytes, e.gradient)
	} else if r.skips != nil && f > r.skips[s.first].from {
		s.midIn.add(now.bytes-was.bytes, e.gradient)
	}
}

// stepSeconds is what a measured transfer takes of a step.
func stepSeconds(p *Problem, seconds float64, gradient bool) float64 {
	d := float64(p.Microbatches) * seconds
	if gradient {
		d *= 2
	}
	return d
}

// pay charges what goes between a stage and host memory, as Evaluator.pay does.
func (r *relaxation) pay(c *crossed, pool int, v sent, gradient bool) {
	step := r.p.hostStep[pool]
	if step == 0 {
		return
	}
	c.measured += stepSeconds(r.p, v.seconds, gradient)
	times := 1.0
	if gradient {
		times = 2
	}
	c.out[hostClass] += times * v.bytes * step
}

// settle makes st the stage that the span is with these variants at its ends.
func (s *span) settle(st *stage, before, behind variant, window float64) {
	s.alone(st, window)
	flows := s.crossing(behind.kind)
	if s.r.lanes {
		s.busiest(st, before.face, behind.face, flows)
		return
	}
	s.comes(&st.crossed, before)
	s.goes(&st.crossed, behind, flows)
	st.settle()
}

// alone makes st the span without what comes in or goes out over faces.
func (s *span) alone(st *stage, window float64) {
	*st = s.st
	if !s.r.p.Inference {
		st.act *= window
	}
}

// comes adds what the edges that lead to the span take.
func (s *span) comes(c *crossed, before variant) {
	for f, in := range s.in {
		if f == before.face {
			in.join(s.nearIn)
		}
		if f == before.face && before.kind == whole {
			in.join(s.skipIn)
			in.join(s.midIn)
		}
		if f == before.other && before.kind == apart {
			in.join(s.skipIn)
		}
		k := &s.r.faces[s.pool][f]
		c.in[k.class] += in.bytes * k.get
		c.out[k.class] += in.gradient * k.get
	}
}

// goes adds what the edges that lead from the span take.
func (s *span) goes(c *crossed, behind variant, flows []outflow) {
	p := s.r.p
	for i := range flows {
		o := &flows[i]
		if o.from < s.first {
			break
		}
		if p.added {
			s.r.pay(c, s.pool, o.sent, o.gradient)
			continue
		}
		c.measured += stepSeconds(p, o.sent.seconds, o.gradient)
		f := o.face
		if f == near {
			f = behind.face
		} else if f == over {
			f = behind.other
		}
		k := &s.r.faces[s.pool][f]
		c.out[k.class] += o.sent.bytes * k.send
		if o.gradient {
			c.in[k.class] += o.sent.bytes * k.send
		}
	}
}

// busiest counts the channels to the neighbours of a span, each by itself.
func (s *span) busiest(st *stage, before, behind int, flows []outflow) {
	var out traffic
	for i := range flows {
		if o := &flows[i]; o.from < s.first {
			break
		} else {
			out.add(o.sent.bytes, o.gradient)
		}
	}
	k := &s.r.faces[s.pool][before]
	st.in[k.class] = max(s.nearIn.bytes, s.nearIn.gradient) * k.get
	k = &s.r.faces[s.pool][behind]
	st.out[k.class] = max(out.bytes, out.gradient) * k.send
	st.settle()
}

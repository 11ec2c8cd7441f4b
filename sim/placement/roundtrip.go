package placement

// roundTrip is the least seconds of a step by how long micro-batches are on their way. A
// schedule lets so many of them be behind a stage's forward pass and not through its
// backward pass; each is there for as long as the stages from there on compute, and as
// the routes between them take in both directions. So
//
//	step >= micro-batches x way there and back / window
//
// (Little, "A Proof for the Queuing Formula L = λW", Operations Research 9, 1961), for
// every stage. It holds where each stage sends to the next one, and only to that; else it
// is 0. The devices are those in ev.best, where ev.routed has them.
func (ev *Evaluator) roundTrip() float64 {
	p, r, n := ev.p, ev.routed, len(ev.stages)
	if p.Inference || n != ev.segments || !ev.chained() {
		return 0
	}
	seconds, trip, m := 0.0, 0.0, float64(p.Microbatches)
	next := len(r.crossings) - 1
	for i := n - 1; i >= 0; i-- {
		st := &ev.stages[i]
		trip += (st.serial + st.parallel*p.share(st.pool, ev.best[i]).device) / m
		for ; next >= 0 && r.crossings[next].from == i; next-- {
			c := &r.crossings[next]
			there, back := r.move(c.from, c.to), r.move(c.to, c.from)
			trip += there.cost.Latency + c.bytes*r.perByte(there)
			if c.gradient {
				trip += back.cost.Latency + c.bytes*r.perByte(back)
			}
		}
		seconds = max(seconds, m*trip/p.window(i, n))
	}
	return seconds
}

// chained reports whether each stage sends to the next one, and only to that, once.
func (ev *Evaluator) chained() bool {
	c := ev.routed.crossings
	if len(c) != len(ev.stages)-1 {
		return false
	}
	for i := range c {
		if c[i].from != i || c[i].to != i+1 {
			return false
		}
	}
	return true
}

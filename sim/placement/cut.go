package placement

// cut charges every layer's output to the ports at both its ends, once for each
// other stage that reads it: activations forward, gradients backward. Segments of
// one stage hand data over in place.
func (ev *Evaluator) cut() {
	p := ev.p
	if p.added {
		ev.cutAdded()
		return
	}
	if ev.routed != nil {
		ev.routed.crossings = ev.routed.crossings[:0]
	}
	edges, stageOf := p.edges, ev.stageOf
	for i := 0; i < len(edges); i++ {
		e := &edges[i]
		if e.fan > 1 && p.byPool {
			ev.cutFan(edges[i : i+int(e.fan)])
			i += int(e.fan) - 1
			continue
		}
		from, to := stageOf[e.from], stageOf[e.to]
		if from == to {
			continue
		}
		if e.fan == 1 && e.seconds == 0 {
			ev.chargeBytes(from, to, e.bytes, e.gradient)
			continue
		}
		v := sent{e.bytes, e.seconds}
		for e.fan > 1 && stageOf[edges[i+1].to] == to { // stages are runs of layers: those of one follow each other
			i++
			e = &edges[i]
			v.add(e, p.output[e.from])
		}
		ev.charge(e, v)
	}
}

// cutFan charges the edges of one layer.
func (ev *Evaluator) cutFan(fan []edgeCost) {
	from, output := ev.stageOf[fan[0].from], ev.p.output[fan[0].from]
	crosses := false
	for i := range fan {
		if to := ev.stageOf[fan[i].to]; to != from {
			ev.sent[to].add(&fan[i], output)
			crosses = true
		}
	}
	if !crosses {
		return
	}
	for i := range fan {
		if to := ev.stageOf[fan[i].to]; ev.sent[to] != (sent{}) {
			ev.charge(&fan[i], ev.sent[to])
			ev.sent[to] = sent{}
		}
	}
}

// charge charges what the layer at the begin of edge e sends to the stage at its end.
func (ev *Evaluator) charge(e *edgeCost, v sent) {
	p := ev.p
	a, b := &ev.stages[ev.stageOf[e.from]], &ev.stages[ev.stageOf[e.to]]
	if v.seconds > 0 {
		d := float64(p.Microbatches) * v.seconds
		if e.gradient {
			d *= 2
		}
		a.measured += d
		b.measured += d
		if v.bytes == 0 {
			return
		}
	}
	ev.chargeBytes(ev.stageOf[e.from], ev.stageOf[e.to], v.bytes, e.gradient)
}

// chargeBytes charges what one stage sends to another, and its gradient.
func (ev *Evaluator) chargeBytes(from, to int, bytes float64, gradient bool) {
	if ev.routed != nil {
		ev.routed.crossings = append(ev.routed.crossings, crossing{from, to, bytes, gradient})
	}
	a, b := &ev.stages[from], &ev.stages[to]
	l := &ev.p.links[a.pool*ev.p.pools+b.pool]
	near, far := bytes*l.fromStep, bytes*l.toStep
	a.out[l.class] += near
	b.in[l.class] += far
	if gradient {
		b.out[l.class] += far
		a.in[l.class] += near
	}
}

// cutAdded charges cuts as Added says: a layer's output goes out of its stage to
// host memory once, and from there to each stage that reads it.
func (ev *Evaluator) cutAdded() {
	p := ev.p
	for i := 0; i < len(p.edges); {
		fan := p.edges[i : i+int(p.edges[i].fan)]
		i += len(fan)
		from, output := ev.stageOf[fan[0].from], p.output[fan[0].from]
		var out sent
		for j := range fan {
			if to := ev.stageOf[fan[j].to]; to != from {
				out.add(&fan[j], output)
				ev.sent[to].add(&fan[j], output)
			}
		}
		if out == (sent{}) {
			continue
		}
		ev.pay(from, out, fan[0].gradient)
		for j := range fan {
			to := ev.stageOf[fan[j].to]
			if v := ev.sent[to]; v != (sent{}) {
				ev.pay(to, v, fan[0].gradient)
				ev.sent[to] = sent{}
			}
		}
	}
}

// pay charges a stage on accelerators for one output on its way to or from host
// memory, and for its gradient. All of it goes over the devices' host links, one
// after the other.
func (ev *Evaluator) pay(i int, v sent, gradient bool) {
	st := &ev.stages[i]
	step := ev.p.hostStep[st.pool]
	if step == 0 { // a CPU
		return
	}
	times := 1.0
	if gradient {
		times = 2
	}
	st.measured += times * float64(ev.p.Microbatches) * v.seconds
	st.out[hostClass] += times * v.bytes * step
}

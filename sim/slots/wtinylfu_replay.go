package slots

// wTinyLFUReplay is the state of W-TinyLFU in replay, beside the sketch: its three
// lists as logs. 4 bytes per key and 22.5 per slot: 12.4 for each that a list can hold.
type wTinyLFUReplay struct {
	useLogs
	hashes [touchAhead]uint64 // of the next keys
	places [touchAhead]uint32 // see useLogs.touch
	blocks [touchAhead]uint64 // see touch
}

func (p *wTinyLFU) mark(known []uint64) { p.replayed.mark(known) }

func (p *wTinyLFU) replay(keys []uint32) (misses int) {
	r := &p.replayed
	if r.at == nil {
		n := p.t.cfg.occupiable()
		// While a key takes the place of another there is one more.
		r.make(p.t, min(n, p.windowSize)+1, n+1, min(n, p.protectedSize)+1)
	}
	for len(keys) > 0 {
		n := min(len(keys), touchAhead)
		r.room()
		p.touch(keys[:n])
		misses += p.uses(keys[:n])
		keys = keys[n:]
	}
	return misses
}

// touch hashes keys that are about to be looked up and reads what the sketch has on
// them: the processor fetches its memory, and their positions', at the same time.
func (p *wTinyLFU) touch(keys []uint32) {
	r := &p.replayed
	r.touch(keys, &r.places)
	for i, k := range keys {
		h := p.t.hashOf(k)
		r.hashes[i] = h
		r.blocks[i] = p.sketch.block(h).rows[0]
	}
}

// uses looks up keys that have been touched.
func (p *wTinyLFU) uses(keys []uint32) (misses int) {
	r := &p.replayed
	window, probation, protected := &r.logs[inWindow], &r.logs[onProbation], &r.logs[isProtected]
	for i, k := range keys {
		p.sketch.add(r.hashes[i])
		at := r.at[k]
		if at == 0 {
			misses++
			p.miss(k)
			continue
		}
		r.forget(at)
		switch {
		case int(at) > protected.start:
			r.push(protected, k)
		case int(at) <= window.stop:
			r.push(window, k)
		default:
			r.push(protected, k)
			if protected.len < p.protectedSize {
				probation.len--
				protected.len++
			} else {
				r.push(probation, r.take(protected))
			}
		}
	}
	return misses
}

// miss is makeRoom and enter by keys.
func (p *wTinyLFU) miss(k uint32) {
	r := &p.replayed
	window, main := &r.logs[inWindow], &r.logs[onProbation]
	r.push(window, k)
	if p.t.used < p.t.cfg.Slots {
		p.t.used++
		if window.len < p.windowSize {
			window.len++
			return
		}
		r.push(main, r.take(window))
		main.len++
		return
	}
	candidate := r.take(window)
	if main.len == 0 {
		main = &r.logs[isProtected]
	}
	if main.len > 0 {
		rival := r.keys[r.oldest(main)]
		if p.betterKey(candidate, rival) {
			r.at[r.take(main)] = 0
			main.len--
			r.push(&r.logs[onProbation], candidate)
			r.logs[onProbation].len++
			return
		}
	}
	r.at[candidate] = 0
}

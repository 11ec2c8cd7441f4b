package placement

// routed is one scheme on the routes of the cluster's network: where its stages are, and
// what a step puts on every link. It holds scratch memory and belongs to one goroutine.
type routed struct {
	w       *wiring
	seats   []Seat
	servers Seat
	next    []int // devices given out, per pool
	parts   []load
	loads   []float64 // bytes of a step, by link
	touched []int32   // the links of loads that are not 0
	taken   []float64 // B/s that other jobs put on each link; nil: there are none
	known   map[flowKey]*flow

	crossings []crossing // between stages, for the closed form
}

// load is a flow and the bytes of it in a step.
type load struct {
	*flow
	bytes float64
}

// crossing is what a stage sends to another for a micro-batch, and gets back.
type crossing struct {
	from, to int
	bytes    float64
	gradient bool
}

// newRouted returns nil where fitness does not see the network.
func (p *Problem) newRouted() *routed {
	if p.routes == nil {
		return nil
	}
	return newRouted(p.routes())
}

func newRouted(w *wiring) *routed {
	return &routed{w: w, next: make([]int, w.p.pools), loads: make([]float64, len(w.capacity)), known: map[flowKey]*flow{}}
}

// begin takes all stages off, with the first devices of each pool taken by others.
func (r *routed) begin(taken []int) {
	clear(r.next)
	copy(r.next, taken)
	r.seats, r.parts = r.seats[:0], r.parts[:0]
	for _, l := range r.touched {
		r.loads[l] = 0
	}
	r.touched, r.servers, r.taken = r.touched[:0], Seat{}, nil
}

// seat gives the next stage its devices.
func (r *routed) seat(pool, devices int) {
	r.seats = append(r.seats, take(r.next, pool, devices))
}

// settle gives the parameter servers theirs, and says what other jobs then leave.
func (r *routed) settle(servers int) {
	if p := r.w.p; servers > 0 && p.servers >= 0 {
		r.servers = take(r.next, p.servers, servers)
	}
	r.taken = r.w.beside(r.next)
}

// move is what a byte from one stage to another does.
func (r *routed) move(from, to int) *flow {
	return r.flow(flowKey{from: r.seats[from], to: r.seats[to]})
}

// sync is what a byte of each device's gradients of a stage does.
func (r *routed) sync(stage int) *flow {
	return r.flow(flowKey{from: r.seats[stage], to: r.servers, sync: true})
}

func (r *routed) flow(key flowKey) *flow {
	f := r.known[key]
	if f == nil {
		if f = r.w.flow(key); len(r.known) >= maxFlows {
			clear(r.known)
		}
		r.known[key] = f
	}
	return f
}

// carry adds bytes of a flow to what a step puts on the links, and returns the seconds
// for them where nothing else of this job is on the links.
func (r *routed) carry(f *flow, bytes, times float64) float64 {
	if bytes > 0 {
		r.parts = append(r.parts, load{f, bytes * times})
	}
	return f.cost.Latency + bytes*r.perByte(f)
}

// perByte is the seconds that a byte of a flow takes with what other jobs leave.
func (r *routed) perByte(f *flow) float64 {
	if r.taken == nil {
		return f.cost.PerByte
	}
	idle, shared := 0.0, 0.0
	for _, l := range f.loads {
		idle = max(idle, l.bytes/r.w.capacity[l.link])
		shared = max(shared, l.bytes/r.left(l.link))
	}
	return f.cost.PerByte + shared - idle
}

// count sums up what every link carries.
func (r *routed) count() {
	for _, part := range r.parts {
		for _, l := range part.loads {
			if r.loads[l.link] == 0 {
				r.touched = append(r.touched, l.link)
			}
			r.loads[l.link] += part.bytes * l.bytes
		}
	}
	r.parts = r.parts[:0]
}

// bound is the least seconds that a step takes: those of the link that has most to carry
// for what it can.
func (r *routed) bound() float64 {
	r.count()
	most := 0.0
	for _, l := range r.touched {
		most = max(most, r.loads[l]/r.left(l))
	}
	return most
}

// left is what other jobs leave of a link, in B/s: half of it at least, since links are
// shared max-min fairly.
func (r *routed) left(link int32) float64 {
	c := r.w.capacity[link]
	if r.taken == nil {
		return c
	}
	return max(c-r.taken[link], c/2)
}

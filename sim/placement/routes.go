package placement

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// route is a solution of a relaxation for one step time: a scheme whose stages
// have the fewest devices for it.
type route struct {
	sc    Scheme
	price float64 // USD/h
	time  float64 // seconds per step, by the relaxation

	servers int // parameter servers that it needs, 0 where they are not counted
}

// oracle finds the cheapest route with step times of at most t that costs less
// than cap USD/h; any: the first that it comes by. errNone: there is none;
// errLabels: it is not known whether there is.
type oracle interface {
	cheapest(t, cap float64, any bool) (*route, error)
}

// leg is a span of layers on one pool.
type leg struct {
	pool, first, end int
	in, out          int // variants
	devices          int
}

// MaxLabels bounds the partial routes that `exact` keeps at once.
const MaxLabels = 1 << 22

// MaxExactPools is the most pools that `exact` keeps count of.
const MaxExactPools = 4*words - 1

const words = 4 // of a label's counts

var (
	errNone   = errors.New("no route")
	errLabels = budgetError(fmt.Sprintf("MaxLabels = %d partial routes", MaxLabels))
)

// router finds the cheapest route for a step time: a shortest path in a graph
// whose nodes are (cut, pool behind it, face towards the pool before it, what is
// known of the skip at the cut), under one resource for every pool, its devices.
//
// Relaxing the pools' counts with prices on devices (Lagrange multipliers, moved
// by subgradients as in Held and Karp, 1971) gives bounds; what they leave is
// settled by label setting with dominance (Desrochers and Soumis, 1988), from
// the last layer to the first, where a label must stay within every bound.
type router struct {
	*states
	r        *relaxation
	needs    *needs
	ctx      context.Context
	stopped  func() error // why the search must end
	effort   *effort
	all      bool    // bounds are for all routes, not for cheaper ones than the best known
	width    int     // most labels of a node; 0: any
	most     int     // labels in all
	cap      float64 // bind left routes below this price
	counting bool    // what a leg needs depends on how many follow
	prices   []float64
	counts   []float64
	multi    []float64 // multipliers of the best bound, kept from call to call
	top      float64   // price of all devices

	bounds [2]bound
	ends   []float64 // [exit*(layers+1) + cut]: cheapest prefix whose last leg ends there
	from   []int32   // its last leg's first layer and the node it began at: layer*nodes + node

	tables *tables // nil: they cannot be
	labels []label
	lists  [][]int32 // [cut*nodes + node]
	memory []memorySums
	used   int // words of counts

	// Of n parameter servers, n >= nodeful (bytes / (rate t) - 1) + 1. So a device that
	// pushes w bytes of weights takes share w servers at least, and all of them 1 -
	// nodeful beside that.
	served  bool // they count: in the closed form
	share   float64
	nodeful float64
	limits  [words]uint64
}

// bound is a lower bound on priced devices: value[cut*nodes+node] for prefixes
// that end at a node.
type bound struct {
	price []float64 // per device of each pool
	limit float64   // no route that counts is above
	value []float64
}

func newRouter(ctx context.Context, r *relaxation, stopped func() error) *router {
	p := r.p
	o := &router{r: r, states: newStates(r), needs: newNeeds(r), ctx: ctx, stopped: stopped, effort: &effort{stopped: stopped}, most: MaxLabels, multi: make([]float64, p.pools), counts: make([]float64, p.pools)}
	o.prices = p.price
	for t := range p.pools {
		count := min(p.count[t], MaxExactDevices)
		o.counts[t] = float64(count)
		o.top += o.counts[t] * p.price[t]
		o.limits[t/4] |= uint64(count) << (16 * (t % 4))
	}
	o.counting = !p.Inference && r.windowAfter(0) != r.windowAfter(1)
	o.limits[p.pools/4] |= uint64(MaxExactDevices) << (16 * (p.pools % 4))
	o.used = p.pools/4 + 1
	for i := range o.bounds {
		o.bounds[i] = bound{price: make([]float64, p.pools), value: make([]float64, (p.layers+1)*o.nodes)}
	}
	o.ends, o.from = make([]float64, o.exits*(p.layers+1)), make([]int32, o.exits*(p.layers+1))
	o.lists = make([][]int32, (p.layers+1)*o.nodes)
	o.served = p.servers >= 0 && !r.lanes
	o.tables = newTables(o)
	r.prepare()
	o.sumMemory()
	return o
}

// cheapest is oracle's. Where routes keep track of skips, labels are many: it looks for
// a route among few of them first, and what costs more need not be kept then.
func (o *router) cheapest(t, cap float64, any bool) (*route, error) {
	best, done, err := o.bind(t, cap, any)
	if err != nil || done {
		return best, err
	}
	if o.r.skips != nil {
		if best, err = o.beam(best); err != nil || best != nil && any {
			return best, err
		}
	}
	found, err := o.search()
	if errors.Is(err, errNone) && best != nil {
		return best, nil
	}
	return found, err
}

// bind computes the needs for a step time and the bounds for them.
func (o *router) bind(t, cap float64, any bool) (best *route, done bool, err error) {
	if o.needs.time != t {
		if err := o.needs.fill(o.ctx, t); err != nil {
			return nil, false, err
		}
	}
	if p := o.r.p; o.served {
		o.nodeful = float64(p.perNode[p.servers])
		o.share = o.nodeful * p.push / (p.serverRate() * t)
	}
	return o.lagrange(min(cap, o.top*(1+slack)+math.SmallestNonzeroFloat64), any)
}

// lagrange raises the bound and looks at the routes that it comes by. It is done
// when the best of them is proven cheapest.
func (o *router) lagrange(cap float64, any bool) (best *route, done bool, err error) {
	p := o.r.p
	multi := append([]float64(nil), o.multi...)
	low, step, stuck := math.Inf(-1), 1.0, 0
	b := &o.bounds[0]
	for round := range lagrangeRounds {
		for t := range multi {
			o.bounds[1].price[t] = o.prices[t] + multi[t]
		}
		total := o.pass(&o.bounds[1])
		if math.IsInf(total, 1) {
			return nil, true, errNone
		}
		legs := o.trace()
		value, use := total+o.standing(&o.bounds[1]), make([]float64, p.pools)
		for t := range multi {
			value -= multi[t] * o.counts[t]
		}
		rt := o.finish(legs)
		for _, g := range legs {
			use[g.pool] += float64(g.devices)
		}
		if rt != nil && rt.servers > 0 {
			use[p.servers] += float64(rt.servers)
		}
		if rt != nil && rt.price < cap && o.fits(use) && !o.all {
			best, cap = rt, rt.price
			if any {
				return best, true, nil
			}
		}
		if value > low {
			low, stuck = value, 0
			o.bounds[0], o.bounds[1] = o.bounds[1], o.bounds[0]
			copy(o.multi, multi)
		} else if stuck++; stuck == 2 {
			step, stuck = step/2, 0
		}
		if low >= cap*(1-1e-12) {
			if best == nil {
				return nil, true, errNone
			}
			return best, true, nil
		}
		norm := 0.0
		for t := range use {
			d := (use[t] - o.counts[t]) / o.counts[t]
			if d > 0 || multi[t] > 0 {
				norm += d * d
			}
		}
		if norm == 0 || round == lagrangeRounds-1 || step < 1e-3 {
			break
		}
		for t := range multi {
			d := (use[t] - o.counts[t]) / o.counts[t]
			multi[t] = max(0, multi[t]+step*(cap-value)/norm*d/o.counts[t])
		}
	}
	o.cap = cap
	b.limit = cap - o.standing(b)
	for t := range multi {
		b.limit += o.multi[t] * o.counts[t]
	}
	// A second bound weighs all pools alike, whatever they cost.
	even := &o.bounds[1]
	even.limit = 0
	for t := range even.price {
		even.price[t] = 1 / o.counts[t]
		even.limit++
	}
	even.limit -= o.standing(even)
	if total := o.pass(even); total > even.limit*(1+1e-9) {
		return nil, true, errNone
	}
	return best, false, o.stopped()
}

// lagrangeRounds is how often lagrange moves its multipliers.
const lagrangeRounds = 24

// fits reports whether the pools have so many devices.
func (o *router) fits(use []float64) bool {
	for t := range use {
		if use[t] > o.counts[t] {
			return false
		}
	}
	return true
}

// pass fills a bound for its prices, without counting devices, and returns its
// value for all layers.
func (o *router) pass(b *bound) float64 {
	p, n := o.r.p, o.needs
	wide := p.layers + 1
	for i := range o.ends {
		o.ends[i] = math.Inf(1)
	}
	for a := range p.layers {
		o.arrive(b, a)
		for u := range p.pools {
			for i := range o.nodesOf(u, a) {
				at := int32(a*o.nodes + o.node[u] + i)
				base := b.value[at]
				if math.IsInf(base, 1) {
					continue
				}
				for _, m := range o.hopsFrom(a, o.node[u]+i) {
					hi := min(m.hi, n.reach[u*p.layers+a])
					if hi < m.lo {
						continue
					}
					ends := o.ends[m.exit*wide+m.lo : m.exit*wide+hi+1]
					from := o.from[m.exit*wide+m.lo:][:len(ends)]
					row := n.row(u, m.in, m.out, a)[m.lo-a-1:][:len(ends)]
					each := b.price[u]
					if o.served {
						o.relax(ends, from, row, b, u, a, m.lo, base, at)
						continue
					}
					for i, k := range row {
						if k == 0 {
							continue
						}
						if v := base + each*float64(k); v < ends[i] {
							ends[i], from[i] = v, at
						}
					}
				}
			}
		}
	}
	least := math.Inf(1)
	for e := range o.exits {
		least = min(least, o.ends[e*wide+p.layers])
	}
	return least
}

// relax offers the legs from layer a on pool u that end at cut lo or later, with the
// servers that they take.
func (o *router) relax(ends []float64, from []int32, row []uint16, b *bound, u, a, lo int, base float64, at int32) {
	for i, k := range row {
		if k == 0 {
			continue
		}
		if v := base + o.priced(b, u, a, lo+i, float64(k)); v < ends[i] {
			ends[i], from[i] = v, at
		}
	}
}

// priced returns what k devices for layers [first, end) cost by a bound's prices,
// with the servers that they take.
func (o *router) priced(b *bound, pool, first, end int, k float64) float64 {
	v := b.price[pool] * k
	if o.served {
		w := o.memory[pool].weights
		v += b.price[o.r.p.servers] * o.share * k * (w[end] - w[first])
	}
	return v
}

// standing returns what servers cost beside the shares of devices.
func (o *router) standing(b *bound) float64 {
	if !o.served {
		return 0
	}
	return b.price[o.r.p.servers] * (1 - o.nodeful)
}

// arrive works out the values of the nodes at a cut from the legs that end there.
func (o *router) arrive(b *bound, a int) {
	p, wide := o.r.p, o.r.p.layers+1
	value := b.value[a*o.nodes : (a+1)*o.nodes]
	for i := range value {
		value[i] = math.Inf(1)
	}
	for t := range p.pools {
		if a == 0 {
			clear(value[o.node[t] : o.node[t]+o.nodesOf(t, 0)])
			continue
		}
		for e := o.exit[t]; e < o.exit[t]+o.exitsAt(t, a); e++ {
			v := o.ends[e*wide+a]
			if math.IsInf(v, 1) {
				continue
			}
			for _, i := range o.leads(a, e) {
				value[i] = min(value[i], v)
			}
		}
	}
}

// trace returns the legs of the last pass's best route.
func (o *router) trace() []leg {
	p, wide := o.r.p, o.r.p.layers+1
	end, node := p.layers, -1
	var legs []leg
	for end > 0 {
		pool, exit, least := -1, -1, math.Inf(1)
		for u := range p.pools {
			for i := range o.exitsAt(u, end) {
				e := o.exit[u] + i
				if v := o.ends[e*wide+end]; v < least && (node < 0 || slices.Contains(o.leads(end, e), int32(node))) {
					pool, exit, least = u, e, v
				}
			}
		}
		at := int(o.from[exit*wide+end])
		g := o.leg(pool, at/o.nodes, end, at%o.nodes, exit)
		legs = append(legs, g)
		end, node = g.first, at%o.nodes
	}
	slices.Reverse(legs)
	return legs
}

// leg returns the leg of layers [a, end) from a node to an exit.
func (o *router) leg(pool, a, end, node, exit int) leg {
	for _, m := range o.hopsFrom(a, node) {
		if m.exit != exit || end < m.lo || end > m.hi {
			continue
		}
		if k := o.needs.row(pool, m.in, m.out, a)[end-a-1]; k > 0 {
			return leg{pool, a, end, m.in, m.out, int(k)}
		}
	}
	panic("placement: a route has a leg that no move makes")
}

// finish prices and times legs, with the memory that their place in the pipeline
// asks for. It returns nil when a leg does not fit; devices may rise.
func (o *router) finish(legs []leg) *route {
	p, r := o.r.p, o.r
	rt := &route{sc: make(Scheme, p.layers)}
	bytes := 0.0
	var s span
	for i := range legs {
		g := &legs[i]
		s.begin(r, g.pool, g.first)
		for s.end < g.end {
			s.grow()
		}
		r.ev.stages = r.ev.stages[:1]
		st := &r.ev.stages[0]
		s.settle(st, r.variant(g.pool, g.in), r.variant(g.pool, g.out), r.windowAfter(len(legs)-1-i))
		if k := r.ev.memoryFloor(0); k == 0 || k > p.count[g.pool] {
			return nil
		} else if k > g.devices {
			g.devices = k
		}
		rt.time = max(rt.time, r.ev.stepTime(0, g.devices))
		rt.price += float64(g.devices) * p.price[g.pool]
		bytes += float64(g.devices) * st.weights * p.push
		for l := g.first; l < g.end; l++ {
			rt.sc[l] = uint8(g.pool)
		}
	}
	if o.served {
		rt.servers = p.serversFor(bytes, o.needs.time)
		rt.price += float64(rt.servers) * p.price[p.servers]
		rt.time = max(rt.time, p.serverTime(bytes, rt.servers))
	}
	return rt
}

package placement

import (
	"errors"
	"math"
	"slices"
)

// label is a partial route: its legs from some layer to the last one. Counts has
// 16 bits for the devices of every pool, and after them for the legs if a leg's
// needs depend on them: then more legs are worse.
type label struct {
	counts [words]uint64
	sums   [2]float64 // of its counts at the prices of each bound
	bytes  float64    // that its devices push and pull, where servers count
	next   int32      // the label behind it, -1 for none
	leg    labelLeg
}

type labelLeg struct {
	first, end    int32
	pool, in, out uint8
	devices       uint16
}

// memorySums are prefix sums over the layers of a pool of what memory floors need.
type memorySums struct{ weights, act, table, backing, sharded []float64 }

func (o *router) sumMemory() {
	p := o.r.p
	o.memory = make([]memorySums, p.pools)
	for t := range o.memory {
		m := &o.memory[t]
		m.weights, m.act = make([]float64, p.layers+1), make([]float64, p.layers+1)
		m.table, m.backing, m.sharded = make([]float64, p.layers+1), make([]float64, p.layers+1), make([]float64, p.layers+1)
		for l := range p.layers {
			w, c := &p.work[t*p.layers+l], &p.costs[t*p.layers+l]
			m.weights[l+1] = m.weights[l] + w.weights
			m.act[l+1] = m.act[l] + w.act
			m.table[l+1] = m.table[l] + c.table
			m.backing[l+1] = m.backing[l] + c.backing
			m.sharded[l+1] = m.sharded[l] + c.sharded
		}
	}
}

// windowed returns the devices that a span needs when so many legs follow it: k,
// or more for the activations that it then holds; 0 when none suffice.
func (o *router) windowed(pool, a, b, k, following int) int {
	p, m := o.r.p, &o.memory[pool]
	if following == 0 {
		return k
	}
	st := stage{
		common: common{
			pool: pool, weights: m.weights[b] - m.weights[a], table: m.table[b] - m.table[a],
			act: (m.act[b] - m.act[a]) * o.r.windowAfter(following) * (1 - 1e-12),
		},
		rare: rare{backing: m.backing[b] - m.backing[a], sharded: m.sharded[b] - m.sharded[a]},
	}
	if p.divides {
		for l := a; l < b; l++ {
			c := &p.costs[pool*p.layers+l]
			st.gathered, st.scratch = max(st.gathered, c.gathered), max(st.scratch, c.scratch)
		}
	}
	if p.need(&st, k) <= p.memory[pool] {
		return k
	}
	ev := o.r.ev
	ev.stages = ev.stages[:1]
	ev.stages[0] = st
	floor := ev.memoryFloor(0)
	if floor == 0 || floor > p.count[pool] {
		return 0
	}
	return max(k, floor)
}

// search returns the cheapest route within the bounds: by labels, and by tables where
// they turn out to be less work.
func (o *router) search() (*route, error) {
	end := 0
	if o.tables != nil {
		end = o.effort.done + 1 + o.tables.work()/countsPerComparison
	}
	rt, err := o.label(end)
	if !errors.Is(err, errTables) {
		return rt, err
	}
	if !o.effort.spend(o.tables.work() / countsPerComparison) {
		return nil, o.effort.over
	}
	if rt, err = o.tables.search(); errors.Is(err, errCounting) {
		return o.label(0)
	}
	return rt, err
}

// countsPerComparison is how many counts of tables are compared in the time of two labels.
var countsPerComparison = 4 // tests raise it, so that all is done by tables

// errTables: labels have taken as much work as tables would.
var errTables = errors.New("too many labels")

// label sets labels from the last layer to the first and returns the cheapest complete
// route. It gives up after so many comparisons of a search; 0: never.
func (o *router) label(end int) (*route, error) {
	p := o.r.p
	o.labels = o.labels[:0]
	for i := range o.lists {
		o.lists[i] = o.lists[i][:0]
	}
	for a := p.layers - 1; a >= 0; a-- {
		if err := o.stopped(); err != nil {
			return nil, err
		}
		for u := range p.pools {
			for i := range o.nodesOf(u, a) {
				if math.IsInf(o.bounds[0].value[a*o.nodes+o.node[u]+i], 1) {
					continue
				}
				if err := o.settle(a, u, i); err != nil {
					return nil, err
				}
				if o.effort.over != nil {
					return nil, o.effort.over
				}
				if end > 0 && o.effort.done > end {
					return nil, errTables
				}
			}
		}
	}
	best, least := int32(-1), 0.0
	for u := range o.nodes {
		for _, i := range o.lists[u] {
			if price := o.priceOf(i); best < 0 || price < least {
				best, least = i, price
			}
		}
	}
	if best < 0 {
		return nil, errNone
	}
	var legs []leg
	for i := best; i >= 0; i = o.labels[i].next {
		g := &o.labels[i].leg
		legs = append(legs, leg{int(g.pool), int(g.first), int(g.end), int(g.in), int(g.out), int(g.devices)})
	}
	if rt := o.finish(legs); rt != nil {
		return rt, nil
	}
	return nil, errNone
}

// priceOf returns the USD/h of a label's devices and servers.
func (o *router) priceOf(first int32) float64 {
	sum := 0.0
	for i := first; i >= 0; i = o.labels[i].next {
		sum += float64(o.labels[i].leg.devices) * o.prices[o.labels[i].leg.pool]
	}
	if bytes := o.labels[first].bytes; o.served {
		sum += float64(o.r.p.serversFor(bytes, o.needs.time)) * o.prices[o.r.p.servers]
	}
	return sum
}

// legs calls visit with every leg from a node of pool u at cut a, shorter ones first: its
// end, its hop and its devices, until visit returns false. Of those that end with the last
// layer one is enough, as nothing is behind them.
func (o *router) legs(a, u, node int, visit func(b int, m *hop, k int) bool) {
	n, layers := o.needs, o.r.p.layers
	hops := o.hopsFrom(a, node)
	for b := a + 1; b <= n.reach[u*layers+a]; b++ {
		for i := range hops {
			m := &hops[i]
			if b < m.lo || b > m.hi {
				continue
			}
			k := int(n.row(u, m.in, m.out, a)[b-a-1])
			if k == 0 {
				continue
			}
			if !visit(b, m, k) {
				return
			}
			if b == layers {
				break
			}
		}
	}
}

// settle makes the labels of the i-th node of a pool at a cut: every leg from it,
// before every label at its end.
func (o *router) settle(a, u, i int) error {
	node := a*o.nodes + o.node[u] + i
	o.legs(a, u, o.node[u]+i, func(b int, m *hop, k int) bool {
		leg := labelLeg{int32(a), int32(b), uint8(u), uint8(m.in), uint8(m.out), uint16(k)}
		if b == o.r.p.layers {
			o.offer(node, &label{next: -1}, leg)
		} else {
			for _, v := range o.leads(b, m.exit) {
				o.extend(node, o.lists[b*o.nodes+int(v)], leg)
			}
		}
		return len(o.labels) <= o.most
	})
	if len(o.labels) > o.most {
		return errLabels
	}
	return nil
}

// extend offers a leg before every label of a list, which is sorted by the first
// bound's sums: beyond the bound nothing more is within.
func (o *router) extend(node int, list []int32, leg labelLeg) {
	p := o.r.p
	u, b := int(leg.pool), &o.bounds[0]
	room := b.limit*(1+1e-11) - b.value[node] - o.priced(b, u, int(leg.first), int(leg.end), float64(leg.devices))
	if len(list) == 0 || o.labels[list[0]].sums[0] > room {
		return
	}
	roomy := !o.counting || o.windowed(u, int(leg.first), int(leg.end), int(leg.devices), p.layers) == int(leg.devices)
	for _, i := range list {
		l := &o.labels[i]
		if l.sums[0] > room {
			return
		}
		with := leg
		if !roomy {
			k := o.windowed(u, int(leg.first), int(leg.end), int(leg.devices), int(l.counts[p.pools/4]>>(16*(p.pools%4))&MaxExactDevices))
			if k == 0 {
				continue
			}
			with.devices = uint16(k)
		}
		o.offer(node, &label{counts: l.counts, sums: l.sums, bytes: l.bytes, next: i}, with)
	}
}

// offer adds a leg to a label and keeps it at a node unless a pool is overdrawn,
// a bound is passed or another label is as good.
func (o *router) offer(node int, l *label, leg labelLeg) {
	p, u := o.r.p, int(leg.pool)
	l.leg = leg
	l.counts[u/4] += uint64(leg.devices) << (16 * (u % 4))
	if o.counting {
		l.counts[p.pools/4] += 1 << (16 * (p.pools % 4))
	}
	for i := range o.bounds {
		b := &o.bounds[i]
		l.sums[i] += o.priced(b, u, int(leg.first), int(leg.end), float64(leg.devices))
		if l.sums[i]+b.value[node] > b.limit*(1+1e-11) {
			return
		}
	}
	if !o.within(&l.counts, &o.limits) || o.served && !o.serve(l) {
		return
	}
	list := o.lists[node]
	if !o.effort.spend(len(list)) {
		return
	}
	at := len(list)
	for at > 0 && o.labels[list[at-1]].sums[0] > l.sums[0] {
		at--
	}
	slackened := l.sums[0] * (1 + 1e-12)
	for _, i := range list {
		other := &o.labels[i]
		if other.sums[0] > slackened {
			break
		}
		if o.within(&other.counts, &l.counts) && other.bytes <= l.bytes {
			return
		}
	}
	if o.width > 0 && at >= o.width {
		return
	}
	kept := list[:at]
	for _, i := range list[at:] {
		if o.width > 0 && len(kept) >= o.width-1 {
			break
		}
		if !o.within(&l.counts, &o.labels[i].counts) || l.bytes > o.labels[i].bytes {
			kept = append(kept, i)
		}
	}
	o.labels = append(o.labels, *l)
	o.lists[node] = slices.Insert(kept, at, int32(len(o.labels)-1))
}

// serve adds the bytes of a label's first leg and reports whether the pool of the
// servers has enough for all.
func (o *router) serve(l *label) bool {
	p, g := o.r.p, &l.leg
	w := o.memory[g.pool].weights
	l.bytes += float64(g.devices) * (w[g.end] - w[g.first]) * p.push
	t := p.servers
	return int(l.counts[t/4]>>(16*(t%4))&MaxExactDevices)+p.serversFor(l.bytes*(1-1e-12), o.needs.time) <= p.count[t]
}

// within reports whether every count of a is at most that of b: no lane of
// b - a borrows from its guard bit.
func (o *router) within(a, b *[words]uint64) bool {
	const guard = 0x8000_8000_8000_8000
	for w := range o.used {
		if ((b[w]|guard)-a[w])&guard != guard {
			return false
		}
	}
	return true
}

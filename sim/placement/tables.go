package placement

import (
	"errors"
	"math"
)

// tables find the cheapest route where labels are too many. Few devices in few pools
// have few different counts: with 8 devices in each of 4 pools, 9 x 9 x 9 of three pools
// stand for all labels of a node, each with the fewest devices of the fourth. A leg
// shifts such a table, and the best of two is their minimum, element by element: the
// work is known beforehand, however many routes are as good as each other.
type tables struct {
	o      *router
	stride []int // per pool, of its devices in a table; 0: of pool value, whose devices are the values
	value  int
	states int
	none   uint16 // a value that no pool has
	// after[cut*exits + exit] is the table of what may come after a leg with such an
	// exit that ends at the cut; nil: nothing.
	after [][]uint16
	here  [][]uint16 // per node at one cut
}

// MaxTableCounts bounds the counts that tables keep of all cuts together, of 2 bytes each.
const MaxTableCounts = 1 << 27

// errCounting: what legs need depends on how many follow, which tables do not know.
var errCounting = errors.New("legs must be counted")

// newTables lays tables out for a router, or returns nil where they would be too large or
// do not say all: parameter servers depend on bytes.
func newTables(o *router) *tables {
	p := o.r.p
	t := &tables{o: o, stride: make([]int, p.pools), states: 1}
	for u := range p.pools {
		if o.counts[u] > o.counts[t.value] {
			t.value = u
		}
	}
	most := MaxTableCounts / (max(o.nodes, o.exits) * (p.layers + 1))
	for u := range p.pools {
		if u == t.value {
			continue
		}
		t.stride[u] = t.states
		if n := int(o.counts[u]) + 1; t.states > most/n {
			return nil
		} else {
			t.states *= n
		}
	}
	if o.served || t.states > most {
		return nil
	}
	t.none = uint16(o.counts[t.value]) + 1
	return t
}

// work is how many counts search compares for the router's needs, at most.
func (t *tables) work() int {
	o := t.o
	p, legs := o.r.p, 0
	for u := range p.pools {
		for a := range p.layers {
			for i := range o.nodesOf(u, a) {
				for _, m := range o.hopsFrom(a, o.node[u]+i) {
					legs += max(0, min(m.hi, o.needs.reach[u*p.layers+a])-m.lo+1)
				}
			}
		}
	}
	return legs * t.states
}

// search returns the cheapest route, errNone, or errCounting.
func (t *tables) search() (*route, error) {
	o := t.o
	if t.after == nil {
		t.after, t.here = make([][]uint16, o.exits*(o.r.p.layers+1)), make([][]uint16, o.nodes)
		for i := range t.here {
			t.here[i] = make([]uint16, t.states)
		}
	}
	for a := o.r.p.layers - 1; a >= 0; a-- {
		if err := o.stopped(); err != nil {
			return nil, err
		}
		for u := range o.r.p.pools {
			for i := range o.nodesOf(u, a) {
				if err := t.fill(a, u, i); err != nil {
					return nil, err
				}
			}
		}
		t.lead(a)
	}
	return t.best()
}

// fill makes the table of the i-th node of a pool: every leg from it, before what may
// come after.
func (t *tables) fill(a, u, i int) (err error) {
	o := t.o
	node := o.node[u] + i
	here := t.here[node]
	for i := range here {
		here[i] = t.none
	}
	if math.IsInf(o.bounds[0].value[a*o.nodes+node], 1) {
		return nil
	}
	o.legs(a, u, node, func(b int, m *hop, k int) bool {
		if o.counting && o.windowed(u, a, b, k, o.r.p.layers) != k {
			err = errCounting
			return false
		}
		if b == o.r.p.layers {
			at, v := t.only(u, k)
			here[at] = min(here[at], v)
		} else if after := t.after[b*o.exits+m.exit]; after != nil {
			t.shift(here, after, u, k)
		}
		return true
	})
	return err
}

// only returns the place and the value of k devices of one pool.
func (t *tables) only(u, k int) (at int, value uint16) {
	if u == t.value {
		return 0, uint16(k)
	}
	return k * t.stride[u], 0
}

// shift lowers dst to src with k more devices of a pool.
func (t *tables) shift(dst, src []uint16, u, k int) {
	if u == t.value {
		for i, v := range src {
			dst[i] = min(dst[i], v+uint16(k))
		}
		return
	}
	by, block := k*t.stride[u], (int(t.o.counts[u])+1)*t.stride[u]
	for at := 0; at < t.states; at += block {
		to := dst[at+by : at+block]
		for i, v := range src[at : at+block-by] {
			to[i] = min(to[i], v)
		}
	}
}

// lead makes the tables of what may come after the legs that end at a cut.
func (t *tables) lead(a int) {
	o := t.o
	for u := range o.r.p.pools {
		for e := o.exit[u]; e < o.exit[u]+o.exitsAt(u, a); e++ {
			at := a*o.exits + e
			after := t.after[at]
			if after == nil {
				after = make([]uint16, t.states)
			}
			for i := range after {
				after[i] = t.none
			}
			for _, v := range o.leads(a, e) {
				for i, w := range t.here[v] {
					after[i] = min(after[i], w)
				}
			}
			t.after[at] = after
		}
	}
}

// best returns the cheapest of all routes from the first cut.
func (t *tables) best() (*route, error) {
	node, state, least := -1, 0, math.Inf(1)
	for u := range t.o.r.p.pools {
		for i := t.o.node[u]; i < t.o.node[u]+t.o.nodesOf(u, 0); i++ {
			for s, v := range t.here[i] {
				if v == t.none {
					continue
				}
				if price := t.price(s, v); price < least {
					node, state, least = i, s, price
				}
			}
		}
	}
	if node < 0 {
		return nil, errNone
	}
	if rt := t.o.finish(t.trace(node, state)); rt != nil {
		return rt, nil
	}
	return nil, errNone
}

// devices returns how many devices of a pool the counts at a place stand for.
func (t *tables) devices(u, state int, value uint16) int {
	if u == t.value {
		return int(value)
	}
	return state / t.stride[u] % (int(t.o.counts[u]) + 1)
}

// price returns the USD/h of counts, +Inf where the best bound rules them out.
func (t *tables) price(state int, value uint16) float64 {
	b := &t.o.bounds[0]
	price, sum := 0.0, 0.0
	for u, each := range t.o.prices {
		k := float64(t.devices(u, state, value))
		price += k * each
		sum += k * b.price[u]
	}
	if sum > b.limit*(1+1e-11) {
		return math.Inf(1)
	}
	return price
}

// trace returns the legs of a route from a node at the first cut that has these counts.
func (t *tables) trace(node, state int) []leg {
	value, nodes := t.here[node][state], []int32{int32(node)}
	var legs []leg
	for a := 0; a < t.o.r.p.layers; {
		g, exit, ok := t.from(a, nodes, state, value)
		if !ok {
			panic("placement: a table's counts are no route's")
		}
		at, v := t.only(g.pool, g.devices)
		state, value = state-at, value-v
		legs = append(legs, g)
		a, nodes = g.end, t.o.leads(g.end, exit)
	}
	return legs
}

// from returns a leg from one of the nodes at a cut, and its exit, that leaves counts
// which what comes after has.
func (t *tables) from(a int, nodes []int32, state int, value uint16) (g leg, exit int, ok bool) {
	o := t.o
	for _, node := range nodes {
		u := o.poolOf(int(node))
		o.legs(a, u, int(node), func(b int, m *hop, k int) bool {
			if ok = k <= t.devices(u, state, value) && t.leaves(b, m.exit, u, k, state, value); ok {
				g, exit = leg{u, a, b, m.in, m.out, k}, m.exit
			}
			return !ok
		})
		if ok {
			break
		}
	}
	return g, exit, ok
}

// leaves reports whether these counts without k devices of a pool are those of what
// comes after a leg on it, of nothing at the last cut.
func (t *tables) leaves(cut, exit, u, k, state int, value uint16) bool {
	at, v := t.only(u, k)
	state, value = state-at, value-v
	if cut == t.o.r.p.layers {
		return state == 0 && value == 0
	}
	after := t.after[cut*t.o.exits+exit]
	return after != nil && after[state] == value
}

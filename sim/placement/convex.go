package placement

import (
	"context"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// MaxIdeals and MaxConvexStages bound what `exact` keeps for convex stages: sets
// of layers closed under their inputs, and stages between two of them by kind of
// pool.
const (
	MaxIdeals       = 1 << 15
	MaxConvexStages = 1 << 19
)

// layerSet is a set of layers.
type layerSet []uint64

func (s layerSet) has(l int) bool { return s[l/64]&(1<<(l%64)) != 0 }

// ideals are the sets of layers that contain every layer that one of theirs reads
// from, the smallest first: what has passed the first stages of an order is one.
// Tarnawski et al. (NeurIPS 2020, section 5.1) find contiguous splits of graphs as
// paths through them.
type ideals struct {
	p     *Problem
	sets  []layerSet
	next  [][]int32 // ideals with one more layer
	pairs [][]int32 // per ideal: all that contain it
	live  [][]int32 // per ideal: its layers that others read from
}

// MaxConvexCodes bounds the ways in which pools can be in use at a cut.
const MaxConvexCodes = 1 << 12

// newIdeals lists a model's ideals. It errs beyond the limits for these kinds of
// pools.
func newIdeals(p *Problem, kinds [][]int) (*ideals, error) {
	id, codes := &ideals{p: p}, 1
	for _, k := range kinds {
		if codes *= len(k) + 1; codes > MaxConvexCodes {
			return nil, fmt.Errorf("exact would keep more than MaxConvexCodes = %d sets of pools in use at a cut: use another policy, or merge = %q", MaxConvexCodes, Contiguous)
		}
	}
	before := make([]layerSet, p.layers)
	width := (p.layers + 63) / 64
	for l := range before {
		before[l] = make(layerSet, width)
	}
	for i := range p.edges {
		before[p.edges[i].to][p.edges[i].from/64] |= 1 << (p.edges[i].from % 64)
	}
	index := map[string]int32{}
	id.add(make(layerSet, width), index)
	for i := 0; i < len(id.sets); i++ { // sets grow by one layer: sizes never fall
		for l := range p.layers {
			if id.sets[i].has(l) || !within(before[l], id.sets[i]) {
				continue
			}
			s := slices.Clone(id.sets[i])
			s[l/64] |= 1 << (l % 64)
			id.next[i] = append(id.next[i], id.add(s, index))
		}
		if len(id.sets) > MaxIdeals {
			return nil, fmt.Errorf("exact would keep more than MaxIdeals = %d sets of layers that can be behind a cut: use another policy, or merge = %q", MaxIdeals, Contiguous)
		}
	}
	id.live = make([][]int32, len(id.sets))
	for i := range p.edges {
		e := &p.edges[i]
		for n, s := range id.sets {
			if live := id.live[n]; s.has(e.from) && !s.has(e.to) && (len(live) == 0 || live[len(live)-1] != int32(e.from)) {
				id.live[n] = append(live, int32(e.from))
			}
		}
	}
	return id, id.pair(len(kinds))
}

func within(a, b layerSet) bool {
	for i := range a {
		if a[i]&^b[i] != 0 {
			return false
		}
	}
	return true
}

func (id *ideals) add(s layerSet, index map[string]int32) int32 {
	key := make([]byte, 0, 8*len(s))
	for _, w := range s {
		for b := range 8 {
			key = append(key, byte(w>>(8*b)))
		}
	}
	if i, ok := index[string(key)]; ok {
		return i
	}
	i := int32(len(id.sets))
	index[string(key)] = i
	id.sets, id.next = append(id.sets, s), append(id.next, nil)
	return i
}

// pair lists for every ideal those that contain it, in order.
func (id *ideals) pair(kinds int) error {
	id.pairs = make([][]int32, len(id.sets))
	count := 0
	seen := make([]int32, len(id.sets))
	for i := range id.sets {
		todo := []int32{int32(i)}
		for len(todo) > 0 {
			at := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			for _, j := range id.next[at] {
				if seen[j] != int32(i)+1 {
					seen[j] = int32(i) + 1
					todo = append(todo, j)
					id.pairs[i] = append(id.pairs[i], j)
				}
			}
		}
		slices.Sort(id.pairs[i])
		if count += len(id.pairs[i]) * kinds; count > MaxConvexStages {
			return fmt.Errorf("exact would keep more than MaxConvexStages = %d stages between two cuts: use another policy, or merge = %q", MaxConvexStages, Contiguous)
		}
	}
	return nil
}

// convexRouter finds the cheapest scheme with convex stages for a step time: a
// shortest path over (ideal, pools in use). Pools that no scheme can tell apart
// are one kind, of which a path only counts how many it uses.
type convexRouter struct {
	r       *relaxation
	id      *ideals
	kinds   [][]int // pools
	radix   []int   // per kind: the step of its count in a code
	codes   int
	stopped func() error

	stages  [][]stage  // per ideal: [pair*kinds + kind]
	fewest  [][]uint16 // same, for the present time; 0: none
	price   []float64  // [ideal*codes + code]
	from    []int32    // the ideal before
	through []uint8    // the kind of the stage between
}

func newConvexRouter(ctx context.Context, r *relaxation, id *ideals, stopped func() error) *convexRouter {
	o := &convexRouter{r: r, id: id, kinds: r.kinds(), codes: 1, stopped: stopped}
	for _, k := range o.kinds {
		o.radix = append(o.radix, o.codes)
		o.codes *= len(k) + 1
	}
	o.stages, o.fewest = make([][]stage, len(id.sets)), make([][]uint16, len(id.sets))
	for i := range id.sets {
		o.stages[i] = make([]stage, len(id.pairs[i])*len(o.kinds))
		o.fewest[i] = make([]uint16, len(o.stages[i]))
		for n, j := range id.pairs[i] {
			for k, pools := range o.kinds {
				o.stages[i][n*len(o.kinds)+k] = r.between(pools[0], id, i, int(j))
			}
		}
		if ctx.Err() != nil {
			break // cheapest says so
		}
	}
	o.price, o.from = make([]float64, len(id.sets)*o.codes), make([]int32, len(id.sets)*o.codes)
	o.through = make([]uint8, len(id.sets)*o.codes)
	return o
}

// kinds groups pools that are alike: in what layers cost on them, in price,
// number, memory and domain, and that reach all others in one way.
func (r *relaxation) kinds() [][]int {
	p := r.p
	var kinds [][]int
	for t := range p.pools {
		at := slices.IndexFunc(kinds, func(k []int) bool { return p.routes == nil && r.near[t] == 1 && r.alike(k[0], t) })
		if at >= 0 {
			kinds[at] = append(kinds[at], t)
		} else {
			kinds = append(kinds, []int{t})
		}
	}
	return kinds
}

func (r *relaxation) alike(t, u int) bool {
	p := r.p
	if r.near[t] != 1 || r.faces[t][0] != r.faces[u][0] || p.memory[t] != p.memory[u] || p.price[t] != p.price[u] ||
		p.count[t] != p.count[u] || p.perNode[t] != p.perNode[u] || p.host[t] != p.host[u] || p.hostLink[t] != p.hostLink[u] ||
		p.hostLatency[t] != p.hostLatency[u] || p.dram[t] != p.dram[u] || p.unit(t) != p.unit(u) || p.members[t] != nil || p.members[u] != nil || len(p.slotted) > 0 || p.servers == t || p.servers == u {
		return false
	}
	for l := range p.layers {
		if p.work[t*p.layers+l] != p.work[u*p.layers+l] || p.costs[t*p.layers+l] != p.costs[u*p.layers+l] || r.domain[l]>>t&1 != r.domain[l]>>u&1 {
			return false
		}
	}
	return true
}

// between returns the stage of the layers that are in one ideal and not in the
// one before it. Where the pool of another layer makes a difference it counts for
// nothing, and all that layers behind it read goes to one stage. Its pool is -1
// when the pool does not take all layers.
func (r *relaxation) between(pool int, id *ideals, i, j int) stage {
	p := r.p
	before, after := id.sets[i], id.sets[j]
	st, most := stage{common: common{pool: pool}}, 0.0
	for w := range after {
		for left := after[w] &^ before[w]; left != 0; left &= left - 1 {
			l := 64*w + bits.TrailingZeros64(left)
			if r.domain[l]&(1<<pool) == 0 {
				return stage{common: common{pool: -1}}
			}
			r.join(&st, l)
			most = max(most, p.work[pool*p.layers+l].act)
		}
	}
	if p.Inference {
		st.act = most
	} else {
		st.act *= r.window
	}
	if !r.computeOnly {
		member := func(l int) bool { return after.has(l) && !before.has(l) }
		for _, f := range id.live[i] {
			r.pass(&st, int(f), false, member)
		}
		for _, f := range id.live[j] {
			if !before.has(int(f)) {
				r.pass(&st, int(f), true, member)
			}
		}
	}
	st.settle()
	return st
}

// join adds the work of a layer to a stage.
func (r *relaxation) join(st *stage, l int) {
	p := r.p
	w := &p.work[st.pool*p.layers+l]
	st.serial += w.serial
	st.parallel += w.parallel
	st.weights += w.weights
	st.act += w.act
	st.table += w.table
	if w.slotted {
		st.addRows(&p.costs[st.pool*p.layers+l], float64(p.Microbatches))
		st.limit(p.costs[st.pool*p.layers+l].most, l)
	}
	if p.divides {
		st.divide(&p.costs[st.pool*p.layers+l])
	}
}

// pass charges a stage for what layer f, in it or not, sends to layers on the
// other side of its border.
func (r *relaxation) pass(st *stage, f int, inside bool, member func(int) bool) {
	p := r.p
	var all sent
	r.known = zeroed(r.known, len(r.faces[st.pool]))
	known := r.known
	for i := r.outAt[f]; i < r.outAt[f+1]; i++ {
		e := &p.edges[i]
		if member(e.to) == inside {
			continue
		}
		all.add(e, p.output[f])
		other := f
		if inside {
			other = e.to
		}
		if k := r.knownFace(st.pool, other); k >= 0 {
			known[k].add(e, p.output[f])
		}
	}
	gradient := p.edges[r.outAt[f]].gradient
	if p.added {
		r.pay(&st.crossed, st.pool, all, gradient)
		return
	}
	st.measured += stepSeconds(p, all.seconds, gradient)
	for k, v := range known {
		at := &r.faces[st.pool][k]
		forward, backward := &st.out[at.class], &st.in[at.class]
		rate := at.send
		if !inside {
			forward, backward, rate = backward, forward, at.get
		}
		*forward += v.bytes * rate
		if gradient {
			*backward += v.bytes * rate
		}
	}
}

// leastWindow returns the fewest micro-batches that a segment can hold.
func (r *relaxation) leastWindow() float64 {
	p := r.p
	least := math.Inf(1)
	for n := 1; n <= min(p.layers, tabulated); n++ {
		for g := range n {
			least = min(least, p.window(g, n))
		}
	}
	return least
}

// cheapest returns the cheapest route with step times of at most t that costs
// less than cap USD/h; errNone: there is none.
func (o *convexRouter) cheapest(t, cap float64, _ bool) (*route, error) {
	p, kinds := o.r.p, len(o.kinds)
	for i := range o.stages {
		if err := o.stopped(); err != nil {
			return nil, err
		}
		for n := range o.stages[i] {
			o.fewest[i][n] = 0
			if st := &o.stages[i][n]; st.pool >= 0 {
				o.fewest[i][n] = uint16(min(o.r.fewest(st, t, 1), MaxExactDevices))
			}
		}
	}
	for i := range o.price {
		o.price[i] = math.Inf(1)
	}
	o.price[0] = 0
	for i := range o.id.sets {
		for code := range o.codes {
			base := o.price[i*o.codes+code]
			if !(base < cap) {
				continue
			}
			for k, pools := range o.kinds {
				if code/o.radix[k]%(len(pools)+1) == len(pools) {
					continue
				}
				each, to := p.price[pools[0]], code+o.radix[k]
				for n, j := range o.id.pairs[i] {
					devices := o.fewest[i][n*kinds+k]
					if devices == 0 {
						continue
					}
					if at := int(j)*o.codes + to; base+each*float64(devices) < o.price[at] {
						o.price[at], o.from[at], o.through[at] = base+each*float64(devices), int32(i), uint8(k)
					}
				}
			}
		}
	}
	last, best := (len(o.id.sets)-1)*o.codes, -1
	for code := range o.codes {
		if v := o.price[last+code]; v < cap && (best < 0 || v < o.price[last+best]) {
			best = code
		}
	}
	if best < 0 {
		return nil, errNone
	}
	return o.route(best), nil
}

// route follows the path to all layers with pools in use by code.
func (o *convexRouter) route(code int) *route {
	p, ev := o.r.p, o.r.ev
	rt := &route{sc: make(Scheme, p.layers), price: o.price[(len(o.id.sets)-1)*o.codes+code]}
	for j := len(o.id.sets) - 1; j > 0; {
		at := j*o.codes + code
		i, k := int(o.from[at]), int(o.through[at])
		pool := o.kinds[k][code/o.radix[k]%(len(o.kinds[k])+1)-1]
		for l := range p.layers {
			if o.id.sets[j].has(l) && !o.id.sets[i].has(l) {
				rt.sc[l] = uint8(pool)
			}
		}
		n, _ := slices.BinarySearch(o.id.pairs[i], int32(j))
		ev.stages = ev.stages[:1]
		ev.stages[0] = o.stages[i][n*len(o.kinds)+k]
		rt.time = max(rt.time, ev.stepTime(0, int(o.fewest[i][n*len(o.kinds)+k])))
		j, code = i, code-o.radix[k]
	}
	return rt
}

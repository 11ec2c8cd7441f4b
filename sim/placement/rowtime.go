package placement

import "stowage/hw"

// rowWork is what a warm round asks of the hardware for embedding rows behind slot
// tables, on one device: k share it.
type rowWork struct {
	plan             float64   // seconds of one device's index
	fill, back, dump hostRows  // into slots, out of them, and out of them after the round
	past, state      hostRows  // in each direction, past the slots: bypassed rows; optimizer state on the hosts
	reads, writes    storeRows // in the tier below host memory
	dumps            storeRows // written there after the round
}

// hostRows is rows that host memory gathers and the host links carry: seconds of one
// socket, and bytes.
type hostRows struct{ host, bytes float64 }

// storeRows is rows and their bytes.
type storeRows struct{ n, bytes float64 }

func newRowWork(lk *LayerLookups, pool *hw.Pool, row, full, state float64) rowWork {
	moved := func(rows, staged float64) hostRows {
		return hostRows{pool.Host.Gather.Seconds(rows+staged, (rows+staged)*row), rows * row}
	}
	w := rowWork{
		plan: lk.Unique / float64(pool.Device.Gather.Rows),
		fill: moved(lk.Misses, lk.StagedUp), back: moved(lk.WriteBacks, lk.StagedDown), dump: moved(lk.Dumped, lk.StagedDump),
		past:  moved(lk.Bypasses, 0),
		reads: storeRows{lk.StoreReads, lk.StoreReads * full}, writes: storeRows{lk.StoreWrites, lk.StoreWrites * full},
		dumps: storeRows{lk.StoreDumps, lk.StoreDumps * full},
	}
	if state > 0 { // of each unique row
		w.state = hostRows{pool.Host.Gather.Seconds(lk.Unique, lk.Unique*state), lk.Unique * state}
	}
	return w
}

func (w *rowWork) add(o *rowWork) {
	w.plan += o.plan
	w.fill.add(o.fill)
	w.back.add(o.back)
	w.dump.add(o.dump)
	w.past.add(o.past)
	w.state.add(o.state)
	w.reads.add(o.reads)
	w.writes.add(o.writes)
	w.dumps.add(o.dumps)
}

func (r *hostRows) add(o hostRows) {
	r.host += o.host
	r.bytes += o.bytes
}

func (r *storeRows) add(o storeRows) {
	r.n += o.n
	r.bytes += o.bytes
}

// sound reports whether every part can be an amount.
func (w *rowWork) sound() bool {
	ok := amount(w.plan)
	for _, r := range [...]hostRows{w.fill, w.back, w.dump, w.past, w.state} {
		ok = ok && amount(r.host) && amount(r.bytes)
	}
	for _, r := range [...]storeRows{w.reads, w.writes, w.dumps} {
		ok = ok && amount(r.n) && amount(r.bytes)
	}
	return ok
}

// hosts are the hosts and their links of k devices of a pool, and what is below.
type hosts struct {
	p       *Problem
	pool    int
	nodes   float64
	sockets float64
	rate    float64 // B/s of all links; 0: they take no time
	latency float64
}

func (p *Problem) hosts(pool, k int) hosts {
	nodes := float64(p.ports(pool, k))
	return hosts{p, pool, nodes, nodes * p.host[pool], float64(k) * p.hostLink[pool], p.hostLatency[pool]}
}

// gather is how long the hosts are busy with rows.
func (h *hosts) gather(r hostRows) float64 { return r.host / h.sockets }

// link is how long the links are.
func (h *hosts) link(r hostRows) float64 {
	if h.rate == 0 {
		return 0
	}
	return r.bytes / h.rate
}

// move is how long rows take: gathered while they cross the links, after the links'
// latency.
func (h *hosts) move(r hostRows) float64 {
	if r.bytes == 0 {
		return 0
	}
	return h.latency + max(h.gather(r), h.link(r))
}

// store is how long the tier below reads or writes rows.
func (h *hosts) store(r storeRows) float64 {
	if r.n == 0 || h.p.Store == nil {
		return 0
	}
	return h.p.Store(h.pool, r.n/h.nodes, r.bytes/h.nodes)
}

// fetchTimes are the seconds from the plan of a round until its rows are in their slots,
// and those of the phase that is busy the longest with each round: no two rounds are in
// it at once. Both are those of package rounds with nothing else on the links:
// the store reads, then host memory gathers what is missed, after what leaves; what
// leaves is written to the store once the store has read, and until it has been written
// the store does not read for the next round.
func (ev *Evaluator) fetchTimes(i, k int) (fetch, cycle float64) {
	w := &ev.stages[i].rows
	if w.plan == 0 {
		return 0, 0
	}
	h := ev.p.hosts(ev.stages[i].pool, k)
	plan, up, down := w.plan/float64(k), h.store(w.reads), h.store(w.writes)
	fetch = plan + up
	if w.fill.bytes > 0 {
		fetch = plan + h.latency + max(max(up, h.gather(w.back))+h.gather(w.fill), up+h.link(w.fill))
	}
	cycle = max(plan, h.move(w.fill), h.gather(w.fill)+h.gather(w.back), max(up, h.move(w.back))+down)
	return fetch, cycle
}

// pace returns the seconds from one round to the next, where computing takes compute.
// A round is planned when the one Lookahead+1 before is over: so many take as long as
// one takes from its plan to its end. Without a look-ahead, it is fetched and then
// computed.
func (p *Problem) pace(compute, fetch, cycle float64) float64 {
	return max(compute, (compute+fetch)/float64(p.Lookahead+1), cycle)
}

// pastTimes are the times that rows and state take past the slots, before computing
// and after it. Bypassed rows come while the devices read their own memory, which is
// part of computing and hides them (package rounds: T_cpu beside T_local); the
// result is what it does not hide. After computing they go back, optimizer state on the
// hosts is read and written, and a pass is written back; in inference nothing is.
func (ev *Evaluator) pastTimes(i, k int) (before, after float64) {
	w := &ev.stages[i].rows
	if w.plan == 0 {
		return 0, 0
	}
	h := ev.p.hosts(ev.stages[i].pool, k)
	past := h.move(w.past)
	before = max(0, past-ev.gatherTime(i, k))
	if ev.p.Inference {
		return before, 0
	}
	return before, past + 2*h.move(w.state) + h.move(w.dump) + h.store(w.dumps)
}

// gatherTime is the part of computing in which each of k devices reads the rows of a
// round in its own memory.
func (ev *Evaluator) gatherTime(i, k int) float64 {
	st := &ev.stages[i]
	return st.gatherSerial + st.gatherParallel*ev.p.share(st.pool, k).device
}

// gatherParts divides the gather of a micro-batch as Amdahl's law does its layer.
func (c *layerCost) gatherParts() (serial, parallel float64) {
	if c.gather == 0 {
		return 0, 0
	}
	part := c.serial / (c.serial + c.parallel)
	return c.gather * part, c.gather * (1 - part)
}

// besideTimes are the times of a round that its devices spend on rows before and after
// computing: extraction without what they read in their own memory,
//
//	max(T_cpu, T_remote + T_local) - T_local = max(T_cpu - T_local, T_remote)
//
// and the update.
func (ev *Evaluator) besideTimes(i, k int) (extract, update float64) {
	before, after := ev.pastTimes(i, k)
	pull, push := ev.exchangeTimes(i, k)
	return max(before, pull), push + after
}

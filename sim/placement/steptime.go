package placement

// stepTime returns the seconds that stage i needs for one step on k devices when
// nothing makes it wait: ET = max(CT, DT) of the published cost model (HeterPS,
// arXiv:2111.10635, cost model; recalled: CT(k) = OCT (1 - alpha + alpha/k), DT(k) =
// ODT (1 - beta + beta/k), both for a whole batch), with the fetch of embedding
// rows as a third resource. Network ports come one a node, so DT falls by nodes.
// Where communication is Added, ET = CT + DT. It never rises with k.
func (ev *Evaluator) stepTime(i, k int) float64 {
	st := &ev.stages[i]
	sh := ev.p.share(st.pool, k)
	compute := st.serial + st.parallel*sh.device
	if st.computeOnly {
		return compute
	}
	before, after := ev.pastTimes(i, k)
	compute += before + after
	comm := max(st.direct*sh.links, st.nic*sh.ports) + st.measured
	if ev.p.added {
		compute, comm = compute+comm, 0
	}
	if st.plan == 0 {
		return max(compute, comm)
	}
	fetch := ev.fetchTime(i, k)
	if ev.p.Lookahead == 0 {
		return max(compute+fetch, comm)
	}
	return max(compute, comm, fetch)
}

// share is what is left of work for each of k devices of a pool.
type share struct {
	device float64 // of divisible compute: 1/k, but never less than one sample of a micro-batch
	links  float64 // of bytes over links that every device has: 1 - beta + beta/k
	ports  float64 // of bytes over links that every node has: 1 - beta + beta/nodes
}

func (p *Problem) newShare(pool, k int) share {
	beta := p.CommParallel
	return share{
		device: 1 / p.parts(k),
		links:  1 - beta + beta/float64(k),
		ports:  1 - beta + beta/float64(p.ports(pool, k)),
	}
}

// parts returns into how many parts k devices divide a micro-batch.
func (p *Problem) parts(k int) float64 { return min(float64(k), p.splits) }

func (p *Problem) share(pool, k int) share {
	if table := p.shares[pool]; k < len(table) {
		return table[k]
	}
	return p.newShare(pool, k)
}

// pastTimes are the times that rows and state take past the slots, before computing
// and after it. Bypassed rows come while the devices read their own memory, which is
// part of computing and hides them (rounds.Extraction: T_cpu beside T_local); the
// result is what it does not hide. After computing they go back, and optimizer state on
// the hosts is read and written; in inference nothing is.
func (ev *Evaluator) pastTimes(i, k int) (before, after float64) {
	st := &ev.stages[i]
	if st.past.bytes > 0 {
		after = ev.p.fetchSeconds(st.pool, k, 0, st.past.host, st.past.bytes)
		before = max(0, after-ev.gatherTime(i, k))
	}
	if st.state.bytes > 0 {
		after += 2 * ev.p.fetchSeconds(st.pool, k, 0, st.state.host, st.state.bytes)
	}
	if ev.p.Inference {
		after = 0
	}
	return before, after
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

// fetchTime is the time in which the rows that a round misses reach their slots.
func (ev *Evaluator) fetchTime(i, k int) float64 {
	st := &ev.stages[i]
	if st.plan == 0 {
		return 0
	}
	seconds := ev.p.fetchSeconds(st.pool, k, st.plan, st.hostTime, max(st.bytesIn, st.bytesOut))
	if st.storeRows > 0 && ev.p.Store != nil {
		n := float64(ev.p.ports(st.pool, k))
		seconds += ev.p.Store(st.pool, st.storeRows/n, st.storeBytes/n)
	}
	return seconds
}

// fetchSeconds returns the time of one fetch on k devices of a pool: plan seconds
// on one device's index, then hostTime seconds of one socket's gathering and the
// bytes of the busier direction over the host links, which overlap, and the links'
// latency once.
func (p *Problem) fetchSeconds(pool, k int, plan, hostTime, bytes float64) float64 {
	n := float64(k)
	host := hostTime / (float64(p.ports(pool, k)) * p.host[pool])
	if bw := p.hostLink[pool]; bw > 0 {
		host = max(host, bytes/(n*bw))
	}
	if bytes > 0 {
		host += p.hostLatency[pool]
	}
	return plan/n + host
}

// ports returns how many nodes k devices of a pool occupy.
func (p *Problem) ports(pool, k int) int {
	n := p.perNode[pool]
	return (k + n - 1) / n
}

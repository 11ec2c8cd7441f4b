package placement

// stepTime returns the seconds that stage i needs for one step on k devices when
// nothing makes it wait: ET = max(CT, DT) of the published cost model (HeterPS,
// arXiv:2111.10635, cost model; recalled: CT(k) = OCT (1 - alpha + alpha/k), DT(k) =
// ODT (1 - beta + beta/k), both for a whole batch), with the fetch of embedding
// rows as a third resource. Network ports come one a node, so DT falls by nodes.
// It never rises with k.
func (ev *Evaluator) stepTime(i, k int) float64 {
	st := &ev.stages[i]
	sh := ev.p.share(st.pool, k)
	compute := st.serial + st.parallel*sh.device
	if st.computeOnly {
		return compute
	}
	compute += ev.pastTime(i, k)
	comm := max(st.direct*sh.links, st.nic*sh.ports) + st.measured
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

// pastTime is the time in which bypassed rows and optimizer state on the hosts go to
// the devices before or after computing, and back after it: nothing hides it. In
// inference nothing goes back.
func (ev *Evaluator) pastTime(i, k int) float64 {
	st := &ev.stages[i]
	if st.pastBytes == 0 {
		return 0
	}
	once := ev.p.fetchSeconds(st.pool, k, 0, st.pastHost, st.pastBytes)
	if ev.p.Inference {
		return once
	}
	return 2 * once
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

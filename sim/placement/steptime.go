package placement

// stepTime returns the seconds that stage i needs for one step on k devices when
// nothing makes it wait: ET = max(CT, DT) of the published cost model (HeterPS,
// arXiv:2111.10635, cost model; recalled: CT(k) = OCT (1 - alpha + alpha/k), DT(k) =
// ODT (1 - beta + beta/k), both for a whole batch), with the fetch of embedding
// rows as a third resource. Network ports come one a node, so DT falls by nodes.
// Where communication is Added, ET = CT + DT. Devices beyond those that can divide
// the stage's slots do nothing. It never rises with k.
func (ev *Evaluator) stepTime(i, k int) float64 {
	st := &ev.stages[i]
	if st.most > 0 {
		k = min(k, st.most)
	}
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
	if st.rows.plan == 0 {
		return max(compute, comm)
	}
	fetch, cycle := ev.fetchTimes(i, k)
	return max(ev.p.pace(compute, fetch, cycle), comm)
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

// ports returns how many nodes k replicas of a pool occupy.
func (p *Problem) ports(pool, k int) int {
	n := p.perNode[pool]
	if n == 0 {
		return k * p.unit(pool) / p.Cluster.Pools[pool].Node.Devices
	}
	return (k + n - 1) / n
}

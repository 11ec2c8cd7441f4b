package placement

import "math"

// stepTime returns the seconds that stage i needs for one step on k devices when
// nothing makes it wait: ET = max(CT, DT) of the published cost model (HeterPS,
// arXiv:2111.10635, cost model; recalled: CT(k) = OCT (1 - alpha + alpha/k), DT(k) =
// ODT (1 - beta + beta/k), both for a whole batch), with the fetch of embedding
// rows as a third resource. Network ports come one a node, so DT falls by nodes.
// Where communication is Added, ET = CT + DT. Devices beyond those that can divide
// the stage's slots do nothing. It never rises with k.
func (ev *Evaluator) stepTime(i, k int) float64 {
	p, st := ev.p, &ev.stages[i]
	if st.most > 0 && k > st.most {
		k = st.most
	}
	var sh *share
	if table := p.shares[st.pool]; k < len(table) {
		sh = &table[k]
	} else {
		more := p.newShare(st.pool, k)
		sh = &more
	}
	compute := st.serial + st.parallel*sh.device
	if st.computeOnly {
		return compute
	}
	comm := larger(st.direct*sh.links, st.nic*sh.ports) + st.measured
	if st.rows.plan != 0 {
		return ev.roundTime(i, k, compute, comm)
	}
	if p.added {
		return compute + comm
	}
	return larger(compute, comm)
}

// roundTime is stepTime of a stage behind slot tables, given the seconds in which its
// devices compute, and communicate.
func (ev *Evaluator) roundTime(i, k int, compute, comm float64) float64 {
	before, after := ev.pastTimes(i, k)
	compute += before + after
	if ev.p.added {
		compute, comm = compute+comm, 0
	}
	fetch, cycle := ev.fetchTimes(i, k)
	return max(ev.p.pace(compute, fetch, cycle), comm)
}

// larger is max of amounts. They are not negative, so that their bits are ordered as they
// are: it takes no branch that a processor would have to foresee.
func larger(a, b float64) float64 {
	x, y := math.Float64bits(a), math.Float64bits(b)
	if x < y {
		x = y
	}
	return math.Float64frombits(x)
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

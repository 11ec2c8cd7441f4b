package placement

import (
	"fmt"
	"math"

	"stowage/hw"
)

// worker is one device of a replica, or with tensor parallelism the devices of one type
// that compute its layers together, and the samples that it takes of a chunk.
type worker struct {
	pool    *hw.Pool // its own device type in place of the group's
	samples float64
}

// CheckGroup checks that groups of unlike devices can be provisioned, of each type so many
// that compute layers together, which CheckTeam has checked. Its error begins with the key
// that is wrong.
func CheckGroup(pool *hw.Pool, team int, sync Sync) error {
	if pool.Group() == 1 {
		return nil
	}
	n := pool.Group() * team
	for _, m := range pool.Members {
		if !m.Kind.Accelerator() {
			return fmt.Errorf("beside: pool %q has a group with %s: only accelerators share samples as unlike devices", pool.Name, m.Name)
		}
	}
	switch {
	case pool.Count%n != 0:
		return fmt.Errorf("count: %d devices of pool %q, in groups of %d: a multiple of that", pool.Count, pool.Name, n)
	case pool.Node.Devices%n != 0 && n%pool.Node.Devices != 0:
		return fmt.Errorf("beside: on pool %q a node has %d devices, and a group of %d is a part of a node or fills some", pool.Name, pool.Node.Devices, n)
	case sync == Server:
		return fmt.Errorf("beside: pool %q has groups of unlike devices, which agree by collectives: take sync = %q, not %q", pool.Name, Ring, Server)
	}
	return nil
}

// workers returns the devices of a replica on a pool that share its samples: one, or
// those of a group.
func (p *Problem) workers(t int) []worker { return p.groups[t] }

// compileGroups decides the shares of all groups.
func (p *Problem) compileGroups() {
	warnings := p.Warnings
	defer func() { p.Warnings = warnings }() // those about shares that are not taken
	p.groups = make([][]worker, p.pools)
	for t := range p.groups {
		pool := &p.Cluster.Pools[t]
		if pool.Group() == 1 {
			p.groups[t] = []worker{{pool, p.chunk()}}
			continue
		}
		var members []worker
		for _, d := range pool.Members {
			own := *pool
			own.Device = d
			members = append(members, worker{pool: &own})
		}
		even := shareEvenly(members, int(p.chunk()))
		p.groups[t] = even
		if p.Shares != Even {
			if fast := p.shareBySpeed(members, p.Team(t), int(p.chunk())); p.groupSeconds(fast, p.Team(t)) < p.groupSeconds(even, p.Team(t)) {
				p.groups[t] = fast
			}
		}
	}
}

// shareEvenly gives every device as many samples, the first ones one more where that
// does not come out even.
func shareEvenly(members []worker, samples int) []worker {
	shared := append([]worker(nil), members...)
	for i := range shared {
		n := samples / len(shared)
		if i < samples%len(shared) {
			n++
		}
		shared[i].samples = float64(n)
	}
	return shared
}

// shareBySpeed gives whole samples to devices so that the one that takes longest for all
// layers is done as early as can be: the shortest time in which all of them together do
// as many.
func (p *Problem) shareBySpeed(members []worker, team, samples int) []worker {
	within := func(m *worker, seconds float64) int { // most samples that a device does
		lo, hi := 0, samples+1 // lo is done in time, hi is not
		for lo+1 < hi {
			mid := (lo + hi) / 2
			if one := (worker{m.pool, float64(mid)}); p.groupSeconds([]worker{one}, team) <= seconds {
				lo = mid
			} else {
				hi = mid
			}
		}
		return lo
	}
	lo, hi := 0.0, p.groupSeconds([]worker{{members[0].pool, float64(samples)}}, team)
	shared := append([]worker(nil), members...)
	for range 60 {
		mid, all := (lo+hi)/2, 0
		for i := range shared {
			all += within(&members[i], mid)
		}
		if all >= samples {
			hi = mid
		} else {
			lo = mid
		}
	}
	left := samples
	for i := range shared {
		n := min(left, within(&members[i], hi))
		shared[i].samples, left = float64(n), left-n
	}
	return shared
}

// groupSeconds returns what workers of so many devices take for a forward and a backward
// pass through all layers that they can run, if they wait for each other after each.
func (p *Problem) groupSeconds(of []worker, team int) float64 {
	sum := 0.0
	for l := range p.Model.Layers {
		forward, backward := 0.0, 0.0
		for _, m := range of {
			if m.samples == 0 {
				continue
			}
			f, b, err := p.chunkTime(&p.Model.Layers[l], m.pool, team, m.samples)
			if err != nil {
				continue // the layer is on another pool
			}
			forward, backward = max(forward, f), max(backward, b)
		}
		sum += forward + backward
	}
	return sum
}

// member is a device of a group, or any of those of its type, as memory sees it.
type member struct {
	share float64 // of the replica's samples
	lacks float64 // bytes by which its memory is smaller than the largest of the group
}

// compileMembers needs the groups, and the pools' numbers.
func (p *Problem) compileMembers() {
	p.members, p.least = make([][]member, p.pools), make([]float64, p.pools)
	for t := range p.members {
		p.least[t] = 1
		if p.Cluster.Pools[t].Group() == 1 {
			continue
		}
		for _, m := range p.groups[t] {
			share := m.samples / p.chunk()
			p.members[t] = append(p.members[t], member{share, float64(p.Cluster.Pools[t].DeviceMemory() - m.pool.Device.Memory.Capacity)})
			p.least[t] = min(p.least[t], share)
		}
	}
}

// needOf returns the bytes that a stage asks of one device of each of k groups.
func (p *Problem) needOf(st *stage, m member, k int) float64 {
	n := float64(k * len(p.members[st.pool]))
	return st.weights + st.gathered + math.Ceil((st.act+st.scratch)*m.share/float64(k)) + math.Ceil(st.table/n) + math.Ceil((st.sharded-st.gathered)/n)
}

// tightest returns the device of a group that has the least memory left: what a stage
// needs of it is as if its memory were as large as the largest.
func (p *Problem) tightest(st *stage, k int) (m member, need float64) {
	for i, at := range p.members[st.pool] {
		if bytes := p.needOf(st, at, k) + at.lacks; i == 0 || bytes > need {
			m, need = at, bytes
		}
	}
	return m, need
}

// sharesOf returns which share of a replica's samples the device with the least memory
// left has, and the samples of all.
func (p *Problem) sharesOf(st *stage, k int) (share float64, samples []int) {
	if p.members[st.pool] == nil {
		return 1, nil
	}
	for _, m := range p.groups[st.pool] {
		samples = append(samples, int(m.samples))
	}
	at, _ := p.tightest(st, k)
	return at.share, samples
}

package placement

import (
	"errors"
	"fmt"
	"strings"
)

// Reservation is what another job has of the cluster, so that this one plans with what
// is left.
type Reservation struct {
	Job     string
	Devices []int // of each pool

	// Front says that its devices come before this job's in their pools, behind those of
	// other reservations before it that say so; else they come behind them.
	Front bool
	// Of and Plan say what it puts on the links of the cluster's network; nil: nothing is
	// known of that.
	Of   *Problem
	Plan *Plan
}

// checkReserved checks what other jobs have against the cluster.
func (s *Spec) checkReserved() error {
	for i := range s.Reserved {
		r := &s.Reserved[i]
		if len(r.Devices) != len(s.Cluster.Pools) {
			return fmt.Errorf("job %q has devices of %d pools: the cluster has %d", r.Job, len(r.Devices), len(s.Cluster.Pools))
		}
		for t, n := range r.Devices {
			if n < 0 {
				return fmt.Errorf("job %q has %d devices of pool %q: at least 0", r.Job, n, s.Cluster.Pools[t].Name)
			}
		}
	}
	for t := range s.Cluster.Pools {
		if pool := &s.Cluster.Pools[t]; s.Left(t) < 0 {
			return fmt.Errorf("pool %q has %d devices, and jobs have more: %s", pool.Name, pool.Count, s.whoHas(t))
		}
	}
	return nil
}

// reserved returns how many devices of a pool other jobs have.
func (s *Spec) reserved(pool int) int {
	n := 0
	for i := range s.Reserved {
		n += s.Reserved[i].Devices[pool]
	}
	return n
}

// inFront returns how many devices of each pool come before this job's.
func (s *Spec) inFront() []int {
	n := make([]int, len(s.Cluster.Pools))
	for i := range s.Reserved {
		if r := &s.Reserved[i]; r.Front {
			r.addTo(n)
		}
	}
	return n
}

// addTo adds its devices to those of each pool.
func (r *Reservation) addTo(devices []int) {
	for t, n := range r.Devices {
		devices[t] += n
	}
}

// Left returns how many devices of a pool other jobs leave.
func (s *Spec) Left(pool int) int { return s.Cluster.Pools[pool].Count - s.reserved(pool) }

// replicas returns how many replicas the devices that are left of a pool make, and
// whether there is any. Where there is none it counts one, which keeps every bound: a
// bound may take a pool for larger than it is, and its layers are refused.
func (p *Problem) replicas(pool int) (n int, left bool) {
	n = p.Left(pool) / p.unit(pool)
	return max(1, n), n > 0
}

// noneLeft says why no layer can be on a pool since other jobs have its devices; nil: it can.
func (p *Problem) noneLeft(pool int) error {
	if _, left := p.replicas(pool); !left {
		return errors.New(p.goneWhy(pool))
	}
	if p.Servers > 0 {
		if _, left := p.replicas(p.Servers - 1); !left {
			return fmt.Errorf("it needs parameter servers on pool %q: %s", p.Cluster.Pools[p.Servers-1].Name, p.goneWhy(p.Servers-1))
		}
	}
	return nil
}

// goneWhy says who has the devices of a pool that has not enough for one replica.
func (p *Problem) goneWhy(pool int) string {
	all := p.Cluster.Pools[pool].Count
	if left := p.Left(pool); left > 0 {
		return fmt.Sprintf("a replica has %d devices, and of %d %d are left: %s", p.unit(pool), all, left, p.whoHas(pool))
	}
	who := p.holders(pool)
	if len(who) == 1 {
		return fmt.Sprintf("all %d devices are taken by job %q", all, who[0].Job)
	}
	return fmt.Sprintf("all %d devices are taken: %s", all, p.whoHas(pool))
}

// holders are the jobs that have devices of a pool.
func (s *Spec) holders(pool int) (who []Reservation) {
	for _, r := range s.Reserved {
		if r.Devices[pool] > 0 {
			who = append(who, r)
		}
	}
	return who
}

// whoHas names them and how many each has; "": nobody has any.
func (s *Spec) whoHas(pool int) string {
	var who []string
	for _, r := range s.holders(pool) {
		who = append(who, fmt.Sprintf("job %q takes %d", r.Job, r.Devices[pool]))
	}
	return strings.Join(who, ", ")
}

// lessOthers is what a sentence about the size of a pool goes on with, if other jobs
// have some of it.
func (s *Spec) lessOthers(pool int) string {
	if who := s.whoHas(pool); who != "" {
		return fmt.Sprintf(", of which %s", who)
	}
	return ""
}

// besidesOthers is the same of what is left of it.
func (s *Spec) besidesOthers(pool int) string {
	if who := s.whoHas(pool); who != "" {
		return fmt.Sprintf(" that are left (%s)", who)
	}
	return ""
}

// nodesLeft says how many nodes the devices fill that are left of a pool.
func (s *Spec) nodesLeft(pool, nodes int) string {
	if who := s.whoHas(pool); who != "" {
		return fmt.Sprintf("what is left of the pool fills %d (%s)", nodes, who)
	}
	return fmt.Sprintf("the pool has %d", nodes)
}

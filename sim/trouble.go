package sim

import (
	"time"

	"stowage/sim/placement"
)

// Trouble is what goes wrong in a run, and what is done against it. Searches know
// nothing of it: it exists in the simulation alone.
type Trouble struct {
	Seed       int64 // of noise and of losses
	Stragglers []Straggler
	Links      []WeakLink
	Losses     []Loss
	Checkpoint *Checkpoint // nil: what is lost is all that was done
	Recovery   Recovery
}

// Devices are some of a cluster: devices From to To-1 of a pool, or all of a stage.
type Devices struct {
	Stage    int // from 0; -1: those of the pool
	Pool     int
	From, To int
}

// Straggler is a set of devices that are slower than they should be: an operation takes
// Factor times as long on each, and with noise a random multiple of that. A stage is
// through with a micro-batch when the slowest of its devices is.
type Straggler struct {
	Devices
	Factor float64 // at least 1
	// Noise is the standard deviation of a log-normal multiple of mean 1, which every
	// device draws for every operation; 0: none.
	Noise       float64
	From, Until time.Duration // of simulated time; Until 0: to the end
	// FromRound and UntilRound bound the rounds whose operations are slow; 0 and 0: all.
	FromRound, UntilRound int
}

// WeakLink is a link with less than its bandwidth. In a network it is named; else it is
// the network ports of some nodes.
type WeakLink struct {
	Name string // as in Result.Links; "a -- b" for both directions; "": the ports of nodes
	Pool int
	// Node is that of the pool; -1: all.
	Node        int
	Factor      float64       // what is left of the bandwidth, above 0
	From, Until time.Duration // Until 0: to the end
}

// Loss is the loss of a device: at a time, or by chance.
type Loss struct {
	Devices
	At time.Duration
	// MTBF is the mean time between failures of each device, in seconds; lives are
	// exponential. 0: one device is lost, At a time.
	MTBF float64
}

// Checkpoint says when a job saves what it has learned, and what that takes. It is due
// at the end of a round.
type Checkpoint struct {
	Every  time.Duration // since the last one was through, or the job began anew; 0: by Rounds
	Rounds int           // after every so many rounds
	Write  time.Duration // until it can be relied upon
	// Background lets the rounds go on meanwhile, after a pause of Pause for the copy
	// that is written. One that is due while another is being written waits for it.
	Background bool
	Pause      time.Duration
}

// Recovery says how a job goes on that has lost a device.
type Recovery struct {
	Restart time.Duration // from having all devices to the first operation
	Repair  time.Duration // until a lost device is back
	// Spares are devices that stand in for lost ones at once, in their places in the
	// network. What is repaired stands in for the next one.
	Spares int
}

// recovers reports whether a run keeps account of what is lost.
func (t *Trouble) recovers() bool {
	return t != nil && (t.Checkpoint != nil || len(t.Losses) > 0)
}

// seat is where the devices of a stage are in their pool.
type seat struct{ pool, first, devices int }

// seats gives stages their devices, those of a pool one after the other, and parameter
// servers those after them; the first ones may be taken.
func seats(p *placement.Problem, plan *placement.Plan, first []int) (stages []seat, servers seat) {
	taken := make([]int, len(p.Cluster.Pools))
	copy(taken, first)
	take := func(pool, devices int) seat {
		s := seat{pool, taken[pool], devices}
		taken[pool] += devices
		return s
	}
	for i := range plan.Stages {
		stages = append(stages, take(plan.Stages[i].Pool, plan.Stages[i].Devices))
	}
	if plan.Servers > 0 && p.Servers > 0 {
		servers = take(p.Servers-1, plan.Servers)
	}
	return stages, servers
}

// of returns which devices of a stage, counted from its first, are meant.
func (d *Devices) of(stage int, s seat) (from, to int) {
	switch {
	case d.Stage >= 0:
		if d.Stage == stage {
			return 0, s.devices
		}
		return 0, 0
	case d.Pool != s.pool:
		return 0, 0
	}
	from, to = max(0, d.From-s.first), min(s.devices, d.To-s.first)
	return from, max(from, to)
}

// nth returns the pool of the n-th of the meant devices, from 0, and its number there.
func (d *Devices) nth(all []seat, n int) (pool, device int) {
	for i, s := range all {
		from, to := d.of(i, s)
		if n < to-from {
			return s.pool, s.first + from + n
		}
		n -= to - from
	}
	panic("sim: no such device")
}

// count returns how many devices of all stages are meant.
func (d *Devices) count(all []seat) (n int) {
	for i, s := range all {
		from, to := d.of(i, s)
		n += to - from
	}
	return n
}

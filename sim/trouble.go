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
	Mode    RecoveryMode  // "": Wait
	Detect  time.Duration // from the loss until the job knows and stops what hangs
	Restart time.Duration // from having all devices to the first operation, when it begins from a checkpoint
	Repair  time.Duration // until a lost device is back
	// Reconfigure is how long it takes replicas to go on without others, or with those
	// that are back, besides sending these what was learned.
	Reconfigure time.Duration
	// Spares are devices that stand in for lost ones at once, in their places in the
	// network. What is repaired stands in for the next one.
	Spares int
}

// RecoveryMode says what a job does that lacks devices.
type RecoveryMode string

// The modes: Wait waits until all devices are there and begins from the last checkpoint.
// Shrink goes on with the replicas that are whole, which share the batch among
// themselves (elastic training: Varuna, Athlur et al., EuroSys 2022; Oobleck, Jang et
// al., SOSP 2023).
const (
	Wait   RecoveryMode = "wait"
	Shrink RecoveryMode = "shrink"
)

// RecoveryModes lists the modes in the order of help.
func RecoveryModes() []string { return []string{string(Wait), string(Shrink)} }

// shrinks reports whether jobs go on without lost devices.
func (t *Trouble) shrinks() bool { return t != nil && t.Recovery.Mode == Shrink }

// recovers reports whether a run keeps account of what is lost.
func (t *Trouble) recovers() bool {
	return t != nil && (t.Checkpoint != nil || len(t.Losses) > 0)
}

// seat is where the devices of a stage are in their pool.
type seat struct {
	pool, first, devices int
	active               []bool // per replica: it takes part; nil: all do
}

// has reports whether a device, counted from the first, takes part.
func (s *seat) has(device int) bool {
	return s.active == nil || s.active[device*len(s.active)/s.devices]
}

// counts returns how many of the devices from one to another take part.
func (s *seat) counts(from, to int) (n int) {
	for d := from; d < to; d++ {
		if s.has(d) {
			n++
		}
	}
	return n
}

// seats gives stages their devices, those of a pool one after the other; the first ones
// may be taken.
func seats(plan *placement.Plan, first []int) (stages []seat) {
	for i := range plan.Stages {
		st := &plan.Stages[i]
		stages = append(stages, behind(stages, first, st.Pool, st.Devices))
	}
	return stages
}

// serversSeat is where the parameter servers of a plan are: behind the stages. They have
// no devices if there are none.
func serversSeat(p *placement.Problem, plan *placement.Plan, stages []seat, first []int) seat {
	if plan.Servers == 0 || p.Servers == 0 {
		return seat{}
	}
	return behind(stages, first, p.Servers-1, plan.Servers)
}

// behind is the seat of devices of a pool behind those that stages have of it.
func behind(stages []seat, first []int, pool, devices int) seat {
	s := seat{pool: pool, devices: devices}
	if first != nil {
		s.first = first[pool]
	}
	for _, before := range stages {
		if before.pool == pool {
			s.first += before.devices
		}
	}
	return s
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

// place is a device of a stage, counted from its first.
type place struct{ stage, device int }

// nth returns the n-th of the meant devices, from 0.
func (d *Devices) nth(all []seat, n int) place {
	for i, s := range all {
		from, to := d.of(i, s)
		if n < to-from {
			return place{i, from + n}
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

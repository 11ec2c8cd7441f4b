package scenarios

import (
	"math"
	"time"

	"stowage/hw/unit"
	"stowage/sim"
	"stowage/sim/placement"
)

// trouble is what goes wrong in the run of a plan; nil: nothing does.
func (s *Scenario) trouble(p *placement.Problem, plan *placement.Plan) *sim.Trouble {
	if s.Trouble == nil {
		return nil
	}
	t := s.Trouble.Trouble
	t.Seed = s.Seed
	if s.Trouble.Storage > 0 {
		c := *t.Checkpoint
		c.Write = writing(p.CheckpointBytes(plan), s.Trouble.Storage)
		t.Checkpoint = &c
	}
	return &t
}

// writing is how long bytes take, up to the end of the clock.
func writing(bytes float64, rate unit.Rate) time.Duration {
	seconds := math.Min(bytes/float64(rate), unit.MaxTime.Seconds())
	d, err := unit.Seconds(seconds)
	if err != nil {
		return unit.MaxTime
	}
	return d
}

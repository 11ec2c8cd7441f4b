package scenarios

import (
	"context"
	"fmt"

	"stowage/sim"
	"stowage/sim/rounds"
)

// trades is placement.Spec.Trade: what the simulation would take for the exchanges of
// each embedding layer's last round, by pool and number of devices.
func (s *Scenario) trades(ctx context.Context, ems []sim.Embedding) (func(layer, pool, devices int) (pull, push float64), error) {
	pools := s.Cluster.Pools
	most := s.accelerators()
	times := make([][]rounds.Times, len(s.Model.Layers))
	for i := range ems {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		name := s.Model.Layers[ems[i].Layer].Name
		spec := s.feedOf(&ems[i])
		prospect, err := rounds.Foresee(spec, most)
		if err != nil {
			return nil, fmt.Errorf("exchange of layer %q: %w", name, err)
		}
		of := make([]rounds.Times, len(pools))
		for t := range pools {
			on := spec
			on.Costs = sim.Costs(spec.Costs, &pools[t])
			of[t] = prospect.Times(on)
		}
		times[ems[i].Layer] = of
	}
	return func(layer, pool, devices int) (pull, push float64) {
		return times[layer][pool].Of(devices)
	}, nil
}

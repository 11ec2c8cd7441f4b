package rounds

import (
	"time"

	"stowage/sim/engine"
)

// exchanging is an exchange among devices that goes on: what has a time of its own, and
// what nodes send each other over the cluster's network.
type exchanging struct {
	end     time.Duration  // of what has a time
	crossed *engine.Signal // nil: nothing goes between nodes
	at      *time.Duration // when that had arrived
}

// exchange begins an exchange.
func (f *Feed) exchange(seconds float64, nodes []float64) exchanging {
	x := exchanging{end: f.e.Now() + f.duration(seconds)}
	if nodes == nil {
		return x
	}
	x.crossed, x.at = f.e.Signal("rows between nodes"), new(time.Duration)
	f.h.Exchange(f.spec.nodes(), nodes, func() {
		*x.at = f.e.Now()
		x.crossed.Fire()
	})
	return x
}

// await waits until the exchange is over and returns when it was.
func (x exchanging) await(p *engine.Process) time.Duration {
	if x.end > p.Now() {
		p.Sleep(x.end - p.Now())
	}
	if x.crossed == nil {
		return x.end
	}
	p.Wait(x.crossed)
	return max(x.end, *x.at)
}

// nodes returns how many nodes the devices are in.
func (s *Spec) nodes() int { return (s.Devices + s.Costs.PerNode - 1) / s.Costs.PerNode }

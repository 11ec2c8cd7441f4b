package placement

import "fmt"

// WithReplicas is the plan of pl's scheme on other numbers of replicas, one for each
// stage: what is left of pl when replicas drop out. The batch stays the same, so that
// each of the others has a larger part of every micro-batch. Floors and caps do not
// count, and parameter servers stay. The plan is nil, with the reason, where a stage has
// no replica or does not fit.
func (p *Problem) WithReplicas(pl *Plan, replicas []int) (*Plan, string) {
	devices := make([]int, len(replicas))
	for i, k := range replicas {
		if k < 1 {
			return nil, fmt.Sprintf("stage %d has no replica left", i+1)
		}
		devices[i] = k * p.unit(pl.Stages[i].Pool)
	}
	fewer, err := NewEvaluator(p).PlanDevices(pl.Scheme, devices)
	if err != nil {
		panic(err) // every stage has whole replicas
	}
	if !fewer.Fitness.provisioned() {
		return nil, fewer.Reason
	}
	fewer.Servers = pl.Servers
	return fewer, ""
}

// LearnedBytes returns what a device of a stage keeps of what was learned, weights and
// optimizer state, in bytes: what every replica has as well, and its part of what the
// devices of the stage divide, by ZeRO or, of embedding tables, always.
func (p *Problem) LearnedBytes(st *Stage) (copied, divided float64) {
	weight, _, optimizer := p.paramBytes()
	weights := float64(st.Weights)
	states := weights / float64(weight) * float64(optimizer)
	holders := float64(st.Devices / st.Tensor) // of the parameters that the device works with
	switch {
	case p.Zero == 3:
		divided = (weights + states) / holders
	case p.Zero > 0:
		copied, divided = weights, states/holders
	default:
		copied = weights + states
	}
	return copied, divided + float64(st.Memory.Tables)
}

// Divides reports whether the devices of a stage divide what was learned, so that some of
// it is lost with any of them.
func (p *Problem) Divides(st *Stage) bool {
	_, divided := p.LearnedBytes(st)
	return divided > 0
}

// CopySeconds returns how long n replicas of one node take to get bytes on each of their
// devices from others of the stage's replicas, all at once and with nothing else on the
// links: over those inside the node where all replicas are in one, else over its port.
func (p *Problem) CopySeconds(st *Stage, n int, bytes float64) float64 {
	node := &p.Cluster.Pools[st.Pool].Node
	if st.Devices <= node.Devices && node.PeerLink.Bandwidth > 0 {
		return bytes/float64(node.PeerLink.Bandwidth) + node.PeerLink.Latency.Seconds()
	}
	sharing := min(n*p.unit(st.Pool), node.Devices)
	return bytes*float64(sharing)/float64(node.NIC.Bandwidth) + node.NIC.Latency.Seconds()
}

package placement

// exchangeTimes returns the seconds in which k devices of stage i give each other the
// rows that they look up, at the begin of a round (pull), and the gradients, at its
// end (push), layer after layer. The closed form leaves them out, as it does the
// synchronisation of gradients.
func (ev *Evaluator) exchangeTimes(i, k int) (pull, push float64) {
	p := ev.p
	if p.Trade == nil || k < 2 {
		return 0, 0
	}
	pool := ev.stages[i].pool
	for _, l := range p.slotted {
		if ev.stageOf[l] == i && p.Cluster.Pools[pool].Device.Kind.Accelerator() {
			before, after := p.Trade(l, pool, k)
			pull += before
			push += after
		}
	}
	return pull, push
}
